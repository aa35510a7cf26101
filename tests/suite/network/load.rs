//! Many requests at once: side by side, on few connections, and no more than asked for.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use regctl::oci::{Digest, media_type};
use regctl::registry::Registry;

use super::responder::{Reply, Responder};
use super::*;

/// Long enough for requests to meet, whatever the machine.
const DELAY: Duration = Duration::from_millis(5);

fn found() -> Reply {
    let digest = Digest::sha256(b"").to_string();
    Reply::new(200).header("content-type", media_type::OCI_MANIFEST).header("docker-content-digest", digest).after(DELAY)
}

/// Looks up many tags as `tag list --details` does.
async fn look_up(registry: &V2, count: usize) {
    let heads = stream::iter(0..count).map(|number| async move {
        registry.head(&repository("app"), &tag(&format!("v{number}"))).await.unwrap();
    });
    heads.buffer_unordered(registry.concurrency()).count().await;
}

#[tokio::test]
async fn requests_run_side_by_side_on_few_connections() {
    let server = Responder::start(|_| found()).await;
    let registry = anonymous(&server);
    look_up(&registry, 400).await;
    assert_eq!((server.seen().len(), server.count("GET")), (400, 0));
    assert!(server.most_at_once() > 8, "{} at once", server.most_at_once());
    few_connections(&server, registry.concurrency());
}

#[tokio::test]
async fn a_number_that_is_set_is_kept() {
    let server = Responder::start(|_| found()).await;
    let registry = v2(Settings { concurrency: NonZeroUsize::new(3), ..settings(&server) });
    assert_eq!(registry.concurrency(), 3);
    look_up(&registry, 60).await;
    assert!(server.most_at_once() <= 3, "{} at once", server.most_at_once());
    few_connections(&server, 3);
}

/// A connection that is being made when another becomes free is finished and kept, so there may be some more than requests.
fn few_connections(server: &Responder, at_once: usize) {
    assert!(server.connections() <= 2 * at_once, "{} connections", server.connections());
}

#[tokio::test]
async fn a_server_that_is_overrun_gets_all_requests_in_the_end() {
    let number = AtomicUsize::new(0);
    let server = Responder::start(move |_| match number.fetch_add(1, Ordering::SeqCst) {
        20..40 => Reply::error(429, "TOOMANYREQUESTS").header("retry-after", "0"),
        _ => found(),
    })
    .await;
    let registry = anonymous(&server);
    look_up(&registry, 100).await;
    assert_eq!(server.seen().len(), 120);
    assert_eq!(registry.client().stats().snapshot().retries, 20);
}
