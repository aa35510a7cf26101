//! What holds on to what in an inventory, in the three directions that matter here: what an index lists, what is attached, and to what.
//! The list behind a fallback tag counts as attached to the image that it is about: it lives and dies with it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;

use super::super::inventory::{Inventory, TagRecord};
use crate::oci::{Digest, is_plausible_date};

/// What holds on to what.
pub(super) struct Bonds<'a> {
    inventory: &'a Inventory,
    subjects: BTreeMap<&'a Digest, BTreeSet<&'a Digest>>,
    referrers: BTreeMap<&'a Digest, BTreeSet<&'a Digest>>,
}

impl<'a> Bonds<'a> {
    pub fn new(inventory: &'a Inventory) -> Bonds<'a> {
        let mut bonds = Bonds { inventory, subjects: BTreeMap::new(), referrers: BTreeMap::new() };
        let of_manifests = inventory.manifests().keys().flat_map(|digest| inventory.subjects(digest).map(move |to| (digest, to)));
        let of_tags = inventory.tags().iter().filter_map(|tag| Some((&tag.digest, tag.role.subject()?)));
        for (referrer, subject) in of_manifests.chain(of_tags).filter(|(referrer, subject)| referrer != subject) {
            bonds.subjects.entry(referrer).or_default().insert(subject);
            bonds.referrers.entry(subject).or_default().insert(referrer);
        }
        bonds
    }

    /// What a manifest lists.
    pub fn children(&self, digest: &Digest) -> impl Iterator<Item = &'a Digest> + use<'a> {
        self.inventory.manifest(digest).into_iter().flat_map(|node| &node.children)
    }

    /// What is attached to a manifest.
    pub fn referrers(&self, digest: &Digest) -> impl Iterator<Item = &'a Digest> {
        self.referrers.get(digest).into_iter().flatten().copied()
    }

    /// What a manifest is attached to.
    pub fn subjects(&self, digest: &Digest) -> impl Iterator<Item = &'a Digest> {
        self.subjects.get(digest).into_iter().flatten().copied()
    }

    /// Everything that is attached to something, and to what.
    pub fn attached(&self) -> impl Iterator<Item = (&'a Digest, &BTreeSet<&'a Digest>)> {
        self.subjects.iter().map(|(referrer, subjects)| (*referrer, subjects))
    }

    /// A manifest and everything that it lists, at any depth.
    pub fn family(&self, digest: &'a Digest) -> BTreeSet<&'a Digest> {
        spread([digest], |member| self.children(member).collect())
    }

    /// Everything that stays when these stay, themselves included.
    pub fn held_by(&self, start: impl IntoIterator<Item = &'a Digest>) -> BTreeSet<&'a Digest> {
        spread(start, |digest| self.children(digest).chain(self.referrers(digest)).chain(self.subjects(digest)).collect())
    }
}

/// Everything that can be come to by steps. Each is entered once, so that a server's circles end.
fn spread<'a>(start: impl IntoIterator<Item = &'a Digest>, steps: impl Fn(&'a Digest) -> Vec<&'a Digest>) -> BTreeSet<&'a Digest> {
    let mut reached = BTreeSet::new();
    let mut waiting: VecDeque<&Digest> = start.into_iter().collect();
    while let Some(digest) = waiting.pop_front() {
        if reached.insert(digest) {
            waiting.extend(steps(digest));
        }
    }
    reached
}

/// When a manifest was built, or the youngest of what it lists. Dates that tools make up are unknown.
pub(super) fn date(inventory: &Inventory, digest: &Digest) -> Option<Timestamp> {
    plausible(inventory.manifest(digest)?.created_at)
}

/// When a tag was pushed, where the server tells; else the date of its manifest.
pub(super) fn tag_date(inventory: &Inventory, tag: &TagRecord) -> Option<Timestamp> {
    plausible(tag.pushed_at).or_else(|| date(inventory, &tag.digest))
}

/// A date, unless it is one that nobody can have meant.
pub(super) fn plausible(date: Option<Timestamp>) -> Option<Timestamp> {
    date.filter(|date| is_plausible_date(*date))
}
