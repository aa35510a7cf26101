//! Looking for repositories and tags by part of their name.

use futures_util::{StreamExt, TryStreamExt, stream};
use globset::{GlobBuilder, GlobMatcher};
use serde::Serialize;

use super::repositories::{self, Query};
use super::{Failure, Ticker};
use crate::oci::Repository;
use crate::registry::{ErrorKind, Registry, Result};

/// What to look for: `web` finds repositories, `web:v2` tags in them, `:v2` tags anywhere. A word is found anywhere in a name, in any
/// case; a glob has to match the whole name, or what follows its last slash.
#[derive(Debug, Clone)]
pub struct Pattern {
    repository: Word,
    tag: Option<Word>,
}

/// A pattern that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not a valid pattern: {message}", .pattern.escape_debug())]
pub struct InvalidPattern {
    pattern: String,
    message: String,
}

#[derive(Debug, Clone)]
enum Word {
    /// In lower case.
    Part(String),
    Glob(GlobMatcher),
}

impl Word {
    fn new(text: &str) -> std::result::Result<Word, globset::Error> {
        if !text.contains(['*', '?', '[', '{']) {
            return Ok(Word::Part(text.to_lowercase()));
        }
        Ok(Word::Glob(GlobBuilder::new(text).case_insensitive(true).build()?.compile_matcher()))
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Word::Part(part) => name.to_lowercase().contains(part),
            Word::Glob(glob) => glob.is_match(name) || name.rsplit_once('/').is_some_and(|(_, last)| glob.is_match(last)),
        }
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When nothing is left to look for, or a glob can't be read.
    pub fn new(text: &str) -> std::result::Result<Pattern, InvalidPattern> {
        let invalid = |message: String| InvalidPattern { pattern: text.to_owned(), message };
        let (repository, tag) = text.split_once(':').map_or((text, None), |(repository, tag)| (repository, Some(tag)));
        if repository.is_empty() && tag.is_none_or(str::is_empty) {
            return Err(invalid("it is empty".into()));
        }
        let word = |text: &str| Word::new(text).map_err(|error| invalid(error.kind().to_string()));
        Ok(Pattern { repository: word(repository)?, tag: tag.map(word).transpose()? })
    }

    /// Whether tags are looked for, which costs a request for each repository that fits.
    pub fn wants_tags(&self) -> bool {
        self.tag.is_some()
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// `registry/repository` or `registry/repository:tag`.
    pub reference: String,
    /// The registry.
    pub registry: String,
    /// The repository, in full.
    pub repository: String,
    /// The tag, when tags were looked for.
    pub tag: Option<String>,
}

/// Where to look in a registry.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Only repositories below this name.
    pub namespace: Option<String>,
    /// Names that the user wrote down, for servers that will not list.
    pub configured: Vec<Repository>,
}

/// Looks through one registry. Repositories whose tags can't be listed are told beside what was found in the others.
///
/// # Errors
/// When the repositories can't be listed.
pub async fn search(
    registry: &dyn Registry,
    pattern: &Pattern,
    scope: Scope,
    tick: Ticker<'_>,
) -> Result<(Vec<Hit>, Vec<Failure>)> {
    let query = Query { namespace: scope.namespace, configured: scope.configured, ..Query::default() };
    let listing = repositories::list(registry, &query, tick).await?;
    let fitting = listing.repositories.into_iter().filter(|repository| pattern.repository.matches(&repository.name));
    let hit = |repository: &str, tag: Option<String>| {
        let reference = format!("{}/{repository}", registry.name());
        let reference = tag.as_ref().map_or_else(|| reference.clone(), |tag| format!("{reference}:{tag}"));
        Hit { reference, registry: registry.name().to_owned(), repository: repository.to_owned(), tag }
    };
    let Some(word) = &pattern.tag else {
        return Ok((fitting.map(|repository| hit(&repository.name, None)).collect(), Vec::new()));
    };
    let fitting: Vec<String> = fitting.map(|repository| repository.name).collect();
    let total = fitting.len() as u64;
    let mut answers = stream::iter(fitting)
        .map(|name| async move {
            let tags = tags_that_fit(registry, &name, word).await;
            (name, tags)
        })
        .buffered(registry.concurrency());
    let (mut hits, mut failed) = (Vec::new(), Vec::new());
    let mut done = 0;
    while let Some((name, tags)) = answers.next().await {
        done += 1;
        tick(done, Some(total));
        match tags {
            Ok(tags) => hits.extend(tags.into_iter().map(|tag| hit(&name, Some(tag)))),
            Err(error) => failed.push(Failure { name: format!("{}/{name}", registry.name()), error }),
        }
    }
    Ok((hits, failed))
}

async fn tags_that_fit(registry: &dyn Registry, repository: &str, word: &Word) -> Result<Vec<String>> {
    let repository: Repository = repository.parse().expect("it was listed as a repository");
    let mut pages = registry.tags(&repository);
    let mut fitting = Vec::new();
    loop {
        match pages.try_next().await {
            Ok(Some(page)) => fitting.extend(page.into_iter().map(|entry| entry.name).filter(|name| word.matches(name))),
            Ok(None) => return Ok(fitting),
            // servers go on listing names whose last tag went away
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(fitting),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_globs() {
        for (pattern, name, tag, fits) in [
            ("web", "team/web-ui", None, true),
            ("WEB", "team/web", None, true),
            ("web*", "team/web-ui", None, true),
            ("web*", "team/my-web", None, false),
            ("team/*", "team/web", None, true),
            ("web:v2", "team/web", Some("v2.4"), true),
            ("web:v2", "team/web", Some("v1"), false),
            ("web:v2.*", "team/web", Some("xv2.4"), false),
            (":ci-7", "any/thing", Some("ci-77"), true),
        ] {
            let read = Pattern::new(pattern).unwrap();
            let tag_fits = match (&read.tag, tag) {
                (Some(word), Some(tag)) => word.matches(tag),
                (None, None) => true,
                _ => false,
            };
            assert_eq!(read.repository.matches(name) && tag_fits, fits, "{pattern} {name} {tag:?}");
        }
        for bad in ["", ":", "a[", "web:{"] {
            assert!(Pattern::new(bad).is_err(), "{bad}");
        }
    }
}
