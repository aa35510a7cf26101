//! One step: look again, write down, do it, look whether it did more than it should.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::super::content::reference;
use super::super::plan::{Otherwise, PlannedTag, RepositoryPlan, Step};
use super::super::{fallback, placeholder};
use super::keep::{Seen, Shared};
use super::newcomers::Watch;
use super::{Conditions, Done, Newcomers, Outcome};
use crate::journal::Told;
use crate::oci::{Digest, RawManifest, Repository, Selector, Tag};
use crate::registry::{Error, ErrorKind, Registry, Result};

/// Carries out the steps of one repository.
pub(super) struct Applier<'a> {
    pub(super) registry: &'a dyn Registry,
    pub(super) address: &'a str,
    pub(super) repository: &'a Repository,
    pub(super) conditions: &'a Conditions<'a>,
    pub(super) shared: Shared,
    watch: Watch<'a>,
    /// An error that every other step would meet as well.
    hopeless: AtomicBool,
    done: AtomicU64,
    total: u64,
}

type Ended = (Done, Option<String>);

impl<'a> Applier<'a> {
    pub(super) fn new(
        registry: &'a dyn Registry,
        plan: &'a RepositoryPlan,
        newcomers: Newcomers,
        conditions: &'a Conditions<'a>,
    ) -> Applier<'a> {
        Applier {
            registry,
            address: &plan.address,
            repository: &plan.repository.0,
            conditions,
            shared: Shared::of(plan),
            watch: Watch::new(registry, plan, newcomers, conditions),
            hopeless: AtomicBool::new(false),
            done: AtomicU64::new(0),
            total: plan.steps.len() as u64,
        }
    }

    pub(super) async fn step(&self, step: &Step) -> (Outcome, Option<Error>) {
        let name = name(self.registry, self.repository, step);
        if (self.conditions.stop)() {
            let message = Some("not done: it was to stop before".to_owned());
            return self.told(Outcome { reference: name, result: Done::Interrupted, message }, None).await;
        }
        if self.hopeless.load(Ordering::Relaxed) {
            let message = Some("not tried: an earlier step failed in a way that this one would have too".to_owned());
            return self.told(Outcome { reference: name, result: Done::Failed, message }, None).await;
        }
        let result = match step {
            Step::Untag { tag, digest, siblings, otherwise } => self.untag(&name, &tag.0, digest, siblings, otherwise).await,
            Step::DeleteManifest { digest, tags, .. } => self.delete_manifest(&name, digest, tags).await,
            Step::Unlist { tag, digest, referrers, siblings, .. } => self.unlist(&name, &tag.0, digest, referrers, siblings).await,
            Step::DeleteRepository => self.delete_repository(&name).await,
        };
        (self.conditions.tick)(self.done.fetch_add(1, Ordering::Relaxed) + 1, Some(self.total));
        match result {
            Ok((result, message)) => self.told(Outcome { reference: name, result, message }, None).await,
            Err(error) => {
                if error.stops_a_batch() {
                    self.hopeless.store(true, Ordering::Relaxed);
                }
                let outcome = Outcome { reference: name, result: Done::Failed, message: Some(explain(&error)) };
                self.told(outcome, Some(error)).await
            }
        }
    }

    /// Writes down how a step ended.
    async fn told(&self, outcome: Outcome, error: Option<Error>) -> (Outcome, Option<Error>) {
        // such a failure came before anything was changed
        let refused = error
            .as_ref()
            .map_or(outcome.result == Done::Failed, |error| error.kind() == ErrorKind::Unsupported || error.stops_a_batch());
        let result = if refused { "refused" } else { outcome.result.word() };
        let Outcome { reference, message, .. } = outcome.clone();
        self.conditions.journal.tell(Told { reference, result: result.to_owned(), message }).await;
        (outcome, error)
    }

    fn name(&self, selector: &Selector) -> String {
        reference(self.registry, self.repository, selector)
    }

    /// The ladder of SPEC §8.2: the server's own untag, else by digest if nothing else needs it, else a placeholder if asked for.
    async fn untag(&self, step: &str, tag: &Tag, digest: &Digest, siblings: &[PlannedTag], otherwise: &Otherwise) -> Result<Ended> {
        let needed = self.conditions.journal.keeps() || *otherwise != Otherwise::Digest || !siblings.is_empty();
        let seen = match self.look(tag, digest, needed).await? {
            Seen::There(manifest) => manifest,
            Seen::Moved(now) => return Ok((Done::Skipped, Some(moved(&now)))),
            Seen::Gone => return Ok((Done::Gone, None)),
        };
        let manifest = match seen {
            None if needed => self.fetch(digest).await?,
            seen => seen,
        };
        if let Some(manifest) = &manifest {
            self.keep(step, manifest, vec![tag.clone()], siblings, None).await?;
        }
        let untagged = match self.conditions.learnt.takes_siblings(self.registry.name()) && !siblings.is_empty() {
            true => Err(Error::new(ErrorKind::Unsupported, "delete the tag", self.name(&tag.clone().into()))
                .because("this server takes other tags on the same digest along")),
            false => self.registry.untag(self.repository, tag).await,
        };
        let done = match untagged {
            Ok(true) => Done::Untagged,
            Ok(false) => Done::Gone,
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                self.untag_otherwise(step, tag, digest, siblings, otherwise, manifest.as_ref(), error).await?
            }
            Err(error) => return Err(error),
        };
        if done == Done::Skipped {
            return Ok(self.watch.newcomers().await?.on(digest).unwrap_or((done, None)));
        }
        let message = match manifest {
            Some(manifest) if !siblings.is_empty() => self.check_siblings(siblings, &manifest).await?,
            Some(manifest) if matches!(otherwise, Otherwise::Refuse { .. } | Otherwise::Placeholder) => {
                self.check_manifest(&manifest).await?
            }
            _ => None,
        };
        Ok((done, message))
    }

    /// Where the server can't take a tag alone.
    #[expect(clippy::too_many_arguments, reason = "they are what a step consists of")]
    async fn untag_otherwise(
        &self,
        step: &str,
        tag: &Tag,
        digest: &Digest,
        siblings: &[PlannedTag],
        otherwise: &Otherwise,
        manifest: Option<&RawManifest>,
        error: Error,
    ) -> Result<Done> {
        match otherwise {
            Otherwise::Digest if self.watch.newcomers().await?.on(digest).is_some() => Ok(Done::Skipped),
            Otherwise::Digest => {
                self.refuse_if_attached(tag, manifest, error).await?;
                let was_there = self.registry.delete_manifest(self.repository, digest).await?;
                Ok(if was_there { Done::Deleted } else { Done::Gone })
            }
            Otherwise::Placeholder => {
                let Some(original) = manifest else { return Ok(Done::Gone) };
                let placeholder = placeholder::make(self.registry, self.repository, tag, original).await?;
                self.keep(step, original, vec![tag.clone()], siblings, Some(&placeholder.digest)).await?;
                placeholder::untag(self.registry, self.repository, tag, original, &placeholder).await?;
                Ok(Done::Untagged)
            }
            Otherwise::Refuse { indexes } => Err(self.refusal(tag, digest, siblings, indexes, error)),
        }
    }

    /// A signature with a tag of its own is still the signature of something: its tag alone can't go by digest.
    async fn refuse_if_attached(&self, tag: &Tag, manifest: Option<&RawManifest>, error: Error) -> Result<()> {
        let subject = manifest.and_then(|manifest| manifest.parse().ok()?.subject().map(|subject| subject.digest.clone()));
        let Some(subject) = subject else { return Ok(()) };
        match self.registry.head(self.repository, &subject.clone().into()).await {
            Err(gone) if gone.kind() == ErrorKind::NotFound => Ok(()),
            Err(other) => Err(other),
            Ok(_) => Err(self.refused(tag, &format!("it is attached to {subject}"), error)),
        }
    }

    async fn delete_manifest(&self, step: &str, digest: &Digest, tags: &[PlannedTag]) -> Result<Ended> {
        if let Some(early) = self.watch.newcomers().await?.on(digest) {
            return Ok(early);
        }
        let (mut there, mut elsewhere, mut manifest) = (Vec::new(), Vec::new(), None);
        for tag in tags {
            match self.look(&tag.0, digest, manifest.is_none() && self.conditions.journal.keeps()).await? {
                Seen::There(found) => {
                    there.push(tag.0.clone());
                    manifest = manifest.or(found);
                }
                Seen::Moved(now) => elsewhere.push(format!("{tag} has moved to {now}")),
                Seen::Gone => {}
            }
        }
        if there.is_empty() && !elsewhere.is_empty() {
            return Ok((Done::Skipped, Some(format!("{} since the plan was made", elsewhere.join(", ")))));
        }
        if self.conditions.journal.keeps() {
            let manifest = match manifest {
                Some(manifest) => manifest,
                None => match self.fetch(digest).await? {
                    Some(manifest) => manifest,
                    None => return Ok((Done::Gone, None)),
                },
            };
            self.keep(step, &manifest, there.clone(), &[], None).await?;
        }
        let was_there = match self.registry.delete_manifest(self.repository, digest).await {
            Ok(was_there) => was_there,
            // some servers want the tags to go first (gcr-cleaner#130, containers-roadmap#1567)
            Err(error) if error.kind() == ErrorKind::Conflict && !there.is_empty() => {
                for tag in &there {
                    self.registry.untag(self.repository, tag).await?;
                }
                self.registry.delete_manifest(self.repository, digest).await?
            }
            Err(error) => return Err(error),
        };
        let message = (!elsewhere.is_empty()).then(|| elsewhere.join(", "));
        Ok((if was_there { Done::Deleted } else { Done::Gone }, message))
    }

    /// Takes referrers off a list. It is read again, so that what was attached since the plan was made stays on it.
    async fn unlist(
        &self,
        step: &str,
        tag: &Tag,
        planned: &Digest,
        referrers: &[Digest],
        siblings: &[PlannedTag],
    ) -> Result<Ended> {
        let selector = Selector::Tag(tag.clone());
        let list = match self.registry.manifest(self.repository, &selector).await {
            Ok(list) => list,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Done::Gone, None)),
            Err(error) => return Err(error),
        };
        let Some(shorter) = fallback::without(&list, referrers) else { return Ok((Done::Gone, None)) };
        self.keep(step, &list, vec![tag.clone()], &[], Some(&shorter.list.digest)).await?;
        // whoever else uses the list keeps it
        let alone = siblings.is_empty() && list.digest == *planned;
        if shorter.is_empty && alone {
            return match self.registry.untag(self.repository, tag).await {
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    self.registry.delete_manifest(self.repository, &list.digest).await.map(|_| (Done::Updated, None))
                }
                untagged => untagged.map(|_| (Done::Updated, None)),
            };
        }
        self.registry.put_manifest(self.repository, &selector, &shorter.list).await?;
        if alone {
            // rubbish, but no harm, when the server won't
            let _ = self.registry.delete_manifest(self.repository, &list.digest).await;
        }
        Ok((Done::Updated, None))
    }

    /// Looks at the tags that were to stay, and puts back those that the server took along (users' reports: harbor#2663, quay).
    async fn check_siblings(&self, siblings: &[PlannedTag], manifest: &RawManifest) -> Result<Option<String>> {
        let mut put_back = Vec::new();
        for sibling in siblings {
            let selector = Selector::Tag(sibling.0.clone());
            match self.registry.head(self.repository, &selector).await {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.conditions.learnt.took_siblings(self.registry.name());
                    self.registry.put_manifest(self.repository, &selector, manifest).await.map_err(|error| {
                        Error::new(ErrorKind::Conflict, "put back", self.name(&selector))
                            .because(format!("the server took it along, and it should point at {}", manifest.digest))
                            .caused_by(error)
                    })?;
                    put_back.push(sibling.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        if put_back.is_empty() {
            return Ok(None);
        }
        Ok(Some(format!("this server took {} along; put back", put_back.join(", "))))
    }

    /// Looks at a manifest that was to stay because an index lists it.
    async fn check_manifest(&self, manifest: &RawManifest) -> Result<Option<String>> {
        let selector = Selector::Digest(manifest.digest.clone());
        match self.registry.head(self.repository, &selector).await {
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.registry.put_manifest(self.repository, &selector, manifest).await.map_err(|error| {
                    Error::new(ErrorKind::Conflict, "put back", self.name(&selector))
                        .because("the server took it along with its tag, and an index lists it")
                        .caused_by(error)
                })?;
                Ok(Some(format!("this server took {} along; put back", manifest.digest)))
            }
            Err(error) => Err(error),
        }
    }

    fn refusal(&self, tag: &Tag, digest: &Digest, siblings: &[PlannedTag], indexes: &[String], cause: Error) -> Error {
        let mut why = Vec::new();
        if !siblings.is_empty() {
            let names: Vec<String> = siblings.iter().map(PlannedTag::to_string).collect();
            let verb = if names.len() == 1 { "has" } else { "have" };
            why.push(format!("{} {verb} the same digest ({}:{}…)", names.join(", "), digest.algorithm(), digest.short()));
        }
        if !indexes.is_empty() {
            why.push(format!("the index {} lists it", indexes.join(", ")));
        }
        self.refused(tag, &why.join(", and "), cause)
    }

    fn refused(&self, tag: &Tag, why: &str, cause: Error) -> Error {
        let what = format!("the tag {tag} alone from {}/{}", self.registry.name(), self.repository);
        // who knows the vendor may know how to delete it alone after all
        let remedy = cause.remedies().map(str::to_owned);
        let refusal = Error::new(ErrorKind::Unsupported, "delete", what)
            .because(format!("this registry deletes by digest only, and {why}"))
            .caused_by(cause);
        match remedy {
            Some(remedy) => refusal.remedy(remedy),
            None => refusal,
        }
    }
}

/// What a step is about, as a full reference.
pub(super) fn name(registry: &dyn Registry, repository: &Repository, step: &Step) -> String {
    match step {
        Step::Untag { tag, .. } | Step::Unlist { tag, .. } => reference(registry, repository, &tag.0.clone().into()),
        Step::DeleteManifest { digest, .. } => reference(registry, repository, &digest.clone().into()),
        Step::DeleteRepository => format!("{}/{repository}", registry.name()),
    }
}

fn moved(now: &Digest) -> String {
    format!("it has moved to {now} since the plan was made")
}

/// An error with what lies beneath, in one line.
fn explain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
