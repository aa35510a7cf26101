//! The vendors: how they are recognised, and what they do differently.
//!
//! A vendor is [`Quirks`], a set of capabilities, and those few methods of `Provider` for which its own API is better than `/v2/`;
//! everything else is [`V2`]. How its API is signed in to, paged and repeated is data for `transport`: no file here loops over pages,
//! waits or sees a secret. What every vendor's calls have in common is in `api`; what follows from a vendor's order rules, and when
//! `/v2/` stands in for an API that doesn't take the credential, is in `remote`.
//!
//! What vendors' own scanners found is read in `reports`.
//!
//! All of them were written from the vendors' documentation and tried against fakes that behave as documented. Only distribution was tried
//! for real, and ECR's API against moto.

mod acr;
mod acs3;
mod alibaba;
mod api;
mod artifactory;
mod azure;
pub mod derived;
pub mod detect;
mod dockerhub;
mod ecr;
mod facts;
mod gar;
mod ghcr;
mod gitea;
mod gitlab;
mod harbor;
mod ionos;
pub mod look;
mod nexus;
mod provider;
mod quay;
pub mod rate_limit;
pub mod realm;
mod remote;
mod reports;
mod sigv4;
mod swr;
mod tc3;
mod tcr;
mod tencent;
mod zot;

use std::sync::Arc;

use url::Url;

use crate::distribution::{Quirks, V2};
use crate::registry::{Kind, Registry, Result};
use crate::transport::Client;

use provider::Vendor;
use remote::Remote;

/// Where a registry is and what is known of it.
pub struct Place {
    /// The way to it.
    pub client: Client,
    /// What people call it.
    pub name: String,
    /// Where the entry says that the vendor's own API is.
    pub api_address: Option<Url>,
    /// The part of the registry that the entry is for.
    pub namespace: Option<String>,
    /// The provider's region, where one is known.
    pub region: Option<String>,
}

/// A registry of this kind. Does nothing yet.
///
/// # Errors
/// When the address of the vendor's API is one that the credential must not be sent to.
pub fn open(kind: Kind, place: Place) -> Result<Arc<dyn Registry>> {
    let Some(vendor) = vendor(kind) else {
        return Ok(Arc::new(V2::new(place.client, place.name, Quirks::default())));
    };
    let provider = (vendor.open)(&place)?;
    let v2 = V2::new(place.client, place.name, vendor.quirks);
    Ok(Arc::new(Remote::new(v2, provider)))
}

fn vendor(kind: Kind) -> Option<Vendor> {
    match kind {
        Kind::Harbor => Some(harbor::vendor()),
        Kind::Dockerhub => Some(dockerhub::vendor()),
        Kind::Ghcr => Some(ghcr::vendor()),
        Kind::Quay => Some(quay::vendor()),
        Kind::Gitlab => Some(gitlab::vendor()),
        Kind::Azure => Some(azure::vendor()),
        Kind::Gar => Some(gar::vendor()),
        Kind::Ecr => Some(ecr::vendor()),
        Kind::Gitea => Some(gitea::vendor()),
        Kind::Zot => Some(zot::vendor()),
        Kind::Artifactory => Some(artifactory::vendor()),
        Kind::Nexus => Some(nexus::vendor()),
        Kind::Ionos => Some(ionos::vendor()),
        Kind::Swr => Some(swr::vendor()),
        Kind::Acr => Some(acr::vendor()),
        Kind::Tcr => Some(tcr::vendor()),
        Kind::Native => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Support;
    use crate::transport::Settings;

    fn place(address: &str) -> Place {
        let client = Client::new(Settings::new("v", address.parse().unwrap()));
        Place { client, name: "v".into(), api_address: None, namespace: None, region: None }
    }

    /// A vendor's API elsewhere gets the credential of that vendor's registry and of no other.
    #[test]
    fn whose_registries_have_their_api_on_a_known_host() {
        for (kind, address, known) in [
            (Kind::Dockerhub, "https://registry-1.docker.io", true),
            (Kind::Dockerhub, "https://mirror.example.com", false),
            (Kind::Dockerhub, "https://registry-1.docker.io.evil.example", false),
            (Kind::Ghcr, "https://ghcr.io", true),
            (Kind::Ghcr, "https://ghcr.io.evil.example", false),
            (Kind::Ghcr, "https://evilghcr.io", false),
            (Kind::Gar, "https://europe-west3-docker.pkg.dev", true),
            (Kind::Gar, "https://europe-west3-docker.pkg.dev.evil.example", false),
            (Kind::Ionos, "https://acme.cr.de-fra.ionos.com", true),
            (Kind::Ionos, "https://acme.cr.de-fra.ionos.com.evil.example", false),
            (Kind::Ionos, "https://evilionos.com", false),
            (Kind::Swr, "https://swr.cn-north-4.myhuaweicloud.com", true),
            (Kind::Swr, "https://swr.cn-north-4.evil.example", false),
            (Kind::Tcr, "https://acme.tencentcloudcr.com", true),
            (Kind::Tcr, "https://acme.tencentcloudcr.com.evil.example", false),
            (Kind::Tcr, "https://eviltencentcloudcr.com", false),
            (Kind::Acr, "https://registry.cn-hangzhou.aliyuncs.com", true),
            (Kind::Acr, "https://acme-registry.eu-central-1.cr.aliyuncs.com", true),
            (Kind::Acr, "https://registry.aliyuncs.com", false),
            (Kind::Acr, "https://crpi-x.cn-beijing.personal.cr.aliyuncs.com", false),
            (Kind::Acr, "https://acme-registry.eu-central-1.cr.aliyuncs.com.evil.example", false),
        ] {
            let registry = open(kind, place(address)).unwrap();
            let has_api = registry.capabilities().delete_repository == Support::Api;
            assert_eq!(has_api, known, "{kind} {address}");
        }
    }

    /// The scanners' APIs of vendors are on hosts of their own, which get the credential of that vendor's registries only.
    #[tokio::test]
    async fn scanners_are_not_asked_about_other_hosts() {
        let (repository, digest) = ("team/app".parse().unwrap(), crate::oci::Digest::sha256(b"image"));
        for (kind, address) in [
            (Kind::Gar, "https://europe-west3-docker.pkg.dev.invalid"),
            (Kind::Ionos, "https://acme.cr.de-fra.ionos.com.invalid"),
            (Kind::Ecr, "https://registry.invalid"),
            (Kind::Native, "https://registry.invalid"),
        ] {
            let registry = open(kind, place(address)).unwrap();
            let answer = registry.vulnerabilities(&repository, &digest).await;
            assert!(matches!(answer, Ok(crate::registry::Scanned::Nothing(_))), "{kind}: {answer:?}");
        }
    }

    #[test]
    fn every_kind_but_the_plain_one_is_a_vendor() {
        for kind in Kind::ALL {
            assert_eq!(vendor(*kind).is_some(), *kind != Kind::Native, "{kind}");
        }
    }

    #[test]
    fn an_api_without_https_is_refused() {
        let api_address = Some("http://hub.docker.com".parse().unwrap());
        let refused = open(Kind::Dockerhub, Place { api_address, ..place("https://registry-1.docker.io") });
        assert_eq!(refused.err().map(|error| error.kind()), Some(crate::registry::ErrorKind::Refused));
    }
}
