//! Tables: each rule on a small repository, and the accidents of others by the number under which they were told.

use std::sync::Arc;

use jiff::Timestamp;

use super::super::image::Shape;
use super::super::inventory::{Blob, Node, Parts};
use super::super::tags::ResolvedTag;
use super::{Decision, Exclusions, Policy, decide};
use crate::oci::{Digest, Repository};

const NOW: &str = "2026-11-21T00:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn days_ago(days: i64) -> Timestamp {
    now() - jiff::SignedDuration::from_hours(24 * days)
}

fn digest(name: &str) -> Digest {
    Digest::sha256(name.as_bytes())
}

/// A repository in the making.
#[derive(Default)]
struct Repo(Parts);

impl Repo {
    fn node(mut self, name: &str, shape: Shape, children: &[&str], created_at: Option<Timestamp>) -> Repo {
        let blob = |name: &str, size| Arc::new(Blob { digest: digest(name), size });
        let blobs = match shape {
            Shape::Index => vec![],
            _ => vec![blob(&format!("layer of {name}"), 100), blob("base", 1_000)],
        };
        let children = children.iter().map(|child| digest(child)).collect();
        let (media_type, artifact_type) = (String::new(), None);
        let node = Node { media_type, shape, artifact_type, size: 1, children, subject: None, blobs, created_at };
        self.0.nodes.insert(digest(name), node);
        self
    }

    /// A manifest built so many days ago.
    fn image(self, name: &str, age: impl Into<Option<i64>>) -> Repo {
        let created_at = age.into().map(days_ago);
        self.node(name, Shape::Image, &[], created_at)
    }

    /// An index, as young as the youngest that it lists.
    fn index(self, name: &str, children: &[&str]) -> Repo {
        let created_at = children.iter().filter_map(|child| self.0.nodes.get(&digest(child))?.created_at).max();
        self.node(name, Shape::Index, children, created_at)
    }

    fn attached(mut self, referrer: &str, subject: &str) -> Repo {
        self.0.attached.push((digest(subject), digest(referrer)));
        self
    }

    fn tag(mut self, tag: &str, name: &str) -> Repo {
        let (tag, digest) = (tag.parse().unwrap(), digest(name));
        self.0.tags.push(ResolvedTag { tag, digest, media_type: String::new(), pushed_at: None, pulled_at: None, lock: None });
        self
    }

    /// A tag on a manifest of its own.
    fn one(self, tag: &str, age: impl Into<Option<i64>>) -> Repo {
        self.image(tag, age).tag(tag, tag)
    }

    fn pulled(mut self, tag: &str, age: i64) -> Repo {
        self.0.tags.iter_mut().find(|known| known.tag.as_str() == tag).unwrap().pulled_at = Some(days_ago(age));
        self
    }

    fn decide(&self, policy: &Policy) -> Decision {
        decide(&self.0.clone().into(), &"team/app".parse::<Repository>().unwrap(), policy, now())
    }

    /// The tags that go, and the manifests without a tag by the names they were made with.
    fn goes(&self, policy: &Policy) -> Vec<String> {
        let names = ["a", "b", "c", "d", "x", "y", "sig", "sbom", "top"];
        let mut gone: Vec<String> = Vec::new();
        for doomed in self.decide(policy).deletes {
            match doomed.tags.as_slice() {
                [] => gone.push(format!("@{}", names.iter().find(|name| digest(name) == doomed.digest).expect("a known name"))),
                tags => gone.extend(tags.iter().map(|tag| tag.as_str().to_owned())),
            }
        }
        gone
    }

    fn why(&self, policy: &Policy, tag: &str) -> String {
        let decision = self.decide(policy);
        let kept = decision.keeps.iter().find(|kept| kept.what.to_string() == tag).map(|kept| kept.reason.to_string());
        let goes = || {
            let doomed = decision.deletes.iter().find(|doomed| doomed.tags.iter().any(|known| known.as_str() == tag));
            doomed.map(|doomed| format!("goes: {}", doomed.reason))
        };
        kept.or_else(goes).unwrap_or_else(|| "not looked at".to_owned())
    }
}

