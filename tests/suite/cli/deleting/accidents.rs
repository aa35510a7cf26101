//! What went wrong with other tools, as their users reported it. Accidents of one kind of delete have their tests with that kind; rules of
//! retention have theirs as tables beside the decision.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use regctl::operations::apply::{self, Conditions, Done, Learnt, Newcomers};
use regctl::operations::delete::{self, Place, Reach};
use regctl::registry::Registry as _;
use regctl::serve::{Account, Auth, Running, Settings, Storage, TagDelete};

use super::*;
use crate::support::terminal::Terminal;

/// Tags `a-1` to `a-N`, each on an image of its own.
fn fill(lab: &Lab, count: u32) -> Vec<String> {
    let tags: Vec<String> = (1..=count).map(|number| format!("a-{number}")).collect();
    tags.iter().for_each(|tag| {
        lab.image(&[tag], tag);
    });
    tags
}

fn delete(lab: &Lab, tags: &[String]) -> Finished {
    let references = tags.iter().map(|tag| format!("app:{tag}\n")).collect::<String>();
    lab.program.call(["tag", "delete", "-", "--yes"]).stdin(references).run()
}

/// A dry run that deleted: this one has nothing to delete with.
#[test]
fn harbor_15332_a_dry_run_sends_nothing_that_could_change_anything() {
    let lab = Lab::new(Behaviour { tag_delete: TagDelete::TakesSiblings, ..Behaviour::default() });
    let tags = fill(&lab, 3);
    lab.image(&["b"], "a-1");
    let before = lab.holdings();
    for line in [
        format!("tag delete app:{} app:{} --dry-run", tags[0], tags[1]),
        "tag delete app:a-1 --with-siblings --dry-run".into(),
        "tag delete app:a-1 --via-placeholder --dry-run".into(),
        "manifest delete app:a-2 --dry-run".into(),
        "repo delete app --dry-run".into(),
        "prune app --older-than 0s --force-large --dry-run".into(),
        "prune app --older-than 0s --force-large --plan plan.json".into(),
        "apply-plan plan.json --dry-run".into(),
    ] {
        lab.run(&line).succeeds();
        let changes: Vec<_> = lab.server.requests().into_iter().filter(|sent| !["GET", "HEAD"].contains(&&*sent.method)).collect();
        assert!(changes.is_empty(), "{line}: {changes:?}");
    }
    assert_eq!(lab.holdings(), before);
}

/// What was printed was filtered, and what was deleted was not.
#[test]
fn registry_cli_81_what_is_not_in_the_plan_is_not_touched() {
    let lab = Lab::honest();
    fill(&lab, 4);
    lab.image(&["keep-me"], "other");
    let planned = lab.run("prune app --match a-* --older-than 0s --force-large --dry-run -o json").succeeds().json();
    let steps = planned["repositories"][0]["steps"].as_array().unwrap();
    let named: BTreeSet<&str> =
        steps.iter().flat_map(|step| step["tags"].as_array().unwrap()).map(|tag| tag.as_str().unwrap()).collect();
    assert_eq!(named, BTreeSet::from(["a-1", "a-2", "a-3", "a-4"]));
    lab.run("prune app --match a-* --older-than 0s --force-large --yes").succeeds();
    assert_eq!(lab.tags(), ["keep-me"]);
}

/// A run of 404s failed, because somebody else had been faster with some.
#[test]
fn ghca_121_an_image_that_two_indexes_list_is_deleted_once() {
    let lab = Lab::honest();
    let (shared, one, two) = (lab.image(&[], "shared"), lab.image(&[], "one"), lab.image(&[], "two"));
    lab.index(&["v1"], &[&shared, &one]);
    lab.index(&["v2"], &[&shared, &two]);
    lab.run("prune app --older-than 0s --force-large --yes").succeeds();
    assert!(lab.holdings().manifests.is_empty(), "{:?}", lab.holdings());
    let deleted: Vec<String> =
        lab.server.requests().into_iter().filter(|sent| sent.method == "DELETE").map(|sent| sent.path).collect();
    assert_eq!(deleted.iter().collect::<BTreeSet<_>>().len(), deleted.len(), "{deleted:?}");
}

