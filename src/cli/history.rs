//! `regctl history`.

use clap::Args as ClapArgs;
use jiff::Timestamp;
use serde::Serialize;

use super::{Context, Exit};
use crate::journal::{Entry, Recorded, RunId, State};
use crate::output::{Cell, Column, Document, List, Table, units};

/// Show what was deleted, and what of it can be put back
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Each command that deletes is a run. What it took away is kept for as long as [settings] trash_retention says (30d).

Examples:
  regctl history
  regctl history 7k2f
  regctl undo 7k2f --dry-run"
)]
pub struct Args {
    /// One run, with everything that it took away
    #[arg(value_name = "RUN")]
    run: Option<RunId>,
    /// Show so many at most
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// A run in the list.
#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    began_at: Timestamp,
    ended_at: Option<Timestamp>,
    state: State,
    command: String,
    /// The repositories, with their registry.
    repositories: Vec<String>,
    /// How many steps it meant to take.
    planned: usize,
    /// How many steps ended in each way.
    results: std::collections::BTreeMap<String, usize>,
    /// Manifests and tags that were kept.
    manifests: usize,
    tags: usize,
    /// How many things `undo` has put back.
    undone: usize,
}

/// One run, whole.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    run: Listed,
    items: Vec<Item>,
}

/// Something that was kept, and what became of it.
#[derive(Debug, Serialize)]
struct Item {
    reference: String,
    digest: String,
    media_type: String,
    size: u64,
    tags: Vec<String>,
    /// `null` when the run was killed before it could tell.
    result: Option<String>,
    message: Option<String>,
}

/// Shows them.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let shelf = context.shelf()?;
    if let Some(id) = &args.run {
        let run = shelf.find(Some(id))?;
        let shown = Shown { items: run.entries.iter().map(|entry| item(&run, entry)).collect(), run: listed(&run) };
        context.printer.report(&shown, || document(&shown, context.now).into())?;
        tell_killed(&run, context);
        return Ok(Exit::Done);
    }
    let mut runs = shelf.runs()?;
    if let Some(limit) = args.limit {
        runs.truncate(limit);
    }
    let list = List::whole(runs.iter().map(listed).collect::<Vec<_>>());
    context.printer.report_list(&list, || table(&list.items, context.now))?;
    if list.items.is_empty() && !context.globals.output.is_machine() {
        context.printer.note("nothing has been deleted that is still kept");
    }
    Ok(Exit::Done)
}

fn tell_killed(run: &Recorded, context: &Context) {
    if run.state == State::Killed && !context.globals.output.is_machine() {
        context
            .printer
            .warn("this run was killed: what it was doing then may or may not have happened; regctl undo looks at the server");
    }
}

fn listed(run: &Recorded) -> Listed {
    let places: std::collections::BTreeSet<String> =
        run.entries.iter().map(|entry| format!("{}/{}", entry.place.registry, entry.place.repository)).collect();
    let manifests: std::collections::BTreeSet<_> = run.entries.iter().map(|entry| (&entry.place, &entry.digest)).collect();
    let tags: std::collections::BTreeSet<_> =
        run.entries.iter().flat_map(|entry| entry.tags.iter().map(move |tag| (&entry.place, tag))).collect();
    Listed {
        id: run.id.to_string(),
        began_at: run.began_at,
        ended_at: run.ended_at,
        state: run.state,
        command: run.command.clone(),
        repositories: places.into_iter().collect(),
        planned: run.planned,
        results: run.counts().into_iter().map(|(result, count)| (result.to_owned(), count)).collect(),
        manifests: manifests.len(),
        tags: tags.len(),
        undone: run.undone(),
    }
}

fn item(run: &Recorded, entry: &Entry) -> Item {
    let outcome = run.outcome(entry);
    Item {
        reference: entry.step.clone(),
        digest: entry.digest.to_string(),
        media_type: entry.media_type.clone(),
        size: entry.size,
        tags: entry.tags.iter().map(ToString::to_string).collect(),
        result: outcome.map(|told| told.result.clone()),
        message: outcome.and_then(|told| told.message.clone()),
    }
}

fn state(run: &Listed) -> String {
    let word = match run.state {
        State::Running => "running",
        State::Ended => "done",
        State::Killed => "killed",
    };
    match run.undone {
        0 => word.to_owned(),
        undone => format!("{word}, {} put back", units::count(undone)),
    }
}

fn kept(run: &Listed) -> String {
    match (run.tags, run.manifests) {
        (0, manifests) => units::plural(manifests, "manifest"),
        (tags, manifests) => format!("{}, {}", units::plural(tags, "tag"), units::plural(manifests, "manifest")),
    }
}

fn table(runs: &[Listed], now: Timestamp) -> Table {
    let columns =
        [Column::new("run"), Column::new("when"), Column::new("state"), Column::new("kept"), Column::new("command").shrinks()];
    let mut table = Table::new(columns);
    for run in runs {
        let cells: [Cell; 5] = [
            run.id.clone().into(),
            units::age(run.began_at, now).into(),
            state(run).into(),
            kept(run).into(),
            run.command.clone().into(),
        ];
        table.row(run.id.clone(), cells);
    }
    table
}

fn document(shown: &Shown, now: Timestamp) -> Document {
    let run = &shown.run;
    let mut document = Document::new(&run.id);
    document.field("command", run.command.clone());
    document.field("when", format!("{} ({})", units::date(run.began_at), units::age(run.began_at, now)));
    document.field("state", state(run));
    let results: Vec<String> = run.results.iter().map(|(result, count)| format!("{} {result}", units::count(*count))).collect();
    document.field("steps", format!("{} planned; {}", units::count(run.planned), results.join(", ")));
    let lines = shown.items.iter().map(|item| {
        vec![
            item.result.clone().unwrap_or_else(|| "unknown".into()),
            item.reference.clone(),
            item.message.clone().unwrap_or_default(),
        ]
    });
    document.lines("kept", lines.collect());
    document
}