/// A policy in the words of the catalogue.
fn policy(words: &str) -> Policy {
    let mut policy = Policy::default();
    let glob = |text: &str| globset::Glob::new(text).unwrap().compile_matcher();
    let regex = |text: &str| regex::Regex::new(&format!("^(?:{text})$")).unwrap();
    for word in words.split_whitespace() {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "keep_last" => policy.keep_last = Some(value.parse().unwrap()),
            "keep_within" => policy.keep_within = Some(value.parse().unwrap()),
            "keep" => policy.keep.push(glob(value)),
            "keep_regex" => policy.keep_regex = Some(regex(value)),
            "keep_semver" => policy.keep_semver = Some(value.parse().unwrap()),
            "group_by" => policy.group_by = Some(regex(value)),
            "match" => policy.matching = Some(glob(value)),
            "older_than" => policy.older_than = Some(value.parse().unwrap()),
            "not_pulled_for" => policy.not_pulled_for = Some(value.parse().unwrap()),
            "untagged" => policy.untagged = true,
            "orphaned_referrers" => policy.orphaned_referrers = true,
            "in_use" => policy.exclusions = Arc::new(Exclusions::parse(&value.replace(',', "\n")).unwrap()),
            _ => panic!("{key}"),
        }
    }
    policy
}

fn builds() -> Repo {
    Repo::default()
        .one("ci-1", 90)
        .one("ci-2", 60)
        .one("ci-3", 20)
        .one("ci-10", 10)
        .one("latest", 10)
        .one("v1.0.0", 400)
        .one("v1.0.1", 300)
        .one("v1.1.0", 200)
        .one("undated", None)
}

#[test]
fn each_rule_alone_and_together() {
    for (words, expected) in [
        ("keep_last=2", "ci-3 ci-2 ci-1 v1.1.0 v1.0.1 v1.0.0"),
        ("keep_last=2 match=ci-*", "ci-2 ci-1"),
        ("keep_last=100", ""),
        ("keep_within=30d", "ci-2 ci-1 v1.1.0 v1.0.1 v1.0.0"),
        ("keep_within=30d keep=v*", "ci-2 ci-1"),
        ("keep_within=30d keep=v1.1.* keep=ci-1", "ci-2 v1.0.1 v1.0.0"),
        ("keep_within=30d keep_regex=v1|ci-.", "v1.1.0 v1.0.1 v1.0.0"),
        ("keep_semver=1", "v1.0.0"),
        ("keep_semver=1 older_than=30d", "ci-2 ci-1 v1.0.0"),
        ("older_than=30d", "ci-2 ci-1 v1.1.0 v1.0.1 v1.0.0"),
        ("older_than=30d match=ci-*", "ci-2 ci-1"),
        ("older_than=0s match=ci-*", "ci-10 ci-3 ci-2 ci-1"),
        ("older_than=30d keep_last=1 match=ci-*", "ci-2 ci-1"),
        ("older_than=30d keep_last=3 match=ci-*", "ci-1"),
        ("older_than=30d keep_within=1y match=v*", "v1.0.0"),
        ("keep_last=1 group_by=([a-z]+).*", "ci-3 ci-2 ci-1 v1.0.1 v1.0.0"),
        ("keep_last=1 group_by=(ci)-.*", "ci-3 ci-2 ci-1"),
        ("keep_last=1 group_by=(ci)-.* older_than=250d", "v1.0.1 v1.0.0"),
        ("keep_last=1 group_by=v(1)[.](.).*", "v1.0.0"),
        ("keep_last=2 in_use=team/app:ci-1,other/app:ci-2 match=ci-*", "ci-2"),
        // what only keeps deletes nothing
        ("keep=latest", ""),
        ("untagged keep=latest", ""),
        ("match=ci-*", ""),
    ] {
        assert_eq!(builds().goes(&policy(words)).join(" "), expected, "{words}");
    }
}

