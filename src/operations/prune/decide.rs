//! The decision: a pure function of inventory, policy and time.
//!
//! Rules speak of tags, so tags are judged first. What the condemned tags lead to are the *candidates*, together with untagged
//! manifests and orphans if those were asked for. Then everything that is no candidate holds on to what it reaches (what it lists, what
//! is attached to it, what it is attached to), and only the candidates that nothing holds go. A condemned tag whose manifest is held
//! stays with it: taking it off alone would be safe on some servers only, and free nothing on any.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;

use super::super::image::Shape;
use super::super::inventory::{Inventory, Role, TagRecord};
use super::bonds::{Bonds, date, tag_date};
use super::judge::{Judge, Verdict};
use super::order::natural;
use super::policy::Policy;
use super::reason::{Holder, Reason};
use crate::duration::Duration;
use crate::oci::{Digest, Repository, Tag};

/// How long an untagged manifest is left alone after it was built: images are pushed, and often signed, before the index that will list
/// them; a slow build of many platforms takes most of an hour.
const ON_THE_WAY: u64 = 3_600;

/// What stays and what goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// The tags that match and stay, newest first, then what stays without a tag.
    pub keeps: Vec<Kept>,
    /// The manifests that go, newest first.
    pub deletes: Vec<Doomed>,
    /// Bytes that nothing in the repository refers to afterwards; `None` when a size is unknown.
    pub bytes: Option<u64>,
}

/// Something that stays although it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The tag, or a manifest without one.
    pub what: Holder,
    /// The rule that kept it.
    pub reason: Reason,
}

/// A manifest that goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    /// The manifest.
    pub digest: Digest,
    /// The tags on it, newest first, those of signatures last.
    pub tags: Vec<Tag>,
    /// The rule that decided.
    pub reason: Reason,
}

/// Decides. The same input gives the same answer, in whatever order it comes.
pub fn decide(inventory: &Inventory, repository: &Repository, policy: &Policy, now: Timestamp) -> Decision {
    let (named, mut carriers): (Vec<&TagRecord>, Vec<&TagRecord>) = inventory.tags().iter().partition(|tag| tag.role == Role::Name);
    let mut tags: Vec<(&TagRecord, Option<Timestamp>)> = named.into_iter().map(|tag| (tag, tag_date(inventory, tag))).collect();
    tags.sort_by(|(a, a_date), (b, b_date)| b_date.cmp(a_date).then_with(|| natural(b.tag.as_str(), a.tag.as_str())));
    carriers.sort_by(|a, b| a.tag.cmp(&b.tag));
    let judge = Judge { inventory, repository, policy, now };
    let bonds = Bonds::new(inventory);
    let verdicts = judge.all(&tags, &bonds);
    let decider = Decider { inventory, judge: &judge, tags: &tags, bonds };
    let (doomed, holders) = decider.doom(&verdicts);

    let mut keeps = Vec::new();
    let mut reasons: BTreeMap<&Digest, Reason> = BTreeMap::new();
    for ((tag, _), verdict) in tags.iter().zip(&verdicts) {
        let reason = match verdict {
            Verdict::Untouched => continue,
            Verdict::Keeps(reason) => reason.clone(),
            Verdict::Goes(judges) if doomed.contains_key(&tag.digest) => {
                reasons.entry(&tag.digest).or_insert_with(|| Reason::Judged(judges.clone()));
                continue;
            }
            Verdict::Goes(_) => holders.get(&tag.digest).cloned().unwrap_or(Reason::InUse),
        };
        keeps.push(Kept { what: Holder::Tag(tag.tag.clone()), reason });
    }
    keeps.extend(decider.spared(&doomed, &holders));
    let mut names: BTreeMap<&Digest, (usize, Vec<Tag>)> = BTreeMap::new();
    for (place, tag) in tags.iter().map(|(tag, _)| *tag).chain(carriers).enumerate() {
        names.entry(&tag.digest).or_insert((place, Vec::new())).1.push(tag.tag.clone());
    }
    let mut deletes: Vec<(usize, Doomed)> = doomed
        .iter()
        .map(|(digest, reason)| {
            let (place, tags) = names.get(digest).cloned().unwrap_or((usize::MAX, Vec::new()));
            let reason = reasons.get(digest).unwrap_or(reason).clone();
            (place, Doomed { digest: (*digest).clone(), tags, reason })
        })
        .collect();
    deletes.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.digest.cmp(&other.digest)));
    let deletes: Vec<Doomed> = deletes.into_iter().map(|(_, doomed)| doomed).collect();
    Decision { keeps, bytes: bytes(inventory, &deletes), deletes }
}

