//! A server that answers whatever a test wants it to, byte by byte: what no sane server does, some server has done.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A client that says nothing for this long is let go of, so that no thread outlives its test by much.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers until the test process ends.
pub struct Canned {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// The request as it came, to the byte.
    pub bytes: Vec<u8>,
}

/// What is sent back, to the byte.
pub struct Answer {
    head: String,
    body: Vec<u8>,
    announced: usize,
    /// Sent as it is, in place of all else.
    relayed: Option<Vec<u8>>,
}

impl Answer {
    /// A well-formed answer.
    pub fn new(status: u16, media_type: &str, body: &str) -> Answer {
        let head = format!("HTTP/1.1 {status} Status\r\nContent-Type: {media_type}\r\n");
        Answer { head, body: body.as_bytes().to_vec(), announced: body.len(), relayed: None }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Answer {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    /// What another server answered, as it came.
    pub fn relayed(bytes: Vec<u8>) -> Answer {
        Answer { relayed: Some(bytes), ..Answer::new(200, "", "") }
    }

    /// Announces more than is sent.
    pub fn cut_short(mut self) -> Answer {
        self.announced += 100;
        self
    }
}

impl Canned {
    /// Starts one on a free port.
    pub fn start(answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Canned {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                std::thread::spawn(move || serve(&stream, &*answer, &log));
            }
        });
        Canned { address, received }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything it was asked, in order.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no thread panics with the log").clone()
    }
}

/// One request per connection, which every client copes with.
fn serve(mut stream: &TcpStream, answer: &dyn Fn(&Received) -> Answer, log: &Mutex<Vec<Received>>) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let Some(request) = read(stream) else { return };
    log.lock().expect("no thread panics with the log").push(request.clone());
    let answer = answer(&request);
    if let Some(bytes) = answer.relayed {
        let _ = stream.write_all(&bytes);
        return;
    }
    let head = format!("{}Content-Length: {}\r\nConnection: close\r\n\r\n", answer.head, answer.announced);
    let _ = stream.write_all(head.as_bytes());
    if request.method != "HEAD" {
        let _ = stream.write_all(&answer.body);
    }
}

fn read(stream: &TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut bytes = line.clone().into_bytes();
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        bytes.extend_from_slice(line.as_bytes());
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    bytes.extend_from_slice(&body);
    Some(Received { method, target, headers, body: String::from_utf8_lossy(&body).into_owned(), bytes })
}