#[test]
fn each_row_names_its_rule() {
    for (words, tag, why) in [
        ("keep_last=2 match=ci-*", "ci-10", "newest 2 that match"),
        ("keep_last=2 match=ci-*", "ci-1", "goes: not among the newest 2 that match"),
        ("keep_last=2 match=ci-*", "latest", "not looked at"),
        ("keep_last=9 group_by=(ci)-.*", "ci-1", "newest 9 of ci"),
        ("keep_last=9 group_by=(ci)-.*", "latest", "in none of the groups that are counted"),
        ("keep_last=1 keep_within=30d", "ci-1", "goes: not among the newest 1 and older than 30d"),
        ("keep_within=30d", "latest", "younger than 30d"),
        ("keep_within=30d keep=l*", "latest", "fits l*"),
        ("keep_within=30d keep_regex=l.*|x", "latest", "fits the expression l.*|x"),
        ("keep_semver=1", "v1.0.1", "newest 1 of its version line"),
        ("keep_semver=1", "v1.0.0", "goes: not among the newest 1 of its version line"),
        ("keep_semver=1", "latest", "not a version, and only versions are counted"),
        ("older_than=30d", "latest", "not older than 30d"),
        ("older_than=30d", "undated", "its date is unknown"),
        ("keep_last=2", "undated", "its date is unknown"),
        ("not_pulled_for=30d", "latest", "nobody knows when it was last pulled"),
        ("older_than=30d keep_last=1", "ci-1", "goes: older than 30d"),
        (
            "keep_last=1 in_use=ci-1@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "ci-1",
            "goes: not among the newest 1",
        ),
        ("keep_last=1 in_use=app:ci-1", "ci-1", "in use, as the exclusion file says"),
    ] {
        assert_eq!(builds().why(&policy(words), tag), why, "{words}");
    }
}

#[test]
fn azure_docs_117085_keep_last_counts_all_that_match_not_only_the_old() {
    // acr purge keeps N of the old ones on top of all the young ones
    let repo = Repo::default().one("new-1", 1).one("new-2", 2).one("old-1", 100).one("old-2", 101);
    assert_eq!(repo.goes(&policy("keep_last=2 older_than=30d")), ["old-1", "old-2"]);
}

#[test]
fn zot_3804_several_keeps_add_up() {
    let repo = Repo::default().one("a", 1).one("b", 100).one("v1.0.0", 200).one("c", 300);
    assert_eq!(repo.goes(&policy("keep_last=1 keep=b keep_semver=1")), ["c"]);
}

#[test]
fn registry_cli_80_a_tag_on_the_digest_of_a_kept_one_stays() {
    let repo = builds().tag("ci-0", "v1.0.1").tag("stable", "v1.0.1");
    let rules = policy("older_than=30d match=ci-*");
    assert_eq!(repo.goes(&rules), ["ci-2", "ci-1"]);
    assert_eq!(repo.why(&rules, "ci-0"), "same digest as v1.0.1, which is kept");
}

#[test]
fn harbor_16157_a_manifest_goes_with_the_last_of_its_tags() {
    let repo = Repo::default().one("ci-1", 90).tag("ci-1-again", "ci-1").one("ci-2", 1);
    let decision = repo.decide(&policy("older_than=30d"));
    assert_eq!(decision.deletes.len(), 1);
    assert_eq!(decision.deletes[0].tags.len(), 2);
}

#[test]
fn delete_package_versions_162_untagged_children_of_a_tagged_index_stay() {
    let repo = Repo::default().image("a", 100).image("b", 100).index("top", &["a", "b"]).tag("v1", "top").image("x", 100);
    assert_eq!(repo.goes(&policy("untagged")), ["@x"]);
    assert_eq!(repo.goes(&policy("untagged older_than=200d")), Vec::<String>::new());
}

