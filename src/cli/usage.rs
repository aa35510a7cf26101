//! `regctl usage`.

use clap::Args as ClapArgs;
use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::args::TargetArgs;
use super::error::{exit_of, exit_of_failed};
use super::open::OpenedPart;
use super::{Context, Exit, verify};
use crate::oci::Repository;
use crate::operations::usage::{self, ImageUsage, Measured, RepositoryUsage};
use crate::output::{Cell, Column, Failed, List, Table, units};
use crate::registry::{ErrorKind, Registry};

/// Repositories read at once: enough that small ones don't wait for each other's last answer.
const AT_ONCE: usize = 4;

/// Show how many bytes repositories and images take
///
/// Of a registry, or of several places: one row a repository. Of one repository: one row an image. Each digest counts once, however many
/// tags lead to it. UNIQUE is what nothing else that was looked at refers to, SHARED what something else does, RECLAIMABLE what no tag leads
/// to. Sizes are compressed, as stored; what no manifest names any more, such as the layers of what was deleted and not yet collected, only
/// the server knows.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl usage prod --top 10
  regctl usage prod/web
  regctl usage prod/web --by repository -o json")]
pub struct Args {
    /// Registries and repositories; the default registry if left out
    #[arg(value_name = "REGISTRY|REPO")]
    places: Vec<String>,
    #[command(flatten)]
    target: TargetArgs,
    /// One row for each of these, instead of images for one repository and repositories for more
    #[arg(long, value_name = "WHAT")]
    by: Option<By>,
    /// Show only the N with the most of their own
    #[arg(long, value_name = "N")]
    top: Option<usize>,
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    /// A repository.
    Repository,
    /// An image.
    Image,
}

/// A repository that was read.
struct Read<'a> {
    registry: &'a dyn Registry,
    repository: Repository,
    measured: Measured,
}

/// Shows it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let parts = context.open_parts(&args.target, &args.places)?;
    let one = matches!(parts.as_slice(), [OpenedPart { repositories: Some(named), .. }] if named.len() == 1);
    let by = args.by.unwrap_or(if one { By::Image } else { By::Repository });
    let progress = context.printer.progress("reading");
    let tick = |done, total| progress.tick(done, total);
    let (mut read, mut failed, mut exits) = (Vec::new(), Vec::new(), Vec::new());
    context.block_on(async {
        for part in &parts {
            let registry = &*part.opened.registry;
            let mut fail = |name: String, error: crate::registry::Error| {
                exits.push(exit_of(error.kind()));
                failed.push((Failed { name, message: error.to_string() }, error));
            };
            let repositories = match verify::repositories_of(part, &tick).await {
                Ok(repositories) => repositories,
                Err(error) => {
                    fail(registry.name().to_owned(), error);
                    continue;
                }
            };
            let measuring = stream::iter(repositories).map(|repository| async {
                let measured = usage::measure(registry, &repository, &tick).await;
                (repository, measured)
            });
            let mut measuring = measuring.buffered(AT_ONCE);
            while let Some((repository, measured)) = measuring.next().await {
                match measured {
                    Ok(measured) => read.push(Read { registry, repository, measured }),
                    // servers go on listing the name of what was emptied
                    Err(error) if error.kind() == ErrorKind::NotFound && part.repositories.is_none() => {}
                    Err(error) => fail(format!("{}/{repository}", registry.name()), error),
                }
            }
        }
        Ok(())
    })?;
    drop(progress);
    // what was asked for alone is the error of the command
    if read.is_empty() && failed.len() == 1 {
        return Err(failed.remove(0).1.into());
    }
    let failed: Vec<Failed> = failed.into_iter().map(|(failed, _)| failed).collect();
    let done = read.len();
    tell(&read, context);
    match by {
        By::Image => {
            let images = read.iter().flat_map(|read| usage::of_images(read.registry, &read.repository, &read.measured));
            report(images.collect(), failed, args.top, images_view, context)?;
        }
        By::Repository => {
            let measured: Vec<Measured> = read.into_iter().map(|read| read.measured).collect();
            report(usage::of_repositories(&measured), failed, args.top, repositories_view, context)?;
        }
    }
    Ok(exit_of_failed(&exits, done))
}

fn report<T: Serialize>(
    mut items: Vec<T>,
    failed: Vec<Failed>,
    top: Option<usize>,
    view: fn(&[T]) -> Table,
    context: &Context,
) -> anyhow::Result<()> {
    items.truncate(top.unwrap_or(usize::MAX));
    let list = List { items, failed, next_page: None };
    context.printer.report_list(&list, || view(&list.items))?;
    for failed in &list.failed {
        context.printer.failed(format!("{}: {}", failed.name, failed.message));
    }
    Ok(())
}

/// The sum, and what it can't include.
fn tell(read: &[Read<'_>], context: &Context) {
    let reasons: std::collections::BTreeSet<&String> = read.iter().filter_map(|read| read.measured.unlisted.as_ref()).collect();
    for why in reasons {
        context.printer.note(format!("{why}: what only those refer to is not counted"));
    }
}

fn bytes(size: Option<u64>) -> Cell {
    size.map_or_else(|| Cell::with_value("–", ""), |size| Cell::with_value(units::size(size), size))
}

fn repositories_view(usages: &[RepositoryUsage]) -> Table {
    let mut table = Table::new([
        Column::new("repository"),
        Column::new("tags").right(),
        Column::new("manifests").right().expendable(1),
        Column::new("size").right(),
        Column::new("unique").right(),
        Column::new("shared").right(),
        Column::new("reclaimable").right(),
    ]);
    for usage in usages {
        let count = |number: usize| Cell::with_value(units::count(number), number);
        let sizes = [usage.size, usage.unique, usage.shared, usage.reclaimable].map(bytes);
        let cells = [Cell::from(usage.repository.clone()), count(usage.tags), count(usage.manifests)];
        table.row(usage.repository.clone(), cells.into_iter().chain(sizes));
    }
    table
}

fn images_view(usages: &[ImageUsage]) -> Table {
    let mut table = Table::new([
        Column::new("tags").shrinks(),
        Column::new("digest").expendable(1),
        Column::new("size").right(),
        Column::new("unique").right(),
        Column::new("shared").right(),
    ]);
    for usage in usages {
        let cells = [Cell::from(usage.tags.join(" ")), Cell::with_value(usage.digest.short(), &usage.digest)];
        table.row(usage.reference.clone(), cells.into_iter().chain([usage.size, usage.unique, usage.shared].map(bytes)));
    }
    table
}
