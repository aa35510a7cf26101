//! A repository of a thousand tags, as administrators have them: requests side by side, on few connections, none twice.

use std::time::Duration;

use regctl::serve::{Behaviour, Running, Settings, Storage, sample};

use crate::support::program::Program;

const TAGS: usize = 1000;
/// No more connections than this: each costs the server a handshake, and it has other clients.
const FEW: u64 = 64;

/// A server that takes its time, so that what is asked side by side is seen to be.
fn server(tags: usize, page_size: Option<usize>) -> Running {
    let storage = Storage::memory();
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    sample::many_tags(&storage, &"team/app".parse().unwrap(), tags, now).unwrap();
    let behaviour = Behaviour { latency: Duration::from_millis(2), page_size, ..Behaviour::default() };
    Running::start(Settings { behaviour, ..Settings::new(storage) }).expect("a free port")
}

#[test]
fn details_of_a_thousand_tags() {
    let server = server(TAGS, None);
    let program = Program::new();
    let list = |more: &[&str]| {
        server.forget();
        let arguments = ["tag", "list", "team/app", "-r", &server.url(), "--details", "-o", "json"];
        program.run(arguments.iter().chain(more)).succeeds().json()
    };
    let first = list(&[]);
    let items = first["items"].as_array().unwrap();
    assert_eq!(items.len(), TAGS);
    assert!(items.iter().all(|item| item["digest"].is_string() && item["created_at"].is_string() && item["size"].is_u64()));

    let requests = server.requests();
    let mut paths: Vec<&str> = requests.iter().map(|request| request.path.as_str()).collect();
    paths.sort_unstable();
    let count = paths.len();
    paths.dedup();
    assert_eq!(paths.len(), count, "something was asked for twice");
    // the list, and for each tag its manifest and its config
    assert!(count <= 2 + 2 * TAGS, "{count} requests");
    let counters = server.counters();
    assert!(counters.connections <= FEW, "{} connections", counters.connections);
    assert!(counters.most_at_once > 4, "{} requests at once", counters.most_at_once);

    assert_eq!(list(&[]), first, "what is remembered is what was there");
    let requests = server.requests();
    let (heads, others): (Vec<_>, Vec<_>) = requests.iter().partition(|request| request.method == "HEAD");
    assert_eq!(heads.len(), TAGS);
    assert!(others.len() <= 2, "{others:?}");

    assert_eq!(list(&["--no-cache"]), first);
    assert!(server.counters().requests >= 2 * TAGS as u64, "nothing was taken from the cache");
}

#[test]
fn names_alone_need_the_list_alone() {
    let server = server(TAGS, None);
    let names = Program::new().run(["tag", "list", "team/app", "-r", &server.url(), "-q"]).succeeds().stdout;
    assert_eq!(names.lines().count(), TAGS);
    assert!(server.counters().requests <= 3, "{:?}", server.requests());
}

/// The next page is asked for while the tags of this one are looked at, and both need the one turn that there is.
#[test]
fn one_request_at_a_time_comes_to_the_end() {
    let server = server(90, Some(20));
    let program = Program::new();
    program.run(["add", "lab", &server.url(), "--concurrency", "1"]).succeeds();
    for output in ["jsonl", "json", "table"] {
        let list = program.run(["tag", "list", "lab//team/app", "--details", "-o", output]).succeeds();
        assert_eq!(list.stdout.matches("t00089").count(), if output == "table" { 1 } else { 2 }, "{}", list.stdout);
        program.run(["repo", "list", "lab", "--details", "-o", output]).succeeds();
    }
    assert_eq!(server.counters().most_at_once, 1);
}
