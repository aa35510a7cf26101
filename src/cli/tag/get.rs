//! `regctl tag get`.

use clap::Args as ClapArgs;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::args::TargetArgs;
use crate::cli::{Context, Exit};
use crate::oci::Digest;
use crate::operations::Content;
use crate::operations::image::{self, Summary};
use crate::output::{Document, units};

/// Show what a tag points at
#[derive(Debug, ClapArgs)]
#[command(after_help = "regctl inspect shows more: layers, config, what is attached.

Examples:
  regctl tag get prod/web:v2.4.1
  regctl tag get web:latest --format '{{ digest }}'")]
pub struct Args {
    /// The tag, as REPOSITORY:TAG
    #[arg(value_name = "REF")]
    reference: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Serialize)]
struct Report {
    reference: String,
    name: Option<String>,
    digest: Digest,
    media_type: String,
    #[serde(flatten)]
    summary: Summary,
}

/// Shows it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let place = context.open_manifest(&args.target, &args.reference)?;
    let report = context.block_on(async {
        let head = place.registry.head(&place.repository, &place.selector).await?;
        let content = Content::new(&*place.registry, &place.repository);
        let summary = image::summarise(&content, &head.digest).await?;
        Ok(Report {
            reference: content.reference(&place.selector),
            name: place.tag.as_ref().map(ToString::to_string),
            digest: head.digest,
            media_type: head.media_type,
            summary,
        })
    })?;
    context.printer.report(&report, || view(&report, context.now).into())?;
    Ok(Exit::Done)
}

fn view(report: &Report, now: Timestamp) -> Document {
    let mut document = Document::new(&report.reference);
    document.field("digest", report.digest.as_str());
    document.field("type", format!("{}  {}", report.summary.kind.word(), report.media_type));
    document.maybe("artifact", report.summary.artifact_type.clone());
    if !report.summary.platforms.is_empty() {
        document.field("platforms", report.summary.platforms.join(" "));
    }
    document.maybe("size", report.summary.size.map(units::size));
    document.maybe("created", report.summary.created_at.map(|date| format!("{} ({})", units::date(date), units::age(date, now))));
    document
}
