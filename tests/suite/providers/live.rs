//! `get --live`: what the server says, what it keeps from this credential, and what it says nothing of.

use serde_json::{Value, json};

use super::fake::PASSWORD;
use super::program::{program, put};
use super::{azure, dockerhub, ecr, gar, harbor, quay};
use crate::support::program::Program;

#[test]
fn harbor_tells_a_project_its_quota_and_rules_and_garbage_collection_to_administrators_only() {
    let fake = harbor::fake();
    let program = program(&fake, Some("acme"));
    let live = program.run(["get", "v", "--live", "-o", "json"]).succeeds().hides(PASSWORD).json()["live"].clone();
    assert_eq!(live["version"], "Harbor 2.12.0-1a2b3c4d");
    assert_eq!(live["storage"], json!([{ "of": "acme", "used": 1_234_567, "quota": null, "unlimited": true, "updated_at": null }]));
    assert_eq!(live["retention"][0]["rules"], json!(["keeps the 10 pushed last"]));
    assert_eq!(live["retention"][0]["settings"]["rules"][0]["template"], "latestPushedK");
    assert_eq!((&live["garbage_collection"], &live["rate_limit"]), (&Value::Null, &Value::Null));
    assert_eq!(live["hidden"][0]["fact"], "garbage_collection");
    assert!(live["hidden"][0]["needs"].as_str().is_some_and(|needs| needs.contains("system administrator")));
    let shown = program.run(["get", "v", "--live"]).succeeds();
    let section = shown
        .stdout
        .lines()
        .skip_while(|line| !line.contains("server"))
        .map(|line| line.get(2..).unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n");
    insta::assert_snapshot!(section, @r"
    server          Harbor 2.12.0-1a2b3c4d
    storage         acme  1.2 MB, no limit
    vendor's rules  acme  keeps the 10 pushed last
                          carried out: cron 0 0 0 * * *
    vendor frees    unknown; it takes a system administrator, or a system robot with the permission to read garbage collection
    rate limit      unknown
    ");

    // nothing is asked without the word, and the field isn't there
    let before = fake.front.requests().len();
    assert_eq!(program.run(["get", "v", "-o", "json"]).succeeds().json().get("live"), None);
    assert_eq!(fake.front.requests().len(), before);
}

#[test]
fn without_a_namespace_harbor_is_asked_as_an_administrator() {
    let fake = harbor::fake();
    let live = program(&fake, None).run(["get", "v", "--live", "-o", "json"]).succeeds().json()["live"].clone();
    let hidden: Vec<&Value> = live["hidden"].as_array().unwrap().iter().map(|hidden| &hidden["fact"]).collect();
    assert_eq!(hidden, [&json!("storage"), &json!("retention"), &json!("garbage_collection")]);
}

#[test]
fn each_repository_of_ecr_has_rules_or_none() {
    let fake = ecr::fake();
    for name in ["acme/web", "acme/api", "other/web", "acme-too/web"] {
        put(fake.front.storage(), name, &["v1"], "one");
    }
    let live = program(&fake, Some("acme")).run(["get", "v", "--live", "-o", "json"]).succeeds().json()["live"].clone();
    assert_eq!(live["retention"].as_array().map(Vec::len), Some(1), "{live}");
    assert_eq!(live["retention"][0]["of"], "acme/web");
    assert_eq!(live["retention"][0]["rules"], json!(["deletes images without a tag pushed more than 14 days ago"]));
    assert_eq!((&live["storage"], &live["hidden"]), (&Value::Null, &json!([])));
}

/// What a vendor doesn't say is unknown, and what this credential may not ask is named with what it takes.
#[test]
fn nothing_is_made_up() {
    let robot = quay::fake_for_robots();
    let live = program(&robot, Some("acme")).run(["get", "v", "--live", "-o", "json"]).succeeds().json()["live"].clone();
    assert_eq!((&live["storage"], &live["retention"]), (&Value::Null, &Value::Null));
    assert!(live["hidden"][0]["needs"].as_str().is_some_and(|needs| needs.contains("application token")), "{live}");

    let live = program(&azure::fake(), None).run(["get", "v", "--live", "-o", "json"]).succeeds().json()["live"].clone();
    for fact in ["storage", "retention", "garbage_collection", "rate_limit"] {
        assert_eq!(live[fact], Value::Null, "{fact}");
    }
    assert_eq!(live["hidden"], json!([]));

    let live = program(&gar::fake(), Some("p/g")).run(["get", "v", "--live", "-o", "json"]).succeeds().json()["live"].clone();
    assert_eq!((&live["storage"][0]["used"], &live["retention"]), (&json!(1_234_567), &json!([])));
    let hub = program(&dockerhub::fake(), Some("acme"));
    hub.run(["get", "v", "--live"]).succeeds().shows("rate limit").hides(PASSWORD);
}

#[test]
fn a_server_that_is_not_there_is_an_error_and_an_inactive_one_is_not_asked() {
    let program = Program::new();
    program.write_catalogue("[registry.v]\naddress = \"http://127.0.0.1:1\"\ncredential = \"none\"\n");
    program.run(["get", "v"]).succeeds();
    program.run(["get", "v", "--live"]).exits(6);
    program.run(["deactivate", "v"]).succeeds();
    program.run(["get", "v", "--live"]).exits(4).says("regctl activate v");
    program.run(["get", "v", "--live", "--actions"]).exits(2);
}
