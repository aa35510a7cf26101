//! GitLab's registry: `/v2/` takes tags and manifests away, lists repositories for administrators only, and knows no deleting of
//! repositories. GitLab itself does, at `/api/v4` of the host that gives the tokens.
//!
//! Written from GitLab's documentation, tried against a fake only.

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use regex::Regex;
use serde::Deserialize;
use tokio::sync::OnceCell;
use url::Url;

use super::api::{Api, Keyed, escaped, lenient, nowhere};
use super::provider::{Pages, Provider, Vendor};
use super::{Place, facts};
use crate::credentials::Credential;
use crate::distribution::{Quirks, V2};
use crate::oci::Repository;
use crate::registry::{
    Capabilities, Error, ErrorKind, Fact, Facts, Hold, Lock, Locks, Registry, Result, Retention, Storage, Support,
};
use crate::transport::header::HeaderName;
use crate::transport::{Cursor, Login, Method, Owner};

const LIST: &str = "list the repositories of";
const LOCKS: &str = "see what is locked in";
const DELETE_REPOSITORY: &str = "delete the repository";
/// What a rule does that names no role which may change the tags that it fits.
const IMMUTABLE: Lock = Lock::Held(Hold {
    why: "immutable by a rule of the project in GitLab",
    remedy: "delete the project's rule in GitLab: Settings, Packages and registries, Container registry",
});
/// The most that GitLab puts on a page.
const PAGE: &str = "100";
/// An image may be so many parts below its project: `group/project/a/b`.
const DEEPEST_IMAGE: usize = 2;
/// The user name of job tokens, which go into a header of their own.
const JOB: &str = "gitlab-ci-token";
const PRIVATE_TOKEN: HeaderName = HeaderName::from_static("private-token");
const JOB_TOKEN: HeaderName = HeaderName::from_static("job-token");

pub(super) fn vendor() -> Vendor {
    let quirks = Quirks { untag: Support::Native, delete: Support::Native, probe_tells: false, ..Quirks::default() };
    Vendor { quirks, open }
}

fn open(place: &Place) -> Result<Box<dyn Provider>> {
    Ok(Box::new(Gitlab { api_address: place.api_address.clone(), namespace: place.namespace.clone(), api: OnceCell::new() }))
}

fn takes(credential: &Credential) -> Option<Login> {
    let username = credential.username()?;
    Some(Login::Header(if username == JOB { JOB_TOKEN } else { PRIVATE_TOKEN }))
}

struct Gitlab {
    api_address: Option<Url>,
    namespace: Option<String>,
    api: OnceCell<Api>,
}

#[derive(Deserialize)]
struct Project {
    id: u64,
}

#[derive(Deserialize)]
struct Listed {
    id: u64,
    project_id: u64,
    path: String,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
}

/// A rule that protects tags. GitLab has two kinds: one names the roles that may change a tag, the other none.
#[derive(Deserialize)]
struct Rule {
    tag_name_pattern: String,
    #[serde(default)]
    minimum_access_level_for_push: Option<String>,
    #[serde(default)]
    minimum_access_level_for_delete: Option<String>,
}

impl Rule {
    /// Which role somebody has is not known here, so a rule that asks for one is left to the server. An expression that can't be read
    /// here could fit any tag.
    fn lock(self) -> Option<(Option<Regex>, Lock)> {
        let for_nobody = self.minimum_access_level_for_push.is_none() && self.minimum_access_level_for_delete.is_none();
        for_nobody.then(|| (Regex::new(&self.tag_name_pattern).ok(), IMMUTABLE))
    }
}

const CURSOR: Cursor = Cursor::Number { parameter: "page", more: None };

impl Gitlab {
    /// GitLab is where the registry's tokens come from, if that is a host that may be told the credential.
    async fn api(&self, v2: &V2, operation: &'static str) -> Result<&Api> {
        let make = async || {
            let base = match &self.api_address {
                Some(base) => base.clone(),
                None => {
                    let mut base = v2.client().token_server().await?.ok_or_else(|| nowhere(operation, v2.name(), v2.name()))?;
                    base.set_path("/api");
                    base.set_query(None);
                    base
                }
            };
            Api::new(v2.client(), base, takes, Owner::Registry)
        };
        self.api.get_or_try_init(make).await
    }