/// An attestation has no platform, or one that is unknown.
#[test]
fn ghca_13_attestations_go_with_their_index_and_stay_with_it() {
    let lab = Lab::honest();
    let (image, attestation) = (lab.image(&[], "one"), lab.image(&[], "attestation"));
    let listed = |digest: &Digest, platform: Value| {
        let mut entry = json!({ "mediaType": media_type::OCI_MANIFEST, "digest": digest, "size": 1 });
        if !platform.is_null() {
            entry["platform"] = platform;
        }
        entry
    };
    let unknown = json!({ "os": "unknown", "architecture": "unknown" });
    for (tag, platform) in [("v1", unknown), ("v2", Value::Null)] {
        let manifests = json!([listed(&image, json!({"os": "linux", "architecture": "amd64"})), listed(&attestation, platform)]);
        let index = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": manifests });
        lab.put(&[tag], media_type::OCI_INDEX, &index);
    }
    lab.run("manifest delete app:v1 --yes").succeeds();
    assert!(lab.has(&image) && lab.has(&attestation), "v2 lists them");
    lab.run("prune app --untagged --yes").succeeds();
    assert!(lab.has(&image) && lab.has(&attestation));
    lab.run("manifest delete app:v2 --yes").succeeds();
    assert!(!lab.has(&image) && !lab.has(&attestation));
}

/// GCR, ECR and others refuse what is still listed, also by an index that has no tag.
#[test]
fn gcr_cleaner_118_children_go_after_their_parents() {
    let lab = Lab::new(Behaviour { protect_children: true, ..Behaviour::default() });
    let (one, two) = (lab.image(&["amd64"], "one"), lab.image(&[], "two"));
    let inner = lab.index(&[], &[&one, &two]);
    lab.index(&["v1"], &[&inner]);
    lab.run("repo delete app --yes").succeeds();
    assert!(lab.holdings().manifests.is_empty(), "{:?}", lab.holdings());
}

/// One failure ended the run and the rest was never tried.
#[test]
fn ghca_74_one_failure_does_not_stop_the_rest() {
    let lab = Lab::new(Behaviour { protect_children: true, ..Behaviour::distribution_2_8() });
    let tags = fill(&lab, 5);
    let kept = lab.image(&["part"], "part");
    lab.index(&["whole"], &[&kept]);
    let mut asked = tags.clone();
    asked.insert(2, "part".into());
    delete(&lab, &asked).exits(9).says("failed: lab/app:part").says("deleted 5 tags");
    assert_eq!(lab.tags(), ["part", "whole"]);
}

/// All of it was refused, and the job was green.
#[test]
fn open_msupply_11431_a_run_that_deleted_nothing_is_not_green() {
    let lab = Lab::new(Behaviour { deletes_allowed: Some(0), ..Behaviour::default() });
    let tags = fill(&lab, 3);
    delete(&lab, &tags).exits(7);
    lab.run("prune app --older-than 0s --force-large --yes").exits(7);
    assert_eq!(lab.tags().len(), 3);
}

/// One registry of two is down by the time the plan is carried out: what went on the other is told, and can be taken back.
#[test]
fn skopeo_1466_a_registry_that_is_down_does_not_hide_what_went() {
    let first = Lab::honest();
    let second = Lab::honest();
    fill(&first, 2);
    fill(&second, 1);
    let catalogue = |lab: &Lab| format!("address = \"{}\"\n", lab.server.url());
    first.program.write_catalogue(&format!("[registry.one]\n{}[registry.two]\n{}", catalogue(&first), catalogue(&second)));
    first.run("tag delete one/app:a-1 two/app:a-1 --plan plan.json").succeeds();
    drop(second);
    let applied = first.run("apply-plan plan.json --yes").exits(9);
    applied.says("failed: two/app:a-1: not tried: ").says("deleted one/app:a-1; undo with: regctl undo");
    assert_eq!(first.tags(), ["a-2"]);
}

/// One process and one sign-in for each tag.
#[test]
fn ggcr_843_many_tags_are_one_run_and_one_sign_in() {
    let auth = Auth::Token(Account::new("ada", "correct horse"));
    let behaviour = Behaviour::default();
    let server = Running::start(Settings { auth, behaviour, ..Settings::new(Storage::memory()) }).unwrap();
    let program = Program::new();
    program.write_catalogue(&format!(
        "default = \"lab\"\n[registry.lab]\naddress = \"{}\"\nusername = \"ada\"\ncredential = \"env\"\n",
        server.url()
    ));
    let lab = Lab { server, program, repository: "app".parse().unwrap(), made: RefCell::default() };
    let tags = fill(&lab, 40);
    let references = tags.iter().map(|tag| format!("app:{tag}\n")).collect::<String>();
    let call = lab.program.call(["tag", "delete", "-", "--yes"]).stdin(references);
    call.env("REGCTL_LAB_PASSWORD", "correct horse").run().succeeds().says("deleted 40 tags");
    assert!(lab.tags().is_empty());
    let asked = lab.server.requests().into_iter().filter(|sent| sent.path.starts_with("/token")).count();
    assert!(asked <= 2, "{asked} tokens: one to read with, one to delete with");
}

