//! What holds for every repository and every policy.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::super::image::Shape;
use super::super::inventory::tests::HELD;
use super::super::inventory::{Blob, Inventory, Node, Parts, Role};
use super::super::removal;
use super::super::tags::ResolvedTag;
use super::bonds::Bonds;
use super::{Decision, Exclusions, Policy, decide};
use crate::duration::Duration;
use crate::oci::{Digest, Repository};
use crate::registry::Locks;

const DAY: u64 = 86_400;

fn now() -> Timestamp {
    "2026-11-21T00:00:00Z".parse().unwrap()
}

fn repository() -> Repository {
    "team/app".parse().unwrap()
}

fn digest(number: u8) -> Digest {
    Digest::sha256(&[number])
}

fn days(count: u64) -> Duration {
    Duration::from_seconds(count * DAY)
}

/// Few names, so that they meet: series, versions, plain words, and tags that carry signatures.
fn tag_name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0u8..12).prop_map(|number| format!("ci-{number}")),
        3 => (0u8..2, 0u8..2, 0u8..4).prop_map(|(a, b, c)| format!("v{a}.{b}.{c}")),
        2 => prop::sample::select(vec!["latest", "stable", "edge"]).prop_map(str::to_owned),
        1 => (0u8..12).prop_map(|number| digest(number).fallback_tag()),
        1 => (0u8..12).prop_map(|number| format!("{}.sig", digest(number).fallback_tag())),
    ]
}

fn date() -> impl Strategy<Value = Option<Timestamp>> {
    let some = (0u64..100).prop_map(|count| Some(days(count).before(now())));
    prop_oneof![6 => some, 1 => Just(None), 1 => Just(Some("1970-01-01T00:00:00Z".parse().unwrap()))]
}

prop_compose! {
    fn node()(
        children in prop_oneof![2 => Just(vec![]), 1 => prop::collection::vec(0u8..12, 0..3)],
        created_at in date(),
        blobs in prop::collection::btree_set(20u8..30, 0..4),
    ) -> Node {
        Node {
            media_type: String::new(),
            shape: if children.is_empty() { Shape::Image } else { Shape::Index },
            artifact_type: None,
            size: 1,
            children: children.into_iter().map(digest).collect(),
            subject: None,
            blobs: blobs.into_iter().map(|number| Arc::new(Blob { digest: digest(number), size: 10 })).collect(),
            created_at,
        }
    }
}

prop_compose! {
    /// Any repository, also ones that no honest server has: with circles, with missing children.
    fn parts()(
        nodes in prop::collection::btree_map((0u8..12).prop_map(digest), node(), 0..12),
        tags in prop::collection::btree_map(tag_name(), (0u8..12, date(), date(), prop::bool::weighted(0.1)), 0..14),
        attached in prop::collection::vec((0u8..12, 0u8..12), 0..5),
    ) -> Parts {
        let tags = tags.into_iter().map(|(tag, (number, pushed_at, pulled_at, locked))| ResolvedTag {
            tag: tag.parse().unwrap(),
            digest: digest(number),
            media_type: String::new(),
            pushed_at: pushed_at.filter(|_| number % 3 == 0),
            pulled_at: pulled_at.filter(|_| number % 2 == 0),
            lock: locked.then_some(HELD),
        });
        let tags: Vec<ResolvedTag> = tags.filter(|tag| nodes.contains_key(&tag.digest)).collect();
        let attached: Vec<(Digest, Digest)> =
            attached.into_iter().map(|(subject, referrer)| (digest(subject), digest(referrer))).collect();
        let claimed = tags.iter().filter_map(|tag| Role::claimed_by(&tag.tag).subject().cloned());
        let wanted: BTreeSet<Digest> = attached.iter().map(|(subject, _)| subject.clone()).chain(claimed).collect();
        let missing = wanted.into_iter().filter(|subject| !nodes.contains_key(subject)).collect();
        Parts { tags, nodes, missing, dangling: Vec::new(), attached }
    }
}

prop_compose! {
    fn policy()(
        keep_last in prop::option::of(1u32..5),
        keep_within in prop::option::of(0u64..100),
        keep in prop::collection::vec(prop::sample::select(vec!["ci-1", "ci-*", "v1*", "latest"]), 0..2),
        keep_regex in prop::option::of(Just("v0.*|stable")),
        keep_semver in prop::option::of(1u32..3),
        group_by in prop::option::of(Just("([a-z]+)-?.*")),
        matching in prop::option::of(prop::sample::select(vec!["ci-*", "v*", "*"])),
        older_than in prop::option::of(0u64..100),
        not_pulled_for in prop::option::weighted(0.2, 0u64..100),
        untagged: bool,
        orphaned_referrers: bool,
        in_use in prop::option::weighted(0.2, 0u8..12),
    ) -> Policy {
        Policy {
            keep_last: keep_last.and_then(NonZeroU32::new),
            keep_within: keep_within.map(days),
            keep: keep.iter().map(|text| glob(text)).collect(),
            keep_regex: keep_regex.map(regex),
            keep_semver: keep_semver.and_then(NonZeroU32::new),
            group_by: group_by.map(regex),
            matching: matching.map(glob),
            older_than: older_than.map(days),
            not_pulled_for: not_pulled_for.map(days),
            untagged,
            orphaned_referrers,
            exclusions: in_use.map(|number| in_use_file(&[number])).unwrap_or_default(),
        }
    }
}

