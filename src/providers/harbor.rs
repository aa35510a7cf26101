//! Harbor 2: its `/api/v2.0` lists repositories to everybody who may see some, knows sizes, pushes and pulls, and takes away a single
//! tag, which its v2 API refuses. Harbor 1 has another API, which isn't used: there `/v2/` has to do.
//!
//! Written from Harbor's API description (`api/v2.0/swagger.yaml`) and tried against a fake only.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::api::{Api, Keyed, date, lenient};
use super::provider::{Pages, Provider, Vendor};
use super::reports::harbor::{self as reports, Reports};
use super::{Place, facts};
use crate::credentials::Credential;
use crate::distribution::{Quirks, V2, error, json};
use crate::oci::{Digest, Repository, Tag, media_type, null_as_default};
use crate::registry::{Capabilities, Error, ErrorKind, Facts, Hold, Lock, Ping, Registry, Result, Scanned, Support, TagEntry};
use crate::transport::header::HeaderName;
use crate::transport::{Cursor, LIST_LIMIT, Login, Method};

const LIST: &str = "list the repositories of";
const TAGS: &str = "list the tags of";
const MANIFESTS: &str = "list the manifests of";
const UNTAG: &str = "remove the tag";
const DELETE_REPOSITORY: &str = "delete the repository";
const REPORT: &str = "read the vulnerability report on";
/// The most that Harbor puts on a page.
const PAGE: &str = "100";
/// Where the version is told, by Harbor 2 and by Harbor 1.
const SYSTEM_INFO: [&str; 2] = ["/v2.0/systeminfo", "/systeminfo"];
/// What is left to do with Harbor 1, whose own way to delete a tag takes the others on its digest along.
const UPGRADE: &str = "with Harbor 1 only what /v2/ can do is possible: deleting by digest, and listing for administrators of the system or by \
                       the names that the entry has (regctl update NAME --repository); the rest takes Harbor 2";
/// What a project's rule of immutability does: such a tag is neither deleted nor moved.
const IMMUTABLE: Lock = Lock::Held(Hold {
    why: "immutable by a rule of the project in Harbor",
    remedy: "change the project's rules in Harbor: Policy, Tag Immutability",
});
/// Says in which form a report is wanted.
const ACCEPT_REPORT: HeaderName = HeaderName::from_static("x-accept-vulnerabilities");
/// Says that a project is meant by its name, also when that is a number.
pub(super) const BY_NAME: HeaderName = HeaderName::from_static("x-is-resource-name");

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
    let project = place.namespace.as_deref().and_then(|namespace| namespace.split('/').next()).map(str::to_owned);
    Ok(Box::new(Harbor { api: Api::beside(place, "/api", takes)?, project, generation: OnceCell::new() }))
}

struct Harbor {
    api: Api,
    /// The project that the entry is for.
    project: Option<String>,
    generation: OnceCell<Generation>,
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
        let subject = v2.subject(repository, "");
        Some(self.list(v2, self.api.list(first, cursor, operation, subject.clone(), entries), operation, subject))
    }

    /// What it says of itself, asked once.
    async fn generation(&self, v2: &V2) -> Result<&Generation> {
        let ask = async || {
            let [two, one] = SYSTEM_INFO;
            let (old, info) = match self.api.get::<SystemInfo>(two, "reach", v2.name()).await {
                Ok(info) => (false, info),
                Err(error) if is_elsewhere(error.kind()) => (true, self.api.get(one, "reach", v2.name()).await?),
                Err(error) => return Err(error),
            };
            Ok(Generation { old: old && info.is_harbor(), version: info.harbor_version })
        };
        self.generation.get_or_try_init(ask).await
    }

    /// Whether it is Harbor 1, found out only when something isn't where Harbor 2 has it. That nobody says is not remembered.
    async fn is_old(&self, v2: &V2) -> bool {
        self.generation(v2).await.is_ok_and(|generation| generation.old)
    }

    /// The error itself, unless it only means that this is Harbor 1.
    async fn explained(&self, v2: &V2, error: Error, operation: &'static str, subject: &str) -> Error {
        if is_elsewhere(error.kind()) && self.is_old(v2).await { old(operation, subject) } else { error }
    }

    /// The pages of a list. Those of Harbor 1 would be elsewhere.
    fn list<'a, T: Send + 'a>(
        &'a self,
        v2: &'a V2,
        mut pages: Pages<'a, T>,
        operation: &'static str,
        subject: String,
    ) -> Pages<'a, T> {
        Box::pin(async_stream::try_stream! {
            loop {
                match pages.try_next().await {
                    Ok(Some(page)) => yield page,
                    Ok(None) => break,
                    Err(error) => Err(self.explained(v2, error, operation, &subject).await)?,
                }
            }
        })
    }

    async fn delete(&self, v2: &V2, path: &str, operation: &'static str, subject: &str) -> Result<bool> {
        if self.generation.get().is_some_and(|generation| generation.old) {
            return Err(old(operation, subject));
        }
        let request = self.api.request(Method::DELETE, path).header(BY_NAME, "true");
        match self.api.delete(request, operation, subject).await {
            Ok(false) if self.is_old(v2).await => Err(old(operation, subject)),
            Err(error) => Err(self.explained(v2, error, operation, subject).await),
            other => other,
        }
    }
}

