//! Carrying a plan out: the only thing that deletes. Every step looks again first and skips what has moved.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::content::reference;
use super::plan::{Otherwise, PlannedTag, RepositoryPlan, Step};
use super::{Ticker, fallback, placeholder, tags};
use crate::oci::{Digest, RawManifest, Repository, Selector, Tag};
use crate::registry::{Error, ErrorKind, Registry, Result};

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The tag or manifest, as a full reference.
    pub reference: String,
    /// What happened.
    pub result: Done,
    /// Why, when it isn't what was planned.
    pub message: Option<String>,
}

/// What happened to a tag or manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// The tag is gone; its manifest is not.
    Untagged,
    /// The manifest is gone.
    Deleted,
    /// A list of referrers names them no more.
    Updated,
    /// It was gone already.
    Gone,
    /// It moved since the plan was made, so it was left alone.
    Skipped,
    /// It could not be done.
    Failed,
    /// The person interrupted before it.
    Interrupted,
}

/// How a plan went.
#[derive(Debug, Default)]
pub struct Applied {
    /// One outcome a step, in the plan's order.
    pub outcomes: Vec<Outcome>,
    /// The first error, which decides the exit code when nothing was done.
    pub first_error: Option<Error>,
}

impl Applied {
    /// How many steps ended so.
    pub fn count(&self, result: Done) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.result == result).count()
    }

    /// Takes in how another repository's plan went.
    pub fn extend(&mut self, other: Applied) {
        self.outcomes.extend(other.outcomes);
        self.first_error = self.first_error.take().or(other.first_error);
    }
}

/// Reads the tags again, for a plan that was made a while ago: digests of the plan that a tag has joined since are left alone.
pub async fn newcomers(registry: &dyn Registry, plan: &RepositoryPlan, tick: Ticker<'_>) -> Result<BTreeMap<Digest, Tag>> {
    let mut known: BTreeMap<&Digest, Vec<&Tag>> = BTreeMap::new();
    for step in &plan.steps {
        match step {
            Step::Untag { tag, digest, siblings, .. } => {
                known.entry(digest).or_default().extend(siblings.iter().chain([tag]).map(|tag| &tag.0));
            }
            Step::DeleteManifest { digest, tags, .. } => known.entry(digest).or_default().extend(tags.iter().map(|tag| &tag.0)),
            Step::Unlist { .. } | Step::DeleteRepository => {}
        }
    }
    let now = tags::resolve_all(registry, &plan.repository.0, tick).await?;
    let joined = now.into_iter().filter(|now| known.get(&now.digest).is_some_and(|tags| !tags.contains(&&now.tag)));
    Ok(joined.map(|now| (now.digest, now.tag)).collect())
}

/// Carries out the part of a plan for one repository. Steps of one stage run side by side. Stops before the next step when `stop`
/// says so; one failed step doesn't stop the rest, one that would fail everywhere does. `newcomers` comes from [`newcomers`] for a
/// plan that was saved, and is empty for one that was made a moment ago.
pub async fn apply(
    registry: &dyn Registry,
    plan: &RepositoryPlan,
    newcomers: BTreeMap<Digest, Tag>,
    stop: &(dyn Fn() -> bool + Sync),
    tick: Ticker<'_>,
) -> Applied {
    let applier = Applier {
        registry,
        repository: &plan.repository.0,
        stop,
        newcomers,
        hopeless: AtomicBool::new(false),
        done: AtomicU64::new(0),
        total: plan.steps.len() as u64,
        tick,
    };
    let mut applied = Applied::default();
    let mut steps = plan.steps.as_slice();
    while let Some(first) = steps.first() {
        let length = steps.iter().take_while(|step| stage(step) == stage(first)).count();
        let (together, rest) = steps.split_at(length);
        let mut running = stream::iter(together).map(|step| applier.step(step)).buffered(registry.concurrency().max(1));
        while let Some((outcome, error)) = running.next().await {
            applied.outcomes.push(outcome);
            applied.first_error = applied.first_error.take().or(error);
        }
        steps = rest;
    }
    applied
}

