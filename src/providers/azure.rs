//! Azure Container Registry: `/acr/v1` on the registry's own host, with the same tokens, takes a single tag or a whole repository away
//! and knows dates.
//!
//! Written from the API description of Azure's own tool, tried against a fake only.

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use serde::Deserialize;

use super::Place;
use super::api::{date, lenient};
use super::provider::{Pages, Provider, Vendor};
use crate::distribution::{Quirks, V2, error, json};
use crate::oci::{Repository, Tag, null_as_default};
use crate::registry::{Capabilities, Error, ErrorKind, Result, Support, TagEntry};
use crate::transport::{Answer, LIST_LIMIT, Listing, Method, Request, Scope, pages};

const TAGS: &str = "list the tags of";
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
}

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

#[async_trait]
impl Provider for Azure {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        Capabilities { untag: Support::Api, delete_repository: Support::Api, ..v2 }
    }

    fn tags<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, TagEntry>> {
        let subject = v2.subject(repository, "");
        let request: Request = v2.client().request(Method::GET, &format!("/acr/v1/{repository}/_tags"));
        let request = request.scope(Scope::repository(repository.as_str(), &["metadata_read"])).limit(LIST_LIMIT);
        let read = move |answer: &Answer| match answer.status.is_success() {
            true => json::<Tags>(answer, TAGS, &subject).map(|page| page.tags),
            false => Err(error(answer, TAGS, subject.as_str())),
        };
        let listing = Listing { request, page_size: Some(PAGE) };
        let tags = pages(v2.client(), listing, read, |tag: &Tagged| tag.name.as_str());
        Some(tags.map_ok(|page| page.into_iter().map(entry).collect()).boxed())
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
        ..TagEntry::named(tag.name)
    }
}
