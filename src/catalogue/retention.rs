//! Rules of what to keep and what to delete, as they stand in the catalogue (SPEC §3, §8). What they do is decided elsewhere.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::invalid::{Invalid, as_text};
use crate::duration::Duration;

/// A pattern for names, in which `*` stays within a part between slashes and `**` does not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob(String);

impl Glob {
    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The pattern that fits every name.
    pub fn everything() -> Glob {
        Glob("**".to_owned())
    }

    /// Something that tells whether names fit.
    pub fn matcher(&self) -> globset::GlobMatcher {
        compile(&self.0).expect("checked when it was read").compile_matcher()
    }
}

fn compile(text: &str) -> Result<globset::Glob, globset::Error> {
    globset::GlobBuilder::new(text).literal_separator(true).build()
}

impl FromStr for Glob {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Glob, Invalid> {
        if text.is_empty() {
            return Err(Invalid::new("a pattern can't be empty"));
        }
        compile(text).map_err(|error| Invalid::value(text, "a pattern", &error.kind().to_string()))?;
        Ok(Glob(text.to_owned()))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A regular expression that has to fit a whole name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(String);

impl Pattern {
    /// The expression as written, without the anchors.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The expression, anchored at both ends.
    pub fn regex(&self) -> regex::Regex {
        anchored(&self.0).expect("checked when it was read")
    }
}

fn anchored(text: &str) -> Result<regex::Regex, regex::Error> {
    regex::Regex::new(&format!("^(?:{text})$"))
}

impl FromStr for Pattern {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Pattern, Invalid> {
        // checked alone first, so that a stray parenthesis can't pair up with the one that is added
        regex::Regex::new(text).and_then(|_| anchored(text)).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
            Invalid::value(text, "a regular expression", reason)
        })?;
        Ok(Pattern(text.to_owned()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

as_text!(Glob, Pattern);

/// One rule. The first whose `repositories` fits decides about a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct RetentionRule {
    /// For which repositories.
    pub repositories: Glob,
    /// Keep this many of the newest tags that match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_last: Option<NonZeroU32>,
    /// Keep what is younger than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_within: Option<Duration>,
    /// Keep tags that fit one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<Glob>,
    /// Keep tags that fit this expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_regex: Option<Pattern>,
    /// Keep this many of the highest versions per major and minor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_semver: Option<NonZeroU32>,
    /// Count `keep_last` for each distinct text that this expression captures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_by: Option<Pattern>,
    /// Look only at tags that fit this.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matching: Option<Glob>,
    /// Delete what is older than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than: Option<Duration>,
    /// Delete what has not been pulled for this long, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_pulled_for: Option<Duration>,
    /// Delete manifests that no tag reaches.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub untagged: bool,
    /// Delete what is attached to something that is gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub orphaned_referrers: bool,
}

/// A rule before it is known whether it says anything.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    repositories: Option<Glob>,
    keep_last: Option<NonZeroU32>,
    keep_within: Option<Duration>,
    keep: Vec<Glob>,
    keep_regex: Option<Pattern>,
    keep_semver: Option<NonZeroU32>,
    group_by: Option<Pattern>,
    #[serde(rename = "match")]
    matching: Option<Glob>,
    older_than: Option<Duration>,
    not_pulled_for: Option<Duration>,
    untagged: bool,
    orphaned_referrers: bool,
}

/// The keys of a rule, as in the catalogue and in `--retention`.
pub(super) const KEYS: &[&str] = &[
    "repositories",
    "keep_last",
    "keep_within",
    "keep",
    "keep_regex",
    "keep_semver",
    "group_by",
    "match",
    "older_than",
    "not_pulled_for",
    "untagged",
    "orphaned_referrers",
];

impl TryFrom<Written> for RetentionRule {
    type Error = Invalid;

    fn try_from(written: Written) -> Result<RetentionRule, Invalid> {
        let Written { repositories, keep_last, keep_within, keep, keep_regex, keep_semver, .. } = written;
        let Written { group_by, matching, older_than, not_pulled_for, untagged, orphaned_referrers, .. } = written;
        let repositories = repositories.unwrap_or_else(Glob::everything);
        RetentionRule {
            repositories,
            keep_last,
            keep_within,
            keep,
            keep_regex,
            keep_semver,
            group_by,
            matching,
            older_than,
            not_pulled_for,
            untagged,
            orphaned_referrers,
        }
        .checked()
    }
}

impl RetentionRule {
    /// The rule, if it says anything and all of it makes sense.
    ///
    /// # Errors
    /// When it doesn't.
    pub fn checked(self) -> Result<RetentionRule, Invalid> {
        let counts = self.keep_last.is_some() || self.keep_within.is_some() || self.keep_semver.is_some();
        let keeps = counts || !self.keep.is_empty() || self.keep_regex.is_some();
        let ages = self.older_than.is_some() || self.not_pulled_for.is_some();
        if !(keeps || ages || self.untagged || self.orphaned_referrers) {
            return Err(Invalid::new("a retention rule has to say what to keep or what to delete")
                .hint("add keep_last, keep_within, keep, older_than or untagged"));
        }
        if self.group_by.is_some() && self.keep_last.is_none() {
            return Err(Invalid::new("group_by needs keep_last: it says per what to count"));
        }
        if let Some(pattern) = self.group_by.as_ref().filter(|pattern| pattern.regex().captures_len() < 2) {
            return Err(Invalid::value(pattern.as_str(), "a group_by", "it captures nothing")
                .hint("put what tells groups apart into parentheses: '(.+)-[0-9]+'"));
        }
        Ok(self)
    }

