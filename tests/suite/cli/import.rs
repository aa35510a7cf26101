//! `regctl import`: each system's documents become entries, twice is once, nothing is done by halves, and secrets go to the keyring only.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::keyring::{Keyring, State};
use crate::support::program::{Finished, Program};

/// What must be nowhere but in the keyring.
const CANARY: &str = "s3cr3t-canary";

pub(super) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub(super) fn import(program: &Program, fixtures: &[&str], options: &[&str]) -> Finished {
    let files: Vec<String> = fixtures.iter().map(|name| fixture(name).display().to_string()).collect();
    let files = files.iter().map(String::as_str);
    program.run(["import"].into_iter().chain(options.iter().copied()).chain(files).collect::<Vec<_>>())
}

fn import_text(program: &Program, document: &Value, options: &[&str]) -> Finished {
    program.call([&["import"], options, &["-"]].concat()).stdin(document.to_string()).run()
}

fn get(program: &Program, name: &str) -> Value {
    program.run(["get", name, "-o", "json"]).succeeds().json()
}

fn names(program: &Program) -> Vec<String> {
    program.run(["list", "--all", "-q"]).succeeds().stdout.lines().map(str::to_owned).collect()
}

/// The fields of the view, as one value.
fn fields(view: &Value, names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| view[*name].clone()).collect()
}

/// A second import leaves the file as it is, to the byte.
fn again(program: &Program, fixtures: &[&str], options: &[&str], unchanged: usize) {
    let before = std::fs::read(program.catalogue()).expect("it was imported");
    let finished = import(program, fixtures, options);
    finished.says(&format!("0 added, 0 updated, {unchanged} unchanged"));
    assert_eq!(std::fs::read(program.catalogue()).expect("it is still there"), before);
}

fn nowhere(program: &Program, secret: &str) {
    for (path, content) in program.files() {
        let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "the secret is in {}", path.display());
    }
}

// Rancher

