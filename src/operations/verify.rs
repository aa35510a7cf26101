//! Looking for what is broken in a repository: indexes that list what isn't there, tags that lead nowhere, what is attached to something
//! that has gone (users' reports: container-retention-policy#43, GHCA#1, niks3#479).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::Ticker;
use super::content::reference;
use super::inventory::{Blob, Inventory, Role};
use crate::oci::{Digest, Repository, Selector};
use crate::registry::{ErrorKind, Registry, Result};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// A tag that the server lists, and that leads nowhere.
    TagToNowhere,
    /// An index lists a manifest that the server doesn't have.
    MissingChild,
    /// A manifest names a blob that the server doesn't have.
    MissingBlob,
    /// A blob has another size than its manifest says.
    WrongSize,
    /// A manifest is not what its media type or digest says.
    Unreadable,
    /// Something is attached to a manifest that the server doesn't have.
    OrphanedReferrer,
    /// A fallback tag lists what is attached to a manifest that the server doesn't have.
    OrphanedList,
    /// A fallback tag lists something that the server doesn't have.
    StaleList,
}

impl Problem {
    /// In words, for tables.
    pub fn words(self) -> &'static str {
        match self {
            Problem::TagToNowhere => "tag to nowhere",
            Problem::MissingChild => "missing child",
            Problem::MissingBlob => "missing blob",
            Problem::WrongSize => "wrong size",
            Problem::Unreadable => "unreadable",
            Problem::OrphanedReferrer => "orphaned referrer",
            Problem::OrphanedList => "orphaned list",
            Problem::StaleList => "stale list",
        }
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The tag or manifest, as a full reference.
    pub reference: String,
    /// What is wrong with it.
    pub problem: Problem,
    /// What it lacks, where that is it.
    pub missing: Option<Digest>,
    /// Tags through which people meet the problem.
    pub tags: Vec<String>,
    /// The same as a sentence.
    pub message: String,
}

/// What was found, and how much was looked at.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Tags that were looked at.
    pub tags: usize,
    /// Manifests that were looked at.
    pub manifests: usize,
    /// Blobs that were looked at.
    pub blobs: usize,
}

/// Looks at a repository; at its blobs too, by a request each, if asked to.
///
/// # Errors
/// When the server can't be asked. What can't be read is a finding.
pub async fn verify(registry: &dyn Registry, repository: &Repository, blobs: bool, tick: Ticker<'_>) -> Result<Report> {
    let (inventory, unreadable) = Inventory::survey(registry, repository, tick).await?;
    let broken: BTreeSet<&Digest> = unreadable.iter().map(|unreadable| &unreadable.digest).collect();
    let name = |selector: Selector| reference(registry, repository, &selector);
    let mut findings = decide(&inventory, &broken, &name);
    for unreadable in &unreadable {
        findings.push(Finding {
            reference: name(unreadable.digest.clone().into()),
            problem: Problem::Unreadable,
            missing: None,
            tags: names(&inventory, &unreadable.digest),
            message: unreadable.error.to_string(),
        });
    }
    let mut looked_at = 0;
    if blobs {
        let by_blob = users(&inventory);
        looked_at = by_blob.len();
        findings.extend(look_at_blobs(registry, repository, &inventory, by_blob, tick).await?);
    }
    findings.sort();
    Ok(Report {
        findings,
        tags: inventory.tags().len() + inventory.dangling().len(),
        manifests: inventory.manifests().len() + unreadable.len(),
        blobs: looked_at,
    })
}

/// The tags that lead to a manifest, through indexes too.
fn names(inventory: &Inventory, digest: &Digest) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut left = vec![digest];
    while let Some(digest) = left.pop() {
        if seen.insert(digest) {
            found.extend(inventory.tags_on(digest).map(|tag| tag.tag.to_string()));
            left.extend(inventory.parents(digest));
        }
    }
    found.into_iter().collect()
}

/// What is wrong with how things hang together. `broken` manifests are there, and tell nothing.
fn decide(inventory: &Inventory, broken: &BTreeSet<&Digest>, name: &dyn Fn(Selector) -> String) -> Vec<Finding> {
    let is_there = |digest: &Digest| inventory.manifest(digest).is_some() || broken.contains(digest);
    let mut findings = Vec::new();
    for tag in inventory.dangling() {
        findings.push(Finding {
            reference: name(tag.clone().into()),
            problem: Problem::TagToNowhere,
            missing: None,
            tags: vec![tag.to_string()],
            message: "the server lists it, and has nothing under it".into(),
        });
    }
    for tag in inventory.tags().iter().filter(|tag| !is_there(&tag.digest)) {
        findings.push(Finding {
            reference: name(tag.tag.clone().into()),
            problem: Problem::TagToNowhere,
            missing: Some(tag.digest.clone()),
            tags: vec![tag.tag.to_string()],
            message: format!("it points at {}, which the server doesn't have", tag.digest),
        });
    }
    for (digest, node) in inventory.manifests() {
        let is_list = inventory.is_fallback(digest);
        for child in node.children.iter().filter(|child| !is_there(child)).collect::<BTreeSet<_>>() {
            let (problem, message) = match is_list {
                true => (Problem::StaleList, format!("it lists {child} as attached, which the server doesn't have")),
                false => (Problem::MissingChild, format!("it lists {child}, which the server doesn't have")),
            };
            let reference = name(digest.clone().into());
            findings.push(Finding { reference, problem, missing: Some(child.clone()), tags: names(inventory, digest), message });
        }
        // one that is attached to several things is whole while one of them is there
        let gone: Vec<&Digest> = inventory.subjects(digest).collect();
        if let Some(subject) = gone.first().filter(|_| !gone.iter().any(|subject| is_there(subject))) {
            findings.push(Finding {
                reference: name(digest.clone().into()),
                problem: Problem::OrphanedReferrer,
                missing: Some((*subject).clone()),
                tags: names(inventory, digest),
                message: format!("it is attached to {subject}, which the server doesn't have"),
            });
        }
    }
    for tag in inventory.tags() {
        if let Role::Fallback { subject } = &tag.role
            && !is_there(subject)
        {
            findings.push(Finding {
                reference: name(tag.tag.clone().into()),
                problem: Problem::OrphanedList,
                missing: Some(subject.clone()),
                tags: vec![tag.tag.to_string()],
                message: format!("it lists what is attached to {subject}, which the server doesn't have"),
            });
        }
    }
    findings
}

