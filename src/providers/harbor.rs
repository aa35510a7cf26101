//! Harbor 2: its `/api/v2.0` lists repositories to everybody who may see some, knows sizes, pushes and pulls, and takes away a single
//! tag, which its v2 API refuses.
//!
//! Written from Harbor's API description (`api/v2.0/swagger.yaml`) and tried against a fake only.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use serde::Deserialize;

use super::Place;
use super::api::{Api, Keyed, date, lenient};
use super::provider::{Pages, Provider, Vendor};
use crate::credentials::Credential;
use crate::distribution::{Quirks, V2};
use crate::oci::{Digest, Repository, Tag, media_type, null_as_default};
use crate::registry::{Capabilities, Error, ErrorKind, Hold, Lock, Ping, Registry, Result, Support, TagEntry};
use crate::transport::header::HeaderName;
use crate::transport::{Cursor, Login, Method, Request};

const LIST: &str = "list the repositories of";
const TAGS: &str = "list the tags of";
const MANIFESTS: &str = "list the manifests of";
const UNTAG: &str = "remove the tag";
const DELETE_REPOSITORY: &str = "delete the repository";
/// The most that Harbor puts on a page.
const PAGE: &str = "100";
/// What a project's rule of immutability does: such a tag is neither deleted nor moved.
const IMMUTABLE: Lock = Lock::Held(Hold {
    why: "immutable by a rule of the project in Harbor",
    remedy: "change the project's rules in Harbor: Policy, Tag Immutability",
});
/// Says that a project is meant by its name, also when that is a number.
const BY_NAME: HeaderName = HeaderName::from_static("x-is-resource-name");

pub(super) fn vendor() -> Vendor {
    let quirks = Quirks {
        // by tag it would be refused (400)
        untag: Support::Unsupported,
        delete: Support::Native,
        probe_tells: false,
        no_delete: "this project doesn't delete: Harbor may be read-only",
        ..Quirks::default()
    };
    Vendor { quirks, open }
}

/// The API stands at `/api` of the registry's host and takes the same users and robots.
fn open(place: &Place) -> Result<Box<dyn Provider>> {
    let takes = |credential: &Credential| matches!(credential, Credential::Basic { .. }).then_some(Login::Basic);
    Ok(Box::new(Harbor { api: Api::beside(place, "/api", takes)? }))
}

struct Harbor {
    api: Api,
}

impl Harbor {
    fn artifacts<'a>(&'a self, v2: &'a V2, repository: &Repository, operation: &'static str) -> Option<Pages<'a, Artifact>> {
        let path = path(repository)?;
        let first = self.api.request(Method::GET, &format!("{path}/artifacts")).header(BY_NAME, "true");
        // without the second, Harbor says of every tag that it is not immutable
        let first = first.query("with_tag", "true").query("with_immutable_status", "true");
        let first = first.query("page", "1").query("page_size", PAGE);
        let cursor = Cursor::Number { parameter: "page", more: None };
        let entries = |page: Vec<Artifact>| page.into_iter().map(|value| Keyed { key: value.digest.clone(), value }).collect();
        Some(self.api.list(first, cursor, operation, v2.subject(repository, ""), entries))
    }

    fn deletion(&self, path: &str) -> Request {
        self.api.request(Method::DELETE, path).header(BY_NAME, "true")
    }
}

#[derive(Deserialize)]
struct Listed {
    name: String,
}

#[derive(Deserialize)]
struct Artifact {
    digest: String,
    #[serde(default, deserialize_with = "lenient")]
    size: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    manifest_media_type: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    push_time: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pull_time: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    tags: Vec<Tagged>,
}

#[derive(Deserialize)]
struct Tagged {
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    push_time: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pull_time: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    immutable: Option<bool>,
}

#[derive(Deserialize)]
struct SystemInfo {
    #[serde(default, deserialize_with = "lenient")]
    harbor_version: Option<String>,
}

