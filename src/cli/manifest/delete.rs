//! `regctl manifest delete`.

use clap::Args as ClapArgs;

use crate::cli::args::{DestroyArgs, TargetArgs};
use crate::cli::destroy::{self, Prepared};
use crate::cli::{Context, Exit};
use crate::oci::Selector;
use crate::operations::delete::{self, Place, Reach};

/// Delete a manifest by digest, with the tags on it
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Tags that were not named go only with --with-siblings. What an index lists is never deleted from under it (exit 8).

Examples:
  regctl manifest delete prod/web@sha256:9f2c…
  regctl manifest delete web:v2.4.1 --with-siblings --dry-run"
)]
pub struct Args {
    /// The manifest, as REPOSITORY@DIGEST, or REPOSITORY:TAG for the one that the tag points at
    #[arg(value_name = "REF")]
    reference: String,
    #[command(flatten)]
    target: TargetArgs,
    /// Every tag on it may go with it
    #[arg(long)]
    with_siblings: bool,
    #[command(flatten)]
    destroy: DestroyArgs,
}

/// Deletes it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let opened = context.open_manifest(&args.target, &args.reference)?;
    let reach = Reach { with_siblings: args.with_siblings, via_placeholder: false };
    let progress = context.printer.progress("resolving tags");
    let tick = |done, total| progress.tick(done, total);
    let plan = context.block_on(async {
        let place = Place { registry: &*opened.registry, address: &opened.address, repository: &opened.repository };
        let digest = match &opened.selector {
            Selector::Digest(digest) => digest.clone(),
            tag => opened.registry.head(&opened.repository, tag).await?.digest,
        };
        Ok(delete::plan_manifest(&place, &digest, opened.tag.as_ref(), reach, &tick).await?)
    })?;
    drop(progress);
    destroy::run(vec![Prepared { registry: opened.registry, plan }], &args.destroy, context)
}
