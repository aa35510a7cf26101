//! GitHub's container registry: its v2 API neither lists repositories nor deletes; GitHub's REST API does. A version of a package is a
//! digest there, so that there is no call to take one of several tags away.
//!
//! Written from GitHub's documentation of packages, tried against a fake only.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::Place;
use super::api::{Api, Keyed, date, escaped, lenient, nowhere};
use super::provider::{Pages, Provider, Vendor};
use crate::credentials::Credential;
use crate::distribution::{Quirks, V2};
use crate::oci::{Digest, Repository, Tag, null_as_default};
use crate::registry::{Capabilities, Error, ErrorKind, Registry, Result, Support, TagEntry};
use crate::transport::header::HeaderName;
use crate::transport::{Cursor, Login, Method, Request};

const LIST: &str = "list the repositories of";
const TAGS: &str = "list the tags of";
const MANIFESTS: &str = "list the manifests of";
const UNTAG: &str = "remove the tag";
const DELETE: &str = "delete";
const DELETE_REPOSITORY: &str = "delete the repository";
/// Where the API is for the registry's own host.
const ADDRESS: &str = "https://api.github.com";
const HOST: &str = "ghcr.io";
/// The most that GitHub puts on a page.
const PAGE: &str = "100";
const VERSION: HeaderName = HeaderName::from_static("x-github-api-version");

pub(super) fn vendor() -> Vendor {
    let quirks = Quirks {
        list: Support::Unsupported,
        untag: Support::Unsupported,
        delete: Support::Unsupported,
        referrers: Support::Emulated,
        probe_tells: false,
        no_delete: "GHCR deletes by GitHub's REST API only",
        ..Quirks::default()
    };
    Vendor { quirks, open }
}

fn open(place: &Place) -> Result<Box<dyn Provider>> {
    let takes = |credential: &Credential| matches!(credential, Credential::Basic { .. }).then_some(Login::Bearer);
    let api = Api::known(place, |host| host == HOST, ADDRESS, takes)?;
    Ok(Box::new(Ghcr { api, namespace: place.namespace.clone(), owner: OnceCell::new() }))
}

struct Ghcr {
    api: Option<Api>,
    namespace: Option<String>,
    /// The owner that was asked about last, and what it is. Commands are about one owner's packages.
    owner: OnceCell<(String, &'static str)>,
}

#[derive(Deserialize)]
struct Owner {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Deserialize)]
struct PackageVersion {
    id: u64,
    /// The digest.
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    created_at: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    updated_at: Option<String>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    container: Option<Container>,
}

#[derive(Deserialize)]
struct Container {
    #[serde(default, deserialize_with = "null_as_default")]
    tags: Vec<String>,
}

const CURSOR: Cursor = Cursor::Number { parameter: "page", more: None };

impl Ghcr {
    fn api(&self, v2: &V2, operation: &'static str, subject: &str) -> Result<&Api> {
        self.api.as_ref().ok_or_else(|| nowhere(operation, subject, v2.name()))
    }

    fn request(api: &Api, method: Method, path: &str) -> Request {
        api.request(method, path).header(VERSION, "2022-11-28")
    }

    /// `/orgs/O` or `/users/U`: packages of an organisation and of a person have different addresses.
    async fn owner(&self, api: &Api, name: &str, operation: &'static str, subject: &str) -> Result<String> {
        let ask = async || {
            let owner: Owner = api.get(&format!("/users/{name}"), operation, subject).await?;
            Ok::<_, Error>(if owner.kind == "Organization" { "orgs" } else { "users" })
        };
        let (known, kind) = self.owner.get_or_try_init(async || Ok::<_, Error>((name.to_owned(), ask().await?))).await?;
        let kind = if known == name { *kind } else { ask().await? };
        Ok(format!("/{kind}/{name}"))
    }

    /// The address of a repository's package.
    async fn package(&self, api: &Api, repository: &Repository, operation: &'static str, subject: &str) -> Result<String> {
        let (owner, name) = repository.as_str().split_once('/').ok_or_else(|| {
            Error::new(ErrorKind::NotFound, operation, subject)
                .because("on GHCR every repository belongs to a user or organisation: OWNER/NAME")
        })?;
        let owner = self.owner(api, owner, operation, subject).await?;
        Ok(format!("{owner}/packages/container/{}", escaped(name)))
    }

