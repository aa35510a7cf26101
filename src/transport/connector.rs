//! Making a connection: dialled by us or by a proxy, and wrapped in TLS where the address asks for it.

use std::error::Error as StdError;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hyper::Uri;
use hyper::header::{HeaderMap, HeaderValue, USER_AGENT};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::{SocksV4, SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::Tls;
use super::gate::Gate;
use super::tls::{self, Side};

/// How long connecting may take, TLS included. A host that is there answers in well under a second.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// After how long a silent connection is asked for a sign of life: some work takes servers minutes, and what stands between forgets them.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// Who we say we are.
pub(super) const USER_AGENT_VALUE: HeaderValue = HeaderValue::from_static(concat!("regctl/", env!("CARGO_PKG_VERSION")));

/// Whatever went wrong, as the libraries below hand it on.
pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// What went wrong on the way through a proxy. The registry may be well.
#[derive(Debug, thiserror::Error)]
#[error("through the proxy {proxy}")]
pub(super) struct ThroughProxy {
    /// Host and port of the proxy.
    pub proxy: String,
    source: BoxError,
}

/// Makes connections. Clones are the same.
#[derive(Clone)]
pub(super) struct Connector {
    parts: Arc<Parts>,
}

struct Parts {
    dial: HttpConnector<Gate>,
    /// For addresses that ask for it; `None` where none will.
    tls: Option<TlsConnector>,
    proxies: Option<Proxies>,
}

/// Who connects on our behalf.
pub(super) struct Proxies {
    matcher: Arc<Matcher>,
    /// What the registry's settings let a stranger be checked by.
    tls: Tls,
    /// For those that want TLS themselves; made for the first of them.
    config: OnceLock<TlsConnector>,
}

impl Proxies {
    pub fn new(matcher: Arc<Matcher>, tls: Tls) -> Proxies {
        Proxies { matcher, tls, config: OnceLock::new() }
    }

    fn tls(&self) -> Result<&TlsConnector, String> {
        if let Some(made) = self.config.get() {
            return Ok(made);
        }
        let mut config = tls::config(&self.tls, Side::Away)?;
        // what is said to a proxy is said in HTTP/1.1
        config.alpn_protocols.clear();
        Ok(self.config.get_or_init(|| Arc::new(config).into()))
    }
}

impl Connector {
    /// `gate` decides which addresses a name may lead to; of a proxy's, if there are proxies.
    pub fn new(gate: Gate, tls: Option<ClientConfig>, proxies: Option<Proxies>) -> Connector {
        let mut dial = HttpConnector::new_with_resolver(gate);
        dial.enforce_http(false);
        dial.set_nodelay(true);
        dial.set_keepalive(Some(KEEPALIVE));
        dial.set_keepalive_interval(Some(KEEPALIVE));
        Connector { parts: Arc::new(Parts { dial, tls: tls.map(|config| Arc::new(config).into()), proxies }) }
    }

    /// Connects to where an address leads.
    ///
    /// # Errors
    /// When that fails or takes too long.
    pub async fn connect(self, to: Uri) -> Result<Established, BoxError> {
        let proxy = match &self.parts.proxies {
            None => None,
            // never past a proxy that was wanted, whatever is wrong with it
            Some(proxies) => Some(proxies.matcher.intercept(&to).ok_or("the address of the proxy can't be used")?),
        };
        let connecting = async {
            match &proxy {
                Some(proxy) => self.proxied(proxy, to).await,
                None => secured(self.tls(&to), &to, Box::new(self.parts.dial.clone().call(to.clone()).await?)).await,
            }
        };
        let result = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
        let result = result.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
        match proxy {
            Some(proxy) => result.map_err(|source| ThroughProxy { proxy: shown(&proxy), source }.into()),
            None => result,
        }
    }

    async fn proxied(&self, proxy: &Intercept, to: Uri) -> Result<Established, BoxError> {
        let address = proxy.uri().clone();
        let stream: Box<dyn Stream> = if address.scheme_str().is_some_and(|scheme| scheme.starts_with("socks")) {
            through_socks(self.parts.dial.clone(), proxy, &to).await?
        } else if is_https(&to) {
            let agent = HeaderMap::from_iter([(USER_AGENT, USER_AGENT_VALUE)]);
            let mut tunnel = Tunnel::new(address, ToProxy(self.clone())).with_headers(agent);
            if let Some(authorization) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(authorization.clone());
            }
            Box::new(tunnel.call(to.clone()).await?)
        } else {
            // it is asked for whole addresses, and passes on what it is sent
            let established = self.clone().dial_proxy(address).await?;
            return Ok(Established { is_to_proxy: true, ..established });
        };
        secured(self.tls(&to), &to, stream).await
    }

    /// The TLS that an address asks for.
    fn tls(&self, to: &Uri) -> Option<&TlsConnector> {
        self.parts.tls.as_ref().filter(|_| is_https(to))
    }

    /// Connects to a proxy itself.
    async fn dial_proxy(self, proxy: Uri) -> Result<Established, BoxError> {
        let stream = Box::new(self.parts.dial.clone().call(proxy.clone()).await?);
        let tls = match &self.parts.proxies {
            Some(proxies) if is_https(&proxy) => Some(proxies.tls()?),
            _ => None,
        };
        secured(tls, &proxy, stream).await
    }
}