    /// The registry repositories of a group or project, which have the same shape.
    fn listed<'a>(api: &'a Api, of: &str, subject: String, operation: &'static str) -> Pages<'a, Listed> {
        let first = api.request(Method::GET, &format!("/v4/{of}/registry/repositories")).query("per_page", PAGE);
        let entries =
            |page: Vec<Listed>| page.into_iter().map(|listed| Keyed { key: listed.id.to_string(), value: listed }).collect();
        api.list(first, CURSOR, operation, subject, entries)
    }

    /// The repositories of a namespace, which is a group or a project.
    async fn of_namespace(&self, v2: &V2, namespace: &str) -> Result<Vec<Listed>> {
        let api = self.api(v2, facts::OPERATION).await?;
        let of = |kind: &str| {
            Gitlab::listed(api, &format!("{kind}/{}", escaped(namespace)), v2.name().to_owned(), facts::OPERATION).try_concat()
        };
        match of("groups").await {
            Err(error) if error.kind() == ErrorKind::NotFound => of("projects").await,
            other => other,
        }
    }

    async fn sizes(&self, v2: &V2, listed: &[Listed]) -> Result<Vec<Storage>> {
        let api = self.api(v2, facts::OPERATION).await?;
        let ids: Vec<u64> = listed.iter().map(|listed| listed.id).collect();
        let asked = stream::iter(ids).map(|id| async move {
            let request = api.request(Method::GET, &format!("/v4/registry/repositories/{id}")).query("size", "true");
            let sized: facts::gitlab::Sized = api.read(request, facts::OPERATION, v2.name()).await?;
            Ok(Storage::used(sized.path, sized.size))
        });
        asked.buffered(v2.concurrency().max(1)).try_collect().await
    }

    async fn policies(&self, v2: &V2, listed: &[Listed]) -> Result<Vec<Retention>> {
        let api = self.api(v2, facts::OPERATION).await?;
        let projects: BTreeSet<u64> = listed.iter().map(|listed| listed.project_id).collect();
        let asked = stream::iter(projects).map(|id| async move {
            let project: facts::gitlab::Project = api.get(&format!("/v4/projects/{id}"), facts::OPERATION, v2.name()).await?;
            Ok(project.retention())
        });
        asked.buffered(v2.concurrency().max(1)).try_filter_map(|policy| std::future::ready(Ok(policy))).try_collect().await
    }

