//! `activate`, `deactivate`, `remove`, `restore`, `purge`, `set-default`: the life of an entry.

use crate::support::program::Program;

fn home() -> Program {
    let program = Program::new();
    for name in ["a", "b"] {
        program.run(["add", name, &format!("https://{name}.example"), "--no-check"]).succeeds();
    }
    program
}

fn get(program: &Program, name: &str, field: &str) -> serde_json::Value {
    program.run(["get", name, "-o", "json"]).succeeds().json()[field].take()
}

#[test]
fn a_whole_life() {
    let program = home();
    program.run(["deactivate", "a"]).succeeds().says("deactivated a").says("still the default");
    program.run(["deactivate", "a"]).succeeds().says("already inactive");
    program.run(["set-default", "a"]).fails(4).says("regctl activate a");
    program.run(["activate", "a"]).succeeds().says("activated a");
    program.run(["activate", "a"]).succeeds().says("already active");
    for command in ["purge", "restore"] {
        program.run([command, "a"]).fails(4).says("not removed");
    }
    let id = get(&program, "b", "id");
    program.run(["update", "b", "--name", "c"]).succeeds();
    assert_eq!(get(&program, "c", "id"), id, "a new name is the same entry");
    program.run(["get", "b"]).fails(3);
    program.run(["remove", "-y", "a"]).succeeds().says("regctl restore a").says("there is none now");
    assert!(!program.run(["list", "-q"]).stdout.contains('a'));
    assert!(program.run(["list", "-q", "--all"]).stdout.contains('a'));
    program.run(["remove", "a"]).succeeds().says("already removed");
    for command in ["activate", "deactivate"] {
        program.run([command, "a"]).fails(4).says("regctl restore a");
    }
    program.run(["add", "a", "https://new.example", "--no-check"]).fails(4).says("regctl restore a");
    program.run(["repo", "list", "a"]).fails(4).says("regctl restore a");
    program.run(["restore", "a"]).succeeds().says("inactive");
    program.run(["repo", "list", "a"]).fails(4).says("regctl activate a");
    assert_eq!((get(&program, "a", "state"), get(&program, "a", "is_default")), ("inactive".into(), false.into()));
    program.run(["remove", "a"]).succeeds();
    program.run(["purge", "a"]).succeeds().says("purged a");
    program.run(["get", "a"]).fails(3);
    program.run(["purge", "a"]).fails(3);
}

#[test]
fn of_several_all_are_tried() {
    let program = home();
    insta::assert_snapshot!(program.run(["deactivate", "a", "missing", "b"]), @"
    $ regctl deactivate a missing b
    │ ✓ deactivated a
    │ a is still the default; choose another with regctl set-default NAME
    │ ✗ failed: missing: not found
    │ ✓ deactivated b
    (exit 9)
    ");
    assert_eq!((get(&program, "a", "state"), get(&program, "b", "state")), ("inactive".into(), "inactive".into()));
    let listed = program.run(["activate", "a", "missing", "-o", "json"]).exits(9).json();
    assert_eq!((&listed["items"][0]["name"], &listed["failed"][0]["name"]), (&"a".into(), &"missing".into()));
    program.run(["activate", "missing", "nobody"]).fails(3);
}

#[test]
fn the_default_is_chosen_in_the_open() {
    let program = home();
    insta::assert_snapshot!(program.run(["set-default", "b"]), @"
    $ regctl set-default b
    │ ✓ the default is now b; it was a
    ");
    program.run(["set-default", "b"]).succeeds().says("already the default");
    program.run(["set-default", "--clear"]).succeeds().says("it was b");
    program.run(["set-default", "--clear"]).succeeds().says("no default already");
    program.run(["set-default"]).fails(2);
    program.run(["set-default", "prdo"]).fails(3);
    assert_eq!(get(&program, "a", "is_default"), false);
}

#[test]
fn what_was_removed_long_ago_goes_with_the_next_change() {
    let program = home();
    let at = |time: &str, arguments: &[&str]| program.call(arguments).env("REGCTL_NOW", time).run();
    at("2026-01-01T00:00:00Z", &["remove", "a"]).succeeds();
    at("2026-06-01T00:00:00Z", &["list", "--all", "-q"]).succeeds().shows("a");
    at("2026-01-20T00:00:00Z", &["update", "b", "--description", "early"]).succeeds();
    at("2026-06-01T00:00:00Z", &["update", "b", "--description", "early"]).succeeds().says("unchanged");
    program.run(["get", "a"]).succeeds();
    at("2026-06-01T00:00:00Z", &["update", "b", "--description", "late"]).succeeds().says("purged a");
    program.run(["get", "a"]).fails(3);
}

#[test]
fn what_never_expires_stays() {
    let program = Program::new();
    program.write_catalogue(
        "settings = { trash_retention = \"never\" }\n[registry.a]\naddress = \"https://a.example\"\nstate = \"removed\"\n\
         removed_at = 2001-01-01T00:00:00Z\n[registry.b]\naddress = \"https://b.example\"\n",
    );
    program.run(["deactivate", "b"]).succeeds();
    program.run(["get", "a"]).succeeds();
}
