//! Secrets appear nowhere: not in traces at the highest level, not in errors (SPEC §4).

use std::io::Write;
use std::sync::Mutex;

use futures_util::TryStreamExt;
use regctl::registry::Registry;
use tracing_subscriber::fmt::MakeWriter;

use super::responder::{Reply, Responder};
use super::*;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Captured;

    fn make_writer(&'a self) -> Captured {
        self.clone()
    }
}

#[tokio::test]
async fn no_secret_is_traced_or_told() {
    let captured = Captured::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(captured.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let storage = Responder::in_turn(vec![Reply::new(404)]).await;
    let target = format!("{}/bucket?signature=canary-signature", storage.url());
    let server = Responder::start(move |seen| match (seen.path(), seen.authorization()) {
        ("/token", Some(ALICE)) => Reply::json(r#"{"token":"canary-token","refresh_token":"canary-refresh"}"#),
        ("/token", _) => Reply::error(401, "UNAUTHORIZED"),
        ("/v2/app/tags/list", Some(_)) => Reply::json(r#"{"tags":["v1"]}"#),
        (path, Some(_)) if path.contains("/blobs/sha256") => Reply::new(307).header("location", target.clone()),
        (path, Some(_)) if path.contains("/uploads/") && seen.method == "POST" => {
            Reply::new(202).header("location", "/v2/app/blobs/uploads/1?_state=canary-state")
        }
        (_, Some(_)) => Reply::error(403, "DENIED"),
        _ => {
            Reply::challenge(format!(r#"Bearer realm="http://u:canary-realm@{}/token",service="r""#, seen.header("host").unwrap()))
        }
    })
    .await;
    let registry = v2(signed_in(&server, alice()));
    let mut told_all = String::new();
    registry.tags(&repository("app")).try_collect::<Vec<_>>().await.unwrap();
    told_all += &told(&registry.blob(&repository("app"), &regctl::oci::Digest::sha256(b"x")).await.err().unwrap());
    told_all += &told(&registry.put_blob(&repository("app"), bytes::Bytes::from_static(b"x")).await.unwrap_err());
    told_all += &told(&registry.manifest(&repository("app"), &tag("v1")).await.unwrap_err());
    let wrong = Credential::Basic { username: "alice".into(), password: Secret::new("canary-wrong") };
    told_all += &told(&v2(signed_in(&server, wrong)).ping().await.unwrap_err());

    let traced = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(traced.contains("GET http://127.0.0.1") && traced.contains("/v2/app/tags/list?n=1000 200"), "{traced}");
    for (what, text) in [("trace", &traced), ("errors", &told_all)] {
        for secret in ["canary", ALICE.trim_start_matches("Basic ")] {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{what}");
        }
    }
    // What has to be sent was sent.
    assert_eq!(storage.seen()[0].target, "/bucket?signature=canary-signature");
}