    /// A repository as GitLab knows it. Nothing in its name says where the project's ends, so the possible ones are asked.
    async fn find(&self, v2: &V2, repository: &Repository, operation: &'static str) -> Result<Option<Listed>> {
        let api = self.api(v2, operation).await?;
        let parts: Vec<&str> = repository.as_str().split('/').collect();
        let shallowest = parts.len().saturating_sub(DEEPEST_IMAGE).max(2);
        for length in (shallowest..=parts.len()).rev() {
            let project = format!("projects/{}", escaped(&parts[..length].join("/")));
            let mut pages = Gitlab::listed(api, &project, v2.subject(repository, ""), operation);
            loop {
                match pages.try_next().await {
                    Ok(Some(page)) => {
                        if let Some(found) = page.into_iter().find(|listed| listed.path == repository.as_str()) {
                            return Ok(Some(found));
                        }
                    }
                    Ok(None) => break,
                    Err(error) if error.kind() == ErrorKind::NotFound => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(None)
    }
}

fn names(page: Vec<Listed>) -> Vec<Repository> {
    page.into_iter().filter_map(|listed| listed.path.parse().ok()).collect()
}

#[async_trait]
impl Provider for Gitlab {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        // with no namespace each project that one is a member of is asked
        let list = if self.namespace.is_some() { Support::Api } else { Support::Emulated };
        Capabilities { list, delete_repository: Support::Api, ..v2 }
    }

    async fn facts(&self, v2: &V2) -> Result<Facts> {
        let listed = match &self.namespace {
            Some(namespace) => facts::fact(self.of_namespace(v2, namespace).await, facts::gitlab::NEEDS)?,
            None => Fact::Hidden(facts::gitlab::ONE_NAMESPACE.to_owned()),
        };
        let mut listed = match listed {
            Fact::Told(listed) => listed,
            Fact::Untold => return Ok(Facts::default()),
            Fact::Hidden(needs) => {
                return Ok(Facts { storage: Fact::Hidden(needs.clone()), retention: Fact::Hidden(needs), ..Facts::default() });
            }
        };
        let first_repositories = (listed.len() > facts::MOST).then_some(facts::MOST);
        listed.truncate(facts::MOST);
        let (sizes, policies) = futures_util::join!(self.sizes(v2, &listed), self.policies(v2, &listed));
        let storage = facts::fact(sizes, facts::gitlab::NEEDS)?;
        Ok(Facts { storage, retention: facts::fact(policies, facts::gitlab::NEEDS)?, first_repositories, ..Facts::default() })
    }

    fn repositories<'a>(&'a self, v2: &'a V2) -> Pages<'a, Repository> {
        Box::pin(async_stream::try_stream! {
            let api = self.api(v2, LIST).await?;
            if let Some(namespace) = &self.namespace {
                let mut found = false;
                for kind in ["groups", "projects"] {
                    let mut pages = Gitlab::listed(api, &format!("{kind}/{}", escaped(namespace)), v2.name().to_owned(), LIST);
                    loop {
                        match pages.try_next().await {
                            Ok(Some(page)) => yield names(page),
                            Ok(None) => {
                                found = true;
                                break;
                            }
                            // a namespace is a group or a project
                            Err(error) if error.kind() == ErrorKind::NotFound => break,
                            Err(error) => Err(error)?,
                        }
                    }
                    if found {
                        break;
                    }
                }
                if !found {
                    Err(Error::new(ErrorKind::NotFound, LIST, v2.name())
                        .because(format!("GitLab shows no group or project {namespace} to this credential")))?;
                }
            } else if v2.client().username().await?.is_none() {
                // GitLab would show a stranger's projects: none
                Err(Error::new(ErrorKind::CredentialMissing, LIST, v2.name())
                    .because("GitLab lists the registries of a group, or of the projects of whoever is signed in"))?;
            } else {
                let first = api.request(Method::GET, "/v4/projects");
                let first = first.query("membership", "true").query("simple", "true").query("per_page", PAGE);
                let entries =
                    |page: Vec<Project>| page.into_iter().map(|project| Keyed { key: project.id.to_string(), value: project }).collect();
                for await projects in api.list(first, CURSOR, LIST, v2.name().to_owned(), entries) {
                    for Project { id } in projects? {
                        let mut pages = Gitlab::listed(api, &format!("projects/{id}"), v2.name().to_owned(), LIST);
                        loop {
                            match pages.try_next().await {
                                Ok(Some(page)) => yield names(page),
                                Ok(None) => break,
                                // a project without a registry
                                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Denied) => break,
                                Err(error) => Err(error)?,
                            }
                        }
                    }
                }
            }
        })
    }

    /// Rules are the project's, and older versions have none.
    async fn locks(&self, v2: &V2, repository: &Repository, _manifests: bool) -> Result<Locks> {
        let Some(found) = self.find(v2, repository, LOCKS).await? else { return Ok(Locks::default()) };
        let api = self.api(v2, LOCKS).await?;
        let path = format!("/v4/projects/{}/registry/protection/tag/rules", found.project_id);
        let rules: Vec<Rule> = api.get(&path, LOCKS, &v2.subject(repository, "")).await?;
        Ok(Locks { tags: rules.into_iter().filter_map(Rule::lock).collect(), ..Locks::default() })
    }

    /// GitLab does it later; until then the repository is there and marked.
    async fn delete_repository(&self, v2: &V2, repository: &Repository) -> Result<bool> {
        let subject = v2.subject(repository, "");
        let Some(found) = self.find(v2, repository, DELETE_REPOSITORY).await? else { return Ok(false) };
        if matches!(found.status.as_deref(), Some("delete_scheduled" | "delete_ongoing")) {
            return Ok(true);
        }
        let api = self.api(v2, DELETE_REPOSITORY).await?;
        let path = format!("/v4/projects/{}/registry/repositories/{}", found.project_id, found.id);
        api.delete(api.request(Method::DELETE, &path), DELETE_REPOSITORY, &subject).await
    }

    fn judge(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Denied | ErrorKind::CredentialRefused | ErrorKind::CredentialMissing | ErrorKind::Unsupported => error.remedy(
                "sign in with a personal, group or project access token that has the scope api (to list: read_api) and the role Maintainer; \
                 deploy tokens are for /v2/ only",
            ),
            ErrorKind::Conflict => error.remedy("a protection rule of the project holds the tag: Settings, Packages and registries"),
            _ => error,
        }
    }
}
