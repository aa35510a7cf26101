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
