//! `regctl login` and `regctl logout`, with the encrypted file as their store. The keyring has tests of its own.

use std::net::TcpListener;

use crate::support::docker_registry::{DockerRegistry, PASSWORD, Setup, USERNAME};
use crate::support::program::{Finished, Program};
use crate::support::terminal::Terminal;

/// A home with one registry at `address` and a passphrase for the encrypted file.
fn home(address: &str) -> Program {
    let mut program = Program::new();
    program.set("REGCTL_PASSPHRASE", "correct horse");
    program.write_catalogue(&format!("[registry.prod] # the one\naddress = \"{address}\"\n"));
    program
}

fn login(program: &Program, password: &str, more: &[&str]) -> Finished {
    let arguments = [&["login", "prod", "--password-stdin", "--store", "encrypted-file"], more].concat();
    program.call(arguments).stdin(format!("{password}\n")).run()
}

fn catalogue(program: &Program) -> String {
    std::fs::read_to_string(program.catalogue()).expect("the catalogue is there")
}

/// What must be unchanged when a login fails.
fn kept(program: &Program) -> (String, bool) {
    (catalogue(program), program.files().keys().any(|path| path.ends_with("secrets.vault")))
}

#[test]
fn the_server_decides_before_anything_is_stored() {
    for setup in [Setup::Password, Setup::Token] {
        let Some(registry) = DockerRegistry::start(setup) else { return };
        let program = home(&registry.address());
        let before = kept(&program);
        login(&program, "wrong-s3cr3t", &["--username", USERNAME]).fails(5).says("nothing was stored").hides("s3cr3t");
        assert_eq!(kept(&program), before, "{setup:?}");
        login(&program, PASSWORD, &["--username", USERNAME]).succeeds().says("signed in to prod as alice").hides(PASSWORD);
        let catalogue = catalogue(&program);
        assert!(catalogue.contains("# the one") && catalogue.contains("credential = \"encrypted-file\""), "{catalogue}");
        assert!(!catalogue.contains(PASSWORD));
        login(&program, PASSWORD, &[]).succeeds().says("as alice");
    }
}

#[test]
fn a_registry_that_lets_everyone_in_can_not_check() {
    let Some(registry) = DockerRegistry::start(Setup::Plain) else { return };
    let program = home(&registry.address());
    login(&program, "anything", &["--username", "me"])
        .succeeds()
        .says("could not be checked")
        .says("kept the secret of prod as me");
}

#[test]
fn an_unreachable_server_stores_nothing_unless_told_to() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it is bound");
    let program = home(&format!("http://{nobody}"));
    let before = kept(&program);
    login(&program, "s3cr3t", &["--username", "me"]).fails(6).says("nothing was stored").hides("s3cr3t");
    assert_eq!(kept(&program), before);
    login(&program, "s3cr3t", &["--username", "me", "--no-check"]).succeeds().hides("s3cr3t");
}

#[test]
fn wrong_usage_changes_nothing() {
    let program = home("https://registry.example.com");
    let before = kept(&program);
    login(&program, "", &["--username", "me", "--no-check"]).fails(2);
    login(&program, "pw", &["--no-check"]).fails(2).says("--username");
    login(&program, "pw", &["--username", "a:b", "--no-check"]).fails(2);
    program.call(["login", "prdo", "--username", "me", "--password-stdin"]).stdin("pw").run().fails(3).says("did you mean prod?");
    program.run(["login", "prod", "--username", "me", "--no-check"]).fails(5).says("--password-stdin");
    program.run(["login", "prod", "--password", "pw"]).fails(2);
    assert_eq!(kept(&program), before);
    program.write_catalogue("[registry.prod]\naddress = \"https://registry.example.com\"\nstate = \"removed\"\n");
    login(&program, "pw", &["--username", "me", "--no-check"]).fails(4).says("regctl restore prod");
    program.run(["logout", "prod"]).fails(4).says("regctl purge prod");
}

