//! Pruning by rules: what goes, what never does, and how much at once.

use std::collections::BTreeSet;

use regctl::serve::{Running, Settings, Storage, TooMany, sample};

use super::*;
use crate::support::content::Pusher;
use crate::support::docker_registry::{DockerRegistry, Setup};

const NOW: &str = "2026-11-20T12:00:00Z";

impl Lab {
    /// Builds `ci-1` to `ci-N`, the last the youngest: their configs say so.
    fn builds(&self, count: u32) -> Vec<Digest> {
        (1..=count).map(|number| self.built(&[&format!("ci-{number}")], &format!("2026-10-{number:02}T00:00:00Z"))).collect()
    }

    fn built(&self, tags: &[&str], date: &str) -> Digest {
        let config = format!(r#"{{"architecture":"amd64","os":"linux","created":"{date}","author":"{}"}}"#, tags.join(" "));
        let document = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": self.blob(media_type::OCI_CONFIG, &config),
            "layers": [self.blob(media_type::OCI_LAYER_GZIP, &format!("layer of {}", tags.join(" ")))],
        });
        self.put(tags, media_type::OCI_MANIFEST, &document)
    }

    fn prune(&self, line: &str) -> Finished {
        let line = format!("prune app {line}");
        self.program.call(line.split(' ').filter(|word| !word.is_empty())).env("REGCTL_NOW", NOW).run()
    }
}

#[test]
fn never_without_a_rule() {
    let lab = Lab::honest();
    lab.builds(3);
    lab.prune("--yes").fails(2).says("no rule says what to delete").says("--keep-last 10");
    lab.prune("--keep v* --yes").fails(2).says("nothing would go");
    lab.prune("--keep-last 0 --yes").fails(2);
    lab.prune("--older-than soon --yes").fails(2);
    assert_eq!((lab.tags().len(), lab.count("DELETE")), (3, 0));
}

