//! `regctl undo`.

use clap::Args as ClapArgs;

use super::error::exit_of;
use super::{Context, Exit, Refusal, destroy};
use crate::journal::RunId;
use crate::operations::undo::{self, Back, Losses, Options, Outcome, Undone};
use crate::output::{Column, Failed, List, Table};

/// Put back what a run deleted
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Manifests and tags come back as they were, byte for byte, as long as the server still holds their blobs: until its garbage \
collection has run. A tag that is on something else by now stays there (exit 4; --force takes it back). To do it twice does no harm.

Examples:
  regctl undo
  regctl undo 7k2f --only prod/web:v2.4.1
  regctl undo 7k2f --dry-run"
)]
pub struct Args {
    /// The run, as `regctl history` names it; without one, the last
    #[arg(value_name = "RUN")]
    run: Option<RunId>,
    /// Only this tag or manifest, with what it lists and what is attached to it; can be given several times
    #[arg(long, value_name = "REF")]
    only: Vec<String>,
    /// Take back tags that are on something else by now
    #[arg(long)]
    force: bool,
    /// Look what can be put back, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Puts it back.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let shelf = context.shelf()?;
    let run = shelf.find(args.run.as_ref())?;
    if args.run.is_none() {
        context.printer.note(format!("run {}: {}", run.id, run.command));
    }
    let mut parts = Vec::new();
    for losses in Losses::of(&run)? {
        parts.extend(narrowed(losses, &args.only));
    }
    if parts.is_empty() && !args.only.is_empty() {
        let message = format!("run {} took nothing away that is called {}", run.id, args.only.join(" or "));
        return Err(Refusal::new(Exit::NotFound, message).hint(format!("regctl history {}", run.id)).into());
    }
    let mut opened = Vec::new();
    let places: Vec<_> = parts.iter().map(|losses| (losses.place.registry.as_str(), &losses.place.repository)).collect();
    let places = context.open_planned(&places)?;
    for (losses, place) in parts.into_iter().zip(places) {
        if place.address != losses.place.address {
            let message = format!(
                "run {} deleted from {} at {}, and {} is now at {}",
                run.id, losses.place.registry, losses.place.address, losses.place.registry, place.address
            );
            return Err(Refusal::new(Exit::Refused, message).into());
        }
        opened.push((place.registry, losses));
    }
    let undoing = shelf.undo(&run)?;
    let options = Options { force: args.force, dry_run: args.dry_run };
    let progress = context.printer.progress("putting back");
    let tick = |done, total| progress.tick(done, total);
    let undone = context.block_on_changes(async |stop| {
        let mut undone = Undone::default();
        for (registry, losses) in &opened {
            let noted = |digest: &crate::oci::Digest, tag: Option<&crate::oci::Tag>| {
                if let Err(error) = undoing.undone(&losses.place, digest, tag) {
                    tracing::debug!("can't write to the journal: {error}");
                }
            };
            undone.extend(undo::undo(&**registry, losses, options, &noted, &|| stop.is_asked(), &tick).await);
        }
        match stop.is_asked() {
            true => Err(Refusal::new(Exit::Interrupted, "interrupted; to put back the rest, run it again").into()),
            false => Ok(undone),
        }
    })?;
    drop(progress);
    tell(&run.id, undone, args, context)
}

/// The part that was asked for, if there is any.
fn narrowed(losses: Losses, only: &[String]) -> Vec<Losses> {
    let parts: Vec<Losses> = match only {
        [] => vec![losses],
        only => only
            .iter()
            .map(|wanted| {
                let mut part = losses.clone();
                part.only(wanted);
                part
            })
            .collect(),
    };
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

fn tell(run: &RunId, undone: Undone, args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let (bad, good): (Vec<&Outcome>, Vec<&Outcome>) =
        undone.outcomes.iter().partition(|outcome| matches!(outcome.result, Back::Moved | Back::Lost | Back::Failed));
    let failed = bad.iter().map(|bad| Failed { name: bad.reference.clone(), message: bad.message.clone().unwrap_or_default() });
    let list = List { items: good, failed: failed.collect(), next_page: None };
    if context.globals.output.is_machine() || args.dry_run {
        context.printer.report_list(&list, || table(&list.items))?;
    }
    for failed in &list.failed {
        context.printer.failed(format!("{}: {}", failed.name, failed.message));
    }
    for outcome in list.items.iter().filter(|outcome| outcome.result == Back::Restored) {
        if let Some(message) = &outcome.message {
            context.printer.note(format!("{}: {message}", outcome.reference));
        }
    }
    let restored: Vec<&&Outcome> = list.items.iter().filter(|outcome| outcome.result == Back::Restored).collect();
    match restored.as_slice() {
        [] if args.dry_run => context.printer.note("Nothing has changed."),
        [] if list.failed.is_empty() => context.printer.done("everything is there already"),
        [] => {}
        [one] => context.printer.done(format!("{} is back", one.reference)),
        many => {
            let what = destroy::tags_and_manifests(many.iter().map(|outcome| outcome.reference.as_str()), 0);
            context.printer.done(format!("{what} are back"));
        }
    }
    let (moved, lost) = (undone.count(Back::Moved), undone.count(Back::Lost));
    if moved > 0 && !args.force {
        context.printer.hint(format!("regctl undo {run} --force takes back what is on something else by now"));
    }
    if lost > 0 {
        context.printer.note("The server's garbage collection has taken what is missing; nobody can put that back from here.");
    }
    Ok(match (list.failed.is_empty(), restored.is_empty()) {
        (true, _) => Exit::Done,
        (false, false) => Exit::Partial,
        (false, true) if moved == list.failed.len() => Exit::Conflict,
        (false, true) => undone.first_error.as_ref().map_or(Exit::Failure, |error| exit_of(error.kind())),
    })
}

fn table(outcomes: &[&Outcome]) -> Table {
    let mut table = Table::new([Column::new("reference"), Column::new("result"), Column::new("message").shrinks()]);
    for outcome in outcomes {
        let result = match outcome.result {
            Back::Restored => "restored",
            Back::Already => "already there",
            Back::Possible => "can be put back",
            Back::Moved => "moved",
            Back::Lost => "lost",
            Back::Failed => "failed",
        };
        let cells = [outcome.reference.clone().into(), result.into(), outcome.message.clone().unwrap_or_default().into()];
        table.row(outcome.reference.clone(), cells);
    }
    table
}
