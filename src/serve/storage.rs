//! What the registry holds: repositories with blobs, manifests and tags; in memory, and on disk if a folder was given.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use super::folder::Folder;
use super::held::Held;
use crate::oci::{Digest, RawManifest, Repository, Tag};

/// The content of the registry. Every change to a folder is on disk before it is answered.
pub struct Storage {
    repositories: RwLock<BTreeMap<Repository, Held>>,
    folder: Option<Folder>,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Storage {
    /// Nothing, in memory.
    pub fn memory() -> Storage {
        Storage { repositories: RwLock::default(), folder: None }
    }

    /// The image layouts in a folder: each folder below it that is a layout is a repository of that path; a folder that is a layout
    /// itself is one repository.
    ///
    /// # Errors
    /// When the folder can't be read. A damaged layout is not an error: what can be read is served.
    pub fn folder(path: &Path) -> io::Result<Storage> {
        let (folder, repositories) = Folder::open(path)?;
        Ok(Storage { repositories: RwLock::new(repositories), folder: Some(folder) })
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Repository, Held>> {
        self.repositories.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Repository, Held>> {
        self.repositories.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The names of all repositories, sorted.
    pub fn repositories(&self) -> Vec<Repository> {
        self.read().keys().cloned().collect()
    }

    /// So many names that sort after `last`, and whether there are more.
    pub(super) fn repositories_after(&self, last: Option<&str>, count: usize) -> (Vec<String>, bool) {
        let repositories = self.read();
        let begin = last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = repositories.range::<str, _>((begin, Bound::Unbounded));
        let page = rest.by_ref().take(count).map(|(name, _)| name.to_string()).collect();
        (page, rest.next().is_some())
    }

    /// The tags of a repository, sorted; `None` if there is no such repository.
    pub fn tags(&self, repository: &Repository) -> Option<Vec<Tag>> {
        self.read().get(repository).map(|held| held.tags().keys().cloned().collect())
    }

    /// So many tags that sort after `last`, and whether there are more; `None` if there is no such repository.
    pub(super) fn tags_after(&self, repository: &Repository, last: Option<&str>, count: usize) -> Option<(Vec<String>, bool)> {
        let repositories = self.read();
        let begin = last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = repositories.get(repository)?.tags().range::<str, _>((begin, Bound::Unbounded));
        let page = rest.by_ref().take(count).map(|(tag, _)| tag.to_string()).collect();
        Some((page, rest.next().is_some()))
    }

    /// Whether there is such a repository.
    pub fn has(&self, repository: &Repository) -> bool {
        self.read().contains_key(repository)
    }

    /// What a tag points at.
    pub fn resolve(&self, repository: &Repository, tag: &Tag) -> Option<Digest> {
        self.read().get(repository)?.tags().get(tag).cloned()
    }

    /// A manifest.
    pub fn manifest(&self, repository: &Repository, digest: &Digest) -> Option<RawManifest> {
        self.read().get(repository)?.manifests().get(digest).cloned()
    }

    /// Every manifest whose subject is this digest.
    pub fn referrers(&self, repository: &Repository, subject: &Digest) -> Vec<RawManifest> {
        self.read().get(repository).map(|held| held.attached(subject)).unwrap_or_default()
    }

    /// Whether an index lists the manifest.
    pub fn is_child(&self, repository: &Repository, digest: &Digest) -> bool {
        self.read().get(repository).is_some_and(|held| held.is_child(digest))
    }

    /// Keeps a manifest, and moves tags to it.
    ///
    /// # Errors
    /// When the folder can't be written.
    pub fn put_manifest(&self, repository: &Repository, manifest: RawManifest, tag: Option<&Tag>) -> io::Result<()> {
        let mut repositories = self.write();
        let held = repositories.entry(repository.clone()).or_default();
        if let Some(folder) = &self.folder {
            folder.write_blob(repository, &manifest.digest, &manifest.bytes)?;
        }
        let digest = manifest.digest.clone();
        held.insert(manifest);
        if let Some(tag) = tag {
            held.tag(tag.clone(), digest);
        }
        self.save(repository, held)
    }

    /// Takes a manifest away, with its tags; false if it was not there.
    ///
    /// # Errors
    /// When the folder can't be written.
    pub fn delete_manifest(&self, repository: &Repository, digest: &Digest) -> io::Result<bool> {
        let mut repositories = self.write();
        let Some(held) = repositories.get_mut(repository) else { return Ok(false) };
        if !held.remove(digest) {
            return Ok(false);
        }
        self.save(repository, held)?;
        if let Some(folder) = &self.folder {
            folder.remove_blob(repository, digest)?;
        }
        Ok(true)
    }

    /// Takes a tag away; false if it was not there.
    ///
    /// # Errors
    /// When the folder can't be written.
    pub fn untag(&self, repository: &Repository, tag: &Tag) -> io::Result<bool> {
        let mut repositories = self.write();
        let Some(held) = repositories.get_mut(repository) else { return Ok(false) };
        if !held.untag(tag) {
            return Ok(false);
        }
        self.save(repository, held)?;
        Ok(true)
    }

    /// A blob's content. A manifest is one too.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn blob(&self, repository: &Repository, digest: &Digest) -> io::Result<Option<Bytes>> {
        let repositories = self.read();
        let Some(held) = repositories.get(repository) else { return Ok(None) };
        if let Some(blob) = held.blobs.get(digest) {
            return Ok(Some(blob.clone()));
        }
        if let Some(manifest) = held.manifests().get(digest) {
            return Ok(Some(manifest.bytes.clone()));
        }
        self.folder.as_ref().map_or(Ok(None), |folder| folder.read_blob(repository, digest))
    }

    /// Whether a blob is there.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn has_blob(&self, repository: &Repository, digest: &Digest) -> io::Result<bool> {
        let repositories = self.read();
        let Some(held) = repositories.get(repository) else { return Ok(false) };
        let in_memory = held.blobs.contains_key(digest) || held.manifests().contains_key(digest);
        Ok(in_memory || self.folder.as_ref().is_some_and(|folder| folder.has_blob(repository, digest)))
    }

    /// Keeps a blob.
    ///
    /// # Errors
    /// When the folder can't be written.
    pub fn put_blob(&self, repository: &Repository, digest: &Digest, content: Bytes) -> io::Result<()> {
        let mut repositories = self.write();
        let held = repositories.entry(repository.clone()).or_default();
        match &self.folder {
            Some(folder) => folder.write_blob(repository, digest, &content),
            None => {
                held.blobs.insert(digest.clone(), content);
                Ok(())
            }
        }
    }

    /// Takes a blob away; false if it was not there.
    ///
    /// # Errors
    /// When the folder can't be written.
    pub fn delete_blob(&self, repository: &Repository, digest: &Digest) -> io::Result<bool> {
        let mut repositories = self.write();
        let Some(held) = repositories.get_mut(repository) else { return Ok(false) };
        match &self.folder {
            Some(folder) => folder.remove_blob(repository, digest),
            None => Ok(held.blobs.remove(digest).is_some()),
        }
    }

    fn save(&self, repository: &Repository, held: &Held) -> io::Result<()> {
        self.folder.as_ref().map_or(Ok(()), |folder| folder.save(repository, held))
    }
}
