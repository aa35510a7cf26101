//! Quay: its token server knows no `delete`, its catalogue shows what is one's own or public. The API at `/api/v1` lists a namespace with
//! dates, and deletes repositories, but takes OAuth application tokens only: robots use `/v2/`.
//!
//! Written from Quay's source and API description, tried against a fake only.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde::Deserialize;

use super::api::{Api, Keyed, lenient};
use super::provider::{Pages, Provider, Vendor};
use super::reports::quay as reports;
use super::{Place, facts};
use crate::credentials::Credential;
use crate::distribution::{Quirks, V2, error, json};
use crate::oci::{Digest, Repository, Tag, media_type, null_as_default};
use crate::registry::{Capabilities, Error, ErrorKind, Fact, Facts, Hold, Lock, Registry, Result, Scanned, Support, TagEntry};
use crate::transport::{Cursor, LIST_LIMIT, Login, Method};

const LIST: &str = "list the repositories of";
const TAGS: &str = "list the tags of";
const UNTAG: &str = "remove the tag";
const DELETE_REPOSITORY: &str = "delete the repository";
const REPORT: &str = "read the vulnerability report on";
/// The most that Quay puts on a page.
const PAGE: &str = "100";
/// A tag that was marked, or that a policy of its organisation or repository fits.
const IMMUTABLE: Lock = Lock::Held(Hold {
    why: "immutable in Quay",
    remedy: "make the tag mutable in Quay, or change the immutability policy of its repository or organisation",
});
/// The user name that goes with an OAuth application token.
const OAUTH: &str = "$oauthtoken";

pub(super) fn vendor() -> Vendor {
    let quirks = Quirks {
        page_size: 100,
        // `delete` is refused with 400
        delete_actions: &["*"],
        untag: Support::Native,
        delete: Support::Native,
        probe_tells: false,
        ..Quirks::default()
    };
    Vendor { quirks, open }
}

fn open(place: &Place) -> Result<Box<dyn Provider>> {
    let takes = |credential: &Credential| (credential.username() == Some(OAUTH)).then_some(Login::Bearer);
    Ok(Box::new(Quay { api: Api::beside(place, "/api", takes)?, namespace: place.namespace.clone() }))
}

struct Quay {
    api: Api,
    namespace: Option<String>,
}

#[derive(Deserialize)]
struct Repositories {
    #[serde(default, deserialize_with = "null_as_default")]
    repositories: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct Tags {
    #[serde(default, deserialize_with = "null_as_default")]
    tags: Vec<Tagged>,
}

#[derive(Deserialize)]
struct Tagged {
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    manifest_digest: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    is_manifest_list: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    size: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    start_ts: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    immutable: Option<bool>,
}

#[async_trait]
impl Provider for Quay {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        let list = if self.namespace.is_some() { Support::Api } else { v2.list };
        Capabilities { list, delete_repository: Support::Api, ..v2 }
    }

    async fn facts(&self, v2: &V2) -> Result<Facts> {
        let Some(namespace) = &self.namespace else {
            let hidden = || "a namespace in the entry: Quay's quotas and rules are an organisation's".to_owned();
            return Ok(Facts { storage: Fact::Hidden(hidden()), retention: Fact::Hidden(hidden()), ..Facts::default() });
        };
        facts::quay::read(&self.api, namespace.split('/').next().unwrap_or(namespace), v2.name()).await
    }

    fn repositories<'a>(&'a self, v2: &'a V2) -> Pages<'a, Repository> {
        let Some(namespace) = &self.namespace else { return v2.repositories() };
        let owner = namespace.split('/').next().unwrap_or(namespace);
        let first = self.api.request(Method::GET, "/v1/repository").query("namespace", owner);
        let cursor = Cursor::Token { at: "/next_page", parameter: "next_page" };
        let entries = |page: Repositories| {
            let full = page.repositories.into_iter().map(|listed| format!("{}/{}", listed.namespace, listed.name));
            full.filter_map(|key| Some(Keyed { value: key.parse().ok()?, key })).collect()
        };
        self.api.list(first, cursor, LIST, v2.name().to_owned(), entries)
    }

    fn tags<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, TagEntry>> {
        let first = self.api.request(Method::GET, &format!("/v1/repository/{repository}/tag/"));
        let first = first.query("onlyActiveTags", "true").query("limit", PAGE);
        let cursor = Cursor::Number { parameter: "page", more: Some("/has_additional") };
        let entries = |page: Tags| page.tags.into_iter().map(|tag| Keyed { key: tag.name.clone(), value: tag }).collect();
        let tags = self.api.list(first, cursor, TAGS, v2.subject(repository, ""), entries);
        Some(Box::pin(tags.map_ok(|page| page.into_iter().map(entry).collect())))
    }

    /// By tag since 2024; before that only the API could.
    async fn untag(&self, v2: &V2, repository: &Repository, tag: &Tag) -> Result<bool> {
        match v2.untag(repository, tag).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                let request = self.api.request(Method::DELETE, &format!("/v1/repository/{repository}/tag/{tag}"));
                self.api.delete(request, UNTAG, &v2.subject(repository, &format!(":{tag}"))).await
            }
            other => other,
        }
    }

    async fn delete_repository(&self, v2: &V2, repository: &Repository) -> Result<bool> {
        let request = self.api.request(Method::DELETE, &format!("/v1/repository/{repository}"));
        self.api.delete(request, DELETE_REPOSITORY, &v2.subject(repository, "")).await
    }

    async fn vulnerabilities(&self, v2: &V2, repository: &Repository, digest: &Digest) -> Result<Scanned> {
        let subject = v2.subject(repository, &format!("@{digest}"));
        let request = self.api.request(Method::GET, &format!("/v1/repository/{repository}/manifest/{digest}/security"));
        let answer = self.api.send(request.query("vulnerabilities", "true").limit(LIST_LIMIT), REPORT, &subject).await?;
        match answer.status.as_u16() {
            200..=299 => Ok(reports::read(json(&answer, REPORT, &subject)?)),
            // an index, of which Quay scans the images; or a Quay without a scanner
            404 => Ok(Scanned::Nothing("Quay has not scanned it, or shows no scan to this credential".into())),
            _ => Err(error(&answer, REPORT, subject)),
        }
    }

    fn judge(&self, error: Error) -> Error {
        match (error.kind(), error.code()) {
            (ErrorKind::Unsupported | ErrorKind::CredentialMissing, _) => error.remedy(format!(
                "Quay's API takes an OAuth application token with the scopes repo:read and repo:admin, under the user name {OAUTH}; \
                 robots can't use it"
            )),
            (ErrorKind::Denied, _) => error.remedy("the robot or application needs the permission Write or Admin on the repository"),
            (ErrorKind::Conflict, Some("TAG_IMMUTABLE")) => error.remedy("the tag is immutable; unlock it in Quay first"),
            _ => error,
        }
    }
}

fn entry(tag: Tagged) -> TagEntry {
    let index = tag.is_manifest_list == Some(true);
    TagEntry {
        digest: tag.manifest_digest.and_then(|digest| digest.parse().ok()),
        media_type: index.then(|| media_type::OCI_INDEX.to_owned()),
        size: tag.size.filter(|_| !index),
        pushed_at: tag.start_ts.and_then(|seconds| Timestamp::from_second(seconds).ok()),
        lock: tag.immutable.map(|immutable| if immutable { IMMUTABLE } else { Lock::Open }),
        ..TagEntry::named(tag.name)
    }
}
