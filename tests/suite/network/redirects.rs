//! Where a redirect may lead, and what goes along (GHSA-qvqc-4c52-x6qp, CVE-2020-15157).

use futures_util::TryStreamExt;
use regctl::oci::Digest;
use regctl::registry::{ErrorKind, Registry};

use super::responder::{Reply, Responder};
use super::*;

async fn blob(registry: &impl Registry, content: &str) -> regctl::registry::Result<Vec<u8>> {
    let blob = registry.blob(&repository("app"), &Digest::sha256(content.as_bytes())).await?;
    let pieces: Vec<_> = blob.content.try_collect().await?;
    Ok(pieces.concat())
}

#[tokio::test]
async fn a_credential_does_not_follow_to_another_origin() {
    let storage = Responder::in_turn(vec![Reply::new(200).body("content")]).await;
    let target = format!("{}/bucket?X-Amz-Signature=abc", storage.url());
    let server = Responder::start(move |seen| match seen.authorization() {
        Some(ALICE) if seen.path() != "/v2/" => Reply::new(307).header("location", target.clone()),
        _ => Reply::challenge("Basic realm=\"x\""),
    })
    .await;
    assert_eq!(blob(&v2(signed_in(&server, alice())), "content").await.unwrap(), b"content");
    let seen = &storage.seen()[0];
    assert_eq!((seen.authorization(), seen.target.as_str()), (None, "/bucket?X-Amz-Signature=abc"));
}

#[tokio::test]
async fn nor_does_it_come_back_with_a_second_redirect() {
    // Registry -> elsewhere -> the registry again: whoever is elsewhere chose that last address.
    let back = Arc::new(std::sync::Mutex::new(String::new()));
    let back_to = Arc::clone(&back);
    let elsewhere = Responder::start(move |_| Reply::new(302).header("location", back_to.lock().unwrap().clone())).await;
    let away = elsewhere.url();
    let server = Responder::start(move |seen| match (seen.path(), seen.authorization()) {
        ("/other", _) => Reply::new(200).body("content"),
        (path, Some(ALICE)) if path != "/v2/" => Reply::new(302).header("location", away.clone()),
        _ => Reply::challenge("Basic realm=\"x\""),
    })
    .await;
    *back.lock().unwrap() = format!("{}/other", server.url());
    blob(&v2(signed_in(&server, alice())), "content").await.unwrap();
    let last = server.seen().pop().unwrap();
    assert_eq!((last.path(), last.authorization()), ("/other", None));
}

#[tokio::test]
async fn within_the_origin_it_does() {
    let server = Responder::start(|seen| match (seen.path(), seen.authorization()) {
        ("/moved", Some(ALICE)) => Reply::new(200).body("content"),
        ("/v2/", _) | (_, None) => Reply::challenge("Basic realm=\"x\""),
        _ => Reply::new(308).header("location", "/moved"),
    })
    .await;
    assert_eq!(blob(&v2(signed_in(&server, alice())), "content").await.unwrap(), b"content");
}

#[tokio::test]
async fn a_circle_ends() {
    let server = Responder::start(|seen| Reply::new(302).header("location", format!("{}x", seen.target))).await;
    let error = blob(&anonymous(&server), "content").await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(server.seen().len(), 6, "the request and five redirects");
}

#[tokio::test]
async fn addresses_of_this_machine_and_link_are_refused() {
    for (target, said) in [
        ("http://169.254.169.254/latest/meta-data/", "169.254.169.254"),
        ("file:///etc/passwd", "file"),
        ("http://[", "no address"),
    ] {
        let server = Responder::in_turn(vec![Reply::new(302).header("location", target)]).await;
        let error = blob(&anonymous(&server), "content").await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::Refused | ErrorKind::Protocol), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn writing_is_not_redirected() {
    let storage = Responder::in_turn(vec![Reply::new(202)]).await;
    let target = storage.url();
    let server = Responder::start(move |_| Reply::new(307).header("location", target.clone())).await;
    let error = anonymous(&server).delete_manifest(&repository("app"), &Digest::sha256(b"x")).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Protocol, Some(307)));
    assert_eq!(storage.seen().len(), 0);
}

#[tokio::test]
async fn whoever_the_root_is_redirected_to_has_no_say_in_signing_in() {
    let elsewhere = Responder::in_turn(vec![Reply::challenge("Basic realm=\"x\"")]).await;
    let target = elsewhere.url();
    let server = Responder::start(move |seen| match seen.path() {
        "/v2/" => Reply::new(302).header("location", target.clone()),
        _ => Reply::new(200).body("content"),
    })
    .await;
    blob(&v2(signed_in(&server, alice())), "content").await.unwrap();
    let all = [server.seen(), elsewhere.seen()].concat();
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|seen| seen.authorization().is_none()), "{all:?}");
}
