//! Which provider, region and namespace an entry has, from what the person said and what the address says (SPEC §3, "Provider", "Region").

use super::Entry;
use super::invalid::Invalid;
use crate::oci::Repository;
use crate::registry::Kind;

/// What a host name tells about who runs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// The provider, and the part of the name that tells.
    pub kind: Option<(Kind, &'static str)>,
    /// The region, where the provider writes it into the name.
    pub region: Option<String>,
}

/// Tells what a lower-case host name says.
pub type HostRules = fn(&str) -> HostFacts;

/// Fills in provider, region and namespace where the address gives them, and refuses what contradicts it. Gives notes on what was inferred.
pub(super) fn settle(entry: &mut Entry, rules: HostRules) -> Result<Vec<String>, Invalid> {
    let mut notes = Vec::new();
    let facts = entry.address.as_ref().map(|address| rules(address.host())).unwrap_or_default();
    if entry.provider.is_none()
        && let Some((kind, why)) = facts.kind
    {
        entry.provider = Some(kind);
        notes.push(format!("provider {kind}, because of {why}"));
    }
    let kind = entry.kind();
    if !matches!(kind, Kind::Ecr | Kind::Swr) {
        return Ok(notes);
    }
    notes.extend(namespace(entry, kind)?);
    match (&entry.region, facts.region) {
        (Some(given), Some(host)) if given.as_str() != host => {
            return Err(Invalid::new(format!("region {given} contradicts the address, which is in {host}"))
                .hint(format!("leave the region out, or give --region {host}")));
        }
        (None, Some(host)) => {
            notes.push(format!("region {host}, because of the address"));
            entry.region = Some(host.parse()?);
        }
        (None, None) => {
            let in_username =
                entry.username.as_ref().is_some_and(|name| name.as_str().split_once('@').is_some_and(|(r, _)| !r.is_empty()));
            if kind == Kind::Ecr || !in_username {
                return Err(Invalid::new(format!("region is required for {kind}")).hint("give it with --region, such as eu-west-1"));
            }
        }
        (Some(_), _) => {}
    }
    Ok(notes)
}

/// Takes the namespace out of the address. These two serve nothing below a path: what people copy there is the first part of their
/// repositories' names.
fn namespace(entry: &mut Entry, kind: Kind) -> Result<Option<String>, Invalid> {
    let Some(address) = entry.address.as_ref().filter(|address| !address.path().is_empty()) else { return Ok(None) };
    let path = address.path().trim_start_matches('/');
    let named: Repository = path.parse().map_err(|error| {
        Invalid::new(format!("the path of an address of {kind} is its namespace: {error}"))
            .hint(format!("write {}", address.without_path()))
    })?;
    let note = match &entry.namespace {
        Some(given) if *given != named => {
            return Err(Invalid::new(format!("namespace {given} contradicts the address, which ends in {named}"))
                .hint(format!("leave the path out, or give --namespace {named}")));
        }
        Some(_) => None,
        None => Some(format!("namespace {named}, because of the address")),
    };
    entry.address = Some(address.without_path());
    entry.namespace = Some(named);
    Ok(note)
}

/// Forgets what was inferred from the old address, so that it can be inferred from the new one.
pub(super) fn forget(entry: &mut Entry, rules: HostRules) {
    let Some(address) = &entry.address else { return };
    let facts = rules(address.host());
    if facts.kind.is_some_and(|(kind, _)| entry.provider == Some(kind)) {
        entry.provider = None;
    }
    if facts.region.is_some() && entry.region.as_ref().map(|region| region.as_str()) == facts.region.as_deref() {
        entry.region = None;
    }
}
