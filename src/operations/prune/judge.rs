//! What the rules say of each tag, before it is known what its manifest is needed for.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::inventory::{Held, Inventory, TagRecord};
use super::bonds::{Bonds, plausible};
use super::policy::Policy;
use super::reason::{Counted, Judges, Reason};
use super::versions;
use crate::duration::Duration;
use crate::oci::{Digest, Repository, Tag};

/// What the rules say of a tag.
pub(super) enum Verdict {
    /// It doesn't match: not spoken of, and kept.
    Untouched,
    /// It stays by this rule.
    Keeps(Reason),
    /// It goes, unless something that stays needs it.
    Goes(Judges),
}

/// The rules, and what they are applied to.
pub(super) struct Judge<'a> {
    pub inventory: &'a Inventory,
    pub repository: &'a Repository,
    pub policy: &'a Policy,
    pub now: Timestamp,
}

impl<'a> Judge<'a> {
    /// Judges each tag; they come newest first.
    pub fn all(&self, tags: &[(&'a TagRecord, Option<Timestamp>)], bonds: &Bonds<'a>) -> Vec<Verdict> {
        let matching = || tags.iter().filter(|(tag, _)| self.matches(tag));
        let newest = self.newest(matching());
        let newest_versions = match self.policy.keep_semver {
            Some(count) => versions::newest(matching().map(|(tag, _)| tag.tag.as_str()), count),
            None => BTreeSet::new(),
        };
        let judge = |(tag, date): &(&'a TagRecord, Option<Timestamp>)| {
            let name = tag.tag.as_str();
            if !self.matches(tag) || !self.policy.judges_tags() {
                return Verdict::Untouched;
            }
            if self.policy.exclusions.holds_tag(self.repository, &tag.tag) || self.is_digest_in_use(&tag.digest) {
                return Verdict::Keeps(Reason::InUse);
            }
            if let Some(hold) = tag.held() {
                return Verdict::Keeps(Reason::Locked(Held { by: None, hold }));
            }
            if bonds.family(&tag.digest).into_iter().any(|member| self.is_digest_in_use(member)) {
                return Verdict::Keeps(Reason::HoldsInUse);
            }
            let of_versions = || self.policy.keep_semver.filter(|_| newest_versions.contains(name)).map(Reason::NewestVersion);
            let kept = self.kept_by_name(name).or_else(|| newest.get(&tag.tag).cloned()).or_else(of_versions);
            match kept.map_or_else(|| self.alone(tag, *date), Err) {
                Ok(judges) => Verdict::Goes(judges),
                Err(reason) => Verdict::Keeps(reason),
            }
        };
        tags.iter().map(judge).collect()
    }

    /// Whether a tag is looked at. One that is called as if it carried a signature, and doesn't, is nobody's business here.
    fn matches(&self, tag: &TagRecord) -> bool {
        self.policy.matches(tag.tag.as_str()) && !tag.tag.is_attachment()
    }

    /// The tags that `keep_last` counts and keeps, of those that match.
    fn newest<'b>(&self, matching: impl Iterator<Item = &'b (&'a TagRecord, Option<Timestamp>)>) -> BTreeMap<&'a Tag, Reason>
    where
        'a: 'b,
    {
        let mut newest = BTreeMap::new();
        let Some(count) = self.policy.keep_last else { return newest };
        let mut counted: BTreeMap<Vec<String>, u32> = BTreeMap::new();
        for (tag, _) in matching.filter(|(_, date)| date.is_some()) {
            let Some(group) = self.policy.group(tag.tag.as_str()) else { continue };
            let name = self.policy.group_by.as_ref().map(|_| group.join(", "));
            let place = counted.entry(group).or_default();
            *place += 1;
            if *place <= count.get() {
                let counted = Counted { count, group: name, matching: self.policy.matching.is_some() };
                newest.insert(&tag.tag, Reason::Newest(counted));
            }
        }
        newest
    }

    fn kept_by_name(&self, name: &str) -> Option<Reason> {
        let glob = self.policy.keep.iter().find(|glob| glob.is_match(name));
        let glob = glob.map(|glob| Reason::Named(glob.glob().glob().to_owned()));
        glob.or_else(|| {
            let regex = self.policy.keep_regex.as_ref().filter(|regex| regex.is_match(name))?.as_str();
            let unanchored = regex.strip_prefix("^(?:").and_then(|rest| rest.strip_suffix(")$"));
            Some(Reason::Fits(unanchored.unwrap_or(regex).to_owned()))
        })
    }

    /// What the rules say that look at one tag only: the rules that condemn it, or why it stays.
    fn alone(&self, tag: &TagRecord, date: Option<Timestamp>) -> Result<Judges, Reason> {
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
            let Some(pulled) = plausible(tag.pulled_at) else { return Err(Reason::UnknownPull) };
            // a tag that was moved after its last pull has not been waited for that long
            if self.is_younger(Some(pulled.max(plausible(tag.pushed_at).unwrap_or(pulled))), length) {
                return Err(Reason::Pulled(length));
            }
        }
        let in_group = policy.group(tag.tag.as_str()).is_some();
        let judges = Judges {
            older_than: policy.older_than,
            not_pulled_for: policy.not_pulled_for,
            keep_within: policy.keep_within,
            keep_last: policy.keep_last.filter(|_| in_group).map(|count| (count, policy.matching.is_some())),
            keep_semver: policy.keep_semver.filter(|_| versions::is_version(tag.tag.as_str())),
        };
        match (judges == Judges::default(), policy.keep_last) {
            (false, _) => Ok(judges),
            (true, Some(_)) => Err(Reason::NoGroup),
            (true, None) => Err(Reason::NoVersion),
        }
    }

    /// Whether something is known to be younger than this.
    pub fn is_younger(&self, date: Option<Timestamp>, length: Duration) -> bool {
        date.is_some_and(|date| date > length.before(self.now))
    }

    /// Whether a manifest is in use, by its own digest or by one of its blobs.
    pub fn is_digest_in_use(&self, digest: &Digest) -> bool {
        let exclusions = &self.policy.exclusions;
        exclusions.holds_repository(self.repository)
            || exclusions.holds_digest(digest)
            || self
                .inventory
                .manifest(digest)
                .is_some_and(|node| node.blobs.iter().any(|blob| exclusions.holds_digest(&blob.digest)))
    }
}
