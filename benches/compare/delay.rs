//! A TCP proxy that writes down which requests pass, and can hold every byte back for a while, as a long way does: what is sent one after
//! the other arrives one after the other, however much of it is on the way at once.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What is read at once: more than any request of ours.
const PIECE: usize = 64 * 1024;

/// A way to a server, until the program ends.
pub struct Way {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Way {
    /// A way to `server` on which each request takes `delay` longer, half of it there and half of it back. Connecting is not held back.
    pub fn to(server: SocketAddr, delay: Duration) -> Way {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let record = Arc::clone(&seen);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a socket");
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(connection(client, server, delay / 2, Arc::clone(&record)));
                }
            });
        });
        Way { address, seen }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests that passed since this was last asked, as `METHOD /path`.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn connection(client: TcpStream, server: SocketAddr, delay: Duration, seen: Arc<Mutex<Vec<String>>>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a socket");
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut head = Vec::new();
    let there = pass(from_client, to_server, delay, move |piece| {
        head.extend_from_slice(piece);
        // requests for reading have no body, so each ends with its head
        while let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            let request: Vec<u8> = head.drain(..end + 4).collect();
            let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
            let line = line.trim_end_matches(" HTTP/1.1").to_owned();
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
    tokio::join!(there, pass(from_server, to_client, delay, |_| {}));
}

/// One direction. Reading goes on while earlier pieces wait.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration, mut look: impl FnMut(&[u8])) {
    let (send, mut receive) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        let mut buffer = vec![0; PIECE];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            look(&buffer[..length]);
            if send.send((Instant::now() + delay, buffer[..length].to_vec())).is_err() {
                break;
            }
        }
    };
    let write = async move {
        while let Some((due, piece)) = receive.recv().await {
            if !delay.is_zero() {
                tokio::time::sleep_until(due).await;
            }
            if to.write_all(&piece).await.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}
