//! Repository names, tags and what follows them (distribution-spec 1.1, "Pulling manifests").

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::Digest;

/// Longest repository name: servers take 255 characters for host and name together.
const REPOSITORY_MAX: usize = 255;
/// Longest tag (distribution-spec 1.1).
const TAG_MAX: usize = 128;

/// A name that breaks its grammar, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid {what}: {reason} (at character {})", shown(.input), .position + 1)]
pub struct InvalidName {
    /// What was expected: "repository name", "tag", "digest".
    pub what: &'static str,
    /// The text as given.
    pub input: String,
    /// Where it goes wrong, in characters from 0.
    pub position: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

/// The input as it may be shown: control characters escaped, and not without end.
fn shown(input: &str) -> String {
    let mut text: String = input.chars().take(300).flat_map(|c| c.escape_debug()).collect();
    if input.chars().nth(300).is_some() {
        text.push('…');
    }
    text
}

impl InvalidName {
    pub(crate) fn new(what: &'static str, input: &str, byte: usize, reason: &'static str) -> InvalidName {
        let position = input.char_indices().take_while(|(at, _)| *at < byte).count();
        InvalidName { what, input: input.to_owned(), position, reason }
    }
}

/// A repository's name on its server, such as `team-a/api`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository(String);

impl Repository {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Repository {
    type Err = InvalidName;

    /// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/…)*`
    fn from_str(text: &str) -> Result<Repository, InvalidName> {
        let error = |position, reason| InvalidName::new("repository name", text, position, reason);
        if text.is_empty() {
            return Err(error(0, "it is empty"));
        }
        if text.len() > REPOSITORY_MAX {
            return Err(error(REPOSITORY_MAX, "it is longer than 255 characters"));
        }
        let mut start = 0;
        for component in text.split('/') {
            check_component(component).map_err(|(at, reason)| error(start + at, reason))?;
            start += component.len() + 1;
        }
        Ok(Repository(text.to_owned()))
    }
}

fn check_component(component: &str) -> Result<(), (usize, &'static str)> {
    let bytes = component.as_bytes();
    let mut at = 0;
    loop {
        let run = bytes[at..].iter().take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit()).count();
        if run == 0 {
            let reason = match bytes.get(at) {
                None => "a part is empty or ends in a separator",
                Some(b) if b.is_ascii_uppercase() => "upper-case letters are not allowed",
                Some(_) => "a part must start with a letter or digit",
            };
            return Err((at, reason));
        }
        at += run;
        at += match &bytes[at..] {
            [] => return Ok(()),
            [b'_', b'_', ..] => 2,
            [b'.' | b'_', ..] => 1,
            [b'-', ..] => bytes[at..].iter().take_while(|b| **b == b'-').count(),
            [b, ..] if b.is_ascii_uppercase() => return Err((at, "upper-case letters are not allowed")),
            _ => return Err((at, "only a-z, 0-9, `.`, `_`, `-` and `/` are allowed")),
        };
    }
}

/// A tag that follows the grammar, so that it can stand in a request path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// See [`is_attachment_tag`].
    pub fn is_attachment(&self) -> bool {
        is_attachment_tag(&self.0)
    }
}

/// Whether this is a tag of the referrers tag schema or of cosign (`sha256-<hex>`, with `.sig`, `.att` or `.sbom`): it carries something
/// attached to an image rather than an image.
pub fn is_attachment_tag(tag: &str) -> bool {
    let Some(rest) = tag.strip_prefix("sha256-").or_else(|| tag.strip_prefix("sha512-")) else { return false };
    let hex = rest.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f')).count();
    hex >= 64 && (rest.len() == hex || rest.as_bytes()[hex] == b'.')
}

impl FromStr for Tag {
    type Err = InvalidName;

    /// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
    fn from_str(text: &str) -> Result<Tag, InvalidName> {
        let error = |position, reason| InvalidName::new("tag", text, position, reason);
        if text.is_empty() {
            return Err(error(0, "it is empty"));
        }
        if text.len() > TAG_MAX {
            return Err(error(TAG_MAX, "it is longer than 128 characters"));
        }
        for (position, c) in text.char_indices() {
            if !(c.is_ascii_alphanumeric() || c == '_' || (position > 0 && matches!(c, '.' | '-'))) {
                return Err(error(position, "only letters, digits, `_`, `.` and `-` are allowed, not `.` or `-` first"));
            }
        }
        Ok(Tag(text.to_owned()))
    }
}

