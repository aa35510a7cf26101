//! `regctl search`: repositories and tags over all active registries at once.

use clap::Args as ClapArgs;
use futures_util::{StreamExt, stream};

use super::error::{exit_of, exit_of_failed};
use super::{Context, Exit, Refusal};
use crate::catalogue::{Catalogue, Entry, Name, State};
use crate::connect::Connector;
use crate::operations::search::{self, Hit, Pattern, Scope};
use crate::output::{Column, Failed, List, Table, units};
use crate::registry;

/// Registries asked at once: each has its own connections, and more of them would only wait for the same network.
const AT_ONCE: usize = 16;

/// Find repositories and tags in all active registries
///
/// Asks every active registry of the catalogue at once. A word is found anywhere in a name, in any case; a glob has to match the whole name
/// or what follows its last slash. After a colon comes what to look for in tags. One registry that fails does not stop the others.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl search web
  regctl search 'team-a/*'
  regctl search web:v2.4
  regctl search ':ci-2210' -r prod -r lab")]
pub struct Args {
    /// What to look for: REPOSITORY, REPOSITORY:TAG or :TAG
    pattern: String,
    /// Only in this registry; may be given several times
    #[arg(long, short, value_name = "NAME", add = clap_complete::ArgValueCandidates::new(super::complete::registries))]
    registry: Vec<String>,
}

/// Searches.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let pattern = Pattern::new(&args.pattern).map_err(|error| Refusal::usage(error.to_string()))?;
    let catalogue = context.catalogue()?;
    let entries = entries(&catalogue, &args.registry)?;
    if entries.is_empty() {
        return Err(Refusal::new(Exit::NotFound, "no registry is active, so there is nowhere to search")
            .hint("regctl add NAME ADDRESS, or regctl activate NAME")
            .into());
    }
    for (name, entry) in &entries {
        context.warn_of_unverified(name, entry);
    }
    let connector = context.connector(None);
    let progress = context.printer.progress("searching registries");
    let asked = entries.len();
    let answers: Vec<(&Name, registry::Result<_>)> = context.block_on(async {
        let searches = entries.into_iter().map(|(name, entry)| {
            let (connector, pattern) = (&connector, &pattern);
            async move { (name, search_in(connector, name, entry, asked == 1, pattern).await) }
        });
        let mut searches = stream::iter(searches).buffered(AT_ONCE);
        let mut answers = Vec::with_capacity(asked);
        while let Some(answer) = searches.next().await {
            answers.push(answer);
            progress.tick(answers.len() as u64, Some(asked as u64));
        }
        Ok(answers)
    })?;
    drop(progress);
    let mut list: List<Hit> = List::whole(Vec::new());
    let (mut exits, mut searched) = (Vec::new(), 0);
    for (name, answer) in answers {
        match answer {
            Ok((hits, failed)) => {
                searched += 1;
                list.items.extend(hits);
                exits.extend((!failed.is_empty()).then_some(Exit::Partial));
                list.failed
                    .extend(failed.into_iter().map(|failure| Failed { name: failure.name, message: failure.error.to_string() }));
            }
            Err(error) => {
                exits.push(exit_of(error.kind()));
                list.failed.push(Failed { name: name.to_string(), message: error.to_string() });
            }
        }
    }
    context.printer.report_list(&list, || view(&list.items, pattern.wants_tags()))?;
    for failed in &list.failed {
        context.printer.failed(format!("{}: {}", failed.name, failed.message));
    }
    if !context.globals.output.is_machine() {
        let (one, more) = if pattern.wants_tags() { ("tag", "tags") } else { ("repository", "repositories") };
        let found = list.items.len();
        let registries = if asked == 1 { "1 registry".into() } else { format!("{asked} registries") };
        context.printer.note(format!("{} {} in {registries}", units::count(found), if found == 1 { one } else { more }));
    }
    Ok(exit_of_failed(&exits, searched))
}

/// The active entries, or those that were named.
fn entries<'a>(catalogue: &'a Catalogue, names: &[String]) -> anyhow::Result<Vec<(&'a Name, &'a Entry)>> {
    if names.is_empty() {
        return Ok(catalogue.entries().filter(|(_, entry)| entry.state == State::Active && entry.address.is_some()).collect());
    }
    let mut entries = Vec::with_capacity(names.len());
    for name in names {
        let (name, entry) = catalogue.find(name)?;
        if entry.state != State::Active {
            return Err(Refusal::new(Exit::Conflict, format!("{name} is not active"))
                .hint(format!("regctl activate {name}"))
                .into());
        }
        entries.push((name, entry));
    }
    Ok(entries)
}

async fn search_in(
    connector: &Connector,
    name: &Name,
    entry: &Entry,
    alone: bool,
    pattern: &Pattern,
) -> registry::Result<(Vec<Hit>, Vec<crate::operations::Failure>)> {
    let registry = connector.entry(name, entry, alone)?;
    let scope = Scope { namespace: entry.namespace.as_ref().map(ToString::to_string), configured: entry.repositories.clone() };
    search::search(&*registry, pattern, scope, &|_, _| ()).await
}

fn view(hits: &[Hit], tags: bool) -> Table {
    let mut columns = vec![Column::new("registry"), Column::new("repository")];
    columns.extend(tags.then(|| Column::new("tag")));
    let mut table = Table::new(columns);
    for hit in hits {
        let mut cells = vec![hit.registry.as_str().into(), hit.repository.as_str().into()];
        cells.extend(hit.tag.as_deref().map(Into::into));
        table.row(hit.reference.clone(), cells);
    }
    table
}
