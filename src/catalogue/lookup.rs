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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Adding, Origin};
    use jiff::Timestamp;

    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue::default();
        for (name, address, id) in [
            ("prod", "https://harbor.example.com", "0198c0de-0000-7000-8000-000000000001"),
            ("team", "https://harbor.example.com", "0198c0de-0000-7000-8000-000000000002"),
            ("hub", "https://index.docker.io", "11111111-2222-7000-8000-000000000003"),
            ("lab", "http://localhost:5000", "33333333-2222-7000-8000-000000000004"),
            ("lab-six", "http://[::1]:5000", "44444444-2222-7000-8000-000000000005"),
        ] {
            let entry = Entry {
                id: Some(id.parse().unwrap()),
                source: (name == "hub").then(|| Origin {
                    system: "rancher".into(),
                    id: Some("1sp7".into()),
                    extra: Default::default(),
                }),
                ..Entry::at(address.parse().unwrap())
            };
            let how = Adding { allow_duplicate: true, ..Adding::default() };
            catalogue.add(name.parse().unwrap(), entry, how, Timestamp::UNIX_EPOCH).unwrap();
        }
        catalogue
    }

    #[test]
    fn ways_to_find_an_entry() {
        let catalogue = catalogue();
        for (given, found) in [
            ("prod", "prod"),
            ("0198c0de-0000-7000-8000-000000000002", "team"),
            ("11111111", "hub"),
            ("11111111-2222", "hub"),
            ("33333333-2222-7000-8000-00000000000", "lab"),
            ("1sp7", "hub"),
            ("docker.io", "hub"),
            ("registry-1.docker.io", "hub"),
            ("registry.hub.docker.com:443", "hub"),
            ("LOCALHOST:5000", "lab"),
            ("localhost", "lab"),
            ("[::1]:5000", "lab-six"),
            ("[::1]", "lab-six"),
        ] {
            assert_eq!(catalogue.find(given).unwrap().0.as_str(), found, "{given}");
        }
    }

    #[test]
    fn what_is_not_found_finds_nothing() {
        let catalogue = catalogue();
        for given in ["", "1111111", "0198c0df", "localhost:5001", "harbor", "*", "0198c0de-0000-7000-8000-000000000009", "::1"] {
            assert!(matches!(catalogue.find(given), Err(Error::NotFound { .. })), "{given}");
        }
        match catalogue.find("prdo") {
            Err(Error::NotFound { suggestion, .. }) => assert_eq!(suggestion.as_deref(), Some("prod")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn more_than_one_is_never_chosen_from() {
        let catalogue = catalogue();
        for given in ["harbor.example.com", "0198c0de", "0198c0de-0000-7000"] {
            match catalogue.find(given) {
                Err(Error::Ambiguous { candidates, .. }) => assert_eq!(candidates, ["prod", "team"], "{given}"),
                other => panic!("{given}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_removed_entry_is_not_at_its_host_any_more() {
        let mut catalogue = catalogue();
        catalogue.remove(&"team".parse().unwrap(), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(catalogue.find("harbor.example.com").unwrap().0.as_str(), "prod");
        assert!(catalogue.find("team").is_ok());
    }
}
