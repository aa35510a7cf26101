//! `regctl login --all`: the secrets that are missing, one after the other.

use super::{Args, Context, Exit, Refusal, check, host, keep, place, prompt};
use crate::catalogue::{Catalogue, Entry, Name, State, Store, Username};
use crate::cli::error::{exit_of_failed, explain};
use crate::connect;
use crate::credentials::{Chain, Credential, Source as _, SourceKind};
use crate::output::units;

/// Asks for every secret that is missing. An empty answer passes a registry over, a failure does not stop the rest.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let store = context.catalogue_store()?;
    let catalogue = store.load()?;
    let lacking = lacking(args, &catalogue, context)?;
    if lacking.is_empty() {
        context.printer.done("no registry lacks a secret");
        return Ok(Exit::Done);
    }
    let names: Vec<&str> = lacking.iter().map(|(name, _)| name.as_str()).collect();
    let count = units::plural(names.len(), "registry");
    if !prompt::is_interactive() {
        let message = format!("{count} without a secret ({}), and nobody can be asked here", names.join(", "));
        return Err(Refusal::new(Exit::Credential, message)
            .hint(format!("for each of them: regctl login {} --password-stdin", names[0]))
            .into());
    }
    context.printer.note(format!("{count} without a secret: {} (an empty answer passes one over)", names.join(", ")));
    let (mut done, mut passed_over, mut failed) = (0, 0, Vec::new());
    for (name, entry) in lacking {
        match one(args, &store, name, entry, context) {
            Ok(true) => done += 1,
            Ok(false) => passed_over += 1,
            Err(error) => {
                let (exit, message) = explain(&error).in_a_line();
                context.printer.failed(format!("{name}: {message}"));
                failed.push(exit);
            }
        }
    }
    context.printer.note(format!("{done} done, {passed_over} passed over, {} failed", failed.len()));
    Ok(exit_of_failed(&failed, done + passed_over))
}

/// The registries whose secret regctl should have and hasn't. What comes from elsewhere can't be asked for.
fn lacking<'a>(args: &Args, catalogue: &'a Catalogue, context: &Context) -> anyhow::Result<Vec<(&'a Name, &'a Entry)>> {
    let mut lacking = Vec::new();
    let usable = catalogue.entries().filter(|(_, entry)| entry.state != State::Removed && entry.address.is_some());
    for (name, entry) in usable {
        let kind = entry.credential_store();
        let is_there = match context.wallet().store(kind) {
            // signed out of, or moved to another host
            None => kind != SourceKind::None || entry.username.is_none(),
            Some(store) => match store.get(&entry.id(name).to_string()) {
                Ok(secret) => secret.is_some(),
                // the secret goes elsewhere anyway
                Err(_) if args.store.is_some_and(|other| SourceKind::from(other) != kind) => false,
                Err(error) => return Err(error.unavailable(Some(name.as_str())).into()),
            },
        };
        if !is_there && !is_in_environment(name, entry, context)? {
            lacking.push((name, entry));
        }
    }
    Ok(lacking)
}

/// Whether the registry's own variables give the secret, which they do before anything else is asked.
fn is_in_environment(name: &Name, entry: &Entry, context: &Context) -> anyhow::Result<bool> {
    let mut settings = connect::chain_settings(name, entry, false);
    settings.source = SourceKind::Env;
    let chain = Chain::new(settings, context.wallet(), None);
    context.block_on(async { Ok(matches!(chain.credential().await, Ok(Some(_)))) })
}

/// Signs in to one; `false` if it was passed over.
fn one(args: &Args, store: &Store, name: &Name, entry: &Entry, context: &Context) -> anyhow::Result<bool> {
    let username = match &entry.username {
        Some(username) => username.clone(),
        None => match prompt::ask(&format!("User name for {name} at {}: ", host(entry)))? {
            empty if empty.is_empty() => return Ok(false),
            text => text.parse::<Username>()?,
        },
    };
    let secret = prompt::password(&format!("Password for {name} as {username} at {}: ", host(entry)))?;
    if secret.is_empty() {
        return Ok(false);
    }
    let checked = !args.no_check && check(context, name, entry, Credential::new(username.as_str(), secret.clone()))?;
    let kept = keep(context, store, name, entry, place(args, entry), &username, &secret)?;
    super::tell(args, context, name, entry, &username, checked, kept);
    Ok(true)
}
