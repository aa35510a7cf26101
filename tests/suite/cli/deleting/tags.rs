//! A tag is only a tag (SPEC §8.2).

use regctl::serve::{Behaviour, TagDelete};

use super::Lab;
use crate::support::content::Pusher;
use crate::support::docker_registry::{DockerRegistry, Setup};
use crate::support::program::Program;

#[test]
fn distribution_1566_one_of_two_tags_goes_or_none() {
    let Some(registry) = DockerRegistry::start(Setup::Plain) else { return };
    let pusher = Pusher::new(registry.address());
    let digest = pusher.image("app", &["v1", "stable"], "shared");
    let program = Program::new();
    program.run(["add", "lab", &registry.address(), "--plain-http"]).succeeds();
    program.run(["tag", "delete", "app:v1", "--yes"]).exits(7).says("stable").says("--with-siblings").says("--via-placeholder");
    assert_eq!(pusher.tags("app"), ["stable", "v1"]);
    assert_eq!(program.run(["history", "-q"]).succeeds().stdout, "", "what changed nothing is no run");

    program.run(["tag", "delete", "app:v1", "--via-placeholder", "--yes"]).succeeds().says("undo with: regctl undo ");
    assert_eq!((pusher.tags("app"), pusher.digest_of("app", "stable")), (vec!["stable".to_owned()], Some(digest.clone())));
    program.run(["undo"]).succeeds().says("lab/app:v1 is back");
    assert_eq!((pusher.digest_of("app", "v1"), pusher.digest_of("app", "stable")), (Some(digest.clone()), Some(digest.clone())));

    program.run(["tag", "delete", "app:v1", "--with-siblings", "--yes"]).succeeds();
    assert!(pusher.tags("app").is_empty());
    program.run(["undo"]).succeeds();
    assert_eq!((pusher.digest_of("app", "v1"), pusher.digest_of("app", "stable")), (Some(digest.clone()), Some(digest)));
}

#[test]
fn where_tags_can_go_alone_they_do() {
    let lab = Lab::honest();
    let digest = lab.image(&["v1", "stable"], "shared");
    lab.run("tag delete app:v1 --yes").succeeds().says("deleted lab/app:v1; undo with: regctl undo ");
    assert_eq!((lab.tag("v1"), lab.tag("stable")), (None, Some(digest.clone())));
    lab.run("undo").succeeds();
    assert_eq!(lab.tag("v1"), Some(digest));
}

#[test]
fn harbor_2663_siblings_that_the_server_takes_are_put_back() {
    let lab = Lab::new(Behaviour { tag_delete: TagDelete::TakesSiblings, ..Behaviour::default() });
    let digest = lab.image(&["v1", "stable", "latest"], "shared");
    lab.run("tag delete app:v1 --yes").succeeds().says("took latest, stable along; put back");
    assert_eq!((lab.tags(), lab.tag("stable")), (vec!["latest".to_owned(), "stable".to_owned()], Some(digest.clone())));
    lab.run("undo").succeeds();
    assert_eq!(lab.tag("v1"), Some(digest));
}

#[test]
fn a_server_that_takes_siblings_is_asked_once() {
    let lab = Lab::new(Behaviour { tag_delete: TagDelete::TakesSiblings, ..Behaviour::default() });
    // two repositories, so that the second one's step comes after the first one's
    lab.image(&["v1", "stable"], "one");
    let other = Lab { repository: "other".parse().unwrap(), ..lab };
    let digest = other.image(&["v1", "stable"], "two");
    let told = other.run("tag delete app:v1 other:v1 --yes").exits(9);
    told.says("took stable along; put back").says("this server takes other tags");
    assert_eq!((other.tag("v1"), other.tag("stable")), (Some(digest.clone()), Some(digest)));
}

#[test]
fn an_image_of_an_index_does_not_go_with_its_tag() {
    let lab = Lab::new(Behaviour { tag_delete: TagDelete::TakesSiblings, ..Behaviour::default() });
    let image = lab.image(&["amd64"], "one");
    lab.index(&["multi"], &[&image]);
    lab.run("tag delete app:amd64 --yes").succeeds().says("put back");
    assert!(lab.has(&image) && lab.tag("amd64").is_none());
}

