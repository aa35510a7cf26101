//! The connections: built when they are first needed, kept for the whole command.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::redirect::Policy;
use url::Url;

use super::origin::{self, Reach};
use super::retry::Failure;
use super::tls::{self, Side};
use super::{PeerCertificate, Proxy, Settings};
use crate::registry::{Error, ErrorKind, Result};

/// How long connecting may take, TLS included. A host that is there answers in well under a second.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Who we say we are.
const USER_AGENT: &str = concat!("regctl/", env!("CARGO_PKG_VERSION"));

/// Up to three sets of connections: without TLS (no certificates are loaded for it), to the registry's own host, and to other hosts.
pub(super) struct Pool {
    plain: OnceLock<reqwest::Client>,
    home: OnceLock<reqwest::Client>,
    away: OnceLock<reqwest::Client>,
}

impl Pool {
    pub fn new() -> Pool {
        Pool { plain: OnceLock::new(), home: OnceLock::new(), away: OnceLock::new() }
    }

    /// The connections to use for `url`.
    pub fn client(&self, settings: &Settings, url: &Url) -> Result<&reqwest::Client> {
        let home =
            origin::same_host(&settings.base, url) || settings.realm.as_ref().is_some_and(|realm| origin::same_host(realm, url));
        let (slot, side) = match (url.scheme(), home) {
            ("https", true) => (&self.home, Some(Side::Home)),
            ("https", false) => (&self.away, Some(Side::Away)),
            _ => (&self.plain, None),
        };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let client = build(settings, side)?;
        Ok(slot.get_or_init(|| client))
    }
}

fn build(settings: &Settings, side: Option<Side>) -> Result<reqwest::Client> {
    let mut builder = base(settings)?;
    builder = match side {
        Some(side) => builder.tls_backend_preconfigured(tls::config(&settings.tls, side).map_err(|why| local(settings, why))?),
        None => builder.tls_certs_only([]),
    };
    finish(settings, builder)
}

fn base(settings: &Settings) -> Result<reqwest::ClientBuilder> {
    // reqwest takes its algorithms from the process-wide provider even where no TLS follows.
    tls::provider();
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true);
    Ok(match &settings.proxy {
        // The environment's proxy can't reach what runs on this machine.
        Proxy::System if origin::reach(&settings.base) == Reach::Loopback => builder.no_proxy(),
        Proxy::System => builder,
        Proxy::None => builder.no_proxy(),
        Proxy::Url(url) => builder.no_proxy().proxy(
            reqwest::Proxy::all(url.clone())
                .map_err(|_| local(settings, format!("the proxy address `{}` can't be used", origin::shown(url))))?,
        ),
    })
}

fn finish(settings: &Settings, builder: reqwest::ClientBuilder) -> Result<reqwest::Client> {
    builder.build().map_err(|error| local(settings, "the network settings can't be used".into()).caused_by(error))
}

fn local(settings: &Settings, why: String) -> Error {
    Error::new(ErrorKind::Local, "prepare connections to", &settings.name).because(why)
}

/// Connects without trusting anybody, and looks at the certificate. Nothing but `GET /v2/` is sent, and no credential.
pub(super) async fn peer_certificate(settings: &Settings, url: Url) -> Result<PeerCertificate> {
    let (config, shown) = tls::looking().map_err(|why| local(settings, why))?;
    let client = finish(settings, base(settings)?.tls_backend_preconfigured(config))?;
    let host = origin::shown(&url);
    // Connecting has its own limit; a server that shakes hands and then says nothing gets as long again.
    let outcome = tokio::time::timeout(2 * CONNECT_TIMEOUT, client.get(url).send()).await;
    // What it answers doesn't matter once the certificate is there.
    if let Some(der) = shown.get() {
        return Ok(PeerCertificate::read(der));
    }
    Err(match outcome {
        Ok(Err(error)) => Failure::Network(error).into_error(&host),
        Ok(Ok(_)) => Error::new(ErrorKind::Protocol, "look at the certificate of", &host).because("it is reached without TLS"),
        Err(_) => Failure::Slow(2 * CONNECT_TIMEOUT).into_error(&host),
    })
}
