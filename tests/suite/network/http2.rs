//! HTTP/2, where a server offers it.

use std::sync::atomic::{AtomicUsize, Ordering};

use regctl::transport::{Method, header};
use tokio::net::TcpListener;

use super::tls::{acceptor, leaf, trusting};
use super::*;
use crate::support::certificates::authority;

/// What a server does with a request.
enum Turn {
    Answer,
    /// Ends it and says that it has not looked at it.
    Refuse,
}

/// A server that speaks nothing but HTTP/2, and what was asked of it.
struct Server {
    settings: Settings,
    asked: Arc<std::sync::Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

async fn start(turn: impl Fn(usize) -> Turn + Clone + Send + 'static) -> Server {
    let ours = authority("ours");
    let acceptor = acceptor(&leaf(&ours, |_| ()), None, &["h2"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let settings = Settings { tls: trusting(&ours.pem()), ..Settings::new("prod", base.parse().unwrap()) };
    let server = Server { settings, asked: Arc::default(), connections: Arc::default() };
    let (asked, connections) = (Arc::clone(&server.asked), Arc::clone(&server.connections));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, asked, turn) = (acceptor.clone(), Arc::clone(&asked), turn.clone());
            connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(acceptor.accept(stream).await.unwrap()).await.unwrap();
                while let Some(Ok((request, mut answer))) = connection.accept().await {
                    assert!(!request.headers().contains_key(header::HOST), "HTTP/2 has `:authority`");
                    let number = {
                        let mut asked = asked.lock().unwrap();
                        asked.push(format!("{} {}", request.method(), request.uri()));
                        asked.len() - 1
                    };
                    match turn(number) {
                        Turn::Refuse => answer.send_reset(h2::Reason::REFUSED_STREAM),
                        Turn::Answer => {
                            let mut content = answer.send_response(Default::default(), false).unwrap();
                            content.send_data("{}".into(), true).unwrap();
                        }
                    }
                }
            });
        }
    });
    server
}

#[tokio::test]
async fn many_requests_share_a_connection() {
    let server = start(|_| Turn::Answer).await;
    let client = Client::new(server.settings.clone());
    let ask = || async { client.send(client.request(Method::GET, "/v2/x")).await.unwrap() };
    assert_eq!(ask().await.body, "{}");
    futures_util::future::join_all((0..20).map(|_| ask())).await;
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    let asked = server.asked.lock().unwrap();
    assert_eq!(asked.len(), 21);
    assert!(asked.iter().all(|line| *line == format!("GET {}v2/x", server.settings.base)), "{asked:?}");
}

/// Even what may not be sent twice is sent again: the server has not looked at it (RFC 9113 §8.7).
#[tokio::test]
async fn what_a_server_turns_away_unread_is_sent_again() {
    let server = start(|number| if number == 0 { Turn::Refuse } else { Turn::Answer }).await;
    let client = Client::new(server.settings.clone());
    let answer = client.send(client.request(Method::POST, "/v2/x/blobs/uploads/")).await.unwrap();
    assert!(!answer.repeated, "it arrived once");
    assert_eq!(server.asked.lock().unwrap().len(), 2);
}
