//! Docker Hub: its v2 API lists no repositories and takes no tag away; the API at hub.docker.com does, and tells size, platforms, pushes
//! and pulls without a pull being counted.
//!
//! Written from Docker's API description; deleting tags and repositories is not in it, and is what Docker's own tool sends. Tried against
//! a fake only.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use regex::Regex;
use serde::Deserialize;
use serde_json::json;

use super::api::{Api, Keyed, date, lenient, nowhere};
use super::provider::{Pages, Provider, Vendor};
use super::{Place, facts};
use crate::credentials::Credential;
use crate::distribution::{Quirks, V2};
use crate::oci::{Repository, Tag, null_as_default};
use crate::registry::{Capabilities, Error, ErrorKind, Facts, Hold, Lock, Locks, Registry, Result, Support, TagEntry};
use crate::transport::{Cursor, Login, LoginCall, Method};

const LIST: &str = "list the repositories of";
const TAGS: &str = "list the tags of";
const LOCKS: &str = "see what is locked in";
const UNTAG: &str = "remove the tag";
const DELETE_REPOSITORY: &str = "delete the repository";
/// Where the API is for the registry's own host.
const ADDRESS: &str = "https://hub.docker.com";
const HOST: &str = "registry-1.docker.io";
/// What a repository's setting does to the tags that it fits.
const IMMUTABLE: Lock = Lock::Held(Hold {
    why: "immutable by the settings of the repository at Docker Hub",
    remedy: "change the repository's settings at Docker Hub: Settings, General, Tag mutability settings",
});
/// The most that Hub puts on a page.
const PAGE: &str = "100";

/// User name and password, personal or organisation access token become a token. It lasts ten minutes; Harbor renews it after nine.
const LOGIN: LoginCall = LoginCall {
    path: "/v2/auth/token",
    document: |username, password| json!({ "identifier": username, "secret": password.expose() }),
    lifetime: Duration::from_secs(540),
};

pub(super) fn vendor() -> Vendor {
    let quirks = Quirks {
        // the token server gives no token for the catalogue (hub-feedback#2094)
        list: Support::Unsupported,
        untag: Support::Unsupported,
        delete: Support::Native,
        probe_tells: false,
        ..Quirks::default()
    };
    Vendor { quirks, open }
}

fn open(place: &Place) -> Result<Box<dyn Provider>> {
    let takes = |credential: &Credential| matches!(credential, Credential::Basic { .. }).then_some(Login::Call(LOGIN));
    let api = Api::known(place, |host| host == HOST, ADDRESS, takes)?;
    Ok(Box::new(Dockerhub { api, namespace: place.namespace.clone() }))
}

struct Dockerhub {
    api: Option<Api>,
    namespace: Option<String>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Page<T> {
    #[serde(default = "Vec::new", deserialize_with = "null_as_default")]
    results: Vec<T>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    storage_size: Option<u64>,
}

/// A repository by itself, which tells more than the list of them.
#[derive(Deserialize)]
struct Described {
    #[serde(default, deserialize_with = "lenient")]
    immutable_tags_settings: Option<Immutability>,
}

#[derive(Deserialize)]
struct Immutability {
    #[serde(default)]
    enabled: bool,
    /// Regular expressions.
    #[serde(default, deserialize_with = "null_as_default")]
    rules: Vec<String>,
}

impl Immutability {
    /// An expression that can't be read here could fit any tag.
    fn locks(self) -> Vec<(Option<Regex>, Lock)> {
        let rules = self.rules.into_iter().map(|rule| (Regex::new(&rule).ok(), IMMUTABLE));
        match self.enabled {
            true => rules.chain([(None, Lock::Open)]).collect(),
            false => vec![(None, Lock::Open)],
        }
    }
}

#[derive(Deserialize)]
struct Tagged {
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    digest: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    media_type: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    full_size: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    last_updated: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    tag_last_pushed: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    tag_last_pulled: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    images: Vec<Image>,
}

#[derive(Deserialize)]
struct Image {
    #[serde(default, deserialize_with = "lenient")]
    architecture: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    os: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    variant: Option<String>,
}

/// Pages have numbers; `next` is null on the last one, and there is none after it.
const CURSOR: Cursor = Cursor::Number { parameter: "page", more: Some("/next") };

impl Dockerhub {
    fn api(&self, v2: &V2, operation: &'static str, subject: &str) -> Result<&Api> {
        self.api.as_ref().ok_or_else(|| nowhere(operation, subject, v2.name()))
    }

    /// Whose repositories are listed: the entry's namespace, else those of the one who is signed in.
    async fn namespace(&self, v2: &V2) -> Result<String> {
        if let Some(namespace) = &self.namespace {
            return Ok(namespace.clone());
        }
        v2.client().username().await?.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, LIST, v2.name())
                .because("Docker Hub lists the repositories of one user or organisation, and none is named")
                .remedy(format!("regctl update {} --namespace NAME, or sign in: regctl login {0}", v2.name()))
        })
    }
}

