//! `regctl list` and `regctl get`: what is in the catalogue, without the network.

use crate::support::program::Program;

fn home() -> Program {
    let program = Program::new();
    program.write_catalogue(
        r#"default = "prod"
[registry.prod]
id = "0198c0de-0000-7000-8000-000000000001"
address = "https://harbor.example.com"
provider = "harbor"
namespace = "team-a"
labels = { env = "prod" }
location = "de/fra"
[registry.hub]
id = "0198c0de-0000-7000-8000-000000000002"
address = "https://registry-1.docker.io"
provider = "dockerhub"
namespace = "acme"
[registry.oldlab]
address = "http://10.0.0.7:5000"
state = "inactive"
[registry.gone]
address = "https://gone.example"
state = "removed"
removed_at = 2026-11-01T00:00:00Z
"#,
    );
    program
}

fn names(program: &Program, arguments: &[&str]) -> Vec<String> {
    let finished = program.run([&["list", "-q"], arguments].concat()).succeeds();
    finished.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn as_a_person_sees_it() {
    insta::assert_snapshot!(home().run(["list"]), @"
    $ regctl list
    NAME    ADDRESS                       PROVIDER   NAMESPACE  STATE     DEFAULT
    hub     https://registry-1.docker.io  dockerhub  acme       active
    oldlab  http://10.0.0.7:5000          native                inactive
    prod    https://harbor.example.com    harbor     team-a     active    *
    ");
    insta::assert_snapshot!(home().run(["ls", "--all", "--columns", "name,state", "--sort", "-name"]), @"
    $ regctl ls --all --columns name,state --sort -name
    NAME    STATE
    prod    active
    oldlab  inactive
    hub     active
    gone    removed
    ");
    insta::assert_snapshot!(Program::new().run(["list"]), @"
    $ regctl list
    │ no registries yet
    │   try: regctl add NAME ADDRESS
    ");
}

#[test]
fn filters_and_orders() {
    let program = home();
    for (arguments, expected) in [
        (vec![], vec!["hub", "oldlab", "prod"]),
        (vec!["--all"], vec!["gone", "hub", "oldlab", "prod"]),
        (vec!["--state", "removed"], vec!["gone"]),
        (vec!["--name", "*o*"], vec!["oldlab", "prod"]),
        (vec!["--host", "docker.io"], vec!["hub"]),
        (vec!["--id", "0198c0de-0000-7000-8000-000000000001"], vec!["prod"]),
        (vec!["--provider", "native"], vec!["oldlab"]),
        (vec!["--docker-registry", "true"], vec!["hub"]),
        (vec!["--docker-registry", "false"], vec!["oldlab", "prod"]),
        (vec!["--location", "de/fra"], vec!["prod"]),
        (vec!["--label", "env=prod"], vec!["prod"]),
        (vec!["--label", "env"], vec!["prod"]),
        (vec!["--sort", "-name"], vec!["prod", "oldlab", "hub"]),
    ] {
        assert_eq!(names(&program, &arguments), expected, "{arguments:?}");
    }
    for bad in [["--docker-registry", "maybe"], ["--sort", "size"], ["--limit", "0"], ["--page-token", "x"], ["--state", "gone"]] {
        program.run([&["list"], &bad[..]].concat()).fails(2);
    }
}

#[test]
fn pages_end() {
    let program = home();
    let first = program.run(["list", "--limit", "2", "-o", "json"]).succeeds().json();
    assert_eq!((first["items"].as_array().map(Vec::len), &first["failed"]), (Some(2), &serde_json::json!([])));
    let token = first["next_page"].as_str().expect("there is more");
    let second = program.run(["list", "--limit", "2", "-o", "json", "--page-token", token]).succeeds().json();
    assert_eq!((&second["items"][0]["name"], &second["next_page"]), (&"prod".into(), &serde_json::Value::Null));
    program.run(["list", "--all", "--page-token", token]).fails(2).says("does not belong");
    let empty = program.run(["list", "--name", "nobody", "-o", "json"]).succeeds().json();
    assert_eq!(empty, serde_json::json!({ "items": [], "failed": [], "next_page": null }));
}

#[test]
fn one_registry_by_any_of_its_names() {
    let program = home();
    for (given, name) in [
        ("prod", "prod"),
        ("0198c0de-0000-7000-8000-000000000002", "hub"),
        ("docker.io", "hub"),
        ("registry-1.docker.io", "hub"),
        ("10.0.0.7:5000", "oldlab"),
        ("gone", "gone"),
    ] {
        assert_eq!(program.run(["get", given, "-o", "name"]).succeeds().stdout, format!("{name}\n"), "{given}");
    }
    program.run(["get", "0198c0de"]).fails(4).says("hub, prod");
    program.run(["get", "prdo"]).fails(3).says("did you mean prod?");
    let error = program.run(["show", "prdo", "-o", "json"]).fails(3).stderr;
    let error: serde_json::Value = serde_json::from_str(&error).expect("an error object");
    assert_eq!(error["error"]["code"], "not_found");
    insta::assert_snapshot!(program.run(["get", "prod", "--actions"]), @"
    $ regctl get prod --actions
    prod
      check       regctl check prod
      deactivate  regctl deactivate prod
      remove      regctl remove prod
      update      regctl update prod
    ");
    insta::assert_snapshot!(program.run(["get", "gone", "--actions", "-o", "json"]), @r#"
    $ regctl get gone --actions -o json
    {
      "purge": "regctl purge gone",
      "restore": "regctl restore gone"
    }
    "#);
}

#[test]
fn a_ghost_default_is_a_warning() {
    let program = Program::new();
    program.write_catalogue("default = \"ghost\"\n[registry.a]\naddress = \"https://a.example\"\n");
    program.run(["list"]).succeeds().says("ghost").shows("https://a.example");
}
