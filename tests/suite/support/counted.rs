//! A way to a server that counts the connections that are made through it.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Passes bytes on until the test process ends.
pub struct Counted {
    address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    made: AtomicUsize,
    open: AtomicUsize,
    peak: AtomicUsize,
}

impl Counted {
    /// A way to `server`, an address such as `127.0.0.1:5000`.
    pub fn to(server: &str) -> Counted {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let counts = Arc::new(Counts::default());
        let (counted, server) = (Arc::clone(&counts), server.to_owned());
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let far = TcpStream::connect(&server).expect("the server listens");
                counted.made.fetch_add(1, Ordering::Relaxed);
                let open = counted.open.fetch_add(1, Ordering::Relaxed) + 1;
                counted.peak.fetch_max(open, Ordering::Relaxed);
                let counts = Arc::clone(&counted);
                std::thread::spawn(move || {
                    std::thread::scope(|both| {
                        both.spawn(|| pass(&near, &far));
                        pass(&far, &near);
                    });
                    counts.open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Counted { address, counts }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were made.
    pub fn made(&self) -> usize {
        self.counts.made.load(Ordering::Relaxed)
    }

    /// How many were open at once, at most.
    pub fn peak(&self) -> usize {
        self.counts.peak.load(Ordering::Relaxed)
    }
}

/// Copies until one side ends, and tells the other.
fn pass(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
