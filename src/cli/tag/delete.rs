//! `regctl tag delete`.

use std::io::BufRead;

use clap::Args as ClapArgs;

use crate::cli::args::{DestroyArgs, TargetArgs};
use crate::cli::destroy::{self, Prepared};
use crate::cli::{Context, Exit, Refusal};
use crate::oci::Tag;
use crate::operations::delete::{self, Place, Reach};

/// Delete tags, and nothing but tags
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "A tag goes alone: other tags on the same digest stay. Where the server can only delete by digest, and another tag or an \
index needs that digest, the tag stays too (exit 7) unless one of the two ways out is taken. What the server has locked or made immutable \
stays, and the plan says why (exit 8).

Examples:
  regctl tag delete prod/web:v2.4.1
  regctl tag delete web:old web:older --dry-run
  regctl tag list web --filter 'ci-*' -q | regctl tag delete - --yes"
)]
pub struct Args {
    /// The tags, as REPOSITORY:TAG; `-` reads them from standard input, one a line
    #[arg(value_name = "REF", required = true)]
    references: Vec<String>,
    #[command(flatten)]
    target: TargetArgs,
    /// Delete every tag on the same digest as well
    #[arg(long, conflicts_with = "via_placeholder")]
    with_siblings: bool,
    /// Where the server deletes by digest only: move the tag to a small placeholder manifest and delete that
    #[arg(long)]
    via_placeholder: bool,
    #[command(flatten)]
    destroy: DestroyArgs,
}

/// Deletes them.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let references = read_references(args)?;
    let reach = Reach { with_siblings: args.with_siblings, via_placeholder: args.via_placeholder };
    let mut groups: Vec<(crate::cli::Opened, Vec<Tag>)> = Vec::new();
    for (reference, place) in references.iter().zip(context.open_manifests(&args.target, &references)?) {
        let Some(tag) = place.tag.clone().filter(|_| place.digest.is_none()) else {
            return Err(Refusal::usage(format!("`{reference}` is not a tag"))
                .hint(format!("to delete by digest, with all tags on it: regctl manifest delete {reference}"))
                .into());
        };
        match groups.iter_mut().find(|(known, _)| known.is_same_repository(&place)) {
            Some((_, tags)) => tags.push(tag),
            None => groups.push((place, vec![tag])),
        }
    }
    let progress = context.printer.progress("resolving tags");
    let tick = |done, total| progress.tick(done, total);
    let prepared = context.block_on(async {
        let mut prepared = Vec::new();
        for (opened, tags) in groups {
            let place = Place { registry: &*opened.registry, address: &opened.address, repository: &opened.repository };
            let plan = delete::plan_tags(&place, &tags, reach, &tick).await?;
            prepared.push(Prepared { registry: opened.registry, plan });
        }
        Ok(prepared)
    })?;
    drop(progress);
    destroy::run(prepared, &args.destroy, context)
}

fn read_references(args: &Args) -> anyhow::Result<Vec<String>> {
    let mut references = Vec::new();
    for reference in &args.references {
        if reference != "-" {
            references.push(reference.clone());
            continue;
        }
        if args.target.password_stdin {
            return Err(Refusal::usage("standard input can't be both the password and the list of tags").into());
        }
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                references.push(line.to_owned());
            }
        }
    }
    Ok(references)
}
