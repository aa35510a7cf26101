//! What the fakes of all vendors have in common: one account, requests taken apart, and pages.

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use regctl::oci::{RawManifest, Repository, Selector, Tag};
use regctl::registry::Kind;
use regctl::serve::{Account, Auth, Behaviour, Settings, Storage};
use serde_json::{Value, json};

use crate::support::canned::{Answer, Received};
use crate::support::front::Front;

/// When everything was pushed.
pub const PUSHED: &str = "2026-03-01T10:00:00Z";
/// When everything was last pulled.
pub const PULLED: &str = "2026-04-01T10:00:00Z";
/// The password of every account.
pub const PASSWORD: &str = "canary-secret";
/// The tag of images that were scanned.
pub const SCANNED: &str = "scanned";
/// Pages are no longer than this, so that every list has several.
pub const PAGE: usize = 3;

/// A vendor's server that behaves as its documentation says.
pub struct Fake {
    pub kind: Kind,
    pub front: Front,
    pub username: &'static str,
    /// Where its API is, after the front's address; `None` where the client has to know by itself.
    pub api: Option<&'static str>,
}

impl Fake {
    /// Starts one whose registry gives tokens to `username`.
    pub fn start(
        kind: Kind,
        username: &'static str,
        api: Option<&'static str>,
        behaviour: Behaviour,
        answer: impl Fn(&Call<'_>) -> Option<Answer> + Send + Sync + 'static,
    ) -> Fake {
        let auth = Auth::PublicToken(Account::new(username, PASSWORD));
        Fake::with(kind, username, api, auth, behaviour, answer)
    }

    /// Starts one whose registry lets in whom `auth` says.
    pub fn with(
        kind: Kind,
        username: &'static str,
        api: Option<&'static str>,
        auth: Auth,
        behaviour: Behaviour,
        answer: impl Fn(&Call<'_>) -> Option<Answer> + Send + Sync + 'static,
    ) -> Fake {
        let settings = Settings { auth, behaviour, ..Settings::new(Storage::memory()) };
        let front = Front::start(settings, move |request, storage| answer(&Call::read(request, storage)));
        Fake { kind, front, username, api }
    }
}

/// A request, taken apart.
pub struct Call<'a> {
    pub request: &'a Received,
    pub storage: &'a Storage,
    pub method: &'a str,
    /// Still escaped.
    pub path: &'a str,
    pub query: HashMap<String, String>,
}

impl<'a> Call<'a> {
    fn read(request: &'a Received, storage: &'a Storage) -> Call<'a> {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Call { request, storage, method: &request.method, path, query }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.headers.get(name).map(String::as_str)
    }

    /// Whether it carries the account as user name and password.
    pub fn is_basic(&self, username: &str) -> bool {
        let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{PASSWORD}")));
        self.header("authorization") == Some(expected.as_str())
    }

    /// Whether it carries this token.
    pub fn is_bearer(&self, token: &str) -> bool {
        self.header("authorization") == Some(format!("Bearer {token}").as_str())
    }

    pub fn number(&self, key: &str, otherwise: usize) -> usize {
        self.query.get(key).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    }

    /// The repository and manifest of a `DELETE /v2/…/manifests/…`.
    pub fn deleted_manifest(&self) -> Option<(Repository, Selector)> {
        let path = self.path.strip_prefix("/v2/").filter(|_| self.method == "DELETE")?;
        let (repository, reference) = path.rsplit_once("/manifests/")?;
        let selector = match reference.parse() {
            Ok(digest) => Selector::Digest(digest),
            Err(_) => Selector::Tag(reference.parse().ok()?),
        };
        Some((repository.parse().ok()?, selector))
    }

    /// Repositories below a namespace, or all.
    pub fn repositories(&self, namespace: Option<&str>) -> Vec<Repository> {
        let below = |name: &Repository| namespace.is_none_or(|namespace| name.as_str().starts_with(&format!("{namespace}/")));
        self.storage.repositories().into_iter().filter(below).collect()
    }

    /// Each manifest of a repository with the tags on it; `None` if there is no such repository.
    pub fn versions(&self, repository: &str) -> Option<Vec<(RawManifest, Vec<Tag>)>> {
        let repository: Repository = repository.parse().ok()?;
        let tags = self.storage.tags(&repository)?;
        let on = |manifest: &RawManifest| {
            tags.iter().filter(|tag| self.storage.resolve(&repository, tag).as_ref() == Some(&manifest.digest)).cloned().collect()
        };
        Some(
            self.storage
                .manifests(&repository)
                .into_iter()
                .map(|manifest| (on(&manifest), manifest))
                .map(|(tags, m)| (m, tags))
                .collect(),
        )
    }

    /// Whether this image was scanned: one that has a tag which says so.
    pub fn is_scanned(&self, repository: &str, digest: &str) -> bool {
        let versions = self.versions(repository).unwrap_or_default();
        versions.iter().any(|(manifest, tags)| manifest.digest.as_str() == digest && tags.iter().any(|tag| tag.as_str() == SCANNED))
    }

    /// Takes a tag away.
    pub fn untag(&self, repository: &str, tag: &str) -> bool {
        let (Ok(repository), Ok(tag)) = (repository.parse(), tag.parse()) else { return false };
        self.storage.untag(&repository, &tag).expect("it is in memory")
    }

    /// Takes a repository away.
    pub fn remove(&self, repository: &str) -> bool {
        repository.parse().is_ok_and(|repository| self.storage.delete_repository(&repository).expect("it is in memory"))
    }

    /// The entries of one page, and whether there are more. Pages have numbers from 1.
    pub fn page<T>(&self, entries: Vec<T>) -> (Vec<T>, bool) {
        let number = self.number("page", 1);
        let more = entries.len() > number * PAGE;
        (entries.into_iter().skip((number - 1) * PAGE).take(PAGE).collect(), more)
    }

    /// One page as a list, with a `Link` to the next.
    pub fn linked_page(&self, entries: Vec<Value>) -> Answer {
        let (entries, more) = self.page(entries);
        let answer = ok(&json!(entries));
        let next = self.number("page", 1) + 1;
        if more {
            answer.header("Link", &format!("<{}?page={next}>; rel=\"next\"", self.path))
        } else {
            answer.header("Link", "<x>; rel=\"first\"")
        }
    }
}

/// Bytes of an image: what its manifest says of config and layers.
pub fn size(manifest: &RawManifest) -> u64 {
    let document: Value = serde_json::from_slice(&manifest.bytes).expect("the registry took it");
    let sizes = std::iter::once(&document["config"]).chain(document["layers"].as_array().into_iter().flatten());
    sizes.filter_map(|part| part["size"].as_u64()).sum()
}

pub fn ok(document: &Value) -> Answer {
    status(200, document)
}

pub fn status(status: u16, document: &Value) -> Answer {
    Answer::new(status, "application/json", &document.to_string())
}

pub fn empty(status: u16) -> Answer {
    Answer::new(status, "text/plain", "")
}

/// An error as `/v2/` writes it, and Harbor and Azure too.
pub fn error(code: u16, name: &str, message: &str) -> Answer {
    status(code, &json!({ "errors": [{ "code": name, "message": message }] }))
}

/// An answer as the vendor documents it.
pub fn fixture(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    serde_json::from_slice(&std::fs::read(path).expect("the fixture is there")).expect("fixtures are JSON")
}

/// What one level of escaping hid.
pub fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).expect("names are ASCII")
}
