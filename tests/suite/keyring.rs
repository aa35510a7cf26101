//! The program with a real Secret Service: what is kept there, and how it behaves when the keyring is locked, hangs or is missing.

use crate::support::keyring::{Keyring, State};
use crate::support::program::{Finished, Program};

const SECRET: &str = "s3cr3t ÄÖ$canary";

/// A home whose catalogue has one registry, which no test here asks.
fn home(keyring: &Keyring) -> Program {
    let program = Program::with_keyring(keyring);
    program.write_catalogue("[registry.prod]\naddress = \"https://registry.example.com\"\n");
    program
}

fn login(program: &Program) -> Finished {
    program.call(["login", "prod", "--username", "robot$ci", "--password-stdin", "--no-check"]).stdin(SECRET).run().hides("s3cr3t")
}

/// What `doctor` says of one thing: its state and the detail.
fn doctor(finished: &Finished, check: &str) -> Option<(String, String)> {
    let report = finished.json();
    let items = report["items"].as_array().expect("a list");
    let found = items.iter().find(|item| item["check"] == check)?;
    let text = |field: &str| found[field].as_str().expect("text").to_owned();
    Some((text("state"), text("detail")))
}

fn no_file_has_the_secret(program: &Program) {
    for (path, content) in program.files() {
        let content = String::from_utf8_lossy(&content);
        assert!(!content.contains("s3cr3t") && !content.contains("czNjcjN0"), "the secret is in {}", path.display());
    }
}

/// users C1, C5: the secret is in the keyring, is there in the next run, and is in no file.
#[test]
fn a_secret_goes_to_the_keyring_and_nowhere_else() {
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    let program = home(&keyring);
    login(&program).succeeds().says("kept the secret of prod as robot$ci; the secret is in the system keyring");
    no_file_has_the_secret(&program);
    let catalogue = std::fs::read_to_string(program.catalogue()).unwrap();
    assert!(catalogue.contains("username = \"robot$ci\"") && catalogue.contains("credential = \"keyring\""), "{catalogue}");

    let report = program.run(["doctor", "-o", "json"]).succeeds().hides("s3cr3t");
    assert_eq!(doctor(&report, "secret of prod"), Some(("ok".into(), "in the system keyring".into())));
    assert_eq!(doctor(&report, "keyring").unwrap().0, "ok");

    program.run(["logout", "prod"]).succeeds().says("its secret is deleted");
    let report = program.run(["doctor", "-o", "json"]).succeeds();
    assert_eq!(doctor(&report, "secret of prod").unwrap().0, "note", "it still has a user name");
    program.run(["logout", "prod"]).succeeds().says("prod has no secret");
}

/// The account is the id and not the name, so that a secret survives a change of name, and two entries of one host don't share one.
#[test]
fn the_account_is_the_id() {
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    let program = Program::with_keyring(&keyring);
    let entry = |name: &str, id: &str, namespace: &str| {
        format!(
            "[registry.{name}]\nid = \"{id}\"\naddress = \"https://registry.example.com\"\nnamespace = \"{namespace}\"\nusername = \"u\"\n"
        )
    };
    let (one, two) = ("0198c0de-0000-7000-8000-000000000001", "0198c0de-0000-7000-8000-000000000002");
    program.write_catalogue(&(entry("one", one, "a") + &entry("two", two, "b")));
    program.call(["login", "one", "--password-stdin", "--no-check"]).stdin(SECRET).run().succeeds();
    let secret = |name: &str| {
        let report = program.run(["doctor", "-o", "json"]);
        doctor(&report, &format!("secret of {name}")).expect("it should have one").0
    };
    assert_eq!((secret("one"), secret("two")), ("ok".into(), "problem".into()));
    program.write_catalogue(&(entry("renamed", one, "a") + &entry("two", two, "b")));
    assert_eq!(secret("renamed"), "ok");
}

/// users C2, C3, C4: a locked, hanging or missing keyring is told apart, ends soon, names the ways around it, and nothing is written to
/// a file instead.
#[test]
fn a_keyring_that_can_not_be_used_is_an_error_and_never_a_file() {
    for (state, says) in [
        (State::Locked, "the system keyring is locked or not set up"),
        (State::Hung, "the system keyring did not answer within 3 s"),
        (State::Missing, "there is no system keyring here"),
    ] {
        let Some(keyring) = Keyring::start(state) else { return };
        let program = home(&keyring);
        let before = std::fs::read(program.catalogue()).unwrap();
        let finished = login(&program).fails(5).says(says);
        for way in ["REGCTL_PROD_USERNAME", "REGCTL_PROD_PASSWORD", "--password-stdin", "encrypted-file"] {
            assert!(finished.stderr.contains(way), "{state:?}: no {way} in\n{finished}");
        }
        assert_eq!(std::fs::read(program.catalogue()).unwrap(), before, "{state:?}");
        no_file_has_the_secret(&program);
    }
}

/// users C3: a usable token in the environment, and the command hung on the keyring. `doctor` itself looks at the keyring, once.
#[test]
fn the_environment_comes_before_a_keyring_that_hangs() {
    let Some(keyring) = Keyring::start(State::Hung) else { return };
    let mut program = home(&keyring);
    program.write_catalogue("[registry.prod]\naddress = \"https://registry.example.com\"\nusername = \"u\"\n");
    let report = program.run(["doctor", "-o", "json"]).exits(10);
    assert_eq!(doctor(&report, "keyring").unwrap().0, "problem");
    assert_eq!(doctor(&report, "secret of prod").unwrap().0, "problem");
    program.set("REGCTL_PROD_PASSWORD", SECRET);
    let report = program.run(["doctor", "-o", "json"]).hides("s3cr3t");
    assert_eq!(doctor(&report, "secret of prod"), Some(("ok".into(), "in REGCTL_PROD_PASSWORD".into())));
}

/// The encrypted file is asked for by name and works where there is no keyring.
#[test]
fn moving_to_the_encrypted_file_forgets_the_keyrings_copy() {
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    let mut program = home(&keyring);
    program.set("REGCTL_PASSPHRASE", "correct horse");
    login(&program).succeeds();
    let arguments = ["login", "prod", "--password-stdin", "--no-check", "--store", "encrypted-file"];
    program.call(arguments).stdin(SECRET).run().succeeds().says("the secret is in the encrypted file");
    no_file_has_the_secret(&program);
    let report = program.run(["doctor", "-o", "json"]).succeeds();
    assert_eq!(doctor(&report, "secret of prod"), Some(("ok".into(), "in the encrypted file".into())));
    let catalogue = std::fs::read_to_string(program.catalogue()).unwrap().replace("\"encrypted-file\"", "\"keyring\"");
    std::fs::write(program.catalogue(), catalogue).unwrap();
    let report = program.run(["doctor", "-o", "json"]).exits(10);
    assert_eq!(doctor(&report, "secret of prod").unwrap().1, "the system keyring has no secret for prod");
}