/// Each blob with the manifests that name it.
fn users(inventory: &Inventory) -> BTreeMap<Digest, Vec<(&Blob, &Digest)>> {
    let mut users: BTreeMap<Digest, Vec<(&Blob, &Digest)>> = BTreeMap::new();
    for (digest, node) in inventory.manifests() {
        for blob in &node.blobs {
            users.entry(blob.digest.clone()).or_default().push((blob, digest));
        }
    }
    users
}

async fn look_at_blobs(
    registry: &dyn Registry,
    repository: &Repository,
    inventory: &Inventory,
    users: BTreeMap<Digest, Vec<(&Blob, &Digest)>>,
    tick: Ticker<'_>,
) -> Result<Vec<Finding>> {
    let total = users.len() as u64;
    let done = AtomicU64::new(0);
    let done = &done;
    let asked = stream::iter(users).map(|(digest, users)| async move {
        let size = match registry.blob_size(repository, &digest).await {
            Ok(size) => Some(size),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        tick(done.fetch_add(1, Ordering::Relaxed) + 1, Some(total));
        Ok((digest, users, size))
    });
    let mut findings = Vec::new();
    let mut asked = asked.buffer_unordered(registry.concurrency().max(1));
    while let Some((digest, users, size)) = asked.try_next().await? {
        for (blob, manifest) in users {
            let (problem, message) = match size {
                None => (Problem::MissingBlob, format!("its blob {digest} is not there")),
                // schema 1 doesn't say how large its layers are
                Some(size) if blob.size != 0 && blob.size != size => {
                    (Problem::WrongSize, format!("its blob {digest} has {size} bytes and should have {}", blob.size))
                }
                Some(_) => continue,
            };
            let reference = reference(registry, repository, &manifest.clone().into());
            let missing = (problem == Problem::MissingBlob).then(|| digest.clone());
            findings.push(Finding { reference, problem, missing, tags: names(inventory, manifest), message });
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::super::inventory::tests::{digest, inventory};
    use super::super::inventory::{Node, Parts};
    use super::*;

    #[test]
    fn what_is_whole_has_no_findings_and_what_is_not_has() {
        let fallback = digest(1).fallback_tag();
        let whole = inventory(&[("v1", 1), ("multi", 5), (&fallback, 9)], &[(5, &[1, 6]), (9, &[2])], &[(2, 1)]);
        let name = |selector: Selector| selector.to_string();
        assert_eq!(decide(&whole, &BTreeSet::new(), &name), []);

        // without the image: an index with a hole, an orphan, a list of orphans, and a tag to nowhere
        let nodes: BTreeMap<Digest, Node> = whole
            .manifests()
            .iter()
            .filter(|(known, _)| **known != digest(1))
            .map(|(known, node)| (known.clone(), node.clone()))
            .collect();
        let tags = whole.tags().iter().map(|tag| super::super::tags::ResolvedTag {
            tag: tag.tag.clone(),
            digest: tag.digest.clone(),
            media_type: String::new(),
            pushed_at: None,
            pulled_at: None,
            lock: None,
        });
        let broken = Inventory::from(Parts { tags: tags.collect(), nodes, ..Parts::default() });
        let found = decide(&broken, &BTreeSet::new(), &name);
        let mut problems: Vec<Problem> = found.iter().map(|finding| finding.problem).collect();
        problems.sort();
        assert_eq!(problems, [Problem::TagToNowhere, Problem::MissingChild, Problem::OrphanedReferrer, Problem::OrphanedList]);
        let hole = found.iter().find(|finding| finding.problem == Problem::MissingChild).unwrap();
        assert_eq!((hole.tags.as_slice(), &hole.missing), (&["multi".to_owned()][..], &Some(digest(1))));

        // what is there and can't be read is no hole
        let unreadable = digest(1);
        assert_eq!(decide(&broken, &BTreeSet::from([&unreadable]), &name), []);
    }
}
