//! What the server holds on to: locked tags, locked manifests, and manifests that carry a locked tag (users' reports: acr-cli#134,
//! acr-cli#135, harbor#16335). Nothing of it is part of a plan, because the server would refuse in the middle.

use super::{Depth, Inventory, TagRecord};
use crate::oci::{Digest, Repository, Tag};
use crate::operations::Ticker;
use crate::registry::{Hold, Lock, Locks, Registry, Result};

/// Why something can't be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The locked tag, where it is not the thing itself that is locked.
    pub by: Option<Tag>,
    /// The lock.
    pub hold: Hold,
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.by {
            Some(tag) => write!(f, "its tag {tag} is {}", self.hold.why),
            None => f.write_str(self.hold.why),
        }
    }
}

impl Inventory {
    /// Reads a repository as [`Inventory::read`] does, and what is locked in it, for whoever is going to delete.
    ///
    /// # Errors
    /// When anything can't be read. Locks that the server doesn't tell are none: it refuses by itself.
    pub async fn read_with_locks(
        registry: &dyn Registry,
        repository: &Repository,
        depth: Depth,
        also: &[Digest],
        tick: Ticker<'_>,
    ) -> Result<Inventory> {
        let inventory = Inventory::read(registry, repository, depth, also, tick);
        let locks = registry.locks(repository, depth >= Depth::Manifests);
        let (inventory, locks) = futures_util::try_join!(inventory, locks)?;
        Ok(inventory.with_locks(locks))
    }

    /// The same with these locks.
    pub fn with_locks(mut self, locks: Locks) -> Inventory {
        for tag in &mut self.tags {
            tag.lock = locks.tag(tag.tag.as_str(), tag.lock);
        }
        self.locks = locks;
        self
    }

    /// Why a manifest can't be deleted: it is locked, or a tag on it is.
    pub fn held(&self, digest: &Digest) -> Option<Held> {
        if let Some(hold) = self.locks.manifest(digest).and_then(Lock::held) {
            return Some(Held { by: None, hold });
        }
        self.tags_on(digest).find_map(|tag| Some(Held { by: Some(tag.tag.clone()), hold: tag.held()? }))
    }

    /// Why the repository can't be deleted as such.
    pub fn held_whole(&self) -> Option<Hold> {
        let locks = [self.locks.repository, self.locks.contents];
        locks.into_iter().flatten().find_map(Lock::held)
    }
}

impl TagRecord {
    /// Why it can't be deleted.
    pub fn held(&self) -> Option<Hold> {
        self.lock.and_then(Lock::held)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HELD, digest, inventory, on_tags};
    use super::*;

    #[test]
    fn acr_cli_134_a_manifest_is_held_by_itself_or_by_a_tag() {
        let locks = Locks { manifests: [(digest(2), HELD)].into(), ..on_tags(&["v1"]) };
        let inventory = inventory(&[("v1", 1), ("latest", 1), ("v2", 2), ("v3", 3)], &[], &[]).with_locks(locks);
        let why = |number| inventory.held(&digest(number)).map(|held| held.to_string());
        assert_eq!(why(1).as_deref(), Some("its tag v1 is locked for a test"));
        assert_eq!(why(2).as_deref(), Some("locked for a test"));
        assert_eq!((why(3), inventory.held_whole()), (None, None));
        let whole = inventory.with_locks(Locks { contents: Some(HELD), ..Locks::default() });
        assert!(whole.held_whole().is_some() && whole.held(&digest(3)).is_some());
        assert!(whole.tags().iter().all(|tag| tag.held().is_some()));
    }
}