    /// Whether it is for a repository, by its full name.
    pub fn is_for(&self, repository: &str) -> bool {
        self.repositories.matcher().is_match(repository)
    }
}

impl FromStr for RetentionRule {
    type Err = Invalid;

    /// A rule on the command line: `repositories=team-a/** keep_last=10 keep=latest keep=v*`, keys with `-` or `_`.
    fn from_str(text: &str) -> Result<RetentionRule, Invalid> {
        let mut written = Written::default();
        for part in text.split_whitespace() {
            let (key, value) = part.split_once('=').unwrap_or((part, "true"));
            let key = key.replace('-', "_");
            let count = || value.parse().map_err(|_| Invalid::value(value, "a count", "it is a whole number from 1"));
            let flag = || value.parse().map_err(|_| Invalid::value(value, "a switch", "it is true or false"));
            let duration = || value.parse::<Duration>().map_err(|error| Invalid::new(error.to_string()));
            match key.as_str() {
                "repositories" => written.repositories = Some(value.parse()?),
                "keep_last" => written.keep_last = Some(count()?),
                "keep_within" => written.keep_within = Some(duration()?),
                "keep" => written.keep.push(value.parse()?),
                "keep_regex" => written.keep_regex = Some(value.parse()?),
                "keep_semver" => written.keep_semver = Some(count()?),
                "group_by" => written.group_by = Some(value.parse()?),
                "match" => written.matching = Some(value.parse()?),
                "older_than" => written.older_than = Some(duration()?),
                "not_pulled_for" => written.not_pulled_for = Some(duration()?),
                "untagged" => written.untagged = flag()?,
                "orphaned_referrers" => written.orphaned_referrers = flag()?,
                _ => {
                    let error = Invalid::value(&key, "part of a retention rule", &format!("one of {}", KEYS.join(", ")));
                    return Err(match crate::near_miss::nearest(&key, KEYS.iter().copied()) {
                        Some(known) => error.hint(format!("did you mean {known}?")),
                        None => error,
                    });
                }
            }
        }
        written.try_into()
    }
}

impl fmt::Display for RetentionRule {
    /// The rule as on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "repositories={}", self.repositories)?;
        let mut part = |key: &str, value: Option<&dyn fmt::Display>| value.map_or(Ok(()), |value| write!(f, " {key}={value}"));
        fn some<T: fmt::Display>(value: &Option<T>) -> Option<&dyn fmt::Display> {
            value.as_ref().map(|value| value as &dyn fmt::Display)
        }
        part("keep_last", some(&self.keep_last))?;
        part("keep_within", some(&self.keep_within))?;
        self.keep.iter().try_for_each(|glob| part("keep", Some(glob)))?;
        part("keep_regex", some(&self.keep_regex))?;
        part("keep_semver", some(&self.keep_semver))?;
        part("group_by", some(&self.group_by))?;
        part("match", some(&self.matching))?;
        part("older_than", some(&self.older_than))?;
        part("not_pulled_for", some(&self.not_pulled_for))?;
        part("untagged", self.untagged.then_some(&"true" as &dyn fmt::Display))?;
        part("orphaned_referrers", self.orphaned_referrers.then_some(&"true" as &dyn fmt::Display))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rules_on_the_command_line() {
        let rule: RetentionRule =
            "repositories=team-a/** keep-last=10 keep-within=30d keep=latest keep=v* untagged".parse().unwrap();
        assert_eq!(rule.repositories.as_str(), "team-a/**");
        assert_eq!(rule.keep_last.map(NonZeroU32::get), Some(10));
        assert_eq!(rule.keep.iter().map(Glob::as_str).collect::<Vec<_>>(), ["latest", "v*"]);
        assert!(rule.untagged && !rule.orphaned_referrers);
        let all = "repositories=a keep_last=1 keep_within=1d keep=x keep=y keep_regex=z keep_semver=2 group_by=(.*) match=m older_than=2d \
                   not_pulled_for=3d untagged=true orphaned_referrers=true";
        assert_eq!(all.parse::<RetentionRule>().unwrap().to_string(), all);
        assert_eq!("older_than=90d".parse::<RetentionRule>().unwrap().repositories.as_str(), "**");
        for bad in [
            "",
            "repositories=a",
            "keep_last=0",
            "keep_last=x",
            "keep_within=soon",
            "keep=[",
            "keep_regex=(",
            "keep_regex=a)(b",
            "keep_lst=3",
            "group_by=(.*) older_than=1d",
            "group_by=.* keep_last=1",
        ] {
            assert!(bad.parse::<RetentionRule>().is_err(), "{bad}");
        }
        assert_eq!("keep_lst=3".parse::<RetentionRule>().unwrap_err().hint.as_deref(), Some("did you mean keep_last?"));
    }

    #[test]
    fn patterns_fit_whole_names() {
        let pattern: Pattern = "v1|v2".parse().unwrap();
        assert!(pattern.regex().is_match("v1") && !pattern.regex().is_match("v10") && !pattern.regex().is_match("xv2"));
        let glob: Glob = "team-a/*".parse().unwrap();
        assert!(glob.matcher().is_match("team-a/app") && !glob.matcher().is_match("team-a/app/web"));
        assert!("team-a/**".parse::<Glob>().unwrap().matcher().is_match("team-a/app/web"));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,40}") {
            let _ = text.parse::<RetentionRule>();
            if let Ok(pattern) = text.parse::<Pattern>() {
                pattern.regex();
            }
        }
    }
}
