//! The way of every command that deletes: show the plan, ask, carry out that same plan, tell what happened.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::args::DestroyArgs;
use super::error::exit_of;
use super::{Context, Exit, Refusal, prompt, series};
use crate::journal::{self, Journal, RunId};
use crate::oci::Digest;
use crate::operations::apply::{self, Applied, Conditions, Done, Learnt, Newcomers, Outcome};
use crate::operations::plan::{Otherwise, Plan, PlannedTag, RepositoryPlan, Step, VERSION};
use crate::output::{self, Failed, List, View, units};
use crate::registry::{ErrorKind, Registry};

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

/// Nothing was to be done: programs see that too.
pub(super) fn nothing(failed: Vec<Failed>, context: &Context) -> anyhow::Result<Exit> {
    if context.globals.output.is_machine() {
        let list = List { items: Vec::<Outcome>::new(), failed, next_page: None };
        context.printer.report_list(&list, || crate::output::Table::new([]))?;
    }
    Ok(Exit::Done)
}

/// What could not be read, for programs.
fn unread(plan: &Plan) -> impl Iterator<Item = Failed> {
    plan.failed.iter().map(|unread| Failed { name: unread.name.clone(), message: unread.message.clone() })
}

/// What was asked for by name and stays, because the server holds on to it.
fn locked(prepared: &[Prepared]) -> impl Iterator<Item = Failed> {
    prepared.iter().flat_map(|part| {
        part.plan
            .locked()
            .map(|keep| Failed { name: full(&part.plan, &keep.name), message: format!("not deleted: {}", keep.reason) })
    })
}

