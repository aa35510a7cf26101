//! What to keep and what to delete, as flags or the catalogue said it.

use std::num::NonZeroU32;
use std::sync::Arc;

use globset::GlobMatcher;
use regex::Regex;

use super::exclusions::Exclusions;
use crate::duration::Duration;

/// Rules for the tags and manifests of one repository.
///
/// **What goes.** Of the tags that match, those are judged that `older_than` or `not_pulled_for` finds; without these two, those that
/// `keep_last`, `keep_within` or `keep_semver` can count: a tag in no group and one that is no version are not judged by rules that
/// speak of groups and versions alone. A judged tag goes unless a rule keeps it. `keep` and `keep_regex` only ever keep.
///
/// **What stays.** Keep beats delete, always. A tag whose date is unknown stays as soon as a rule asks for dates.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Keep this many of the newest tags that match, whatever their age.
    pub keep_last: Option<NonZeroU32>,
    /// Keep what is younger than this.
    pub keep_within: Option<Duration>,
    /// Keep tags that fit one of these.
    pub keep: Vec<GlobMatcher>,
    /// Keep tags that fit this, which is anchored.
    pub keep_regex: Option<Regex>,
    /// Keep this many of the newest versions of each line; see [`super::versions`].
    pub keep_semver: Option<NonZeroU32>,
    /// Count `keep_last` for each distinct text that this captures.
    pub group_by: Option<Regex>,
    /// Look only at tags that fit this.
    pub matching: Option<GlobMatcher>,
    /// Delete only what is older than this.
    pub older_than: Option<Duration>,
    /// Delete only what has not been pulled for this long.
    pub not_pulled_for: Option<Duration>,
    /// Delete manifests that no tag reaches.
    pub untagged: bool,
    /// Delete what is attached to something that is not there any more.
    pub orphaned_referrers: bool,
    /// What is in use elsewhere.
    pub exclusions: Arc<Exclusions>,
}

impl Policy {
    /// Whether tags can go by these rules.
    pub fn judges_tags(&self) -> bool {
        self.keep_last.is_some()
            || self.keep_within.is_some()
            || self.keep_semver.is_some()
            || self.older_than.is_some()
            || self.not_pulled_for.is_some()
    }

    /// Whether anything can go by these rules. A policy that only says what stays deletes nothing, and somebody should be told.
    pub fn deletes(&self) -> bool {
        self.judges_tags() || self.untagged || self.orphaned_referrers
    }

    /// Whether a rule of this policy asks how old something is.
    pub(super) fn asks_for_dates(&self) -> bool {
        self.keep_last.is_some() || self.keep_within.is_some() || self.older_than.is_some()
    }

    /// Whether a tag is looked at at all.
    pub(super) fn matches(&self, tag: &str) -> bool {
        self.matching.as_ref().is_none_or(|glob| glob.is_match(tag))
    }

    /// The group in which a tag is counted; `None` when it is in none.
    pub(super) fn group(&self, tag: &str) -> Option<Vec<String>> {
        let Some(regex) = &self.group_by else { return Some(Vec::new()) };
        let captures = regex.captures(tag)?;
        Some(captures.iter().skip(1).map(|part| part.map(|part| part.as_str().to_owned()).unwrap_or_default()).collect())
    }
}
