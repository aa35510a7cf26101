//! `regctl check`: what it finds out, and what it changes, which is nothing.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::canned::{Answer, Canned, Received};
use crate::support::docker_registry::{DockerRegistry, PASSWORD, Setup, USERNAME};
use crate::support::program::{Finished, Program};
use crate::support::storage::fill;

/// The one item of a check of one registry.
#[track_caller]
fn item(finished: &Finished) -> Value {
    let list = finished.json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{finished}");
    list["items"][0].clone()
}

/// An address at which nobody listens.
fn nobody() -> String {
    format!("http://{}", TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it is bound"))
}

fn json_answer(status: u16, value: &Value) -> Answer {
    Answer::new(status, "application/json", &value.to_string())
}

#[test]
fn what_a_plain_registry_can_do() {
    for (setup, delete) in [(Setup::Plain, "native"), (Setup::DeleteOff, "unsupported")] {
        let Some(registry) = DockerRegistry::start(setup) else { return };
        fill(&registry.storage(), "team/app", ["v1"]);
        let program = Program::new();
        program.run(["add", "lab", &registry.address(), "--no-check"]).succeeds();
        let found = item(&program.run(["check", "-o", "json"]).succeeds());
        assert_eq!(
            found["abilities"],
            json!({"list": "native", "untag": "unsupported", "delete": delete, "referrers": "emulated"}),
            "{setup:?}"
        );
        assert_eq!((&found["ok"], &found["auth"], &found["signed_in"]), (&json!(true), &json!("none"), &Value::Null));
        assert_eq!(found["addresses"], json!(["127.0.0.1"]));
        assert!(found["reached_ms"].is_u64() && found["error"].is_null() && found["tls"].is_null(), "{found}");
        // nothing went away
        program.run(["tag", "list", "team/app"]).succeeds().shows("v1");
        assert_eq!(program.run(["get", "lab", "-o", "json"]).json()["last_check"]["ok"], true);
    }
}

#[test]
fn as_whom() {
    for setup in [Setup::Password, Setup::Token] {
        let Some(registry) = DockerRegistry::start(setup) else { return };
        let program = Program::new();
        program.write_catalogue(&format!(
            "[registry.lab]\naddress = \"{}\"\nusername = \"{USERNAME}\"\ncredential = \"env\"\n",
            registry.address()
        ));
        let check = |password: &str| program.call(["check", "lab", "-o", "json", "-v"]).env("REGCTL_LAB_PASSWORD", password).run();
        let good = check(PASSWORD).succeeds().says("credential for lab from REGCTL_LAB_PASSWORD").hides(PASSWORD);
        let good = item(&good);
        assert_eq!((&good["signed_in"], &good["username"]), (&json!(true), &json!(USERNAME)), "{setup:?}");
        assert_eq!(good["credential_from"], "REGCTL_LAB_PASSWORD");
        let wrong = check("s3cr3t-canary").exits(5).says("credential").hides("s3cr3t-canary");
        let wrong = item(&wrong);
        assert_eq!(
            (&wrong["ok"], &wrong["signed_in"], &wrong["error"]["what"]),
            (&json!(false), &json!(false), &json!("login refused"))
        );
        // it was reached all the same
        assert!(wrong["reached_ms"].is_u64());
        let explicit =
            program.call(["check", "lab", "--username", USERNAME, "--password-stdin", "-o", "json"]).stdin(PASSWORD).run();
        assert_eq!(item(&explicit.succeeds().hides(PASSWORD))["signed_in"], true);
    }
}

#[test]
fn one_that_fails_stops_no_other() {
    let Some(registry) = DockerRegistry::start(Setup::Plain) else { return };
    let program = Program::new();
    program.write_catalogue(&format!(
        "default = \"up\"\n[registry.down]\naddress = \"{}\"\n[registry.up]\naddress = \"{}\"\n\
         [registry.off]\naddress = \"{}\"\nstate = \"inactive\"\n[registry.gone]\naddress = \"http://127.0.0.1:9\"\nstate = \"removed\"\n",
        nobody(),
        registry.address(),
        nobody(),
    ));
    let all = program.run(["check", "--all", "-o", "json"]).exits(9).says("connection refused");
    let names = |list: &Value| list.as_array().expect("a list").iter().map(|item| item["name"].clone()).collect::<Vec<_>>();
    assert_eq!(
        (names(&all.json()["items"]), names(&all.json()["failed"])),
        (vec![json!("down"), json!("up")], vec![json!("down")])
    );
    program.run(["check", "down"]).exits(6).shows("✗ no").says("regctl update down --address");
    program.run(["check", "down", "off"]).exits(6);
    program.run(["check", "off"]).exits(6);
    program.run(["check", "gone"]).fails(4).says("regctl restore gone");
    program.run(["check", "nosuch"]).fails(3);
    program.run(["check", "up/team/app"]).fails(2).says("takes registries");
    program.run(["check", "up", "--all"]).fails(2);
    let table =
        program.run(["check", "up", "up", "--columns", "registry,signed_in,version,list,untag,delete,referrers"]).succeeds();
    insta::assert_snapshot!(table, @r"
    $ regctl check up up --columns registry,signed_in,version,list,untag,delete,referrers
    REGISTRY  SIGNED IN  VERSION      LIST  UNTAG  DELETE  REFERRERS
    up        anonymous  v2 registry  yes   no     yes     tags
    ");
}

#[test]
fn nothing_to_check_is_said() {
    let program = Program::new();
    program.run(["check"]).fails(2).says("regctl set-default");
    let none = program.run(["check", "--all", "-o", "json"]).succeeds().says("no registry is active");
    assert_eq!(none.json(), json!({"items": [], "failed": [], "next_page": null}));
}

#[test]
fn a_host_need_not_be_in_the_catalogue() {
    let Some(registry) = DockerRegistry::start(Setup::Plain) else { return };
    let program = Program::new();
    let address = registry.address();
    let host = address.trim_start_matches("http://");
    for named in [host, &address] {
        let found = item(&program.run(["check", named, "-o", "json"]).succeeds());
        assert_eq!((&found["name"], &found["address"]), (&json!(host), &json!(address)));
    }
    // how to sign in is remembered; nothing else is
    let written: Vec<_> = program.files().into_keys().filter(|path| !path.starts_with("cache")).collect();
    assert!(written.is_empty(), "something was written: {written:?}");
    program.run(["check", "http://registry.example.com"]).fails(2).says("--plain-http");
    // the address of an entry is that entry
    program.run(["add", "lab", &address, "--no-check"]).succeeds();
    assert_eq!(item(&program.run(["check", &address, "-o", "json"]).succeeds())["name"], "lab");
}

#[test]
fn certificates() {
    let Some(registry) = DockerRegistry::start(Setup::Tls) else { return };
    let mut program = Program::new();
    let ca = registry.certificates().ca.to_string_lossy().into_owned();
    program.run(["add", "good", &registry.address(), "--no-check", "--tls-cert", &ca]).succeeds();
    program.run(["add", "careless", &registry.address(), "--no-check", "--allow-duplicate", "--tls-skip-verify"]).succeeds();
    program.run(["add", "strict", &registry.address(), "--no-check", "--allow-duplicate"]).succeeds();
    let good = item(&program.run(["check", "good", "-o", "json"]).succeeds());
    assert_eq!((&good["tls"]["verify"], &good["warnings"]), (&json!(true), &json!([])));
    assert!(good["tls"]["not_after"].is_string() && good["tls"]["days_left"].as_i64() > Some(14), "{good}");
    let careless = program.run(["check", "careless", "-o", "json"]).succeeds().says("not verified");
    assert_eq!(item(&careless)["warnings"], json!(["its certificate is not verified"]));
    // the reason why it fails is still shown
    let strict = program.run(["check", "strict", "-o", "json"]).exits(6).says("certificate").says("--tls-cert");
    assert_eq!(item(&strict)["tls"]["sha256"], good["tls"]["sha256"]);
    let end: jiff::Timestamp = good["tls"]["not_after"].as_str().expect("a date").parse().expect("a date");
    for (before, words) in [(9 * 86_400 + 60, "its certificate ends in 9 days"), (60, "its certificate ends today")] {
        program.set("REGCTL_NOW", (end - jiff::SignedDuration::from_secs(before)).to_string());
        program.run(["check", "good"]).succeeds().says(words);
    }
}

/// A server that shows what Harbor shows, and knows one more thing that people want to know.
fn harbor(request: &Received) -> Answer {
    let host = request.headers.get("host").cloned().unwrap_or_default();
    let challenge = format!("Bearer realm=\"http://{host}/service/token\",service=\"harbor-registry\"");
    let signed = request.headers.get("authorization").is_some_and(|header| header.starts_with("Bearer "));
    let path = request.target.split('?').next().unwrap_or_default();
    let unknown = || json_answer(404, &json!({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "unknown"}]}));
    match path {
        "/service/token" => json_answer(200, &json!({"token": "t0ken-canary", "expires_in": 1800})),
        "/api/v2.0/systeminfo" => json_answer(200, &json!({"harbor_version": "v2.12.1-abcdef"})),
        _ if !signed => json_answer(401, &json!({"errors": [{"code": "UNAUTHORIZED"}]})).header("WWW-Authenticate", &challenge),
        "/v2/" => json_answer(200, &json!({}))
            .header("Date", "Fri, 01 Jan 2021 00:00:00 GMT")
            .header("RateLimit-Limit", "100;w=60")
            .header("RateLimit-Remaining", "0;w=60"),
        "/v2/_catalog" => json_answer(401, &json!({"errors": [{"code": "UNAUTHORIZED"}]})).header("WWW-Authenticate", &challenge),
        _ if request.method == "DELETE" && !path.contains("sha256:") => {
            json_answer(400, &json!({"errors": [{"code": "UNSUPPORTED"}]}))
        }
        _ if path.contains("/referrers/") => json_answer(200, &json!({"manifests": []})),
        _ => unknown(),
    }
}

