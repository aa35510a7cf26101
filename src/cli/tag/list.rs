//! `regctl tag list`.

use clap::Args as ClapArgs;
use jiff::Timestamp;

use crate::cli::args::TargetArgs;
use crate::cli::{Context, Exit, Refusal};
use crate::oci::Digest;
use crate::operations::filter::Filter;
use crate::operations::tags::{self, ListedTag, Query, Sort, SortKey};
use crate::output::{Cell, Column, Failed, List, Table, units};

/// List the tags of a repository
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Sorted by name unless --sort says otherwise; jsonl without --sort comes in the server's order, as pages arrive.
Signature tags (sha256-….sig and the like) are hidden unless --all.

Examples:
  regctl tag list prod/web
  regctl tag list web --details --sort -created --limit 10
  regctl tag list web --filter 'v2.*' --sort -semver
  regctl tag list web --digest sha256:9f2c… -q"
)]
pub struct Args {
    /// The repository
    #[arg(value_name = "REPO")]
    repository: String,
    #[command(flatten)]
    target: TargetArgs,
    /// Show digest, type, platforms, size and date; costs a few requests a tag
    #[arg(long, short)]
    details: bool,
    /// Sort by name, semver, created or size; with `-` in front the other way round
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    sort: Option<Sort>,
    /// Only tags that match this glob
    #[arg(long, value_name = "GLOB")]
    filter: Option<String>,
    /// Only tags that match this regular expression, from end to end
    #[arg(long, value_name = "REGEX")]
    regex: Option<String>,
    /// Only tags that point at this digest
    #[arg(long, value_name = "DIGEST")]
    digest: Option<Digest>,
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Signature tags too
    #[arg(long, short)]
    all: bool,
}

/// Lists.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let filter = Filter::new(args.filter.as_deref(), args.regex.as_deref()).map_err(|error| Refusal::usage(error.to_string()))?;
    let place = context.open_repository(&args.target, &args.repository)?;
    let streams = context.printer.streams() && args.sort.is_none();
    let query = Query {
        filter,
        digest: args.digest.clone(),
        details: args.details,
        attachments: args.all,
        sort: args.sort.or((!streams).then_some(Sort { key: SortKey::Name, descending: false })),
        limit: args.limit,
    };
    if streams {
        let emit = |tags: &[ListedTag]| Ok(context.printer.items(tags)?);
        let failed = context.block_on(tags::stream(&*place.registry, &place.repository, &query, emit))?;
        return Ok(context.report_failures(failed));
    }
    let progress = context.printer.progress(if args.details { "reading tags" } else { "resolving tags" });
    let tick = |done, total| progress.tick(done, total);
    let listing = context.block_on(async { Ok(tags::list(&*place.registry, &place.repository, &query, &tick).await?) })?;
    drop(progress);
    let failed =
        listing.failed.iter().map(|failure| Failed { name: failure.name.clone(), message: failure.error.to_string() }).collect();
    let cut = args.limit.is_some_and(|limit| listing.matched > limit);
    let list = List { items: listing.tags, failed, next_page: None };
    context
        .printer
        .report_list(&list, || view(&list.items, args.details || needs_details(args), args.digest.is_some(), context.now))?;
    summary(&list, listing.matched, listing.hidden, cut, &args.repository, context);
    Ok(context.report_failures(listing.failed))
}

fn needs_details(args: &Args) -> bool {
    args.sort.is_some_and(|sort| sort.key.needs_details())
}

/// One line that says what the table doesn't: how much was left out.
fn summary(list: &List<ListedTag>, matched: usize, hidden: usize, cut: bool, repository: &str, context: &Context) {
    if context.globals.output.is_machine() {
        return;
    }
    let mut parts = Vec::new();
    if list.items.is_empty() && list.failed.is_empty() {
        let what = if matched == 0 && hidden == 0 { "no tags" } else { "no tag fits" };
        parts.push(format!("{what} in {repository}"));
    } else if cut {
        parts.push(format!("{} of {} tags shown", units::count(list.items.len()), units::count(matched)));
    }
    if hidden > 0 {
        parts.push(format!("{} hidden (--all)", units::plural(hidden, "signature tag")));
    }
    if !parts.is_empty() {
        context.printer.note(parts.join("; "));
    }
}

fn view(tags: &[ListedTag], details: bool, digest: bool, now: Timestamp) -> Table {
    let told = |has: fn(&ListedTag) -> bool| tags.iter().any(has);
    let mut columns = vec![Column::new("tag").shrinks()];
    let digest = details || digest || told(|tag| tag.digest.is_some());
    if digest {
        columns.push(Column::new("digest"));
    }
    if details {
        columns.extend([
            Column::new("type").expendable(2),
            Column::new("platforms").shrinks().expendable(3),
            Column::new("size").right(),
            Column::new("created").expendable(1),
            Column::new("media_type").wide(),
            Column::new("artifact_type").wide(),
        ]);
    }
    let (pushed, pulled) = (told(|tag| tag.pushed_at.is_some()), told(|tag| tag.pulled_at.is_some()));
    if pushed {
        columns.push(Column::new("pushed").expendable(1));
    }
    if pulled {
        columns.push(Column::new("pulled").expendable(2));
    }
    let locked = told(|tag| tag.lock_reason.is_some());
    if locked {
        columns.push(Column::new("locked").shrinks().expendable(1));
    }
    let mut table = Table::new(columns);
    let date = |date: Option<Timestamp>| match date {
        Some(date) => Cell::with_value(units::age(date, now), date),
        None => Cell::with_value("–", ""),
    };
    for tag in tags {
        let mut cells = vec![Cell::from(tag.name.clone())];
        if digest {
            cells.push(
                tag.digest.as_ref().map_or_else(|| Cell::with_value("–", ""), |digest| Cell::with_value(digest.short(), digest)),
            );
        }
        if details {
            cells.push(tag.kind.map_or("–", |kind| kind.word()).into());
            let platforms = tag.platforms.as_deref().unwrap_or_default();
            let short = platforms.iter().map(|platform| platform.strip_prefix("linux/").unwrap_or(platform)).collect::<Vec<_>>();
            cells.push(Cell::with_value(short.join(" "), platforms.join(" ")));
            cells.push(tag.size.map_or_else(|| Cell::with_value("–", ""), |size| Cell::with_value(units::size(size), size)));
            cells.push(date(tag.created_at));
            cells.push(tag.media_type.clone().unwrap_or_default().into());
            cells.push(tag.artifact_type.clone().unwrap_or_default().into());
        }
        if pushed {
            cells.push(date(tag.pushed_at));
        }
        if pulled {
            cells.push(date(tag.pulled_at));
        }
        if locked {
            cells.push(tag.lock_reason.unwrap_or("–").into());
        }
        table.row(tag.reference.clone(), cells);
    }
    table
}
