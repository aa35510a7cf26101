//! The client: addresses in, answers out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use super::auth::{self, Auth};
use super::limit::Limiter;
use super::login::{Desk, Takes};
use super::origin;
use super::pool::Pool;
use super::warning::Warnings;
use super::wire::Wire;
use super::{Account, Answer, Greeting, PeerCertificate, Proxy, Request, SMALL_LIMIT, Scope, Settings, Stats, Tls};
use crate::credentials::{Anonymous, Credential, Found, Secret};
use crate::registry::{Error, ErrorKind, Result};

/// How long work that a server does after its answer is waited for. What takes longer goes on without us.
const MOST_PATIENCE: Duration = Duration::from_secs(300);
/// How long a name may take to be looked up when it is only to be shown.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(5);

/// One registry over HTTP. Clones share connections, tokens and everything learnt.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    wire: Wire,
    auth: Auth,
    /// For an API that doesn't challenge.
    desk: Option<Desk>,
    root: Url,
}

/// Whose rules for certificates an API is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The registry's: the API is on its host, or the user said where it is.
    Registry,
    /// Nobody's in particular: it is the vendor's, on a host that everybody knows.
    Vendor,
}

impl Client {
    /// A client that has not done anything yet. Costs nothing: no file, no lookup, no connection.
    pub fn new(settings: Settings) -> Client {
        Client::with(settings, None)
    }

    /// The client for the vendor's own API at `base`, which is signed in to with the same credential, in the way that `takes` says.
    /// Nothing is sent to it before it is asked something.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] when the credential of a registry with https would travel without.
    pub fn api(&self, base: Url, takes: Takes, owner: Owner) -> Result<Client> {
        let own = &self.inner.wire.settings;
        if own.base.scheme() == "https" && base.scheme() != "https" {
            return Err(Error::new(ErrorKind::Refused, "ask the API of", &own.name)
                .because(format!("{} is not protected by https", origin::shown(&base))));
        }
        let mut settings = own.clone();
        if owner == Owner::Vendor && !origin::same_host(&own.base, &base) {
            settings.tls = Tls::default();
        }
        // what is kept signs in to the API; what is made of it is for the registry
        settings.exchange = None;
        settings.known = None;
        settings.base = base;
        Ok(Client::with(settings, Some(Desk::new(takes))))
    }

    /// The same way to other servers, without the registry's credential.
    pub fn anonymous(&self) -> Client {
        let own = self.inner.wire.settings.clone();
        Client::new(Settings { credentials: Arc::new(Anonymous), exchange: None, known: None, ..own })
    }

    fn with(mut settings: Settings, desk: Option<Desk>) -> Client {
        origin::forget_user(&mut settings.base);
        settings.base.set_query(None);
        settings.base.set_fragment(None);
        let limiter = Arc::new(Limiter::new(settings.concurrency, settings.requests_per_second));
        let root = under(&settings.base, "/v2/");
        let pool = Pool::new(&settings);
        Client {
            inner: Arc::new(Inner {
                wire: Wire { settings, limiter, pool, warnings: Warnings::default() },
                auth: Auth::default(),
                desk,
                root,
            }),
        }
    }

    /// What people call the registry.
    pub fn name(&self) -> &str {
        &self.inner.wire.settings.name
    }

    /// The registry's address.
    pub fn base(&self) -> &Url {
        &self.inner.wire.settings.base
    }

    /// The most requests that will run at once: what is worth starting side by side. How many of them really run is adapted to
    /// the server; the others wait for their turn.
    pub fn concurrency(&self) -> usize {
        self.inner.wire.limiter.most()
    }

