//! The vendors: how they are recognised, and what they do differently.
//!
//! A vendor is [`Quirks`], a set of capabilities, and those few methods of `Provider` for which its own API is better than `/v2/`;
//! everything else is [`V2`]. How its API is signed in to, paged and repeated is data for `transport`: no file here loops over pages,
//! waits or sees a secret. What every vendor's calls have in common is in `api`; what follows from a vendor's order rules, and when
//! `/v2/` stands in for an API that doesn't take the credential, is in `remote`.
//!
//! All of them were written from the vendors' documentation and tried against fakes that behave as documented. Only distribution was tried
//! for real, and ECR's API against moto.

mod acr;
mod api;
mod artifactory;
mod azure;
pub mod derived;
pub mod detect;
mod dockerhub;
mod ecr;
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
mod sigv4;
mod swr;
mod tcr;
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
