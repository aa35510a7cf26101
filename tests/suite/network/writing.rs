//! Storing blobs and manifests.

use bytes::Bytes;
use regctl::oci::{Digest, RawManifest, Selector, media_type};
use regctl::registry::{ErrorKind, Registry};

use super::responder::{Reply, Responder};
use super::*;

const CONTENT: &[u8] = b"some content";

#[tokio::test]
async fn a_blob_goes_where_the_server_says() {
    for location in ["/v2/app/blobs/uploads/1?_state=abc", "1?_state=abc", "http://127.0.0.1/v2/app/blobs/uploads/1?_state=abc"] {
        let server = Responder::start(move |seen| match seen.method.as_str() {
            "POST" => Reply::new(202).header("location", location),
            "PUT" => Reply::new(201),
            _ => Reply::new(405),
        })
        .await;
        let digest = anonymous(&server).put_blob(&repository("app"), Bytes::from_static(CONTENT)).await.unwrap();
        let put = server.seen().pop().unwrap();
        let expected = format!("/v2/app/blobs/uploads/1?_state=abc&digest={}", digest.to_string().replace(':', "%3A"));
        assert_eq!((put.target, put.body), (expected, CONTENT.to_vec()));
    }
}

#[tokio::test]
async fn ggcr_2295_content_and_credential_do_not_go_to_another_host() {
    let thief = Responder::in_turn(vec![Reply::new(201)]).await;
    let elsewhere = format!("{}/upload", thief.other_url());
    let server = Responder::start(move |seen| match seen.authorization() {
        Some(ALICE) => Reply::new(202).header("location", elsewhere.clone()),
        _ => Reply::challenge("Basic realm=\"x\""),
    })
    .await;
    let error = v2(signed_in(&server, alice())).put_blob(&repository("app"), Bytes::from_static(CONTENT)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(thief.seen().len(), 0);
}

#[tokio::test]
async fn a_server_that_takes_content_only_by_patch_gets_it_that_way() {
    let server = Responder::start(|seen| match seen.method.as_str() {
        "POST" => Reply::new(202).header("location", "/v2/app/blobs/uploads/1"),
        "PATCH" => Reply::new(202).header("location", "/v2/app/blobs/uploads/1?part=2"),
        "PUT" if seen.body.is_empty() && seen.target.contains("part=2") => Reply::new(201),
        _ => Reply::error(400, "BLOB_UPLOAD_INVALID"),
    })
    .await;
    let digest = anonymous(&server).put_blob(&repository("app"), Bytes::from_static(CONTENT)).await.unwrap();
    assert_eq!(digest, Digest::sha256(CONTENT));
    assert_eq!(server.seen().iter().find(|seen| seen.method == "PATCH").unwrap().body, CONTENT);
}

#[tokio::test]
async fn a_refused_upload_reports_the_first_refusal() {
    let server = Responder::start(|seen| match seen.method.as_str() {
        "POST" => Reply::new(202).header("location", "/v2/app/blobs/uploads/1"),
        "PUT" => Reply::error(400, "DIGEST_INVALID"),
        _ => Reply::error(405, "UNSUPPORTED"),
    })
    .await;
    let error = anonymous(&server).put_blob(&repository("app"), Bytes::from_static(CONTENT)).await.unwrap_err();
    assert_eq!(error.code(), Some("DIGEST_INVALID"));
}

#[tokio::test]
async fn a_stored_manifest_has_the_digest_that_was_sent() {
    let manifest = RawManifest::new(media_type::OCI_MANIFEST, &b"{}"[..]);
    let other = Digest::sha256(b"x").to_string();
    for (reply, expected) in [
        (Reply::new(201), Ok(manifest.digest.clone())),
        (Reply::new(201).header("docker-content-digest", manifest.digest.to_string()), Ok(manifest.digest.clone())),
        (Reply::new(201).header("docker-content-digest", other), Err(ErrorKind::Corrupt)),
        (Reply::error(400, "MANIFEST_BLOB_UNKNOWN"), Err(ErrorKind::Invalid)),
        (Reply::error(409, "TAG_IMMUTABLE"), Err(ErrorKind::Conflict)),
    ] {
        let server = Responder::in_turn(vec![reply]).await;
        let stored = anonymous(&server).put_manifest(&repository("app"), &tag("v1"), &manifest).await;
        assert_eq!(stored.map_err(|error| error.kind()), expected);
        let seen = &server.seen()[0];
        assert_eq!((seen.header("content-type"), seen.body.as_slice()), (Some(media_type::OCI_MANIFEST), &b"{}"[..]));
    }
}

#[tokio::test]
async fn a_manifest_is_not_stored_under_a_digest_it_does_not_have() {
    let server = Responder::in_turn(vec![Reply::new(201)]).await;
    let manifest = RawManifest::new(media_type::OCI_MANIFEST, &b"{}"[..]);
    let selector = Selector::Digest(Digest::sha256(b"x"));
    let error = anonymous(&server).put_manifest(&repository("app"), &selector, &manifest).await.unwrap_err();
    assert_eq!((error.kind(), server.seen().len()), (ErrorKind::Invalid, 0));
}

#[tokio::test]
async fn a_path_before_v2_is_kept() {
    let server = Responder::in_turn(vec![Reply::json("{}")]).await;
    let base = format!("{}/some/prefix/", server.url());
    v2(Settings::new("prod", base.parse().unwrap())).ping().await.unwrap();
    assert_eq!(server.lines(), ["GET /some/prefix/v2/"]);
}
