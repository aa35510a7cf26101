//! What the shell may offer in place of an argument: names that the catalogue knows, without asking any server.

use clap_complete::CompletionCandidate;

use super::{Environment, catalogue};

/// The names of all registries in the catalogue; none when it can't be read, as a shell has nowhere to show an error.
pub(super) fn registries() -> Vec<CompletionCandidate> {
    let Some(catalogue) = catalogue::store(None, Environment).ok().and_then(|store| store.load().ok()) else { return Vec::new() };
    let candidate = |name: &str, address: Option<String>| CompletionCandidate::new(name).help(address.map(Into::into));
    catalogue.entries().map(|(name, entry)| candidate(name.as_str(), entry.address.as_ref().map(ToString::to_string))).collect()
}