#[test]
fn who_built_it_is_told_from_its_answers() {
    let server = Canned::start(harbor);
    let address = format!("http://{}", server.address());
    let mut program = Program::new();
    program.set("REGCTL_NOW", "2026-11-20T12:00:00Z");
    insta::assert_snapshot!(program.run(["add", "prod", &address]).succeeds(), @r"
    $ regctl add prod http://127.0.0.1:PORT
    │ provider harbor, because of the service of its tokens
    │ ✓ reached 127.0.0.1:PORT (Harbor 2.12.1-abcdef)
    │ ✓ added prod, now the default
    │   try: regctl repo list prod
    ");
    assert_eq!(program.run(["get", "prod", "-o", "json"]).json()["provider"], "harbor");
    let checked = program.run(["check", "-o", "json", "-vv"]).succeeds().says("behind this machine's").hides("t0ken-canary");
    let found = item(&checked);
    assert_eq!((&found["product"], &found["version"]), (&json!("Harbor"), &json!("2.12.1-abcdef")));
    assert_eq!(found["abilities"], json!({"list": "unsupported", "untag": "api", "delete": "native", "referrers": "native"}));
    assert_eq!(found["provider_suggested"], Value::Null);
    assert_eq!(found["rate_limit"]["remaining"], 0);

    // what the person says counts, and the check says what it thinks
    program.run(["add", "own", &address, "--allow-duplicate", "--provider", "native"]).succeeds();
    assert_eq!(program.run(["get", "own", "-o", "json"]).json()["provider"], "native");
    let own = program.run(["check", "own", "-o", "json"]).succeeds().says("regctl update own --provider harbor");
    let own = item(&own);
    assert_eq!((&own["provider"], &own["provider_suggested"]), (&json!("native"), &json!("harbor")));
    assert_eq!(own["abilities"]["untag"], "unsupported", "its own API is not asked");
}

#[test]
fn how_often_it_may_be_asked() {
    let server = Canned::start(|request| match request.target.as_str() {
        "/v2/" => json_answer(200, &json!({})).header("RateLimit-Limit", "100;w=60").header("RateLimit-Remaining", "0;w=60"),
        _ => json_answer(404, &json!({})),
    });
    let found = Program::new().run(["check", &server.address().to_string(), "-o", "json"]).succeeds().says("rate limit is used up");
    assert_eq!(item(&found)["rate_limit"], json!({"limit": 100, "remaining": 0, "window_seconds": 60}));
    // a server that says 404 to everything proves nothing
    assert_eq!(item(&found)["abilities"], json!({"list": "unsupported", "untag": null, "delete": null, "referrers": "emulated"}));
}

#[test]
fn a_website_is_no_registry() {
    let server = Canned::start(|_| Answer::new(200, "text/html", "<title>Welcome</title>"));
    let finished = Program::new().run(["check", &server.address().to_string()]).exits(1).shows("no registry").says("web page");
    assert!(!finished.stdout.contains("Welcome"));
}

/// A home that can't be written to spoils no check.
#[test]
fn that_the_outcome_cannot_be_remembered_is_no_failure() {
    let Some(registry) = DockerRegistry::start(Setup::Plain) else { return };
    let mut program = Program::new();
    program.run(["add", "lab", &registry.address(), "--no-check"]).succeeds();
    program.set("REGCTL_STATE_DIR", "/proc/1/nowhere");
    program.run(["check", "lab"]).succeeds();
}
