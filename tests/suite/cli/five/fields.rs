//! Every field that can be given: its flag, its key in the catalogue, its name in JSON, whether `update`, `--unset` and `apply` change it.

use serde_json::{Value, json};

use super::{add, get, written};
use crate::support::certificates::Certificates;
use crate::support::program::Program;

struct Field {
    /// Options of `add`.
    given: &'static [&'static str],
    /// What then stands in the catalogue.
    written: &'static str,
    /// Where it is in JSON, and what it says.
    json: (&'static str, Value),
    /// Options of `update`, and what JSON says then.
    changed: (&'static [&'static str], Value),
    /// What `--unset` calls it.
    unset: &'static str,
    /// The same as in the first options, in a file for `apply`.
    applied: &'static str,
}

fn fields() -> Vec<Field> {
    let schedule = |days: &[&str]| json!({ "days": days, "time": "19:30:00+00:00" });
    let rule = |last: u32| json!([{ "repositories": "**", "keep_last": last }]);
    vec![
        Field {
            given: &["--display-name", "Production (EU)"],
            written: "display_name = \"Production (EU)\"",
            json: ("/display_name", json!("Production (EU)")),
            changed: (&["--display-name", "Prod"], json!("Prod")),
            unset: "display_name",
            applied: "display_name = \"Production (EU)\"",
        },
        Field {
            given: &["--description", "what clusters pull"],
            written: "description = \"what clusters pull\"",
            json: ("/description", json!("what clusters pull")),
            changed: (&["--description", "d"], json!("d")),
            unset: "description",
            applied: "description = \"what clusters pull\"",
        },
        Field {
            given: &["--provider", "harbor"],
            written: "provider = \"harbor\"",
            json: ("/provider", json!("harbor")),
            changed: (&["--provider", "nexus"], json!("nexus")),
            unset: "provider",
            applied: "provider = \"harbor\"",
        },
        Field {
            given: &["--region", "eu-west-1"],
            written: "region = \"eu-west-1\"",
            json: ("/region", json!("eu-west-1")),
            changed: (&["--region", "us-east-1"], json!("us-east-1")),
            unset: "region",
            applied: "region = \"eu-west-1\"",
        },
        Field {
            given: &["--namespace", " team-a/ "],
            written: "namespace = \"team-a\"",
            json: ("/namespace", json!("team-a")),
            changed: (&["--namespace", "team-b/c"], json!("team-b/c")),
            unset: "namespace",
            applied: "namespace = \"team-a\"",
        },
        Field {
            given: &["--username", "robot$ci"],
            written: "username = \"robot$ci\"",
            json: ("/username", json!("robot$ci")),
            changed: (&["--username", "alice"], json!("alice")),
            unset: "username",
            applied: "username = \"robot$ci\"",
        },
        Field {
            given: &["--credential", "docker"],
            written: "credential = \"docker\"",
            json: ("/credential", json!("docker")),
            changed: (&["--credential", "env"], json!("env")),
            unset: "credential",
            applied: "credential = \"docker\"",
        },
        Field {
            given: &["--credential-command", "pass show prod"],
            written: "credential_command = [\"pass\", \"show\", \"prod\"]",
            json: ("/credential_command", json!(["pass", "show", "prod"])),
            changed: (&["--credential-command", "gopass"], json!(["gopass"])),
            unset: "credential_command",
            applied: "credential_command = [\"pass\", \"show\", \"prod\"]",
        },
        Field {
            given: &["--credential-expires-at", "2027-01-01T01:00:00+01:00"],
            written: "credential_expires_at = 2027-01-01T00:00:00Z",
            json: ("/credential_expires_at", json!("2027-01-01T00:00:00Z")),
            changed: (&["--credential-expires-at", "2028-01-01T00:00:00Z"], json!("2028-01-01T00:00:00Z")),
            unset: "credential_expires_at",
            applied: "credential_expires_at = 2027-01-01T01:00:00+01:00",
        },
        Field {
            given: &["--label", "env=prod", "--label", "team=x"],
            written: "labels = { env = \"prod\", team = \"x\" }",
            json: ("/labels", json!({ "env": "prod", "team": "x" })),
            changed: (&["--label", "env=test", "--remove-label", "team"], json!({ "env": "test" })),
            unset: "labels",
            applied: "labels = { team = \"x\", env = \"prod\" }",
        },
        Field {
            given: &["--allow-subnet", "10.1.2.3/8", "--allow-subnet", "2001:db8::1"],
            written: "allow_subnets = [\"10.0.0.0/8\", \"2001:db8::1\"]",
            json: ("/allow_subnets", json!(["10.0.0.0/8", "2001:db8::1"])),
            changed: (&["--remove-allow-subnet", "2001:db8::1", "--allow-subnet", "192.0.2.7"], json!(["10.0.0.0/8", "192.0.2.7"])),
            unset: "allow_subnets",
            applied: "allow_subnets = [\"10.1.2.3/8\", \"2001:db8::1\"]",
        },
        Field {
            given: &["--api-address", "https://api.example.com/v2.0"],
            written: "api_address = \"https://api.example.com/v2.0\"",
            json: ("/api_address", json!("https://api.example.com/v2.0")),
            changed: (&["--api-address", "https://other.example.com"], json!("https://other.example.com")),
            unset: "api_address",
            applied: "api_address = \"https://api.example.com/v2.0\"",
        },
        Field {
            given: &["--realm", "https://auth.example.com"],
            written: "realm = \"https://auth.example.com\"",
            json: ("/realm", json!("https://auth.example.com")),
            changed: (&["--realm", "https://id.example.com"], json!("https://id.example.com")),
            unset: "realm",
            applied: "realm = \"https://auth.example.com\"",
        },
        Field {
            given: &["--proxy", "http://proxy.example:3128"],
            written: "proxy = \"http://proxy.example:3128\"",
            json: ("/proxy", json!("http://proxy.example:3128")),
            changed: (&["--proxy", "none"], json!("none")),
            unset: "proxy",
            applied: "proxy = \"http://proxy.example:3128\"",
        },
        Field {
            given: &["--requests-per-second", "20"],
            written: "requests_per_second = 20",
            json: ("/requests_per_second", json!(20)),
            changed: (&["--requests-per-second", "5"], json!(5)),
            unset: "requests_per_second",
            applied: "requests_per_second = 20",
        },
        Field {
            given: &["--concurrency", "16"],
            written: "concurrency = 16",
            json: ("/concurrency", json!(16)),
            changed: (&["--concurrency", "2"], json!(2)),
            unset: "concurrency",
            applied: "concurrency = 16",
        },
        Field {
            given: &["--repository", "app", "--repository", "web"],
            written: "repositories = [\"app\", \"web\"]",
            json: ("/repositories", json!(["app", "web"])),
            changed: (&["--unset", "repositories", "--repository", "api"], json!(["api"])),
            unset: "repositories",
            applied: "repositories = [\"app\", \"web\"]",
        },
        Field {
            given: &["--enable-tls=false"],
            written: "[registry.prod.tls]\nverify = false",
            json: ("/enable_tls", json!(false)),
            changed: (&["--tls-skip-verify=false"], json!(true)),
            unset: "tls",
            applied: "tls = { verify = false }",
        },
        Field {
            given: &["--tls-skip-verify"],
            written: "[registry.prod.tls]\nverify = false",
            json: ("/tls/verify", json!(false)),
            changed: (&["--enable-tls=false"], json!(false)),
            unset: "tls",
            applied: "tls = { verify = false }",
        },
        Field {
            given: &["--vulnerability-scanning=false"],
            written: "[registry.prod.features]\nvulnerability_scanning = false",
            json: ("/features/vulnerability_scanning", json!(false)),
            changed: (&["--vulnerability-scanning"], json!(true)),
            unset: "vulnerability_scanning",
            applied: "features = { vulnerability_scanning = false }",
        },
        Field {
            given: &["--gc-days", "Sat,sunday", "--gc-time", "19:30"],
            written: "[registry.prod.garbage_collection_schedule]\ndays = [\"Saturday\", \"Sunday\"]\ntime = \"19:30:00+00:00\"",
            json: ("/garbage_collection_schedule", schedule(&["Saturday", "Sunday"])),
            changed: (&["--gc-days", "mon"], schedule(&["Monday"])),
            unset: "garbage_collection_schedule",
            applied: "garbage_collection_schedule = { days = [\"sun\", \"Saturday\"], time = \"19:30\" }",
        },
        Field {
            given: &["--retention", "keep_last=10"],
            written: "[[registry.prod.retention]]\nrepositories = \"**\"\nkeep_last = 10",
            json: ("/retention", rule(10)),
            changed: (&["--retention", "keep_last=3"], rule(3)),
            unset: "retention",
            applied: "retention = [{ keep_last = 10 }]",
        },
    ]
}

