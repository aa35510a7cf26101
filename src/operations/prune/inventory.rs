//! What a decision is made from: everything that a repository holds, as plain values.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;

use crate::oci::{Digest, Tag, is_plausible_date};

/// Everything that a repository holds. Complete, or it must not be made: what is missing here looks as if nothing needed it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Every tag, those of signatures too.
    pub tags: Vec<TagFacts>,
    /// Every manifest that is known to be there.
    pub manifests: BTreeMap<Digest, ManifestFacts>,
    /// What is attached to what: by `subject` field, by the referrers API, by a `sha256-…` tag.
    pub attached: BTreeMap<Digest, BTreeSet<Digest>>,
    /// Manifests that something names and that were looked for in vain. One that is neither here nor above is unknown, not missing.
    pub missing: BTreeSet<Digest>,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagFacts {
    /// Its name.
    pub tag: Tag,
    /// What it points at.
    pub digest: Digest,
    /// When it was pushed, where the server tells.
    pub pushed_at: Option<Timestamp>,
    /// When it was last pulled, where the server tells.
    pub pulled_at: Option<Timestamp>,
}

/// A manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManifestFacts {
    /// What it lists, when it is an index.
    pub children: Vec<Digest>,
    /// When it was built, as its config says.
    pub created_at: Option<Timestamp>,
    /// When it was pushed, where the server tells.
    pub pushed_at: Option<Timestamp>,
    /// When it was last pulled, where the server tells.
    pub pulled_at: Option<Timestamp>,
    /// Its own bytes.
    pub size: u64,
    /// Its config and layers with their bytes; `None` where a size is unknown.
    pub blobs: BTreeMap<Digest, Option<u64>>,
}

impl Inventory {
    /// Whether a tag is one that a person gave an image, rather than one that carries a signature.
    pub(super) fn is_ordinary(tag: &TagFacts) -> bool {
        !tag.tag.is_attachment()
    }

    /// When a manifest was pushed, else when it or the newest of what it lists was built. Dates that nobody can have meant are unknown.
    pub(super) fn date(&self, digest: &Digest) -> Option<Timestamp> {
        let facts = self.manifests.get(digest)?;
        plausible(facts.pushed_at).or_else(|| {
            let family = self.spread([digest.clone()], |member| self.children(member));
            family.iter().filter_map(|member| plausible(self.manifests.get(member)?.created_at)).max()
        })
    }

    /// When a tag was pushed, else the date of its manifest.
    pub(super) fn tag_date(&self, tag: &TagFacts) -> Option<Timestamp> {
        plausible(tag.pushed_at).or_else(|| self.date(&tag.digest))
    }

    /// What a manifest lists.
    pub(super) fn children(&self, digest: &Digest) -> Vec<Digest> {
        self.manifests.get(digest).map(|facts| facts.children.clone()).unwrap_or_default()
    }

    /// Everything that can be come to from `start` by steps; each is entered once, so that a server's circles end.
    pub(super) fn spread(
        &self,
        start: impl IntoIterator<Item = Digest>,
        steps: impl Fn(&Digest) -> Vec<Digest>,
    ) -> BTreeSet<Digest> {
        let mut reached: BTreeSet<Digest> = BTreeSet::new();
        let mut waiting: VecDeque<Digest> = start.into_iter().collect();
        while let Some(digest) = waiting.pop_front() {
            if !reached.contains(&digest) {
                waiting.extend(steps(&digest));
                reached.insert(digest);
            }
        }
        reached
    }
}

/// A date, unless it is one that tools make up.
pub(super) fn plausible(date: Option<Timestamp>) -> Option<Timestamp> {
    date.filter(|date| is_plausible_date(*date))
}
