//! `regctl export`: the very document that was imported, without secrets unless they are asked for, and what can't be said is told.

use serde_json::{Value, json};

use super::import::{fixture, import};
use crate::support::keyring::{Keyring, State};
use crate::support::program::{Finished, Program};

fn export(program: &Program, arguments: &[&str]) -> Finished {
    program.run([&["export"], arguments].concat())
}

/// A fixture as a value. Some have the trailing comma of their documentation.
fn document(name: &str) -> Value {
    let text = std::fs::read_to_string(fixture(name)).expect("the fixture is there");
    serde_json::from_str(&text.replace(",\n}", "\n}")).expect("the fixture is JSON")
}

#[track_caller]
fn comes_back(name: &str, options: &[&str]) {
    let program = Program::new();
    let system = name.split('/').next().expect("fixtures are in folders");
    import(&program, &[name], &[options, &["--partial-ok"]].concat()).succeeds();
    let exported = export(&program, &[&[system], options].concat()).succeeds();
    assert_eq!(exported.json(), document(name), "{name}");
    assert!(exported.stderr.is_empty(), "nothing is left to say:\n{exported}");
}

#[test]
fn rancher_registries_come_back() {
    comes_back("rancher/registries.json", &["--include-removed"]);
}

#[test]
fn rancher_credentials_come_back() {
    let program = Program::new();
    import(&program, &["rancher/registries.json", "rancher/registrycredentials.json"], &[]).succeeds();
    let exported = export(&program, &["rancher", "--shape", "credentials"]).succeeds();
    assert_eq!(exported.json(), document("rancher/registrycredentials.json"));
    export(&program, &["zadig", "1sp7", "--shape", "credentials"]).fails(7).says("only Rancher");
    program.run(["add", "mine", "https://mine.example", "--username", "bob", "--no-check"]).succeeds();
    let mine = export(&program, &["rancher", "mine", "--shape", "credentials"]).succeeds().json();
    assert_eq!((&mine["data"][0]["publicValue"], &mine["data"][0]["secretValue"]), (&json!("bob"), &json!("REDACTED")));
}

#[test]
fn dockercloud_registries_come_back() {
    comes_back("dockercloud/registries.json", &[]);
    comes_back("dockercloud/registries-tutum.json", &[]);
    comes_back("dockercloud/registry-documented.json", &[]);
}

#[test]
fn zadig_registries_come_back() {
    comes_back("zadig/registries.json", &[]);
}

#[test]
fn ionos_registries_come_back() {
    comes_back("ionos/registries.json", &[]);
}

#[test]
fn shipyard_registries_come_back() {
    comes_back("shipyard/registries.json", &[]);
}

#[test]
fn documents_with_secrets_come_back_when_they_are_revealed() {
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    for (name, shape, secrets) in [
        ("shipyard/registries-v3.1.json", "list", &["FAKE-PASSWORD"][..]),
        ("zadig/create.json", "create", &["FAKE-SECRET-KEY"]),
        ("docker/config.json", "list", &["YWNtZTpGQUtFLVRPS0VO", "FAKE-IDENTITY-TOKEN"]),
        ("podman/auth.json", "list", &["YWNtZTpGQUtFLVRPS0VO"]),
        ("regclient/config.json", "list", &["FAKE-TOKEN"]),
    ] {
        let program = Program::with_keyring(&keyring);
        let system = name.split('/').next().expect("fixtures are in folders");
        import(&program, &[name], &[]).succeeds();
        let all: Vec<String> = program.run(["list", "-q"]).succeeds().stdout.lines().map(str::to_owned).collect();
        let mut arguments = vec![system, "--shape", shape];
        arguments.extend(all.iter().map(String::as_str));
        let hidden = export(&program, &arguments).succeeds().shows("REDACTED");
        let hidden = secrets.iter().fold(hidden, |hidden, secret| hidden.hides(secret));
        drop(hidden);
        arguments.push("--reveal-secrets");
        let revealed = export(&program, &arguments).succeeds().says("secrets stand in this document in plain text");
        assert_eq!(revealed.json(), document(name), "{name}");
    }
}

#[test]
fn what_is_exported_is_known_again() {
    let program = Program::new();
    for name in ["rancher/registries.json", "zadig/registries.json", "ionos/registries.json", "shipyard/registries.json"] {
        import(&program, &[name], &["--partial-ok"]).succeeds();
    }
    let before = program.files();
    for system in ["rancher", "zadig", "ionos", "shipyard"] {
        let names: Vec<String> = program.run(["list", "-o", "json"]).json()["items"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|view| view["source"]["system"] == system)
            .map(|view| view["name"].as_str().expect("a name").to_owned())
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let exported = export(&program, &[&[system], names.as_slice()].concat()).succeeds().stdout;
        let again = program.call(["import", system, "-", "--partial-ok"]).stdin(exported).run().succeeds();
        again.says(&format!("0 added, 0 updated, {} unchanged", names.len()));
    }
    assert_eq!(program.files(), before);
}

