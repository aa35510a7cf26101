//! A vendor's server: its own API in front of the embedded registry, on one port and with one state.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use regctl::serve::{Running, Settings, Storage};

use super::canned::{Answer, Canned, Received};

/// Answers until the test ends.
pub struct Front {
    server: Arc<Running>,
    canned: Canned,
}

impl Front {
    /// Starts both. What `api` doesn't answer goes to the registry.
    pub fn start(settings: Settings, api: impl Fn(&Received, &Storage) -> Option<Answer> + Send + Sync + 'static) -> Front {
        let server = Arc::new(Running::start(settings).expect("a free port"));
        let behind = Arc::clone(&server);
        let canned = Canned::start(move |request| api(request, behind.storage()).unwrap_or_else(|| relay(&behind, request)));
        Front { server, canned }
    }

    /// The address of both.
    pub fn url(&self) -> String {
        format!("http://{}", self.canned.address())
    }

    /// What is held.
    pub fn storage(&self) -> &Storage {
        self.server.storage()
    }

    /// Every request, whoever answered it, as `METHOD target`.
    pub fn requests(&self) -> Vec<String> {
        self.canned.received().iter().map(|request| format!("{} {}", request.method, request.target)).collect()
    }

    /// Every request with its headers.
    pub fn received(&self) -> Vec<Received> {
        self.canned.received()
    }
}

/// Hands the request on, and the answer back, to the byte. The embedded registry sees the front's `Host`, so its challenges name the front.
fn relay(server: &Running, request: &Received) -> Answer {
    let mut stream = TcpStream::connect(server.address()).expect("the registry listens");
    let end = request.bytes.windows(2).position(|pair| pair == b"\r\n").expect("a request has a first line") + 2;
    let (first, rest) = request.bytes.split_at(end);
    let sent = stream.write_all(&[first, b"Connection: close\r\n", rest].concat());
    sent.expect("the registry reads what it is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the registry answers");
    Answer::relayed(answer)
}