#[async_trait]
impl Provider for Harbor {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        Capabilities { list: Support::Api, untag: Support::Api, delete_repository: Support::Api, ..v2 }
    }

    async fn ping(&self, v2: &V2) -> Result<Ping> {
        let mut ping = v2.ping().await?;
        // worth a request, not worth a failure
        if let Ok(SystemInfo { harbor_version: Some(version) }) = self.api.get("/v2.0/systeminfo", "reach", v2.name()).await {
            ping.version = Some(format!("Harbor {}", version.trim_start_matches('v')));
        }
        Ok(ping)
    }

    fn repositories<'a>(&'a self, v2: &'a V2) -> Pages<'a, Repository> {
        let first = self.api.request(Method::GET, "/v2.0/repositories").query("page", "1").query("page_size", PAGE);
        let cursor = Cursor::Number { parameter: "page", more: None };
        let entries = |page: Vec<Listed>| {
            let names = page.into_iter().filter_map(|listed| Some((listed.name.parse().ok()?, listed.name)));
            names.map(|(value, key)| Keyed { key, value }).collect()
        };
        self.api.list(first, cursor, LIST, v2.name().to_owned(), entries)
    }

    fn tags<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, TagEntry>> {
        let artifacts = self.artifacts(v2, repository, TAGS)?;
        Some(Box::pin(artifacts.map_ok(|page| page.into_iter().flat_map(tags_of).collect())))
    }

    /// Those that an index lists are left to it.
    fn manifests<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, Digest>> {
        let artifacts = self.artifacts(v2, repository, MANIFESTS)?;
        Some(Box::pin(artifacts.map_ok(|page| page.iter().filter_map(|artifact| artifact.digest.parse().ok()).collect())))
    }

    async fn untag(&self, v2: &V2, repository: &Repository, tag: &Tag) -> Result<bool> {
        let Some(path) = path(repository) else { return v2.untag(repository, tag).await };
        // the tag stands twice: which artifact, and which of its tags
        let path = format!("{path}/artifacts/{tag}/tags/{tag}");
        self.api.delete(self.deletion(&path), UNTAG, &v2.subject(repository, &format!(":{tag}"))).await
    }

    async fn delete_repository(&self, v2: &V2, repository: &Repository) -> Result<bool> {
        let Some(path) = path(repository) else { return v2.delete_repository(repository).await };
        self.api.delete(self.deletion(&path), DELETE_REPOSITORY, &v2.subject(repository, "")).await
    }

    fn judge(&self, error: Error) -> Error {
        match (error.kind(), error.status()) {
            (ErrorKind::Conflict, Some(412)) => error.remedy(
                "an immutability rule of the project holds the tag, or an index lists the manifest: see the project's policies in Harbor, \
                 and delete indexes before what they list",
            ),
            (ErrorKind::Denied, _) => {
                error.remedy("the user or robot needs the permissions to list, and to delete tags, artifacts or repositories in this project")
            }
            _ => error,
        }
    }
}

/// `/projects/P/repositories/R`. A name below the project has its slashes escaped twice, because a proxy in between unescapes once. Harbor
/// has no repository outside of a project.
fn path(repository: &Repository) -> Option<String> {
    let (project, name) = repository.as_str().split_once('/')?;
    Some(format!("/v2.0/projects/{project}/repositories/{}", name.replace('/', "%252F")))
}

fn tags_of(artifact: Artifact) -> impl Iterator<Item = TagEntry> {
    let Artifact { digest, size, manifest_media_type, push_time, pull_time, tags } = artifact;
    tags.into_iter().map(move |tag| TagEntry {
        digest: digest.parse().ok(),
        media_type: manifest_media_type.clone(),
        // what Harbor counts for an index is not what one pull costs
        size: size.filter(|_| manifest_media_type.as_deref().is_some_and(media_type::is_image)),
        pushed_at: date(tag.push_time.as_deref()).or(date(push_time.as_deref())),
        pulled_at: date(tag.pull_time.as_deref()).or(date(pull_time.as_deref())),
        lock: tag.immutable.map(|immutable| if immutable { IMMUTABLE } else { Lock::Open }),
        ..TagEntry::named(tag.name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_a_project_are_escaped_twice() {
        let path = |name: &str| path(&name.parse().unwrap());
        assert_eq!(path("team/app").as_deref(), Some("/v2.0/projects/team/repositories/app"));
        assert_eq!(path("team/a/b/c").as_deref(), Some("/v2.0/projects/team/repositories/a%252Fb%252Fc"));
        assert_eq!(path("app"), None);
    }
}