#[test]
fn rancher_registries_and_their_credentials() {
    let program = Program::new();
    let documents = ["rancher/registries.json", "rancher/registrycredentials.json"];
    insta::assert_snapshot!(import_from_stdin(&program, "rancher/registries.json"), @"
    $ regctl import rancher -
    NAME             ADDRESS                          STATE     ACTION   CHANGED
    index-docker-io  https://index.docker.io          active    added
    acme-quay        https://quay.example:8443        inactive  added
    1sp9             https://123456789012.dkr.ecr.u…  removed   skipped  removed there (--include-remov…
    half-made        https://reg.corp.example         inactive  added
    │ ✓ 3 added, 0 updated, 0 unchanged, 1 skipped
    ");
    let hub = get(&program, "1sp7");
    assert_eq!(
        fields(&hub, &["id", "provider", "username"]),
        [json!("00000000-0000-4000-8000-0000000000a1"), json!("dockerhub"), Value::Null]
    );
    // who signs in comes with the other document, and is news
    import(&program, &documents, &[]).fails(4).says("index-docker-io is different here: username").says("--on-conflict");
    import(&program, &documents, &["--on-conflict", "update"])
        .succeeds()
        .says("1c22 is not taken: another one has a lower id")
        .says("Rancher doesn't tell its password");
    assert_eq!(get(&program, "index-docker-io")["username"], "acme-bot");
    again(&program, &documents, &[], 3);
    let quay = get(&program, "acme-quay");
    let known = ["display_name", "description", "state", "created_at", "is_default"];
    let expected =
        [json!("Acme Quay"), json!("mirror, switched off in May"), json!("inactive"), json!("2016-04-02T08:30:00Z"), json!(false)];
    assert_eq!(fields(&quay, &known), expected);
    assert_eq!(quay["source"]["extra"]["accountId"], "1a5");
}

fn import_from_stdin(program: &Program, name: &str) -> Finished {
    let system = name.split('/').next().expect("fixtures are in folders");
    program.call(["import", system, "-"]).stdin(std::fs::read(fixture(name)).expect("the fixture is there")).run()
}

#[test]
fn rancher_removed_registries_come_along_when_asked() {
    let program = Program::new();
    import(&program, &["rancher/registries.json"], &["--include-removed"]).succeeds().says("4 added");
    let old = get(&program, "old-ecr");
    assert_eq!(old["state"], "removed");
    assert!(
        old["purge_after"].is_string() && old["removed_at"] != "2016-05-03T09:00:00Z",
        "its time in the trash begins now: {old}"
    );
    assert!(!program.run(["list", "-q"]).succeeds().stdout.contains("old-ecr"));
    again(&program, &["rancher/registries.json"], &["--include-removed"], 4);
    program.run(["restore", "old-ecr"]).succeeds();
}

#[test]
fn rancher_secrets_go_to_the_keyring() {
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    let program = Program::with_keyring(&keyring);
    let credentials = json!({"type": "collection", "resourceType": "registryCredential", "data": [
        {"id": "1c1", "registryId": "1sp7", "state": "active", "publicValue": "bot", "secretValue": CANARY}]});
    let path = program.home().join("credentials.json");
    std::fs::write(&path, credentials.to_string()).expect("the home is ours");
    let registries = fixture("rancher/registries.json").display().to_string();
    let path = path.display().to_string();
    let arguments = ["import", &path, &registries, "-vv", "-o", "json"];
    program.run(arguments).succeeds().says("secrets in plain text").hides(CANARY);
    std::fs::remove_file(&path).expect("the home is ours");
    nowhere(&program, CANARY);
    program.run(["export", "shipyard", "index-docker-io", "--reveal-secrets"]).succeeds().shows(CANARY);
}

// Docker Cloud

#[test]
fn dockercloud_registries() {
    let program = Program::new();
    import(&program, &["dockercloud/registries.json"], &[]).succeeds().says("3 added, 0 updated, 0 unchanged");
    assert_eq!(names(&program), ["docker-hub", "quay-io", "registry-local-test"]);
    assert_eq!(get(&program, "registry-local-test")["address"], "http://registry.local.test:5000");
    again(&program, &["dockercloud/registries.json"], &["auto"], 3);
    let listed = |arguments: &[&str]| program.run([&["list", "-q"], arguments].concat()).succeeds().stdout;
    let id = get(&program, "quay-io")["id"].as_str().expect("every entry has one").to_owned();
    assert_eq!(listed(&["--docker-registry", "true"]), "docker-hub\n");
    assert_eq!(listed(&["--host", "quay.example"]), "quay-io\n");
    assert_eq!(listed(&["--name", "registry-*"]), "registry-local-test\n");
    assert_eq!(listed(&["--id", &id]), "quay-io\n");
    program.run(["list", "--docker-registry", "maybe"]).fails(2);
    for given in ["registry-1.docker.io", "docker.io", "/api/repo/v1/registry/registry-1.docker.io/"] {
        let hub = get(&program, given);
        assert_eq!(
            fields(&hub, &["name", "resource_uri"]),
            [json!("docker-hub"), json!("/api/repo/v1/registry/registry-1.docker.io/")]
        );
    }
}

#[test]
fn dockercloud_two_registries_on_one_host() {
    let program = Program::new();
    let item = |name: &str, uri: &str| json!({"host": "a.example", "is_ssl": true, "name": name, "resource_uri": uri});
    let document = json!({"meta": {}, "objects": [item("one", "/api/repo/v1/x/registry/a.example/"), item("two", "/api/repo/v1/y/registry/a.example/")]});
    import_text(&program, &document, &[]).succeeds().says("two: it is the same account in the same place as one");
    program.run(["get", "a.example"]).fails(4).says("one, two");
}

#[test]
fn dockercloud_pages() {
    let program = Program::new();
    import(&program, &["dockercloud/registries-tutum.json"], &[])
        .exits(9)
        .says("these are 1 of 2: one page of more")
        .says("1 added");
    import(&program, &["dockercloud/registry-documented.json"], &[]).succeeds().says("1 added");
    assert_eq!(names(&program), ["docker-hub", "tutum-registry"]);
}

// Zadig

#[test]
fn zadig_registries() {
    let program = Program::new();
    let first = import(&program, &["zadig/registries.json"], &[]).succeeds();
    first.says("certificates are verified from now on").says("acme-team-a becomes the default");
    assert_eq!(names(&program), ["acme-team-a", "apps", "ccr-acme-ci", "swr-acme-org"]);
    let expected = [json!("tcr"), json!("team-a"), json!(true), json!(true)];
    assert_eq!(
        fields(&get(&program, "630c7ad0bb30c131062e0002"), &["provider", "namespace", "is_default", "enable_tls"]),
        expected
    );
    let ecr = get(&program, "apps");
    let expected = [json!("https://123456789012.dkr.ecr.us-east-1.amazonaws.example"), json!("apps"), json!("us-east-1")];
    assert_eq!(fields(&ecr, &["address", "namespace", "region"]), expected);
    again(&program, &["zadig/registries.json"], &["zadig"], 4);
}

#[test]
fn zadig_masked_documents_can_not_be_taken() {
    let program = Program::new();
    insta::assert_snapshot!(import_from_stdin(&program, "zadig/registries-documented.json"), @"
    $ regctl import zadig -
    │ ✗ failed: 6308815592****995e813035: `address` is masked with ***
    │ ✗ failed: 630c7ad****30c131062e245: `address` is masked with ***
    │ error: nothing was imported: 2 registries can't be
    │   hint: import the others with --keep-going
    (exit 2)
    ");
    assert!(!program.catalogue().exists());
    let mut document: Value =
        serde_json::from_slice(&std::fs::read(fixture("zadig/registries.json")).expect("it is there")).expect("JSON");
    document[0]["registry_id"] = "6308815592****995e813035".into();
    document[1]["address"] = "https://***.tencentcloudcr.com".into();
    import_text(&program, &document, &["--keep-going"])
        .exits(9)
        .says("its id is masked")
        .says("3 added, 0 updated, 0 unchanged, 1 failed");
    assert_eq!(get(&program, "ccr-acme-ci")["source"]["id"], Value::Null);
}

#[test]
fn zadig_two_defaults_are_an_error() {
    let program = Program::new();
    let mut document: Value =
        serde_json::from_slice(&std::fs::read(fixture("zadig/registries.json")).expect("it is there")).expect("JSON");
    document[0]["is_default"] = true.into();
    import_text(&program, &document, &[]).fails(2).says("both say that they are the default");
    assert!(!program.catalogue().exists());
}

#[test]
fn zadig_the_default_here_stays_unless_asked() {
    let program = Program::new();
    program.run(["add", "mine", "https://mine.example", "--no-check"]).succeeds();
    import(&program, &["zadig/registries.json"], &[]).succeeds().says("mine stays the default");
    assert_eq!(get(&program, "mine")["is_default"], true);
    import(&program, &["zadig/registries.json"], &["--take-default"]).succeeds().says("acme-team-a becomes the default");
    assert_eq!(get(&program, "acme-team-a")["is_default"], true);
}

#[test]
fn zadig_keys_go_to_the_keyring() {
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    let program = Program::with_keyring(&keyring);
    let finished = import(&program, &["zadig/create.json"], &["-o", "json"]).succeeds();
    finished.says("secrets in plain text").hides("FAKE-SECRET-KEY").hides("NOT A REAL");
    nowhere(&program, "FAKE-SECRET-KEY");
    let entry = get(&program, "acme-zadigx");
    assert_eq!(
        fields(&entry, &["username", "credential", "is_default"]),
        [json!("FAKE-ACCESS-KEY"), json!("keyring"), json!(true)]
    );
    assert!(std::fs::read_to_string(program.catalogue()).expect("it is there").contains("-----BEGIN CERTIFICATE-----"));
    again(&program, &["zadig/create.json"], &[], 1);
}

// IONOS

#[test]
fn ionos_registries() {
    let program = Program::new();
    let page = "ionos/registries.json";
    import(&program, &[page], &[]).exits(9).says("one page of more").says("2 added").says("no hostname yet");
    import(&program, &[page], &["--partial-ok"]).succeeds().says("one page of more").says("0 added, 0 updated, 2 unchanged");
    again(&program, &[page], &["--partial-ok"], 2);
    let demo = get(&program, "acme-demo");
    assert_eq!(demo["garbage_collection_schedule"], json!({"days": ["Saturday", "Sunday"], "time": "19:30:00+00:00"}));
    assert_eq!(demo["allow_subnets"], json!(["198.51.100.0/24", "203.0.113.7", "2001:db8::1"]));
    assert_eq!(demo["storage_usage"], json!({"bytes": 2433303, "updated_at": "2023-01-05T09:00:00Z", "estimated": false}));
    assert_eq!(
        fields(&demo, &["id", "provider", "location"]),
        [json!("34341cbe-c06a-4f5f-8773-000000000001"), json!("ionos"), json!("de/fra")]
    );
    let new = get(&program, "demo-new");
    assert_eq!(fields(&new, &["address", "state"]), [Value::Null, json!("inactive")]);
    program.run(["activate", "demo-new"]).succeeds();
    program.run(["repo", "list", "demo-new"]).fails(4).says("no hostname yet");
    import(&program, &["ionos/patch.json"], &[]).fails(2).says("looks like none of rancher, dockercloud, zadig, ionos");
}

// Shipyard

#[test]
fn shipyard_registries() {
    let program = Program::new();
    import(&program, &["shipyard/registries.json"], &[]).succeeds().says("2 added");
    assert_eq!(get(&program, "local")["id"], "7b4d261c-5ac4-481a-b1fa-1808355becf8");
    assert_eq!(get(&program, "staging-registry")["display_name"], "Staging Registry");
    again(&program, &["shipyard/registries.json"], &[], 2);
}

#[test]
fn shipyard_passwords_in_plain_text() {
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    let program = Program::with_keyring(&keyring);
    let document = "shipyard/registries-v3.1.json";
    import(&program, &[document], &[])
        .succeeds()
        .says("artifactory: the document holds secrets in plain text")
        .hides("FAKE-PASSWORD");
    nowhere(&program, "FAKE-PASSWORD");
    let entry = get(&program, "artifactory");
    let expected = [json!("https://art.example:8443/artifactory/api/docker/local"), json!("svc"), json!(false)];
    assert_eq!(fields(&entry, &["address", "username", "enable_tls"]), expected);
    again(&program, &[document], &[], 1);
    // the password that is here may be newer
    let renewed = json!([{"id": "00000000-0000-4000-8000-0000000000f3", "name": "artifactory", "tls_skip_verify": true,
        "addr": "https://art.example:8443/artifactory/api/docker/local", "username": "svc", "password": CANARY}]);
    import_text(&program, &renewed, &[]).succeeds().says("its secret here is another one").hides(CANARY);
    program.run(["export", "shipyard", "--reveal-secrets"]).succeeds().shows("FAKE-PASSWORD");
    import_text(&program, &renewed, &["--on-conflict", "update"]).succeeds().hides(CANARY);
    program.run(["export", "shipyard", "--reveal-secrets"]).succeeds().shows(CANARY);
}

#[test]
fn a_secret_that_can_not_be_kept_stops_the_import() {
    let program = Program::new();
    let document = "shipyard/registries-v3.1.json";
    import(&program, &[document], &[]).fails(5).says("nothing was imported").says("--credential none").hides("FAKE-PASSWORD");
    assert!(!program.catalogue().exists());
    import(&program, &[document, "shipyard/registries.json"], &["--keep-going"]).exits(9).says("2 added").says("1 failed");
    assert_eq!(names(&program), ["local", "staging-registry"]);
    import(&program, &[document], &["--credential", "none"]).succeeds().says("its secret is not kept").says("1 added");
    assert_eq!(get(&program, "artifactory")["credential"], "none");
}

#[test]
fn an_encrypted_file_is_a_place_too() {
    let mut program = Program::new();
    program.set("REGCTL_PASSPHRASE", "correct horse");
    let options = ["--credential", "encrypted-file"];
    import(&program, &["shipyard/registries-v3.1.json"], &options).succeeds().hides("FAKE-PASSWORD");
    nowhere(&program, "FAKE-PASSWORD");
    program.run(["export", "shipyard", "--reveal-secrets"]).succeeds().shows("FAKE-PASSWORD");
    again(&program, &["shipyard/registries-v3.1.json"], &[], 1);
}

// Docker, Podman, regclient

#[test]
fn docker_logins() {
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    let program = Program::with_keyring(&keyring);
    let folder = program.home().join(".docker");
    std::fs::create_dir(&folder).expect("the home is ours");
    std::fs::copy(fixture("docker/config.json"), folder.join("config.json")).expect("the home is ours");
    program.run(["import", "docker"]).succeeds().says("5 added").hides("FAKE");
    let known = |name: &str| fields(&get(&program, name), &["address", "username", "credential"]);
    assert_eq!(known("docker-hub"), [json!("https://index.docker.io"), json!("acme"), json!("keyring")]);
    assert_eq!(known("registry-acme-example")[1..], [json!("robot$ci"), json!("keyring")]);
    assert_eq!(known("acme-azurecr-example")[1..], [json!("<token>"), json!("keyring")]);
    assert_eq!(known("quay-example")[1..], [Value::Null, json!("docker")]);
    let amazon = program.run(["list", "--provider", "ecr", "-o", "json"]).succeeds().json();
    assert_eq!(fields(&amazon["items"][0], &["region", "credential"]), [json!("eu-west-1"), json!("docker")]);
    program.run(["import", "docker"]).succeeds().says("0 added, 0 updated, 5 unchanged");
}

#[test]
fn logins_that_could_be_of_either() {
    let program = Program::new();
    let document = json!({"auths": {"quay.example": {}}});
    import_text(&program, &document, &[]).fails(2).says("could be of docker or podman").says("regctl import SYSTEM FILE");
    import_text(&program, &document, &["podman"]).succeeds().says("1 added");
    import(&program, &["podman/auth.json"], &["shipyard"]).fails(2).says("no document of shipyard's; it looks like one of podman");
}

#[test]
fn podman_logins() {
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    let program = Program::with_keyring(&keyring);
    import(&program, &["podman/auth.json"], &[]).succeeds().says("3 added");
    let team = get(&program, "quay-example-team-a");
    assert_eq!(
        fields(&team, &["address", "namespace", "username"]),
        [json!("https://quay.example"), json!("team-a"), json!("team-a+ci")]
    );
    again(&program, &["podman/auth.json"], &[], 3);
}

#[test]
fn regclient_hosts() {
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    let program = Program::with_keyring(&keyring);
    import(&program, &["regclient/config.json"], &[]).succeeds().says("3 added").hides("FAKE-TOKEN");
    let acme = get(&program, "registry-acme-example-8443");
    let expected = [json!(false), json!("mirror"), json!(20), json!(3)];
    assert_eq!(fields(&acme, &["enable_tls", "namespace", "requests_per_second", "concurrency"]), expected);
    assert_eq!(get(&program, "lab")["address"], "http://10.0.0.7:5000");
    again(&program, &["regclient/config.json"], &[], 3);
}

// All of them

#[test]
fn several_files_are_one_import() {
    let program = Program::new();
    let documents = ["rancher/registries.json", "dockercloud/registries.json", "zadig/registries.json", "shipyard/registries.json"];
    // Docker Hub is in two of them
    import(&program, &documents, &[]).fails(4).says("it is the same account in the same place as index-docker-io");
    import(&program, &documents, &["--on-conflict", "skip"]).succeeds().says("11 added, 0 updated, 0 unchanged, 2 skipped");
    again(&program, &documents, &["--on-conflict", "skip"], 11);
}

#[test]
fn a_dry_run_changes_nothing() {
    let program = Program::new();
    import(&program, &["zadig/registries.json"], &["--dry-run"]).succeeds().says("this would be: 4 added").shows("acme-team-a");
    assert!(program.files().is_empty(), "{:?}", program.files().keys());
    let list = import(&program, &["shipyard/registries.json"], &["--dry-run", "-o", "json"]).succeeds().json();
    assert_eq!(fields(&list["items"][0], &["name", "action", "system"]), [json!("local"), json!("added"), json!("shipyard")]);
}

#[test]
fn the_three_ways_with_conflicts() {
    let program = Program::new();
    import(&program, &["shipyard/registries.json"], &[]).succeeds();
    program.run(["update", "staging-registry", "--display-name", "Ours", "--label", "env=test"]).succeeds();
    let before = program.files();
    let failed = import(&program, &["shipyard/registries.json"], &[]).fails(4);
    failed
        .says("Staging Registry: staging-registry is different here: display_name")
        .says("--on-conflict update")
        .says("--on-conflict skip");
    assert_eq!(program.files(), before);
    import(&program, &["shipyard/registries.json"], &["--on-conflict", "skip"]).succeeds().says("1 unchanged, 1 skipped");
    assert_eq!(program.files(), before);
    import(&program, &["shipyard/registries.json"], &["--on-conflict", "update"])
        .succeeds()
        .says("0 added, 1 updated, 1 unchanged");
    assert_eq!(get(&program, "staging-registry")["labels"], json!({"env": "test"}));
    assert_eq!(get(&program, "staging-registry")["display_name"], "Staging Registry");
    program.run(["import", "x.json", "--on-conflict", "ask"]).fails(2);
}

#[test]
fn a_secret_is_left_behind_when_a_document_names_another_host() {
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    let program = Program::with_keyring(&keyring);
    let at = |addr: &str, password: Value| json!([{"id": "1", "name": "a", "addr": addr, "username": "bob", "password": password}]);
    import_text(&program, &at("https://a.example", CANARY.into()), &[]).succeeds().hides(CANARY);
    program.run(["export", "shipyard", "--reveal-secrets"]).succeeds().shows(CANARY);
    let moved = at("https://evil.example", Value::Null);
    import_text(&program, &moved, &["--on-conflict", "update"]).succeeds().says("its credential was left behind");
    assert_eq!(get(&program, "a")["credential"], "none");
    // nor does it come back when the credential is looked for again
    program.run(["update", "a", "--credential", "keyring"]).succeeds();
    program.run(["export", "shipyard", "--reveal-secrets"]).succeeds().hides(CANARY);
}

#[test]
fn what_looks_like_a_secret_is_not_written_down() {
    let program = Program::new();
    let document = json!([{"id": "1", "name": "a", "addr": "https://a.example", "api_token": CANARY, "note": {"passwd": CANARY},
        "url": format!("https://bob:{CANARY}@a.example")}]);
    let finished = import_text(&program, &document, &["-vv", "-o", "json"]).succeeds();
    finished.says("its field `api_token` is left out").says("`passwd`").says("`url`").hides(CANARY);
    nowhere(&program, CANARY);
    let document = json!([{"id": "1", "name": "b", "addr": format!("https://bob:{CANARY}@b.example")}]);
    import_text(&program, &document, &[]).fails(2).says("can't hold a user name or password").hides(CANARY);
}

#[test]
fn hostile_documents() {
    let program = Program::new();
    for (text, words) in [
        (String::new(), "it is empty"),
        ("not json".to_owned(), "line 1, column"),
        ("[".repeat(200_000), "nested too deep"),
        (" ".repeat((16 << 20) + 1), "larger than 16 MiB"),
        ("{}".to_owned(), "looks like none of"),
        (format!("[{}]", vec![r#"{"id":"1","name":"a","addr":"https://a"}"#; 5001].join(",")), "more than 5000 registries"),
        (r#"[{"id": 7, "name": [], "addr": {}}]"#.to_owned(), "`addr` is an object, expected text"),
        (r#"[{"id": "1", "name": "a", "addr": "https://a"}, 7]"#.to_owned(), "number 2: it is no object"),
        (
            r#"[{"id": "1", "name": "a", "addr": "https://a"}, {"id": "1", "name": "b", "addr": "https://b"}]"#.to_owned(),
            "another registry has its id 1",
        ),
        (r#"{"auths": {"\u001b[2J": {"auth": "!"}}, "credsStore": "x"}"#.to_owned(), "\\u{1b}[2J"),
        (r#"{"meta": {}, "objects": [{"host": "a/b", "is_ssl": true}]}"#.to_owned(), "more than a host name"),
    ] {
        program.call(["import", "-"]).stdin(text).run().fails(2).says(words);
    }
    program.run(["import", "missing.json"]).fails(2).says("can't read missing.json");
    program.run(["import", "zadig"]).fails(2).says("no file is given");
    program.run(["import", "-", "-"]).fails(2).says("once only");
    assert!(program.files().is_empty());
}