fn stage(step: &Step) -> (u8, u32) {
    match step {
        Step::Untag { .. } => (0, 0),
        Step::DeleteManifest { stage, .. } | Step::Unlist { stage, .. } => (1, *stage),
        Step::DeleteRepository => (2, 0),
    }
}

struct Applier<'a> {
    registry: &'a dyn Registry,
    repository: &'a Repository,
    stop: &'a (dyn Fn() -> bool + Sync),
    /// Digests of the plan on which a tag sits that the plan doesn't know.
    newcomers: BTreeMap<Digest, Tag>,
    /// An error that every other step would meet as well.
    hopeless: AtomicBool,
    done: AtomicU64,
    total: u64,
    tick: Ticker<'a>,
}

impl Applier<'_> {
    async fn step(&self, step: &Step) -> (Outcome, Option<Error>) {
        let reference = match step {
            Step::Untag { tag, .. } | Step::Unlist { tag, .. } => self.name(&tag.0.clone().into()),
            Step::DeleteManifest { digest, .. } => self.name(&digest.clone().into()),
            Step::DeleteRepository => format!("{}/{}", self.registry.name(), self.repository),
        };
        if (self.stop)() {
            let message = Some("not done: interrupted".to_owned());
            return (Outcome { reference, result: Done::Interrupted, message }, None);
        }
        if self.hopeless.load(Ordering::Relaxed) {
            let message = Some("not tried: an earlier step failed in a way that this one would have too".to_owned());
            return (Outcome { reference, result: Done::Failed, message }, None);
        }
        let result = match step {
            Step::Untag { tag, digest, siblings, otherwise } => self.untag(&tag.0, digest, siblings, otherwise).await,
            Step::DeleteManifest { digest, .. } => self.delete_manifest(digest).await,
            Step::Unlist { tag, digest, referrers, siblings, .. } => self.unlist(&tag.0, digest, referrers, siblings).await,
            Step::DeleteRepository => {
                let gone = self.registry.delete_repository(self.repository).await;
                gone.map(|was_there| (if was_there { Done::Deleted } else { Done::Gone }, None))
            }
        };
        (self.tick)(self.done.fetch_add(1, Ordering::Relaxed) + 1, Some(self.total));
        match result {
            Ok((result, message)) => (Outcome { reference, result, message }, None),
            Err(error) => {
                if error.stops_a_batch() {
                    self.hopeless.store(true, Ordering::Relaxed);
                }
                (Outcome { reference, result: Done::Failed, message: Some(explain(&error)) }, Some(error))
            }
        }
    }

    fn name(&self, selector: &Selector) -> String {
        reference(self.registry, self.repository, selector)
    }

    /// The ladder of SPEC §8.2: the server's own untag, else by digest if nothing else needs it, else a placeholder if asked for.
    async fn untag(
        &self,
        tag: &Tag,
        digest: &Digest,
        siblings: &[PlannedTag],
        otherwise: &Otherwise,
    ) -> Result<(Done, Option<String>)> {
        if let Some(early) = self.moved(tag, digest).await? {
            return Ok(early);
        }
        // kept so that siblings can be put back if the server takes them along
        let insurance = match siblings {
            [] => None,
            _ => Some(self.registry.manifest(self.repository, &digest.clone().into()).await?),
        };
        let done = match self.registry.untag(self.repository, tag).await {
            Ok(true) => Done::Untagged,
            Ok(false) => Done::Gone,
            Err(error) if error.kind() == ErrorKind::Unsupported => match otherwise {
                Otherwise::Digest => match self.joined(digest) {
                    Some(early) => return Ok(early),
                    None if self.registry.delete_manifest(self.repository, digest).await? => Done::Deleted,
                    None => Done::Gone,
                },
                Otherwise::Placeholder => {
                    placeholder::untag(self.registry, self.repository, tag, digest).await?;
                    Done::Untagged
                }
                Otherwise::Refuse { indexes } => return Err(self.refusal(tag, digest, siblings, indexes, error)),
            },
            Err(error) => return Err(error),
        };
        match insurance {
            Some(manifest) => self.check_siblings(digest, siblings, &manifest).await.map(|message| (done, message)),
            None => Ok((done, None)),
        }
    }

    /// Whether the tag isn't any more what the plan saw.
    async fn moved(&self, tag: &Tag, digest: &Digest) -> Result<Option<(Done, Option<String>)>> {
        match self.registry.head(self.repository, &tag.clone().into()).await {
            Ok(head) if head.digest == *digest => Ok(None),
            Ok(head) => Ok(Some((Done::Skipped, Some(format!("it has moved to {} since the plan was made", head.digest))))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some((Done::Gone, None))),
            Err(error) => Err(error),
        }
    }

    /// Whether a tag that the plan doesn't know points at a digest that would go.
    fn joined(&self, digest: &Digest) -> Option<(Done, Option<String>)> {
        let tag = self.newcomers.get(digest)?;
        Some((Done::Skipped, Some(format!("the tag {tag} points at it since the plan was made"))))
    }

    async fn delete_manifest(&self, digest: &Digest) -> Result<(Done, Option<String>)> {
        if let Some(early) = self.joined(digest) {
            return Ok(early);
        }
        let was_there = self.registry.delete_manifest(self.repository, digest).await?;
        Ok((if was_there { Done::Deleted } else { Done::Gone }, None))
    }

    /// Takes referrers off a list. It is read again, so that what was attached since the plan was made stays on it.
    async fn unlist(
        &self,
        tag: &Tag,
        planned: &Digest,
        referrers: &[Digest],
        siblings: &[PlannedTag],
    ) -> Result<(Done, Option<String>)> {
        let selector = Selector::Tag(tag.clone());
        let list = match self.registry.manifest(self.repository, &selector).await {
            Ok(list) => list,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Done::Gone, None)),
            Err(error) => return Err(error),
        };
        let shorter = match fallback::without(&list, referrers) {
            Some(shorter) => shorter,
            None => return Ok((Done::Gone, None)),
        };
        // whoever else uses the list keeps it
        let alone = siblings.is_empty() && list.digest == *planned;
        if shorter.is_empty && alone {
            match self.registry.untag(self.repository, tag).await {
                Ok(_) => return Ok((Done::Updated, None)),
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    self.registry.delete_manifest(self.repository, &list.digest).await?;
                    return Ok((Done::Updated, None));
                }
                Err(error) => return Err(error),
            }
        }
        self.registry.put_manifest(self.repository, &selector, &shorter.list).await?;
        if alone {
            // rubbish, but no harm, when the server won't
            let _ = self.registry.delete_manifest(self.repository, &list.digest).await;
        }
        Ok((Done::Updated, None))
    }

    /// Looks at the tags that were to stay, and puts back those that the server took along (users' reports: harbor#2663, quay).
    async fn check_siblings(&self, digest: &Digest, siblings: &[PlannedTag], manifest: &RawManifest) -> Result<Option<String>> {
        let mut put_back = Vec::new();
        for sibling in siblings {
            let selector = Selector::Tag(sibling.0.clone());
            match self.registry.head(self.repository, &selector).await {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.registry.put_manifest(self.repository, &selector, manifest).await.map_err(|error| {
                        Error::new(ErrorKind::Conflict, "put back", self.name(&selector))
                            .because(format!("the server took it along, and it should point at {digest}"))
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
        Error::new(
            ErrorKind::Unsupported,
            "delete",
            format!("the tag {tag} alone from {}/{}", self.registry.name(), self.repository),
        )
        .because(format!("this registry deletes by digest only, and {}", why.join(", and ")))
        .caused_by(cause)
    }
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