/// Everything was deleted, and no space came back.
#[test]
fn dist_2741_what_frees_the_space_is_said_afterwards() {
    let lab = Lab::honest();
    fill(&lab, 2);
    lab.run("manifest delete app:a-1 --yes").succeeds().says("garbage-collect, without -m");
    lab.run("update lab --provider harbor").succeeds();
    let plan = lab.run("prune app --older-than 0s --force-large --dry-run").succeeds();
    plan.shows("Harbor runs its garbage collection");
}

/// A regular expression where a glob belongs: nothing was cleaned up for months, and nobody was told.
#[test]
fn aro_hcp_6147_a_filter_that_fits_nothing_is_told() {
    let lab = Lab::honest();
    fill(&lab, 3);
    lab.run("prune app --match ^a-.* --older-than 0s --yes").succeeds().says("no tag fits --match '^a-.*': it is a glob");
    // from end to end: `a-` alone is no prefix
    lab.run("prune app --match a- --older-than 0s --yes").succeeds().says("no tag fits");
    assert_eq!(lab.tags().len(), 3);
    let quiet = lab.run("prune app --match a-* --older-than 9y").succeeds();
    assert!(!quiet.stderr.contains("no tag fits"), "{quiet}");
}

/// People don't dare: much at once needs more than a `y`.
#[test]
fn gcr_cleaner_34_much_at_once_is_confirmed_by_name() {
    let lab = Lab::honest();
    fill(&lab, 120);
    let line = "prune app --older-than 0s --force-large";
    let ask = |answer: &str| {
        let mut terminal = Terminal::start(lab.program.call(line.split(' ')));
        terminal.sees("Delete 120 tags and 120 manifests from lab?");
        terminal.types(answer);
        terminal.ends()
    };
    for wrong in ["y", "lab", ""] {
        let (said, code) = ask(wrong);
        assert_eq!((code, lab.tags().len()), (8, 120), "{wrong}: {said}");
    }
    let (said, code) = ask("app");
    assert_eq!((code, lab.tags().len()), (0, 0), "{said}");
}

/// A server that needs long for a delete is waited for, and what it did counts.
#[test]
fn dist_3191_slow_deletes_are_waited_for() {
    let lab = Lab::new(Behaviour { delete_latency: Duration::from_millis(400), ..Behaviour::distribution_2_8() });
    let tags = fill(&lab, 12);
    delete(&lab, &tags).succeeds().says("deleted 12 tags");
    let deletes: Vec<String> =
        lab.server.requests().into_iter().filter(|sent| sent.method == "DELETE").map(|sent| sent.path).collect();
    assert_eq!(deletes.iter().collect::<BTreeSet<_>>().len(), deletes.len(), "{deletes:?}");
    assert!(lab.holdings().manifests.is_empty());
}

/// Tag, digest: what a server refuses for one tag it refuses for all.
#[test]
fn werf_7866_a_way_that_a_server_refuses_is_not_tried_for_every_tag() {
    let lab = Lab::like_2_8();
    let tags = fill(&lab, 150);
    delete(&lab, &tags).succeeds().says("deleted 150 tags");
    let refused = lab.server.requests().into_iter().filter(|sent| sent.method == "DELETE" && sent.status == 400).count();
    assert!(refused <= 64, "{refused} of 150 were tried by tag: as many as were under way before the first answer, and no more");
}

/// Reading ate all the time, and nothing was ever deleted; or the time was over half way, and nobody could tell.
#[test]
fn acr_cli_457_a_time_limit_stops_between_steps_and_the_next_run_goes_on() {
    let lab = Lab::new(Behaviour { delete_latency: Duration::from_millis(700), ..Behaviour::distribution_2_8() });
    fill(&lab, 120);
    let line = "prune app --older-than 0s --force-large --yes --time-limit 2s -o json";
    let stopped = lab.run(line).exits(9).says("the time limit is over").says("run it again");
    let results = stopped.json();
    let counted = |result: &str| results["items"].as_array().unwrap().iter().filter(|item| item["result"] == result).count();
    assert_eq!(counted("deleted"), 120 - lab.tags().len(), "{results}");
    assert!(counted("deleted") > 0 && counted("interrupted") > 0, "{results}");
    let line = line.replace("2s", "10m");
    lab.run(&line).succeeds();
    assert!(lab.tags().is_empty());
    // nothing left: programs see that too
    assert_eq!(lab.run(&line).succeeds().json(), json!({ "items": [], "failed": [], "next_page": null }));
}

