//! `regctl get`: everything about one registry, without the network.

use clap::Args as ClapArgs;
use jiff::Timestamp;

use super::{Context, Exit};
use crate::catalogue::{Effect, View};
use crate::output::{Document, View as Shown, units};

/// Show everything about a registry
///
/// Asks no server and no keyring: whether there is a secret in the keyring stays unknown here.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl get prod
  regctl get prod --actions
  regctl get registry.example.com:5000 -o json
  regctl get prod --format '{{ address }}'")]
pub struct Args {
    /// The registry: name, id or host
    #[arg(value_name = "NAME", add = clap_complete::ArgValueCandidates::new(super::complete::registries))]
    name: String,
    /// Show what can be done with it now, and with which command
    #[arg(long)]
    actions: bool,
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
    context.printer.report(&view, || Shown::from(document(&view, context.now)))?;
    Ok(Exit::Done)
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