#[test]
fn the_plan_is_what_is_done_and_then_there_is_nothing_left() {
    let lab = Lab::honest();
    lab.builds(9);
    lab.built(&["v1", "ci-old"], "2026-01-01T00:00:00Z");
    let line = "--keep-last 4 --match ci-* --keep v*";
    let planned = lab.prune(&format!("{line} --force-large --dry-run")).succeeds();
    assert_eq!((lab.count("DELETE"), lab.tags().len()), (0, 11));
    insta::assert_snapshot!(planned.stdout, @r"
    lab/app
      KEEP    ci-9 … ci-6  newest 4 that match                (4 tags)
      KEEP    ci-old       same digest as v1, which is kept
      DELETE  ci-5 … ci-1  not among the newest 4 that match  (5 tags)
    5 tags and 5 manifests go; about 2.5 kB are no longer referenced.
    The space comes back when the registry's own garbage collection runs (distribution: registry garbage-collect, without -m).
    ");
    let done = lab.prune(&format!("{line} --force-large --yes")).succeeds();
    assert_eq!(done.stdout, planned.stdout, "a dry run and the run print the same");
    assert_eq!(lab.tags(), ["ci-6", "ci-7", "ci-8", "ci-9", "ci-old", "v1"]);
    lab.prune(&format!("{line} --yes")).succeeds().says("nothing to prune");
}

#[test]
fn how_much_may_go_at_once() {
    let lab = Lab::honest();
    lab.builds(10);
    lab.prune("--keep-last 4 --yes").exits(8).says("more than half of the tags of lab/app").says("--force-large");
    lab.prune("--keep-last 8 --max-delete 1 --yes").exits(8).says("--max-delete");
    lab.prune("--keep-last 8").exits(8);
    assert_eq!((lab.tags().len(), lab.count("DELETE")), (10, 0));
    lab.prune("--keep-last 8 --max-delete 2 --yes").succeeds();
    assert_eq!(lab.tags().len(), 8);
}

/// The mistake of so many clean-ups (acr-cli#189, action-ghcr-prune#41, ghcr-cleanup-action and others): images of an index have no tag.
#[test]
fn images_of_an_index_that_stays_are_not_untagged_rubbish() {
    let lab = Lab::honest();
    let (one, two) = (lab.image(&[], "amd64"), lab.image(&[], "arm64"));
    let index = lab.index(&["v1"], &[&one, &two]);
    let signature = lab.attach(&[], &index, "application/vnd.example.signature");
    lab.prune("--untagged --orphaned-referrers --yes").succeeds();
    lab.prune("--untagged --keep-last 1 --yes").succeeds();
    assert!([&one, &two, &index, &signature].into_iter().all(|digest| lab.has(digest)));
}

#[test]
fn what_is_in_use_stays() {
    let lab = Lab::honest();
    let builds = lab.builds(4);
    let file = lab.program.home().join("live.txt");
    let line = format!("--older-than 1d --exclude-file {} --force-large --yes", file.display());
    std::fs::write(&file, "lab/app:ci-1\nthis is no reference!\n").unwrap();
    lab.prune(&line).fails(2).says("live.txt");
    assert_eq!(lab.tags().len(), 4, "what a line meant would have lost its protection");
    std::fs::write(&file, format!("# from the cluster\nlab/app:ci-1\nsome.host/app@{}\n", builds[2])).unwrap();
    lab.prune(&line).succeeds();
    assert_eq!(lab.tags(), ["ci-1", "ci-3"]);
}

#[test]
fn what_can_not_be_read_is_not_pruned() {
    let lab = Lab::honest();
    let builds = lab.builds(3);
    let missing = Digest::sha256(b"nowhere");
    lab.index(&["broken"], &[&builds[0], &missing]);
    let other = lab.server.storage();
    sample::many_tags(other, &"other".parse().unwrap(), 4, NOW.parse().unwrap()).unwrap();
    let cut = Lab::new(Behaviour { broken_repository: Some("app".into()), ..Behaviour::default() });
    cut.builds(3);
    sample::many_tags(cut.server.storage(), &"other".parse().unwrap(), 4, NOW.parse().unwrap()).unwrap();
    let line = ["prune", "lab", "--keep-last", "3", "--yes"];
    cut.program.call(line).env("REGCTL_NOW", NOW).run().exits(9).says("nothing is deleted in lab/app");
    assert_eq!(cut.tags().len(), 3);
    assert_eq!(cut.server.storage().tags(&"other".parse().unwrap()).unwrap().len(), 3, "one bad repository doesn't stop the rest");
}

#[test]
fn where_deleting_is_switched_off_or_slow_or_refused_half_way() {
    let off = Lab::new(Behaviour { delete: false, ..Behaviour::default() });
    off.builds(4);
    off.prune("--keep-last 2 --yes").exits(7);
    assert_eq!(off.tags().len(), 4);

    let busy = Lab::new(Behaviour {
        too_many: Some(TooMany::Every(4)),
        retry_after: std::time::Duration::ZERO,
        ..Behaviour::distribution_2_8()
    });
    busy.builds(20);
    busy.prune("--keep-last 10 --yes").succeeds();
    assert_eq!(busy.tags().len(), 10);

    let stops = Lab::new(Behaviour { deletes_allowed: Some(3), ..Behaviour::distribution_2_8() });
    stops.builds(20);
    let partly = stops.prune("--keep-last 10 --yes").exits(9);
    assert!(partly.stderr.contains("regctl undo"), "{partly}");
    let left = stops.tags().len();
    assert!(left > 10 && left < 20, "{left} tags are left");
}

#[test]
fn prune_then_undo_brings_back_every_byte() {
    for lab in [Lab::honest(), Lab::like_2_8()] {
        lab.builds(6);
        let (one, two) = (lab.image(&[], "amd64"), lab.image(&[], "arm64"));
        lab.index(&["old-index"], &[&one, &two]);
        let before = lab.holdings();
        lab.prune("--keep-last 2 --force-large --untagged --yes").succeeds();
        assert!(lab.holdings().manifests.len() < before.manifests.len());
        lab.run("undo").succeeds();
        assert_eq!(lab.holdings(), before);
    }
}

/// The rules of the entry, and a plan that is carried out later.
#[test]
fn by_the_entrys_rules_and_by_a_saved_plan() {
    let lab = Lab::honest();
    lab.builds(6);
    lab.run("update lab --retention keep_last=4").succeeds();
    let file = lab.program.home().join("plan.json");
    lab.prune(&format!("--plan {}", file.display())).succeeds().says("saved the plan");
    // one that should go moves to something that should stay
    let moved = lab.tag("ci-6").unwrap();
    let manifest = lab.server.storage().manifest(&lab.repository, &moved).unwrap();
    lab.server.storage().put_manifest(&lab.repository, manifest, Some(&"ci-1".parse().unwrap())).unwrap();
    lab.program.run(["apply-plan", file.to_str().unwrap(), "--yes"]);
    assert_eq!(lab.tag("ci-1"), Some(moved), "what has moved is skipped");
    assert_eq!(lab.tag("ci-2"), None);
}

#[test]
fn what_a_timer_starts() {
    let lab = Lab::honest();
    lab.builds(6);
    let at = |now: &str, line: &str| lab.program.call(line.split(' ')).env("REGCTL_NOW", now).run();
    at(NOW, "prune --scheduled lab").fails(2).says("no retention rules");
    at(NOW, "prune --scheduled lab --keep-last 1").fails(2);
    at("2026-11-20T12:00:00Z", "update lab --retention keep_last=5 --gc-days Sat --gc-time 02:00").succeeds();
    at("2026-11-20T13:00:00Z", "prune --due").succeeds().says("nothing is due");
    // Saturday 02:00 is over
    at("2026-11-21T02:30:00Z", "prune --due --dry-run").succeeds();
    assert_eq!(lab.tags().len(), 6, "a look at the plan is no run");
    at("2026-11-21T02:30:00Z", "prune --due").succeeds();
    assert_eq!(lab.tags().len(), 5);
    lab.built(&["ci-7"], "2026-11-20T00:00:00Z");
    at("2026-11-21T03:00:00Z", "prune --due").succeeds().says("nothing is due");
    assert_eq!(lab.tags().len(), 6, "once a slot");
    at("2026-11-21T03:00:00Z", "prune --scheduled lab").succeeds();
    assert_eq!(lab.tags().len(), 5, "a timer knows when");
    at("2026-11-28T02:00:00Z", "prune --due").succeeds();
    lab.run("deactivate lab").succeeds();
    at("2026-12-05T02:00:00Z", "prune --scheduled lab").fails(4);
}

/// Several schedulers at once, and after one that was killed half way: a slot is run once.
#[test]
fn a_slot_belongs_to_one_run() {
    let lab = Lab::new(Behaviour { latency: std::time::Duration::from_millis(20), ..Behaviour::default() });
    lab.builds(6);
    let at = |now: &str, line: &str| lab.program.call(line.split(' ')).env("REGCTL_NOW", now);
    at("2026-11-20T12:00:00Z", "update lab --retention keep_last=5 --gc-days Sat --gc-time 02:00").run().succeeds();
    let listed = || lab.server.requests().iter().filter(|sent| sent.path.contains("/tags/list")).count();

    let alone = at("2026-11-21T02:30:00Z", "prune --due --dry-run").run().succeeds();
    let in_one_run = listed();
    assert!(in_one_run > 0, "{alone}");
    lab.server.forget();
    let running: Vec<_> = (0..6).map(|_| at("2026-11-21T02:30:00Z", "prune --due").spawn()).collect();
    for finished in running.into_iter().map(crate::support::program::Running::wait) {
        finished.succeeds();
    }
    assert_eq!((listed(), lab.runs().len(), lab.tags().len()), (in_one_run, 1, 5));

    lab.built(&["ci-7"], "2026-11-20T00:00:00Z");
    lab.server.forget();
    let next = "2026-11-28T02:30:00Z";
    let running = at(next, "prune --due").spawn();
    while lab.server.counters().requests == 0 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    running.kill();
    at(next, "prune --due").run().succeeds().says("nothing is due");
    assert_eq!(lab.tags().len(), 6, "what it left over is for the next slot");
    at("2026-12-05T02:30:00Z", "prune --due").run().succeeds();
    assert_eq!(lab.tags().len(), 5);
}

/// A thousand of two thousand, side by side: one DELETE each, and no more than a few connections.
#[test]
fn many_at_once() {
    const TAGS: usize = 2000;
    let storage = Storage::memory();
    sample::many_tags(&storage, &"app".parse().unwrap(), TAGS, NOW.parse().unwrap()).unwrap();
    let server = Running::start(Settings { behaviour: Behaviour::distribution_2_8(), ..Settings::new(storage) }).unwrap();
    let program = Program::new();
    let line = ["prune", "app", "-r", &server.url(), "--keep-last", "1000", "--yes", "-o", "json"];
    let applied = program.call(line).env("REGCTL_NOW", NOW).run().succeeds().json();
    assert_eq!(applied["items"].as_array().map(Vec::len), Some(1000), "{applied}");
    assert_eq!(server.storage().tags(&"app".parse().unwrap()).unwrap().len(), 1000);
    let deletes = server.requests().iter().filter(|request| request.method == "DELETE").count();
    assert!(deletes <= 1002, "{deletes} DELETEs");
    assert!(server.counters().connections <= 64);
}

/// The registry that most people run: it takes all tags of a digest at once.
#[test]
fn on_docker_registry() {
    let Some(registry) = DockerRegistry::start(Setup::Plain) else { return };
    let pusher = Pusher::new(registry.address());
    let (index, children) = pusher.index("app", "multi", &["amd64", "arm64"]);
    pusher.image("app", &["ci-1", "v1"], "one");
    for number in 2..=5 {
        pusher.image("app", &[&format!("ci-{number}")], &number.to_string());
    }
    let program = Program::new();
    program.run(["add", "real", &registry.address()]).succeeds();
    program.run(["prune", "real/app", "--untagged", "--yes"]).succeeds();
    program.run(["prune", "real/app", "--match", "ci-*", "--keep-last", "2", "--keep", "v*", "--yes"]).succeeds();
    assert_eq!(pusher.tags("app"), ["ci-1", "ci-4", "ci-5", "multi", "v1"], "ci-1 is what v1 is");
    assert_eq!(pusher.digest_of("app", "multi"), Some(index));
    let there: BTreeSet<bool> =
        children.iter().map(|child| program.run(["manifest", "head", &format!("real/app@{child}")]).code == Some(0)).collect();
    assert_eq!(there, BTreeSet::from([true]), "the images of the index");
    program.run(["undo"]).succeeds();
    assert_eq!(pusher.tags("app"), ["ci-1", "ci-2", "ci-3", "ci-4", "ci-5", "multi", "v1"]);
}