/// While thousands go, somebody releases an old build: it was found without that tag, and would go with it.
#[test]
fn dist_3525_a_tag_that_is_pushed_while_deleting_is_seen() {
    const IMAGES: u32 = 40;
    let lab = Lab::like_2_8();
    let tags = fill(&lab, IMAGES);
    let tags: Vec<Tag> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
    // plans are in the order of names
    let last = lab.tag("a-9").unwrap();
    let client = regctl::transport::Client::new(regctl::transport::Settings::new("lab", lab.server.url().parse().unwrap()));
    let registry = regctl::distribution::V2::new(client, "lab".into(), regctl::distribution::Quirks::default());
    let address = lab.server.url();
    let place = Place { registry: &registry, address: &address, repository: &lab.repository };
    let pushed = AtomicBool::new(false);
    let release = |done: u64, _| {
        if done == 1 && !pushed.swap(true, Ordering::Relaxed) {
            let manifest = lab.server.storage().manifest(&lab.repository, &last).expect("it is the last to go");
            lab.server.storage().put_manifest(&lab.repository, manifest, Some(&"release".parse().unwrap())).unwrap();
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let applied = runtime.block_on(async {
        let plan = delete::plan_tags(&place, &tags, Reach::default(), &|_, _| ()).await.unwrap();
        let conditions = Conditions {
            journal: &regctl::journal::Nothing,
            learnt: &Learnt::default(),
            stop: &|| false,
            tick: &release,
            fresh_for: Duration::ZERO,
        };
        apply::apply(&registry, &plan, Newcomers::default(), &conditions).await
    });
    let outcome = applied.outcomes.last().unwrap();
    assert_eq!((outcome.result, registry.name()), (Done::Skipped, "lab"), "{outcome:?}");
    assert!(outcome.message.as_deref().unwrap().contains("the tag release points at it"), "{outcome:?}");
    assert_eq!((lab.tag("release"), applied.count(Done::Deleted)), (Some(last), IMAGES as usize - 1));
}

/// What a variable says is for one registry; where several are cleaned up, it is for none.
#[test]
fn docker_cli_5582_one_registrys_password_is_not_shown_to_another() {
    let first = Lab::honest();
    let second = Lab::honest();
    fill(&first, 1);
    fill(&second, 1);
    let entry = |name: &str, lab: &Lab| {
        format!("[registry.{name}]\naddress = \"{}\"\ncredential = \"none\"\nretention = [{{ keep_last = 1 }}]\n", lab.server.url())
    };
    let program = Program::new();
    let schedule =
        |name: &str| format!("[registry.{name}.garbage_collection_schedule]\ndays = [\"Monday\"]\ntime = \"01:00:00+00:00\"\n");
    let (one, two) = (entry("one", &first) + &schedule("one"), entry("two", &second) + &schedule("two"));
    program.write_catalogue(&(one + &two));
    program.run(["tag", "delete", "one/app:a-1", "two/app:a-1", "--plan", "both.json"]).succeeds();
    for line in [
        "prune --due",
        "prune --scheduled one two",
        "prune one two --keep-last 1 --yes",
        "verify one two",
        "tag delete one/app:no two/app:no --yes",
        "apply-plan both.json --yes",
        "undo",
    ] {
        first.server.forget();
        second.server.forget();
        let call = program.call(line.split(' ')).env("REGCTL_USERNAME", "ada").env("REGCTL_PASSWORD", "correct horse");
        call.env("REGCTL_NOW", "2030-01-01T00:00:00Z").run();
        for lab in [&first, &second] {
            let sent: Vec<_> = lab.server.requests();
            assert!(!sent.is_empty(), "{line:?} asked nothing");
            assert!(sent.iter().all(|sent| sent.authorization.is_none()), "{line:?} gave the password away");
        }
    }
    // alone it is meant
    let call = program.call(["verify", "one"]).env("REGCTL_USERNAME", "ada").env("REGCTL_PASSWORD", "correct horse");
    call.run().succeeds();
    assert!(first.server.requests().iter().any(|sent| sent.authorization.is_some()));
    let line = ["prune", "one", "two", "--keep-last", "1", "--username", "ada", "--password-stdin"];
    program.call(line).stdin("correct horse").run().fails(2).says("for one registry");
}