    /// What was counted so far.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.inner.wire.settings.stats
    }

    /// How the registry wants to be signed in to, once it was asked: `none`, `basic` or `bearer`.
    pub fn auth_scheme(&self) -> Option<&'static str> {
        self.inner.auth.scheme().map(|scheme| scheme.word())
    }

    /// The user name of the credential, if there is a credential and it has one.
    ///
    /// # Errors
    /// When there should be a credential and it can't be had.
    pub async fn username(&self) -> Result<Option<String>> {
        Ok(self.found().await?.and_then(|found| found.credential.username().map(str::to_owned)))
    }

    /// The credential as it is sent, which for some registries is made of the one that is kept.
    ///
    /// # Errors
    /// When there should be a credential and it can't be had, or nothing can be made of it.
    pub async fn credential(&self) -> Result<Option<Credential>> {
        self.inner.auth.usable(&self.inner.wire).await
    }

    async fn found(&self) -> Result<Option<&Found>> {
        self.inner.auth.credential(&self.inner.wire).await
    }

    /// The token server that the registry names, if it may be told the credential.
    ///
    /// # Errors
    /// When the registry can't be asked, or names one that may not.
    pub async fn token_server(&self) -> Result<Option<Url>> {
        let Inner { wire, auth, root, .. } = &*self.inner;
        auth.token_server(wire, root).await
    }

    /// A request for `path`, which begins with `/` and stands after the registry's address. The parts of a path follow their grammar, so
    /// nothing has to be escaped that the URL doesn't escape itself.
    pub fn request(&self, method: Method, path: &str) -> Request {
        Request::new(method, under(self.base(), path))
    }

    /// A request for an address outside the registry, such as the vendor's own API. Elsewhere than at the registry's origin it goes without
    /// the registry's credential, and has to bring what it needs.
    pub fn request_at(&self, method: Method, url: Url) -> Request {
        Request::new(method, url)
    }

    /// A request for an address that the server named in `Location`, relative to the address of `answer`. Behind a proxy servers often
    /// name their own scheme and port; the host decides, and the way stays ours.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] for another host: it would get our credential and content.
    pub fn follow(&self, method: Method, answer: &Answer) -> Result<Request> {
        let host = origin::shown(self.base());
        let protocol = |why: &str| Error::new(ErrorKind::Protocol, "upload to", &host).because(why);
        let location = answer.header("location").ok_or_else(|| protocol("it names no location to upload to"))?;
        let target = answer.url.join(location).map_err(|_| protocol("it names a location that is no address"))?;
        if !origin::same_host(&target, self.base()) || !matches!(target.scheme(), "http" | "https") {
            return Err(Error::new(ErrorKind::Refused, "upload to", &host)
                .because(format!("it wants the upload to go to {}", origin::shown(&target))));
        }
        let prefix = self.base().path().trim_end_matches('/');
        let mut url = match target.path().strip_prefix(prefix) {
            Some(path) if path.starts_with('/') => under(self.base(), path),
            _ => under(self.base(), target.path()),
        };
        url.set_query(target.query());
        Ok(Request::new(method, url))
    }

    /// Sends a request, signed in as far as that is needed.
    ///
    /// # Errors
    /// When there is no answer, or it breaks a rule of this module. Any status is an answer.
    #[expect(clippy::manual_async_fn, reason = "an async fn keeps a copy of what it is given, and a request is large")]
    pub fn send(&self, request: Request) -> impl Future<Output = Result<Answer>> + Send {
        async move {
            let Inner { wire, auth, desk, root } = &*self.inner;
            if let Some(desk) = desk {
                return Box::pin(self.send_to_api(desk, request)).await;
            }
            if !origin::same_origin(&request.url, &wire.settings.base) {
                return wire.send(&request, None).await;
            }
            let mut authorization = auth.authorize(wire, &request, root).await?;
            let mut answer = wire.send(&request, authorization.header.as_ref()).await?;
            let at_home = |answer: &Answer| origin::same_origin(&answer.url, &request.url);
            if authorization.header.is_none() && request.url == *root {
                auth.saw(wire, &answer);
            }
            let refused =
                answer.status == StatusCode::UNAUTHORIZED || answer.status == StatusCode::FORBIDDEN && authorization.recalled;
            if refused
                && at_home(&answer)
                && let Some(better) = Box::pin(auth.renew(wire, &request, &authorization, &answer)).await?
            {
                authorization = better;
                answer = Box::pin(wire.send(&request, authorization.header.as_ref())).await?;
            }
            if at_home(&answer) {
                answer.signed_in = authorization.signed_in;
                if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                    answer.missing = auth::missing_scopes(&answer, &authorization, &request);
                }
            }
            Ok(answer)
        }
    }

    /// Sends a request to an API that doesn't challenge. It never follows to another origin, because its headers would go along.
    async fn send_to_api(&self, desk: &Desk, request: Request) -> Result<Answer> {
        let wire = &self.inner.wire;
        let request = request.stays();
        let found = self.found().await?;
        let mut pass = desk.pass(wire, found, None).await?;
        let mut answer = wire.send(&request.clone().with_headers(&pass.headers).signed_by(pass.signing), None).await?;
        if answer.status == StatusCode::UNAUTHORIZED
            && let Some(spent) = &pass.used
        {
            pass = desk.pass(wire, found, Some(spent)).await?;
            answer = wire.send(&request.with_headers(&pass.headers), None).await?;
        }
        answer.signed_in = pass.signed_in;
        Ok(answer)
    }

    /// Sends `request` again and again, with growing pauses, until `done` says so of an answer.
    ///
    /// # Errors
    /// As [`Client::send`], and [`ErrorKind::Unreachable`] when it takes too long.
    pub async fn poll(&self, request: Request, done: impl Fn(&Answer) -> bool) -> Result<Answer> {
        let start = tokio::time::Instant::now();
        for attempt in 1.. {
            let answer = self.send(request.clone()).await?;
            if done(&answer) {
                return Ok(answer);
            }
            if start.elapsed() > MOST_PATIENCE {
                break;
            }
            let pause = super::retry::pause(attempt, 0);
            self.stats().waited(pause);
            tokio::time::sleep(pause).await;
        }
        Err(Error::new(ErrorKind::Unreachable, "wait for", self.name())
            .because(format!("it has not finished after {} s and may still be at it", MOST_PATIENCE.as_secs())))
    }

    /// Asks for the registry's root without a credential: whether anything answers, how fast, and what it shows of itself. What it says
    /// of signing in is remembered, so that the next request need not ask again.
    ///
    /// # Errors
    /// When there is no answer. Any status is one.
    pub async fn greet(&self) -> Result<Greeting> {
        let Inner { wire, auth, root, .. } = &*self.inner;
        let started = Instant::now();
        let answer = wire.send(&Request::new(Method::GET, root.clone()), None).await?;
        let took = started.elapsed();
        auth.saw(wire, &answer);
        Ok(Greeting::new(answer, took))
    }

    /// Asks for `path` without a credential and without being led elsewhere, for what a server tells everyone.
    ///
    /// # Errors
    /// When there is no answer. Any status is one.
    pub async fn peek(&self, path: &str) -> Result<Answer> {
        let request = self.request(Method::GET, path).limit(SMALL_LIMIT).stays();
        self.inner.wire.send(&request, None).await
    }

    /// What the registry's name resolves to, for people to look at. `None` when nobody here looks it up: a proxy does, or it failed.
    pub async fn addresses(&self) -> Option<Vec<IpAddr>> {
        if matches!(self.inner.wire.settings.proxy, Proxy::Url(_)) {
            return None;
        }
        let host = self.base().host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = self.base().port_or_known_default()?;
        let found = tokio::time::timeout(LOOKUP_PATIENCE, tokio::net::lookup_host((host, port))).await.ok()?.ok()?;
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in found.map(|address| address.ip()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Some(addresses)
    }

    /// Whose credential was used so far.
    pub fn account(&self) -> Option<Account> {
        self.inner.auth.account()
    }

    /// The value of the `Authorization` header for requests that need this scope; `None` where none is wanted.
    ///
    /// # Errors
    /// When the registry can't be asked how to sign in, or signing in fails.
    pub async fn authorization(&self, scope: Scope) -> Result<Option<Secret>> {
        let Inner { wire, auth, root, .. } = &*self.inner;
        if auth.scheme().is_none() {
            self.greet().await?;
        }
        let authorization = auth.authorize(wire, &self.request(Method::GET, "/v2/").scope(scope), root).await?;
        Ok(authorization.header.and_then(|value| value.to_str().ok().map(Secret::new)))
    }

    /// The certificate that the server shows, without trusting it. Sends no credential.
    ///
    /// # Errors
    /// When there is no connection, or the registry is reached without TLS.
    pub async fn peer_certificate(&self) -> Result<PeerCertificate> {
        self.inner.wire.pool.peer_certificate(&self.inner.wire.settings, &self.inner.root).await
    }
}

