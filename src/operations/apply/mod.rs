//! Carrying a plan out: the only thing that deletes. Every step looks again first and skips what has moved, and what it takes away is
//! in the journal before the server is asked.

mod keep;
mod newcomers;
mod repository;
mod step;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::Ticker;
use super::plan::{RepositoryPlan, Step};
use crate::journal::Journal;
use crate::registry::{Error, ErrorKind, Registry};

pub use newcomers::Newcomers;
use step::Applier;

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
    /// The person interrupted before it, or the time was over.
    Interrupted,
}

impl Done {
    /// The word in results and in the journal.
    pub fn word(self) -> &'static str {
        match self {
            Done::Untagged => "untagged",
            Done::Deleted => "deleted",
            Done::Updated => "updated",
            Done::Gone => "gone",
            Done::Skipped => "skipped",
            Done::Failed => "failed",
            Done::Interrupted => "interrupted",
        }
    }
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

    /// None of a plan could be begun.
    pub fn none(registry: &dyn Registry, plan: &RepositoryPlan, error: Error) -> Applied {
        let fail = |step: &Step| {
            let message = Some(format!("not tried: {error}"));
            Outcome { reference: step::name(registry, &plan.repository.0, step), result: Done::Failed, message }
        };
        Applied { outcomes: plan.steps.iter().map(fail).collect(), first_error: Some(error) }
    }

    /// Takes in how another repository's plan went.
    pub fn extend(&mut self, other: Applied) {
        self.outcomes.extend(other.outcomes);
        self.first_error = self.first_error.take().or(other.first_error);
    }
}

/// What is the same for all repositories of a run.
pub struct Conditions<'a> {
    /// Where is written down what goes.
    pub journal: &'a dyn Journal,
    /// What servers turned out to be like.
    pub learnt: &'a Learnt,
    /// Whether to take no further step.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Told how far the work is.
    pub tick: Ticker<'a>,
    /// For how long what was read of a repository counts as what is there. After it, and before the next manifest is deleted, the tags and
    /// indexes are read again: a tag that was pushed to an old image meanwhile would go with it (users' report: distribution#3525).
    /// Where reading takes long itself, it is done less often; zero means each time.
    pub fresh_for: Duration,
}

/// What servers turned out to be like during a run, by the registry's name.
#[derive(Debug, Default)]
pub struct Learnt {
    takes_siblings: Mutex<BTreeSet<String>>,
}

impl Learnt {
    fn takes_siblings(&self, registry: &str) -> bool {
        self.takes_siblings.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).contains(registry)
    }

    fn took_siblings(&self, registry: &str) {
        self.takes_siblings.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(registry.to_owned());
    }
}

/// Carries out the part of a plan for one repository. Steps of one stage run side by side. Stops before the next step when it is asked
/// to; one failed step doesn't stop the rest, one that would fail everywhere does. [`Newcomers`] are read for a plan that was made a
/// while ago, and none for one that was made a moment ago.
pub async fn apply(registry: &dyn Registry, plan: &RepositoryPlan, newcomers: Newcomers, conditions: &Conditions<'_>) -> Applied {
    let applier = Applier::new(registry, plan, newcomers, conditions);
    let mut ended: Vec<(Outcome, Option<Error>)> = Vec::with_capacity(plan.steps.len());
    let mut steps = plan.steps.as_slice();
    while let Some(first) = steps.first() {
        let length = steps.iter().take_while(|step| stage(step) == stage(first)).count();
        let (together, rest) = steps.split_at(length);
        let mut running = stream::iter(together).map(|step| applier.step(step)).buffered(registry.concurrency().max(1));
        while let Some(outcome) = running.next().await {
            ended.push(outcome);
        }
        steps = rest;
    }
    // some servers refuse while something else refers to it, which may have gone meanwhile (gcr-cleaner#118)
    for (step, ended) in plan.steps.iter().zip(&mut ended) {
        let conflict = ended.1.as_ref().is_some_and(|error| error.kind() == ErrorKind::Conflict);
        if conflict && matches!(step, Step::DeleteManifest { .. }) {
            *ended = applier.step(step).await;
        }
    }
    let mut applied = Applied::default();
    for (outcome, error) in ended {
        applied.outcomes.push(outcome);
        applied.first_error = applied.first_error.take().or(error);
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