#[test]
fn ggcr_1862_what_is_gone_already_is_no_failure() {
    let lab = Lab::honest();
    lab.image(&["v1"], "one");
    lab.run("tag delete app:v2 --yes").succeeds().says("already gone");
    assert!(lab.runs().is_empty());
}

#[test]
fn dist_2959_where_deleting_is_off_nothing_changes() {
    let lab = Lab::new(Behaviour { delete: false, ..Behaviour::default() });
    lab.image(&["v1", "v2"], "one");
    let before = lab.holdings();
    for line in
        ["tag delete app:v1 --yes", "tag delete app:v1 --via-placeholder --yes", "manifest delete app:v1 --with-siblings --yes"]
    {
        lab.run(line).exits(7);
        assert_eq!(lab.holdings(), before, "{line}");
    }
    assert!(lab.runs().is_empty(), "{}", lab.run("history"));
}

#[test]
fn regclient_819_a_placeholder_that_can_not_be_deleted_is_taken_back() {
    // the tag, the probe, and no more
    let lab = Lab::new(Behaviour { deletes_allowed: Some(2), ..Behaviour::distribution_2_8() });
    let digest = lab.image(&["v1", "stable"], "shared");
    lab.run("tag delete app:v1 --via-placeholder --yes").exits(7);
    assert_eq!((lab.tag("v1"), lab.tag("stable")), (Some(digest.clone()), Some(digest)));
}

#[test]
fn dist_3525_a_tag_that_moved_since_the_plan_is_left_alone() {
    for behaviour in [Behaviour::default(), Behaviour::distribution_2_8()] {
        let lab = Lab::new(behaviour);
        let old = lab.image(&["v1"], "old");
        lab.run("tag delete app:v1 --plan plan.json").succeeds();
        let new = lab.image(&["v1"], "new");
        lab.run("apply-plan plan.json --yes").exits(8).says("has moved");
        assert_eq!(lab.tag("v1"), Some(new));

        // the other way round: a tag that joined what would go
        lab.run(&format!("manifest delete app@{old} --plan other.json")).succeeds();
        lab.image(&["v2"], "old");
        lab.run("apply-plan other.json --yes").exits(8).says("the tag v2 points at it");
        assert_eq!(lab.tag("v2"), Some(old));
    }
}

#[test]
fn an_index_that_joined_since_the_plan_keeps_its_images() {
    let lab = Lab::honest();
    let image = lab.image(&["v1"], "one");
    lab.run("manifest delete app:v1 --plan plan.json").succeeds();
    lab.index(&["multi"], &[&image]);
    lab.run("apply-plan plan.json --yes").exits(8).says("the index multi lists it");
    assert!(lab.has(&image));
}

#[test]
fn the_tag_of_a_signature_does_not_take_the_signature() {
    let lab = Lab::like_2_8();
    let image = lab.image(&["v1"], "one");
    let signature = lab.attach(&["signed"], &image, "application/vnd.dev.cosign.artifact.sig.v1+json");
    lab.run("tag delete app:signed --yes").exits(7).says("it is attached to");
    assert_eq!(lab.tag("signed"), Some(signature));
}

#[test]
fn half_way_405_the_rest_is_listed_and_undo_brings_back_what_went() {
    let lab = Lab::new(Behaviour { deletes_allowed: Some(2), ..Behaviour::default() });
    for name in ["a", "b", "c", "d"] {
        lab.image(&[name], name);
    }
    let before = lab.holdings();
    let told = lab.run("tag delete app:a app:b app:c app:d --yes").exits(9);
    told.says("failed: lab/app:").says("deleted 2 tags; undo with");
    assert_eq!(lab.tags().len(), 2);
    lab.run("undo").succeeds().says("2 tags are back");
    assert_eq!(lab.holdings(), before);
}
