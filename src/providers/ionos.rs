//! IONOS Cloud: `/v2/` with the registry's own tokens, and an API at api.ionos.com that knows the registry by a number and takes the
//! contract's login or token, which is another credential: an entry has to choose.
//!
//! Written from the documentation of IONOS's SDK; what `/v2/` deletes is not documented and taken to be standard. Tried against a fake only.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::api::{Api, Keyed, date, escaped, lenient, nowhere};
use super::provider::{Pages, Provider, Vendor};
use super::reports::ionos::{self as reports, Vulnerabilities};
use super::{Place, facts};
use crate::credentials::Credential;
use crate::distribution::{Quirks, V2};
use crate::oci::{Digest, Repository, null_as_default};
use crate::registry::{
    Capabilities, Error, ErrorKind, Fact, Facts, Registry, Result, Scanned, Support, TagEntry, VulnerabilityReport,
};
use crate::transport::{Cursor, Login, Method};

const LIST: &str = "list the repositories of";
const TAGS: &str = "list the tags of";
const MANIFESTS: &str = "list the manifests of";
const DELETE_REPOSITORY: &str = "delete the repository";
const REPORT: &str = "read the vulnerability report on";
/// Where the API is for the registry's own hosts.
const ADDRESS: &str = "https://api.ionos.com/containerregistries";
/// The most that IONOS puts on a page.
const PAGE: &str = "100";

pub(super) fn vendor() -> Vendor {
    Vendor { quirks: Quirks::default(), open }
}

fn open(place: &Place) -> Result<Box<dyn Provider>> {
    let takes = |credential: &Credential| match credential {
        Credential::Basic { .. } => Some(Login::Basic),
        Credential::RegistryToken(_) | Credential::IdentityToken(_) => Some(Login::Bearer),
    };
    let api = Api::known(place, |host| host.ends_with(".ionos.com"), ADDRESS, takes)?;
    Ok(Box::new(Ionos { api, id: OnceCell::new() }))
}

struct Ionos {
    api: Option<Api>,
    /// The registry's number.
    id: OnceCell<String>,
}

#[derive(Deserialize)]
struct Items<T> {
    #[serde(default = "Vec::new")]
    items: Vec<T>,
}

#[derive(Deserialize)]
struct Found {
    id: String,
    properties: FoundProperties,
}

#[derive(Deserialize)]
struct FoundProperties {
    #[serde(default, deserialize_with = "lenient")]
    hostname: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    properties: Named,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Artifact {
    properties: ArtifactProperties,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactProperties {
    digest: String,
    #[serde(default, deserialize_with = "null_as_default")]
    tags: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    media_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default, deserialize_with = "lenient")]
    last_pushed_at: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    last_pulled_at: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    last_scanned_at: Option<String>,
}

const OFFSET: Cursor = Cursor::Offset("offset");

impl Ionos {
    /// The API, and where the registry is in it: the one that has this registry's host.
    async fn registry(&self, v2: &V2, operation: &'static str) -> Result<(&Api, &str)> {
        let api = self.api.as_ref().ok_or_else(|| nowhere(operation, v2.name(), v2.name()))?;
        let find = async || {
            let base = v2.client().base();
            let host = base.host_str().unwrap_or_default();
            let host = base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
            let first = api.request(Method::GET, "/registries").query("limit", PAGE);
            let cursor = Cursor::Token { at: "/metadata/next", parameter: "pagination.token" };
            let entries =
                |page: Items<Found>| page.items.into_iter().map(|found| Keyed { key: found.id.clone(), value: found }).collect();
            let mut pages = api.list(first, cursor, operation, v2.name().to_owned(), entries);
            while let Some(page) = pages.try_next().await? {
                if let Some(found) = page.into_iter().find(|found| found.properties.hostname.as_deref() == Some(host.as_str())) {
                    return Ok(found.id);
                }
            }
            Err(Error::new(ErrorKind::Denied, operation, v2.name())
                .because(format!("IONOS shows this credential no registry at {host}")))
        };
        let id = self.id.get_or_try_init(find).await?;
        Ok((api, id))
    }

    fn artifacts<'a>(&'a self, v2: &'a V2, repository: &Repository, operation: &'static str) -> Pages<'a, Artifact> {
        let repository = repository.clone();
        Box::pin(async_stream::try_stream! {
            let (api, id) = self.registry(v2, operation).await?;
            let path = format!("/registries/{id}/repositories/{}/artifacts", escaped(repository.as_str()));
            let first = api.request(Method::GET, &path).query("limit", PAGE);
            let entries = |page: Items<Artifact>| {
                page.items.into_iter().map(|artifact| Keyed { key: artifact.properties.digest.clone(), value: artifact }).collect()
            };
            for await page in api.list(first, OFFSET, operation, v2.subject(&repository, ""), entries) {
                yield page?;
            }
        })
    }
}