struct Decider<'a> {
    inventory: &'a Inventory,
    judge: &'a Judge<'a>,
    /// Newest first.
    tags: &'a [(&'a TagRecord, Option<Timestamp>)],
    bonds: Bonds<'a>,
}

/// Manifests, and why.
type Reasons<'a> = BTreeMap<&'a Digest, Reason>;

impl<'a> Decider<'a> {
    /// What goes, and who holds on to each thing that stays.
    fn doom(&self, verdicts: &[Verdict]) -> (Reasons<'a>, Reasons<'a>) {
        let goes = |verdict: &Verdict| matches!(verdict, Verdict::Goes(_));
        let mut candidates = Reasons::new();
        let condemned = self.tags.iter().zip(verdicts).filter(|(_, verdict)| goes(verdict)).map(|((tag, _), _)| &tag.digest);
        self.lead_from(condemned.collect(), &Reason::Unused, &mut candidates);
        if self.judge.policy.untagged {
            self.lead_from(self.old(self.untagged()), &Reason::Untagged, &mut candidates);
        }
        if self.judge.policy.orphaned_referrers {
            self.lead_from(self.old(self.orphans()), &Reason::Orphaned, &mut candidates);
        }
        candidates.retain(|digest, _| self.inventory.manifest(digest).is_some() && !self.judge.is_digest_in_use(digest));
        candidates.retain(|digest, _| self.inventory.held(digest).is_none());

        let mut holders = Reasons::new();
        let kept = self.tags.iter().zip(verdicts).filter(|(_, verdict)| !goes(verdict)).map(|((tag, _), _)| *tag);
        let roots = kept.map(|tag| (&tag.digest, Reason::Shared(tag.tag.clone()), Holder::Tag(tag.tag.clone())));
        self.hold(roots.collect(), &mut holders);
        // then everything else that is no candidate, in use or locked or not: what is there for a reason that no rule knows
        let standing = self.inventory.manifests().keys().filter(|digest| !candidates.contains_key(digest));
        let root = |digest: &'a Digest| {
            let reason = self.inventory.held(digest).map_or(Reason::InUse, Reason::Locked);
            (digest, reason, Holder::Manifest(digest.clone()))
        };
        let roots = standing.map(root);
        self.hold(roots.collect(), &mut holders);
        candidates.retain(|digest, _| !holders.contains_key(digest));
        (candidates, holders)
    }

    /// Adds everything that `start` leads to, downwards: what it lists and what is attached to that.
    fn lead_from(&self, start: Vec<&'a Digest>, reason: &Reason, candidates: &mut Reasons<'a>) {
        let mut waiting: VecDeque<(&Digest, Reason)> = start.into_iter().map(|digest| (digest, reason.clone())).collect();
        while let Some((digest, reason)) = waiting.pop_front() {
            if !candidates.contains_key(digest) {
                // an index may list in any order, and who comes first gives the reason
                let children: BTreeSet<&Digest> = self.bonds.children(digest).collect();
                waiting.extend(children.into_iter().map(|child| (child, Reason::Unused)));
                waiting.extend(self.bonds.referrers(digest).map(|referrer| (referrer, Reason::WithSubject)));
                candidates.insert(digest, reason);
            }
        }
    }

    /// Everything that the roots reach in any direction but to the indexes that list them stays; remembers who held it first.
    fn hold(&self, roots: Vec<(&'a Digest, Reason, Holder)>, holders: &mut Reasons<'a>) {
        let mut waiting: VecDeque<(&Digest, Reason, Holder)> = roots.into();
        while let Some((digest, reason, holder)) = waiting.pop_front() {
            if holders.contains_key(digest) {
                continue;
            }
            let near = self.bonds.children(digest).map(|child| (child, Reason::Listed(holder.clone())));
            let near = near.chain(self.bonds.referrers(digest).map(|referrer| (referrer, Reason::Attached(holder.clone()))));
            let near = near.chain(self.bonds.subjects(digest).map(|subject| (subject, Reason::Carries(holder.clone()))));
            waiting.extend(near.map(|(digest, reason)| (digest, reason, holder.clone())));
            holders.insert(digest, reason);
        }
    }

    /// Those that the rules about age let go.
    fn old(&self, mut digests: Vec<&'a Digest>) -> Vec<&'a Digest> {
        digests.retain(|digest| self.spared_by_age(digest).is_none());
        digests
    }

    /// What was asked for without a tag and stays.
    fn spared(&self, doomed: &Reasons<'a>, holders: &Reasons<'a>) -> Vec<Kept> {
        let mut asked = Vec::new();
        if self.judge.policy.untagged {
            asked.extend(self.untagged());
        }
        if self.judge.policy.orphaned_referrers {
            asked.extend(self.orphans());
        }
        let keep = |digest: &Digest| {
            let by_use = self.judge.is_digest_in_use(digest).then_some(Reason::InUse);
            let by_lock = || self.inventory.held(digest).map(Reason::Locked);
            let reason = by_use.or_else(by_lock).or_else(|| self.spared_by_age(digest)).or_else(|| holders.get(digest).cloned());
            Kept { what: Holder::Manifest(digest.clone()), reason: reason.unwrap_or(Reason::InUse) }
        };
        asked.into_iter().filter(|digest| !doomed.contains_key(digest)).map(keep).collect()
    }

    /// Manifests that no tag reaches and that aren't attached to anything.
    fn untagged(&self) -> Vec<&'a Digest> {
        let reached = self.bonds.held_by(self.tags.iter().map(|(tag, _)| &tag.digest));
        let all = self.inventory.manifests().keys();
        all.filter(|digest| !reached.contains(digest) && self.bonds.subjects(digest).next().is_none()).collect()
    }

    /// What is attached to manifests of which none is there any more, as asking for them has shown.
    fn orphans(&self) -> Vec<&'a Digest> {
        let named: BTreeSet<&Digest> = self.tags.iter().map(|(tag, _)| &tag.digest).collect();
        let missing = self.inventory.missing();
        let attached = self.bonds.attached().filter(|(referrer, subjects)| {
            self.inventory.manifest(referrer).is_some()
                && !named.contains(referrer)
                && subjects.iter().all(|subject| missing.contains(*subject))
        });
        attached.map(|(referrer, _)| referrer).collect()
    }

    /// The rule about age that keeps a manifest without a tag; `None` when it may go.
    fn spared_by_age(&self, digest: &Digest) -> Option<Reason> {
        let (judge, policy) = (self.judge, self.judge.policy);
        let date = date(self.inventory, digest);
        if judge.is_younger(date, Duration::from_seconds(ON_THE_WAY)) {
            return Some(Reason::JustBuilt);
        }
        if (policy.keep_within.is_some() || policy.older_than.is_some()) && date.is_none() {
            return Some(Reason::UnknownDate);
        }
        let within = policy.keep_within.filter(|length| judge.is_younger(date, *length)).map(Reason::Within);
        let young = || policy.older_than.filter(|length| judge.is_younger(date, *length)).map(Reason::NotOld);
        // no server tells when something without a tag was pulled
        within.or_else(young).or_else(|| policy.not_pulled_for.map(|_| Reason::UnknownPull))
    }
}

/// Bytes of manifests and blobs to which nothing refers that stays. Docker's first format doesn't say how large its layers are.
fn bytes(inventory: &Inventory, deletes: &[Doomed]) -> Option<u64> {
    let going: BTreeSet<Digest> = deletes.iter().map(|doomed| doomed.digest.clone()).collect();
    let unknown =
        |digest: &Digest| inventory.manifest(digest).is_some_and(|node| matches!(node.shape, Shape::Schema1 | Shape::Unknown));
    (!going.iter().any(unknown)).then(|| inventory.freed(&going))
}
