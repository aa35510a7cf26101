//! Credentials that are made of those that people keep: a login at Huawei's SWR, a token for Amazon's ECR, and passwords for Tencent's TCR and
//! Alibaba's registry, each of access keys; and an access token for Google's API of a service account's key.
//!
//! What is made lives in memory, for one run. It is never written over the keys: whoever stores a token that ends tonight in place of the
//! keys that make tokens has lost them (Zadig does so when an entry is changed).

pub(super) mod acr;
pub(super) mod ecr;
pub(super) mod google;
pub(super) mod swr;
pub(super) mod tcr;
mod temporary;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

pub use ecr::ECR_USER;

use super::Place;
use crate::credentials::{Credential, Found, Source, Unavailable};
use crate::registry::Kind;
use crate::transport::{Client, Exchange, Settings};

/// What turns the kept credential of such a registry into the one that it takes; `None` for those that take it as it is.
pub fn exchange(kind: Kind, region: Option<&str>, settings: &Settings) -> Option<Arc<dyn Exchange>> {
    match kind {
        Kind::Ecr => Some(Arc::new(ecr::EcrToken::new(region, settings))),
        Kind::Swr => Some(Arc::new(swr::SwrLogin::new(region, settings))),
        Kind::Tcr => Some(Arc::new(tcr::TcrToken::new(settings))),
        Kind::Acr => Some(Arc::new(acr::AcrToken::new(settings))),
        _ => None,
    }
}

/// The credential that is being exchanged: whoever asks the vendor's API for another one asks with it.
struct Kept(Credential);

#[async_trait]
impl Source for Kept {
    async fn credential(&self) -> Result<Option<Found>, Unavailable> {
        Ok(Some(Found { credential: self.0.clone(), origin: "the entry's key".into() }))
    }
}

/// The registry with these settings, as its vendor's API sees it who asks with `kept`.
fn place(settings: &Settings, kept: &Credential) -> Place {
    let own = Settings { credentials: Arc::new(Kept(kept.clone())), exchange: None, ..settings.clone() };
    let (name, api_address) = (own.name.clone(), own.api.clone());
    Place { client: Client::new(own), name, api_address, namespace: None, region: None }
}

/// How long something lasts that ends so many milliseconds after the beginning of 1970; `most` if nobody says when.
fn lifetime(ends: Option<i64>, most: Duration) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "the vendor says when by its own clock")]
    let now = Timestamp::now().as_millisecond();
    let left = ends.map(|ends| u64::try_from(ends.saturating_sub(now)).unwrap_or(0));
    left.map_or(most, Duration::from_millis).min(most)
}
