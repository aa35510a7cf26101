//! Credentials that are made of those that are kept, and requests that leave the registry.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use regctl::registry::{Error, ErrorKind, Registry, Result};
use regctl::transport::{Exchange, Method};

use super::responder::{Reply, Responder};
use super::*;

/// Makes a password that is good for one request.
#[derive(Default)]
struct Numbered(AtomicUsize);

#[async_trait]
impl Exchange for Numbered {
    async fn exchange(&self, kept: &Credential) -> Result<Credential> {
        assert_eq!(kept.username(), Some("alice"));
        let number = self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Credential::Basic { username: "made".into(), password: Secret::new(number.to_string()) })
    }
}

struct Fails;

#[async_trait]
impl Exchange for Fails {
    async fn exchange(&self, _: &Credential) -> Result<Credential> {
        Err(Error::new(ErrorKind::Unreachable, "sign in to", "prod").because("its API is away"))
    }
}

/// So a token that has ended in the middle of a long run is replaced for the requests that follow.
#[tokio::test]
async fn what_is_made_is_asked_for_anew_with_each_request() {
    let server = Responder::start(|seen| match seen.authorization() {
        Some(_) => Reply::json(r#"{"name":"app","tags":["v1"]}"#),
        None => Reply::challenge("Basic realm=\"x\""),
    })
    .await;
    let registry = v2(Settings { exchange: Some(Arc::new(Numbered::default())), ..signed_in(&server, alice()) });
    for _ in 0..2 {
        registry.head(&repository("app"), &tag("v1")).await.ok();
    }
    let mut shown: Vec<_> = server.seen().iter().filter_map(|seen| seen.authorization().map(str::to_owned)).collect();
    assert!(shown.len() >= 2 && !shown.contains(&ALICE.to_owned()), "{shown:?}");
    let count = shown.len();
    shown.dedup();
    assert_eq!(shown.len(), count, "each its own");
}

#[tokio::test]
async fn what_is_kept_is_not_sent_when_nothing_can_be_made_of_it() {
    let server = Responder::start(|_| Reply::challenge("Basic realm=\"x\"")).await;
    let registry = v2(Settings { exchange: Some(Arc::new(Fails)), ..signed_in(&server, alice()) });
    let error = registry.head(&repository("app"), &tag("v1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(server.seen().iter().all(|seen| seen.authorization().is_none()));
}

#[tokio::test]
async fn the_credential_stays_at_the_registrys_origin() {
    let elsewhere = Responder::start(|_| Reply::challenge("Basic realm=\"x\"")).await;
    let server = Responder::start(|_| Reply::challenge("Basic realm=\"x\"")).await;
    let client = Client::new(signed_in(&server, alice()));
    let url = format!("{}/v2/", elsewhere.url()).parse().unwrap();
    let answer = client.send(client.request_at(Method::GET, url)).await.unwrap();
    assert_eq!(answer.status, 401);
    assert!(elsewhere.seen().iter().all(|seen| seen.authorization().is_none()), "{:?}", elsewhere.seen());
    assert_eq!(server.seen().len(), 0, "nor is it asked how to sign in");
}