fn glob(text: &str) -> globset::GlobMatcher {
    globset::Glob::new(text).unwrap().compile_matcher()
}

fn regex(text: &str) -> regex::Regex {
    regex::Regex::new(&format!("^(?:{text})$")).unwrap()
}

fn in_use_file(numbers: &[u8]) -> Arc<Exclusions> {
    let text: String = numbers.iter().map(|number| format!("{}\n", digest(*number).as_str())).collect();
    Arc::new(Exclusions::parse(&text).unwrap())
}

fn decided(parts: &Parts, policy: &Policy) -> Decision {
    decide(&parts.clone().into(), &repository(), policy, now())
}

fn gone(decision: &Decision) -> BTreeSet<Digest> {
    decision.deletes.iter().map(|doomed| doomed.digest.clone()).collect()
}

/// What an honest server has left afterwards: a deleted manifest takes its tags along.
fn apply(parts: &Parts, decision: &Decision) -> Parts {
    let gone = gone(decision);
    let mut after = parts.clone();
    after.nodes.retain(|digest, _| !gone.contains(digest));
    after.tags.retain(|tag| !gone.contains(&tag.digest));
    after.attached.retain(|(_, referrer)| !gone.contains(referrer));
    after.missing.extend(gone);
    after
}

/// Everything that these reach, worked out in another way than the decision does it: by adding until nothing is added.
fn reach(inventory: &Inventory, start: BTreeSet<Digest>) -> BTreeSet<Digest> {
    let bonds = Bonds::new(inventory);
    let mut reached = start;
    loop {
        let mut more: BTreeSet<Digest> = BTreeSet::new();
        for (digest, node) in inventory.manifests() {
            if reached.contains(digest) {
                more.extend(node.children.iter().cloned());
            }
        }
        for (referrer, subjects) in bonds.attached() {
            if reached.contains(referrer) {
                more.extend(subjects.iter().map(|subject| (*subject).clone()));
            }
            if subjects.iter().any(|subject| reached.contains(*subject)) {
                more.insert(referrer.clone());
            }
        }
        let before = reached.len();
        reached.extend(more);
        if reached.len() == before {
            return reached;
        }
    }
}