#[test]
fn what_a_system_has_no_words_for_is_told() {
    let program = Program::new();
    let add = ["add", "prod", "https://harbor.example.com", "--provider", "harbor", "--namespace", "team-a", "--username", "bob"];
    program.run([&add[..], &["--label", "env=prod", "--no-check"]].concat()).succeeds();
    program.run(["add", "lab", "http://10.0.0.7:5000", "--plain-http", "--no-check"]).succeeds();
    insta::assert_snapshot!(export(&program, &["zadig"]), @r#"
    $ regctl export zadig
    [
      {
        "registry_id": null,
        "address": "https://harbor.example.com",
        "provider": "harbor",
        "region": "",
        "namespace": "team-a",
        "is_default": true
      }
    ]
    │ ! warning: prod: Zadig has no words for labels, username
    │ ! warning: lab is left out: Zadig needs a namespace
    "#);
    insta::assert_snapshot!(export(&program, &["dockercloud", "lab"]), @r#"
    $ regctl export dockercloud lab
    {
      "meta": {
        "limit": 25,
        "next": null,
        "offset": 0,
        "previous": null,
        "total_count": 1
      },
      "objects": [
        {
          "host": "10.0.0.7",
          "is_docker_registry": false,
          "is_ssl": false,
          "name": "lab",
          "port": 5000,
          "resource_uri": "/api/repo/v1/registry/10.0.0.7/"
        }
      ]
    }
    "#);
    export(&program, &["zadig", "prod", "lab"]).exits(9).says("lab: Zadig needs a namespace");
    export(&program, &["zadig", "lab"]).fails(7).says("Zadig needs a namespace");
    export(&program, &["ionos"]).fails(7).says("IONOS needs a location");
    export(&program, &["zadig", "ghost"]).fails(3);
    export(&program, &["gitea"]).fails(2).says("rancher");
    export(&program, &["zadig", "--shape", "put"]).fails(2);
}

#[test]
fn bodies() {
    let program = Program::new();
    import(&program, &["ionos/put.json"], &[]).succeeds();
    assert_eq!(export(&program, &["ionos", "acme-demo", "--shape", "create"]).succeeds().json(), document("ionos/put.json"));
    let changes =
        ["--gc-days", "Friday", "--unset", "features.vulnerability_scanning", "--remove-allow-subnet", "123.123.123.0/24"];
    program.run([&["update", "acme-demo"], &changes[..]].concat()).succeeds();
    assert_eq!(export(&program, &["ionos", "acme-demo", "--shape", "patch"]).succeeds().json(), document("ionos/patch.json"));
    import(&program, &["rancher/registries.json"], &[]).succeeds();
    let body = export(&program, &["rancher", "1sp8", "--shape", "patch"]).succeeds().json();
    assert_eq!(body, json!({"type": "registry", "name": "Acme Quay", "description": "mirror, switched off in May"}));
    assert!(export(&program, &["rancher", "1sp8", "1sp7", "--shape", "create"]).succeeds().json().is_array());
    export(&program, &["dockercloud", "1sp8", "--shape", "create"]).fails(7).says("Docker Cloud can't create a registry");
    export(&program, &["shipyard", "1sp8", "--shape", "patch"]).fails(7).says("only delete it and add another");
}

#[test]
fn a_changed_entry_is_written_as_it_is_now() {
    let program = Program::new();
    import(&program, &["rancher/registries.json"], &[]).succeeds();
    program.run(["activate", "half-made"]).succeeds();
    program.run(["update", "acme-quay", "--description", "back in use", "--name", "quay"]).succeeds();
    let list = export(&program, &["rancher"]).succeeds().json();
    let item =
        |id: &str| list["data"].as_array().expect("a list").iter().find(|item| item["id"] == id).expect("it is there").clone();
    let half = item("1sp10");
    assert_eq!((&half["state"], &half["transitioning"]), (&json!("active"), &json!("no")));
    assert_eq!((&item("1sp8")["description"], &item("1sp8")["name"]), (&json!("back in use"), &json!("Acme Quay")));
}

#[test]
fn a_catalogue_for_the_team() {
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    let program = Program::with_keyring(&keyring);
    import(&program, &["shipyard/registries-v3.1.json", "zadig/registries.json"], &[]).succeeds();
    program.run(["remove", "ccr-acme-ci"]).succeeds();
    let shared = export(&program, &["toml"]).succeeds().shows("schema = 1").shows("[registry.artifactory]").hides("FAKE-PASSWORD");
    assert!(!shared.stdout.contains("ccr-acme-ci"), "{shared}");
    let other = Program::new();
    std::fs::create_dir_all(other.catalogue().parent().expect("it is in a folder")).expect("the home is ours");
    std::fs::write(other.catalogue(), &shared.stdout).expect("the home is ours");
    let views = |program: &Program| {
        let mut items = program.run(["list", "-o", "json"]).succeeds().json()["items"].clone();
        for item in items.as_array_mut().expect("a list") {
            // each catalogue gives its own
            for own in ["id", "created_at", "updated_at"] {
                item[own] = json!(null);
            }
        }
        items
    };
    assert_eq!(views(&other), views(&program));
    let one = export(&program, &["toml", "artifactory"]).succeeds();
    assert!(!one.stdout.contains("default =") && !one.stdout.contains("acme-team-a"), "{one}");
    export(&program, &["toml", "--reveal-secrets"]).fails(2).says("no secrets");
}

#[test]
fn a_secret_that_can_not_be_had_is_an_error() {
    let program = Program::new();
    program.write_catalogue("[registry.a]\naddress = \"https://a.example\"\nusername = \"bob\"\n");
    export(&program, &["shipyard"]).succeeds().shows("REDACTED");
    export(&program, &["shipyard", "--reveal-secrets"]).fails(5).says("keyring");
}