    fn versions<'a>(&'a self, v2: &'a V2, repository: &Repository, operation: &'static str) -> Pages<'a, PackageVersion> {
        let repository = repository.clone();
        Box::pin(async_stream::try_stream! {
            let subject = v2.subject(&repository, "");
            let api = self.api(v2, operation, &subject)?;
            let package = self.package(api, &repository, operation, &subject).await?;
            let first = Ghcr::request(api, Method::GET, &format!("{package}/versions")).query("per_page", PAGE);
            let entries = |page: Vec<PackageVersion>| {
                page.into_iter().map(|version| Keyed { key: version.id.to_string(), value: version }).collect()
            };
            for await page in api.list(first, CURSOR, operation, subject, entries) {
                yield page?;
            }
        })
    }

    async fn version_of(&self, v2: &V2, repository: &Repository, digest: &Digest) -> Result<Option<u64>> {
        let mut pages = self.versions(v2, repository, DELETE);
        while let Some(page) = pages.try_next().await? {
            if let Some(version) = page.iter().find(|version| version.name == digest.as_str()) {
                return Ok(Some(version.id));
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl Provider for Ghcr {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        match self.api {
            Some(_) => Capabilities { list: Support::Api, delete: Support::Api, delete_repository: Support::Api, ..v2 },
            None => v2,
        }
    }

    fn repositories<'a>(&'a self, v2: &'a V2) -> Pages<'a, Repository> {
        Box::pin(async_stream::try_stream! {
            let api = self.api(v2, LIST, v2.name())?;
            let owner = match &self.namespace {
                Some(namespace) => namespace.split('/').next().map(str::to_owned),
                None => v2.client().username().await?,
            };
            let owner = owner.ok_or_else(|| {
                Error::new(ErrorKind::Unsupported, LIST, v2.name())
                    .because("GitHub lists the packages of one user or organisation, and none is named")
                    .remedy(format!("regctl update {} --namespace OWNER, or sign in: regctl login {0}", v2.name()))
            })?;
            let path = self.owner(api, &owner, LIST, v2.name()).await?;
            let first = Ghcr::request(api, Method::GET, &format!("{path}/packages"));
            let first = first.query("package_type", "container").query("per_page", PAGE);
            let entries = move |page: Vec<Package>| {
                let full = page.into_iter().map(|package| format!("{owner}/{}", package.name).to_ascii_lowercase());
                full.filter_map(|key| Some(Keyed { value: key.parse().ok()?, key })).collect()
            };
            for await page in api.list(first, CURSOR, LIST, v2.name().to_owned(), entries) {
                yield page?;
            }
        })
    }

    fn manifests<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, Digest>> {
        let digests = |page: Vec<PackageVersion>| page.iter().filter_map(|version| version.name.parse().ok()).collect();
        Some(Box::pin(self.versions(v2, repository, MANIFESTS).map_ok(digests)))
    }

    fn tags<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, TagEntry>> {
        Some(Box::pin(self.versions(v2, repository, TAGS).map_ok(|page| page.into_iter().flat_map(tags_of).collect())))
    }

    async fn untag(&self, v2: &V2, repository: &Repository, tag: &Tag) -> Result<bool> {
        Err(Error::new(ErrorKind::Unsupported, UNTAG, v2.subject(repository, &format!(":{tag}")))
            .because("GitHub deletes versions, and a version is a manifest with all of its tags"))
    }

    async fn delete_manifest(&self, v2: &V2, repository: &Repository, digest: &Digest) -> Result<bool> {
        let subject = v2.subject(repository, &format!("@{digest}"));
        let api = self.api(v2, DELETE, &subject)?;
        let Some(version) = self.version_of(v2, repository, digest).await? else { return Ok(false) };
        let package = self.package(api, repository, DELETE, &subject).await?;
        let request = Ghcr::request(api, Method::DELETE, &format!("{package}/versions/{version}"));
        // GitHub keeps the last tagged version and much-used public ones, and says so with 400
        api.delete(request, DELETE, &subject).await.map_err(|error| match error.status() {
            Some(400) => error.means(ErrorKind::Conflict).remedy(format!(
                "GitHub keeps the last tagged version of a package; the whole package goes with: regctl repo delete {}",
                v2.subject(repository, "")
            )),
            _ => error,
        })
    }

    async fn delete_repository(&self, v2: &V2, repository: &Repository) -> Result<bool> {
        let subject = v2.subject(repository, "");
        let api = self.api(v2, DELETE_REPOSITORY, &subject)?;
        let package = self.package(api, repository, DELETE_REPOSITORY, &subject).await?;
        api.delete(Ghcr::request(api, Method::DELETE, &package), DELETE_REPOSITORY, &subject).await
    }

    fn judge(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Denied | ErrorKind::CredentialRefused | ErrorKind::CredentialMissing => error.remedy(
                "sign in with a classic personal access token that has the scopes read:packages and, to delete, delete:packages: regctl login",
            ),
            _ => error,
        }
    }
}

fn tags_of(version: PackageVersion) -> impl Iterator<Item = TagEntry> {
    let tags = version.metadata.and_then(|metadata| metadata.container).map(|container| container.tags).unwrap_or_default();
    let digest: Option<Digest> = version.name.parse().ok();
    let pushed_at = date(version.created_at.as_deref()).or(date(version.updated_at.as_deref()));
    tags.into_iter().map(move |name| TagEntry { digest: digest.clone(), pushed_at, ..TagEntry::named(name) })
}
