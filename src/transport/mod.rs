//! HTTP for registries: which addresses may be dialled, signing in, token servers, redirects, retry, pace, paging and TLS (SPEC §9).
//!
//! Knows no vendor and no `/v2/` endpoint except the one that every registry challenges on. A [`Client`] belongs to one registry: one pool
//! of connections, one remembered challenge, one token for each scope. It is cheap to make; nothing is built, looked up or loaded before
//! the first request. Every answer comes back as an [`Answer`], whatever its status: what a status means is for the endpoint to say.

mod auth;
mod body;
mod certificate;
mod challenge;
mod client;
mod connector;
mod cursor;
mod exchange;
mod gate;
mod greeting;
mod kept;
mod known;
mod limit;
mod login;
mod origin;
mod pages;
mod pool;
mod realm;
mod request;
mod retry;
mod rs256;
mod scope;
mod settings;
mod tls;
mod token;
mod trace;
mod warning;
mod wire;

pub use hyper::{Method, StatusCode, header};

pub use body::Incoming;
pub use certificate::PeerCertificate;
pub use challenge::Challenge;
pub use client::{Client, Owner};
pub use cursor::{Cursor, paged};
pub use exchange::Exchange;
pub use greeting::{Account, Greeting};
pub use known::Known;
pub use login::{Login, LoginCall, Sign, Takes, Unsigned};
pub use pages::{Listing, pages};
pub use request::{Answer, Request};
pub use retry::http_date;
pub use rs256::rs256;
pub use scope::{Scope, Scopes};
pub use settings::{Proxy, Settings, Tls};
pub use tls::parse_pin;
pub use trace::{Stats, StatsSnapshot};

/// Largest manifest that is read, in bytes: what registries accept themselves (distribution-spec 1.1 "Pushing Manifests").
pub const MANIFEST_LIMIT: usize = 4 << 20;
/// Largest page of a list, in bytes: distribution 2.8 sends all tags at once, and a hundred thousand of the longest take 13 MiB.
pub const LIST_LIMIT: usize = 64 << 20;
/// Largest token answer or error body, in bytes: real ones have a few kilobytes (CVE-2020-1702).
pub const SMALL_LIMIT: usize = 1 << 20;
