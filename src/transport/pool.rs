//! The connections: built when they are first needed, kept for the whole command. The one door to them, so here it is decided which way
//! a request takes, and whether it may be sent at all.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::TryFutureExt;
use http_body_util::Full;
use hyper::header::{ACCEPT, HOST, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use hyper::{Request, Uri};
use hyper_util::client::legacy;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use url::Url;

use super::connector::{self, CONNECT_TIMEOUT, Connector, Proxies, USER_AGENT_VALUE};
use super::gate::{Closed, Gate};
use super::origin::{self, Reach};
use super::retry::{Failure, Stage};
use super::tls::{self, Side};
use super::{PeerCertificate, Proxy, Settings};
use crate::registry::{Error, ErrorKind, Result};

/// An answer whose content is still on its way.
pub(super) type Response = hyper::Response<hyper::body::Incoming>;

/// How a host is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// We dial it ourselves.
    Direct,
    /// A proxy dials it.
    Proxied,
}

/// Requests over connections that are kept.
type Client = legacy::Client<Connector, Full<Bytes>>;

/// Up to three sets of connections for each way: without TLS (no certificates are loaded for it), to the registry's own host, and to
/// other hosts.
pub(super) struct Pool {
    gate: Gate,
    matcher: OnceLock<Arc<Matcher>>,
    /// The registry's own `Host`, which would be written anew for each request.
    host: Option<HeaderValue>,
    slots: [[OnceLock<Client>; 3]; 2],
}

impl Pool {
    pub fn new(settings: &Settings) -> Pool {
        let host = settings.base.host_str().unwrap_or_default();
        let host = settings.base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Pool {
            gate: Gate::new(settings),
            matcher: OnceLock::new(),
            host: HeaderValue::from_str(&host).ok(),
            slots: Default::default(),
        }
    }

    /// Sends one request; what it gives waits until the answer begins.
    ///
    /// # Errors
    /// When it must not be sent, or the settings can't be used.
    pub fn send(
        &self,
        settings: &Settings,
        url: &Url,
        mut request: Request<Full<Bytes>>,
    ) -> Result<impl Future<Output = std::result::Result<Response, Failure>> + use<>> {
        let (client, way) = self.client(settings, url)?;
        *request.uri_mut() = uri(url)?;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, USER_AGENT_VALUE);
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        // with https it may be HTTP/2, which has no such header
        if let Some(host) = self.host.as_ref().filter(|_| url.scheme() == "http" && origin::same_origin(&settings.base, url)) {
            headers.insert(HOST, host.clone());
        }
        if way == Way::Proxied && url.scheme() == "http" {
            // what isn't tunnelled tells the proxy itself who we are
            let proxy = self.matcher(settings).intercept(request.uri());
            if let Some(authorization) = proxy.as_ref().and_then(Intercept::basic_auth) {
                request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
            }
        }
        Ok(client.request(request).map_err(|error| {
            let stage = if error.is_connect() { Stage::Connecting } else { Stage::Asking };
            Failure::Network(stage, error.into())
        }))
    }

    /// The connections to use for `url`.
    ///
    /// # Errors
    /// When it must not be reached, or the settings can't be used.
    fn client(&self, settings: &Settings, url: &Url) -> Result<(&Client, Way)> {
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
            return Ok((client, way));
        }
        let tls = side.map(|side| tls::config(&settings.tls, side)).transpose().map_err(|why| local(settings, why))?;
        let connector = self.connector(settings, way, tls);
        let client = legacy::Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Ok((slot.get_or_init(|| client), way))
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
            Proxy::System => self.matcher(settings).intercept(&url.as_str().parse().ok()?).as_ref().map(connector::shown),
            Proxy::None => None,
            Proxy::Url(proxy) => Some(origin::shown(proxy)),
        }
    }

    /// Which proxy leads where.
    fn matcher(&self, settings: &Settings) -> &Arc<Matcher> {
        self.matcher.get_or_init(|| {
            Arc::new(match &settings.proxy {
                Proxy::Url(proxy) => Matcher::builder().all(proxy.as_str()).build(),
                Proxy::System | Proxy::None => Matcher::from_system(),
            })
        })
    }

    fn connector(&self, settings: &Settings, way: Way, tls: Option<ClientConfig>) -> Connector {
        match way {
            Way::Direct => Connector::new(self.gate.clone(), tls, None),
            Way::Proxied => {
                let proxies = Proxies::new(Arc::clone(self.matcher(settings)), settings.tls.clone());
                Connector::new(self.gate.opened(), tls, Some(proxies))
            }
        }
    }

    /// Connects without trusting anybody, and looks at the certificate. Nothing is sent but what TLS itself sends.
    pub async fn peer_certificate(&self, settings: &Settings, url: &Url) -> Result<PeerCertificate> {
        let way = self.way(settings, url)?;
        let (config, shown) = tls::looking().map_err(|why| local(settings, why))?;
        let outcome = self.connector(settings, way, Some(config)).connect(uri(url)?).await;
        // How it ends doesn't matter once the certificate is there.
        if let Some(der) = shown.get() {
            return Ok(PeerCertificate::read(der));
        }
        let host = origin::shown(url);
        Err(match outcome {
            Err(error) => Failure::Network(Stage::Connecting, error).into_error(&host),
            Ok(_) => Error::new(ErrorKind::Protocol, "look at the certificate of", &host).because("it is reached without TLS"),
        })
    }
}

/// An address as the HTTP library wants it.
fn uri(url: &Url) -> Result<Uri> {
    Uri::from_maybe_shared(Bytes::from(url.as_str().to_owned())).map_err(|error| {
        let host = origin::shown(url);
        Error::new(ErrorKind::Protocol, "reach", &host)
            .because("its address has characters that no request can have")
            .caused_by(error)
    })
}

fn local(settings: &Settings, why: String) -> Error {
    Error::new(ErrorKind::Local, "prepare connections to", &settings.name).because(why)
}

fn refused(url: &Url, why: String) -> Error {
    let host = origin::shown(url);
    Error::new(ErrorKind::Refused, "reach", &host).because(format!("{host}: {why}"))
}
