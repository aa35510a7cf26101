//! Finding an entry by what a person typed (SPEC §3, "Lookup"). What isn't found never widens to anything else.

use super::address::canonical_host;
use super::error::{Error, Result};
use super::{Catalogue, Entry, Name, State};
use crate::near_miss::nearest;

/// Fewest characters of an id that may stand for it: eight hexadecimal digits hardly ever meet by accident.
pub(super) const ID_PREFIX_MIN: usize = 8;

/// Whether an entry is meant.
type Fits<'a> = &'a dyn Fn(&Name, &Entry) -> bool;

impl Catalogue {
    /// The entry that `given` means: by name, then by id or the beginning of one, then by the id it had where it was imported from, then
    /// by `host[:port]` among those that are not removed.
    ///
    /// # Errors
    /// When none fits, with the nearest name; when more than one does, with their names.
    pub fn find(&self, given: &str) -> Result<(&Name, &Entry)> {
        if let Some(found) = self.entries.get_key_value(given) {
            return Ok(found);
        }
        let id = given.to_ascii_lowercase();
        let (host, port) = split_host(&id);
        let host = canonical_host(host);
        let by_id = |name: &Name, entry: &Entry| fits_id(&id, name, entry);
        let by_source = |_: &Name, entry: &Entry| entry.source.as_ref().is_some_and(|source| source.id.as_deref() == Some(given));
        let by_host = |_: &Name, entry: &Entry| {
            entry.state != State::Removed
                && entry.address.as_ref().is_some_and(|address| {
                    canonical_host(address.host()) == host && port.is_none_or(|port| port.parse() == Ok(address.port()))
                })
        };
        let ways: [Fits<'_>; 3] = [&by_id, &by_source, &by_host];
        for fits in ways {
            let found: Vec<(&Name, &Entry)> = self.entries.iter().filter(|(name, entry)| fits(name, entry)).collect();
            match found.as_slice() {
                [] => {}
                [one] => return Ok(*one),
                many => return Err(ambiguous(given, many.iter().map(|(name, _)| *name))),
            }
        }
        Err(self.not_found(given))
    }

    pub(super) fn not_found(&self, given: &str) -> Error {
        let suggestion = nearest(given, self.entries.keys().map(Name::as_str)).map(str::to_owned);
        Error::NotFound { given: given.to_owned(), suggestion }
    }
}

pub(super) fn ambiguous<'a>(given: &str, names: impl Iterator<Item = &'a Name>) -> Error {
    Error::Ambiguous { given: given.to_owned(), candidates: names.map(ToString::to_string).collect() }
}

/// Whether this lower-case text is the entry's id or the beginning of it.
pub(super) fn fits_id(text: &str, name: &Name, entry: &Entry) -> bool {
    text.len() >= ID_PREFIX_MIN && entry.id(name).to_string().starts_with(text)
}

/// Cuts `host[:port]`; the brackets of an IPv6 address stay.
pub(super) fn split_host(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') && (!host.contains(':') || host.ends_with(']')) => (host, Some(port)),
        _ => (text, None),
    }
}
