//! The server: one thread, one runtime, one handler. What differs from an honest server happens here, around the handlers.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::serve::ListenerExt;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::oneshot;

use super::answer::{self, Answer};
use super::auth::{Auth, Gate, TOKEN_LIFETIME, Tokens};
use super::blobs::Uploads;
use super::record::{Counters, Record, Recorded};
use super::route::{Lost, Route};
use super::{Behaviour, Storage, TooMany, blobs, listing, manifests};

/// What a token request may weigh: a form of a few fields.
const LARGEST_FORM: usize = 64 * 1024;

/// How to start.
#[derive(Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What is held.
    pub storage: Storage,
    /// Who may do what.
    pub auth: Auth,
    /// How it differs from an honest, complete server.
    pub behaviour: Behaviour,
}

impl Settings {
    /// A free port of the loopback address, open to everybody, honest.
    pub fn new(storage: Storage) -> Settings {
        Settings { listen: (Ipv4Addr::LOCALHOST, 0).into(), storage, auth: Auth::Open, behaviour: Behaviour::default() }
    }
}

/// What every handler sees.
pub(super) struct Shared {
    pub storage: Storage,
    pub behaviour: Behaviour,
    pub uploads: Uploads,
    gate: Gate,
    record: Record,
}

/// A registry that is running, until this is dropped.
pub struct Running {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts to listen, on a thread of its own.
    ///
    /// # Errors
    /// When the address can't be listened on.
    pub fn start(settings: Settings) -> io::Result<Running> {
        let listener = TcpListener::bind(settings.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let lifetime = settings.behaviour.token_lifetime.unwrap_or(TOKEN_LIFETIME);
        let gate = Gate { auth: settings.auth, realm: settings.behaviour.realm.clone(), lifetime, tokens: Tokens::default() };
        let shared = Arc::new(Shared {
            storage: settings.storage,
            behaviour: settings.behaviour,
            uploads: Uploads::default(),
            gate,
            record: Record::default(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("serve".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, serving) => {}
                    _ = stopped => {}
                }
            });
            // connections that clients keep open would be waited for
            runtime.shutdown_background();
        })?;
        Ok(Running { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as clients write it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it holds. Changes show at once.
    pub fn storage(&self) -> &Storage {
        &self.shared.storage
    }

    /// Every request since the start or the last [`Running::forget`].
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.record.requests()
    }

    /// How much there was since the start or the last [`Running::forget`].
    pub fn counters(&self) -> Counters {
        self.shared.record.counters()
    }

    /// Starts counting anew.
    pub fn forget(&self) {
        self.shared.record.forget();
    }

    /// Waits until the server ends, which it does by itself only when its socket breaks.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let counted = Arc::clone(&shared);
    let listener = listener.tap_io(move |connection| {
        counted.record.connection();
        // small answers must not wait for more to come
        let _ = connection.set_nodelay(true);
    });
    let router = Router::new().fallback(handle).with_state(shared);
    let _ = axum::serve(listener, router).await;
}

/// Counts a request as under way until it is dropped: also one whose client has gone.
struct UnderWay<'a> {
    record: &'a Record,
    request: Option<Recorded>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            self.record.end(request);
        }
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let recorded = Recorded {
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        authorization: authorization.and_then(|value| value.split(' ').next()).map(str::to_owned),
        status: 0,
    };
    let number = shared.record.begin();
    let mut under_way = UnderWay { record: &shared.record, request: Some(recorded) };
    let mut answer = answer(&shared, number, &parts.method, &parts.uri, &parts.headers, body).await;
    if parts.uri.path().starts_with("/v2") {
        answer::set(&mut answer, header::HeaderName::from_static("docker-distribution-api-version"), "registry/2.0");
    }
    if let Some(request) = &mut under_way.request {
        request.status = answer.status().as_u16();
    }
    answer
}

