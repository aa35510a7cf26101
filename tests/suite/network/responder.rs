//! An HTTP/1.1 server of a few lines, so that a test can send what no server library would.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    /// Path and query.
    pub target: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    /// A header by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn authorization(&self) -> Option<&str> {
        self.header("authorization")
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// `GET /v2/`
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// An answer to send.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    cut: Option<usize>,
    raw: bool,
    silent: bool,
    after: Duration,
}

impl Reply {
    pub fn new(status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: Vec::new(), cut: None, raw: false, silent: false, after: Duration::ZERO }
    }

    /// 200 with JSON.
    pub fn json(body: impl Into<String>) -> Reply {
        Reply::new(200).header("content-type", "application/json").body(body.into())
    }

    /// An error as the specification writes it.
    pub fn error(status: u16, code: &str) -> Reply {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{code} it says"}}]}}"#);
        Reply::new(status).header("content-type", "application/json").body(body)
    }

    /// A web page, as a proxy or a portal answers.
    pub fn page(status: u16) -> Reply {
        Reply::new(status).header("content-type", "text/html").body("<html><script>x</script></html>")
    }

    /// 401 with this challenge.
    pub fn challenge(challenge: impl Into<String>) -> Reply {
        Reply::error(401, "UNAUTHORIZED").header("www-authenticate", challenge)
    }

    /// These bytes and nothing else, then the end.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Reply {
        Reply { raw: true, ..Reply::new(0) }.body(bytes)
    }

    /// Waits before it answers.
    pub fn after(mut self, time: Duration) -> Reply {
        self.after = time;
        self
    }

    /// Nothing, for as long as the connection lasts.
    pub fn silence() -> Reply {
        Reply { silent: true, ..Reply::new(0) }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Reply {
        self.body = body.into();
        self
    }

    /// Promises all of the body, sends this much and closes.
    pub fn cut_after(mut self, bytes: usize) -> Reply {
        self.cut = Some(bytes);
        self
    }

    fn bytes(&self, head: bool) -> Vec<u8> {
        if self.raw {
            return self.body.clone();
        }
        let mut text = format!("HTTP/1.1 {} X\r\n", self.status);
        let stated = |name: &str| self.headers.iter().any(|(key, _)| key == name);
        if !stated("content-length") && !stated("transfer-encoding") && self.status != 204 {
            text.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        if !head {
            bytes.extend_from_slice(&self.body[..self.cut.unwrap_or(self.body.len())]);
        }
        bytes
    }
}

type Script = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

/// A server that answers by a script until the test ends.
pub struct Responder {
    address: SocketAddr,
    scheme: &'static str,
    log: Arc<Mutex<Vec<Seen>>>,
    load: Arc<Load>,
}

/// How busy a server was.
#[derive(Default)]
struct Load {
    connections: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Responder {
    /// Starts one.
    pub async fn start(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Responder {
        Responder::listen(Arc::new(script), None).await
    }

    /// Starts one that speaks TLS.
    pub async fn start_tls(acceptor: TlsAcceptor, script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Responder {
        Responder::listen(Arc::new(script), Some(acceptor)).await
    }

    /// Starts one that gives these answers in turn, and the last one for ever.
    pub async fn in_turn(replies: Vec<Reply>) -> Responder {
        let next = Mutex::new(0);
        Responder::start(move |_| {
            let mut next = next.lock().unwrap();
            let reply = replies[(*next).min(replies.len() - 1)].clone();
            *next += 1;
            reply
        })
        .await
    }

    async fn listen(script: Script, acceptor: Option<TlsAcceptor>) -> Responder {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let load = Arc::<Load>::default();
        let server = Responder { address, scheme, log: Arc::clone(&log), load: Arc::clone(&load) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log, load, acceptor) = (Arc::clone(&script), Arc::clone(&log), Arc::clone(&load), acceptor.clone());
                load.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(stream, script, log, load).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, script, log, load).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.address.port())
    }

    /// The same server under another host name: another host, as far as rules go.
    pub fn other_url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.address.port())
    }

    /// Everything that was asked.
    pub fn seen(&self) -> Vec<Seen> {
        self.log.lock().unwrap().clone()
    }

    /// The request lines of everything that was asked.
    pub fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.load.connections.load(Ordering::SeqCst)
    }

    /// The most requests that were under way at once.
    pub fn most_at_once(&self) -> usize {
        self.load.most.load(Ordering::SeqCst)
    }

    /// How many requests began with this, such as `GET /token`.
    pub fn count(&self, start: &str) -> usize {
        self.lines().iter().filter(|line| line.starts_with(start)).count()
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, script: Script, log: Arc<Mutex<Vec<Seen>>>, load: Arc<Load>) {
    let mut buffer = Vec::new();
    while let Some(seen) = read(&mut stream, &mut buffer).await {
        let now = load.now.fetch_add(1, Ordering::SeqCst) + 1;
        load.most.fetch_max(now, Ordering::SeqCst);
        let reply = script(&seen);
        let head = seen.method == "HEAD";
        log.lock().unwrap().push(seen);
        if reply.silent {
            continue;
        }
        if !reply.after.is_zero() {
            tokio::time::sleep(reply.after).await;
        }
        load.now.fetch_sub(1, Ordering::SeqCst);
        if stream.write_all(&reply.bytes(head)).await.is_err() || reply.raw || (reply.cut.is_some() && !head) {
            break;
        }
    }
    let _ = stream.shutdown().await;
}

/// The next request, or `None` at the end of the connection.
async fn read(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
        // Whatever this is, such as the beginning of a TLS handshake, it is not HTTP.
        if !buffer[0].is_ascii_uppercase() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").await;
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(": ")).map(|(key, value)| (key.to_lowercase(), value.to_owned())).collect();
    let length = headers.iter().find(|(key, _)| key == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = buffer.drain(..length).collect();
    Some(Seen { method, target, headers, body })
}
