//! The vendors, each against a fake that behaves as its documentation says: the conformance suite, the program's commands, and what is
//! special about each. A fake proves that we do what is documented, not that the documentation is right.

mod acr;
mod artifactory;
mod azure;
mod conformance;
mod dockerhub;
mod ecr;
mod fake;
mod fixtures;
mod gar;
mod ghcr;
mod gitea;
mod gitlab;
mod harbor;
mod ionos;
mod live;
mod locks;
mod nexus;
mod program;
mod quay;
mod signatures;
mod swr;
mod tcr;
mod untagged;
mod vulnerabilities;
mod zot;

use std::sync::Arc;

use async_trait::async_trait;
use regctl::credentials::{Credential, Found, Secret, Source, Unavailable};
use regctl::providers::{self, Place};
use regctl::registry::Registry;
use regctl::transport::{Client, Settings};

use fake::{Fake, PASSWORD};

/// Where all of them are.
const REGION: &str = "europe-west3";

struct Account(&'static str);

#[async_trait]
impl Source for Account {
    async fn credential(&self) -> Result<Option<Found>, Unavailable> {
        let credential = Credential::Basic { username: self.0.into(), password: Secret::new(PASSWORD) };
        Ok(Some(Found { credential, origin: "the test".into() }))
    }
}

/// The client for a fake, signed in as `username`.
fn open_as(fake: &Fake, username: Option<&'static str>, namespace: Option<&str>) -> Arc<dyn Registry> {
    let mut settings = Settings::new("fake", fake.front.url().parse().unwrap());
    if let Some(username) = username {
        settings.credentials = Arc::new(Account(username));
    }
    settings.api = fake.api.map(|path| format!("{}{path}", fake.front.url()).parse().unwrap());
    settings.exchange = providers::derived::exchange(fake.kind, Some(REGION), &settings);
    let place = Place {
        client: Client::new(settings),
        name: "fake".into(),
        api_address: fake.api.map(|path| format!("{}{path}", fake.front.url()).parse().unwrap()),
        namespace: namespace.map(str::to_owned),
        region: Some(REGION.into()),
    };
    providers::open(fake.kind, place).unwrap()
}

/// The client for a fake, signed in as its account.
fn open(fake: &Fake, namespace: &str) -> Arc<dyn Registry> {
    open_as(fake, Some(fake.username), Some(namespace))
}
