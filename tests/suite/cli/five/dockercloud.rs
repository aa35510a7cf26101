//! Docker Cloud: looking a registry up by name, id, host, and by whether it is Docker's.

use super::{add, get};
use crate::support::program::Program;

fn home() -> Program {
    let program = Program::new();
    add(&program, &["docker-hub", "index.docker.io", "--display-name", "Docker Hub"]).succeeds();
    add(&program, &["quay-io", "https://quay.io"]).succeeds();
    add(&program, &["registry-local-test", "http://registry.local.test:5000", "--plain-http"]).succeeds();
    program
}

#[test]
fn filters_find_one_each() {
    let program = home();
    let id = get(&program, "quay-io")["id"].as_str().expect("a UUID").to_owned();
    for (arguments, name) in [
        (["--docker-registry", "true"], "docker-hub"),
        (["--host", "quay.io"], "quay-io"),
        (["--host", "registry.local.test"], "registry-local-test"),
        (["--host", "REGISTRY.local.test:5000"], "registry-local-test"),
        (["--host", "registry-1.docker.io"], "docker-hub"),
        (["--name", "docker-hub"], "docker-hub"),
        (["--name", "quay*"], "quay-io"),
        (["--id", &id], "quay-io"),
        (["--id", &id.to_uppercase()], "quay-io"),
        (["--provider", "dockerhub"], "docker-hub"),
    ] {
        let listed = program.run([&["list", "-q"], &arguments[..]].concat()).succeeds();
        assert_eq!(listed.stdout, format!("{name}\n"), "{arguments:?}");
    }
    let both = ["list", "-q", "--docker-registry", "false", "--host", "docker.io"];
    assert_eq!(program.run(both).succeeds().stdout, "", "all filters have to fit");
    program.run(["list", "--docker-registry", "maybe"]).fails(2);
}

#[test]
fn the_four_spellings_of_docker_hub_are_one_registry() {
    let program = home();
    for host in ["docker.io", "index.docker.io", "registry.hub.docker.com", "registry-1.docker.io", "DOCKER.IO", "docker.io:443"] {
        assert_eq!(program.run(["get", host, "-q"]).succeeds().stdout, "docker-hub\n", "{host}");
        add(&program, &["again", &format!("https://{host}")]).fails(4).says("docker-hub is the same account");
    }
    assert_eq!(get(&program, "docker.io")["resource_uri"], "/api/repo/v1/registry/index.docker.io/");
}

#[test]
fn two_on_one_host_are_never_chosen_from() {
    let program = home();
    add(&program, &["quay-team", "https://quay.io", "--namespace", "team"]).succeeds();
    let ids = [get(&program, "quay-io")["id"].clone(), get(&program, "quay-team")["id"].clone()];
    for command in ["get", "deactivate", "remove", "set-default"] {
        program.run([command, "quay.io"]).fails(4).says("quay-io, quay-team");
    }
    assert_eq!(program.run(["list", "-q", "--host", "quay.io"]).succeeds().stdout, "quay-io\nquay-team\n");
    for id in ids {
        program.run(["get", id.as_str().expect("a UUID")]).succeeds();
    }
    // what finds nothing finds nothing else instead
    for stranger in ["quay", "io", "*", "", "0198c0de-0000-7000-8000-000000000001"] {
        program.run(["get", stranger]).fails(3);
    }
}

#[test]
fn what_it_was_called_elsewhere_finds_it() {
    let program = Program::new();
    program.write_catalogue(
        "[registry.a]\nid = \"0198c0de-0000-7000-8000-000000000001\"\naddress = \"https://a.example\"\n\
         [registry.a.source]\nsystem = \"rancher\"\nid = \"1sp7\"\n\
         [registry.b]\nid = \"0198c0de-1111-7000-8000-000000000001\"\naddress = \"https://b.example\"\n\
         [registry.b.source]\nsystem = \"rancher\"\nid = \"1sp7b\"\nextra = { driverName = \"d\", externalId = \"e\" }\n",
    );
    for given in ["1sp7", "0198c0de-0", "0198C0DE-0000"] {
        assert_eq!(program.run(["get", given, "-q"]).succeeds().stdout, "a\n", "{given}");
    }
    program.run(["get", "0198c0de"]).fails(4).says("a, b");
    program.run(["get", "0198c0d"]).fails(3);
    assert_eq!(program.run(["list", "-q", "--id", "1sp7"]).succeeds().stdout, "a\n");
    let b = get(&program, "b");
    assert_eq!((&b["driver_name"], &b["external_id"]), (&"d".into(), &"e".into()));
}

#[test]
fn a_page_token_is_good_for_its_own_list_only() {
    let program = home();
    let page = |arguments: &[&str]| program.run([&["list", "-o", "json", "--limit", "1"], arguments].concat());
    let asked = ["--docker-registry", "false", "--sort", "-created"];
    let first = page(&asked).succeeds().json();
    let token = first["next_page"].as_str().expect("there is more").to_owned();
    let second = page(&[&asked[..], &["--page-token", &token]].concat()).succeeds().json();
    assert_eq!(second["next_page"], serde_json::Value::Null);
    assert_ne!(first["items"][0]["name"], second["items"][0]["name"]);
    // a token may begin with a hyphen and is no flag then
    page(&[&asked[..], &["--page-token", "-LL"]].concat()).fails(2).says("page token");
    for other in [
        vec![],
        vec!["--docker-registry", "true", "--sort", "-created"],
        vec!["--docker-registry", "false", "--sort", "created"],
        vec!["--docker-registry", "false", "--sort", "-created", "--all"],
        vec!["--docker-registry", "false", "--sort", "-created", "--host", "quay.io"],
    ] {
        page(&[&other[..], &["--page-token", &token]].concat()).fails(2).says("does not belong");
    }
    for changed in [&token[1..], &format!("{token}x"), "", "MQ"] {
        page(&[&asked[..], &["--page-token", changed]].concat()).fails(2);
    }
}
