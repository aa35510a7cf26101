//! Azure Container Registry: `/acr/v1` on the registry's own host, with the same tokens, takes a single tag or a whole repository away
//! and knows dates.
//!
//! Written from the API description of Azure's own tool, tried against a fake only.

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Place;
use super::api::{date, lenient};
use super::provider::{Pages, Provider, Vendor};
use crate::distribution::{Quirks, V2, error, json};
use crate::oci::{Digest, Repository, Tag, null_as_default};
use crate::registry::{Capabilities, Error, ErrorKind, Hold, Lock, Locks, Result, Support, TagEntry};
use crate::transport::{Answer, LIST_LIMIT, Listing, Method, Request, Scope, pages};

const TAGS: &str = "list the tags of";
const MANIFESTS: &str = "list the manifests of";
const LOCKS: &str = "see what is locked in";
const UNTAG: &str = "remove the tag";
const DELETE_REPOSITORY: &str = "delete the repository";
/// How many tags to ask for at once: what Azure's own tool asks for.
const PAGE: usize = 100;

pub(super) fn vendor() -> Vendor {
    let quirks = Quirks {
        list: Support::Native,
        // sources disagree on what `DELETE manifests/<tag>` does
        untag: Support::Unsupported,
        delete: Support::Native,
        probe_tells: false,
        ..Quirks::default()
    };
    Vendor { quirks, open: |_: &Place| Ok(Box::new(Azure)) }
}

struct Azure;

#[derive(Deserialize)]
struct Tags {
    #[serde(default, deserialize_with = "null_as_default")]
    tags: Vec<Tagged>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tagged {
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    digest: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    last_update_time: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    changeable_attributes: Option<Attributes>,
}

#[derive(Deserialize)]
struct Manifests {
    #[serde(default, deserialize_with = "null_as_default")]
    manifests: Vec<Manifest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    digest: String,
    #[serde(default, deserialize_with = "lenient")]
    changeable_attributes: Option<Attributes>,
}

/// A repository, as such.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributed {
    #[serde(default, deserialize_with = "lenient")]
    changeable_attributes: Option<Attributes>,
}

/// What somebody switched off. Tags, manifests and repositories have the same.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    #[serde(default, deserialize_with = "lenient")]
    delete_enabled: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    write_enabled: Option<bool>,
}

impl Attributes {
    fn lock(self) -> Option<Lock> {
        match (self.delete_enabled, self.write_enabled) {
            (Some(false), _) => Some(UNDELETABLE),
            // what can't be written can't be deleted either (acr-cli#134)
            (_, Some(false)) => Some(UNWRITABLE),
            (Some(true), Some(true)) => Some(Lock::Open),
            _ => None,
        }
    }
}

const UNLOCK: &str =
    "unlock it with: az acr repository update --name REGISTRY --image REPOSITORY:TAG --delete-enabled true --write-enabled true";
const UNDELETABLE: Lock = Lock::Held(Hold { why: "locked in Azure: deleteEnabled is false", remedy: UNLOCK });
const UNWRITABLE: Lock = Lock::Held(Hold { why: "locked in Azure: writeEnabled is false", remedy: UNLOCK });

/// One call of the API. Registries that check each repository's rights want exactly these actions.
async fn delete(v2: &V2, path: String, repository: &Repository, operation: &'static str, subject: &str) -> Result<bool> {
    let request = v2.client().request(Method::DELETE, &path).repeatable();
    let request = request.scope(Scope::repository(repository.as_str(), &["delete", "metadata_read"]));
    let answer = v2.client().send(request).await.map_err(|error| error.on(operation, subject))?;
    match answer.status.as_u16() {
        200..=299 => Ok(true),
        404 => Ok(answer.repeated),
        // not "never", but "not this one"
        405 => Err(error(&answer, operation, subject).means(ErrorKind::Conflict)),
        _ => Err(error(&answer, operation, subject)),
    }
}

/// A question about what is there.
fn metadata(v2: &V2, path: String, repository: &Repository) -> Request {
    v2.client().request(Method::GET, &path).scope(Scope::repository(repository.as_str(), &["metadata_read"]))
}

