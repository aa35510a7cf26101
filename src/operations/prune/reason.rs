//! Why something stays or goes: the rule that decided, in the words of its row.

use std::fmt;
use std::num::NonZeroU32;

use super::super::inventory::Held;
use crate::duration::Duration;
use crate::oci::{Digest, Tag};

/// The rule that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Stays: in use, as the exclusion file says.
    InUse,
    /// Stays: something that it lists is in use.
    HoldsInUse,
    /// Stays: the server holds on to it.
    Locked(Held),
    /// Stays: fits this glob of `keep`.
    Named(String),
    /// Stays: fits `keep_regex`.
    Fits(String),
    /// Stays: young enough for `keep_within`.
    Within(Duration),
    /// Stays: one of the newest that match.
    Newest(Counted),
    /// Stays: one of the newest versions of its line.
    NewestVersion(NonZeroU32),
    /// Stays: a rule asks for its date, and nobody knows it.
    UnknownDate,
    /// Stays: not old enough for `older_than`.
    NotOld(Duration),
    /// Stays: nobody knows when it was pulled.
    UnknownPull,
    /// Stays: pulled or pushed not long enough ago for `not_pulled_for`.
    Pulled(Duration),
    /// Stays: counted by versions, and it is none.
    NoVersion,
    /// Stays: counted by groups, and it is in none.
    NoGroup,
    /// Stays: has the digest of a tag that stays.
    Shared(Tag),
    /// Stays: something that stays lists it.
    Listed(Holder),
    /// Stays: attached to something that stays.
    Attached(Holder),
    /// Stays: something that stays is attached to it.
    Carries(Holder),
    /// Stays: built a moment ago; the index that will list it may still be on its way.
    JustBuilt,
    /// Goes: judged by these rules and kept by none.
    Judged(Judges),
    /// Goes: a tag that goes leads to it, and nothing else does.
    Unused,
    /// Goes: attached to something that goes.
    WithSubject,
    /// Goes: no tag leads to it.
    Untagged,
    /// Goes: what it is attached to isn't there any more.
    Orphaned,
}

/// What a tag was counted among.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// How many stay.
    pub count: NonZeroU32,
    /// The captured text, where `group_by` counts.
    pub group: Option<String>,
    /// Whether only some tags are looked at.
    pub matching: bool,
}

/// What holds on to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A tag.
    Tag(Tag),
    /// A manifest without one.
    Manifest(Digest),
}

impl Holder {
    /// The tag, or the digest in full.
    pub fn name(&self) -> &str {
        match self {
            Holder::Tag(tag) => tag.as_str(),
            Holder::Manifest(digest) => digest.as_str(),
        }
    }
}

/// The rules that a tag fell to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judges {
    /// Older than this.
    pub older_than: Option<Duration>,
    /// Not pulled for this long.
    pub not_pulled_for: Option<Duration>,
    /// Not among the newest.
    pub keep_last: Option<(NonZeroU32, bool)>,
    /// Not within.
    pub keep_within: Option<Duration>,
    /// Not among the newest of its line.
    pub keep_semver: Option<NonZeroU32>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Tag(tag) => f.write_str(tag.as_str()),
            Holder::Manifest(digest) => write!(f, "{}:{}…", digest.algorithm(), digest.short()),
        }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "newest {}", self.count)?;
        match (&self.group, self.matching) {
            (Some(group), _) => write!(f, " of {group}"),
            (None, true) => f.write_str(" that match"),
            (None, false) => Ok(()),
        }
    }
}

impl fmt::Display for Judges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(length) = self.older_than {
            parts.push(format!("older than {length}"));
        }
        if let Some(length) = self.not_pulled_for {
            parts.push(format!("not pulled for {length}"));
        }
        if parts.is_empty() {
            if let Some((count, matching)) = self.keep_last {
                parts.push(format!("not among the newest {count}{}", if matching { " that match" } else { "" }));
            }
            if let Some(length) = self.keep_within {
                parts.push(format!("older than {length}"));
            }
            if let Some(count) = self.keep_semver {
                parts.push(format!("not among the newest {count} of its version line"));
            }
        }
        f.write_str(&parts.join(" and "))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::InUse => f.write_str("in use, as the exclusion file says"),
            Reason::HoldsInUse => f.write_str("lists an image that is in use, as the exclusion file says"),
            Reason::Locked(held) => held.fmt(f),
            Reason::Named(glob) => write!(f, "fits {glob}"),
            Reason::Fits(regex) => write!(f, "fits the expression {regex}"),
            Reason::Within(length) => write!(f, "younger than {length}"),
            Reason::Newest(counted) => counted.fmt(f),
            Reason::NewestVersion(count) => write!(f, "newest {count} of its version line"),
            Reason::UnknownDate => f.write_str("its date is unknown"),
            Reason::NotOld(length) => write!(f, "not older than {length}"),
            Reason::UnknownPull => f.write_str("nobody knows when it was last pulled"),
            Reason::Pulled(length) => write!(f, "pulled or pushed within {length}"),
            Reason::NoVersion => f.write_str("not a version, and only versions are counted"),
            Reason::NoGroup => f.write_str("in none of the groups that are counted"),
            Reason::Shared(tag) => write!(f, "same digest as {tag}, which is kept"),
            Reason::Listed(holder) => write!(f, "listed by {holder}, which is kept"),
            Reason::Attached(holder) => write!(f, "attached to {holder}, which is kept"),
            Reason::Carries(holder) => write!(f, "{holder} is attached to it and kept"),
            Reason::JustBuilt => f.write_str("built within the last hour; its index may still be on the way"),
            Reason::Judged(judges) => judges.fmt(f),
            Reason::Unused => f.write_str("listed by what goes, and nothing else uses it"),
            Reason::WithSubject => f.write_str("attached to what goes"),
            Reason::Untagged => f.write_str("no tag leads to it"),
            Reason::Orphaned => f.write_str("what it is attached to is gone"),
        }
    }
}
