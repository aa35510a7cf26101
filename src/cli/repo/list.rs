//! `regctl repo list`.

use clap::Args as ClapArgs;

use crate::cli::args::TargetArgs;
use crate::cli::{Context, Exit, Refusal};
use crate::operations::filter::Filter;
use crate::operations::repositories::{self, ListedRepository, Query};
use crate::output::{Cell, Column, Failed, List, Table, units};

/// List the repositories of a registry
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Only those in the entry's namespace are listed; `//` in place of the registry's name lists all of the default one.

Examples:
  regctl repo list
  regctl repo list prod --details
  regctl repo list prod --filter '*/web' -q"
)]
pub struct Args {
    /// The registry; the default one if left out
    #[arg(value_name = "REGISTRY", add = clap_complete::ArgValueCandidates::new(crate::cli::complete::registries))]
    place: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
    /// Count the tags; costs a request a repository
    #[arg(long, short)]
    details: bool,
    /// Only repositories whose full name matches this glob
    #[arg(long, value_name = "GLOB")]
    filter: Option<String>,
    /// Repositories outside the entry's namespace too
    #[arg(long, short)]
    all: bool,
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// Lists.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let filter = Filter::new(args.filter.as_deref(), None).map_err(|error| Refusal::usage(error.to_string()))?;
    let opened = context.open_registry(&args.target, args.place.as_deref())?;
    let namespace = opened.namespace.clone().filter(|_| !args.all);
    let query =
        Query { namespace: namespace.clone(), filter, details: args.details, limit: args.limit, configured: opened.configured };
    if context.printer.streams() {
        let emit = |repositories: &[ListedRepository]| Ok(context.printer.items(repositories)?);
        let listing = context.block_on(repositories::stream(&*opened.registry, &query, emit))?;
        tell_configured(listing.configured, context);
        return Ok(context.report_failures(listing.failed));
    }
    let progress = context.printer.progress("counting tags");
    let tick = |done, total| progress.tick(done, total);
    let listing = context.block_on(async { Ok(repositories::list(&*opened.registry, &query, &tick).await?) })?;
    drop(progress);
    let failed =
        listing.failed.iter().map(|failure| Failed { name: failure.name.clone(), message: failure.error.to_string() }).collect();
    let list = List { items: listing.repositories, failed, next_page: None };
    context.printer.report_list(&list, || view(&list.items, args.details))?;
    if !context.globals.output.is_machine() {
        let name = opened.registry.name();
        let place = namespace.as_deref().map_or_else(|| name.to_owned(), |namespace| format!("{name} ({namespace})"));
        let more = if listing.cut { "; there are more (--limit)" } else { "" };
        match list.items.len() {
            0 => context.printer.note(format!("no repositories in {place}{}", why_empty(namespace.as_deref(), &query.filter))),
            count => context.printer.note(format!("{} in {place}{more}", units::plural(count, "repository"))),
        }
    }
    tell_configured(listing.configured, context);
    Ok(context.report_failures(listing.failed))
}

fn tell_configured(configured: bool, context: &Context) {
    if configured {
        context.printer.note("this server doesn't list; these are the entry's own `repositories`");
    }
}

/// An empty list is suspicious: say why it may be (users' reports: zot#3966, regclient#789).
fn why_empty(namespace: Option<&str>, filter: &Filter) -> &'static str {
    match (namespace, filter.is_empty()) {
        (Some(_), _) => "; --all looks outside the namespace",
        (None, false) => " that fit the filter",
        (None, true) => "; some servers show only what you may see: regctl check tells as whom you are signed in",
    }
}

fn view(repositories: &[ListedRepository], details: bool) -> Table {
    let mut columns = vec![Column::new("repository").shrinks()];
    if details {
        columns.push(Column::new("tags").right());
    }
    let mut table = Table::new(columns);
    for repository in repositories {
        let mut cells = vec![Cell::from(repository.name.clone())];
        if details {
            cells
                .push(repository.tags.map_or_else(|| Cell::with_value("–", ""), |tags| Cell::with_value(units::count(tags), tags)));
        }
        table.row(repository.reference.clone(), cells);
    }
    table
}
