//! The main job against real components: a catalogue, a keyring with the secret in it, a registry that wants the secret.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::support::content::Pusher;
use crate::support::counted::Counted;
use crate::support::docker_registry::{DockerRegistry, PASSWORD, Setup, USERNAME};
use crate::support::http::tls_client;
use crate::support::keyring::{Keyring, State};
use crate::support::program::{Finished, Program};
use crate::support::storage::fill;

/// Adds `registry` as `lab`, with the password from standard input.
fn add(program: &Program, registry: &DockerRegistry, more: &[&str]) -> Finished {
    let address = registry.address();
    let arguments = [&["add", "lab", &address, "--username", USERNAME, "--password-stdin"], more].concat();
    program.call(arguments).stdin(format!("{PASSWORD}\n")).run()
}

/// The secret, as it is and as it travels, in no file and no file's name.
fn in_no_file(program: &Program) {
    let basic = BASE64_STANDARD.encode(format!("{USERNAME}:{PASSWORD}"));
    for (name, bytes) in program.files() {
        let text = String::from_utf8_lossy(&bytes);
        for secret in [PASSWORD, &BASE64_STANDARD.encode(PASSWORD), &basic] {
            assert!(!text.contains(secret) && !name.to_string_lossy().contains(secret), "the secret is in {}", name.display());
        }
    }
}

#[test]
fn a_password_in_the_keyring_opens_a_registry() {
    let Some(registry) = DockerRegistry::start(Setup::Password) else { return };
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    let pusher = Pusher::with_login(registry.address(), USERNAME, PASSWORD);
    let shared = pusher.image("team/app", &["v1", "stable"], "one");
    let alone = pusher.image("team/app", &["v2"], "two");
    let (index, _) = pusher.index("team/app", "multi", &["amd64", "arm64"]);
    let program = Program::with_keyring(&keyring);

    add(&program, &registry, &[]).succeeds().hides(PASSWORD);
    assert!(program.catalogue().exists());
    in_no_file(&program);
    assert_eq!(program.run(["list", "-o", "name"]).succeeds().stdout, "lab\n");
    let entry = program.run(["get", "lab", "-o", "json"]).succeeds().hides(PASSWORD).json();
    assert_eq!((entry["credential"].as_str(), entry["username"].as_str()), (Some("keyring"), Some(USERNAME)));

    program.run(["check", "lab"]).succeeds().shows(USERNAME);
    program.run(["repo", "list"]).succeeds().shows("team/app");
    let tags = program.run(["tag", "list", "team/app", "--details", "-o", "json"]).succeeds().json();
    let row =
        |name: &str| tags["items"].as_array().expect("a list").iter().find(|tag| tag["name"] == name).cloned().expect("the tag");
    assert_eq!((row("v1")["digest"].as_str(), row("multi")["digest"].as_str()), (Some(&*shared), Some(&*index)));
    program.run(["inspect", "team/app:multi"]).succeeds().shows("linux/arm64").shows(&index[..19]);
    program.run(["inspect", "lab/team/app:v1"]).succeeds().shows("stable");

    program.run(["tag", "delete", "team/app:v2"]).exits(8);
    assert_eq!(pusher.digest_of("team/app", "v2"), Some(alone));
    program.run(["tag", "delete", "team/app:v2", "--yes"]).succeeds();
    assert_eq!(pusher.tags("team/app"), ["multi", "stable", "v1"]);
    // This registry deletes by digest only, which would take `stable` along.
    program.run(["tag", "delete", "team/app:v1", "--yes"]).exits(7).says("stable");
    assert_eq!(pusher.tags("team/app"), ["multi", "stable", "v1"]);
    program.run(["tag", "delete", "team/app:v1", "--yes", "--via-placeholder"]).succeeds();
    assert_eq!(pusher.tags("team/app"), ["multi", "stable"]);
    assert_eq!(pusher.digest_of("team/app", "stable"), Some(shared));
    in_no_file(&program);

    program.run(["logout", "lab"]).succeeds();
    program.run(["repo", "list"]).fails(5).says("login");
    program.call(["login", "lab", "--password-stdin"]).stdin("wrong").run().fails(5).hides("wrong\n");
    program.run(["repo", "list"]).fails(5);
    program.call(["login", "lab", "--password-stdin"]).stdin(PASSWORD).run().succeeds();
    program.run(["repo", "list", "-vv", "--stats"]).succeeds().shows("team/app").hides(PASSWORD);
    in_no_file(&program);
}

#[test]
fn a_wrong_password_leaves_the_entry_inactive() {
    let Some(registry) = DockerRegistry::start(Setup::Password) else { return };
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    let program = Program::with_keyring(&keyring);
    let address = registry.address();
    let arguments = ["add", "lab", &address, "--username", USERNAME, "--password-stdin"];
    program.call(arguments).stdin("no-good").run().exits(5).hides("no-good");
    assert_eq!(program.run(["get", "lab", "-o", "json"]).succeeds().json()["state"], "inactive");
}

