//! `regctl blob head`.

use clap::Args as ClapArgs;
use serde::Serialize;

use crate::cli::args::TargetArgs;
use crate::cli::{Context, Exit};
use crate::oci::Digest;
use crate::operations::Content;
use crate::output::{Document, units};

/// Show whether a blob is there, and its size
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl blob head prod/web@sha256:77aa…
  regctl blob head prod/web@sha256:77aa… --format '{{ size }}'")]
pub struct Args {
    /// The blob, as REPOSITORY@DIGEST
    #[arg(value_name = "REF")]
    reference: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Serialize)]
struct Report {
    reference: String,
    digest: Digest,
    size: u64,
}

/// Shows it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let (place, digest) = context.open_blob(&args.target, &args.reference)?;
    let size = context.block_on(async { Ok(place.registry.blob_size(&place.repository, &digest).await?) })?;
    let reference = Content::new(&*place.registry, &place.repository).reference(&digest.clone().into());
    let report = Report { reference, digest, size };
    context.printer.report(&report, || {
        let mut document = Document::new(&report.reference);
        document.field("size", units::size(report.size));
        document.into()
    })?;
    Ok(Exit::Done)
}