fn program() -> Program {
    let mut program = Program::new();
    program.set("REGCTL_NOW", "2026-11-20T12:00:00Z");
    program
}

/// The value at a place, in `get` and in `list`, which say the same.
fn shown(program: &Program, pointer: &str) -> Value {
    let view = get(program, "prod");
    let listed = program.run(["list", "-o", "json"]).succeeds().json();
    assert_eq!(listed["items"][0], view);
    view.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {view}")).clone()
}

#[test]
fn each_has_a_flag_a_key_and_a_name_and_can_be_changed() {
    for field in fields() {
        let (pointer, value) = field.json;
        let program = program();
        add(&program, &["prod", "https://a.example"]).succeeds();
        let bare = shown(&program, pointer);
        program.run([&["update", "prod"], field.given].concat()).succeeds().says("updated prod");
        assert_eq!(shown(&program, pointer), value, "{:?} with update", field.given);
        let text = written(&program);
        assert!(text.contains(field.written), "{:?} is not in\n{text}", field.written);
        program.run([&["update", "prod"], field.given].concat()).succeeds().says("unchanged");
        assert_eq!(written(&program), text, "{:?}", field.given);
        program.run([&["update", "prod"], field.changed.0].concat()).succeeds();
        assert_eq!(shown(&program, pointer), field.changed.1, "{:?}", field.changed.0);
        program.run(["update", "prod", "--unset", field.unset]).succeeds();
        assert_eq!(shown(&program, pointer), bare, "--unset {}", field.unset);
    }
}

