//! Manifests and digests as servers really answer (users' reports I2 to I5, SPEC §8.2).

use regctl::oci::{Digest, Selector, media_type};
use regctl::registry::{ErrorKind, Registry, Support};

use super::responder::{Reply, Responder};
use super::*;

const BYTES: &[u8] = b"{\"schemaVersion\":2}";
const TYPE: &str = media_type::OCI_MANIFEST;

fn digest() -> Digest {
    Digest::sha256(BYTES)
}

fn good() -> Reply {
    Reply::new(200).header("content-type", TYPE).header("docker-content-digest", digest().to_string()).body(BYTES)
}

fn wrong() -> Digest {
    Digest::sha256(b"something else")
}

#[tokio::test]
async fn cup_132_all_types_are_accepted_and_nothing_packed() {
    let server = Responder::in_turn(vec![good()]).await;
    anonymous(&server).manifest(&repository("app"), &tag("v1")).await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.header("accept"), Some(media_type::ACCEPT_MANIFEST));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert!(seen.header("user-agent").unwrap().starts_with("regctl/"));
}

#[tokio::test]
async fn head_is_enough_where_the_server_says_everything() {
    let server = Responder::in_turn(vec![good()]).await;
    let found = anonymous(&server).head(&repository("app"), &tag("v1")).await.unwrap();
    assert_eq!((found.media_type.as_str(), found.digest, found.size), (TYPE, digest(), BYTES.len() as u64));
    assert_eq!(server.lines(), ["HEAD /v2/app/manifests/v1"]);
}

#[tokio::test]
async fn dist_3792_without_a_digest_the_content_is_hashed() {
    for header in [None, Some("nonsense"), Some("sha256:../../etc")] {
        let reply = Reply::new(200).header("content-type", TYPE).body(BYTES);
        let reply = header.map_or(reply.clone(), |value| reply.header("docker-content-digest", value));
        let server = Responder::in_turn(vec![reply]).await;
        let found = anonymous(&server).head(&repository("app"), &tag("v1")).await.unwrap();
        assert_eq!((found.digest, found.size), (digest(), BYTES.len() as u64), "{header:?}");
        assert_eq!(server.count("GET"), 1);
    }
}

