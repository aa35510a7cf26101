//! Putting manifests and tags back on one server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use futures_util::{StreamExt, stream};
use tokio::sync::OnceCell;

use super::super::content::reference;
use super::super::{Ticker, fallback, placeholder};
use super::{Back, Losses, Lost, LostTag, Noted, Options, Outcome, Undone, failed};
use crate::oci::{Digest, Manifest, RawManifest, Repository, Selector};
use crate::registry::{Error, ErrorKind, Registry, Result};

pub(super) struct Restorer<'a> {
    registry: &'a dyn Registry,
    repository: &'a Repository,
    losses: &'a Losses,
    options: Options,
    noted: Noted<'a>,
    /// Whether the server has a blob; images share many.
    blobs: Mutex<BTreeMap<Digest, std::sync::Arc<OnceCell<bool>>>>,
    /// Manifests that could not be put back.
    hopeless: Mutex<BTreeSet<Digest>>,
}

/// What a tag is on now.
enum Now {
    Nothing,
    Original,
    /// What the run itself had put there.
    Ours(Digest),
    Else(Digest),
}

impl<'a> Restorer<'a> {
    pub(super) fn new(registry: &'a dyn Registry, losses: &'a Losses, options: Options, noted: Noted<'a>) -> Restorer<'a> {
        let repository = &losses.place.repository;
        Restorer { registry, repository, losses, options, noted, blobs: Mutex::default(), hopeless: Mutex::default() }
    }

    pub(super) async fn run(&self, stop: &(dyn Fn() -> bool + Sync), tick: Ticker<'_>) -> Undone {
        let rounds = self.losses.rounds();
        let total = rounds.iter().map(Vec::len).sum::<usize>() as u64;
        let mut undone = Undone::default();
        let mut done = 0;
        for round in rounds {
            let restored =
                stream::iter(round).map(|lost| async move { if stop() { None } else { Some(self.restore(lost).await) } });
            let mut restored = restored.buffered(self.registry.concurrency().max(1));
            while let Some(outcomes) = restored.next().await {
                done += 1;
                tick(done, Some(total));
                for (outcome, error) in outcomes.into_iter().flatten() {
                    undone.outcomes.push(outcome);
                    undone.first_error = undone.first_error.take().or(error);
                }
            }
            if undone.first_error.as_ref().is_some_and(Error::stops_a_batch) {
                break;
            }
        }
        undone
    }

    fn name(&self, selector: &Selector) -> String {
        reference(self.registry, self.repository, selector)
    }

    /// Puts one manifest back with its tags.
    async fn restore(&self, lost: &Lost) -> Vec<(Outcome, Option<Error>)> {
        let digest = &lost.manifest.digest;
        let by_digest = Selector::Digest(digest.clone());
        let outcome = |reference, result, message| Outcome { reference, digest: digest.clone(), result, message };
        let is_there = match self.is_there(&by_digest).await {
            Ok(is_there) => is_there,
            Err(error) => return vec![(failed(self.name(&by_digest), digest, &error), Some(error))],
        };
        let why = match is_there {
            true => Ok(None),
            false => self.what_is_missing(lost).await,
        };
        match why {
            Ok(None) => {}
            Ok(Some(why)) => {
                self.hopeless.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(digest.clone());
                let names = lost.tags.iter().filter(|tag| !tag.at_risk).map(|tag| self.name(&tag.tag.clone().into()));
                let mut names: Vec<String> = names.collect();
                if names.is_empty() {
                    names.push(self.name(&by_digest));
                }
                return names.into_iter().map(|name| (outcome(name, Back::Lost, Some(why.clone())), None)).collect();
            }
            Err(error) => return vec![(failed(self.name(&by_digest), digest, &error), Some(error))],
        }
        let mut outcomes = Vec::new();
        let mut is_back = is_there;
        for tag in &lost.tags {
            match self.restore_tag(lost, tag).await {
                Ok(Some((result, message))) => {
                    is_back |= result == Back::Restored;
                    outcomes.push((outcome(self.name(&tag.tag.clone().into()), result, message), None));
                }
                Ok(None) => {}
                Err(error) => outcomes.push((failed(self.name(&tag.tag.clone().into()), digest, &error), Some(error))),
            }
        }
        // without a tag it can still come back by its digest
        if !is_back && !self.options.dry_run {
            match self.registry.put_manifest(self.repository, &by_digest, &lost.manifest).await {
                Ok(_) => {
                    (self.noted)(digest, None);
                    outcomes.push((outcome(self.name(&by_digest), Back::Restored, None), None));
                }
                Err(error) => outcomes.push((self.refused(&by_digest, digest, &error), Some(error))),
            }
        } else if outcomes.is_empty() {
            let result = if is_there { Back::Already } else { Back::Possible };
            outcomes.push((outcome(self.name(&by_digest), result, None), None));
        }
        outcomes
    }

    /// A refusal that says that something is missing means the same on every server, whatever the status.
    fn refused(&self, selector: &Selector, digest: &Digest, error: &Error) -> Outcome {
        let mut outcome = failed(self.name(selector), digest, error);
        if matches!(error.code(), Some("MANIFEST_BLOB_UNKNOWN" | "BLOB_UNKNOWN" | "MANIFEST_UNKNOWN")) {
            outcome.result = Back::Lost;
            outcome.message = Some(format!("the server no longer holds what it needs: {error}"));
        }
        outcome
    }

    /// `None`: nothing has to be said of it.
    async fn restore_tag(&self, lost: &Lost, tag: &LostTag) -> Result<Option<(Back, Option<String>)>> {
        let selector = Selector::Tag(tag.tag.clone());
        let now = self.now(&selector, lost, tag).await?;
        let (content, message) = match &now {
            Now::Original if tag.at_risk => return Ok(None),
            Now::Original => return Ok(Some((Back::Already, None))),
            // a tag that was to stay belongs to whoever has moved it
            Now::Else(_) if tag.at_risk => return Ok(None),
            Now::Nothing | Now::Ours(_) => (lost.manifest.clone(), None),
            Now::Else(now) => match self.merged(&selector, lost, tag).await? {
                Some(merged) if merged.digest == *now => return Ok(Some((Back::Already, None))),
                Some(merged) => (merged, Some("added to the list that is there by now".to_owned())),
                None if self.options.force => (lost.manifest.clone(), Some(format!("it was on {now}"))),
                None => return Ok(Some((Back::Moved, Some(format!("it is on {now} by now, and was left alone"))))),
            },
        };
        if self.options.dry_run {
            return Ok(Some((Back::Possible, message)));
        }
        match self.registry.put_manifest(self.repository, &selector, &content).await {
            Ok(_) => {}
            Err(error) => {
                let outcome = self.refused(&selector, &lost.manifest.digest, &error);
                return if outcome.result == Back::Lost { Ok(Some((Back::Lost, outcome.message))) } else { Err(error) };
            }
        }
        (self.noted)(&lost.manifest.digest, Some(&tag.tag));
        if let Now::Ours(ours) = now {
            self.tidy_up(&ours).await;
        }
        Ok(Some((Back::Restored, message)))
    }

    async fn now(&self, selector: &Selector, lost: &Lost, tag: &LostTag) -> Result<Now> {
        match self.registry.head(self.repository, selector).await {
            Ok(head) if head.digest == lost.manifest.digest => Ok(Now::Original),
            Ok(head) if tag.becomes.contains(&head.digest) => Ok(Now::Ours(head.digest)),
            Ok(head) => Ok(Now::Else(head.digest)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Now::Nothing),
            Err(error) => Err(error),
        }
    }

    /// A list of referrers that others have changed since gets back what it lost, and keeps what is new.
    async fn merged(&self, selector: &Selector, lost: &Lost, tag: &LostTag) -> Result<Option<RawManifest>> {
        if tag.becomes.is_empty() || !tag.tag.is_attachment() {
            return Ok(None);
        }
        let now = self.registry.manifest(self.repository, selector).await?;
        Ok(fallback::with(&now, &lost.manifest))
    }

    /// A placeholder that a killed run left behind is nobody's.
    async fn tidy_up(&self, ours: &Digest) {
        if let Ok(manifest) = self.registry.manifest(self.repository, &ours.clone().into()).await
            && placeholder::is_placeholder(&manifest)
        {
            let _ = self.registry.delete_manifest(self.repository, ours).await;
        }
    }

    async fn is_there(&self, selector: &Selector) -> Result<bool> {
        match self.registry.head(self.repository, selector).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the server no longer holds of what a manifest needs, in words.
    async fn what_is_missing(&self, lost: &Lost) -> Result<Option<String>> {
        for child in &lost.children {
            let hopeless = self.hopeless.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).contains(child);
            // one that comes back in this run was put back before, unless this only looks
            let comes_back = self.losses.get(child).is_some() && !hopeless;
            if !comes_back && !self.is_there(&Selector::Digest(child.clone())).await? {
                return Ok(Some(format!("the server no longer holds {child}, which it lists")));
            }
        }
        let blobs: Vec<Digest> = match lost.manifest.parse() {
            Ok(Manifest::Image(image)) => {
                let stored = image.layers.iter().filter(|layer| !layer.is_stored_elsewhere());
                stored.chain([&image.config]).map(|blob| blob.digest.clone()).collect()
            }
            Ok(Manifest::Schema1(old)) => old.fs_layers.into_iter().map(|layer| layer.blob_sum).collect(),
            Ok(Manifest::Index(_) | Manifest::Unknown(_)) | Err(_) => Vec::new(),
        };
        for blob in blobs {
            if !self.has_blob(&blob).await? {
                return Ok(Some(format!("the server no longer holds its blob {blob}")));
            }
        }
        Ok(None)
    }

    async fn has_blob(&self, digest: &Digest) -> Result<bool> {
        let cell = {
            let mut blobs = self.blobs.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            blobs.entry(digest.clone()).or_default().clone()
        };
        let asked = cell.get_or_try_init(|| async {
            match self.registry.blob_size(self.repository, digest).await {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            }
        });
        asked.await.copied()
    }
}
