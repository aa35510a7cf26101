//! The client against servers that misbehave: each answer is written by the test, byte for byte where it matters. Tests are named
//! after the public reports that they keep shut.

mod exchange;
mod faults;
mod http2;
mod load;
mod manifests;
mod paging;
mod proxies;
mod quiet;
mod redirects;
mod responder;
mod signing_in;
mod tls;
mod vendor_api;
mod writing;

use std::sync::Arc;

use async_trait::async_trait;
use regctl::credentials::{Credential, Found, Secret, Source, Unavailable};
use regctl::distribution::{Quirks, V2};
use regctl::oci::{Repository, Selector};
use regctl::transport::{Client, Settings};

use responder::Responder;

/// A password that must never be seen anywhere but in the header it is meant for.
const PASSWORD: &str = "canary-pa55word";

/// A source that always has this credential.
struct Has(Credential);

#[async_trait]
impl Source for Has {
    async fn credential(&self) -> Result<Option<Found>, Unavailable> {
        Ok(Some(Found { credential: self.0.clone(), origin: "the test".into() }))
    }
}

fn alice() -> Credential {
    Credential::Basic { username: "alice".into(), password: Secret::new(PASSWORD) }
}

/// `Basic …` for [`alice`].
const ALICE: &str = "Basic YWxpY2U6Y2FuYXJ5LXBhNTV3b3Jk";

fn settings(server: &Responder) -> Settings {
    Settings::new("prod", server.url().parse().unwrap())
}

fn signed_in(server: &Responder, credential: Credential) -> Settings {
    Settings { credentials: Arc::new(Has(credential)), ..settings(server) }
}

fn v2(settings: Settings) -> V2 {
    V2::new(Client::new(settings), "prod".into(), Quirks::default())
}

/// A registry that is asked without a credential.
fn anonymous(server: &Responder) -> V2 {
    v2(settings(server))
}

fn repository(name: &str) -> Repository {
    name.parse().unwrap()
}

fn tag(name: &str) -> Selector {
    Selector::Tag(name.parse().unwrap())
}

/// All causes of an error in one text, as `-v` would show them.
fn told(error: &regctl::registry::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(&format!(" / {inner} {inner:?}"));
        cause = inner.source();
    }
    text
}
