//! Rancher: the life of an entry, and what becomes of its secret.

use std::net::TcpListener;

use super::{add, get, written};
use crate::support::docker_registry::{DockerRegistry, PASSWORD, Setup, USERNAME};
use crate::support::keyring::{Keyring, State};
use crate::support::program::Program;

#[test]
fn one_place_is_one_entry_unless_the_account_differs() {
    let program = Program::new();
    add(&program, &["local", "https://reg.example"]).succeeds();
    let before = written(&program);
    add(&program, &["xyz", ""]).fails(2);
    add(&program, &["two", "REG.EXAMPLE"]).fails(4).says("--namespace").says("--allow-duplicate");
    add(&program, &["two", "https://reg.example:443/"]).fails(4);
    assert_eq!(written(&program), before);
    add(&program, &["space", "REG.EXAMPLE", "--namespace", "team"]).succeeds();
    add(&program, &["account", "REG.EXAMPLE", "--username", "bob"]).succeeds();
    add(&program, &["path", "REG.EXAMPLE/path"]).succeeds();
    add(&program, &["port", "REG.EXAMPLE:8443"]).succeeds();
    add(&program, &["twin", "REG.EXAMPLE", "--allow-duplicate"]).succeeds();
    // in Rancher, removing, adding anew and restoring gave two
    program.run(["remove", "space"]).succeeds();
    add(&program, &["newcomer", "REG.EXAMPLE", "--namespace", "team"]).succeeds();
    program.run(["restore", "space"]).fails(4).says("newcomer is the same account");
    program.run(["update", "path", "--address", "https://reg.example"]).fails(4);
}

/// Refused before a name is looked up or a connection made.
#[test]
fn the_contents_of_an_inactive_registry_are_out_of_reach() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("it is ours");
    let program = Program::new();
    add(&program, &["local", &format!("http://{}", listener.local_addr().expect("it is bound"))]).succeeds();
    for (step, way_out) in [("deactivate", "regctl activate local"), ("remove", "regctl restore local")] {
        program.run([step, "local"]).succeeds();
        for command in [&["repo", "list", "local"][..], &["tag", "list", "local/app"], &["inspect", "local/app:v1"]] {
            program.run(command).fails(4).says(way_out);
        }
        program.run(["tag", "delete", "local/app:v1", "--yes"]).fails(4).says(way_out);
    }
    assert!(listener.accept().is_err(), "somebody connected");
}

#[test]
fn the_secret_lives_as_long_as_the_entry() {
    let (Some(keyring), Some(registry)) = (Keyring::start(State::Unlocked), DockerRegistry::start(Setup::Password)) else { return };
    let program = Program::with_keyring(&keyring);
    let arguments = ["add", "prod", &registry.address(), "--username", USERNAME, "--password-stdin"];
    program.call(arguments).stdin(PASSWORD).run().succeeds();
    let id = get(&program, "prod")["id"].as_str().expect("a UUID").to_owned();
    program.run(["deactivate", "prod"]).succeeds();
    program.run(["deactivate", "prod"]).succeeds().says("already inactive");
    program.run(["activate", "prod"]).succeeds();
    program.run(["repo", "list", "prod"]).succeeds();
    program.run(["remove", "prod", "-y"]).succeeds();
    program.run(["restore", "prod"]).succeeds();
    let restored = get(&program, "prod");
    assert_eq!(
        (&restored["state"], &restored["is_default"], &restored["id"]),
        (&"inactive".into(), &false.into(), &id.as_str().into())
    );
    program.run(["activate", "prod"]).succeeds();
    program.run(["repo", "list", "prod"]).succeeds();
    program.run(["purge", "prod"]).fails(4);
    program.run(["remove", "prod"]).succeeds();
    program.run(["purge", "prod"]).succeeds();
    // an entry with the same id finds nothing in the keyring
    let file = format!("name: prod\naddress: {}\nid: {id}\nusername: {USERNAME}\n", registry.address());
    program.call(["apply", "-f", "-"]).stdin(file).run().succeeds();
    program.run(["repo", "list", "prod"]).fails(5).says("regctl login prod");
}

/// Other tools print passwords in traces, lists and dumps. Here no command does, with any format, at any level.
#[test]
fn the_secret_is_nowhere_to_be_seen() {
    let Some(registry) = DockerRegistry::start(Setup::Token) else { return };
    let mut program = Program::new();
    program.set("REGCTL_PROD_USERNAME", USERNAME);
    program.set("REGCTL_PROD_PASSWORD", PASSWORD);
    let basic = "YWxpY2U6"; // "alice:" in base64, as in a header
    add(&program, &["prod", &registry.address(), "--credential", "env"]).succeeds();
    std::fs::write(program.home().join("team.yaml"), format!("name: prod\naddress: {}\n", registry.address()))
        .expect("the home is ours");
    for command in [
        &["list"][..],
        &["get", "prod"],
        &["get", "prod", "--actions"],
        &["check", "prod"],
        &["doctor"],
        &["repo", "list", "prod"],
        &["tag", "list", "prod/missing"],
        &["inspect", "prod/missing:v1"],
        &["search", "x"],
        &["apply", "-f", "team.yaml", "--dry-run"],
        &["update", "prod", "--description", "d"],
        &["deactivate", "prod"],
        &["activate", "prod"],
        &["schedule", "status"],
        &["login", "--all"],
        &["history"],
        &["remove", "prod"],
        &["restore", "prod"],
    ] {
        let finished = program.run([command, &["-o", "json", "-vv", "--stats"]].concat());
        finished.hides(PASSWORD).hides(basic);
    }
    let wrong = program.call(["repo", "list", "prod", "-vv"]).env("REGCTL_PROD_PASSWORD", "wrong-s3cr3t").run();
    wrong.hides("s3cr3t");
    for (path, content) in program.files() {
        let seen = [PASSWORD, basic].iter().any(|secret| content.windows(secret.len()).any(|window| window == secret.as_bytes()));
        assert!(!seen, "the secret is in {}", path.display());
    }
}
