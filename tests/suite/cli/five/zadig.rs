//! Zadig: one default, providers with their regions, TLS, namespaces.

use super::{add, get};
use crate::support::canned::{Answer, Canned};
use crate::support::program::Program;

fn defaults(program: &Program) -> Vec<String> {
    let listed = program.run(["list", "-o", "json"]).succeeds().json();
    let items = listed["items"].as_array().expect("a list").iter().filter(|item| item["is_default"] == true);
    items.map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn there_is_never_more_than_one_default() {
    let program = Program::new();
    add(&program, &["a", "https://a.example", "--no-default"]).succeeds();
    assert!(defaults(&program).is_empty(), "the first one was told not to be");
    add(&program, &["b", "https://b.example", "--default"]).succeeds().says("now the default");
    add(&program, &["c", "https://c.example", "--default"]).succeeds().says("now the default instead of b");
    assert_eq!(defaults(&program), ["c"]);
    add(&program, &["d", "https://d.example", "--default", "--inactive"]).fails(2);
    program.run(["remove", "c"]).succeeds().says("c was the default; there is none now");
    assert!(defaults(&program).is_empty(), "nothing else is promoted");
    program.run(["restore", "c"]).succeeds();
    assert!(defaults(&program).is_empty());
    program.run(["set-default", "c"]).fails(4).says("regctl activate c");
    program.run(["activate", "c"]).succeeds();
    assert!(defaults(&program).is_empty());
    program.run(["tag", "list", "app"]).fails(2).says("no default").says("regctl set-default NAME");
}

#[test]
fn a_ghost_default_widens_to_nothing() {
    let program = Program::new();
    program.write_catalogue("default = \"ghost\"\n[registry.a]\naddress = \"https://a.example\"\n");
    program.run(["list"]).succeeds().says("ghost");
    program.run(["tag", "list", "app"]).fails(3).says("ghost").says("set-default");
    program.run(["repo", "list"]).fails(3);
}

#[test]
fn providers_and_regions() {
    let ecr = "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    for (arguments, provider, region) in [
        (vec![ecr], "ecr", Some("eu-west-1")),
        (vec![ecr, "--region", "eu-west-1"], "ecr", Some("eu-west-1")),
        (vec!["https://ecr.corp.example", "--provider", "ecr", "--region", "us-east-1"], "ecr", Some("us-east-1")),
        (vec!["https://swr.cn-north-4.myhuaweicloud.com"], "swr", Some("cn-north-4")),
        (vec!["https://a.example", "--provider", "swr", "--username", "cn-north-4@AK"], "swr", None),
        (vec!["https://a.example"], "native", None),
        (vec!["https://a.example", "--provider", "nexus"], "nexus", None),
        (vec!["docker.io"], "dockerhub", None),
    ] {
        let program = Program::new();
        add(&program, &[&["a"], &arguments[..]].concat()).succeeds();
        let entry = get(&program, "a");
        assert_eq!((entry["provider"].as_str(), entry["region"].as_str()), (Some(provider), region), "{arguments:?}");
    }
    let program = Program::new();
    for (arguments, words) in [
        (vec!["https://a.example", "--provider", "ecr"], "region is required for ecr"),
        (vec!["https://a.example", "--provider", "swr"], "region is required for swr"),
        (vec!["https://a.example", "--provider", "swr", "--username", "AK"], "region is required for swr"),
        (vec![ecr, "--region", "us-east-1"], "contradicts"),
        (vec!["https://a.example", "--provider", "foo"], "native"),
    ] {
        add(&program, &[&["a"], &arguments[..]].concat()).fails(2).says(words);
    }
    // all eight of Zadig, and the others
    for provider in ["acr", "tcr", "swr", "ecr", "dockerhub", "harbor", "nexus", "native", "ionos", "ghcr"] {
        add(&program, &[provider, &format!("https://{provider}.example"), "--provider", provider, "--region", "eu-west-1"])
            .succeeds();
    }
}

#[test]
fn a_namespace_is_the_beginning_of_every_name() {
    let server = Canned::start(|request| match request.target.as_str() {
        "/v2/" => Answer::new(200, "application/json", "{}"),
        _ => Answer::new(200, "application/json", "{\"name\": \"x\", \"tags\": [\"v1\"]}"),
    });
    let program = Program::new();
    add(&program, &["local", &format!("http://{}", server.address()), "--namespace", "team-a"]).succeeds();
    program.run(["tag", "list", "local/app"]).succeeds().shows("v1");
    program.run(["tag", "list", "app"]).succeeds();
    program.run(["tag", "list", "//other/app"]).succeeds();
    let lists: Vec<String> = server
        .received()
        .into_iter()
        .filter_map(|request| {
            request.target.contains("/tags/list").then(|| request.target.split('?').next().unwrap_or_default().to_owned())
        })
        .collect();
    assert_eq!(lists, ["/v2/team-a/app/tags/list", "/v2/team-a/app/tags/list", "/v2/other/app/tags/list"]);
}
