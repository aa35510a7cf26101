//! What `-v` shows of the network and what `--stats` counts.
//!
//! Redaction is by construction: a line is made of method, address, status, time and size, and an address is printed by
//! [`shown`], which lets only harmless parameters through. Headers and bodies are never printed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::Serialize;
use url::Url;

/// The parameters whose values may be shown: names, numbers and digests. Everything else could be a signature, a token or an upload's state.
const HARMLESS: &[&str] = &["n", "last", "digest", "service", "scope", "mount", "from", "artifactType", "page", "page_size"];

/// An address without anything that could be a secret: no user information, and of the query only what is known to be harmless.
pub(super) fn shown(url: &Url, own: bool) -> String {
    let mut text = format!("{}{}", url.origin().ascii_serialization(), url.path());
    if url.query().is_none() {
        return text;
    }
    if !own {
        text.push_str("?…");
        return text;
    }
    for (position, (key, value)) in url.query_pairs().enumerate() {
        text.push(if position == 0 { '?' } else { '&' });
        let harmless = HARMLESS.contains(&key.as_ref());
        text.extend(key.escape_debug());
        text.push('=');
        if harmless {
            text.extend(value.escape_debug());
        } else {
            text.push('…');
        }
    }
    text
}

/// Tells about one request and its answer.
pub(super) fn request(method: &Method, url: &Url, own: bool, status: StatusCode, took: Duration, length: Option<u64>) {
    tracing::info!(
        "{method} {} {} {} ms{}",
        shown(url, own),
        status.as_u16(),
        took.as_millis(),
        length.map(|bytes| format!(" {bytes} B")).unwrap_or_default()
    );
}

/// Tells about a request that got no answer.
pub(super) fn failed(method: &Method, url: &Url, own: bool, why: &str) {
    tracing::info!("{method} {} failed: {why}", shown(url, own));
}

/// Counts what a command asked of the network. Shared by all its clients.
#[derive(Debug, Default)]
pub struct Stats {
    head: AtomicU64,
    get: AtomicU64,
    put: AtomicU64,
    post: AtomicU64,
    delete: AtomicU64,
    other: AtomicU64,
    tokens: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    retries: AtomicU64,
    waits: AtomicU64,
    waited_ms: AtomicU64,
}

/// The counts at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatsSnapshot {
    /// Requests of every kind, token requests and repeats included.
    pub requests: u64,
    /// HEAD requests.
    pub head: u64,
    /// GET requests.
    pub get: u64,
    /// PUT requests.
    pub put: u64,
    /// POST requests.
    pub post: u64,
    /// DELETE requests.
    pub delete: u64,
    /// Tokens asked for.
    pub tokens: u64,
    /// Bytes of content received.
    pub bytes_received: u64,
    /// Bytes of content sent.
    pub bytes_sent: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// Times a server or the pace made us wait.
    pub waits: u64,
    /// Milliseconds of those waits, added up.
    pub waited_ms: u64,
}

impl Stats {
    /// The counts now.
    pub fn snapshot(&self) -> StatsSnapshot {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let methods = [&self.head, &self.get, &self.put, &self.post, &self.delete, &self.other];
        StatsSnapshot {
            requests: methods.into_iter().map(read).sum(),
            head: read(&self.head),
            get: read(&self.get),
            put: read(&self.put),
            post: read(&self.post),
            delete: read(&self.delete),
            tokens: read(&self.tokens),
            bytes_received: read(&self.received),
            bytes_sent: read(&self.sent),
            retries: read(&self.retries),
            waits: read(&self.waits),
            waited_ms: read(&self.waited_ms),
        }
    }

    pub(super) fn requested(&self, method: &Method, body: usize) {
        let count = match *method {
            Method::HEAD => &self.head,
            Method::GET => &self.get,
            Method::PUT => &self.put,
            Method::POST => &self.post,
            Method::DELETE => &self.delete,
            _ => &self.other,
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.sent.fetch_add(body as u64, Ordering::Relaxed);
    }

    pub(super) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn token(&self) {
        self.tokens.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn waited(&self, time: Duration) {
        self.waits.fetch_add(1, Ordering::Relaxed);
        self.waited_ms.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_parameters_are_shown() {
        for (address, own, expected) in [
            ("https://u:p@r.example.com/v2/a/tags/list?n=5&last=x", true, "https://r.example.com/v2/a/tags/list?n=5&last=x"),
            (
                "https://r.example.com/v2/a/blobs/uploads/1?_state=abc&digest=d",
                true,
                "https://r.example.com/v2/a/blobs/uploads/1?_state=…&digest=d",
            ),
            ("https://cdn.example.net/x?X-Amz-Signature=abc&n=1", false, "https://cdn.example.net/x?…"),
            ("http://127.0.0.1:5000/v2/", true, "http://127.0.0.1:5000/v2/"),
            ("https://r.example.com/?n=%1b[2J", true, "https://r.example.com/?n=\\u{1b}[2J"),
        ] {
            assert_eq!(shown(&address.parse().unwrap(), own), expected);
        }
    }
}