/// The error of a command that asked for nothing but what the server holds on to; `None` when it asked for nothing such.
fn all_locked(prepared: &[Prepared]) -> Option<anyhow::Error> {
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
fn full(plan: &RepositoryPlan, name: &str) -> String {
    format!("{}{}{name}", plan.name(), if name.contains(':') { '@' } else { ':' })
}

fn question(plan: &Plan) -> String {
    let registries: BTreeSet<&str> = plan.repositories.iter().map(|part| part.registry.as_str()).collect();
    let registries = registries.into_iter().collect::<Vec<_>>().join(", ");
    let tags: usize = plan.repositories.iter().map(RepositoryPlan::tags).sum();
    let manifests: usize = plan.repositories.iter().map(RepositoryPlan::manifests).sum();
    let whole = plan.repositories.iter().flat_map(|part| &part.steps).any(|step| *step == Step::DeleteRepository);
    let what = match (whole, tags, manifests) {
        (true, ..) => "everything".to_owned(),
        (_, 0, manifests) => units::plural(manifests, "manifest"),
        (_, tags, 0) => units::plural(tags, "tag"),
        (_, tags, manifests) => format!("{} and {}", units::plural(tags, "tag"), units::plural(manifests, "manifest")),
    };
    format!("Delete {what} from {registries}?")
}

/// What was asked for and is not there is no failure.
fn tell_gone(plan: &Plan, context: &Context) {
    for part in &plan.repositories {
        for gone in &part.gone {
            let name = if gone == part.repository.0.as_str() { part.name() } else { full(part, gone) };
            context.printer.note(format!("{name} is already gone"));
        }
    }
}

/// Shows a plan.
pub fn show(plan: &Plan, context: &Context) -> anyhow::Result<()> {
    if plan.is_empty()
        && plan.repositories.iter().all(|part| part.locked().next().is_none())
        && !context.globals.output.is_machine()
    {
        return Ok(());
    }
    let width = context.printer.width();
    context.printer.report(plan, || {
        View::Text(
            plan.repositories
                .iter()
                .map(|part| if series::is_by_rules(part) { series::text(part, width) } else { text(part, width) })
                .collect(),
        )
    })?;
    for warning in plan.repositories.iter().flat_map(|part| &part.warnings) {
        context.printer.warn(warning);
    }
    Ok(())
}

/// A plan as a person reads it, in lines of no more than so many columns.
fn text(plan: &RepositoryPlan, columns: Option<usize>) -> String {
    let goes = plan.steps.iter().map(|step| ('-', line(step)));
    let stays = plan.locked().map(|keep| ('=', (short(&keep.name), format!("stays: {}", keep.reason))));
    let lines: Vec<(char, (String, String))> = goes.chain(stays).collect();
    if lines.is_empty() {
        return String::new();
    }
    let width = lines.iter().map(|(_, (name, _))| name.len()).max().unwrap_or(0);
    let mut out = format!("{}\n", plan.name());
    for (sign, (name, what)) in lines {
        let line = format!("  {sign} {name:width$}  {what}");
        out.push_str(&output::text::truncate(&line, columns.unwrap_or(usize::MAX)));
        out.push('\n');
    }
    if plan.steps.is_empty() {
        out.push_str("Nothing goes.\n");
        return out;
    }
    let (tags, manifests) = (plan.tags(), plan.manifests());
    let goes = |count: usize, one: &str| match count {
        0 => format!("no {one} goes"),
        1 => format!("1 {one} goes"),
        _ => format!("{} go", units::plural(count, one)),
    };
    let last = plan.steps.iter().filter(|step| matches!(step, Step::Untag { otherwise: Otherwise::Digest, .. })).count();
    let rest = match (plan.steps.contains(&Step::DeleteRepository), manifests, last) {
        (true, ..) => "The whole repository goes".to_owned(),
        (_, 0, 0) => format!("{}, no manifest goes, nothing is freed", goes(tags, "tag")),
        (_, 0, last) => format!(
            "{}; {} its last tag",
            goes(tags, "tag"),
            if last == 1 { "1 manifest loses".into() } else { format!("{} lose", units::plural(last, "tag's manifest")) }
        ),
        _ => format!("{} and {}", goes(tags, "tag"), goes(manifests, "manifest")),
    };
    out.push_str(&format!("{rest}.\n"));
    out
}

/// A tag as it is, a digest as people see it.
fn short(name: &str) -> String {
    name.parse::<Digest>().map_or_else(|_| name.to_owned(), |digest| format!("{}:{}", digest.algorithm(), digest.short()))
}

fn line(step: &Step) -> (String, String) {
    let names = |tags: &[PlannedTag]| tags.iter().map(PlannedTag::to_string).collect::<Vec<_>>().join(", ");
    match step {
        Step::Untag { tag, digest, siblings, otherwise } => {
            let short = format!("{}:{}", digest.algorithm(), digest.short());
            let what = match (siblings.as_slice(), otherwise) {
                ([], Otherwise::Digest) => format!("last tag on {short}"),
                ([], Otherwise::Refuse { indexes }) => format!("tag only; the index {} keeps {short}", indexes.join(", ")),
                ([], Otherwise::Placeholder) => format!("tag only, by way of a placeholder if need be; an index keeps {short}"),
                (kept, otherwise) => {
                    let verb = if kept.len() == 1 { "keeps" } else { "keep" };
                    let way = if *otherwise == Otherwise::Placeholder { ", by way of a placeholder if need be" } else { "" };
                    format!("tag only{way}; {} {verb} {short}", names(kept))
                }
            };
            (tag.to_string(), what)
        }
        Step::DeleteManifest { digest, tags, .. } if tags.is_empty() => {
            (format!("{}:{}", digest.algorithm(), digest.short()), "manifest without a tag".to_owned())
        }
        Step::DeleteManifest { digest, tags, .. } => {
            (format!("{}:{}", digest.algorithm(), digest.short()), format!("manifest, with {}", names(tags)))
        }
        Step::Unlist { tag, referrers, .. } => {
            (tag.to_string(), format!("loses {}; a list of what is attached to an image", units::plural(referrers.len(), "entry")))
        }
        Step::DeleteRepository => ("everything".to_owned(), "all tags and manifests, by the server's own call".to_owned()),
    }
}

/// Tells what happened, and how the command ends; with `stopped` if not every step was come to.
fn tell(
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
pub(super) fn tags_and_manifests<'a>(references: impl Iterator<Item = &'a str>, with_manifests: usize) -> String {
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