#[async_trait]
impl Provider for Ionos {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        match self.api {
            Some(_) => Capabilities { list: Support::Api, delete_repository: Support::Api, ..v2 },
            None => v2,
        }
    }

    async fn facts(&self, v2: &V2) -> Result<Facts> {
        let described = async {
            let (api, id) = self.registry(v2, facts::OPERATION).await?;
            api.get(&format!("/registries/{id}"), facts::OPERATION, v2.name()).await
        };
        Ok(match facts::fact(described.await, facts::ionos::NEEDS)? {
            Fact::Told(described) => facts::ionos::of(described),
            Fact::Hidden(needs) => {
                Facts { storage: Fact::Hidden(needs.clone()), garbage_collection: Fact::Hidden(needs), ..Facts::default() }
            }
            Fact::Untold => Facts::default(),
        })
    }

    fn repositories<'a>(&'a self, v2: &'a V2) -> Pages<'a, Repository> {
        Box::pin(async_stream::try_stream! {
            let (api, id) = self.registry(v2, LIST).await?;
            let first = api.request(Method::GET, &format!("/registries/{id}/repositories")).query("limit", PAGE);
            let entries = |page: Items<Listed>| {
                let names = page.items.into_iter().map(|listed| listed.properties.name);
                names.filter_map(|key| Some(Keyed { value: key.parse().ok()?, key })).collect()
            };
            for await page in api.list(first, OFFSET, LIST, v2.name().to_owned(), entries) {
                yield page?;
            }
        })
    }

    fn tags<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, TagEntry>> {
        let artifacts = self.artifacts(v2, repository, TAGS);
        Some(Box::pin(artifacts.map_ok(|page| page.into_iter().flat_map(tags_of).collect())))
    }

    fn manifests<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, Digest>> {
        self.api.as_ref()?;
        let artifacts = self.artifacts(v2, repository, MANIFESTS);
        let digests = |page: Vec<Artifact>| page.iter().filter_map(|artifact| artifact.properties.digest.parse().ok()).collect();
        Some(Box::pin(artifacts.map_ok(digests)))
    }

    async fn delete_repository(&self, v2: &V2, repository: &Repository) -> Result<bool> {
        let (api, id) = self.registry(v2, DELETE_REPOSITORY).await?;
        let path = format!("/registries/{id}/repositories/{}", escaped(repository.as_str()));
        api.delete(api.request(Method::DELETE, &path), DELETE_REPOSITORY, &v2.subject(repository, "")).await
    }

    async fn vulnerabilities(&self, v2: &V2, repository: &Repository, digest: &Digest) -> Result<Scanned> {
        if self.api.is_none() {
            return Ok(Scanned::Nothing("on this host it isn't known where IONOS's API is (regctl update --api-address)".into()));
        }
        let (api, id) = self.registry(v2, REPORT).await?;
        let path = format!("/registries/{id}/repositories/{}/artifacts/{digest}", escaped(repository.as_str()));
        let subject = v2.subject(repository, &format!("@{digest}"));
        let nothing = || Ok(Scanned::Nothing("IONOS has not scanned it".into()));
        let artifact: Artifact = match api.get(&path, REPORT, &subject).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return nothing(),
            other => other?,
        };
        let Some(scanned_at) = artifact.metadata.and_then(|metadata| date(metadata.last_scanned_at.as_deref())) else {
            return nothing();
        };
        let first = api.request(Method::GET, &format!("{path}/vulnerabilities")).query("limit", PAGE);
        let entries =
            |page: Vulnerabilities| page.items.into_iter().map(|found| Keyed { key: found.id.clone(), value: found }).collect();
        let found: Vec<Vec<_>> = api.list(first, OFFSET, REPORT, subject, entries).try_collect().await?;
        let found = found.into_iter().flatten().flat_map(reports::findings).collect();
        Ok(Scanned::Report(VulnerabilityReport::new(Some("IONOS".into()), Some(scanned_at), found)))
    }

    fn judge(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Denied | ErrorKind::CredentialRefused | ErrorKind::CredentialMissing => error.remedy(
                "IONOS's API takes the contract's user name and password or an API token, not a registry token; keep it in an entry of its own",
            ),
            _ => error,
        }
    }
}

fn tags_of(artifact: Artifact) -> impl Iterator<Item = TagEntry> {
    let Artifact { properties: ArtifactProperties { digest, tags, media_type }, metadata } = artifact;
    let (pushed_at, pulled_at) = metadata
        .map_or((None, None), |metadata| (date(metadata.last_pushed_at.as_deref()), date(metadata.last_pulled_at.as_deref())));
    tags.into_iter().map(move |name| TagEntry {
        digest: digest.parse().ok(),
        media_type: media_type.clone(),
        pushed_at,
        pulled_at,
        ..TagEntry::named(name)
    })
}