#[test]
fn acr_cli_462_nested_indexes_hold_what_they_list() {
    let repo =
        Repo::default().image("a", 100).index("b", &["a"]).index("c", &["b"]).tag("v1", "c").index("x", &["a"]).index("y", &["x"]);
    let gone: std::collections::BTreeSet<String> = repo.goes(&policy("untagged")).into_iter().collect();
    assert_eq!(gone.iter().collect::<Vec<_>>(), ["@x", "@y"], "what v1 needs not at all");
}

#[test]
fn skopeo_2497_children_go_with_their_last_index() {
    let repo = Repo::default()
        .image("a", 100)
        .image("b", 100)
        .index("old", &["a", "b"])
        .tag("old", "old")
        .image("c", 1)
        .index("new", &["b", "c"])
        .tag("new", "new");
    assert_eq!(repo.goes(&policy("older_than=30d")), ["old", "@a"]);
}

#[test]
fn a_tagged_child_of_a_kept_index_stays() {
    let repo = Repo::default().one("v1-amd64", 100).image("b", 1).index("v1", &["v1-amd64", "b"]).tag("v1", "v1");
    let rules = policy("older_than=30d");
    assert_eq!(repo.goes(&rules), Vec::<String>::new());
    assert_eq!(repo.why(&rules, "v1-amd64"), "listed by v1, which is kept");
}

#[test]
fn ghcr_cleanup_114_signatures_live_and_die_with_their_subject() {
    let hex = digest("old").encoded().to_owned();
    let repo = Repo::default()
        .one("old", 100)
        .one("new", 1)
        .image("sig", None)
        .attached("sig", "old")
        .tag(&format!("sha256-{hex}.sig"), "sig")
        .image("sbom", None)
        .attached("sbom", "new")
        .image("x", None)
        .attached("x", "sig");
    let rules = policy("older_than=30d");
    assert_eq!(repo.goes(&rules), ["old", &format!("sha256-{hex}.sig"), "@x"]);
    // and never as something without a tag, or as an orphan
    assert_eq!(repo.goes(&policy("untagged orphaned_referrers keep=*")), Vec::<String>::new());
}

#[test]
fn a_kept_referrer_keeps_its_subject() {
    let repo = Repo::default().one("old", 100).one("sbom", 1).attached("sbom", "old");
    let rules = policy("older_than=30d");
    assert_eq!(repo.goes(&rules), Vec::<String>::new());
    assert_eq!(repo.why(&rules, "old"), "sbom is attached to it and kept");
}

#[test]
fn teslamate_5622_orphans_go_only_when_their_subject_was_looked_for() {
    let mut repo =
        Repo::default().one("v1", 1).image("sig", 100).attached("sig", "gone").image("sbom", 100).attached("sbom", "unread");
    repo.0.missing.insert(digest("gone"));
    assert_eq!(repo.goes(&policy("orphaned_referrers")), ["@sig"]);
    assert_eq!(repo.goes(&policy("orphaned_referrers older_than=200d")), Vec::<String>::new());
    assert_eq!(repo.goes(&policy("untagged")), Vec::<String>::new(), "an orphan has its own flag");
}

#[test]
fn go_containerregistry_273_made_up_dates_are_unknown_and_unknown_is_never_old() {
    let mut repo = Repo::default().one("v1", None).one("v2", None).one("v3", 100);
    for (tag, date) in [("v1", "1970-01-01T00:00:00Z"), ("v2", "1980-01-01T00:00:01Z")] {
        repo.0.nodes.get_mut(&digest(tag)).unwrap().created_at = Some(date.parse().unwrap());
    }
    for rules in ["older_than=1d", "keep_within=1d"] {
        assert_eq!(repo.goes(&policy(rules)), ["v3"], "{rules}");
    }
    assert_eq!(repo.goes(&policy("keep_last=1")), Vec::<String>::new());
}

