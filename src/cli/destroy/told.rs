//! What became of a plan: told to people and programs, and as an exit code.

use std::collections::BTreeSet;

use super::Prepared;
use crate::cli::error::exit_of;
use crate::cli::{Context, Exit, Refusal};
use crate::journal::RunId;
use crate::operations::apply::{Applied, Done, Outcome};
use crate::operations::plan::{Otherwise, Plan, RepositoryPlan, Step};
use crate::output::{Failed, List, units};
use crate::registry::ErrorKind;

/// Nothing was to be done: programs see that too.
pub(in crate::cli) fn nothing(failed: Vec<Failed>, context: &Context) -> anyhow::Result<Exit> {
    if context.globals.output.is_machine() {
        let list = List { items: Vec::<Outcome>::new(), failed, next_page: None };
        context.printer.report_list(&list, || crate::output::Table::new([]))?;
    }
    Ok(Exit::Done)
}

/// What could not be read, for programs.
pub(super) fn unread(plan: &Plan) -> impl Iterator<Item = Failed> {
    plan.failed.iter().map(|unread| Failed { name: unread.name.clone(), message: unread.message.clone() })
}

/// What was asked for by name and stays, because the server holds on to it.
pub(super) fn locked(prepared: &[Prepared]) -> impl Iterator<Item = Failed> {
    prepared.iter().flat_map(|part| {
        part.plan
            .locked()
            .map(|keep| Failed { name: full(&part.plan, &keep.name), message: format!("not deleted: {}", keep.reason) })
    })
}

/// The error of a command that asked for nothing but what the server holds on to; `None` when it asked for nothing such.
pub(super) fn all_locked(prepared: &[Prepared]) -> Option<anyhow::Error> {
    let unlock: BTreeSet<&str> =
        prepared.iter().flat_map(|part| part.plan.locked()).filter_map(|keep| keep.unlock.as_deref()).collect();
    let mut locked = locked(prepared);
    let first = locked.next()?;
    let message = match locked.count() {
        0 => format!("{}: {}", first.name, first.message),
        more => format!("{}: {}, and {} more", first.name, first.message, units::count(more)),
    };
    Some(unlock.into_iter().fold(Refusal::new(Exit::Refused, message), Refusal::hint).into())
}

/// A tag or digest of a plan as a full reference.
pub(super) fn full(plan: &RepositoryPlan, name: &str) -> String {
    format!("{}{}{name}", plan.name(), if name.contains(':') { '@' } else { ':' })
}

