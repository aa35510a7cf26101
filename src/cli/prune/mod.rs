//! `regctl prune`.

mod limits;
mod reading;
mod rules;
mod unattended;

use std::time::Instant;

use clap::Args as ClapArgs;

use super::args::{DestroyArgs, TargetArgs};
use super::destroy::{self, Way};
use super::{Context, Exit, Refusal, series, verify};
use crate::duration::Duration;
use crate::operations::plan::{Plan, RepositoryPlan, VERSION};
use crate::output::{View, units};
use limits::LimitArgs;
use reading::{Pruned, Reading};
use rules::RuleArgs;

/// Delete what rules say, and nothing that anything else needs
///
/// Rules come from the flags, else from the entry's retention; without any, nothing is done. Tags that share a digest with a tag that stays,
/// images that an index lists which stays, signatures of what stays, and what the server has locked are kept whatever the rules say.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Keep beats delete, and each row of the plan names the rule that decided. A date that nobody knows is never old.
Tags are ordered by when they were pushed, else built; tags of one date by name, digits as numbers.

--keep-semver counts MAJOR.MINOR.PATCH with or without v. What follows the version counts apart: 1.4.2, 1.4.2-rc.1 and 1.4.2-alpine \
are three lines, and each keeps its newest N. Tags that are no version are left alone when this is the only rule; so are tags in no \
group of --group-by.

What runs in a cluster stays with this:
  kubectl get pods,replicasets,jobs,cronjobs -A -o jsonpath='{..image} {..imageID}' | tr -s ' ' '\\n' | sort -u > live.txt
  regctl prune prod/team/api --keep-last 20 --exclude-file live.txt

Examples:
  regctl prune api --keep-last 10 --match 'ci-*' --older-than 30d
  regctl prune prod --keep-within 90d --keep 'v*' --keep latest --dry-run
  regctl prune prod/api --keep-last 5 --group-by '(.+)-[0-9]+' --plan cleanup.json
  regctl prune prod --untagged --orphaned-referrers --yes --time-limit 2h
  regctl prune --due"
)]
pub struct Args {
    /// Registries and repositories; the default registry if left out
    #[arg(value_name = "REGISTRY|REPO")]
    places: Vec<String>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    limits: LimitArgs,
    /// Stop after this time with the step under way, exit 9; run it again to go on
    #[arg(long, value_name = "DURATION")]
    time_limit: Option<Duration>,
    /// Look for what is broken afterwards, exit 10 if anything is
    #[arg(long, conflicts_with_all = ["dry_run", "plan"])]
    pub(super) verify: bool,
    /// Prune this registry by its own rules, without a question: what a timer starts
    #[arg(long, conflicts_with_all = ["due", "plan"])]
    scheduled: bool,
    /// Prune every registry whose schedule says so, at most once a slot, by its own rules and without a question
    #[arg(long, conflicts_with = "plan")]
    due: bool,
    #[command(flatten)]
    destroy: DestroyArgs,
}

/// Prunes.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let rule = args.rules.rule()?;
    let until = args.time_limit.map(|limit| Instant::now() + std::time::Duration::from_secs(limit.seconds()));
    if args.scheduled || args.due {
        if rule.is_some() {
            return Err(Refusal::usage("--scheduled and --due go by the rules of the entry; flags can't add to them")
                .hint("regctl update NAME --retention 'keep_last=10 keep=latest'")
                .into());
        }
        return if args.due { unattended::due(args, until, context) } else { unattended::scheduled(args, until, context) };
    }
    let exclusions = args.rules.exclusions()?;
    let parts = context.open_parts(&args.target, &args.places)?;
    let reading = Reading { rule, exclusions, until };
    let pruned = reading.read(parts, context)?;
    finish(pruned, args, &args.destroy, until, context)
}

/// Carries out what was read, and looks at it afterwards if that was asked for.
fn finish(pruned: Pruned, args: &Args, destroy: &DestroyArgs, until: Option<Instant>, context: &Context) -> anyhow::Result<Exit> {
    let places = pruned.places();
    let exit = carry_out(pruned, destroy, &args.limits, until, context)?;
    if args.verify && matches!(exit, Exit::Done | Exit::Partial) {
        let found = verify::afterwards(&places, context)?;
        return Ok(if found == Exit::Done { exit } else { found });
    }
    Ok(exit)
}

