//! `regctl update`: a patch, and what it takes along.

use crate::support::program::{Finished, Program};

fn home() -> Program {
    let program = Program::new();
    program.write_catalogue(
        "[registry.prod]\naddress = \"https://a.example\" # here\nusername = \"bob\"\nlocation = \"de/fra\"\nlabels = { env = \"prod\" }\n\
         [registry.lab]\naddress = \"https://lab.example\"\n",
    );
    program
}

fn update(program: &Program, arguments: &[&str]) -> Finished {
    program.run([&["update", "prod"], arguments].concat())
}

fn get(program: &Program, name: &str) -> serde_json::Value {
    program.run(["get", name, "-o", "json"]).succeeds().json()
}

#[test]
fn only_what_is_named_changes() {
    let program = home();
    let before = get(&program, "prod");
    update(&program, &["--description", "d", "--label", "team=x"]).succeeds().says("updated prod: ");
    let after = get(&program, "prod");
    assert_eq!((&after["id"], &after["description"]), (&before["id"], &"d".into()));
    assert_eq!(after["labels"], serde_json::json!({ "env": "prod", "team": "x" }));
    let text = std::fs::read(program.catalogue()).expect("it is there");
    update(&program, &["--description", "d"]).succeeds().says("unchanged");
    assert_eq!(std::fs::read(program.catalogue()).expect("it is there"), text);
    update(&program, &["--unset", "description", "--remove-label", "env", "--remove-label", "team"]).succeeds();
    assert_eq!((&get(&program, "prod")["description"], &get(&program, "prod")["labels"]), (&().into(), &serde_json::json!({})));
    update(&program, &["--name", "main"]).succeeds();
    assert_eq!(get(&program, "main")["id"], before["id"]);
    program.run(["get", "prod"]).fails(3);
}

#[test]
fn another_host_gets_no_credential() {
    let program = home();
    update(&program, &["--address", "https://b.example", "--keep-credentials"]).succeeds();
    assert_eq!(get(&program, "prod")["credential"], "keyring");
    update(&program, &["--address", "https://c.example"]).succeeds().says("left behind").says("regctl login prod");
    assert_eq!((&get(&program, "prod")["credential"], &get(&program, "prod")["username"]), (&"none".into(), &"bob".into()));
}

#[test]
fn half_a_schedule_keeps_the_other_half() {
    let program = home();
    update(&program, &["--gc-days", "Sat,sunday", "--gc-time", "19:30"]).succeeds();
    let schedule = |days: &[&str]| serde_json::json!({ "days": days, "time": "19:30:00+00:00" });
    assert_eq!(get(&program, "prod")["garbage_collection_schedule"], schedule(&["Saturday", "Sunday"]));
    update(&program, &["--gc-days", "Monday"]).succeeds();
    assert_eq!(get(&program, "prod")["garbage_collection_schedule"], schedule(&["Monday"]));
    update(&program, &["--unset", "garbage_collection_schedule"]).succeeds();
    assert_eq!(get(&program, "prod")["garbage_collection_schedule"], serde_json::Value::Null);
}

#[test]
fn what_is_refused_changes_nothing() {
    let program = home();
    let before = program.files();
    for (arguments, exit, words) in [
        (vec![], 2, "nothing to change"),
        (vec!["--unset", "colour"], 2, "one of provider"),
        (vec!["--unset", "desription"], 2, "did you mean description?"),
        (vec!["--unset", "id"], 2, "never changes"),
        (vec!["--location", "de/txl"], 2, "set once"),
        (vec!["--name", "lab"], 4, "already"),
        (vec!["--name", "Lab"], 2, "upper-case"),
        (vec!["--remove-allow-subnet", "10.0.0.1"], 2, "not in the allow-list"),
        (vec!["--credential", "command"], 2, "needs a command"),
        (vec!["--client-cert", "missing.pem"], 2, "missing.pem"),
    ] {
        update(&program, &arguments).fails(exit).says(words);
    }
    program.run(["update", "prdo", "--description", "d"]).fails(3).says("did you mean prod?");
    let mut after = program.files();
    after.retain(|path, _| !path.ends_with("catalogue.toml.lock"));
    assert_eq!(after, before);
}

#[test]
fn a_removed_entry_is_restored_first() {
    let program = home();
    program.run(["remove", "prod"]).succeeds();
    update(&program, &["--description", "d"]).fails(4).says("regctl restore prod");
}
