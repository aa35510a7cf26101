//! `regctl list`: the registries in the catalogue, without the network.

use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::Args as ClapArgs;

use super::fields::value;
use super::{Context, Exit};
use crate::catalogue::{Filter, Glob, Known, LabelKey, LabelValue, Location, Order, State, View};
use crate::output::{Cell, Column, List, Table, Tone, units};
use crate::registry::Kind;

/// List the registries in the catalogue
///
/// Asks no server. All filters have to fit.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl list
  regctl list --provider harbor --label env=prod
  regctl list --all --sort -updated -o wide
  regctl list -q | xargs regctl check")]
pub struct Args {
    /// Names that fit this pattern
    #[arg(long, value_name = "GLOB", value_parser = value::<Glob>)]
    name: Option<Glob>,
    /// At this host, with a port or without
    #[arg(long, value_name = "HOST[:PORT]")]
    host: Option<String>,
    /// With this id, or beginning with at least 8 characters of it
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Of this provider
    #[arg(long, value_name = "PROVIDER", value_parser = Kind::from_str)]
    provider: Option<Kind>,
    /// In this state: active, inactive or removed
    #[arg(long, value_name = "STATE", value_parser = value::<State>)]
    state: Option<State>,
    /// Docker Hub only, or everything but it
    #[arg(long, value_name = "BOOL", hide_possible_values = true)]
    docker_registry: Option<bool>,
    /// At this location
    #[arg(long, value_name = "COUNTRY/CITY", value_parser = value::<Location>)]
    location: Option<Location>,
    /// With this label; can be repeated
    #[arg(long, value_name = "KEY[=VALUE]", value_parser = label)]
    label: Vec<(LabelKey, Option<LabelValue>)>,
    /// Removed ones too
    #[arg(long, short)]
    all: bool,
    /// By name, address, provider, namespace, location, state, created or updated; - before it turns the order round
    #[arg(long, value_name = "KEY", default_value = "name", allow_hyphen_values = true, value_parser = value::<Order>)]
    sort: Order,
    /// Show no more than this many
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
    /// Go on where a page ended
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    page_token: Option<String>,
}

fn label(text: &str) -> Result<(LabelKey, Option<LabelValue>), String> {
    match text.split_once('=') {
        Some((key, text)) => Ok((value(key)?, Some(value(text)?))),
        None => Ok((value(text)?, None)),
    }
}

/// Lists them.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let catalogue = context.catalogue()?;
    let filter = Filter {
        name: args.name.clone(),
        host: args.host.clone(),
        id: args.id.clone(),
        provider: args.provider,
        state: args.state,
        docker_registry: args.docker_registry,
        location: args.location.clone(),
        labels: args.label.clone(),
        all: args.all,
    };
    let page = catalogue.page(&filter, args.sort, args.limit, args.page_token.as_deref())?;
    // a table shows nothing for which files would have to be read
    let known = |name, entry| if context.shows_fields() { context.known(name, entry) } else { Known::default() };
    let items: Vec<View> = page.items.iter().map(|(name, entry)| catalogue.view(name, entry, known(name, entry))).collect();
    let list = List { items, failed: Vec::new(), next_page: page.next };
    context.printer.report_list(&list, || table(&list.items))?;
    match &list.next_page {
        Some(token) => context.printer.note(format!(
            "{} shown; for the next page repeat the command with --page-token {token}",
            units::plural(list.items.len(), "registry")
        )),
        None if catalogue.entries().next().is_none() => {
            context.printer.note("no registries yet");
            context.printer.hint("regctl add NAME ADDRESS");
        }
        None if list.items.is_empty() => context.printer.note("no registry fits"),
        None => {}
    }
    Ok(Exit::Done)
}

/// Registries as a table.
pub(super) fn table(items: &[View]) -> Table {
    let mut table = Table::new([
        Column::new("name"),
        Column::new("address").shrinks(),
        Column::new("provider").expendable(2),
        Column::new("namespace").expendable(1),
        Column::new("state"),
        Column::new("default"),
        Column::new("display_name").wide(),
        Column::new("username").wide(),
        Column::new("location").wide(),
        Column::new("region").wide(),
        Column::new("labels").wide(),
        Column::new("description").wide(),
        Column::new("id").wide(),
    ]);
    for view in items {
        let text = |field: &Option<String>| Cell::from(field.clone().unwrap_or_default());
        let tone = if view.state == State::Active { Tone::Plain } else { Tone::Dim };
        let labels = view.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
        table.row(
            view.name.as_str(),
            [
                view.name.as_str().into(),
                text(&view.address),
                view.provider.word().into(),
                view.namespace.as_ref().map(|namespace| namespace.as_str()).unwrap_or_default().into(),
                Cell::from(view.state.word()).tone(tone),
                if view.is_default { "*" } else { "" }.into(),
                text(&view.display_name),
                text(&view.username),
                text(&view.location),
                text(&view.region),
                labels.into(),
                text(&view.description),
                view.id.as_str().into(),
            ],
        );
    }
    table
}