/// Tells what happened, and how the command ends; with `stopped` if not every step was come to.
pub(super) fn tell(
    prepared: &[Prepared],
    plan: &Plan,
    applied: Applied,
    stopped: Exit,
    run: Option<&RunId>,
    context: &Context,
) -> anyhow::Result<Exit> {
    let good = [Done::Untagged, Done::Deleted, Done::Updated, Done::Gone].map(|done| applied.count(done)).iter().sum::<usize>();
    let (failed, skipped, interrupted) =
        (applied.count(Done::Failed), applied.count(Done::Skipped), applied.count(Done::Interrupted));
    let machine = context.globals.output.is_machine();
    if machine {
        let (bad, done): (Vec<&Outcome>, Vec<&Outcome>) =
            applied.outcomes.iter().partition(|outcome| outcome.result == Done::Failed);
        let failed = bad.iter().map(|bad| Failed { name: bad.reference.clone(), message: bad.message.clone().unwrap_or_default() });
        let failed = failed.chain(locked(prepared)).chain(unread(plan));
        let list = List { items: done, failed: failed.collect(), next_page: None };
        context.printer.report_list(&list, || view(&list.items))?;
    }
    for outcome in &applied.outcomes {
        let message = outcome.message.as_deref().unwrap_or_default();
        match outcome.result {
            Done::Untagged | Done::Deleted | Done::Updated if message.is_empty() => {}
            Done::Untagged | Done::Deleted | Done::Updated => context.printer.warn(format!("{}: {message}", outcome.reference)),
            Done::Gone => context.printer.note(format!("{} was already gone", outcome.reference)),
            Done::Skipped => context.printer.warn(format!("left alone: {}: {message}", outcome.reference)),
            // a single failure is told as the error that ends the command
            Done::Failed if good + skipped + interrupted == 0 && failed == 1 => {}
            Done::Failed => context.printer.failed(format!("{}: {message}", outcome.reference)),
            Done::Interrupted => context.printer.note(format!("not done: {}", outcome.reference)),
        }
    }
    locked(prepared).for_each(|one| context.printer.warn(format!("{}: {}", one.name, one.message)));
    let deleted: Vec<&Outcome> =
        applied.outcomes.iter().filter(|outcome| matches!(outcome.result, Done::Untagged | Done::Deleted)).collect();
    let steps = prepared.iter().flat_map(|part| &part.plan.steps).zip(&applied.outcomes);
    let with_manifests = steps.map(|(step, outcome)| match step {
        Step::DeleteManifest { tags, .. } if outcome.result == Done::Deleted => tags.len(),
        _ => 0,
    });
    let with_manifests: usize = with_manifests.sum();
    let undo = run.map(|run| format!("; undo with: regctl undo {run}")).unwrap_or_default();
    match deleted.as_slice() {
        [] if run.is_some() => context.printer.note(format!("What may have changed is kept{undo}")),
        [] => {}
        [one] => context.printer.done(format!("deleted {}{undo}", one.reference)),
        many => {
            let what = tags_and_manifests(many.iter().map(|outcome| outcome.reference.as_str()), with_manifests);
            context.printer.done(format!("deleted {what}{undo}"));
        }
    }
    if applied.count(Done::Deleted) > 0 {
        context.what_frees_space(plan).into_iter().for_each(|sentence| context.printer.note(sentence));
    }
    if interrupted > 0 {
        let left = format!("{interrupted} of {} steps were not done", applied.outcomes.len());
        return Err(match stopped {
            Exit::Interrupted => Refusal::new(Exit::Interrupted, format!("interrupted; {left}")),
            _ => Refusal::new(stopped, format!("the time limit is over; {left}")).hint("to go on, run it again"),
        }
        .into());
    }
    match (failed, good) {
        (0, _) if skipped == 0 => Ok(if locked(prepared).next().is_some() { Exit::Partial } else { Exit::Done }),
        (0, 0) => Err(Refusal::new(Exit::Refused, "the plan is stale: what it meant has moved; nothing has changed")
            .hint("make the plan again")
            .into()),
        (_, 0) => Err(failure(prepared, applied)),
        _ => Ok(Exit::Partial),
    }
}

/// `2 tags and 5 manifests`, of full references, and of tags that went with manifests.
pub(in crate::cli) fn tags_and_manifests<'a>(references: impl Iterator<Item = &'a str>, with_manifests: usize) -> String {
    let (manifests, tags): (Vec<&str>, Vec<&str>) = references.partition(|reference| reference.contains('@'));
    match (tags.len() + with_manifests, manifests.len()) {
        (tags, 0) => units::plural(tags, "tag"),
        (0, manifests) => units::plural(manifests, "manifest"),
        (tags, manifests) => format!("{} and {}", units::plural(tags, "tag"), units::plural(manifests, "manifest")),
    }
}

/// The error of a command of which nothing could be done, with the ways out.
fn failure(prepared: &[Prepared], applied: Applied) -> anyhow::Error {
    let Some(error) = applied.first_error else {
        return Refusal::new(Exit::Failure, "nothing could be deleted").into();
    };
    let refused =
        prepared.iter().flat_map(|part| part.plan.steps.iter().map(move |step| (part, step))).find_map(|(part, step)| match step {
            Step::Untag { tag, otherwise: Otherwise::Refuse { indexes }, siblings, .. } => {
                Some((format!("{}:{tag}", part.plan.name()), indexes.is_empty(), siblings.len()))
            }
            _ => None,
        });
    match refused {
        Some((reference, no_index, siblings)) if error.kind() == ErrorKind::Unsupported => {
            let mut refusal = Refusal::new(exit_of(error.kind()), error.to_string());
            if let Some(remedy) = error.remedies() {
                refusal = refusal.hint(remedy);
            }
            if no_index {
                let all = if siblings == 1 { "delete both" } else { "delete all of them" };
                refusal = refusal.hint(format!("{all}: regctl tag delete {reference} --with-siblings"));
            }
            refusal.hint("or move the tag to a placeholder first: --via-placeholder (pushes one small manifest)").into()
        }
        _ => error.into(),
    }
}

fn view(outcomes: &[&Outcome]) -> crate::output::Table {
    use crate::output::{Column, Table};
    let mut table = Table::new([Column::new("reference"), Column::new("result"), Column::new("message").shrinks()]);
    for outcome in outcomes {
        let result =
            serde_json::to_value(outcome.result).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
        table.row(
            outcome.reference.clone(),
            [outcome.reference.clone().into(), result.into(), outcome.message.clone().unwrap_or_default().into()],
        );
    }
    table
}