/// What names a manifest within a repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Selector {
    /// By tag: may move.
    Tag(Tag),
    /// By content.
    Digest(Digest),
}

impl Selector {
    /// The text that stands in `manifests/<reference>`.
    pub fn as_str(&self) -> &str {
        match self {
            Selector::Tag(tag) => tag.as_str(),
            Selector::Digest(digest) => digest.as_str(),
        }
    }
}

impl From<Tag> for Selector {
    fn from(tag: Tag) -> Selector {
        Selector::Tag(tag)
    }
}

impl From<Digest> for Selector {
    fn from(digest: Digest) -> Selector {
        Selector::Digest(digest)
    }
}

/// `repository[:tag][@digest]`, without a registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Where.
    pub repository: Repository,
    /// The tag, if one was given.
    pub tag: Option<Tag>,
    /// The digest, if one was given; it decides when both are there.
    pub digest: Option<Digest>,
}

impl Reference {
    /// What to ask the server for: the digest, else the tag, else `None`.
    pub fn selector(&self) -> Option<Selector> {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Some(Selector::Digest(digest.clone())),
            (None, Some(tag)) => Some(Selector::Tag(tag.clone())),
            (None, None) => None,
        }
    }

    /// Cuts `text` into name, tag and digest texts without checking them.
    pub fn split(text: &str) -> (&str, Option<&str>, Option<&str>) {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        match rest[last..].find(':') {
            Some(colon) => (&rest[..last + colon], Some(&rest[last + colon + 1..]), digest),
            None => (rest, None, digest),
        }
    }
}

impl FromStr for Reference {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Reference, InvalidName> {
        let (name, tag, digest) = Reference::split(text);
        Ok(Reference {
            repository: name.parse()?,
            tag: tag.map(str::parse).transpose()?,
            digest: digest.map(str::parse).transpose()?,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

macro_rules! text {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    )*};
}

text!(Repository, Tag, Selector);

// both compare and hash as their text does, so that maps of them can be asked by text

impl Borrow<str> for Repository {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Tag {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn repository_names() {
        for good in ["a", "library/nginx", "a__b", "a.b-c_d/e---f", "0", "x/y/z/1"] {
            assert_eq!(good.parse::<Repository>().unwrap().as_str(), good);
        }
        for (bad, at) in [
            ("", 0),
            ("/a", 0),
            ("a/", 2),
            ("a//b", 2),
            ("A", 0),
            ("aB", 1),
            ("a..b", 2),
            ("a___b", 3),
            ("a_-b", 2),
            ("a.", 2),
            (".a", 0),
            ("a b", 1),
            ("a/../b", 2),
            ("é", 0),
            ("aé", 1),
        ] {
            assert_eq!(bad.parse::<Repository>().unwrap_err().position, at, "{bad}");
        }
        assert!("a".repeat(256).parse::<Repository>().is_err());
    }

    #[test]
    fn tags() {
        for good in ["latest", "_x", "V1.2-rc.1", &"a".repeat(128)] {
            assert!(good.parse::<Tag>().is_ok(), "{good}");
        }
        for bad in ["", ".a", "-a", "a:b", "a/b", "a\u{1b}[2J", "sha256:abc", &"a".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
    }

    #[test]
    fn attachments() {
        let hex = "0".repeat(64);
        for (tag, is) in [
            (format!("sha256-{hex}"), true),
            (format!("sha256-{hex}.sig"), true),
            (format!("sha256-{hex}.att"), true),
            ("sha256-abc".into(), false),
            (format!("v1-sha256-{hex}"), false),
            ("latest".into(), false),
        ] {
            assert_eq!(tag.parse::<Tag>().unwrap().is_attachment(), is, "{tag}");
        }
    }

    #[test]
    fn references() {
        let hex = "0".repeat(64);
        let text = format!("team/app:v1@sha256:{hex}");
        let reference: Reference = text.parse().unwrap();
        assert_eq!(reference.to_string(), text);
        assert!(matches!(reference.selector(), Some(Selector::Digest(_))));
        assert_eq!("a/b".parse::<Reference>().unwrap().selector(), None);
        for bad in ["", ":v1", "a:", "a@", "a@v1", "a:b:c", "a:v1@sha256:zz"] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,80}") {
            if let Err(error) = text.parse::<Reference>() {
                prop_assert!(!error.to_string().chars().any(char::is_control));
            }
        }

        #[test]
        fn what_parses_prints_the_same(text in "[a-z0-9._/-]{1,20}(:[A-Za-z0-9._-]{1,9})?") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string(), text);
            }
        }
    }
}
