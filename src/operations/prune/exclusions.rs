//! `--exclude-file`: what is in use elsewhere, one reference or digest a line.
//!
//! Lines come from other programs (`kubectl`, `docker ps`), which may know the registry by another host name or through a mirror. So the
//! host is not compared, and a repository fits when one name ends with the other: a line may protect too much, never too little. A line
//! that can't be read is an error, because the image that it meant would lose its protection.

use std::collections::{BTreeMap, BTreeSet};

use crate::oci::{Digest, Reference, Repository, Tag};

/// What is in use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exclusions {
    /// With the repositories that were named along with them.
    digests: BTreeMap<Digest, BTreeSet<Repository>>,
    tags: BTreeMap<Tag, BTreeSet<Repository>>,
    repositories: BTreeSet<Repository>,
}

/// A file that can't be taken at its word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExclusions {
    /// A line is neither a reference nor a digest.
    #[error("line {line} is neither a reference nor a digest: {reason}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// There is no line: whatever should have written it has most likely failed.
    #[error("it names nothing")]
    Empty,
}

impl Exclusions {
    /// Reads a file's text. Empty lines and what follows a `#` at the start of a line or after a space mean nothing.
    ///
    /// # Errors
    /// When a line can't be read, or when there is none.
    pub fn parse(text: &str) -> Result<Exclusions, InvalidExclusions> {
        let mut all = Exclusions::default();
        for (at, line) in text.lines().enumerate() {
            let words = line.split_whitespace().take_while(|word| !word.starts_with('#')).collect::<Vec<_>>();
            let result = match words.as_slice() {
                [] => Ok(()),
                [word] => all.add(word),
                _ => Err("there is a space in it".to_owned()),
            };
            result.map_err(|reason| InvalidExclusions::Line { line: at + 1, reason })?;
        }
        let nothing = all.digests.is_empty() && all.tags.is_empty() && all.repositories.is_empty();
        if nothing { Err(InvalidExclusions::Empty) } else { Ok(all) }
    }

    fn add(&mut self, word: &str) -> Result<(), String> {
        // container engines write `docker-pullable://…` and `docker://sha256:…`
        let word = word.split_once("://").map_or(word, |(_, rest)| rest);
        if word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(format!("to name a digest, write sha256:{word}"));
        }
        if word.starts_with("sha256:") || word.starts_with("sha512:") {
            self.digests.entry(word.parse().map_err(|error: crate::oci::InvalidName| error.to_string())?).or_default();
            return Ok(());
        }
        let (name, tag, digest) = Reference::split(without_host(word));
        let invalid = |error: crate::oci::InvalidName| error.to_string();
        let repository: Repository = name.parse().map_err(invalid)?;
        let tag: Option<Tag> = tag.map(str::parse).transpose().map_err(invalid)?;
        let digest: Option<Digest> = digest.map(str::parse).transpose().map_err(invalid)?;
        match (tag, digest) {
            (None, None) => {
                self.repositories.insert(repository);
            }
            (tag, digest) => {
                if let Some(tag) = tag {
                    self.tags.entry(tag).or_default().insert(repository.clone());
                }
                if let Some(digest) = digest {
                    self.digests.entry(digest).or_default().insert(repository);
                }
            }
        }
        Ok(())
    }

    /// Whether a tag of a repository is in use by its name.
    pub(super) fn holds_tag(&self, repository: &Repository, tag: &Tag) -> bool {
        self.repositories.iter().any(|named| is_same(named, repository))
            || self.tags.get(tag).is_some_and(|named| named.iter().any(|named| is_same(named, repository)))
    }

    /// Whether a manifest is in use by its digest, or a blob of it: some engines name an image by the digest of its config.
    pub(super) fn holds_digest(&self, digest: &Digest) -> bool {
        self.digests.contains_key(digest)
    }

    /// The digests that were named with this repository: worth looking for in it even if no tag leads there any more.
    pub(super) fn digests_in(&self, repository: &Repository) -> Vec<Digest> {
        let named = self.digests.iter().filter(|(_, named)| named.iter().any(|named| is_same(named, repository)));
        named.map(|(digest, _)| digest.clone()).collect()
    }

    /// Whether everything in a repository is in use.
    pub(super) fn holds_repository(&self, repository: &Repository) -> bool {
        self.repositories.iter().any(|named| is_same(named, repository))
    }
}

/// A reference without the host that it begins with, if it does: a first part with a dot or colon, or `localhost`.
fn without_host(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => rest,
        _ => reference,
    }
}

/// Whether two names may mean one repository: the same, or one below a namespace, mirror or catalogue name.
fn is_same(a: &Repository, b: &Repository) -> bool {
    let ends = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|front| front.is_empty() || front.ends_with('/'));
    ends(a.as_str(), b.as_str()) || ends(b.as_str(), a.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest() -> String {
        Digest::sha256(b"x").as_str().to_owned()
    }

    fn holds(line: &str, repository: &str, tag: &str) -> bool {
        Exclusions::parse(line).unwrap().holds_tag(&repository.parse().unwrap(), &tag.parse().unwrap())
    }

    #[test]
    fn acr_cli_59_what_a_cluster_names_is_understood() {
        for line in [
            "registry.example.com:5000/team/api:v1",
            "registry.example.com/team/api:v1@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "localhost/team/api:v1",
            "team/api:v1",
            "prod/team/api:v1   # what the person typed",
            "mirror.example.com/proxy/team/api:v1",
            "api:v1",
            "registry.example.com/team/api",
        ] {
            assert!(holds(line, "team/api", "v1"), "{line}");
            assert!(!holds(line, "team/web", "v1"), "{line}");
            assert!(!holds(line, "team/my-api", "v1"), "{line}");
        }
        assert!(!holds("team/api:v1", "team/api", "v2"));
        assert!(holds("nginx:1.27", "library/nginx", "1.27"));
        let text = format!("# from kubectl\n\ndocker-pullable://registry.example.com/team/api@{0}\n  {0}  \n", digest());
        assert!(Exclusions::parse(&text).unwrap().holds_digest(&Digest::sha256(b"x")));
        assert!(Exclusions::parse(&format!("docker://{}", digest())).unwrap().holds_digest(&Digest::sha256(b"x")));
    }

    #[test]
    fn no_line_is_ignored() {
        let hex = "a".repeat(64);
        for (text, line) in [
            ("team/api:v1\nTeam/api:v1", 2),
            ("team/api:v 1", 1),
            ("team/api:", 1),
            ("sha256:abc", 1),
            ("team/api@v1", 1),
            ("\n#\n<none>", 3),
            (hex.as_str(), 1),
            ("team/*:v1", 1),
            ("registry.example.com/", 1),
        ] {
            match Exclusions::parse(text) {
                Err(InvalidExclusions::Line { line: found, .. }) => assert_eq!(found, line, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        // `kubectl … > live.txt` that failed
        for empty in ["", "\n\n", "# nothing\n"] {
            assert_eq!(Exclusions::parse(empty), Err(InvalidExclusions::Empty));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC{0,60}") {
            let _ = Exclusions::parse(&text);
        }

        #[test]
        fn a_full_reference_always_protects_its_own_tag(repository in "[a-z]{1,4}(/[a-z]{1,4}){0,2}", tag in "[a-z0-9]{1,5}", host in "[a-z]{1,4}\\.[a-z]{2}(:[0-9]{4})?") {
            let line = format!("{host}/{repository}:{tag}");
            prop_assert!(holds(&line, &repository, &tag));
        }
    }
}
