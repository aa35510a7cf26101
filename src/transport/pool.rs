//! The connections: built when they are first needed, kept for the whole command. The one door to them, so here it is decided which way
//! a request takes, and whether it may be sent at all.

use std::sync::OnceLock;
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::redirect::Policy;
use url::Url;

use super::gate::{Closed, Gate};
use super::origin::{self, Reach};
use super::retry::Failure;
use super::tls::{self, Side};
use super::{PeerCertificate, Proxy, Settings};
use crate::registry::{Error, ErrorKind, Result};

/// How long connecting may take, TLS included. A host that is there answers in well under a second.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Who we say we are.
const USER_AGENT: &str = concat!("regctl/", env!("CARGO_PKG_VERSION"));

/// How a host is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// We dial it ourselves.
    Direct,
    /// A proxy dials it.
    Proxied,
}

/// Up to three sets of connections for each way: without TLS (no certificates are loaded for it), to the registry's own host, and to
/// other hosts.
pub(super) struct Pool {
    gate: Gate,
    system: OnceLock<Matcher>,
    slots: [[OnceLock<reqwest::Client>; 3]; 2],
}

impl Pool {
    pub fn new(settings: &Settings) -> Pool {
        Pool { gate: Gate::new(settings), system: OnceLock::new(), slots: Default::default() }
    }

    /// The connections to use for `url`.
    ///
    /// # Errors
    /// When it must not be reached, or the settings can't be used.
    pub fn client(&self, settings: &Settings, url: &Url) -> Result<&reqwest::Client> {
        let way = self.way(settings, url)?;
        let home =
            origin::same_host(&settings.base, url) || settings.realm.as_ref().is_some_and(|realm| origin::same_host(realm, url));
        let (position, side) = match (url.scheme(), home) {
            ("https", true) => (0, Some(Side::Home)),
            ("https", false) => (1, Some(Side::Away)),
            _ => (2, None),
        };
        let slot = &self.slots[way as usize][position];
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let builder = self.builder(settings, way)?;
        let builder = match side {
            Some(side) => builder.tls_backend_preconfigured(tls::config(&settings.tls, side).map_err(|why| local(settings, why))?),
            None => builder.tls_certs_only([]),
        };
        let client = finish(settings, builder)?;
        Ok(slot.get_or_init(|| client))
    }

    /// Whether the allow-list lets us reach `url`, found out before anything is sent or a secret is looked up.
    pub async fn admit(&self, settings: &Settings, url: &Url) -> Result<()> {
        if !self.gate.is_closed() || self.way(settings, url)? == Way::Proxied {
            return Ok(());
        }
        let unreachable = |why: &str| {
            let host = origin::shown(url);
            Error::new(ErrorKind::Unreachable, "reach", &host).because(format!("{host}: {why}"))
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, self.gate.check(url)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Closed::Forbidden(forbidden))) => Err(refused(url, forbidden.to_string())),
            Ok(Err(Closed::Unknown(error))) => Err(unreachable("its name has no address").caused_by(error)),
            Err(_) => Err(unreachable("its name is not resolved in time")),
        }
    }

    /// The way to `url`, if there is one that may be taken.
    fn way(&self, settings: &Settings, url: &Url) -> Result<Way> {
        match self.proxy(settings, url) {
            None => match self.gate.check_number(url) {
                Ok(()) => Ok(Way::Direct),
                Err(forbidden) => Err(refused(url, forbidden.to_string())),
            },
            Some(proxy) if self.gate.is_closed() && !settings.allow_proxy => Err(refused(
                url,
                format!(
                    "it is reached through the proxy {proxy}, which the allow-list can't be held against; \
                     leave the host out with NO_PROXY, or say --allow-proxy"
                ),
            )),
            Some(_) => Ok(Way::Proxied),
        }
    }

    /// The proxy that leads to `url`, without what it wants to know of us.
    fn proxy(&self, settings: &Settings, url: &Url) -> Option<String> {
        match &settings.proxy {
            // The environment's proxy can't reach what runs on this machine.
            Proxy::System if origin::reach(&settings.base) == Reach::Loopback => None,
            Proxy::System => {
                let system = self.system.get_or_init(Matcher::from_system);
                let intercept = system.intercept(&url.as_str().parse().ok()?)?;
                let port = intercept.uri().port().map(|port| format!(":{port}")).unwrap_or_default();
                Some(format!("{}{port}", intercept.uri().host().unwrap_or("of the environment")))
            }
            Proxy::None => None,
            Proxy::Url(proxy) => Some(origin::shown(proxy)),
        }
    }

    fn builder(&self, settings: &Settings, way: Way) -> Result<reqwest::ClientBuilder> {
        // reqwest takes its algorithms from the process-wide provider even where no TLS follows.
        tls::provider();
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true);
        Ok(match (way, &settings.proxy) {
            (Way::Direct, _) => builder.no_proxy().dns_resolver(self.gate.clone()),
            (Way::Proxied, Proxy::Url(url)) => builder.no_proxy().proxy(
                reqwest::Proxy::all(url.clone())
                    .map_err(|_| local(settings, format!("the proxy address `{}` can't be used", origin::shown(url))))?,
            ),
            (Way::Proxied, Proxy::System | Proxy::None) => builder,
        })
    }

    /// Connects without trusting anybody, and looks at the certificate. Nothing but `GET /v2/` is sent, and no credential.
    pub async fn peer_certificate(&self, settings: &Settings, url: Url) -> Result<PeerCertificate> {
        let way = self.way(settings, &url)?;
        let (config, shown) = tls::looking().map_err(|why| local(settings, why))?;
        let client = finish(settings, self.builder(settings, way)?.tls_backend_preconfigured(config))?;
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
}

fn finish(settings: &Settings, builder: reqwest::ClientBuilder) -> Result<reqwest::Client> {
    builder.build().map_err(|error| local(settings, "the network settings can't be used".into()).caused_by(error))
}

fn local(settings: &Settings, why: String) -> Error {
    Error::new(ErrorKind::Local, "prepare connections to", &settings.name).because(why)
}

fn refused(url: &Url, why: String) -> Error {
    let host = origin::shown(url);
    Error::new(ErrorKind::Refused, "reach", &host).because(format!("{host}: {why}"))
}
