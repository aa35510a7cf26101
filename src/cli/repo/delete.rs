//! `regctl repo delete`.

use clap::Args as ClapArgs;

use crate::cli::args::{DestroyArgs, TargetArgs};
use crate::cli::destroy::{self, Prepared};
use crate::cli::{Context, Exit};
use crate::operations::delete::{self, Place};

/// Delete a repository with everything in it
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Where the server has no call for that, every manifest that the tags lead to is deleted, once each; the empty name may stay listed. \
Refused (exit 8) as long as the server has locked anything in it.

Examples:
  regctl repo delete prod/old-app --dry-run
  regctl repo delete prod/old-app --yes"
)]
pub struct Args {
    /// The repository
    #[arg(value_name = "REPO")]
    repository: String,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    destroy: DestroyArgs,
}

/// Deletes it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let opened = context.open_repository(&args.target, &args.repository)?;
    let progress = context.printer.progress("resolving tags");
    let tick = |done, total| progress.tick(done, total);
    let plan = context.block_on(async {
        let place = Place { registry: &*opened.registry, address: &opened.address, repository: &opened.repository };
        Ok(delete::plan_repository(&place, &tick).await?)
    })?;
    drop(progress);
    destroy::run(vec![Prepared { registry: opened.registry, plan }], &args.destroy, context)
}