#[test]
fn acr_cli_59_what_runs_somewhere_stays() {
    let repo = Repo::default().image("a", 100).image("b", 100).index("top", &["a", "b"]).tag("v1", "top").one("v2", 100);
    let layer = digest("layer of b");
    for in_use in
        ["registry.example.com/team/app:v1", "mirror/team/app", digest("top").as_str(), digest("a").as_str(), layer.as_str()]
    {
        let rules = policy(&format!("older_than=30d in_use={in_use}"));
        assert!(!repo.goes(&rules).contains(&"v1".to_owned()), "{in_use}");
        assert!(repo.goes(&rules).iter().all(|gone| gone == "v2"), "{in_use}");
    }
    let untagged = Repo::default().image("a", 100).image("x", 100);
    assert_eq!(untagged.goes(&policy(&format!("untagged in_use={}", digest("a")))), ["@x"]);
}

#[test]
fn not_pulled_for_needs_to_know() {
    let mut repo = builds().pulled("ci-1", 50).pulled("ci-2", 5).pulled("undated", 50);
    let rules = policy("not_pulled_for=30d");
    assert_eq!(repo.goes(&rules), ["ci-1", "undated"], "that rule doesn't ask how old something is");
    assert_eq!(repo.why(&rules, "ci-2"), "pulled or pushed within 30d");
    // moved after its last pull
    repo.0.tags.iter_mut().find(|tag| tag.tag.as_str() == "ci-1").unwrap().pushed_at = Some(days_ago(1));
    assert_eq!(repo.goes(&rules), ["undated"]);
    assert_eq!(repo.goes(&policy("not_pulled_for=30d older_than=1d")), Vec::<String>::new());
    // a pull that never was
    repo.0.tags.iter_mut().find(|tag| tag.tag.as_str() == "v1.0.0").unwrap().pulled_at =
        Some("0001-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(repo.why(&rules, "v1.0.0"), "nobody knows when it was last pulled");
}

#[test]
fn what_was_just_built_and_has_no_tag_may_be_waiting_for_its_index() {
    let mut repo = Repo::default().image("a", 400).image("b", 400);
    repo.0.nodes.get_mut(&digest("a")).unwrap().created_at = Some(now() - jiff::SignedDuration::from_mins(5));
    assert_eq!(repo.goes(&policy("untagged")), ["@b"]);
    let kept = repo.decide(&policy("untagged")).keeps;
    assert_eq!(kept[0].reason.to_string(), "built within the last hour; its index may still be on the way");
}

#[test]
fn the_push_decides_where_it_is_known() {
    let mut repo = Repo::default().one("rebuilt", 400).one("old", 400);
    repo.0.tags[0].pushed_at = Some(days_ago(1));
    assert_eq!(repo.goes(&policy("older_than=30d")), ["old"]);
}

#[test]
fn a_date_from_the_future_is_young() {
    assert_eq!(Repo::default().one("a", -10).goes(&policy("older_than=0s")), Vec::<String>::new());
}

#[test]
fn shared_blobs_are_not_freed() {
    let repo = Repo::default().one("old", 100).one("new", 1);
    assert_eq!(repo.decide(&policy("older_than=30d")).bytes, Some(101));
    let mut all = Repo::default().one("old", 100).one("older", 200);
    assert_eq!(all.decide(&policy("older_than=30d")).bytes, Some(1_202));
    all.0.nodes.get_mut(&digest("old")).unwrap().shape = Shape::Schema1;
    assert_eq!(all.decide(&policy("older_than=30d")).bytes, None);
}

#[test]
fn a_missing_child_is_nothing_to_delete() {
    let repo = Repo::default().image("a", 100).index("top", &["a", "b"]).tag("old", "top");
    assert_eq!(repo.goes(&policy("older_than=30d")), ["old", "@a"]);
}

#[test]
fn a_server_that_makes_circles_ends_no_run() {
    let repo = Repo::default().index("a", &["b"]).index("b", &["a"]).attached("a", "b").attached("b", "a").one("old", 100);
    assert_eq!(repo.goes(&policy("older_than=30d untagged orphaned_referrers")), ["old"]);
    let tagged = repo.tag("circle", "a");
    assert_eq!(tagged.goes(&policy("older_than=30d match=old")), ["old"]);
}