#[tokio::test]
async fn registry_cli_23_a_404_of_head_is_not_believed_before_get() {
    let server = Responder::start(|seen| if seen.method == "HEAD" { Reply::new(404) } else { good() }).await;
    assert_eq!(anonymous(&server).head(&repository("app"), &tag("v1")).await.unwrap().digest, digest());
    let server = Responder::in_turn(vec![Reply::error(404, "MANIFEST_UNKNOWN")]).await;
    assert_eq!(anonymous(&server).head(&repository("app"), &tag("v1")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn where_head_works_its_404_is_enough() {
    let server = Responder::start(|seen| if seen.path().ends_with("/v1") { good() } else { Reply::error(404, "X") }).await;
    let registry = anonymous(&server);
    registry.head(&repository("app"), &tag("v1")).await.unwrap();
    assert_eq!(registry.head(&repository("app"), &tag("gone")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(server.count("GET"), 0);
}

#[tokio::test]
async fn cve_2024_3727_another_digest_is_corrupt() {
    let lying = Reply::new(200).header("content-type", TYPE).header("docker-content-digest", wrong().to_string()).body(BYTES);
    let server = Responder::in_turn(vec![lying]).await;
    let registry = anonymous(&server);
    for selector in [tag("v1"), Selector::Digest(wrong())] {
        let error = registry.manifest(&repository("app"), &selector).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    assert!(
        registry.manifest(&repository("app"), &Selector::Digest(digest())).await.is_ok(),
        "the content decides, not the header"
    );
    let error = registry.head(&repository("app"), &Selector::Digest(digest())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn digests_that_cannot_be_computed_are_not_trusted() {
    let server = Responder::in_turn(vec![good()]).await;
    let unknown: Digest = "blake3:abc".parse().unwrap();
    let error = anonymous(&server).manifest(&repository("app"), &Selector::Digest(unknown)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_type_that_says_nothing_is_looked_up_in_the_document() {
    let body = format!(r#"{{"mediaType":"{}","manifests":[]}}"#, media_type::OCI_INDEX);
    for said in ["application/json", "text/plain; charset=utf-8"] {
        let server = Responder::in_turn(vec![Reply::new(200).header("content-type", said).body(body.clone())]).await;
        let manifest = anonymous(&server).manifest(&repository("app"), &tag("v1")).await.unwrap();
        assert_eq!(manifest.media_type, media_type::OCI_INDEX);
    }
}

#[tokio::test]
async fn the_ladder_of_taking_a_tag_away() {
    // (answer to DELETE, whether the tag is still there afterwards, outcome)
    for (reply, remains, expected) in [
        (Reply::new(202), false, Ok(true)),
        (Reply::new(200), false, Ok(true)),
        (Reply::new(204), false, Ok(true)),
        (Reply::error(404, "MANIFEST_UNKNOWN"), false, Ok(false)),
        (Reply::error(404, "NAME_UNKNOWN"), false, Ok(false)),
        (Reply::page(404), false, Ok(false)),
        (Reply::page(404), true, Err(ErrorKind::Unsupported)),
        (Reply::error(400, "DIGEST_INVALID"), true, Err(ErrorKind::Unsupported)),
        (Reply::error(400, "UNSUPPORTED"), true, Err(ErrorKind::Unsupported)),
        (Reply::error(405, "UNSUPPORTED"), true, Err(ErrorKind::Unsupported)),
        (Reply::new(405).body("Method not allowed"), true, Err(ErrorKind::Unsupported)),
        (Reply::error(400, "NAME_INVALID"), true, Err(ErrorKind::Invalid)),
        (Reply::error(403, "DENIED"), true, Err(ErrorKind::Denied)),
        (Reply::error(409, "TAG_IMMUTABLE"), true, Err(ErrorKind::Conflict)),
        (Reply::error(500, "UNKNOWN"), true, Err(ErrorKind::Unreachable)),
    ] {
        let answer = reply.clone();
        let server = Responder::start(move |seen| match seen.method.as_str() {
            "DELETE" => answer.clone(),
            _ if remains => good(),
            _ => Reply::error(404, "MANIFEST_UNKNOWN"),
        })
        .await;
        let outcome = anonymous(&server).untag(&repository("app"), &"v1".parse().unwrap()).await;
        assert_eq!(outcome.map_err(|error| error.kind()), expected, "{reply:?}");
        assert_eq!(server.lines()[0], "DELETE /v2/app/manifests/v1");
    }
}

#[tokio::test]
async fn a_server_that_cannot_untag_is_asked_once() {
    let server = Responder::in_turn(vec![Reply::error(400, "DIGEST_INVALID")]).await;
    let registry = anonymous(&server);
    assert_eq!(registry.capabilities().untag, Support::Unknown);
    for _ in 0..3 {
        assert!(registry.untag(&repository("app"), &"v1".parse().unwrap()).await.is_err());
    }
    assert_eq!((server.seen().len(), registry.capabilities().untag), (1, Support::Unsupported));
}

#[tokio::test]
async fn removing_a_tag_is_probed_without_removing_one() {
    for (reply, expected) in [
        (Reply::error(404, "MANIFEST_UNKNOWN"), Ok(Support::Native)),
        (Reply::error(400, "DIGEST_INVALID"), Ok(Support::Unsupported)),
        (Reply::error(405, "UNSUPPORTED"), Ok(Support::Unsupported)),
        // neither a repository that isn't there nor a web server's 404 says anything of tags
        (Reply::error(404, "NAME_UNKNOWN"), Ok(Support::Unknown)),
        (Reply::page(404), Ok(Support::Unknown)),
        (Reply::new(202), Ok(Support::Unknown)),
        (Reply::error(403, "DENIED"), Err(ErrorKind::Denied)),
    ] {
        let server = Responder::in_turn(vec![reply.clone()]).await;
        let registry = anonymous(&server);
        assert_eq!(registry.probe_untag(&repository("app")).await.map_err(|error| error.kind()), expected, "{reply:?}");
        assert_eq!(registry.capabilities().untag, expected.unwrap_or(Support::Unknown));
        let lines = server.lines();
        assert!(lines.len() == 1 && lines[0].starts_with("DELETE /v2/app/manifests/regctl-probe-"), "{lines:?}");
    }
}

#[tokio::test]
async fn regclient_819_deleting_is_probed_without_deleting() {
    for (reply, expected) in [
        (Reply::error(404, "MANIFEST_UNKNOWN"), Ok(Support::Native)),
        (Reply::error(405, "UNSUPPORTED"), Ok(Support::Unsupported)),
        (Reply::new(405).body("Method not allowed"), Ok(Support::Unsupported)),
        (Reply::new(202), Ok(Support::Unknown)),
        (Reply::page(404), Ok(Support::Unknown)),
        (Reply::error(403, "DENIED"), Err(ErrorKind::Denied)),
    ] {
        let server = Responder::in_turn(vec![reply]).await;
        let registry = anonymous(&server);
        assert_eq!(registry.probe_delete(&repository("app")).await.map_err(|error| error.kind()), expected);
        if expected == Ok(Support::Unknown) {
            registry.probe_delete(&repository("app")).await.unwrap();
            let lines = server.lines();
            assert!(lines.iter().all(|line| line.starts_with("DELETE /v2/app/manifests/sha256:")));
            assert_ne!(lines[0], lines[1], "each probe asks for another digest");
        }
    }
}

#[tokio::test]
async fn a_server_that_does_not_delete_says_how_it_would() {
    let server = Responder::in_turn(vec![Reply::error(405, "UNSUPPORTED")]).await;
    let registry = anonymous(&server);
    for _ in 0..2 {
        let error = registry.delete_manifest(&repository("app"), &digest()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("REGISTRY_STORAGE_DELETE_ENABLED"), "{error}");
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn referrers_come_from_the_api_or_from_the_fallback_tag() {
    let index = |digest: &Digest| {
        let body = serde_json::json!({ "schemaVersion": 2, "manifests": [
            { "mediaType": TYPE, "digest": digest, "size": 5, "artifactType": "application/vnd.example.sbom" }] });
        Reply::new(200).header("content-type", media_type::OCI_INDEX).body(body.to_string())
    };
    let native = Responder::start(move |seen| match seen.target.contains("last") {
        false => index(&wrong()).header("link", "<?last=1>; rel=\"next\""),
        true => index(&digest()),
    })
    .await;
    let found = anonymous(&native).referrers(&repository("app"), &digest()).await.unwrap();
    assert_eq!((found.items.len(), found.native), (2, true));
    assert_eq!(found.items[0].artifact_type.as_deref(), Some("application/vnd.example.sbom"));

    let fallback = Responder::start(move |seen| match seen.path() {
        path if path.contains("/referrers/") => Reply::new(404).body("404 page not found"),
        path if path.ends_with(&digest().fallback_tag()) => index(&wrong()),
        _ => Reply::error(404, "MANIFEST_UNKNOWN"),
    })
    .await;
    let registry = anonymous(&fallback);
    let found = registry.referrers(&repository("app"), &digest()).await.unwrap();
    assert_eq!((found.items.len(), found.native), (1, false));
    let found = registry.referrers(&repository("app"), &wrong()).await.unwrap();
    assert_eq!((found.items.len(), found.native), (0, false));
    assert_eq!(fallback.count("GET /v2/app/referrers/"), 1, "that there is no such call is learnt once");
}

#[tokio::test]
async fn referrers_that_cannot_be_read_are_an_error_and_not_none() {
    let server = Responder::in_turn(vec![Reply::error(403, "DENIED")]).await;
    assert_eq!(anonymous(&server).referrers(&repository("app"), &digest()).await.unwrap_err().kind(), ErrorKind::Denied);
    let server = Responder::in_turn(vec![Reply::json("{broken")]).await;
    assert_eq!(anonymous(&server).referrers(&repository("app"), &digest()).await.unwrap_err().kind(), ErrorKind::Protocol);
}
