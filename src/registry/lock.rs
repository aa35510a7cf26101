//! What a server won't let go, or won't let be moved, and why.

use std::collections::BTreeMap;

use regex::Regex;

use crate::oci::Digest;

/// Why something is locked, and who can unlock it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Why, in the vendor's terms, such as "immutable by a rule of the project".
    pub why: &'static str,
    /// How to unlock it.
    pub remedy: &'static str,
}

/// Whether a server lets a tag or manifest be deleted or moved. That nobody says is `None` of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Nothing holds it.
    Open,
    /// It can't be moved to another manifest. It can be deleted, and put again afterwards.
    Fixed(Hold),
    /// It can't be deleted, nor moved.
    Held(Hold),
}

impl Lock {
    /// What keeps it from being deleted.
    pub fn held(self) -> Option<Hold> {
        match self {
            Lock::Held(hold) => Some(hold),
            Lock::Open | Lock::Fixed(_) => None,
        }
    }

    /// Why it is locked in whichever way.
    pub fn why(self) -> Option<&'static str> {
        match self {
            Lock::Held(hold) | Lock::Fixed(hold) => Some(hold.why),
            Lock::Open => None,
        }
    }
}

/// What is locked in a repository beside what its list of tags says.
#[derive(Debug, Clone, Default)]
pub struct Locks {
    /// The repository as such: what is in it may go, it may not.
    pub repository: Option<Lock>,
    /// Every tag and manifest in it.
    pub contents: Option<Lock>,
    /// Tags by their names; the first that fits counts, and no expression fits all.
    pub tags: Vec<(Option<Regex>, Lock)>,
    /// Single manifests.
    pub manifests: BTreeMap<Digest, Lock>,
}

impl Locks {
    /// Whether a tag is locked, given what the list of tags said of it.
    pub fn tag(&self, name: &str, listed: Option<Lock>) -> Option<Lock> {
        let fits = |names: &Option<Regex>| names.as_ref().is_none_or(|names| names.is_match(name));
        let ruled = self.tags.iter().find(|(names, _)| fits(names)).map(|(_, lock)| *lock);
        strongest([listed, ruled, self.contents])
    }

    /// Whether a manifest is locked, whatever tags are on it.
    pub fn manifest(&self, digest: &Digest) -> Option<Lock> {
        strongest([self.manifests.get(digest).copied(), self.contents])
    }
}

/// The lock that holds most. Who says "open" doesn't speak for the others.
fn strongest<const N: usize>(locks: [Option<Lock>; N]) -> Option<Lock> {
    let strength = |lock: &Lock| match lock {
        Lock::Open => 0,
        Lock::Fixed(_) => 1,
        Lock::Held(_) => 2,
    };
    locks.into_iter().flatten().reduce(|one, other| if strength(&other) > strength(&one) { other } else { one })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: Lock = Lock::Held(Hold { why: "held", remedy: "" });
    const FIXED: Lock = Lock::Fixed(Hold { why: "fixed", remedy: "" });

    #[test]
    fn the_strongest_lock_counts_and_the_first_rule_that_fits() {
        let rules = vec![(Some(Regex::new("^v").unwrap()), HELD), (None, FIXED)];
        let locks = Locks { tags: rules, ..Locks::default() };
        for (name, listed, expected) in [
            ("v1", None, Some(HELD)),
            ("v1", Some(Lock::Open), Some(HELD)),
            ("dev", Some(Lock::Open), Some(FIXED)),
            ("dev", Some(HELD), Some(HELD)),
        ] {
            assert_eq!(locks.tag(name, listed), expected, "{name} {listed:?}");
        }
        assert_eq!(Locks::default().tag("v1", None), None);
        assert_eq!(Locks::default().tag("v1", Some(Lock::Open)), Some(Lock::Open));
        let whole = Locks { contents: Some(HELD), ..Locks::default() };
        let digest = Digest::sha256(b"1");
        assert_eq!((whole.tag("v1", Some(Lock::Open)), whole.manifest(&digest)), (Some(HELD), Some(HELD)));
        let one = Locks { manifests: [(digest.clone(), HELD)].into(), ..Locks::default() };
        assert_eq!((one.tag("v1", None), one.manifest(&digest)), (None, Some(HELD)));
    }
}