async fn answer(shared: &Shared, number: u64, method: &Method, uri: &Uri, headers: &HeaderMap, body: Body) -> Answer {
    let behaviour = &shared.behaviour;
    let slow = if method == Method::DELETE { behaviour.delete_latency } else { Duration::ZERO };
    let pause = behaviour.latency.max(slow);
    // even the shortest sleep takes a millisecond
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    if behaviour.html {
        return answer::with_body(StatusCode::OK, "text/html; charset=utf-8", "<!DOCTYPE html><title>Sign in</title><form></form>");
    }
    let too_many = match behaviour.too_many {
        None => false,
        Some(TooMany::First(count)) => number <= count,
        Some(TooMany::Every(count)) => number.is_multiple_of(count),
    };
    if too_many {
        let mut answer = answer::error(429, "TOOMANYREQUESTS", "slow down");
        answer::set(&mut answer, header::RETRY_AFTER, behaviour.retry_after.as_secs().to_string());
        return answer;
    }
    let route = match Route::read(uri.path()) {
        Ok(route) => route,
        Err(lost) => return nowhere(&lost),
    };
    if route != Route::Token
        && let Some(challenge) = shared.gate.challenge(method, headers, &route)
    {
        return challenge;
    }
    let most = match route {
        Route::Uploads(_) | Route::Upload(..) => blobs::LARGEST,
        Route::Manifest(..) => manifests::LARGEST,
        _ => LARGEST_FORM,
    };
    let Ok(body) = to_bytes(body, most).await else {
        return answer::error(413, "SIZE_INVALID", &format!("the body is larger than {most} bytes, or ended early"));
    };
    if behaviour.broken_repository.as_deref().is_some_and(|broken| route.repository().is_some_and(|name| name.as_str() == broken)) {
        return answer::error(500, "UNKNOWN", "unknown error");
    }
    if method == Method::DELETE && behaviour.deletes_allowed.is_some_and(|allowed| shared.record.next_delete() > allowed) {
        return answer::error(405, "UNSUPPORTED", "The operation is unsupported.");
    }
    let cut = behaviour.cut_bodies && method == Method::GET && matches!(route, Route::Manifest(..) | Route::Blob(..));
    let answer = endpoint(shared, &route, method, uri.query(), headers, body);
    if cut { cut_short(answer).await } else { answer }
}

fn endpoint(shared: &Shared, route: &Route, method: &Method, query: Option<&str>, headers: &HeaderMap, body: Bytes) -> Answer {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match route {
        Route::Token => shared.gate.token(method, headers, query, &body),
        Route::Manifest(repository, selector) => manifests::handle(shared, method, headers, repository, selector, body),
        Route::Blob(repository, digest) => blobs::handle(shared, method, headers, repository, digest),
        Route::Uploads(repository) if method == Method::POST => blobs::begin(shared, repository, query, body),
        Route::Upload(repository, id) => blobs::go_on(shared, method, headers, repository, id, query, body),
        Route::Ping if reads => answer::json_body(StatusCode::OK, &serde_json::json!({})),
        Route::Catalog if reads => listing::catalog(shared, query),
        Route::Tags(repository) if reads => listing::tags(shared, repository, query),
        Route::Referrers(repository, digest) if reads => listing::referrers(shared, repository, digest, query),
        Route::Ping | Route::Catalog | Route::Tags(_) | Route::Referrers(..) | Route::Uploads(_) => {
            answer::error(405, "UNSUPPORTED", "The operation is unsupported.")
        }
    }
}

fn nowhere(lost: &Lost) -> Answer {
    match lost {
        Lost::NotFound => answer::with_body(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "404 page not found\n"),
        Lost::Name => answer::error(400, "NAME_INVALID", "invalid repository name"),
        Lost::Digest => answer::error(400, "DIGEST_INVALID", "invalid digest"),
        Lost::Reference => answer::error(404, "MANIFEST_UNKNOWN", "no tag can have this name"),
    }
}

/// Promises the whole body, gives half of it and closes the connection.
async fn cut_short(answer: Answer) -> Answer {
    let (parts, body) = answer.into_parts();
    let bytes = to_bytes(body, blobs::LARGEST).await.unwrap_or_default();
    let half = bytes.slice(..bytes.len() / 2);
    let pieces = [Ok(half), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
    let mut answer = Answer::from_parts(parts, Body::from_stream(stream::iter(pieces)));
    answer::set(&mut answer, header::CONTENT_LENGTH, bytes.len().to_string());
    answer
}
