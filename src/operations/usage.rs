//! How many bytes repositories and images take: each digest counted once, however many tags and indexes lead to it, and told apart by
//! whether anything else refers to it too (users' reports: reg#176, docker-registry-ui#195, engram#1224).
//!
//! Sizes are those of manifests, which name compressed layers: what is stored and sent, not what is unpacked. What no manifest names, only
//! the server knows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::Ticker;
use super::content::reference;
use super::image::Shape;
use super::inventory::{Depth, Inventory, Node, Role, listed};
use crate::oci::{Digest, Repository};
use crate::registry::{Registry, Result};

/// What one repository takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepositoryUsage {
    /// The repository, with the registry's name.
    pub repository: String,
    /// How many tags it has.
    pub tags: usize,
    /// How many manifests are known of it.
    pub manifests: usize,
    /// Bytes of all that it refers to; `None` when a manifest doesn't say (schema 1).
    pub size: Option<u64>,
    /// Of these, what none of the other repositories that were looked at refers to.
    pub unique: Option<u64>,
    /// Of these, what others refer to as well.
    pub shared: Option<u64>,
    /// Of these, what no tag leads to; `None` when none was found, and the server doesn't list what has no tag.
    pub reclaimable: Option<u64>,
}

/// What one image of a repository takes, with everything that it lists and that is attached to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageUsage {
    /// A full reference to it.
    pub reference: String,
    /// Its digest.
    pub digest: Digest,
    /// The tags on it.
    pub tags: Vec<String>,
    /// Bytes of all that it refers to; `None` when a manifest doesn't say (schema 1).
    pub size: Option<u64>,
    /// Of these, what no other tagged image refers to: what is no longer referenced when it goes.
    pub unique: Option<u64>,
    /// Of these, what others refer to as well.
    pub shared: Option<u64>,
}

/// A repository as it is to be measured.
pub struct Measured {
    name: String,
    inventory: Inventory,
    /// Why manifests without a tag may have been missed.
    pub unlisted: Option<String>,
}

