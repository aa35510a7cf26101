//! JFrog Artifactory: a tag is a folder of the storage behind the registry, and goes as one, like a whole image. `/v2/` deletes indexes.
//!
//! Written from JFrog's documentation and Harbor's adapter, tried against a fake only.

use async_trait::async_trait;
use futures_util::TryStreamExt;

use super::Place;
use super::api::Api;
use super::provider::{Pages, Provider, Vendor};
use crate::credentials::Credential;
use crate::distribution::{Quirks, V2};
use crate::oci::{Repository, Tag};
use crate::registry::{Capabilities, Error, ErrorKind, Registry, Result, Support, TagEntry};
use crate::transport::{Login, Method};

const UNTAG: &str = "remove the tag";
const DELETE_REPOSITORY: &str = "delete the repository";
/// Where the registry of one repository key is, below Artifactory.
const BY_KEY: &str = "/api/docker/";

pub(super) fn vendor() -> Vendor {
    let quirks = Quirks {
        list: Support::Native,
        untag: Support::Unsupported,
        delete: Support::Native,
        probe_tells: false,
        ..Quirks::default()
    };
    Vendor { quirks, open }
}

/// The storage is at `/artifactory` of the registry's host. The first part of a repository's name is the key, unless the address has it;
/// where the host's name has it, `api_address` says `https://HOST/artifactory/KEY`.
fn open(place: &Place) -> Result<Box<dyn Provider>> {
    let takes = |credential: &Credential| match credential {
        Credential::Basic { .. } => Some(Login::Basic),
        Credential::RegistryToken(_) | Credential::IdentityToken(_) => Some(Login::Bearer),
    };
    let base = place.client.base().path();
    let path = match base.split_once(BY_KEY) {
        Some((artifactory, key)) => format!("{artifactory}/{}", key.trim_end_matches('/')),
        None => "/artifactory".to_owned(),
    };
    Ok(Box::new(Artifactory { api: Api::beside(place, &path, takes)? }))
}

struct Artifactory {
    api: Api,
}

#[async_trait]
impl Provider for Artifactory {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        Capabilities { untag: Support::Api, delete_repository: Support::Api, ..v2 }
    }

    /// Manifests without a tag are listed under their digests (skopeo#2346).
    fn tags<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, TagEntry>> {
        let is_tag = |entry: &TagEntry| !entry.name.starts_with("sha256:") && !entry.name.starts_with("sha256__");
        Some(Box::pin(v2.tags(repository).map_ok(move |page| page.into_iter().filter(is_tag).collect())))
    }

    async fn untag(&self, v2: &V2, repository: &Repository, tag: &Tag) -> Result<bool> {
        let request = self.api.request(Method::DELETE, &format!("/{repository}/{tag}"));
        self.api.delete(request, UNTAG, &v2.subject(repository, &format!(":{tag}"))).await
    }

    async fn delete_repository(&self, v2: &V2, repository: &Repository) -> Result<bool> {
        let request = self.api.request(Method::DELETE, &format!("/{repository}"));
        self.api.delete(request, DELETE_REPOSITORY, &v2.subject(repository, "")).await
    }

    /// A tag's folder holds the manifest: with its last tag it is gone.
    fn wants_tags_gone_first(&self) -> bool {
        true
    }

    fn judge(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Denied => error.remedy("the user or token needs the permission Delete on the repository key; a remote or virtual one doesn't delete"),
            ErrorKind::Unsupported => error.remedy("Artifactory deletes on its storage address: --api-address https://HOST/artifactory, with the key after it if the host's name has it"),
            _ => error,
        }
    }
}
