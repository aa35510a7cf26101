//! `regctl verify`.

use std::sync::Arc;

use clap::Args as ClapArgs;

use super::args::TargetArgs;
use super::error::{exit_of, exit_of_failed};
use super::open::OpenedPart;
use super::{Context, Exit};
use crate::oci::Repository;
use crate::operations::repositories::{self, Query};
use crate::operations::verify::{self, Finding};
use crate::output::{Column, Failed, List, Table, units};
use crate::registry::Registry;

/// Look for what is broken in repositories
///
/// Finds indexes that list what the server doesn't have, tags that lead nowhere, signatures and the like whose image is gone, fallback tags
/// that list what is gone, and manifests that aren't what they say. With --blobs, layers and configs that are missing or of another size too.
/// Ends with exit code 10 if anything is found. Nothing is changed, and nothing is taken from the cache.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl verify prod/web
  regctl verify prod --blobs -o json
  regctl prune prod --keep-last 20 --yes --verify")]
pub struct Args {
    /// Registries and repositories; the default registry if left out
    #[arg(value_name = "REGISTRY|REPO")]
    places: Vec<String>,
    #[command(flatten)]
    target: TargetArgs,
    /// Look whether every layer and config is there too; costs a request each
    #[arg(long)]
    blobs: bool,
}

/// What was looked at.
#[derive(Default)]
struct Looked {
    repositories: usize,
    tags: usize,
    manifests: usize,
    blobs: usize,
}

/// Verifies.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let parts = context.open_parts(&args.target, &args.places)?;
    let progress = context.printer.progress("looking at manifests");
    let tick = |done, total| progress.tick(done, total);
    let mut list: List<Finding> = List::whole(Vec::new());
    let (mut exits, mut looked) = (Vec::new(), Looked::default());
    context.block_on(async {
        for part in &parts {
            let registry = &*part.opened.registry;
            let repositories = match repositories_of(part, &tick).await {
                Ok(repositories) => repositories,
                Err(error) => {
                    exits.push(exit_of(error.kind()));
                    list.failed.push(Failed { name: registry.name().to_owned(), message: error.to_string() });
                    continue;
                }
            };
            for repository in repositories {
                match verify::verify(registry, &repository, args.blobs, &tick).await {
                    Ok(report) => {
                        looked.repositories += 1;
                        looked.tags += report.tags;
                        looked.manifests += report.manifests;
                        looked.blobs += report.blobs;
                        list.items.extend(report.findings);
                    }
                    Err(error) => {
                        exits.push(exit_of(error.kind()));
                        list.failed.push(Failed { name: format!("{}/{repository}", registry.name()), message: error.to_string() });
                    }
                }
            }
        }
        Ok(())
    })?;
    drop(progress);
    context.printer.report_list(&list, || view(&list.items))?;
    for failed in &list.failed {
        context.printer.failed(format!("{}: {}", failed.name, failed.message));
    }
    tell(&list.items, &looked, context);
    Ok(match exit_of_failed(&exits, looked.repositories) {
        Exit::Done if !list.items.is_empty() => Exit::Findings,
        exit => exit,
    })
}

/// Looks at repositories after something was deleted in them, and tells on stderr what is broken now.
///
/// # Errors
/// When one of them can't be read.
pub(super) fn afterwards(places: &[(Arc<dyn Registry>, Repository)], context: &Context) -> anyhow::Result<Exit> {
    let progress = context.printer.progress("looking at what is left");
    let tick = |done, total| progress.tick(done, total);
    let (mut findings, mut looked) = (Vec::new(), Looked::default());
    context.block_on(async {
        for (registry, repository) in places {
            let report = verify::verify(&**registry, repository, false, &tick).await?;
            looked.repositories += 1;
            looked.tags += report.tags;
            looked.manifests += report.manifests;
            findings.extend(report.findings);
        }
        Ok(())
    })?;
    drop(progress);
    for finding in &findings {
        context.printer.failed(format!("{}: {}", finding.reference, finding.message));
    }
    tell(&findings, &looked, context);
    Ok(if findings.is_empty() { Exit::Done } else { Exit::Findings })
}

/// The repositories that were named, else all of the registry.
pub(super) async fn repositories_of(
    part: &OpenedPart,
    tick: crate::operations::Ticker<'_>,
) -> crate::registry::Result<Vec<Repository>> {
    if let Some(named) = &part.repositories {
        return Ok(named.clone());
    }
    let query = Query { namespace: part.opened.namespace.clone(), configured: part.opened.configured.clone(), ..Query::default() };
    let listing = repositories::list(&*part.opened.registry, &query, tick).await?;
    Ok(listing.repositories.iter().filter_map(|listed| listed.name.parse().ok()).collect())
}

fn tell(findings: &[Finding], looked: &Looked, context: &Context) {
    let mut parts = vec![units::plural(looked.tags, "tag"), units::plural(looked.manifests, "manifest")];
    parts.extend((looked.blobs > 0).then(|| units::plural(looked.blobs, "blob")));
    let what = parts.join(", ");
    match findings.len() {
        0 if looked.repositories > 0 => context.printer.done(format!("nothing is broken among {what}")),
        0 => {}
        count => context.printer.failed(format!("{} among {what}", units::plural(count, "finding"))),
    }
}

fn view(findings: &[Finding]) -> Table {
    let columns = [
        Column::new("problem"),
        Column::new("reference").shrinks(),
        Column::new("tags").shrinks(),
        Column::new("message").shrinks(),
    ];
    let mut table = Table::new(columns);
    for finding in findings {
        let tags = finding.tags.join(" ");
        let cells =
            [finding.problem.words().into(), finding.reference.as_str().into(), tags.into(), finding.message.as_str().into()];
        table.row(finding.reference.clone(), cells);
    }
    table
}
