//! Which registry and repository a reference on the command line means (SPEC §5): `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`.

use super::address::canonical_host;
use super::error::{Error, Result};
use super::invalid::Invalid;
use super::lookup::{ambiguous, split_host};
use super::{Address, Catalogue, Entry, Name, State};
use crate::near_miss::nearest;
use crate::oci::{Digest, Reference, Repository, Selector, Tag};
use crate::registry::Kind;

/// Names shorter than this are never taken for a slip of another: `dev/app` and `deb/app` are both what someone meant.
const SLIP_MIN: usize = 4;

/// What besides the reference itself decides where it points.
#[derive(Debug, Clone, Copy, Default)]
pub struct TargetOptions<'a> {
    /// The registry that was named apart (`-r`): the whole reference is a repository then.
    pub registry: Option<&'a str>,
    /// The default of this shell (`REGCTL_REGISTRY`), before that of the catalogue.
    pub default: Option<&'a str>,
    /// Whether hosts that are not in the catalogue may be asked without TLS.
    pub plain_http: bool,
}

/// Where a registry is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the catalogue.
    Entry(Name),
    /// Nowhere: it was named by its host.
    AdHoc(Address),
}

/// What a reference means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which registry.
    pub place: Place,
    /// The repository by its full name on the server; `None` means the whole registry.
    pub repository: Option<Repository>,
    /// The tag, if one was given.
    pub tag: Option<Tag>,
    /// The digest, if one was given; it decides when both are there.
    pub digest: Option<Digest>,
}

impl Target {
    fn whole(place: Place) -> Target {
        Target { place, repository: None, tag: None, digest: None }
    }

    /// What to ask the server for: the digest, else the tag.
    pub fn selector(&self) -> Option<Selector> {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Some(digest.clone().into()),
            (None, Some(tag)) => Some(tag.clone().into()),
            (None, None) => None,
        }
    }
}

impl Catalogue {
    /// Which registry, for commands that take one: `text`, else `-r`, else the default. It may hold a repository too, when the person
    /// gave one.
    ///
    /// # Errors
    /// When there is none, or it can't be told which.
    pub fn target_registry(&self, text: Option<&str>, options: &TargetOptions<'_>) -> Result<Target> {
        match text {
            None => Ok(Target::whole(self.place(options)?)),
            Some(text) if options.registry.is_some() || text.contains('/') => self.target(text, options),
            Some(text) => Ok(Target::whole(self.named(text, options)?)),
        }
    }

    /// Which repository and, if given, which tag and digest. A bare registry means all of it.
    ///
    /// # Errors
    /// When the grammar is broken, no registry fits or more than one, or there is no default and one is needed.
    pub fn target(&self, text: &str, options: &TargetOptions<'_>) -> Result<Target> {
        if text.starts_with("oci:") {
            return Err(Error::Layout);
        }
        if let Some((_, rest)) = text.split_once("://") {
            return Err(Invalid::value(text, "a reference", "it has no scheme").hint(format!("write {rest}")).into());
        }
        if options.registry.is_some() {
            let place = self.place(options)?;
            return self.within(place, text.strip_prefix("//").unwrap_or(text), text.starts_with("//"));
        }
        if let Some(rest) = text.strip_prefix("//") {
            return self.within(self.place(options)?, rest, true);
        }
        let Some((first, rest)) = text.split_once('/') else { return self.target_of_one_part(text, options) };
        if let Some((name, _)) = self.entries.get_key_value(first) {
            let place = Place::Entry(name.clone());
            return self.within(place, rest.strip_prefix('/').unwrap_or(rest), rest.starts_with('/'));
        }
        if looks_like_host(first) {
            return self.at_host(first, rest, options);
        }
        // `prdo/web` must not quietly become a repository of the default registry when there is a `prod`
        if first.len() >= SLIP_MIN
            && let Some(name) = nearest(first, self.entries.keys().map(Name::as_str))
        {
            return Err(Error::NotFound { given: first.to_owned(), suggestion: Some(name.to_owned()) });
        }
        match self.place(options) {
            Err(Error::NoDefault) => Err(self.not_found(first)),
            place => self.within(place?, text, false),
        }
    }

    /// Text without a slash: a registry by its name or by the host of an entry, else a repository of the default registry.
    fn target_of_one_part(&self, text: &str, options: &TargetOptions<'_>) -> Result<Target> {
        if let Some((name, _)) = self.entries.get_key_value(text) {
            return Ok(Target::whole(Place::Entry(name.clone())));
        }
        if looks_like_host(text) {
            let here = self.on_host(text);
            match here.as_slice() {
                [] if is_address(text) => return Ok(Target::whole(Place::AdHoc(Address::read(text, options.plain_http)?.0))),
                [] => {}
                [(name, _)] => return Ok(Target::whole(Place::Entry((*name).clone()))),
                many => return Err(ambiguous(text, many.iter().map(|(name, _)| *name))),
            }
        }
        self.within(self.place(options)?, text, false)
    }

