//! The way of every command that deletes: show the plan, ask, carry out that same plan, tell what happened.

mod shown;
mod told;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::args::DestroyArgs;
use super::{Context, Exit, Refusal, prompt};
use crate::journal::{self, Journal};
use crate::operations::apply::{self, Applied, Conditions, Learnt, Newcomers};
use crate::operations::plan::{Plan, RepositoryPlan, VERSION};
use crate::registry::Registry;

pub use shown::show;
use shown::{question, tell_gone};
use told::{all_locked, locked, tell, unread};
pub(super) use told::{nothing, tags_and_manifests};

/// How old a look at the tags may be when a manifest is deleted by its digest. Deleting thousands takes a server many minutes, in which
/// people push.
const FRESH_FOR: Duration = Duration::from_secs(30);

/// A plan and the registry that it is for.
pub struct Prepared {
    /// Where it will be carried out.
    pub registry: Arc<dyn Registry>,
    /// What will be done.
    pub plan: RepositoryPlan,
}

/// Shows the plans, and carries them out if that is wanted.
pub fn run(prepared: Vec<Prepared>, args: &DestroyArgs, context: &Context) -> anyhow::Result<Exit> {
    let repositories = prepared.iter().map(|part| part.plan.clone()).collect();
    let plan = Plan { version: VERSION, made_at: context.now, repositories, failed: Vec::new() };
    tell_gone(&plan, context);
    if let Some(path) = &args.plan {
        show(&plan, context)?;
        save(&plan, path, context)?;
        return Ok(Exit::Done);
    }
    let for_people = !context.globals.output.is_machine();
    if args.dry_run || for_people {
        show(&plan, context)?;
    }
    if args.dry_run {
        context.printer.note("This is a plan, nothing has changed.");
        return Ok(Exit::Done);
    }
    carry_out(prepared, plan, &Way { yes: args.yes, saved: false, no_undo: args.undo.no_undo, until: None }, context)
}

/// Saves a plan for `apply-plan`.
pub fn save(plan: &Plan, path: &Path, context: &Context) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(plan)?;
    fs::write(path, text + "\n").with_context(|| format!("can't save the plan to {}", path.display()))?;
    context.printer.done(format!("saved the plan to {}; nothing has changed", path.display()));
    context.printer.hint(format!("regctl apply-plan {}", path.display()));
    Ok(())
}

/// In which way plans are carried out.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// Without asking.
    pub yes: bool,
    /// They were made a while ago, so that they have to be compared with the server first.
    pub saved: bool,
    /// Without keeping what goes.
    pub no_undo: bool,
    /// When no further step is to begin.
    pub until: Option<Instant>,
}

/// Asks, and carries plans out.
pub fn carry_out(prepared: Vec<Prepared>, plan: Plan, way: &Way, context: &Context) -> anyhow::Result<Exit> {
    if plan.is_empty() {
        nothing(locked(&prepared).chain(unread(&plan)).collect(), context)?;
        return all_locked(&prepared).map_or(Ok(Exit::Done), Err);
    }
    if !way.yes && !prompt::confirm(&question(&plan))? {
        return Err(Refusal::new(Exit::Refused, "not confirmed; nothing has changed").into());
    }
    let run = if way.no_undo { None } else { Some(context.begin_run(plan.steps())?) };
    let journal: &dyn Journal = run.as_ref().map_or(&journal::Nothing, |run| run);
    let progress = context.printer.progress("deleting");
    let tick = |done, total| progress.tick(done, total);
    let is_over = || way.until.is_some_and(|until| Instant::now() >= until);
    let applied = context.block_on_changes(async |stop| {
        let is_asked = || stop.is_asked();
        let stop = || is_asked() || is_over();
        let conditions = Conditions { journal, learnt: &Learnt::default(), stop: &stop, tick: &tick, fresh_for: FRESH_FOR };
        let mut applied = Applied::default();
        for part in &prepared {
            // a person may have thought about it for long
            let newcomers = match way.saved || !way.yes {
                true => Newcomers::read(&*part.registry, &part.plan, &tick).await,
                false => Ok(Newcomers::default()),
            };
            applied.extend(match newcomers {
                Ok(newcomers) => apply::apply(&*part.registry, &part.plan, newcomers, &conditions).await,
                // what went elsewhere went, and is told
                Err(error) => Applied::none(&*part.registry, &part.plan, error),
            });
        }
        // who interrupted does not care that the time was over as well
        Ok((applied, if is_asked() { Exit::Interrupted } else { Exit::Partial }))
    });
    drop(progress);
    let kept = run.and_then(|run| context.end_run(run));
    let (applied, stopped) = applied?;
    tell(&prepared, &plan, applied, stopped, kept.as_ref(), context)
}