/// The catalogue can't be written, so the secret must not stay behind either.
#[test]
fn a_catalogue_that_can_not_be_written_takes_the_secret_back() {
    let program = home("https://registry.example.com");
    program.write_catalogue(
        "[registry.prod]\naddress = \"https://registry.example.com\"\nusername = \"other\"\ncredential = \"encrypted-file\"\n",
    );
    let before = catalogue(&program);
    // A folder where the new file would have to be.
    std::fs::create_dir(program.catalogue().with_file_name("catalogue.toml.new")).unwrap();
    login(&program, "pw", &["--username", "me", "--no-check"]).fails(1);
    assert_eq!(catalogue(&program), before);
    program.run(["doctor"]).exits(10).shows("the encrypted file has no secret for prod");
}

#[test]
fn logout_forgets_what_regctl_keeps_and_nothing_else() {
    let program = home("https://registry.example.com");
    login(&program, "pw", &["--username", "me", "--no-check"]).succeeds();
    program.run(["logout", "prod"]).succeeds().says("its secret is deleted");
    assert!(catalogue(&program).contains("credential = \"none\"") && catalogue(&program).contains("username = \"me\""));
    program.run(["logout", "prod"]).succeeds().says("prod has no secret");
    for (credential, says) in [
        ("credential = \"env\"", "the environment"),
        ("credential = \"docker\"", "Docker or Podman"),
        ("credential_command = [\"pass\", \"prod\"]", "a command"),
    ] {
        program.write_catalogue(&format!("[registry.prod]\naddress = \"https://registry.example.com\"\n{credential}\n"));
        program.run(["logout", "prod"]).fails(4).says(says);
    }
}

#[test]
fn a_wrong_passphrase_is_told_from_a_damaged_file() {
    let mut program = home("https://registry.example.com");
    login(&program, "pw", &["--username", "me", "--no-check"]).succeeds();
    program.set("REGCTL_PASSPHRASE", "wrong");
    login(&program, "new", &["--no-check"]).fails(5).says("wrong passphrase");
    program.set("REGCTL_PASSPHRASE", "");
    login(&program, "new", &["--no-check"]).fails(5).says("needs its passphrase").says("REGCTL_PASSPHRASE_FILE");
    std::fs::write(program.home().join("state/secrets.vault"), "{\"format\": \"regctl-vault\", \"ver").unwrap();
    program.set("REGCTL_PASSPHRASE", "correct horse");
    login(&program, "new", &["--no-check"]).fails(5).says("is damaged");
}

#[test]
fn a_person_is_asked_and_the_password_stays_unseen() {
    let program = home("https://registry.example.com");
    let mut terminal = Terminal::start(program.call(["login", "prod", "--no-check", "--store", "encrypted-file"]));
    terminal.sees("User name at registry.example.com: ");
    terminal.types("robot$ci");
    terminal.sees("Password for robot$ci at registry.example.com: ");
    terminal.types("s3cr3t");
    let (rest, code) = terminal.ends();
    assert!(rest.contains("kept the secret of prod as robot$ci") && !rest.contains("s3cr3t"), "{rest}");
    assert_eq!(code, 0);
    assert!(catalogue(&program).contains("username = \"robot$ci\""));
}

/// A new encrypted file with a mistyped passphrase would be lost at once: it is asked for twice.
#[test]
fn a_new_passphrase_is_typed_twice() {
    let mut program = home("https://registry.example.com");
    program.set("REGCTL_PASSPHRASE", "");
    let call = program.call(["login", "prod", "--username", "me", "--no-check", "--store", "encrypted-file"]);
    let mut terminal = Terminal::start(call);
    terminal.sees("Password for me at registry.example.com: ");
    terminal.types("pw");
    for again in ["correct hrose", "correct horse"] {
        terminal.sees("New passphrase for the encrypted file: ");
        terminal.types("correct horse");
        terminal.sees("Again: ");
        terminal.types(again);
    }
    assert_eq!(terminal.ends().1, 0);
    program.set("REGCTL_PASSPHRASE", "correct horse");
    program.run(["doctor"]).succeeds().shows("in the encrypted file");
}

