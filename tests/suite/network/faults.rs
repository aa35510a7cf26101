//! Servers that are down, slow to recover, cut off or something else than a registry.

use futures_util::TryStreamExt;
use regctl::oci::Digest;
use regctl::registry::{ErrorKind, Registry};

use super::responder::{Reply, Responder};
use super::*;

const MANIFEST: &str = r#"{"schemaVersion":2,"config":{"mediaType":"x","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;

fn good() -> Reply {
    Reply::new(200).header("content-type", "application/vnd.oci.image.manifest.v1+json").body(MANIFEST)
}

async fn get(server: &Responder) -> regctl::registry::Result<regctl::oci::RawManifest> {
    anonymous(server).manifest(&repository("app"), &tag("v1")).await
}

#[tokio::test]
async fn reading_is_tried_again() {
    for fault in [
        Reply::error(429, "TOOMANYREQUESTS").header("retry-after", "0"),
        Reply::error(503, "UNAVAILABLE").header("retry-after", "Thu, 01 Jan 2026 00:00:00 GMT"),
        Reply::page(502),
        Reply::new(504),
        good().cut_after(20),
        Reply::raw(""),
        Reply::raw("HTTP/1.1 200 OK\r\ncontent-le"),
    ] {
        let server = Responder::in_turn(vec![fault.clone(), good()]).await;
        let registry = anonymous(&server);
        let got = registry.manifest(&repository("app"), &tag("v1")).await;
        assert_eq!(got.unwrap().digest, Digest::sha256(MANIFEST.as_bytes()), "{fault:?}");
        assert_eq!((server.seen().len(), registry.client().stats().snapshot().retries), (2, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn attempts_are_bounded() {
    let server = Responder::in_turn(vec![Reply::error(429, "TOOMANYREQUESTS").header("retry-after", "0")]).await;
    let error = get(&server).await.unwrap_err();
    assert_eq!((error.kind(), server.seen().len()), (ErrorKind::RateLimited, 5));
    assert_eq!(error.code(), Some("TOOMANYREQUESTS"));
}

#[tokio::test]
async fn what_cannot_succeed_is_not_tried_again() {
    for (status, kind) in [
        (400, ErrorKind::Invalid),
        (403, ErrorKind::Denied),
        (404, ErrorKind::NotFound),
        (409, ErrorKind::Conflict),
        (500, ErrorKind::Unreachable),
    ] {
        let server = Responder::in_turn(vec![Reply::error(status, "X")]).await;
        assert_eq!(get(&server).await.unwrap_err().kind(), kind);
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn writing_is_not_tried_again_unless_it_was_turned_away() {
    let manifest = regctl::oci::RawManifest::new("application/vnd.oci.image.manifest.v1+json", MANIFEST);
    for (fault, attempts) in [(Reply::error(503, "UNAVAILABLE"), 1), (Reply::error(429, "X").header("retry-after", "0"), 2)] {
        let server = Responder::in_turn(vec![fault, Reply::new(201)]).await;
        let _ = anonymous(&server).put_manifest(&repository("app"), &tag("v1"), &manifest).await;
        assert_eq!(server.seen().len(), attempts);
    }
    let server = Responder::in_turn(vec![Reply::error(503, "X"), Reply::new(202)]).await;
    assert!(
        anonymous(&server).untag(&repository("app"), &"v1".parse().unwrap()).await.is_err(),
        "the tag may have moved meanwhile"
    );
}

#[tokio::test]
async fn deleting_by_digest_is_and_counts_what_an_earlier_attempt_did() {
    let server = Responder::in_turn(vec![Reply::raw(""), Reply::error(404, "MANIFEST_UNKNOWN")]).await;
    let digest = Digest::sha256(b"x");
    assert!(anonymous(&server).delete_manifest(&repository("app"), &digest).await.unwrap());
    let server = Responder::in_turn(vec![Reply::error(404, "MANIFEST_UNKNOWN")]).await;
    assert!(!anonymous(&server).delete_manifest(&repository("app"), &digest).await.unwrap());
}

#[tokio::test]
async fn a_server_that_is_down_is_told_apart() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let registry = v2(Settings::new("prod", format!("http://127.0.0.1:{port}").parse().unwrap()));
    let error = registry.ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains("connection refused"), "{error}");
}

#[tokio::test]
async fn what_is_not_a_registry_is_told() {
    for reply in [Reply::page(200), Reply::page(404), Reply::new(302).header("x", "y")] {
        let server = Responder::in_turn(vec![reply.clone()]).await;
        let error = anonymous(&server).ping().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{reply:?}");
    }
    let server = Responder::in_turn(vec![Reply::raw("SSH-2.0-OpenSSH_9.2p1\r\n")]).await;
    assert!(anonymous(&server).ping().await.is_err());
}

#[tokio::test]
async fn answers_of_another_kind_are_told_and_not_repeated() {
    for reply in [Reply::page(200), Reply::json("[1]"), Reply::json("{\"tags\":7}"), Reply::new(200).body("{\"tags\":[")] {
        let server = Responder::in_turn(vec![reply.clone()]).await;
        let error = anonymous(&server).tags(&repository("app")).try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{reply:?}");
        assert!(!told(&error).contains("script"), "{error}");
    }
    let server = Responder::in_turn(vec![Reply::page(200)]).await;
    assert_eq!(get(&server).await.unwrap_err().kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn cve_2020_1702_bodies_are_capped() {
    let long = vec![b' '; (4 << 20) + 1];
    let length = long.len();
    let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..5 {
        chunked.extend_from_slice(b"100000\r\n");
        chunked.extend_from_slice(&long[..1 << 20]);
        chunked.extend_from_slice(b"\r\n");
    }
    for reply in
        [Reply::new(200).body(long), Reply::new(200).header("content-length", (1_u64 << 40).to_string()), Reply::raw(chunked)]
    {
        let server = Responder::in_turn(vec![reply]).await;
        let error = get(&server).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(error.to_string().contains("longer than 4194304 bytes"), "{error}");
    }
    // An error body of any length is cut, not complained about.
    let server = Responder::in_turn(vec![Reply::new(404).body(vec![b'x'; length])]).await;
    let error = get(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().len() < 500);
}

#[tokio::test]
async fn control_characters_of_a_server_are_not_repeated() {
    let body = r#"{"errors":[{"code":"X\u001b]0;title\u0007","message":"\u001b[2J\u0000\u202egone"}]}"#;
    let server = Responder::in_turn(vec![Reply::new(400).header("content-type", "application/json").body(body)]).await;
    let error = get(&server).await.unwrap_err();
    let text = error.to_string() + error.code().unwrap_or_default();
    assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
}

#[tokio::test]
async fn a_blob_that_is_cut_or_wrong_fails_at_its_end() {
    for (reply, kind) in [
        (Reply::new(200).body("content").cut_after(3), ErrorKind::Unreachable),
        (Reply::new(200).body("CONTENT"), ErrorKind::Corrupt),
        (Reply::new(200).body("conten"), ErrorKind::Corrupt),
    ] {
        let server = Responder::in_turn(vec![reply]).await;
        let blob = anonymous(&server).blob(&repository("app"), &Digest::sha256(b"content")).await.unwrap();
        let error = blob.content.try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    use regctl::transport::Method;
    let server = Responder::in_turn(vec![Reply::silence()]).await;
    let registry = anonymous(&server);
    // Not one that may be repeated: the waits between attempts would make the test slow.
    let request = registry.client().request(Method::POST, "/v2/").patience(std::time::Duration::from_millis(20));
    let error = registry.client().send(request).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains("no answer within"), "{error}");
}

#[tokio::test]
async fn a_warning_of_the_server_is_no_failure() {
    let server = Responder::in_turn(vec![good().header("warning", "299 - \"this goes away\"")]).await;
    get(&server).await.unwrap();
}

#[tokio::test]
async fn a_product_says_its_version_and_the_web_server_before_it_does_not() {
    for (server, version) in
        [(Some("Nexus/3.70.1 (OSS)"), Some("Nexus 3.70.1")), (Some("nginx/1.27"), None), (Some("something"), None), (None, None)]
    {
        let reply = server.map_or(Reply::json("{}"), |server| Reply::json("{}").header("server", server));
        let responder = Responder::in_turn(vec![reply.header("ratelimit-remaining", "98;w=21600")]).await;
        let ping = anonymous(&responder).ping().await.unwrap();
        assert_eq!(ping.version.as_deref(), version);
        assert_eq!(ping.rate_limit.and_then(|limit| limit.remaining), Some(98));
    }
}