#[test]
fn each_can_be_added_and_applied() {
    for field in fields() {
        let (pointer, value) = field.json;
        let added = program();
        add(&added, &[&["prod", "https://a.example"], field.given].concat()).succeeds();
        assert_eq!(shown(&added, pointer), value, "{:?} with add", field.given);
        let file = format!("[registry.prod]\naddress = \"https://a.example\"\n{}\n", field.applied);
        // what was added with options is what the file says
        added.call(["apply", "-f", "-"]).stdin(file.clone()).run().succeeds().says("unchanged");
        let applied = program();
        applied.call(["apply", "-f", "-"]).stdin(file).run().succeeds().says("added prod");
        assert_eq!(shown(&applied, pointer), value, "{:?} with apply", field.applied);
        let without_id = |program: &Program| {
            let text = written(program);
            text.lines().filter(|line| !line.starts_with("id = ")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(without_id(&applied), without_id(&added));
    }
}

#[test]
fn an_authority_from_a_file_and_from_standard_input() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::make(folder.path());
    let path = certificates.ca.to_string_lossy();
    let program = program();
    add(&program, &["prod", "https://a.example", "--enable-tls", "--tls-cert", &path]).succeeds();
    assert!(written(&program).contains(&format!("ca_file = \"{path}\"")));
    let subject = shown(&program, "/tls/ca_subjects/0");
    assert!(subject.is_string() && shown(&program, "/tls/ca_not_after").is_string());
    let pem = std::fs::read(&certificates.ca).expect("it was written");
    program.call(["update", "prod", "--tls-cert", "-"]).stdin(pem).run().succeeds();
    assert!(written(&program).contains("ca_pem = ") && !written(&program).contains("ca_file"));
    assert_eq!(shown(&program, "/tls/ca_subjects/0"), subject);
    program.run(["update", "prod", "--unset", "tls.ca"]).succeeds();
    assert_eq!(shown(&program, "/tls/ca_subjects"), Value::Null);
}

#[test]
fn what_never_changes() {
    let program = program();
    add(&program, &["prod", "https://a.example", "--location", "de/fra"]).succeeds();
    let before = written(&program);
    program.run(["update", "prod", "--location", "de/txl"]).fails(2).says("set once");
    for field in ["location", "id", "address", "name", "state", "created_at", "updated_at", "removed_at", "default"] {
        program.run(["update", "prod", "--unset", field]).fails(2).says("can't be unset");
    }
    for field in ["--id", "--state", "--created-at", "--is-ssl", "--has-secret"] {
        program.run(["update", "prod", field, "x"]).fails(2);
    }
    assert_eq!(written(&program), before);
    let id = get(&program, "prod")["id"].clone();
    program.run(["update", "prod", "--name", "main"]).succeeds();
    program.run(["remove", "main"]).succeeds();
    program.run(["restore", "main"]).succeeds();
    assert_eq!((get(&program, "main")["id"].clone(), get(&program, "main")["location"].clone()), (id, json!("de/fra")));
}

#[test]
fn what_follows_from_the_address() {
    for (address, expected) in [
        (
            "https://Registry.EXAMPLE.com:8443/path/",
            json!(["https://registry.example.com:8443/path", "https", "registry.example.com", 8443, true, false]),
        ),
        (
            "https://registry.example.com",
            json!(["https://registry.example.com", "https", "registry.example.com", 443, true, false]),
        ),
        ("http://localhost", json!(["http://localhost", "http", "localhost", 80, false, false])),
        ("docker.io", json!(["https://docker.io", "https", "docker.io", 443, true, true])),
        ("https://index.docker.io/v1/", json!(["https://index.docker.io", "https", "index.docker.io", 443, true, true])),
    ] {
        let program = program();
        add(&program, &["prod", address]).succeeds();
        let view = get(&program, "prod");
        let shown: Vec<&Value> =
            ["address", "scheme", "host", "port", "is_ssl", "is_docker_registry"].iter().map(|field| &view[field]).collect();
        assert_eq!(json!(shown), expected, "{address}");
        assert_eq!(view["resource_uri"], format!("/api/repo/v1/registry/{}/", view["host"].as_str().expect("a host")));
        assert_eq!(view["kind"], "registry");
    }
}

/// Whether there is a secret is shown where that can be seen, and is unknown where a keyring or a command would have to be asked.
#[test]
fn whether_there_is_a_secret() {
    let program = program();
    let has_secret = |variable: Option<&str>| {
        let mut call = program.call(["get", "prod", "-o", "json"]);
        if let Some(variable) = variable {
            call = call.env(variable, "s3cr3t");
        }
        call.run().succeeds().hides("s3cr3t").json()["has_secret"].clone()
    };
    add(&program, &["prod", "https://a.example"]).succeeds();
    assert_eq!(has_secret(None), json!(false));
    assert_eq!(has_secret(Some("REGCTL_PROD_PASSWORD")), json!(true));
    for (place, expected) in
        [("keyring", Value::Null), ("docker", Value::Null), ("env", json!(false)), ("encrypted-file", json!(false))]
    {
        program.run(["update", "prod", "--credential", place]).succeeds();
        assert_eq!(has_secret(None), expected, "{place}");
        assert_eq!(has_secret(Some("REGCTL_PROD_PASSWORD")), json!(true), "{place}");
    }
    let command = format!("touch {}", program.home().join("ran").display());
    program.run(["update", "prod", "--credential-command", &command]).succeeds();
    assert_eq!(has_secret(None), Value::Null);
    assert!(!program.home().join("ran").exists(), "looking runs no command");
}
