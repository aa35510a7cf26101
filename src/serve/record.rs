//! What the server saw, for tests that count requests and look for credentials where none belong.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Requests kept word for word; counting goes on beyond.
const KEPT: usize = 20_000;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// `GET`, `HEAD`, …
    pub method: String,
    /// Path and query, as sent.
    pub path: String,
    /// Scheme of the `Authorization` header, `Basic` or `Bearer`; never its value.
    pub authorization: Option<String>,
    /// What was answered.
    pub status: u16,
}

/// How much there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// Requests in all.
    pub requests: u64,
    /// Connections accepted.
    pub connections: u64,
    /// The most requests that were under way at once.
    pub most_at_once: usize,
}

#[derive(Debug, Default)]
pub(super) struct Record {
    requests: AtomicU64,
    connections: AtomicU64,
    now: AtomicUsize,
    most: AtomicUsize,
    deletes: AtomicU64,
    kept: Mutex<Vec<Recorded>>,
}

impl Record {
    pub fn connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A request begins; gives its number, from 1.
    pub fn begin(&self) -> u64 {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Another deletion is asked for; gives its number, from 1.
    pub fn next_delete(&self) -> u64 {
        self.deletes.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub fn end(&self, request: Recorded) {
        self.now.fetch_sub(1, Ordering::Relaxed);
        let mut kept = self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if kept.len() < KEPT {
            kept.push(request);
        }
    }

    pub fn requests(&self) -> Vec<Recorded> {
        self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    pub fn forget(&self) {
        self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
        self.requests.store(0, Ordering::Relaxed);
        self.connections.store(0, Ordering::Relaxed);
        self.most.store(0, Ordering::Relaxed);
    }

    pub fn counters(&self) -> Counters {
        Counters {
            requests: self.requests.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            most_at_once: self.most.load(Ordering::Relaxed),
        }
    }
}