/// `path` after the address's own path.
pub(super) fn under(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    match base.path().trim_end_matches('/') {
        "" => url.set_path(path),
        prefix => url.set_path(&[prefix, path].concat()),
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderMap, LOCATION};

    fn client(base: &str) -> Client {
        Client::new(Settings::new("prod", base.parse().unwrap()))
    }

    #[test]
    fn paths_stand_after_the_address() {
        for (base, expected) in [
            ("https://r.example.com", "https://r.example.com/v2/a/tags/list"),
            ("https://r.example.com/", "https://r.example.com/v2/a/tags/list"),
            ("https://r.example.com:8443/some/path/", "https://r.example.com:8443/some/path/v2/a/tags/list"),
        ] {
            assert_eq!(client(base).request(Method::GET, "/v2/a/tags/list").url.as_str(), expected);
        }
    }

    #[test]
    fn upload_locations_stay_on_the_host() {
        let locate = |base: &str, location: &str| {
            let client = client(base);
            let answer = Answer {
                status: StatusCode::ACCEPTED,
                headers: HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]),
                body: Default::default(),
                incoming: None,
                url: client.request(Method::POST, "/v2/a/blobs/uploads/").url,
                signed_in: false,
                missing: None,
                repeated: false,
            };
            client.follow(Method::PUT, &answer).map(|request| request.url.to_string()).map_err(|error| error.kind())
        };
        for (base, location, expected) in [
            ("https://r.example.com", "/v2/a/blobs/uploads/1?_state=x", "https://r.example.com/v2/a/blobs/uploads/1?_state=x"),
            ("https://r.example.com", "https://r.example.com/v2/a/blobs/uploads/1", "https://r.example.com/v2/a/blobs/uploads/1"),
            (
                "https://r.example.com",
                "http://r.example.com:5000/v2/a/blobs/uploads/1",
                "https://r.example.com/v2/a/blobs/uploads/1",
            ),
            ("https://r.example.com/p", "/v2/a/blobs/uploads/1", "https://r.example.com/p/v2/a/blobs/uploads/1"),
            ("https://r.example.com/p", "/p/v2/a/blobs/uploads/1", "https://r.example.com/p/v2/a/blobs/uploads/1"),
            ("https://r.example.com/p", "1?x=y", "https://r.example.com/p/v2/a/blobs/uploads/1?x=y"),
        ] {
            assert_eq!(locate(base, location), Ok(expected.to_owned()), "{base} {location}");
        }
        for (location, kind) in [
            ("https://evil.example.net/v2/a/blobs/uploads/1", ErrorKind::Refused),
            ("//evil.example.net/x", ErrorKind::Refused),
            ("ftp://r.example.com/x", ErrorKind::Refused),
            ("http://[", ErrorKind::Protocol),
        ] {
            assert_eq!(locate("https://r.example.com", location), Err(kind), "{location}");
        }
    }
}
