//! `regctl manifest head`.

use clap::Args as ClapArgs;
use serde::Serialize;

use crate::cli::args::TargetArgs;
use crate::cli::{Context, Exit};
use crate::oci::Digest;
use crate::operations::Content;
use crate::output::{Document, units};

/// Show digest, media type and size of a manifest, without fetching it
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl manifest head prod/web:latest
  regctl manifest head web:latest --format '{{ digest }}'")]
pub struct Args {
    /// The manifest, as REPOSITORY[:TAG][@DIGEST]
    #[arg(value_name = "REF")]
    reference: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Serialize)]
struct Report {
    reference: String,
    digest: Digest,
    media_type: String,
    size: u64,
}

/// Shows it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let place = context.open_manifest_or_latest(&args.target, &args.reference)?;
    let head = context.block_on(async { Ok(place.registry.head(&place.repository, &place.selector).await?) })?;
    let reference = Content::new(&*place.registry, &place.repository).reference(&place.selector);
    let report = Report { reference, digest: head.digest, media_type: head.media_type, size: head.size };
    context.printer.report(&report, || {
        let mut document = Document::new(&report.reference);
        document.field("digest", report.digest.as_str());
        document.field("media type", report.media_type.clone());
        document.field("size", units::size(report.size));
        document.into()
    })?;
    Ok(Exit::Done)
}