/// Reads a repository.
///
/// # Errors
/// When any of it can't be read: half a sum is none.
pub async fn measure(registry: &dyn Registry, repository: &Repository, tick: Ticker<'_>) -> Result<Measured> {
    let (also, unlisted) = match listed(registry, repository).await? {
        Ok(digests) => (digests, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let inventory = Inventory::read(registry, repository, Depth::Manifests, &also, tick).await?;
    Ok(Measured { name: format!("{}/{repository}", registry.name()), inventory, unlisted })
}

/// What repositories take, that with the most of its own first. Blobs are the same when their digests are, as on servers that share them.
pub fn of_repositories(measured: &[Measured]) -> Vec<RepositoryUsage> {
    let mut ledger = Ledger::default();
    for repository in measured {
        ledger.add(repository.inventory.manifests().iter());
    }
    let mut usages: Vec<RepositoryUsage> = measured
        .iter()
        .zip(ledger.sums())
        .map(|(repository, sum)| {
            let inventory = &repository.inventory;
            let reached = inventory.reach(roots(inventory));
            let loose: BTreeSet<Digest> =
                inventory.manifests().keys().filter(|digest| !reached.contains(digest)).cloned().collect();
            RepositoryUsage {
                repository: repository.name.clone(),
                tags: inventory.tags().iter().filter(|tag| tag.role == Role::Name).count(),
                manifests: inventory.manifests().len(),
                size: sum.size(),
                unique: sum.unique(),
                shared: sum.shared(),
                // nothing found is not nothing there
                reclaimable: sum
                    .size()
                    .map(|_| inventory.freed(&loose))
                    .filter(|freed| *freed > 0 || repository.unlisted.is_none()),
            }
        })
        .collect();
    usages.sort_by(|a, b| (b.unique, b.size, &a.repository).cmp(&(a.unique, a.size, &b.repository)));
    usages
}

/// What has a tag, and what that is attached to.
fn roots(inventory: &Inventory) -> BTreeSet<&Digest> {
    let mut roots = BTreeSet::new();
    let mut left: Vec<&Digest> = inventory.tags().iter().map(|tag| &tag.digest).collect();
    while let Some(digest) = left.pop() {
        if roots.insert(digest) {
            left.extend(inventory.subjects(digest));
        }
    }
    roots
}

/// What the tagged images of a repository take, that with the most of its own first.
pub fn of_images(registry: &dyn Registry, repository: &Repository, measured: &Measured) -> Vec<ImageUsage> {
    let inventory = &measured.inventory;
    let mut images: BTreeMap<&Digest, Vec<String>> = BTreeMap::new();
    for tag in inventory.tags().iter().filter(|tag| tag.role == Role::Name) {
        images.entry(&tag.digest).or_default().push(tag.tag.to_string());
    }
    let mut ledger = Ledger::default();
    for digest in images.keys() {
        let reached = inventory.reach([*digest]);
        ledger.add(reached.into_iter().filter_map(|digest| Some((digest, inventory.manifest(digest)?))));
    }
    let mut usages: Vec<ImageUsage> = images
        .into_iter()
        .zip(ledger.sums())
        .map(|((digest, tags), sum)| ImageUsage {
            reference: reference(registry, repository, &digest.clone().into()),
            digest: digest.clone(),
            tags,
            size: sum.size(),
            unique: sum.unique(),
            shared: sum.shared(),
        })
        .collect();
    usages.sort_by(|a, b| (b.unique, b.size, &a.tags).cmp(&(a.unique, a.size, &b.tags)));
    usages
}

/// Who refers to which bytes.
#[derive(Default)]
struct Ledger<'a> {
    entries: HashMap<&'a Digest, Entry>,
    sums: Vec<Sum>,
}

struct Entry {
    size: u64,
    holder: usize,
    is_shared: bool,
}

#[derive(Clone, Copy, Default)]
struct Sum {
    size: u64,
    unique: u64,
    /// Something in it has a size that nobody knows.
    is_unknown: bool,
}

impl Sum {
    fn known(self, bytes: u64) -> Option<u64> {
        (!self.is_unknown).then_some(bytes)
    }

    fn size(self) -> Option<u64> {
        self.known(self.size)
    }

    fn unique(self) -> Option<u64> {
        self.known(self.unique)
    }

    fn shared(self) -> Option<u64> {
        self.known(self.size - self.unique)
    }
}

impl<'a> Ledger<'a> {
    /// Takes in the manifests of one more holder.
    fn add(&mut self, manifests: impl Iterator<Item = (&'a Digest, &'a Node)>) {
        let holder = self.sums.len();
        let mut sum = Sum::default();
        let mut seen: BTreeSet<&Digest> = BTreeSet::new();
        for (digest, node) in manifests {
            sum.is_unknown |= node.shape == Shape::Schema1;
            let blobs = node.blobs.iter().map(|blob| (&blob.digest, blob.size));
            for (digest, size) in blobs.chain([(digest, node.size)]) {
                if !seen.insert(digest) {
                    continue;
                }
                let entry = self.entries.entry(digest).or_insert(Entry { size, holder, is_shared: false });
                entry.is_shared |= entry.holder != holder;
                // what the first one said: two manifests that disagree are one blob all the same
                sum.size = sum.size.saturating_add(entry.size);
            }
        }
        self.sums.push(sum);
    }

    fn sums(mut self) -> Vec<Sum> {
        for entry in self.entries.values().filter(|entry| !entry.is_shared) {
            let sum = &mut self.sums[entry.holder];
            sum.unique = sum.unique.saturating_add(entry.size);
        }
        self.sums
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::inventory::Blob;
    use super::*;

    fn node(blobs: &[u8]) -> Node {
        let blob = |number: &u8| Arc::new(Blob { digest: Digest::sha256(&[0, *number]), size: 1 << number });
        Node {
            media_type: String::new(),
            shape: Shape::Image,
            artifact_type: None,
            size: 1,
            children: vec![],
            subject: None,
            blobs: blobs.iter().map(blob).collect(),
            created_at: None,
        }
    }

    proptest! {
        /// Against the plain definition: a byte is unique when one holder has it, and each holder has each byte once.
        #[test]
        fn sums_are_those_of_sets(holders in prop::collection::vec(prop::collection::vec(prop::collection::vec(1u8..20, 0..6), 0..4), 1..5)) {
            let held: Vec<Vec<(Digest, Node)>> = holders
                .iter()
                .map(|images| images.iter().map(|blobs| (Digest::sha256(blobs), node(blobs))).collect())
                .collect();
            let mut ledger = Ledger::default();
            for manifests in &held {
                ledger.add(manifests.iter().map(|(digest, node)| (digest, node)));
            }
            let sets: Vec<BTreeMap<Digest, u64>> = held
                .iter()
                .map(|manifests| {
                    let blobs = |node: &Node| node.blobs.iter().map(|blob| (blob.digest.clone(), blob.size)).collect::<Vec<_>>();
                    manifests.iter().flat_map(|(digest, node)| blobs(node).into_iter().chain([(digest.clone(), 1)])).collect()
                })
                .collect();
            for (at, sum) in ledger.sums().into_iter().enumerate() {
                let others: BTreeSet<&Digest> =
                    sets.iter().enumerate().filter(|(other, _)| *other != at).flat_map(|(_, set)| set.keys()).collect();
                let unique: u64 = sets[at].iter().filter(|(digest, _)| !others.contains(digest)).map(|(_, size)| size).sum();
                prop_assert_eq!((sum.size, sum.unique), (sets[at].values().sum::<u64>(), unique));
            }
        }
    }
}
