//! The order of tags in a list.

use std::cmp::Ordering;

use semver::Version;

use super::ListedTag;

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub key: SortKey,
    /// Whether the largest or newest comes first.
    pub descending: bool,
}

/// By what tags can be sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// By name, character by character.
    Name,
    /// By semantic version, with or without `v`; other tags come last.
    Semver,
    /// By build date; unknown dates come last.
    Created,
    /// By size; unknown sizes come last.
    Size,
}

impl SortKey {
    /// Whether names alone don't tell.
    pub fn needs_details(self) -> bool {
        matches!(self, SortKey::Created | SortKey::Size)
    }
}

impl std::str::FromStr for Sort {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Sort, String> {
        let (descending, key) = match text.strip_prefix('-') {
            Some(key) => (true, key),
            None => (false, text),
        };
        let key = match key {
            "name" => SortKey::Name,
            "semver" => SortKey::Semver,
            "created" => SortKey::Created,
            "size" => SortKey::Size,
            _ => return Err("expected name, semver, created or size, with `-` in front for the other way round".into()),
        };
        Ok(Sort { key, descending })
    }
}

impl Sort {
    /// Sorts what has names by them; by a key that names don't tell, by name as well.
    pub(super) fn names<T>(self, items: &mut [T], name: fn(&T) -> &String) {
        let version = |name: &str| Version::parse(name.strip_prefix('v').unwrap_or(name)).ok();
        match self.key {
            SortKey::Semver => items.sort_by_cached_key(|item| {
                let version = version(name(item));
                (version.is_none(), Directed { key: version, descending: self.descending }, name(item).clone())
            }),
            _ => items.sort_by(|a, b| if self.descending { name(b).cmp(name(a)) } else { name(a).cmp(name(b)) }),
        }
    }

    /// Sorts by what is only known with details; what is unknown comes last.
    pub(super) fn details(self, tags: &mut [ListedTag]) {
        fn by<K: Ord>(tags: &mut [ListedTag], descending: bool, key: impl Fn(&ListedTag) -> Option<K>) {
            tags.sort_by_cached_key(|tag| {
                let key = key(tag);
                (key.is_none(), Directed { key, descending }, tag.name.clone())
            });
        }
        match self.key {
            SortKey::Size => by(tags, self.descending, |tag| tag.size),
            _ => by(tags, self.descending, |tag| tag.created_at),
        }
    }
}

/// A key that sorts one way or the other.
#[derive(PartialEq, Eq)]
struct Directed<K> {
    key: K,
    descending: bool,
}

impl<K: Ord> Ord for Directed<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.key.cmp(&other.key);
        if self.descending { order.reverse() } else { order }
    }
}

impl<K: Ord> PartialOrd for Directed<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(names: &[&str], sort: &str) -> Vec<String> {
        let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        sort.parse::<Sort>().unwrap().names(&mut names, |name| name);
        names
    }

    #[test]
    fn versions_are_numbers_and_other_tags_come_last() {
        let names = ["latest", "v1.10.0", "v1.9.0", "1.9.1", "v2.0.0-rc.1", "v2.0.0", "v1.2"];
        assert_eq!(sorted(&names, "semver"), ["v1.9.0", "1.9.1", "v1.10.0", "v2.0.0-rc.1", "v2.0.0", "latest", "v1.2"]);
        assert_eq!(sorted(&names, "-semver")[..2], ["v2.0.0", "v2.0.0-rc.1"]);
        assert_eq!(sorted(&names, "-semver")[5..], ["latest", "v1.2"]);
        assert_eq!(sorted(&["b", "a"], "name"), ["a", "b"]);
        assert!("date".parse::<Sort>().is_err());
    }
}
