//! The decision: a pure function of inventory, policy and time.
//!
//! Rules speak of tags, so tags are judged first. What the condemned tags lead to are the *candidates*, together with untagged
//! manifests and orphans if those were asked for. Then everything that is no candidate holds on to what it reaches (what it lists, what
//! is attached to it, what it is attached to), and only the candidates that nothing holds go. A condemned tag whose manifest is held
//! stays with it: taking it off alone would be safe on some servers only, and free nothing on any.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;

use jiff::Timestamp;

use super::inventory::{Inventory, ManifestFacts, TagFacts, plausible};
use super::order::natural;
use super::policy::Policy;
use super::reason::{Counted, Holder, Judges, Reason};
use super::versions;
use crate::duration::Duration;
use crate::oci::{Digest, Repository, Tag};

/// How long an untagged manifest is left alone after it was pushed: images are pushed before the index that lists them, and a slow
/// upload of many platforms takes minutes.
const ON_THE_WAY: u64 = 3_600;

/// What stays and what goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// The tags that match and stay, newest first, then what stays without a tag.
    pub keeps: Vec<Kept>,
    /// The manifests that go, in the order in which they have to, newest first within a stage.
    pub deletes: Vec<Doomed>,
    /// Bytes that nothing in the repository refers to afterwards; `None` when a size is unknown.
    pub bytes: Option<u64>,
    /// How many tags the repository has, without those of signatures.
    pub tags: usize,
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
    /// The tags on it, newest first.
    pub tags: Vec<Tag>,
    /// The rule that decided.
    pub reason: Reason,
    /// What has to go first has a lower number: what is attached before its subject, an index before what it lists.
    pub stage: u32,
}

impl Decision {
    /// How many tags go, without those of signatures.
    pub fn tags_that_go(&self) -> usize {
        self.deletes.iter().flat_map(|doomed| &doomed.tags).filter(|tag| !tag.is_attachment()).count()
    }
}

/// Decides. The same input gives the same answer, in whatever order it comes.
pub fn decide(inventory: &Inventory, repository: &Repository, policy: &Policy, now: Timestamp) -> Decision {
    let mut tags: Vec<(&TagFacts, Option<Timestamp>)> =
        inventory.tags.iter().filter(|tag| Inventory::is_ordinary(tag)).map(|tag| (tag, inventory.tag_date(tag))).collect();
    tags.sort_by(|(a, a_date), (b, b_date)| b_date.cmp(a_date).then_with(|| natural(b.tag.as_str(), a.tag.as_str())));
    let decider = Decider { inventory, repository, policy, now, relations: Relations::new(inventory) };
    let verdicts = decider.judge(&tags);
    let (doomed, holders) = decider.doom(&tags, &verdicts);

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
            Verdict::Goes(_) => holders.get(&tag.digest).cloned().unwrap_or(Reason::HoldsInUse),
        };
        keeps.push(Kept { what: Holder::Tag(tag.tag.clone()), reason });
    }
    keeps.extend(decider.spared(&tags, &doomed, &holders));
    let stages = decider.relations.stages(inventory, &doomed);
    let mut names: BTreeMap<&Digest, Vec<Tag>> = BTreeMap::new();
    let mut places: BTreeMap<&Digest, usize> = BTreeMap::new();
    let mut attachments: Vec<&TagFacts> = inventory.tags.iter().filter(|tag| !Inventory::is_ordinary(tag)).collect();
    attachments.sort_by(|a, b| a.tag.cmp(&b.tag));
    for (place, tag) in tags.iter().map(|(tag, _)| *tag).chain(attachments).enumerate() {
        names.entry(&tag.digest).or_default().push(tag.tag.clone());
        places.entry(&tag.digest).or_insert(place);
    }
    let mut deletes: Vec<Doomed> = doomed
        .iter()
        .map(|(digest, reason)| Doomed {
            digest: digest.clone(),
            tags: names.get(digest).cloned().unwrap_or_default(),
            reason: reasons.get(digest).unwrap_or(reason).clone(),
            stage: stages.get(digest).copied().unwrap_or_default(),
        })
        .collect();
    deletes.sort_by_cached_key(|doomed| {
        (doomed.stage, places.get(&doomed.digest).copied().unwrap_or(usize::MAX), doomed.digest.clone())
    });
    let bytes = bytes(inventory, &doomed);
    Decision { keeps, deletes, bytes, tags: tags.len() }
}

