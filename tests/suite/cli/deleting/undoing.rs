//! What was deleted comes back (SPEC §8.4).

use regctl::serve::Behaviour;

use super::Lab;
use crate::support::content::Pusher;
use crate::support::docker_registry::{DockerRegistry, Setup};
use crate::support::program::Program;

#[test]
fn on_docker_registry_everything_comes_back_byte_for_byte() {
    let Some(registry) = DockerRegistry::start(Setup::Plain) else { return };
    let pusher = Pusher::new(registry.address());
    pusher.image("app", &["v1", "stable"], "shared");
    pusher.index("app", "multi", &["amd64", "arm64"]);
    let program = Program::new();
    program.run(["add", "lab", &registry.address(), "--plain-http"]).succeeds();
    let manifests = || {
        let raw = |tag: &str| program.run(["manifest", "get", &format!("app:{tag}")]).succeeds().stdout;
        ["v1", "stable", "multi"].map(raw)
    };
    let before = manifests();
    program.run(["repo", "delete", "app", "--yes"]).succeeds();
    assert!(pusher.tags("app").is_empty());
    program.run(["undo"]).succeeds();
    assert_eq!(manifests(), before);
    program.run(["inspect", "app:multi"]).succeeds().shows("arm64");
}

#[test]
fn twice_is_no_more_than_once() {
    let lab = Lab::honest();
    lab.image(&["v1"], "one");
    lab.run("undo").fails(3).says("regctl history");
    lab.run("manifest delete app:v1 --yes").succeeds();
    let run = lab.runs().remove(0);
    lab.run(&format!("undo {run} --dry-run")).succeeds().shows("can be put back").says("Nothing has changed");
    assert!(lab.tags().is_empty());
    lab.run(&format!("undo {run}")).succeeds().says("is back");
    lab.server.forget();
    lab.run(&format!("undo {run}")).succeeds().says("everything is there already");
    assert_eq!(lab.count("PUT"), 0);
    lab.run("undo 2222").fails(3).says("there is no run 2222");
    lab.run("undo ../../x").fails(2);
}

#[test]
fn a_tag_that_is_on_something_else_by_now_stays_there() {
    let lab = Lab::honest();
    let old = lab.image(&["v1"], "old");
    lab.image(&["v2"], "second");
    lab.run("tag delete app:v1 --yes").succeeds();
    let new = lab.image(&["v1"], "new");
    lab.run("undo").exits(4).says("was left alone").says("--force");
    assert_eq!(lab.tag("v1"), Some(new));
    lab.run("undo --force").succeeds();
    assert_eq!(lab.tag("v1"), Some(old));

    // what can come back does
    lab.run("tag delete app:v1 app:v2 --yes").succeeds();
    lab.image(&["v1"], "new");
    lab.run("undo").exits(9).says("lab/app:v2 is back");
}

#[test]
fn blobs_that_are_gone_are_named() {
    let lab = Lab::honest();
    let image = lab.image(&["v1"], "one");
    let index = lab.index(&["multi"], &[&image]);
    lab.run("repo delete app --yes").succeeds();
    let layer = regctl::oci::Digest::sha256(b"layer of one");
    lab.server.storage().delete_blob(&lab.repository, &layer).unwrap();
    let told = lab.run("undo").exits(1).says(&format!("no longer holds its blob {layer}"));
    told.says(&format!("no longer holds {image}, which it lists")).says("garbage collection");
    assert!(!lab.has(&index) && lab.tags().is_empty());
}

#[test]
fn one_thing_of_a_run_with_what_belongs_to_it() {
    let lab = Lab::honest();
    let image = lab.image(&[], "one");
    let index = lab.index(&["multi", "latest"], &[&image]);
    let signature = lab.attach(&[], &index, "a/signature");
    lab.image(&["other"], "other");
    lab.run("repo delete app --yes").succeeds();
    lab.run("undo --only app:nothing").fails(3).says("regctl history");
    lab.run("undo --only lab/app:multi").succeeds();
    assert_eq!((lab.tags(), lab.has(&image), lab.has(&signature)), (vec!["multi".to_owned()], true, true));
    lab.run("undo --only app:other").succeeds();
    assert_eq!(lab.tags(), ["multi", "other"]);
}

#[test]
fn history_tells_what_was_done() {
    let lab = Lab::honest();
    lab.image(&["v1", "v2"], "one");
    assert_eq!(lab.run("history -o json").succeeds().json()["items"], serde_json::json!([]));
    lab.run("tag delete app:v1 --yes").succeeds();
    lab.run("tag delete app:v2 --yes").succeeds();
    let list = lab.run("history -o json").succeeds().json();
    assert_eq!(list["items"][0]["command"], "regctl tag delete app:v2 --yes", "youngest first");
    assert_eq!((&list["items"][1]["results"]["untagged"], &list["items"][1]["state"]), (&1.into(), &"ended".into()));
    let run = list["items"][1]["id"].as_str().unwrap();
    let shown = lab.run(&format!("history {run} -o json")).succeeds().json();
    assert_eq!((&shown["items"][0]["reference"], &shown["items"][0]["result"]), (&"lab/app:v1".into(), &"untagged".into()));
    lab.run(&format!("undo {run}")).succeeds();
    lab.run("history").succeeds().shows("done, 1 put back");
}

