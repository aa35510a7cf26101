//! `regctl get`: everything about one registry, without the network unless `--live` asks for it.

use clap::Args as ClapArgs;
use jiff::Timestamp;
use serde::Serialize;

use super::{Context, Exit};
use crate::catalogue::{Effect, Name, View};
use crate::duration::Duration;
use crate::operations::live::{self, Live};
use crate::output::{Document, View as Shown, units};
use crate::registry::{Kind, RateLimit, Retention, Storage};

/// Show everything about a registry
///
/// Asks no server and no keyring: whether there is a secret in the keyring stays unknown here. With --live the server is asked how much it
/// stores, by which rules of its own it deletes and frees, and how often it may be asked.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl get prod
  regctl get prod --actions
  regctl get prod --live
  regctl get registry.example.com:5000 -o json
  regctl get prod --format '{{ address }}'")]
pub struct Args {
    /// The registry: name, id or host
    #[arg(value_name = "NAME", add = clap_complete::ArgValueCandidates::new(super::complete::registries))]
    name: String,
    /// Show what can be done with it now, and with which command
    #[arg(long)]
    actions: bool,
    /// Ask the server too: storage and quota, its own retention and garbage collection, rate limit
    #[arg(long, conflicts_with = "actions")]
    live: bool,
}

/// The entry, and what the server says.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    view: View,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<Live>,
}

/// Shows it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let catalogue = context.catalogue()?;
    let (name, entry) = catalogue.find(&args.name)?;
    if args.actions {
        let actions = catalogue.actions(name, entry);
        context.printer.report(&actions, || {
            let mut document = Document::new(name.as_str());
            actions.iter().for_each(|(action, command)| document.field(*action, command));
            document.into()
        })?;
        return Ok(Exit::Done);
    }
    let view = catalogue.view(name, entry, context.known(name, entry));
    let live = if args.live { Some(ask(name, view.provider, context)?) } else { None };
    let report = Report { view, live };
    context.printer.report(&report, || {
        let mut document = document(&report.view, context.now);
        if let Some(live) = &report.live {
            add_live(&mut document, live, context.now);
        }
        Shown::from(document)
    })?;
    Ok(Exit::Done)
}

/// Asks the server of an entry. Docker Hub is asked for its rate limit by itself.
fn ask(name: &Name, kind: Kind, context: &Context) -> anyhow::Result<Live> {
    let way = context.entry_way(name)?;
    context.block_on(async {
        let (live, limit) = futures_util::join!(live::live(&**way.registry()), way.rate_limit(kind));
        let mut live = live?;
        live.rate_limit = live.rate_limit.or(limit);
        Ok(live)
    })
}

/// What the server says, as a person sees it: also that something is not known, and what it takes to know it.
fn add_live(document: &mut Document, live: &Live, now: Timestamp) {
    let unknown = |fact: &str| match live.hidden.iter().find(|hidden| hidden.fact == fact) {
        Some(hidden) => format!("unknown; it takes {}", hidden.needs),
        None => "unknown".to_owned(),
    };
    document.field("server", live.version.as_deref().unwrap_or("unknown"));
    match &live.storage {
        None => document.field("storage", unknown("storage")),
        Some(parts) if parts.is_empty() => document.field("storage", "nothing"),
        Some(parts) => document.lines("storage", parts.iter().map(|part| vec![part.of.clone(), stored(part, now)]).collect()),
    }
    match &live.retention {
        None => document.field("vendor's rules", unknown("retention")),
        Some(parts) if parts.is_empty() => document.field("vendor's rules", "none"),
        Some(parts) => document.lines("vendor's rules", parts.iter().flat_map(rules).collect()),
    }
    document.field(
        "vendor frees",
        match &live.garbage_collection {
            None => unknown("garbage_collection"),
            Some(collection) => collection.schedule.clone().unwrap_or_else(|| "when somebody starts it: not scheduled".to_owned()),
        },
    );
    document.field("rate limit", live.rate_limit.as_ref().map_or_else(|| "unknown".to_owned(), limit));
    if let Some(count) = live.first_repositories {
        document.field("asked", format!("only the first {count} repositories"));
    }
}

fn stored(part: &Storage, now: Timestamp) -> String {
    let used = part.used.map_or_else(|| "unknown".to_owned(), units::size);
    let of = match (part.quota, part.unlimited) {
        (Some(quota), _) => format!(" of {}", units::size(quota)),
        (None, Some(true)) => ", no limit".to_owned(),
        (None, _) => String::new(),
    };
    let when = part.updated_at.map(|date| format!(" ({})", units::age(date, now))).unwrap_or_default();
    format!("{used}{of}{when}")
}