/// What the rules say of a tag, before it is known what its manifest is needed for.
enum Verdict {
    /// It doesn't match: not spoken of, and kept.
    Untouched,
    Keeps(Reason),
    Goes(Judges),
}

struct Decider<'a> {
    inventory: &'a Inventory,
    repository: &'a Repository,
    policy: &'a Policy,
    now: Timestamp,
    relations: Relations<'a>,
}

impl<'a> Decider<'a> {
    /// Judges each tag; they come newest first.
    fn judge(&self, tags: &[(&'a TagFacts, Option<Timestamp>)]) -> Vec<Verdict> {
        let policy = self.policy;
        let matching = || tags.iter().filter(|(tag, _)| policy.matches(tag.tag.as_str()));
        let mut newest: BTreeMap<&Tag, Reason> = BTreeMap::new();
        if let Some(count) = policy.keep_last {
            let mut counted: BTreeMap<Vec<String>, u32> = BTreeMap::new();
            for (tag, _) in matching().filter(|(_, date)| date.is_some()) {
                let Some(group) = policy.group(tag.tag.as_str()) else { continue };
                let name = policy.group_by.as_ref().map(|_| group.join(", "));
                let place = counted.entry(group).or_default();
                *place += 1;
                if *place <= count.get() {
                    newest.insert(&tag.tag, Reason::Newest(Counted { count, group: name, matching: policy.matching.is_some() }));
                }
            }
        }
        let newest_versions = match policy.keep_semver {
            Some(count) => versions::newest(matching().map(|(tag, _)| tag.tag.as_str()), places(count)),
            None => BTreeSet::new(),
        };
        let judge = |(tag, date): &(&TagFacts, Option<Timestamp>)| {
            let name = tag.tag.as_str();
            if !policy.matches(name) || !policy.judges_tags() {
                return Verdict::Untouched;
            }
            if self.is_in_use(tag) {
                return Verdict::Keeps(Reason::InUse);
            }
            if self.holds_what_is_in_use(&tag.digest) {
                return Verdict::Keeps(Reason::HoldsInUse);
            }
            let by_name = self.kept_by_name(name).or_else(|| newest.get(&tag.tag).cloned());
            let kept = by_name.or_else(|| match policy.keep_semver {
                Some(count) if newest_versions.contains(name) => Some(Reason::NewestVersion(count)),
                _ => None,
            });
            match kept.map_or_else(|| self.judge_alone(tag, *date), Err) {
                Ok(judges) => Verdict::Goes(judges),
                Err(reason) => Verdict::Keeps(reason),
            }
        };
        tags.iter().map(judge).collect()
    }

    fn kept_by_name(&self, name: &str) -> Option<Reason> {
        let glob = self.policy.keep.iter().find(|glob| glob.is_match(name));
        let glob = glob.map(|glob| Reason::Named(glob.glob().glob().to_owned()));
        glob.or_else(|| {
            let regex = self.policy.keep_regex.as_ref().filter(|regex| regex.is_match(name))?;
            Some(Reason::Fits(regex.as_str().trim_start_matches("^(?:").trim_end_matches(")$").to_owned()))
        })
    }

    /// What the rules say that look at one tag only: the rules that condemn it, or why it stays.
    fn judge_alone(&self, tag: &TagFacts, date: Option<Timestamp>) -> Result<Judges, Reason> {
        let policy = self.policy;
        if policy.asks_for_dates() && date.is_none() {
            return Err(Reason::UnknownDate);
        }
        if let Some(length) = policy.keep_within.filter(|length| self.is_younger(date, *length)) {
            return Err(Reason::Within(length));
        }
        if let Some(length) = policy.older_than.filter(|length| self.is_younger(date, *length)) {
            return Err(Reason::NotOld(length));
        }
        if let Some(length) = policy.not_pulled_for {
            let pulled = plausible(tag.pulled_at).or_else(|| plausible(self.facts(&tag.digest)?.pulled_at));
            let Some(pulled) = pulled else { return Err(Reason::UnknownPull) };
            // a tag that was moved after its last pull has not been waited for that long
            if self.is_younger(Some(pulled.max(plausible(tag.pushed_at).unwrap_or(pulled))), length) {
                return Err(Reason::Pulled(length));
            }
        }
        let mut judges = Judges {
            older_than: policy.older_than,
            not_pulled_for: policy.not_pulled_for,
            keep_within: policy.keep_within,
            ..Judges::default()
        };
        let in_group = policy.group(tag.tag.as_str()).is_some();
        judges.keep_last = policy.keep_last.filter(|_| in_group).map(|count| (count, policy.matching.is_some()));
        judges.keep_semver = policy.keep_semver.filter(|_| versions::is_version(tag.tag.as_str()));
        match (&judges, policy.keep_last) {
            (judges, _) if *judges != Judges::default() => Ok(judges.clone()),
            (_, Some(_)) => Err(Reason::NoGroup),
            (_, None) => Err(Reason::NoVersion),
        }
    }

    fn is_younger(&self, date: Option<Timestamp>, length: Duration) -> bool {
        date.is_some_and(|date| date > length.before(self.now))
    }

    fn facts(&self, digest: &Digest) -> Option<&'a ManifestFacts> {
        self.inventory.manifests.get(digest)
    }

    fn is_in_use(&self, tag: &TagFacts) -> bool {
        self.policy.exclusions.holds_tag(self.repository, &tag.tag) || self.is_digest_in_use(&tag.digest)
    }

    fn is_digest_in_use(&self, digest: &Digest) -> bool {
        let exclusions = &self.policy.exclusions;
        exclusions.holds_repository(self.repository)
            || exclusions.holds_digest(digest)
            || self.facts(digest).is_some_and(|facts| facts.blobs.keys().any(|blob| exclusions.holds_digest(blob)))
    }

    fn holds_what_is_in_use(&self, digest: &Digest) -> bool {
        let family = self.inventory.spread([digest.clone()], |member| self.inventory.children(member));
        family.iter().any(|member| self.is_digest_in_use(member))
    }

    /// What goes, and who holds on to each thing that stays.
    fn doom(
        &self,
        tags: &[(&'a TagFacts, Option<Timestamp>)],
        verdicts: &[Verdict],
    ) -> (BTreeMap<Digest, Reason>, BTreeMap<Digest, Reason>) {
        let goes = |verdict: &Verdict| matches!(verdict, Verdict::Goes(_));
        let mut candidates: BTreeMap<Digest, Reason> = BTreeMap::new();
        let condemned = tags.iter().zip(verdicts).filter(|(_, verdict)| goes(verdict)).map(|((tag, _), _)| tag.digest.clone());
        self.lead_from(condemned.collect(), Reason::Unused, &mut candidates);
        if self.policy.untagged {
            self.lead_from(self.old(self.untagged(tags)), Reason::Untagged, &mut candidates);
        }
        if self.policy.orphaned_referrers {
            self.lead_from(self.old(self.orphans()), Reason::Orphaned, &mut candidates);
        }
        candidates.retain(|digest, _| self.inventory.manifests.contains_key(digest) && !self.is_digest_in_use(digest));

        let kept = tags.iter().zip(verdicts).filter(|(_, verdict)| !goes(verdict)).map(|((tag, _), _)| *tag);
        let mut holders: BTreeMap<Digest, Reason> = BTreeMap::new();
        let roots: Vec<(Digest, Reason, Holder)> =
            kept.map(|tag| (tag.digest.clone(), Reason::Shared(tag.tag.clone()), Holder::Tag(tag.tag.clone()))).collect();
        self.hold(roots, &mut holders);
        let standing = self.inventory.manifests.keys().filter(|digest| !candidates.contains_key(*digest));
        let roots: Vec<(Digest, Reason, Holder)> =
            standing.map(|digest| (digest.clone(), Reason::HoldsInUse, Holder::Manifest(digest.clone()))).collect();
        self.hold(roots, &mut holders);
        candidates.retain(|digest, _| !holders.contains_key(digest));
        (candidates, holders)
    }

    /// Adds everything that `start` leads to, downwards: what it lists and what is attached to that.
    fn lead_from(&self, start: Vec<Digest>, reason: Reason, candidates: &mut BTreeMap<Digest, Reason>) {
        let mut waiting: VecDeque<(Digest, Reason)> = start.into_iter().map(|digest| (digest, reason.clone())).collect();
        while let Some((digest, reason)) = waiting.pop_front() {
            if candidates.contains_key(&digest) {
                continue;
            }
            waiting.extend(self.inventory.children(&digest).into_iter().map(|child| (child, Reason::Unused)));
            waiting.extend(self.relations.referrers(&digest).map(|referrer| (referrer.clone(), Reason::WithSubject)));
            candidates.insert(digest, reason);
        }
    }

    /// Everything that the roots reach in any direction but to the indexes that list them stays; remembers who held it first.
    fn hold(&self, roots: Vec<(Digest, Reason, Holder)>, holders: &mut BTreeMap<Digest, Reason>) {
        let mut waiting: VecDeque<(Digest, Reason, Holder)> = roots.into();
        while let Some((digest, reason, holder)) = waiting.pop_front() {
            if holders.contains_key(&digest) {
                continue;
            }
            for child in self.inventory.children(&digest) {
                waiting.push_back((child, Reason::Listed(holder.clone()), holder.clone()));
            }
            for referrer in self.relations.referrers(&digest) {
                waiting.push_back((referrer.clone(), Reason::Attached(holder.clone()), holder.clone()));
            }
            for subject in self.inventory.attached.get(&digest).into_iter().flatten() {
                waiting.push_back((subject.clone(), Reason::Carries(holder.clone()), holder.clone()));
            }
            holders.insert(digest, reason);
        }
    }

    /// Those that the rules about age let go.
    fn old(&self, mut digests: Vec<Digest>) -> Vec<Digest> {
        digests.retain(|digest| self.spared_by_age(digest).is_none());
        digests
    }

    /// What was asked for without a tag and stays.
    fn spared(
        &self,
        tags: &[(&'a TagFacts, Option<Timestamp>)],
        doomed: &BTreeMap<Digest, Reason>,
        holders: &BTreeMap<Digest, Reason>,
    ) -> Vec<Kept> {
        let mut asked = Vec::new();
        if self.policy.untagged {
            asked.extend(self.untagged(tags));
        }
        if self.policy.orphaned_referrers {
            asked.extend(self.orphans());
        }
        let stays = asked.into_iter().filter(|digest| !doomed.contains_key(digest));
        let keep = |digest: Digest| {
            let held = || if self.is_digest_in_use(&digest) { Some(Reason::InUse) } else { holders.get(&digest).cloned() };
            let reason = self.spared_by_age(&digest).or_else(held).unwrap_or(Reason::HoldsInUse);
            Kept { what: Holder::Manifest(digest), reason }
        };
        stays.map(keep).collect()
    }

    /// Manifests that no tag reaches and that aren't attached to anything.
    fn untagged(&self, tags: &[(&TagFacts, Option<Timestamp>)]) -> Vec<Digest> {
        let reached = self.inventory.spread(tags.iter().map(|(tag, _)| tag.digest.clone()), |digest| {
            let mut next = self.inventory.children(digest);
            next.extend(self.relations.referrers(digest).cloned());
            next.extend(self.inventory.attached.get(digest).into_iter().flatten().cloned());
            next
        });
        let all = self.inventory.manifests.keys();
        all.filter(|digest| !reached.contains(*digest) && !self.inventory.attached.contains_key(*digest)).cloned().collect()
    }

    /// What is attached to manifests of which none is there any more.
    fn orphans(&self) -> Vec<Digest> {
        let tagged: BTreeSet<&Digest> =
            self.inventory.tags.iter().filter(|tag| Inventory::is_ordinary(tag)).map(|tag| &tag.digest).collect();
        let orphaned = self.inventory.attached.iter().filter(|(referrer, subjects)| {
            let gone = subjects.iter().all(|subject| self.inventory.missing.contains(subject));
            gone && !tagged.contains(referrer) && self.inventory.manifests.contains_key(*referrer)
        });
        orphaned.map(|(referrer, _)| referrer.clone()).collect()
    }

    /// The rule about age that keeps a manifest without a tag; `None` when it may go.
    fn spared_by_age(&self, digest: &Digest) -> Option<Reason> {
        let facts = self.facts(digest)?;
        if self.is_younger(plausible(facts.pushed_at), Duration::from_seconds(ON_THE_WAY)) {
            return Some(Reason::JustPushed);
        }
        let date = self.inventory.date(digest);
        let (within, older) = (self.policy.keep_within, self.policy.older_than);
        if (within.is_some() || older.is_some()) && date.is_none() {
            return Some(Reason::UnknownDate);
        }
        let within = within.filter(|length| self.is_younger(date, *length)).map(Reason::Within);
        let young = within.or_else(|| older.filter(|length| self.is_younger(date, *length)).map(Reason::NotOld));
        young.or_else(|| {
            let length = self.policy.not_pulled_for?;
            match plausible(facts.pulled_at) {
                None => Some(Reason::UnknownPull),
                pulled if self.is_younger(pulled, length) => Some(Reason::Pulled(length)),
                _ => None,
            }
        })
    }
}

fn places(count: NonZeroU32) -> usize {
    usize::try_from(count.get()).unwrap_or(usize::MAX)
}

/// What is attached to each manifest: the inventory's `attached`, the other way round.
struct Relations<'a>(BTreeMap<&'a Digest, Vec<&'a Digest>>);

impl<'a> Relations<'a> {
    fn new(inventory: &'a Inventory) -> Relations<'a> {
        let mut referrers: BTreeMap<&Digest, Vec<&Digest>> = BTreeMap::new();
        for (referrer, subjects) in &inventory.attached {
            for subject in subjects {
                referrers.entry(subject).or_default().push(referrer);
            }
        }
        Relations(referrers)
    }

    fn referrers(&self, subject: &Digest) -> impl Iterator<Item = &'a Digest> {
        self.0.get(subject).into_iter().flatten().copied()
    }

    /// How many others have to go before each of `doomed`.
    fn stages(&self, inventory: &Inventory, doomed: &BTreeMap<Digest, Reason>) -> BTreeMap<Digest, u32> {
        let later = |digest: &Digest| -> Vec<Digest> {
            let subjects = inventory.attached.get(digest).into_iter().flatten().cloned();
            subjects.chain(inventory.children(digest)).filter(|other| doomed.contains_key(other)).collect()
        };
        let mut waits_for: BTreeMap<Digest, usize> = doomed.keys().map(|digest| (digest.clone(), 0)).collect();
        for digest in doomed.keys() {
            for other in later(digest) {
                *waits_for.entry(other).or_default() += 1;
            }
        }
        let mut stages: BTreeMap<Digest, u32> = BTreeMap::new();
        let mut ready: Vec<Digest> = waits_for.iter().filter(|(_, count)| **count == 0).map(|(digest, _)| digest.clone()).collect();
        let mut stage = 0;
        while !ready.is_empty() {
            let mut next = Vec::new();
            for digest in ready {
                for other in later(&digest) {
                    let count = waits_for.get_mut(&other).expect("everything doomed was counted");
                    *count -= 1;
                    if *count == 0 {
                        next.push(other);
                    }
                }
                stages.insert(digest, stage);
            }
            ready = next;
            stage += 1;
        }
        // only a server that lies about digests has circles; what is left goes last
        for digest in doomed.keys() {
            stages.entry(digest.clone()).or_insert(stage);
        }
        stages
    }
}

/// Bytes of manifests and blobs to which nothing refers that stays.
fn bytes(inventory: &Inventory, doomed: &BTreeMap<Digest, Reason>) -> Option<u64> {
    let (going, staying): (Vec<_>, Vec<_>) = inventory.manifests.iter().partition(|(digest, _)| doomed.contains_key(*digest));
    let needed: BTreeSet<&Digest> = staying.iter().flat_map(|(_, facts)| facts.blobs.keys()).collect();
    let freed: BTreeMap<&Digest, Option<u64>> = going
        .iter()
        .flat_map(|(_, facts)| &facts.blobs)
        .filter(|(blob, _)| !needed.contains(blob))
        .map(|(blob, size)| (blob, *size))
        .collect();
    let manifests = going.iter().map(|(_, facts)| Some(facts.size));
    manifests.chain(freed.into_values()).try_fold(0_u64, |sum, size| Some(sum.saturating_add(size?)))
}
