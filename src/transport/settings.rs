//! What a client has to know about its registry: plain values, put together by whoever knows the catalogue.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use ipnet::IpNet;
use url::Url;

use super::{Exchange, Known, Stats};
use crate::credentials::{Anonymous, Secret, Source};

/// Everything a [`Client`](super::Client) depends on.
#[derive(Clone)]
pub struct Settings {
    /// What people call the registry; stands in errors.
    pub name: String,
    /// `scheme://host[:port][/prefix]`; `/v2/` is added to it.
    pub base: Url,
    /// How its certificate is checked.
    pub tls: Tls,
    /// How it is reached.
    pub proxy: Proxy,
    /// The only networks that connections may go to, its token server's and storage's included. `None`: anywhere; empty: nowhere.
    pub only: Option<Vec<IpNet>>,
    /// Whether a proxy may be used all the same, which connects on our behalf to wherever it likes.
    pub allow_proxy: bool,
    /// The token server that may be given this registry's credential although it is on another host.
    pub realm: Option<Url>,
    /// Pairs of registry host and token server host that are known to belong together, such as Docker Hub's.
    pub trusted_realms: Vec<(String, String)>,
    /// The pace to keep to; unset: none, but 429 is obeyed.
    pub requests_per_second: Option<NonZeroU32>,
    /// Simultaneous requests; unset: as many as the server takes well.
    pub concurrency: Option<NonZeroUsize>,
    /// Where the credential comes from; asked when it is first needed.
    pub credentials: Arc<dyn Source>,
    /// What is made of that credential before it is sent; `None`: nothing, it is sent as it is.
    pub exchange: Option<Arc<dyn Exchange>>,
    /// The vendor's own API, where the person says that it is somewhere else than usual.
    pub api: Option<Url>,
    /// What other runs learnt of signing in; `None`: nothing is kept.
    pub known: Option<Known>,
    /// Where requests are counted; one value may serve all clients of a command.
    pub stats: Arc<Stats>,
}

impl Settings {
    /// A registry reached without a credential, by the system's rules for certificates and proxies.
    pub fn new(name: impl Into<String>, base: Url) -> Settings {
        Settings {
            name: name.into(),
            base,
            tls: Tls::default(),
            proxy: Proxy::System,
            only: None,
            allow_proxy: false,
            realm: None,
            trusted_realms: Vec::new(),
            requests_per_second: None,
            concurrency: None,
            credentials: Arc::new(Anonymous),
            exchange: None,
            api: None,
            known: None,
            stats: Arc::default(),
        }
    }
}

/// How a registry's certificate is checked, and what we show of ourselves.
#[derive(Debug, Clone)]
pub struct Tls {
    /// `false` accepts any certificate. A pin still holds.
    pub verify: bool,
    /// Certificates (PEM) that are trusted for this registry instead of the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// The SHA-256 of the one certificate that is accepted, whoever signed it. See [`parse_pin`](super::parse_pin).
    pub pin_sha256: Option<[u8; 32]>,
    /// Our own certificate and its private key (PEM, in any order).
    pub identity_pem: Option<Secret>,
}

impl Default for Tls {
    fn default() -> Tls {
        Tls { verify: true, ca_pem: None, pin_sha256: None, identity_pem: None }
    }
}

/// How a registry is reached.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Proxy {
    /// By `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` in both cases; a registry on this machine directly.
    #[default]
    System,
    /// Directly, whatever the environment says.
    None,
    /// Through this one: `http://`, `https://` or `socks5://`, with user and password where it wants them.
    Url(Url),
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Proxy::System => f.write_str("System"),
            Proxy::None => f.write_str("None"),
            // The address may hold a password.
            Proxy::Url(url) => write!(f, "Url({})", super::origin::shown(url)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_what_is_secret() {
        let proxy = Proxy::Url("http://user:canary@proxy.example:3128".parse().unwrap());
        let tls = Tls { identity_pem: Some(Secret::new("canary")), ..Tls::default() };
        let text = format!("{proxy:?} {tls:?}");
        assert!(text.contains("proxy.example:3128") && !text.contains("canary"), "{text}");
    }
}