/// Three registries without a secret, one that has one, and three that are nobody's business.
fn team(first: &str) -> Program {
    let mut program = Program::new();
    program.set("REGCTL_PASSPHRASE", "correct horse");
    let entry = |name: &str, address: &str, more: &str| format!("[registry.{name}]\naddress = \"{address}\"\n{more}\n");
    let kept = "credential = \"encrypted-file\"";
    program.write_catalogue(&format!(
        "{}{}{}{}{}{}{}",
        entry("a", first, &format!("username = \"alice\"\n{kept}")),
        entry("b", "https://b.example", kept),
        entry("c", "https://c.example", "username = \"carol\"\ncredential = \"none\""),
        entry("d", "https://d.example", &format!("username = \"dave\"\n{kept}")),
        entry("open", "https://open.example", ""),
        entry("command", "https://command.example", "credential_command = [\"false\"]"),
        entry("gone", "https://gone.example", &format!("username = \"me\"\n{kept}\nstate = \"removed\"")),
    ));
    let login = ["login", "d", "--password-stdin", "--no-check"];
    program.call(login).stdin("pw").run().succeeds();
    program
}

#[test]
fn all_that_is_missing_is_asked_for_in_turn() {
    let program = team("https://a.example");
    let all = ["login", "--all", "--no-check", "--store", "encrypted-file"];
    let mut terminal = Terminal::start(program.call(all));
    terminal.sees("3 registries without a secret: a, b, c");
    terminal.sees("Password for a as alice at a.example: ");
    terminal.types("s3cr3t-a");
    terminal.sees("kept the secret of a as alice");
    terminal.sees("User name for b at b.example: ");
    terminal.types("");
    terminal.sees("Password for c as carol at c.example: ");
    terminal.types("s3cr3t-c");
    let (rest, code) = terminal.ends();
    assert!(rest.contains("2 done, 1 passed over, 0 failed") && !rest.contains("s3cr3t"), "{rest}");
    assert_eq!(code, 0);
    assert!(catalogue(&program).contains("username = \"carol\"\ncredential = \"encrypted-file\""), "{}", catalogue(&program));
    program.call(all).env("REGCTL_B_USERNAME", "bob").env("REGCTL_B_PASSWORD", "pw").run().succeeds().says("no registry lacks");
}

#[test]
fn a_wrong_password_does_not_stop_the_rest() {
    let Some(registry) = DockerRegistry::start(Setup::Password) else { return };
    let program = team(&registry.address());
    program.run(["update", "c", "--address", &registry.address(), "--allow-duplicate", "--username", USERNAME]).succeeds();
    let mut terminal = Terminal::start(program.call(["login", "--all", "--store", "encrypted-file"]));
    terminal.sees("Password for a as alice at ");
    terminal.types("wrong-s3cr3t");
    terminal.sees("failed: a: ");
    terminal.sees("User name for b at b.example: ");
    terminal.types("");
    terminal.sees("Password for c as alice at ");
    terminal.types(PASSWORD);
    let (rest, code) = terminal.ends();
    assert!(rest.contains("1 done, 1 passed over, 1 failed"), "{rest}");
    assert_eq!(code, 9);
}

#[test]
fn nobody_to_ask_for_all() {
    let program = team("https://a.example");
    program.run(["login", "--all"]).fails(5).says("a, b, c").says("regctl login a --password-stdin");
    program.run(["login", "--all", "a"]).fails(2);
    program.run(["login", "--all", "--password-stdin"]).fails(2);
    program.run(["login"]).fails(2);
    // doctor knows the same ones
    let report = program.run(["doctor", "-o", "json"]).exits(10).json();
    let states: Vec<(String, String)> = report["items"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|item| {
            Some((item["check"].as_str()?.strip_prefix("secret of ")?.to_owned(), item["state"].as_str()?.to_owned()))
        })
        .collect();
    let expected = [("a", "problem"), ("b", "problem"), ("c", "note"), ("command", "ok"), ("d", "ok")];
    assert_eq!(states, expected.map(|(name, state)| (name.to_owned(), state.to_owned())));
    assert!(report.to_string().contains("regctl login --all"), "{report}");
}

/// A keyring that can't be asked is not one without secrets.
#[test]
fn without_a_keyring_all_is_an_error() {
    let program = Program::new();
    program.write_catalogue("[registry.a]\naddress = \"https://a.example\"\nusername = \"me\"\n");
    program.run(["login", "--all"]).fails(5).says("there is no system keyring here");
    program.run(["login", "--all", "--store", "encrypted-file"]).fails(5).says("without a secret (a)");
}
