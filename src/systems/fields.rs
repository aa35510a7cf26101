//! The fields of an entry as a table, for telling which of them differ and for carrying some of them over.

use std::collections::BTreeSet;

use serde::Deserialize as _;

use crate::catalogue::Entry;

/// Fields that say nothing about the registry itself.
const OUR_OWN: &[&str] = &["id", "created_at", "updated_at", "removed_at", "source"];

/// The entry's fields by their keys in the catalogue.
fn table(entry: &Entry) -> toml::Table {
    toml::Table::try_from(entry).expect("every field of an entry has a form in TOML")
}

/// The keys of the fields in which the two differ.
pub(super) fn differing(one: &Entry, other: &Entry) -> BTreeSet<String> {
    let (one, other) = (table(one), table(other));
    let keys = one.keys().chain(other.keys()).filter(|key| !OUR_OWN.contains(&key.as_str()));
    keys.filter(|key| one.get(*key) != other.get(*key)).cloned().collect()
}

/// `onto` with these fields as they are in `from`.
pub(super) fn carried(from: &Entry, onto: &Entry, keys: &[&str]) -> Entry {
    let (from, mut onto) = (table(from), table(onto));
    for key in keys {
        match from.get(*key) {
            Some(value) => drop(onto.insert((*key).to_owned(), value.clone())),
            None => drop(onto.remove(*key)),
        }
    }
    Entry::deserialize(onto).expect("fields of entries make an entry")
}
