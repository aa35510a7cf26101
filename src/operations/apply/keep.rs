//! What a step is about to take away, fetched and handed to the journal.

use std::collections::BTreeMap;

use tokio::sync::OnceCell;

use super::super::plan::{PlannedTag, RepositoryPlan, Step};
use super::step::Applier;
use crate::journal::{Kept, Place};
use crate::oci::{Digest, RawManifest, Selector, Tag};
use crate::registry::{ErrorKind, Result};

/// Manifests that several steps need, such as one with many tags, each fetched once. The others are not held on to.
#[derive(Default)]
pub(super) struct Shared(BTreeMap<Digest, OnceCell<Option<RawManifest>>>);

impl Shared {
    pub(super) fn of(plan: &RepositoryPlan) -> Shared {
        let mut counts: BTreeMap<&Digest, usize> = BTreeMap::new();
        for step in &plan.steps {
            if let Step::Untag { digest, .. } | Step::DeleteManifest { digest, .. } = step {
                *counts.entry(digest).or_default() += 1;
            }
        }
        let shared = counts.into_iter().filter(|(_, count)| *count > 1);
        Shared(shared.map(|(digest, _)| (digest.clone(), OnceCell::new())).collect())
    }
}

/// What a tag is now.
pub(super) enum Seen {
    /// Still what the plan saw; with the manifest, where that came along.
    There(Option<RawManifest>),
    /// Something else.
    Moved(Digest),
    /// Nothing.
    Gone,
}

impl Applier<'_> {
    /// Looks at a tag again; with the manifest itself where it will be needed and no other step has it.
    pub(super) async fn look(&self, tag: &Tag, digest: &Digest, needed: bool) -> Result<Seen> {
        let selector = Selector::Tag(tag.clone());
        let whole = needed && !self.shared.0.contains_key(digest);
        let seen = match whole {
            true => self.registry.manifest(self.repository, &selector).await.map(|found| (found.digest.clone(), Some(found))),
            false => self.registry.head(self.repository, &selector).await.map(|found| (found.digest, None)),
        };
        match seen {
            Ok((now, manifest)) if now == *digest => Ok(Seen::There(manifest)),
            Ok((now, _)) => Ok(Seen::Moved(now)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Seen::Gone),
            Err(error) => Err(error),
        }
    }

    /// A manifest by digest; `None` when the server doesn't have it.
    pub(super) async fn fetch(&self, digest: &Digest) -> Result<Option<RawManifest>> {
        let fetch = || async {
            match self.registry.manifest(self.repository, &digest.clone().into()).await {
                Ok(manifest) => Ok(Some(manifest)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        };
        match self.shared.0.get(digest) {
            Some(cell) => cell.get_or_try_init(fetch).await.cloned(),
            None => fetch().await,
        }
    }

    /// Writes down what a step takes away.
    pub(super) async fn keep(
        &self,
        step: &str,
        manifest: &RawManifest,
        tags: Vec<Tag>,
        at_risk: &[PlannedTag],
        becomes: Option<&Digest>,
    ) -> Result<()> {
        let place = Place {
            registry: self.registry.name().to_owned(),
            address: self.address.to_owned(),
            repository: self.repository.clone(),
        };
        let at_risk = at_risk.iter().map(|tag| tag.0.clone()).collect();
        let (step, manifest, becomes) = (step.to_owned(), manifest.clone(), becomes.cloned());
        self.conditions.journal.keep(Kept { place, step, manifest, tags, at_risk, becomes }).await
    }
}
