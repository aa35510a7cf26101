//! A TCP proxy that writes down which requests pass, and can hold every byte back for a while, as a long way does: what is sent one after
//! the other arrives one after the other, however much of it is on the way at once.
//!
//! It is made of threads that sleep, because they wake within a tenth of a millisecond. The timers of an asynchronous runtime are rounded up
//! to whole ones, which would be counted against whoever is measured, twice for each request.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

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
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let record = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let record = Arc::clone(&record);
                thread::spawn(move || connection(&client, server, delay / 2, &record));
            }
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

fn connection(client: &TcpStream, server: SocketAddr, delay: Duration, seen: &Mutex<Vec<String>>) {
    let Ok(server) = TcpStream::connect(server) else { return };
    for stream in [client, &server] {
        stream.set_nodelay(true).expect("a socket");
    }
    let mut head = Vec::new();
    let look = |piece: &[u8]| {
        head.extend_from_slice(piece);
        // requests for reading have no body, so each ends with its head
        while let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            let request: Vec<u8> = head.drain(..end + 4).collect();
            let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
            let line = line.trim_end_matches(" HTTP/1.1").to_owned();
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| pass(client, &server, delay, look));
        scope.spawn(|| pass(&server, client, delay, |_| {}));
    });
}

/// One direction. Reading goes on while earlier pieces wait.
fn pass(mut from: &TcpStream, mut to: &TcpStream, delay: Duration, mut look: impl FnMut(&[u8])) {
    let (send, receive) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::scope(|scope| {
        scope.spawn(move || {
            for (due, piece) in receive {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if to.write_all(&piece).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Write);
        });
        let mut buffer = vec![0; PIECE];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let read = Instant::now();
            look(&buffer[..length]);
            if send.send((read + delay, buffer[..length].to_vec())).is_err() {
                break;
            }
        }
        drop(send);
    });
}