/// Host and port of a proxy, without what it wants to know of us.
pub(super) fn shown(proxy: &Intercept) -> String {
    let port = proxy.uri().port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", proxy.uri().host().unwrap_or("of the environment"))
}

fn is_https(to: &Uri) -> bool {
    to.scheme_str() == Some("https")
}

/// A connection over a stream to where an address leads, with TLS if there is to be some.
async fn secured(tls: Option<&TlsConnector>, to: &Uri, stream: Box<dyn Stream>) -> Result<Established, BoxError> {
    let Some(tls) = tls else { return Ok(Established { stream, is_to_proxy: false, speaks_h2: false }) };
    let name = ServerName::try_from(bare(to.host().unwrap_or_default()).to_owned())?;
    let stream = tls.connect(name, TokioIo::new(stream)).await?;
    let speaks_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok(Established { stream: Box::new(TokioIo::new(stream)), is_to_proxy: false, speaks_h2 })
}

/// Has a SOCKS proxy connect. `socks5h` and `socks4a` leave names to it, `socks5` and `socks4` do not.
async fn through_socks(dial: HttpConnector<Gate>, proxy: &Intercept, to: &Uri) -> Result<Box<dyn Stream>, BoxError> {
    let address = proxy.uri().clone();
    let scheme = address.scheme_str().unwrap_or_default();
    let to = destination(to, matches!(scheme, "socks4" | "socks5")).await?;
    if scheme.starts_with("socks4") {
        return Ok(Box::new(SocksV4::new(address, dial).call(to).await?));
    }
    let mut socks = SocksV5::new(address, dial);
    if let Some((user, password)) = proxy.raw_auth() {
        socks = socks.with_auth(user.to_owned(), password.to_owned());
    }
    Ok(Box::new(socks.call(to).await?))
}

/// What a SOCKS proxy is asked for: always with a port, because for the library the usual one is that of https; and with a number in the
/// place of a name that is `ours` to resolve.
async fn destination(to: &Uri, ours: bool) -> Result<Uri, BoxError> {
    let port = to.port_u16().unwrap_or(if is_https(to) { 443 } else { 80 });
    let host = to.host().unwrap_or_default();
    let authority = if ours {
        let found = tokio::net::lookup_host((bare(host), port)).await?.next();
        found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?.to_string()
    } else {
        format!("{host}:{port}")
    };
    Ok(Uri::builder().scheme("http").authority(authority).path_and_query("/").build()?)
}

/// A host without the brackets that an address of IPv6 has in a URL.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

impl Service<Uri> for Connector {
    type Response = Established;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Established, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        Box::pin(self.clone().connect(to))
    }
}

/// Connects to a proxy, for the tunnel through it.
struct ToProxy(Connector);

impl Service<Uri> for ToProxy {
    type Response = Established;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Established, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, proxy: Uri) -> Self::Future {
        Box::pin(self.0.clone().dial_proxy(proxy))
    }
}

/// Bytes both ways.
trait Stream: Read + Write + Unpin + Send {}

impl<T: Read + Write + Unpin + Send> Stream for T {}

/// A connection that requests can be sent on.
pub(super) struct Established {
    stream: Box<dyn Stream>,
    /// Whether it ends at a proxy that wants whole addresses.
    is_to_proxy: bool,
    /// Whether both sides agreed on HTTP/2.
    speaks_h2: bool,
}

impl Connection for Established {
    fn connected(&self) -> Connected {
        let connected = Connected::new().proxy(self.is_to_proxy);
        if self.speaks_h2 { connected.negotiated_h2() } else { connected }
    }
}

impl Read for Established {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl Write for Established {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }
}
