//! `regctl apply`: the catalogue as a team keeps it in git.

use crate::support::keyring::{Keyring, State};
use crate::support::program::{Finished, Program};

const TEAM: &str = r#"# what our clusters pull from
default = "prod"

[registry.prod]
address = "https://harbor.example.com"
namespace = "team-a"
labels = { env = "prod" }

[registry.prod.garbage_collection_schedule]
days = ["Sat", "sunday"]
time = "19:30"

[[registry.prod.retention]]
keep_last = 10

[registry.hub]
address = "https://docker.io"
namespace = "acme"
"#;

fn home(file: &str, text: &str) -> Program {
    let mut program = Program::new();
    program.set("REGCTL_NOW", "2026-11-20T12:00:00Z");
    write(&program, file, text);
    program
}

fn write(program: &Program, file: &str, text: &str) {
    std::fs::write(program.home().join(file), text).expect("the home is ours");
}

fn apply(program: &Program, arguments: &[&str]) -> Finished {
    program.run([&["apply", "-f", "team.toml"], arguments].concat())
}

fn catalogue(program: &Program) -> Option<String> {
    std::fs::read_to_string(program.catalogue()).ok()
}

#[test]
fn as_a_person_sees_it() {
    let program = home("team.toml", TEAM);
    insta::assert_snapshot!(apply(&program, &["--dry-run"]), @r#"
    $ regctl apply -f team.toml --dry-run
    + hub
        address    https://docker.io
        provider   dockerhub
        namespace  acme
        state      active
    + prod
        address                           https://harbor.example.com
        namespace                         team-a
        labels                            {"env":"prod"}
        state                             active
        garbage_collection_schedule.days  ["Saturday","Sunday"]
        garbage_collection_schedule.time  19:30:00+00:00
        retention                         [{"repositories":"**","keep_last":10}]
    ~ default: (none) -> prod
    │ hub: provider dockerhub, because of Docker Hub
    │ 2 to add; nothing was changed
    (exit 10)
    "#);
    assert!(!program.catalogue().exists(), "a dry run creates nothing");
    insta::assert_snapshot!(apply(&program, &[]), @"
    $ regctl apply -f team.toml
    │ hub: provider dockerhub, because of Docker Hub
    │ ✓ added hub
    │ ✓ added prod
    │ ✓ the default is now prod
    │ 2 added
    ");
    let before = catalogue(&program);
    insta::assert_snapshot!(apply(&program, &[]), @"
    $ regctl apply -f team.toml
    │ unchanged
    ");
    insta::assert_snapshot!(apply(&program, &["--dry-run"]), @"
    $ regctl apply -f team.toml --dry-run
    │ unchanged
    ");
    assert_eq!(catalogue(&program), before);
    let changed = TEAM.replace("team-a", "team-b").replace("labels = { env = \"prod\" }\n", "description = \"d\"\n");
    let changed = changed.split("[registry.hub]").next().expect("there is a first part");
    write(&program, "team.toml", changed);
    insta::assert_snapshot!(apply(&program, &["--dry-run", "--prune"]), @r#"
    $ regctl apply -f team.toml --dry-run --prune
    - hub
    ~ prod
        description  d
        namespace    team-a -> team-b
        labels       {"env":"prod"} -> (none)
    │ 1 to update, 1 to remove; nothing was changed
    (exit 10)
    "#);
    insta::assert_snapshot!(apply(&program, &["--prune"]), @"
    $ regctl apply -f team.toml --prune
    │ ✓ removed hub
    │   try: regctl restore hub
    │ ✓ updated prod: description, namespace, labels
    │ 1 updated, 1 removed
    ");
    program.run(["get", "hub", "--format", "{{ state }}"]).succeeds().shows("removed");
    write(&program, "team.toml", TEAM);
    insta::assert_snapshot!(apply(&program, &["--prune"]), @"
    $ regctl apply -f team.toml --prune
    │ ✓ restored hub
    │ ✓ updated prod: namespace, labels, description
    │ 1 updated, 1 restored
    ");
}

#[test]
fn the_three_formats_mean_the_same() {
    let program = home("team.toml", TEAM);
    apply(&program, &[]).succeeds();
    let before = catalogue(&program);
    let json = r#"{
      "default": "prod",
      "registry": {
        "prod": {
          "address": "https://harbor.example.com", "namespace": "team-a", "labels": {"env": "prod"}, "region": null,
          "garbage_collection_schedule": {"days": ["Saturday", "Sunday"], "time": "19:30:00+00:00"},
          "retention": [{"keep_last": 10}]
        },
        "hub": {"address": "https://docker.io", "namespace": "acme"}
      }
    }"#;
    let yaml = "x-schedule: &weekend {days: [Sat, Sun], time: 19:30}\n\
                registry:\n  prod:\n    address: https://harbor.example.com\n    namespace: team-a\n    labels: {env: prod}\n    \
                garbage_collection_schedule: *weekend\n    retention:\n    - keep_last: 10\n  \
                hub: {address: https://docker.io, namespace: acme}\n";
    let list = "- name: hub\n  address: https://docker.io\n  namespace: acme\n";
    for (file, text) in [("team.json", json), ("team.yaml", yaml), ("list.yml", list), ("no-extension", json), ("other", list)] {
        write(&program, file, text);
        program.run(["apply", "-f", file]).succeeds().says("unchanged");
        program.call(["apply", "-f", "-"]).stdin(text).run().succeeds().says("unchanged");
        assert_eq!(catalogue(&program), before, "{file}");
    }
    let one = "{\"name\": \"lab\", \"address\": \"http://localhost:5000\"}";
    program.call(["apply", "-f", "-"]).stdin(one).run().succeeds().says("added lab");
}

#[test]
fn for_programs() {
    let program = home("team.toml", TEAM);
    let planned = apply(&program, &["--dry-run", "-o", "json"]).exits(10).json();
    assert_eq!((&planned["items"][0]["name"], &planned["items"][0]["action"]), (&"hub".into(), &"add".into()));
    assert_eq!(planned["default"], serde_json::json!({ "before": null, "after": "prod" }));
    let done = apply(&program, &["-o", "json"]).succeeds().json();
    assert_eq!(done, planned);
    let again = apply(&program, &["-o", "json"]).succeeds().json();
    assert_eq!((&again["items"][1]["action"], &again["default"]), (&"unchanged".into(), &serde_json::Value::Null));
    assert_eq!(apply(&program, &["-q"]).succeeds().stdout, "hub\nprod\n");
}

/// Comments in a person's own catalogue, and what nobody knows, survive a team's file.
#[test]
fn what_a_person_wrote_survives() {
    let program = home("team.toml", TEAM);
    program.write_catalogue(
        "# mine\n[registry.prod] # the one\naddress = \"https://harbor.example.com\"\nusername = \"alice\" # me\nx-note = 1\n\
         [registry.lab]\naddress = \"http://localhost:5000\"\n",
    );
    apply(&program, &[]).succeeds().says("updated prod: ");
    let text = catalogue(&program).expect("it is there");
    for kept in ["# mine", "[registry.prod] # the one", "username = \"alice\" # me", "x-note = 1", "[registry.lab]"] {
        assert!(text.contains(kept), "{kept} is missing from\n{text}");
    }
}

#[test]
fn what_is_refused_changes_nothing() {
    let program = home("team.toml", TEAM);
    apply(&program, &[]).succeeds();
    write(&program, "key.pem", "-----BEGIN PRIVATE KEY-----\ns3cr3tcanary\n-----END PRIVATE KEY-----\n");
    let before = catalogue(&program);
    let registry = |fields: &str| format!("[registry.prod]\naddress = \"https://harbor.example.com\"\n{fields}\n");
    for (text, exit, words) in [
        (registry("colour = \"red\""), 2, "line 3, column 1: unknown field `colour`"),
        (registry("namspace = \"x\""), 2, "did you mean namespace?"),
        (registry("password = \"s3cr3tcanary\""), 2, "regctl login"),
        (registry("pasword = \"s3cr3tcanary\""), 2, "looks like a secret"),
        (registry("host = \"x\""), 2, "computed"),
        (registry("id = \"0198c0de-0000-7000-8000-000000000001\""), 2, "line 3, column 1: prod has another id"),
        (registry("created_at = 2001-01-01T00:00:00Z"), 2, "line 3, column 1: created_at is kept by the program"),
        (registry("tls.ca_file = \"missing.pem\""), 2, "line 3, column 5: can't read"),
        (registry("tls.ca_file = \"key.pem\""), 2, "private key"),
        (registry("provider = \"ecr\""), 2, "region is required for ecr"),
        (registry("state = \"removed\""), 2, "--prune"),
        (registry("default = true"), 2, "unknown field `default`"),
        ("default = \"ghost\"\n".to_owned(), 2, "line 1, column 11: ghost is no active registry"),
        ("[registry.two]\naddress = \"https://docker.io\"\nnamespace = \"acme\"\n".to_owned(), 4, "hub is the same account"),
        ("[registry.prod\n".to_owned(), 2, "line 1, column 15"),
        ("schema = 2\n".to_owned(), 2, "newer"),
    ] {
        write(&program, "team.toml", &text);
        for dry_run in [&[][..], &["--dry-run"]] {
            apply(&program, dry_run).fails(exit).says(words).hides("s3cr3tcanary");
        }
        assert_eq!(catalogue(&program), before, "{text}");
    }
    write(&program, "team.toml", "# nothing yet\n");
    apply(&program, &["--prune"]).fails(2).says("would remove all");
    apply(&program, &[]).succeeds().says("unchanged");
    program.run(["apply", "-f", "missing.toml"]).fails(2).says("missing.toml");
    program.run(["apply"]).fails(2).says("--file");
    assert_eq!(catalogue(&program), before);
}

#[test]
fn the_location_is_set_once() {
    let at = |place: &str| format!("name: prod\naddress: https://a.example\nlocation: {place}\n");
    let program = home("team.yaml", &at("de/fra"));
    program.run(["apply", "-f", "team.yaml"]).succeeds();
    write(&program, "team.yaml", &at("de/txl"));
    program.run(["apply", "-f", "team.yaml"]).fails(2).says("line 3, column").says("set once");
}

#[test]
fn what_somebody_elses_file_does_is_told() {
    let text = "[registry.a]\naddress = \"http://a.example\"\ncredential_command = [\"pass\", \"show\"]\nallow_subnets = [\"10.1.2.3/8\"]\n\
                [registry.b]\naddress = \"https://b.example\"\ntls.verify = false\n";
    let program = home("team.toml", text);
    for arguments in [&["--dry-run"][..], &[]] {
        let finished = apply(&program, arguments);
        let finished = finished.says("a: http://a.example is plain http").says("a: its secret comes from running `pass show`");
        finished.says("a: 10.1.2.3/8 is taken as 10.0.0.0/8").says("b: certificates of this registry are not verified");
    }
    let again = apply(&program, &[]).succeeds();
    assert!(!again.stderr.contains("pass show"), "{again}");
}

/// A change of host in a shared file must not send everybody's password to the new one.
#[test]
fn another_host_gets_no_credential() {
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    for (field, keep, left) in [("", false, true), ("credential = \"keyring\"", false, true), ("", true, false)] {
        let program = Program::with_keyring(&keyring);
        let file = |host: &str| write(&program, "team.toml", &format!("[registry.prod]\naddress = \"https://{host}\"\n{field}\n"));
        file("a.example");
        apply(&program, &[]).succeeds();
        let login = ["login", "prod", "--username", "bob", "--password-stdin", "--no-check"];
        program.call(login).stdin("s3cr3tcanary").run().succeeds();
        apply(&program, &[]).succeeds().says("unchanged");
        program.run(["doctor"]).shows("in the system keyring");
        file("b.example");
        let moved = if keep { apply(&program, &["--keep-credentials"]) } else { apply(&program, &[]) };
        assert_eq!(moved.succeeds().stderr.contains("left behind"), left, "{field}");
        let doctor = program.run(["doctor"]);
        assert_eq!(doctor.stdout.contains("in the system keyring"), !left, "{field}: {doctor}");
        let keep = if keep { &["--keep-credentials"][..] } else { &[] };
        apply(&program, keep).succeeds().says("unchanged");
    }
}

/// The old secret can't be deleted, and the file says that the new host's is in the same place: then nothing is changed at all.
#[test]
fn a_secret_that_can_not_be_left_behind_stops_the_move() {
    let file =
        |host: &str| format!("[registry.prod]\naddress = \"https://{host}\"\nusername = \"bob\"\ncredential = \"keyring\"\n");
    let program = home("team.toml", &file("a.example"));
    apply(&program, &[]).succeeds();
    let before = catalogue(&program);
    write(&program, "team.toml", &file("b.example"));
    apply(&program, &[]).fails(5).says("--keep-credentials");
    assert_eq!(catalogue(&program), before);
    apply(&program, &["--keep-credentials"]).succeeds().says("updated prod: address");
}

/// One of a team shares the catalogue, another applies it, and both go on from there.
#[test]
fn what_is_exported_can_be_applied_by_others() {
    let mut one = home("team.toml", TEAM);
    apply(&one, &[]).succeeds();
    one.set("REGCTL_PASSPHRASE", "correct horse");
    let login = ["login", "hub", "--username", "bot", "--password-stdin", "--no-check", "--store", "encrypted-file"];
    one.call(login).stdin("s3cr3tcanary").run().succeeds();
    let shared = one.run(["export", "toml"]).succeeds().hides("s3cr3tcanary").stdout;
    insta::assert_snapshot!(shared, @r#"
    schema = 1
    default = "prod"

    [registry.hub]
    address = "https://docker.io"
    provider = "dockerhub"
    namespace = "acme"
    state = "active"
    username = "bot"

    [registry.prod]
    address = "https://harbor.example.com"
    namespace = "team-a"
    labels = { env = "prod" }
    state = "active"

    [registry.prod.garbage_collection_schedule]
    days = ["Saturday", "Sunday"]
    time = "19:30:00+00:00"

    [[registry.prod.retention]]
    repositories = "**"
    keep_last = 10
    "#);
    one.call(["apply", "-f", "-", "--prune"]).stdin(shared.clone()).run().succeeds().says("unchanged");
    let other = Program::new();
    other.run(["add", "prod", "https://harbor.example.com", "--namespace", "team-a", "--no-check"]).succeeds();
    other.call(["apply", "-f", "-"]).stdin(shared.clone()).run().succeeds().says("1 added, 1 updated");
    other.call(["apply", "-f", "-"]).stdin(shared.clone()).run().succeeds().says("unchanged");
    assert_eq!(other.run(["export", "toml"]).succeeds().stdout, shared);
    other.run(["doctor"]).exits(10).shows("secret of hub");
    other.run(["login", "--all", "--store", "encrypted-file"]).fails(5).says("without a secret (hub)");
}

/// What an import keeps for a later export goes along, page tokens and all.
#[test]
fn what_was_imported_can_be_shared_too() {
    for file in ["rancher", "dockercloud", "zadig", "ionos", "shipyard"] {
        let program = Program::new();
        let document = format!("{}/tests/fixtures/{file}/registries.json", env!("CARGO_MANIFEST_DIR"));
        program.run(["import", file, &document, "--partial-ok"]).succeeds();
        let shared = program.run(["export", "toml"]).succeeds().stdout;
        program.call(["apply", "-f", "-", "--prune"]).stdin(shared.clone()).run().succeeds().says("unchanged");
        let other = Program::new();
        other.call(["apply", "-f", "-"]).stdin(shared.clone()).run().succeeds().says("added");
        assert_eq!(other.run(["export", "toml"]).succeeds().stdout, shared, "{file}");
    }
}