#[test]
fn tls_needs_the_authority() {
    let Some(registry) = DockerRegistry::start(Setup::Tls) else { return };
    Pusher::new(registry.address()).through(tls_client(registry.certificates(), false)).image("app", &["v1"], "one");
    let address = registry.address();
    let ca = registry.certificates().ca.to_str().expect("a plain path").to_owned();

    let untrusted = Program::new();
    untrusted.run(["add", "lab", &address]).exits(6).says("certificate");
    assert_eq!(untrusted.run(["get", "lab", "-o", "json"]).succeeds().json()["state"], "inactive");
    let trusted = Program::new();
    trusted.run(["add", "lab", &address, "--tls-cert", &ca]).succeeds();
    trusted.run(["tag", "list", "app"]).succeeds().shows("v1");
    let careless = Program::new();
    careless.run(["add", "lab", &address, "--tls-skip-verify"]).succeeds();
    careless.run(["tag", "list", "app"]).succeeds().shows("v1").says("verif");
}

#[test]
fn a_client_certificate_opens_a_registry() {
    let Some(registry) = DockerRegistry::start(Setup::ClientCertificate) else { return };
    let certificates = registry.certificates();
    let path = |path: &std::path::Path| path.to_str().expect("a plain path").to_owned();
    let (ca, cert, key) = (path(&certificates.ca), path(&certificates.client), path(&certificates.client_key));
    let program = Program::new();
    program.run(["add", "out", &registry.address(), "--tls-cert", &ca]).exits(6);
    program
        .run([
            "add",
            "in",
            &registry.address(),
            "--allow-duplicate",
            "--tls-cert",
            &ca,
            "--client-cert",
            &cert,
            "--client-key",
            &key,
        ])
        .succeeds();
    program.run(["repo", "list", "in"]).succeeds();
}

#[test]
fn tokens_are_asked_for_no_more_than_is_needed() {
    let Some(registry) = DockerRegistry::start(Setup::Token) else { return };
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    let program = Program::with_keyring(&keyring);
    add(&program, &registry, &[]).succeeds().hides(PASSWORD);
    program.run(["repo", "list", "lab"]).succeeds();
    let before = registry.token_server().requests().len();
    program.run(["tag", "list", "lab/app"]).exits(3);
    let asked = registry.token_server().requests().split_off(before);
    assert_eq!(asked.len(), 1, "one token for one command: {asked:?}");
    assert_eq!((asked[0].user.as_str(), asked[0].scopes.join(" ").as_str()), (USERNAME, "repository:app:pull"));
    in_no_file(&program);
}

#[test]
fn deleting_that_is_switched_off_is_said_so() {
    let Some(registry) = DockerRegistry::start(Setup::DeleteOff) else { return };
    let pusher = Pusher::new(registry.address());
    pusher.image("app", &["v1"], "one");
    let program = Program::new();
    program.run(["add", "lab", &registry.address()]).succeeds();
    program.run(["tag", "delete", "app:v1", "--yes"]).exits(7);
    program.run(["tag", "delete", "app:v1", "--yes", "--via-placeholder"]).exits(7);
    assert_eq!(pusher.tags("app"), ["v1"]);
}

#[test]
fn a_keyring_that_cannot_keep_the_secret_says_why() {
    let Some(registry) = DockerRegistry::start(Setup::Password) else { return };
    for state in [State::Locked, State::Hung, State::Missing] {
        let Some(keyring) = Keyring::start(state) else { return };
        let program = Program::with_keyring(&keyring);
        let finished = add(&program, &registry, &[]).exits(5).says("keyring").hides(PASSWORD);
        let word = match state {
            State::Locked => "locked",
            State::Hung => "did not answer",
            _ => "no system keyring",
        };
        assert!(finished.stderr.contains(word), "no {word:?} in\n{finished}");
        in_no_file(&program);
        assert!(!program.catalogue().exists(), "an entry without its secret");
        // What needs no secret never asks for one.
        let address = registry.address();
        program.write_catalogue(&format!(
            "[registry.lab]\naddress = \"{address}\"\nusername = \"{USERNAME}\"\ncredential = \"keyring\"\n"
        ));
        program.run(["list"]).succeeds();
        program.run(["repo", "list", "lab"]).fails(5).says("keyring");
        let variables = program.call(["repo", "list", "lab"]).env("REGCTL_LAB_PASSWORD", PASSWORD);
        variables.run().succeeds().hides(PASSWORD);
    }
}

#[test]
fn a_thousand_tags_are_read_side_by_side_on_few_connections() {
    let Some(registry) = DockerRegistry::start(Setup::Plain) else { return };
    let tags: Vec<String> = (0..1000).map(|number| format!("v1.{number}.0")).collect();
    fill(&registry.storage(), "team/app", tags.iter().map(String::as_str));
    let counted = Counted::to(registry.address().trim_start_matches("http://"));
    let program = Program::new();
    let list =
        program.run(["tag", "list", &format!("{}/team/app", counted.address()), "--details", "-o", "json"]).succeeds().json();
    let items = list["items"].as_array().expect("a list");
    assert_eq!(items.len(), 1000);
    assert!(items.iter().all(|item| item["digest"].is_string() && item["created_at"] == "2026-01-02T03:04:05Z"), "{}", items[0]);
    assert!(counted.peak() > 1, "one after the other");
    assert!(counted.made() <= 64, "{} connections for two thousand requests", counted.made());
}