#[async_trait]
impl Provider for Dockerhub {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        match self.api {
            Some(_) => Capabilities { list: Support::Api, untag: Support::Api, delete_repository: Support::Api, ..v2 },
            None => v2,
        }
    }

    async fn facts(&self, v2: &V2) -> Result<Facts> {
        let storage = async {
            let api = self.api(v2, facts::OPERATION, v2.name())?;
            let namespace = self.namespace(v2).await?;
            let first = api.request(Method::GET, &format!("/v2/namespaces/{namespace}/repositories")).query("page_size", PAGE);
            let sizes = |page: Page<Listed>| {
                page.results.into_iter().map(|listed| Keyed { value: listed.storage_size, key: listed.name }).collect()
            };
            let sizes = api.list(first, CURSOR, facts::OPERATION, v2.name().to_owned(), sizes).try_concat().await?;
            Ok(vec![facts::dockerhub::storage(&namespace, &sizes)])
        };
        Ok(Facts { storage: facts::fact(storage.await, facts::dockerhub::NEEDS)?, ..Facts::default() })
    }

    fn repositories<'a>(&'a self, v2: &'a V2) -> Pages<'a, Repository> {
        Box::pin(async_stream::try_stream! {
            let api = self.api(v2, LIST, v2.name())?;
            let namespace = self.namespace(v2).await?;
            let first = api.request(Method::GET, &format!("/v2/namespaces/{namespace}/repositories")).query("page_size", PAGE);
            let entries = move |page: Page<Listed>| {
                let full = page.results.into_iter().map(|listed| format!("{namespace}/{}", listed.name));
                full.filter_map(|key| Some(Keyed { value: key.parse().ok()?, key })).collect()
            };
            for await page in api.list(first, CURSOR, LIST, v2.name().to_owned(), entries) {
                yield page?;
            }
        })
    }

    fn tags<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, TagEntry>> {
        let api = self.api.as_ref()?;
        let (namespace, name) = repository.as_str().split_once('/')?;
        let first = api.request(Method::GET, &format!("/v2/namespaces/{namespace}/repositories/{name}/tags"));
        let entries =
            |page: Page<Tagged>| page.results.into_iter().map(|tag| Keyed { key: tag.name.clone(), value: tag }).collect();
        let tags = api.list(first.query("page_size", PAGE), CURSOR, TAGS, v2.subject(repository, ""), entries);
        Some(Box::pin(tags.map_ok(|page| page.into_iter().map(entry).collect())))
    }

    async fn locks(&self, v2: &V2, repository: &Repository, _manifests: bool) -> Result<Locks> {
        let subject = v2.subject(repository, "");
        let api = self.api(v2, LOCKS, &subject)?;
        let Some((namespace, name)) = repository.as_str().split_once('/') else { return Ok(Locks::default()) };
        let described: Described = api.get(&format!("/v2/namespaces/{namespace}/repositories/{name}"), LOCKS, &subject).await?;
        Ok(Locks { tags: described.immutable_tags_settings.map(Immutability::locks).unwrap_or_default(), ..Locks::default() })
    }

    async fn untag(&self, v2: &V2, repository: &Repository, tag: &Tag) -> Result<bool> {
        let subject = v2.subject(repository, &format!(":{tag}"));
        let api = self.api(v2, UNTAG, &subject)?;
        api.delete(api.request(Method::DELETE, &format!("/v2/repositories/{repository}/tags/{tag}/")), UNTAG, &subject).await
    }

    async fn delete_repository(&self, v2: &V2, repository: &Repository) -> Result<bool> {
        let subject = v2.subject(repository, "");
        let api = self.api(v2, DELETE_REPOSITORY, &subject)?;
        api.delete(api.request(Method::DELETE, &format!("/v2/repositories/{repository}/")), DELETE_REPOSITORY, &subject).await
    }

    /// 403 as long as a tag or another image needs it.
    fn wants_tags_gone_first(&self) -> bool {
        true
    }

    /// Each manifest that is got is a pull; HEAD and this API are none.
    fn counts_reads(&self) -> bool {
        true
    }

    fn judge(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Denied | ErrorKind::CredentialRefused => error.remedy(
                "deleting takes a personal access token with the scope Read, Write, Delete, of someone who may administer the repository; \
                 an image that another image lists goes after that one",
            ),
            ErrorKind::CredentialMissing => error.remedy("sign in with your Docker ID and a personal access token: regctl login"),
            _ => error,
        }
    }
}

fn entry(tag: Tagged) -> TagEntry {
    let platforms: Vec<String> = tag.images.into_iter().filter_map(platform).collect();
    TagEntry {
        digest: tag.digest.and_then(|digest| digest.parse().ok()),
        media_type: tag.media_type.filter(|kind| !kind.is_empty()),
        platforms: (!platforms.is_empty()).then_some(platforms),
        size: tag.full_size,
        pushed_at: date(tag.tag_last_pushed.as_deref()).or(date(tag.last_updated.as_deref())),
        pulled_at: date(tag.tag_last_pulled.as_deref()),
        ..TagEntry::named(tag.name)
    }
}

/// Attestations are listed as images of an unknown platform.
fn platform(image: Image) -> Option<String> {
    let (os, architecture) = (image.os?, image.architecture?);
    let variant = image.variant.filter(|variant| !variant.is_empty()).map(|variant| format!("/{variant}")).unwrap_or_default();
    (os != "unknown" && !os.is_empty()).then(|| format!("{os}/{architecture}{variant}"))
}