fn rules(part: &Retention) -> Vec<Vec<String>> {
    let rules = if part.rules.is_empty() { vec!["none".to_owned()] } else { part.rules.clone() };
    let schedule = part.schedule.iter().map(|schedule| format!("carried out: {schedule}"));
    let lines = rules.into_iter().chain(schedule).enumerate();
    lines.map(|(number, line)| vec![if number == 0 { part.of.clone() } else { String::new() }, line]).collect()
}

fn limit(limit: &RateLimit) -> String {
    let number = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let window = limit.window_seconds.map(|seconds| format!(", per {}", Duration::from_seconds(seconds))).unwrap_or_default();
    format!("{} of {} left{window}", number(limit.remaining), number(limit.limit))
}

/// A registry as a person sees it: what is known, and nothing else.
pub(super) fn document(view: &View, now: Timestamp) -> Document {
    let date = |instant: Timestamp| format!("{} ({})", units::date(instant), units::age(instant, now));
    let mut document = Document::new(view.name.as_str());
    document.maybe("display name", view.display_name.as_ref());
    document.maybe("description", view.description.as_ref());
    document.field("address", view.address.as_deref().unwrap_or("none yet"));
    document.field("state", format!("{}{}", view.state, if view.is_default { ", the default" } else { "" }));
    document.field("provider", format!("{} ({})", view.provider, view.provider.product()));
    document.maybe("region", view.region.as_ref());
    document.maybe("location", view.location.as_ref());
    document.maybe("namespace", view.namespace.as_ref().map(|namespace| namespace.as_str()));
    document.lines("labels", view.labels.iter().map(|(key, value)| vec![key.clone(), value.clone()]).collect());
    document.maybe("username", view.username.as_ref());
    document.field("credential", view.credential.as_str());
    document.maybe("command", view.credential_command.as_ref().map(|command| command.join(" ")));
    document.maybe("expires", view.credential_expires_at.map(date));
    tls(view, &mut document, now);
    if view.allow_subnets_effect != Effect::Unrestricted {
        let deny = if view.allow_subnets_effect == Effect::DenyAll { " (denies all)" } else { "" };
        let subnets: Vec<String> = view.allow_subnets.iter().map(ToString::to_string).collect();
        document.field("allowed", format!("{}{deny}", subnets.join(", ")));
    }
    document.maybe("API", view.api_address.as_ref());
    document.maybe("realm", view.realm.as_ref());
    document.maybe("proxy", view.proxy.as_ref());
    document.maybe("pace", view.requests_per_second.map(|number| format!("{number} requests a second")));
    document.maybe("concurrency", view.concurrency.map(|number| number.to_string()));
    document.lines("repositories", view.repositories.iter().map(|name| vec![name.as_str().to_owned()]).collect());
    if view.features.vulnerability_scanning == Some(false) {
        document.field("vulnerabilities", "not looked for");
    }
    document.maybe(
        "clean-up",
        view.garbage_collection_schedule.as_ref().map(|schedule| {
            let days: Vec<&str> = schedule.days.as_slice().iter().map(|day| day.as_str()).collect();
            format!("{} at {}", days.join(", "), schedule.time)
        }),
    );
    document.lines("retention", view.retention.iter().map(|rule| vec![rule.to_string()]).collect());
    document.maybe(
        "imported from",
        view.source.as_ref().map(|source| match &source.id {
            Some(id) => format!("{} ({id})", source.system),
            None => source.system.clone(),
        }),
    );
    document.maybe(
        "last check",
        view.last_check.as_ref().map(|check| format!("{}, {}", check.message, units::age(check.checked_at, now))),
    );
    document.maybe("created", view.created_at.map(date));
    document.maybe("updated", view.updated_at.map(date));
    document.maybe("removed", view.removed_at.map(date));
    document.maybe("purged", view.purge_after.map(date));
    document.field("id", &view.id);
    document
}

fn tls(view: &View, document: &mut Document, now: Timestamp) {
    if view.is_ssl == Some(false) {
        document.field("TLS", "none: plain http");
        return;
    }
    if !view.tls.verify {
        document.field("TLS", "certificates are not verified");
    }
    document.maybe("pin", view.tls.pin_sha256.as_ref().map(ToString::to_string));
    document.maybe("CA file", view.tls.ca_file.as_ref());
    let subjects = view.tls.ca_subjects.as_deref().unwrap_or_default();
    document.lines("CA", subjects.iter().map(|subject| vec![subject.clone()]).collect());
    document.maybe("CA until", view.tls.ca_not_after.map(|end| format!("{} ({})", units::date(end), units::age(end, now))));
    document.maybe("client cert", view.tls.client_cert.as_ref());
}
