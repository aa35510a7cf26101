//! What a repository lost in a run: the manifests with their tags, in the order in which they can come back.

use std::collections::{BTreeMap, BTreeSet};

use crate::journal::{self, Place, Recorded};
use crate::oci::{Digest, RawManifest, Reference, Tag};

/// A manifest that was taken away.
#[derive(Debug, Clone)]
pub struct Lost {
    /// The manifest.
    pub manifest: RawManifest,
    /// The tags that were on it.
    pub tags: Vec<LostTag>,
    /// The manifests that it lists.
    pub children: Vec<Digest>,
    /// What it is attached to.
    subject: Option<Digest>,
}

/// A tag that was taken away.
#[derive(Debug, Clone)]
pub struct LostTag {
    /// The tag.
    pub tag: Tag,
    /// What the run itself pointed it at on the way.
    pub becomes: Vec<Digest>,
    /// Whether it was to stay, and may have gone all the same.
    pub at_risk: bool,
}

/// What one repository lost.
#[derive(Debug, Clone)]
pub struct Losses {
    /// Where.
    pub place: Place,
    manifests: BTreeMap<Digest, Lost>,
}

impl Losses {
    /// What each repository lost in a run.
    ///
    /// # Errors
    /// When what was kept is damaged.
    pub fn of(run: &Recorded) -> Result<Vec<Losses>, journal::Error> {
        let mut places: BTreeMap<&Place, Losses> = BTreeMap::new();
        let mut claimed: BTreeSet<(&Place, &Tag)> = BTreeSet::new();
        for entry in &run.entries {
            let losses =
                places.entry(&entry.place).or_insert_with(|| Losses { place: entry.place.clone(), manifests: BTreeMap::new() });
            if !losses.manifests.contains_key(&entry.digest) {
                let manifest = run.manifest(entry)?;
                let parsed = manifest.parse().ok();
                let children = parsed.iter().flat_map(|parsed| parsed.children()).map(|child| child.digest.clone()).collect();
                let subject = parsed.as_ref().and_then(|parsed| parsed.subject()).map(|subject| subject.digest.clone());
                losses.manifests.insert(entry.digest.clone(), Lost { manifest, tags: Vec::new(), children, subject });
            }
            let lost = losses.manifests.get_mut(&entry.digest).expect("it was put there if it was missing");
            // whether siblings were looked after is known when the step has come to its end
            let unknown = run.outcome(entry).is_none_or(|told| told.result == "failed");
            let at_risk = entry.at_risk.iter().filter(|_| unknown).map(|tag| (tag, true));
            for (tag, at_risk) in entry.tags.iter().map(|tag| (tag, false)).chain(at_risk) {
                match lost.tags.iter_mut().find(|known| known.tag == *tag) {
                    Some(known) => {
                        known.becomes.extend(entry.becomes.clone());
                        known.at_risk &= at_risk;
                    }
                    // where the run moved a tag before it took it, only where it was at first counts
                    None if claimed.insert((&entry.place, tag)) => {
                        lost.tags.push(LostTag { tag: tag.clone(), becomes: entry.becomes.iter().cloned().collect(), at_risk });
                    }
                    None => {}
                }
            }
        }
        Ok(places.into_values().collect())
    }

    /// One manifest.
    pub fn get(&self, digest: &Digest) -> Option<&Lost> {
        self.manifests.get(digest)
    }

    /// Whether nothing was lost.
    pub fn is_empty(&self) -> bool {
        self.manifests.is_empty()
    }

    /// Keeps what a reference names, with what it lists and what is attached to it: a repository with a tag or digest, with or without
    /// the registry in front.
    pub fn only(&mut self, wanted: &str) {
        let in_front = format!("{}/", self.place.registry);
        let Ok(wanted) = wanted.strip_prefix(&in_front).unwrap_or(wanted).parse::<Reference>() else {
            self.manifests.clear();
            return;
        };
        let repository = self.place.repository.as_str();
        // people leave the namespace out, which the catalogue adds
        let fits = repository == wanted.repository.as_str() || repository.ends_with(&format!("/{}", wanted.repository));
        let all = wanted.tag.is_none() && wanted.digest.is_none();
        let mut named: BTreeSet<Digest> = BTreeSet::new();
        for (digest, lost) in self.manifests.iter_mut().filter(|_| fits) {
            let by_digest = wanted.digest.as_ref() == Some(digest) || all;
            let by_tag = lost.tags.iter().any(|tag| Some(&tag.tag) == wanted.tag.as_ref() && !tag.at_risk);
            if by_digest || by_tag {
                named.insert(digest.clone());
                lost.tags.retain(|tag| by_digest || Some(&tag.tag) == wanted.tag.as_ref());
            }
        }
        let near = self.with_near(named);
        self.manifests.retain(|digest, _| near.contains(digest));
    }

    /// These, what they list, and what is attached to any of it.
    fn with_near(&self, named: BTreeSet<Digest>) -> BTreeSet<Digest> {
        let mut near = BTreeSet::new();
        let mut left: Vec<Digest> = named.into_iter().collect();
        while let Some(digest) = left.pop() {
            if let Some(lost) = self.manifests.get(&digest)
                && near.insert(digest.clone())
            {
                left.extend(lost.children.iter().cloned());
                let lists = |lost: &&Lost| lost.subject.as_ref() == Some(&digest) || lost.is_about(&digest);
                left.extend(self.manifests.values().filter(lists).map(|lost| lost.manifest.digest.clone()));
            }
        }
        near
    }

    /// The manifests in rounds: what is listed comes before what lists it.
    pub(super) fn rounds(&self) -> Vec<Vec<&Lost>> {
        let mut done: BTreeSet<&Digest> = BTreeSet::new();
        let mut left: BTreeMap<&Digest, &Lost> = self.manifests.iter().collect();
        let mut rounds = Vec::new();
        while !left.is_empty() {
            let is_ready = |lost: &Lost| lost.children.iter().all(|child| done.contains(child) || !left.contains_key(child));
            let mut round: Vec<&Lost> = left.values().filter(|lost| is_ready(lost)).copied().collect();
            if round.is_empty() {
                // nothing that has its digest can list itself, so this is damage; the server will say what it thinks of it
                round = left.values().copied().collect();
            }
            for lost in &round {
                left.remove(&lost.manifest.digest);
                done.insert(&lost.manifest.digest);
            }
            rounds.push(round);
        }
        rounds
    }
}

impl Lost {
    /// Whether one of its tags says that it belongs to a manifest.
    fn is_about(&self, subject: &Digest) -> bool {
        let fallback = subject.fallback_tag();
        self.tags
            .iter()
            .any(|tag| tag.tag.as_str().strip_prefix(&fallback).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }
}
