//! `regctl search`, over several registries at once.

use regctl::serve::{Account, Auth, Behaviour, Running, Settings, Storage, sample};

use crate::support::program::Program;

fn registry(auth: Auth, behaviour: Behaviour) -> Running {
    let storage = Storage::memory();
    sample::fill(&storage, "2026-11-20T12:00:00Z".parse().unwrap()).unwrap();
    Running::start(Settings { auth, behaviour, ..Settings::new(storage) }).expect("a free port")
}

#[test]
fn all_active_registries_and_what_failed_beside() {
    let program = Program::new();
    let (one, two) = (registry(Auth::Open, Behaviour::default()), registry(Auth::Open, Behaviour::default()));
    let closed = registry(Auth::Basic(Account::new("alice", "secret")), Behaviour::default());
    let asleep = registry(Auth::Open, Behaviour::default());
    program.run(["add", "one", &one.url(), "--namespace", "team"]).succeeds();
    program.run(["add", "two", &two.url()]).succeeds();
    program.run(["add", "asleep", &asleep.url(), "--inactive", "--no-check"]).succeeds();
    asleep.forget();

    let found = program.run(["search", "redis"]).succeeds();
    assert_eq!(found.stdout, "REGISTRY  REPOSITORY\ntwo       charts/redis\n", "one is for team only");
    program.run(["search", "WEB*:v2.4", "-q"]).succeeds().shows("one/team/web:v2.4.0\none/team/web:v2.4.1\ntwo/team/web:v2.4.0\n");
    program.run(["search", "nothing-like-this"]).succeeds().says("0 repositories in 2 registries");
    assert_eq!(asleep.counters().requests, 0, "inactive registries are left alone");

    program.run(["add", "closed", &closed.url(), "--no-check"]).succeeds();
    program.run(["activate", "closed"]);
    let partly = program.run(["search", "api", "-o", "json"]).exits(9);
    let found = partly.json();
    assert_eq!(found["items"].as_array().unwrap().len(), 2);
    assert_eq!(found["failed"][0]["name"], "closed");
    program.run(["search", "api", "-r", "closed"]).exits(5);
    program.run(["search", "api", "-r", "asleep"]).fails(4).says("regctl activate asleep");
    program.run(["search", "api", "-r", "nobody"]).fails(3);
    program.run(["search", "a["]).fails(2);
}

#[test]
fn one_broken_repository_hides_no_other() {
    let program = Program::new();
    let broken = registry(Auth::Open, Behaviour { broken_repository: Some("team/api".into()), ..Behaviour::default() });
    program.run(["add", "lab", &broken.url()]).succeeds();
    let found = program.run(["search", ":latest", "-o", "json"]).exits(9).json();
    assert_eq!(found["items"][0]["reference"], "lab/team/web:latest");
    assert_eq!(found["failed"][0]["name"], "lab/team/api");
}
