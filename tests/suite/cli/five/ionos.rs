//! IONOS: subnets, schedules, locations. That connections keep to subnets is tested with the allow-list.

use super::{add, get, written};
use crate::support::program::Program;

#[test]
fn subnets() {
    let program = Program::new();
    for (given, effect, kept) in [
        (&["10.1.2.3/8"][..], "restricted", &["10.0.0.0/8"][..]),
        (&["203.0.113.7", "2001:db8::1"], "restricted", &["203.0.113.7", "2001:db8::1"]),
        (&["0.0.0.0/0"], "deny-all", &["0.0.0.0/0"]),
        (&["::ffff:192.0.2.1"], "restricted", &["192.0.2.1"]),
        (&[], "unrestricted", &[]),
    ] {
        let options: Vec<&str> = given.iter().flat_map(|subnet| ["--allow-subnet", *subnet]).collect();
        add(&program, &[&["a", "https://a.example"], &options[..]].concat()).succeeds();
        let entry = get(&program, "a");
        assert_eq!((entry["allow_subnets_effect"].as_str(), &entry["allow_subnets"]), (Some(effect), &serde_json::json!(kept)));
        program.run(["remove", "a"]).succeeds();
        program.run(["purge", "a"]).succeeds();
    }
    let before = written(&program);
    for bad in ["::/0", "1.2.3.4/33", "example.com", "fe80::1%eth0", "010.1.1.1", "2001:db8::/129", "10.0.0.0/08", ""] {
        add(&program, &["a", "https://a.example", "--allow-subnet", bad]).fails(2);
    }
    let many: Vec<String> = (0..26).map(|number| format!("--allow-subnet=10.0.0.{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    add(&program, &[&["a", "https://a.example"], &many[..]].concat()).fails(2).says("at most 25");
    assert_eq!(written(&program), before);
    add(&program, &[&["a", "https://a.example"], &many[..25]].concat()).succeeds();
    program.run(["update", "a", "--allow-subnet", "10.0.0.25"]).fails(2).says("at most 25");
}

#[test]
fn schedules() {
    let program = Program::new();
    add(&program, &["a", "https://a.example", "--gc-days", "Sat,sunday", "--gc-time", "19:30"]).succeeds();
    let schedule = |days: &[&str], time: &str| serde_json::json!({ "days": days, "time": time });
    assert_eq!(get(&program, "a")["garbage_collection_schedule"], schedule(&["Saturday", "Sunday"], "19:30:00+00:00"));
    program.run(["update", "a", "--gc-days", "Monday"]).succeeds();
    assert_eq!(get(&program, "a")["garbage_collection_schedule"], schedule(&["Monday"], "19:30:00+00:00"));
    program.run(["update", "a", "--gc-time", "01:00:00+02:00", "--gc-days", "wed,MON,Monday"]).succeeds();
    assert_eq!(get(&program, "a")["garbage_collection_schedule"], schedule(&["Monday", "Wednesday"], "01:00:00+02:00"));
    for (options, words) in [
        (["--gc-days", "Modnday"], "did you mean Monday?"),
        (["--gc-days", "Mo"], "three letters"),
        (["--gc-days", ""], "not a day"),
        (["--gc-time", "24:00"], "00 to 23"),
        (["--gc-time", "12:60"], "00 to 59"),
        (["--gc-time", "12:00:60"], "00 to 59"),
        (["--gc-time", "noon"], "HH:MM"),
    ] {
        program.run([&["update", "a"], &options[..]].concat()).fails(2).says(words);
    }
}

#[test]
fn a_registry_that_has_no_hostname_yet() {
    let program = Program::new();
    program.write_catalogue("[registry.new]\nprovider = \"ionos\"\nlocation = \"de/fra\"\nstate = \"inactive\"\n");
    let entry = get(&program, "new");
    assert_eq!((&entry["address"], &entry["resource_uri"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    program.run(["list"]).succeeds().shows("new");
    program.run(["activate", "new"]).succeeds();
    program.run(["repo", "list", "new"]).exits(4).says("no hostname yet");
}
