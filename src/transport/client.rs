//! The client: addresses in, answers out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use super::auth::{self, Auth};
use super::limit::Limiter;
use super::origin;
use super::pool::Pool;
use super::warning::Warnings;
use super::wire::Wire;
use super::{Account, Answer, Greeting, PeerCertificate, Proxy, Request, SMALL_LIMIT, Scope, Settings, Stats};
use crate::credentials::Secret;
use crate::registry::{Error, ErrorKind, Result};

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
    root: Url,
}

impl Client {
    /// A client that has not done anything yet. Costs nothing: no file, no lookup, no connection.
    pub fn new(mut settings: Settings) -> Client {
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
    pub async fn send(&self, request: Request) -> Result<Answer> {
        let Inner { wire, auth, root } = &*self.inner;
        if !origin::same_origin(&request.url, &wire.settings.base) {
            return wire.send(&request, None).await;
        }
        let mut authorization = auth.authorize(wire, &request, root).await?;
        let mut answer = wire.send(&request, authorization.header.as_ref()).await?;
        let at_home = |answer: &Answer| origin::same_origin(&answer.url, &request.url);
        if authorization.header.is_none() && request.url == *root {
            auth.saw(wire, &answer);
        }
        if answer.status == StatusCode::UNAUTHORIZED
            && at_home(&answer)
            && let Some(better) = auth.renew(wire, &request, &authorization, &answer).await?
        {
            authorization = better;
            answer = wire.send(&request, authorization.header.as_ref()).await?;
        }
        if at_home(&answer) {
            answer.signed_in = authorization.signed_in;
            if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                answer.missing = auth::missing_scopes(&answer, &authorization, &request);
            }
        }
        Ok(answer)
    }

    /// Asks for the registry's root without a credential: whether anything answers, how fast, and what it shows of itself. What it says
    /// of signing in is remembered, so that the next request need not ask again.
    ///
    /// # Errors
    /// When there is no answer. Any status is one.
    pub async fn greet(&self) -> Result<Greeting> {
        let Inner { wire, auth, root } = &*self.inner;
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
        let Inner { wire, auth, root } = &*self.inner;
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
        self.inner.wire.pool.peer_certificate(&self.inner.wire.settings, self.inner.root.clone()).await
    }
}

/// `path` after the address's own path.
fn under(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let prefix = base.path().trim_end_matches('/');
    url.set_path(&format!("{prefix}{path}"));
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderMap, LOCATION};

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
