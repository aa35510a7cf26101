//! Deleting a whole repository by the vendor's own call: everything in it is written down first.

use std::collections::BTreeSet;

use futures_util::{TryStreamExt, stream};

use super::super::inventory::{Depth, Inventory};
use super::super::plan::Step;
use super::super::removal;
use super::Done;
use super::step::Applier;
use crate::registry::{ErrorKind, Result};

impl Applier<'_> {
    pub(super) async fn delete_repository(&self, step: &str) -> Result<(Done, Option<String>)> {
        if self.conditions.journal.keeps() {
            let inventory = Inventory::read(self.registry, self.repository, Depth::Manifests, &[], &|_, _| {}).await;
            match inventory {
                Ok(inventory) => self.keep_all(step, &inventory).await?,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Done::Gone, None)),
                Err(error) => return Err(error),
            }
        }
        let was_there = self.registry.delete_repository(self.repository).await?;
        Ok((if was_there { Done::Deleted } else { Done::Gone }, None))
    }

    async fn keep_all(&self, step: &str, inventory: &Inventory) -> Result<()> {
        let all: BTreeSet<_> = inventory.manifests().keys().cloned().collect();
        let going = removal::steps(inventory, &all).into_iter().map(Ok);
        let keep = |going| async move {
            let Step::DeleteManifest { digest, tags, .. } = going else { return Ok(()) };
            match self.fetch(&digest).await? {
                Some(manifest) => self.keep(step, &manifest, tags.into_iter().map(|tag| tag.0).collect(), &[], None).await,
                None => Ok(()),
            }
        };
        stream::iter(going).try_for_each_concurrent(self.registry.concurrency().max(1), keep).await
    }
}
