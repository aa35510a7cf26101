//! `regctl apply-plan`.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args as ClapArgs;

use super::args::UndoArgs;
use super::destroy::{self, Prepared, Way};
use super::{Context, Exit, Refusal};
use crate::operations::plan::{Plan, VERSION};

/// A plan of 100,000 tags takes about 20 MB; more than this is no plan.
const LARGEST_PLAN: u64 = 256 * 1024 * 1024;

/// Carry out a plan that was saved with --plan
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Each step looks again first: what has moved since the plan was made is left alone (exit 8 if that is everything).

Examples:
  regctl tag delete web:old --plan cleanup.json
  regctl apply-plan cleanup.json --yes"
)]
pub struct Args {
    /// The saved plan
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// Go ahead without asking
    #[arg(long, short, env = "REGCTL_YES", hide_env = true)]
    yes: bool,
    /// Show the plan and change nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    #[command(flatten)]
    undo: UndoArgs,
}

/// Carries it out.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let plan = read(&args.file)?;
    // for programs the outcome is the one document
    if args.dry_run || !context.globals.output.is_machine() {
        destroy::show(&plan, context)?;
    }
    if args.dry_run {
        return Ok(Exit::Done);
    }
    let mut prepared = Vec::new();
    let planned: Vec<_> = plan.repositories.iter().map(|part| (part.registry.as_str(), &part.repository.0)).collect();
    for (part, opened) in plan.repositories.iter().zip(context.open_planned(&planned)?) {
        if opened.address != part.address {
            return Err(Refusal::new(
                Exit::Refused,
                format!(
                    "the plan was made for {} at {}, and {} is now at {}",
                    part.registry, part.address, part.registry, opened.address
                ),
            )
            .hint("make the plan again")
            .into());
        }
        prepared.push(Prepared { registry: opened.registry, plan: part.clone() });
    }
    destroy::carry_out(prepared, plan, &Way { yes: args.yes, saved: true, no_undo: args.undo.no_undo, until: None }, context)
}

fn read(path: &PathBuf) -> anyhow::Result<Plan> {
    let unreadable = || format!("can't read the plan {}", path.display());
    let mut text = String::new();
    fs::File::open(path).with_context(unreadable)?.take(LARGEST_PLAN).read_to_string(&mut text).with_context(unreadable)?;
    let version = serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|value| value.get("version")?.as_u64());
    if version.is_some_and(|version| version != u64::from(VERSION)) {
        return Err(Refusal::usage(format!("{} was saved by another version of this program", path.display()))
            .hint("make the plan again")
            .into());
    }
    serde_json::from_str(&text).map_err(|error| Refusal::usage(format!("{} is not a saved plan: {error}", path.display())).into())
}