#[test]
fn without_a_place_to_keep_things_nothing_is_deleted() {
    let lab = Lab::honest();
    lab.image(&["v1"], "one");
    std::fs::write(lab.program.home().join("a-file"), "").unwrap();
    let line = ["tag", "delete", "app:v1", "--yes"];
    let refused = lab.program.call(line).env("REGCTL_STATE_DIR", lab.program.home().join("a-file/state")).run();
    refused.exits(1).says("nothing has been deleted").says("a-file/state").says("--no-undo");
    assert_eq!(lab.tags(), ["v1"]);
    let mut line = line.to_vec();
    line.push("--no-undo");
    lab.program.call(line).env("REGCTL_STATE_DIR", lab.program.home().join("a-file/state")).run().succeeds();
    assert!(lab.tags().is_empty());
}

#[test]
#[cfg(unix)]
fn what_is_kept_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::honest();
    lab.image(&["v1"], "one");
    lab.run("tag delete app:v1 --yes").succeeds();
    let mut folders = vec![lab.program.home().join("state")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            let is_folder = entry.path().is_dir();
            assert_eq!(mode, if is_folder { 0o700 } else { 0o600 }, "{:?}", entry.path());
            folders.extend(is_folder.then(|| entry.path()));
        }
    }
}

#[test]
fn what_was_kept_is_an_image_layout() {
    let lab = Lab::honest();
    let digest = lab.image(&["v1"], "one");
    lab.run("manifest delete app:v1 --yes").succeeds();
    let folder = lab.program.home().join("state/runs").join(lab.runs().remove(0));
    let read = |name: &str| -> serde_json::Value { serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap() };
    assert_eq!(read("oci-layout")["imageLayoutVersion"], "1.0.0");
    assert_eq!(read("index.json")["manifests"][0]["digest"], digest.as_str());
    assert_eq!(regctl::oci::Digest::sha256(&std::fs::read(folder.join("blobs/sha256").join(digest.encoded())).unwrap()), digest);

    // damage is noticed before anything is put back
    std::fs::write(folder.join("blobs/sha256").join(digest.encoded()), "{}").unwrap();
    lab.run("undo").fails(1).says("is damaged");
}

#[test]
fn old_runs_are_let_go_of_by_the_next_one() {
    let lab = Lab::honest();
    for name in ["a", "b", "c"] {
        lab.image(&[name], name);
    }
    let at =
        |time: &str, tag: &str| lab.program.call(["tag", "delete", &format!("app:{tag}"), "--yes"]).env("REGCTL_NOW", time).run();
    at("2026-01-01T00:00:00Z", "a").succeeds();
    at("2026-01-20T00:00:00Z", "b").succeeds();
    assert_eq!(lab.runs().len(), 2);
    at("2026-02-01T00:00:00Z", "c").succeeds().says("let go of what was deleted more than");
    assert_eq!(lab.runs().len(), 2);

    let lab = Lab::honest();
    let address = lab.server.url();
    lab.program.write_catalogue(&format!(
        "default = \"lab\"\n[settings]\ntrash_retention = \"never\"\n[registry.lab]\naddress = \"{address}\"\n"
    ));
    for (time, name) in [("2020-01-01T00:00:00Z", "a"), ("2026-01-01T00:00:00Z", "b")] {
        lab.image(&[name], name);
        lab.program.call(["tag", "delete", &format!("app:{name}"), "--yes"]).env("REGCTL_NOW", time).run().succeeds();
    }
    assert_eq!(lab.runs().len(), 2);
}

#[test]
fn many_processes_lose_nothing() {
    let lab = Lab::new(Behaviour::default());
    let names: Vec<String> = (0..12).map(|number| format!("t{number}")).collect();
    for name in &names {
        lab.image(&[name], name);
    }
    let before = lab.holdings();
    let running: Vec<_> =
        names.iter().map(|name| lab.program.call(["manifest", "delete", &format!("app:{name}"), "--yes"]).spawn()).collect();
    for run in running {
        run.wait().succeeds();
    }
    assert!(lab.tags().is_empty());
    let runs = lab.runs();
    assert_eq!(runs.len(), names.len());
    for run in runs {
        lab.run(&format!("undo {run}")).succeeds();
    }
    assert_eq!(lab.holdings(), before);
}

#[test]
fn another_server_under_the_same_name_is_not_given_what_it_never_had() {
    let lab = Lab::honest();
    lab.image(&["v1"], "one");
    lab.run("tag delete app:v1 --yes").succeeds();
    let other = Lab::honest();
    lab.program.write_catalogue(&format!("[registry.lab]\naddress = \"{}\"\n", other.server.url()));
    lab.run("undo").fails(8).says("is now at");
    assert_eq!(other.server.counters().requests, 0);
}

#[test]
fn the_journal_holds_no_password() {
    let lab = Lab::honest();
    lab.image(&["v1"], "one");
    let line = ["tag", "delete", "app:v1", "--yes", "--username", "me", "--password-stdin"];
    lab.program.call(line).stdin("hunter2\n").run().succeeds();
    for (path, content) in lab.program.files() {
        assert!(!String::from_utf8_lossy(&content).contains("hunter2"), "{path:?}");
    }
    lab.run("history -o json").succeeds().shows("--password-stdin");
}

#[test]
fn a_fresh_program_has_no_history() {
    let program = Program::new();
    program.run(["history"]).succeeds().says("nothing has been deleted");
    assert!(program.files().is_empty());
}
