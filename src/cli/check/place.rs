//! Which registries are meant.

use super::Args;
use crate::catalogue::{Address, Catalogue, Entry, Name, Place, State, TargetOptions};
use crate::cli::{Context, Exit, Refusal};
use crate::connect::{Connector, Way};
use crate::registry::{Kind, Result};

/// A registry to check.
pub(super) struct Asked {
    /// What people call it: the name, or the host of one that is in no catalogue.
    pub name: String,
    /// The id under which the outcome is remembered; none outside the catalogue.
    pub id: Option<String>,
    /// Where it is, if that is known yet.
    pub address: Option<Address>,
    entry: Option<(Name, Entry)>,
}

impl Asked {
    fn entry(name: &Name, entry: &Entry) -> Asked {
        Asked {
            name: name.to_string(),
            id: Some(entry.id(name).to_string()),
            address: entry.address.clone(),
            entry: Some((name.clone(), entry.clone())),
        }
    }

    fn ad_hoc(address: Address) -> Asked {
        Asked { name: address.endpoint().authority(), id: None, address: Some(address), entry: None }
    }

    /// The way to it. `alone` says that no other registry is in play.
    pub fn way(&self, connector: &Connector, alone: bool) -> Result<Way> {
        match (&self.entry, &self.address) {
            (Some((name, entry)), _) => connector.way(name, entry, alone),
            (None, Some(address)) => connector.ad_hoc_way(address),
            (None, None) => unreachable!("what is in no catalogue was named by its address"),
        }
    }

    /// Whether it is in the catalogue.
    pub fn is_entry(&self) -> bool {
        self.entry.is_some()
    }

    /// The provider that the catalogue names.
    pub fn provider(&self) -> Option<Kind> {
        self.entry.as_ref().and_then(|(_, entry)| entry.provider)
    }

    /// Whether its certificate is verified.
    pub fn verifies(&self) -> bool {
        self.entry.as_ref().is_none_or(|(_, entry)| entry.tls.is_verified())
    }
}

/// The registries that the arguments mean, each once.
pub(super) fn asked(args: &Args, context: &Context) -> anyhow::Result<Vec<Asked>> {
    let catalogue = context.catalogue()?;
    if args.all {
        let active = catalogue.entries().filter(|(_, entry)| entry.state == State::Active);
        return Ok(active.map(|(name, entry)| Asked::entry(name, entry)).collect());
    }
    let mut asked: Vec<Asked> = Vec::new();
    for place in places(args, &catalogue, context)? {
        let one = match place {
            Place::AdHoc(address) => Asked::ad_hoc(address),
            Place::Entry(name) => {
                let entry = catalogue.get(name.as_str()).expect("a place in the catalogue is in it");
                if entry.state == State::Removed {
                    let removed = Refusal::new(Exit::Conflict, format!("{name} is removed"));
                    return Err(removed.hint(format!("regctl restore {name}")).into());
                }
                Asked::entry(&name, entry)
            }
        };
        if !asked.iter().any(|known| known.name == one.name && known.id == one.id) {
            asked.push(one);
        }
    }
    Ok(asked)
}

fn places(args: &Args, catalogue: &Catalogue, context: &Context) -> anyhow::Result<Vec<Place>> {
    let default = context.environment.var("REGCTL_REGISTRY");
    let options = TargetOptions { registry: None, default: default.as_deref(), plain_http: args.plain_http };
    if args.names.is_empty() {
        return Ok(vec![catalogue.target_registry(None, &options)?.place]);
    }
    args.names.iter().map(|text| place(text, catalogue, &options)).collect()
}

fn place(text: &str, catalogue: &Catalogue, options: &TargetOptions<'_>) -> anyhow::Result<Place> {
    if text.contains("://") {
        let (address, _) = Address::read(text, options.plain_http)?;
        // the entry that is there, if it is the only one, has the credential and the certificate rules
        let mut here =
            catalogue.entries().filter(|(_, entry)| entry.state != State::Removed && entry.address.as_ref() == Some(&address));
        return Ok(match (here.next(), here.next()) {
            (Some((name, _)), None) => Place::Entry(name.clone()),
            _ => Place::AdHoc(address),
        });
    }
    let target = catalogue.target_registry(Some(text), options)?;
    match target.repository {
        None => Ok(target.place),
        Some(repository) => {
            let name = text.split('/').next().unwrap_or_default();
            let refusal = Refusal::usage(format!("`{repository}` is a repository; this command takes registries"));
            Err(refusal.hint(format!("regctl check {name}")).into())
        }
    }
}