/// Policies that keep more than `policy` does, or ask for more before something goes.
fn stricter(policy: &Policy, by: u32) -> Vec<Policy> {
    let longer = |length: Option<Duration>| length.map(|length| Duration::from_seconds(length.seconds() + u64::from(by) * DAY));
    let more = |count: Option<NonZeroU32>| count.map(|count| count.saturating_add(by));
    let mut all = vec![
        Policy { keep_last: more(policy.keep_last), ..policy.clone() },
        Policy { keep_semver: more(policy.keep_semver), ..policy.clone() },
        Policy { keep_within: longer(policy.keep_within), ..policy.clone() },
        Policy { older_than: longer(policy.older_than), ..policy.clone() },
        Policy { not_pulled_for: longer(policy.not_pulled_for), ..policy.clone() },
        Policy { keep: [policy.keep.clone(), vec![glob("ci-?")]].concat(), ..policy.clone() },
        Policy { keep_regex: Some(policy.keep_regex.clone().map_or_else(|| regex("v1.*"), |_| regex(".*"))), ..policy.clone() },
        Policy { untagged: false, ..policy.clone() },
        Policy { orphaned_referrers: false, ..policy.clone() },
    ];
    if policy.exclusions.as_ref() == &Exclusions::default() {
        all.push(Policy { exclusions: in_use_file(&[3, 25]), ..policy.clone() });
    }
    // with these two saying what is judged, every count only keeps
    if policy.older_than.is_some() || policy.not_pulled_for.is_some() {
        all.push(Policy { keep_last: Some(more(policy.keep_last).unwrap_or(NonZeroU32::MIN)), ..policy.clone() });
        all.push(Policy { keep_semver: Some(more(policy.keep_semver).unwrap_or(NonZeroU32::MIN)), ..policy.clone() });
        all.push(Policy { keep_within: Some(longer(policy.keep_within).unwrap_or(days(10))), ..policy.clone() });
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_that_a_kept_tag_reaches_is_removed(parts in parts(), policy in policy()) {
        let decision = decided(&parts, &policy);
        let (gone, inventory) = (gone(&decision), Inventory::from(parts));
        let names = inventory.tags().iter().filter(|tag| tag.role == Role::Name);
        let kept: BTreeSet<Digest> = names.map(|tag| tag.digest.clone()).filter(|digest| !gone.contains(digest)).collect();
        prop_assert!(reach(&inventory, kept).is_disjoint(&gone));
        // nor anything that any manifest which stays needs, tagged or not
        let standing = inventory.manifests().keys().filter(|digest| !gone.contains(*digest)).cloned().collect();
        prop_assert!(reach(&inventory, standing).is_disjoint(&gone));
    }

    #[test]
    fn what_goes_was_condemned_or_belonged_to_it(parts in parts(), policy in policy()) {
        let decision = decided(&parts, &policy);
        let inventory = Inventory::from(parts);
        let is_name = |tag: &crate::oci::Tag| inventory.tag(tag).is_some_and(|tag| tag.role == Role::Name);
        for doomed in &decision.deletes {
            prop_assert!(inventory.manifest(&doomed.digest).is_some(), "only what is there");
            for tag in doomed.tags.iter().filter(|tag| is_name(tag)) {
                prop_assert!(policy.matches(tag.as_str()), "{tag} doesn't match");
                prop_assert!(!policy.keep.iter().any(|glob| glob.is_match(tag.as_str())), "{tag} is kept by name");
            }
            prop_assert_eq!(inventory.tags_on(&doomed.digest).count(), doomed.tags.len(), "every tag that goes is named");
        }
        prop_assert_eq!(decision.deletes.len(), gone(&decision).len(), "each once");
        if !policy.deletes() {
            prop_assert!(decision.deletes.is_empty());
        }
        // each tag that matches is spoken of exactly once
        if policy.judges_tags() {
            let mut spoken: BTreeMap<String, usize> = BTreeMap::new();
            let going = decision.deletes.iter().flat_map(|doomed| &doomed.tags).map(ToString::to_string);
            for name in decision.keeps.iter().map(|kept| kept.what.to_string()).chain(going) {
                *spoken.entry(name).or_default() += 1;
            }
            for tag in inventory.tags().iter().filter(|tag| !tag.tag.is_attachment() && policy.matches(tag.tag.as_str())) {
                prop_assert_eq!(spoken.get(tag.tag.as_str()), Some(&1), "{}", tag.tag);
            }
        }
    }

    #[test]
    fn a_stricter_keep_never_removes_more(parts in parts(), policy in policy(), by in 1u32..20) {
        let before = gone(&decided(&parts, &policy));
        for stricter in stricter(&policy, by) {
            let after = gone(&decided(&parts, &stricter));
            prop_assert!(after.is_subset(&before), "{:?}\nremoves more than\n{:?}", stricter, policy);
        }
    }

    #[test]
    fn what_is_locked_stays_and_so_does_what_it_lists(parts in parts(), policy in policy(), locked in prop::collection::btree_set(0u8..12, 0..3)) {
        let manifests = locked.into_iter().map(|number| (digest(number), HELD)).collect();
        let inventory = Inventory::from(parts).with_locks(Locks { manifests, ..Locks::default() });
        let gone = gone(&decide(&inventory, &repository(), &policy, now()));
        let held = || inventory.manifests().keys().filter(|digest| inventory.held(digest).is_some());
        prop_assert!(held().all(|digest| !gone.contains(digest)));
        prop_assert!(reach(&inventory, held().cloned().collect()).is_disjoint(&gone));
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(parts in parts(), policy in policy(), turn in 0usize..14) {
        let decision = decided(&parts, &policy);
        let mut shuffled = parts.clone();
        let middle = turn.min(shuffled.tags.len());
        shuffled.tags.rotate_left(middle);
        shuffled.tags[middle / 2..].reverse();
        shuffled.attached.reverse();
        for node in shuffled.nodes.values_mut() {
            node.children.reverse();
        }
        prop_assert_eq!(&decision, &decided(&parts, &policy), "the same question has the same answer");
        prop_assert_eq!(&decision.deletes, &decided(&shuffled, &policy).deletes);
        let kept = |decision: &Decision| decision.keeps.iter().map(|kept| kept.what.to_string()).collect::<Vec<_>>();
        prop_assert_eq!(kept(&decision), kept(&decided(&shuffled, &policy)));
    }

    #[test]
    fn what_was_pruned_needs_no_pruning(parts in parts(), policy in policy()) {
        let decision = decided(&parts, &policy);
        let again = decided(&apply(&parts, &decision), &policy);
        prop_assert!(again.deletes.is_empty(), "{:?}", again.deletes);
    }

    #[test]
    fn a_list_of_referrers_never_outlives_what_it_lists(parts in parts(), policy in policy()) {
        let decision = decided(&parts, &policy);
        let steps = removal::steps(&parts.into(), &gone(&decision));
        prop_assert_eq!(steps.len(), decision.deletes.len(), "nothing that stays has to be mended");
    }
}