    /// The registry that is meant when the reference doesn't say: `-r`, else the shell's default, else the catalogue's.
    fn place(&self, options: &TargetOptions<'_>) -> Result<Place> {
        if let Some(given) = options.registry {
            return self.named(given, options);
        }
        if let Some(given) = options.default {
            return match self.named(given, options) {
                Err(Error::NotFound { given, .. }) => Err(Error::GhostDefault { name: given }),
                place => place,
            };
        }
        let name = self.default_name().ok_or(Error::NoDefault)?;
        match self.entries.get_key_value(name) {
            Some((name, _)) => Ok(Place::Entry(name.clone())),
            None => Err(Error::GhostDefault { name: name.to_owned() }),
        }
    }

    /// A registry by itself: an entry by any of its names, else a host.
    fn named(&self, given: &str, options: &TargetOptions<'_>) -> Result<Place> {
        match self.find(given) {
            Ok((name, _)) => Ok(Place::Entry(name.clone())),
            Err(Error::NotFound { .. }) if looks_like_host(given) => Ok(Place::AdHoc(Address::read(given, options.plain_http)?.0)),
            Err(error) => Err(error),
        }
    }

    /// A reference within a registry. `absolute` leaves the namespace out.
    fn within(&self, place: Place, text: &str, absolute: bool) -> Result<Target> {
        if text.is_empty() {
            return Ok(Target::whole(place));
        }
        let reference: Reference = text.parse()?;
        let mut repository = reference.repository;
        let entry = match &place {
            Place::Entry(name) => self.entries.get(name),
            Place::AdHoc(_) => None,
        };
        if let Some(namespace) = entry.and_then(|entry| entry.namespace.as_ref())
            && !absolute
            && !is_inside(&repository, namespace)
        {
            repository = format!("{namespace}/{repository}").parse()?;
        }
        let is_hub = match (&place, entry) {
            (Place::AdHoc(address), _) => address.is_docker_hub(),
            (_, Some(entry)) => entry.is_docker_registry() || entry.kind() == Kind::Dockerhub,
            (_, None) => false,
        };
        if is_hub && !repository.as_str().contains('/') {
            repository = format!("library/{repository}").parse()?;
        }
        Ok(Target { place, repository: Some(repository), tag: reference.tag, digest: reference.digest })
    }

    /// A reference that begins with a host. What follows is the full name on that server: the entry's namespace helps to choose among
    /// several entries, and is not put before it.
    fn at_host(&self, host: &str, rest: &str, options: &TargetOptions<'_>) -> Result<Target> {
        let mut candidates: Vec<(&Name, &Entry, &str)> = self
            .on_host(host)
            .into_iter()
            .filter_map(|(name, entry)| {
                let path = entry.address.as_ref()?.path().trim_start_matches('/');
                let rest = if path.is_empty() { rest } else { rest.strip_prefix(path)?.strip_prefix('/')? };
                Some((name, entry, rest))
            })
            .collect();
        if candidates.iter().any(|(_, entry, _)| entry.state == State::Active) {
            candidates.retain(|(_, entry, _)| entry.state == State::Active);
        }
        // longest namespace that the repository lies in; an entry without one holds everything
        let depth = |(_, entry, rest): &(&Name, &Entry, &str)| match &entry.namespace {
            None => Some(0),
            Some(namespace) => rest.strip_prefix(namespace.as_str())?.starts_with('/').then(|| namespace.as_str().len()),
        };
        if let Some(deepest) = candidates.iter().filter_map(depth).max() {
            candidates.retain(|candidate| depth(candidate) == Some(deepest));
        }
        match candidates.as_slice() {
            [] => self.within(Place::AdHoc(Address::read(host, options.plain_http)?.0), rest, true),
            [(name, _, rest)] => self.within(Place::Entry((*name).clone()), rest, true),
            many => Err(ambiguous(&format!("{host}/{rest}"), many.iter().map(|(name, ..)| *name))),
        }
    }

    /// The entries at `host[:port]` that are not removed. Without a port the scheme's own is meant.
    fn on_host(&self, text: &str) -> Vec<(&Name, &Entry)> {
        let text = text.to_ascii_lowercase();
        let (host, port) = split_host(&text);
        let fits = |address: &Address| {
            let expected = port.map_or(Ok(address.scheme().default_port()), str::parse);
            canonical_host(address.host()) == canonical_host(host) && expected == Ok(address.port())
        };
        let here = |entry: &Entry| entry.state != State::Removed && entry.address.as_ref().is_some_and(fits);
        self.entries.iter().filter(|(_, entry)| here(entry)).collect()
    }
}

fn is_inside(repository: &Repository, namespace: &Repository) -> bool {
    repository.as_str().strip_prefix(namespace.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether the first part of a reference is a host rather than the beginning of a repository, by the rule that Docker set.
fn looks_like_host(text: &str) -> bool {
    text.contains(['.', ':']) || text == "localhost"
}

/// Whether text that stands alone can only be a host: `app:8080` and `my.app` may be repositories, these can't.
fn is_address(text: &str) -> bool {
    let (host, port) = split_host(text);
    let numbered = port.is_none_or(|port| port.parse::<u16>().is_ok());
    numbered && (host == "localhost" || host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok())
}