/// Shows the plan, and carries that plan out if that is wanted.
fn carry_out(
    pruned: Pruned,
    args: &DestroyArgs,
    limits: &LimitArgs,
    until: Option<Instant>,
    context: &Context,
) -> anyhow::Result<Exit> {
    let repositories = pruned.plans().cloned().collect();
    let plan = Plan { version: VERSION, made_at: context.now, repositories, failed: pruned.failed.clone() };
    show(&plan, &pruned, args, context)?;
    tell_unread(&pruned, context);
    let exit = pruned.exit();
    if args.dry_run {
        if !plan.is_empty() {
            context.printer.note("This is a plan, nothing has changed. Apply it with --yes, or save it with --plan FILE.");
            if let Err(refusal) = limits.check(&pruned) {
                context.printer.warn(format!("this would be refused: {refusal}"));
            }
        }
        return Ok(exit);
    }
    limits.check(&pruned)?;
    if let Some(path) = &args.plan {
        destroy::save(&plan, path, context)?;
        return Ok(exit);
    }
    if !args.yes && !plan.is_empty() {
        limits.confirm(&pruned, &plan)?;
    }
    let way = Way { yes: true, saved: !args.yes, no_undo: args.undo.no_undo, until };
    let applied = destroy::carry_out(pruned.prepared, plan, &way, context)?;
    Ok(if applied == Exit::Done { exit } else { applied })
}

/// The plan as programs see it, or as people do.
fn show(plan: &Plan, pruned: &Pruned, args: &DestroyArgs, context: &Context) -> anyhow::Result<()> {
    if context.globals.output.is_machine() {
        // with --yes, what happened is the result
        if args.dry_run || args.plan.is_some() {
            context.printer.report(plan, || View::Text(String::new()))?;
        }
    } else {
        let alone = plan.repositories.len() == 1;
        let says = |part: &&RepositoryPlan| !part.steps.is_empty() || alone && !part.keeps.is_empty();
        let shown: Vec<_> = plan.repositories.iter().filter(says).collect();
        let mut text: String = shown.iter().map(|part| series::text(part, context.printer.width())).collect();
        if shown.len() > 1 {
            let bytes = shown.iter().try_fold(0_u64, |sum, part| Some(sum.saturating_add(part.bytes?)));
            let (tags, manifests) = (shown.iter().map(|part| part.tags()).sum(), shown.iter().map(|part| part.manifests()).sum());
            text.push_str(&format!("In all: {}\n", series::sum(tags, manifests, bytes)));
        }
        if !plan.is_empty() {
            text.extend(context.what_frees_space(plan).into_iter().map(|sentence| sentence + "\n"));
        }
        context.printer.report(plan, || View::Text(text))?;
        if plan.is_empty() && !pruned.prepared.is_empty() {
            let count = units::plural(pruned.prepared.len(), "repository");
            context.printer.note(format!("nothing to prune in {count}"));
        }
    }
    let warnings: std::collections::BTreeSet<&String> = plan.repositories.iter().flat_map(|part| &part.warnings).collect();
    warnings.into_iter().for_each(|warning| context.printer.warn(warning));
    Ok(())
}

/// What could not be read, or was not come to.
fn tell_unread(pruned: &Pruned, context: &Context) {
    for failure in &pruned.failed {
        context.printer.failed(format!("nothing is deleted in {}: {}", failure.name, failure.message));
    }
    if pruned.without_rule > 0 {
        let count = units::plural(pruned.without_rule, "repository");
        context.printer.note(format!("{count} left alone: no retention rule is for them"));
    }
}

/// The error of a command line that gives no rule where none is written down.
fn no_rule() -> anyhow::Error {
    Refusal::usage("no rule says what to delete")
        .hint("give one: --keep-last 10, --keep-within 30d, --keep-semver 3, --older-than 90d, --untagged")
        .hint("or write one down: regctl update NAME --retention 'keep_last=10 keep=latest'")
        .into()
}
