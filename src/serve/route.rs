//! From a path to what is meant. Repository names contain slashes, so the path is read from its end.

use crate::oci::{Digest, Repository, Selector};

/// What a request is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    Ping,
    Token,
    Catalog,
    Tags(Repository),
    Manifest(Repository, Selector),
    Blob(Repository, Digest),
    Uploads(Repository),
    Upload(Repository, String),
    Referrers(Repository, Digest),
}

/// Why a path means nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// No such endpoint.
    NotFound,
    /// The repository's name breaks the grammar.
    Name,
    /// The digest breaks the grammar.
    Digest,
    /// The tag breaks the grammar.
    Reference,
}

impl Route {
    /// Reads a path, as sent: none of the characters that names may have need percent-encoding, but clients may encode `:`.
    pub fn read(path: &str) -> Result<Route, Lost> {
        let path = path.replace("%3A", ":").replace("%3a", ":");
        let rest = match path.as_str() {
            "/token" => return Ok(Route::Token),
            "/v2" | "/v2/" => return Ok(Route::Ping),
            path => path.strip_prefix("/v2/").ok_or(Lost::NotFound)?,
        };
        if rest == "_catalog" {
            return Ok(Route::Catalog);
        }
        let name = |text: &str| text.parse::<Repository>().map_err(|_| Lost::Name);
        let digest = |text: &str| text.parse::<Digest>().map_err(|_| Lost::Digest);
        if let Some(repository) = rest.strip_suffix("/tags/list") {
            return Ok(Route::Tags(name(repository)?));
        }
        if let Some(repository) = rest.strip_suffix("/blobs/uploads/").or_else(|| rest.strip_suffix("/blobs/uploads")) {
            return Ok(Route::Uploads(name(repository)?));
        }
        let (front, last) = rest.rsplit_once('/').ok_or(Lost::NotFound)?;
        if let Some(repository) = front.strip_suffix("/blobs/uploads") {
            return Ok(Route::Upload(name(repository)?, last.to_owned()));
        }
        if let Some(repository) = front.strip_suffix("/manifests") {
            let selector = match last.parse::<Digest>() {
                Ok(digest) => Selector::Digest(digest),
                Err(_) => Selector::Tag(last.parse().map_err(|_| Lost::Reference)?),
            };
            return Ok(Route::Manifest(name(repository)?, selector));
        }
        if let Some(repository) = front.strip_suffix("/blobs") {
            return Ok(Route::Blob(name(repository)?, digest(last)?));
        }
        if let Some(repository) = front.strip_suffix("/referrers") {
            return Ok(Route::Referrers(name(repository)?, digest(last)?));
        }
        Err(Lost::NotFound)
    }

    /// The repository, where one is meant.
    pub fn repository(&self) -> Option<&Repository> {
        match self {
            Route::Ping | Route::Token | Route::Catalog => None,
            Route::Tags(repository)
            | Route::Manifest(repository, _)
            | Route::Blob(repository, _)
            | Route::Uploads(repository)
            | Route::Upload(repository, _)
            | Route::Referrers(repository, _) => Some(repository),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_slashes_and_reserved_words() {
        let repository = |name: &str| name.parse::<Repository>().unwrap();
        let digest = Digest::sha256(b"");
        for (path, route) in [
            ("/v2/".to_owned(), Ok(Route::Ping)),
            ("/v2/_catalog".into(), Ok(Route::Catalog)),
            ("/v2/a/b/c/tags/list".into(), Ok(Route::Tags(repository("a/b/c")))),
            ("/v2/tags/list/tags/list".into(), Ok(Route::Tags(repository("tags/list")))),
            ("/v2/a/manifests/v1".into(), Ok(Route::Manifest(repository("a"), Selector::Tag("v1".parse().unwrap())))),
            (format!("/v2/manifests/x/manifests/{digest}"), Ok(Route::Manifest(repository("manifests/x"), digest.clone().into()))),
            (format!("/v2/a/blobs/{}", digest.as_str().replace(':', "%3A")), Ok(Route::Blob(repository("a"), digest.clone()))),
            ("/v2/a/blobs/uploads/".into(), Ok(Route::Uploads(repository("a")))),
            ("/v2/a/blobs/uploads/xyz".into(), Ok(Route::Upload(repository("a"), "xyz".into()))),
            (format!("/v2/a/referrers/{digest}"), Ok(Route::Referrers(repository("a"), digest.clone()))),
            ("/v2/../etc/tags/list".into(), Err(Lost::Name)),
            ("/v2/A/manifests/v1".into(), Err(Lost::Name)),
            ("/v2/a/blobs/sha256:..".into(), Err(Lost::Digest)),
            ("/v2/a/manifests/-x".into(), Err(Lost::Reference)),
            ("/v1/a".into(), Err(Lost::NotFound)),
            ("/v2/a".into(), Err(Lost::NotFound)),
        ] {
            assert_eq!(Route::read(&path), route, "{path}");
        }
    }
}