/// Reads a list of a repository: `entries` takes a page apart, and `key` tells one entry from the others.
fn list<'a, P: DeserializeOwned + 'a, T: Send + 'a>(
    v2: &'a V2,
    repository: &Repository,
    what: &str,
    operation: &'static str,
    entries: fn(P) -> Vec<T>,
    key: fn(&T) -> &str,
) -> Pages<'a, T> {
    let subject = v2.subject(repository, "");
    let request = metadata(v2, format!("/acr/v1/{repository}/{what}"), repository).limit(LIST_LIMIT);
    let read = move |answer: &Answer| match answer.status.is_success() {
        true => json::<P>(answer, operation, &subject).map(entries),
        false => Err(error(answer, operation, subject.as_str())),
    };
    pages(v2.client(), Listing { request, page_size: Some(PAGE) }, read, key).boxed()
}

#[async_trait]
impl Provider for Azure {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        Capabilities { untag: Support::Api, delete_repository: Support::Api, ..v2 }
    }

    fn tags<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, TagEntry>> {
        let tags = list(v2, repository, "_tags", TAGS, |page: Tags| page.tags, |tag: &Tagged| tag.name.as_str());
        Some(tags.map_ok(|page| page.into_iter().map(entry).collect()).boxed())
    }

    /// Tags say for themselves what is locked. A repository that can't be written holds everything in it; one that can't be deleted
    /// holds only itself.
    async fn locks(&self, v2: &V2, repository: &Repository, manifests: bool) -> Result<Locks> {
        let whole = async {
            let subject = v2.subject(repository, "");
            let request = metadata(v2, format!("/acr/v1/{repository}"), repository);
            let answer = v2.client().send(request).await.map_err(|error| error.on(LOCKS, &subject))?;
            match answer.status.is_success() {
                true => json::<Attributed>(&answer, LOCKS, &subject),
                false => Err(error(&answer, LOCKS, subject)),
            }
        };
        let single = async {
            if !manifests {
                return Ok(Vec::new());
            }
            let pages =
                list(v2, repository, "_manifests", LOCKS, |page: Manifests| page.manifests, |one: &Manifest| one.digest.as_str());
            pages.try_concat().await
        };
        let (whole, single) = futures_util::try_join!(whole, single)?;
        let repository = whole.changeable_attributes.and_then(Attributes::lock);
        let lock = |one: Manifest| Some((one.digest.parse::<Digest>().ok()?, one.changeable_attributes?.lock()?));
        Ok(Locks {
            repository,
            contents: whole.changeable_attributes.filter(|attributes| attributes.write_enabled == Some(false)).map(|_| UNWRITABLE),
            manifests: single.into_iter().filter_map(lock).collect(),
            ..Locks::default()
        })
    }

    fn manifests<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, Digest>> {
        let read = |page: Manifests| page.manifests;
        let manifests = list(v2, repository, "_manifests", MANIFESTS, read, |one: &Manifest| one.digest.as_str());
        Some(Box::pin(manifests.map_ok(|page| page.iter().filter_map(|one| one.digest.parse().ok()).collect())))
    }

    async fn untag(&self, v2: &V2, repository: &Repository, tag: &Tag) -> Result<bool> {
        let subject = v2.subject(repository, &format!(":{tag}"));
        delete(v2, format!("/acr/v1/{repository}/_tags/{tag}"), repository, UNTAG, &subject).await
    }

    async fn delete_repository(&self, v2: &V2, repository: &Repository) -> Result<bool> {
        delete(v2, format!("/acr/v1/{repository}"), repository, DELETE_REPOSITORY, &v2.subject(repository, "")).await
    }

    fn judge(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Conflict => error.remedy(
                "it is locked; unlock it with: az acr repository update --name REGISTRY --image NAME --delete-enabled true --write-enabled true",
            ),
            ErrorKind::Denied => error.remedy("the identity needs the role AcrDelete, or the token the actions content/delete and metadata/read"),
            _ => error,
        }
    }
}

fn entry(tag: Tagged) -> TagEntry {
    TagEntry {
        digest: tag.digest.and_then(|digest| digest.parse().ok()),
        pushed_at: date(tag.last_update_time.as_deref()),
        lock: tag.changeable_attributes.and_then(Attributes::lock),
        ..TagEntry::named(tag.name)
    }
}