/// Whether an answer may mean that the API is not where it was looked for: some versions have a web page there.
fn is_elsewhere(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::Protocol)
}

/// What Harbor 1 can't do.
fn old(operation: &'static str, subject: &str) -> Error {
    Error::new(ErrorKind::Unsupported, operation, subject).because("this is Harbor 1, which has no /api/v2.0").remedy(UPGRADE)
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

/// Which Harbor it is.
struct Generation {
    /// Whether it is Harbor 1.
    old: bool,
    version: Option<String>,
}

#[derive(Deserialize)]
struct SystemInfo {
    #[serde(default, deserialize_with = "lenient")]
    harbor_version: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    auth_mode: Option<String>,
}

impl SystemInfo {
    /// Strangers are not told the version.
    fn is_harbor(&self) -> bool {
        self.harbor_version.is_some() || self.auth_mode.is_some()
    }
}

#[async_trait]
impl Provider for Harbor {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        match self.generation.get() {
            Some(Generation { old: true, .. }) => v2,
            _ => Capabilities { list: Support::Api, untag: Support::Api, delete_repository: Support::Api, ..v2 },
        }
    }

    async fn ping(&self, v2: &V2) -> Result<Ping> {
        let mut ping = v2.ping().await?;
        // worth a request, not worth a failure
        if let Ok(Generation { version: Some(version), .. }) = self.generation(v2).await {
            ping.version = Some(format!("Harbor {}", version.trim_start_matches('v')));
        }
        Ok(ping)
    }

    async fn facts(&self, v2: &V2) -> Result<Facts> {
        if self.is_old(v2).await {
            return Ok(facts::harbor::of_old());
        }
        facts::harbor::read(&self.api, self.project.as_deref(), v2.name()).await
    }

    fn repositories<'a>(&'a self, v2: &'a V2) -> Pages<'a, Repository> {
        let first = self.api.request(Method::GET, "/v2.0/repositories").query("page", "1").query("page_size", PAGE);
        let cursor = Cursor::Number { parameter: "page", more: None };
        let entries = |page: Vec<Listed>| {
            let names = page.into_iter().filter_map(|listed| Some((listed.name.parse().ok()?, listed.name)));
            names.map(|(value, key)| Keyed { key, value }).collect()
        };
        self.list(v2, self.api.list(first, cursor, LIST, v2.name().to_owned(), entries), LIST, v2.name().to_owned())
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
        self.delete(v2, &path, UNTAG, &v2.subject(repository, &format!(":{tag}"))).await
    }

    async fn delete_repository(&self, v2: &V2, repository: &Repository) -> Result<bool> {
        let Some(path) = path(repository) else { return v2.delete_repository(repository).await };
        self.delete(v2, &path, DELETE_REPOSITORY, &v2.subject(repository, "")).await
    }

    async fn vulnerabilities(&self, v2: &V2, repository: &Repository, digest: &Digest) -> Result<Scanned> {
        let Some(path) = path(repository) else { return v2.vulnerabilities(repository, digest).await };
        let subject = v2.subject(repository, &format!("@{digest}"));
        let request = self.api.request(Method::GET, &format!("{path}/artifacts/{digest}/additions/vulnerabilities"));
        let request = request.header(BY_NAME, "true").header(ACCEPT_REPORT, reports::ACCEPTED).limit(LIST_LIMIT);
        let answer = self.api.send(request, REPORT, &subject).await?;
        let report = match answer.status.as_u16() {
            200..=299 => reports::read(json::<Reports>(&answer, REPORT, &subject)?, digest),
            404 => None,
            _ => return Err(error(&answer, REPORT, subject)),
        };
        Ok(report.map_or_else(
            || Scanned::Nothing("Harbor has not scanned it, or shows no scan to this credential".into()),
            Scanned::Report,
        ))
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
