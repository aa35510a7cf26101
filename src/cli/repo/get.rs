//! `regctl repo get`.

use clap::Args as ClapArgs;

use crate::cli::args::TargetArgs;
use crate::cli::{Context, Exit};
use crate::operations::repositories::{self, RepositoryReport};
use crate::output::{Document, units};

/// More tags than this are only counted, unless `-o wide` shows them all.
const TAGS_SHOWN: usize = 20;

/// Show a repository: its tags, its layers, what it takes up
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Reads every manifest. Blobs that several tags share are counted once; sizes are those of the compressed blobs.

Examples:
  regctl repo get prod/web
  regctl repo get web --format '{{ size | size }}'"
)]
pub struct Args {
    /// The repository
    #[arg(value_name = "REPO")]
    repository: String,
    #[command(flatten)]
    target: TargetArgs,
}

/// Shows it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let place = context.open_repository(&args.target, &args.repository)?;
    let progress = context.printer.progress("reading tags");
    let tick = |done, total| progress.tick(done, total);
    let report = context.block_on(async { Ok(repositories::report(&*place.registry, &place.repository, &tick).await?) })?;
    drop(progress);
    let all = context.globals.output == crate::output::Format::Wide;
    context.printer.report(&report, || view(&report, all).into())?;
    Ok(Exit::Done)
}

fn view(report: &RepositoryReport, all: bool) -> Document {
    let mut document = Document::new(&report.reference);
    document.field("namespace", report.namespace.clone());
    document.field("size", format!("{} in {}", units::size(report.size), units::plural(report.layers.len(), "layer")));
    let mut tags: Vec<Vec<String>> = report
        .tags
        .iter()
        .take(if all { usize::MAX } else { TAGS_SHOWN })
        .map(|tag| vec![tag.name.clone(), format!("{}:{}", tag.digest.algorithm(), tag.digest.short())])
        .collect();
    if tags.len() < report.tags.len() {
        tags.push(vec![format!("… and {} more (-o wide)", units::count(report.tags.len() - tags.len()))]);
    }
    document.lines("tags", tags);
    document
}
