//! Proxies of one registry (users' report A14). What the environment says is tested with the program.

use std::net::SocketAddr;
use std::sync::Mutex;

use rcgen::SanType;
use regctl::registry::Registry;
use regctl::transport::Proxy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::responder::{Reply, Responder};
use super::tls::{acceptor, leaf, serve, trusting};
use super::*;
use crate::support::certificates::authority;

/// A proxy that notes what it is asked for, and connects everybody to one server.
struct Tunnel {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Tunnel {
    async fn to(server: &Responder) -> Tunnel {
        let (listener, server) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), server.address());
        let tunnel = Tunnel { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let asked = Arc::clone(&tunnel.asked);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let asked = Arc::clone(&asked);
                tokio::spawn(async move {
                    let request = match client.read_u8().await.unwrap() {
                        5 => socks(&mut client).await,
                        first => connect(&mut client, first).await,
                    };
                    asked.lock().unwrap().push(request);
                    let mut server = TcpStream::connect(server).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        tunnel
    }

    fn url(&self, scheme: &str, user: &str) -> Proxy {
        Proxy::Url(format!("{scheme}://{user}{}", self.address).parse().unwrap())
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// SOCKS 5 (RFC 1928) with or without a user (RFC 1929), after the version.
async fn socks(client: &mut TcpStream) -> String {
    let mut methods = vec![0; client.read_u8().await.unwrap().into()];
    client.read_exact(&mut methods).await.unwrap();
    let mut asked = String::new();
    if methods.contains(&2) {
        client.write_all(&[5, 2]).await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), 1);
        asked = format!("{}:{}@", text(client).await, text(client).await);
        client.write_all(&[1, 0]).await.unwrap();
    } else {
        client.write_all(&[5, 0]).await.unwrap();
    }
    let mut request = [0; 4];
    client.read_exact(&mut request).await.unwrap();
    let host = match request {
        [5, 1, 0, 1] => client.read_u32().await.map(std::net::Ipv4Addr::from).unwrap().to_string(),
        [5, 1, 0, 3] => text(client).await,
        [5, 1, 0, 4] => client.read_u128().await.map(std::net::Ipv6Addr::from).unwrap().to_string(),
        other => panic!("{other:?}"),
    };
    let port = client.read_u16().await.unwrap();
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
    format!("{asked}{host}:{port}")
}

/// A text after its length.
async fn text(client: &mut TcpStream) -> String {
    let mut text = vec![0; client.read_u8().await.unwrap().into()];
    client.read_exact(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

/// HTTP's CONNECT, after its first letter.
async fn connect(client: &mut TcpStream, first: u8) -> String {
    let mut head = vec![first];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    String::from_utf8(head).unwrap()
}

/// A server with a certificate for `registry.invalid`, and what trusts it.
async fn named() -> (Responder, regctl::transport::Tls) {
    let ours = authority("ours");
    let pair = leaf(&ours, |params| params.subject_alt_names = vec![SanType::DnsName("registry.invalid".try_into().unwrap())]);
    (serve(&pair, None).await, trusting(&ours.pem()))
}

fn through(proxy: &Responder, registry: &str) -> Settings {
    let url = proxy.url().replace("http://", "http://user:canary-proxy@");
    Settings { proxy: Proxy::Url(url.parse().unwrap()), ..Settings::new("prod", registry.parse().unwrap()) }
}

#[tokio::test]
async fn a_registry_is_reached_through_its_proxy() {
    let proxy = Responder::in_turn(vec![Reply::json("{}")]).await;
    v2(through(&proxy, "http://registry.invalid")).ping().await.unwrap();
    let seen = &proxy.seen()[0];
    assert_eq!(seen.target, "http://registry.invalid/v2/");
    assert!(seen.header("proxy-authorization").unwrap().starts_with("Basic "));
}

#[tokio::test]
async fn tls_goes_through_a_tunnel_and_a_refused_one_tells_no_password() {
    let proxy = Responder::in_turn(vec![Reply::new(403)]).await;
    let error = v2(through(&proxy, "https://registry.invalid")).ping().await.unwrap_err();
    assert_eq!(proxy.lines()[0], "CONNECT registry.invalid:443");
    assert!(!told(&error).contains("canary"), "{}", told(&error));
}

#[tokio::test]
async fn none_is_none() {
    let server = Responder::in_turn(vec![Reply::json("{}")]).await;
    v2(Settings { proxy: Proxy::None, ..settings(&server) }).ping().await.unwrap();
    assert_eq!(server.lines(), ["GET /v2/"]);
}

#[tokio::test]
async fn tls_is_with_the_registry_and_not_with_the_proxy() {
    let (server, tls) = named().await;
    let tunnel = Tunnel::to(&server).await;
    let proxy = tunnel.url("http", "user:canary-proxy@");
    v2(Settings { proxy, tls, ..Settings::new("prod", "https://registry.invalid:8443".parse().unwrap()) }).ping().await.unwrap();
    let [asked] = &tunnel.asked()[..] else { panic!("{:?}", tunnel.asked()) };
    assert!(asked.starts_with("CONNECT registry.invalid:8443 HTTP/1.1\r\n"), "{asked}");
    let asked = asked.to_lowercase();
    assert!(asked.contains("\r\nproxy-authorization: basic ") && asked.contains("\r\nuser-agent: regctl/"), "{asked}");
    let seen = &server.seen()[0];
    assert_eq!((seen.line().as_str(), seen.header("host")), ("GET /v2/", Some("registry.invalid:8443")));
    assert_eq!(seen.header("proxy-authorization"), None, "the registry learns nothing of it");
}

#[tokio::test]
async fn a_socks_proxy_is_given_names_or_numbers_as_its_scheme_says() {
    let server = Responder::in_turn(vec![Reply::json("{}")]).await;
    for (scheme, user, base, expected) in [
        ("socks5h", "", "http://registry.invalid", "registry.invalid:80"),
        ("socks5h", "user:canary%20proxy@", "http://registry.invalid:5000", "user:canary proxy@registry.invalid:5000"),
        ("socks5", "", "http://127.0.0.1:5000", "127.0.0.1:5000"),
    ] {
        let tunnel = Tunnel::to(&server).await;
        v2(Settings { proxy: tunnel.url(scheme, user), ..Settings::new("prod", base.parse().unwrap()) }).ping().await.unwrap();
        assert_eq!(tunnel.asked(), [expected], "{scheme}");
    }
    let tunnel = Tunnel::to(&server).await;
    v2(Settings { proxy: tunnel.url("socks5", ""), ..Settings::new("prod", "http://localhost:5000".parse().unwrap()) })
        .ping()
        .await
        .unwrap();
    assert!(["127.0.0.1:5000", "::1:5000"].contains(&tunnel.asked()[0].as_str()), "{:?}", tunnel.asked());
    assert!(server.seen().iter().all(|seen| seen.line() == "GET /v2/"), "a path only: the proxy is no part of it");
}

#[tokio::test]
async fn tls_goes_through_a_socks_proxy() {
    let (server, tls) = named().await;
    let tunnel = Tunnel::to(&server).await;
    let proxy = tunnel.url("socks5h", "");
    v2(Settings { proxy, tls, ..Settings::new("prod", "https://registry.invalid".parse().unwrap()) }).ping().await.unwrap();
    assert_eq!(tunnel.asked(), ["registry.invalid:443"]);
}

/// The registry's pin and its word that no certificate need be checked say nothing of a proxy.
#[tokio::test]
async fn a_proxy_with_tls_is_checked_for_itself() {
    let ours = authority("ours");
    let tls = acceptor(&leaf(&ours, |_| ()), None, &["h2", "http/1.1"]);
    let proxy = Responder::start_tls(tls, |_| Reply::json("{}")).await;
    let settings = |tls| Settings {
        tls,
        proxy: Proxy::Url(proxy.url().parse().unwrap()),
        ..Settings::new("prod", "http://registry.invalid".parse().unwrap())
    };
    v2(settings(trusting(&ours.pem()))).ping().await.unwrap();
    assert_eq!(proxy.seen()[0].target, "http://registry.invalid/v2/");
    let careless = regctl::transport::Tls { verify: false, ..regctl::transport::Tls::default() };
    let error = v2(settings(careless)).ping().await.unwrap_err();
    assert!(error.to_string().contains("unknown authority"), "{error}");
}

#[tokio::test]
async fn a_proxy_that_wants_to_know_who_asks_is_told_from_one_that_is_not_there() {
    let proxy = Responder::in_turn(vec![Reply::new(407)]).await;
    let error = v2(through(&proxy, "https://registry.invalid")).ping().await.unwrap_err();
    assert!(told(&error).contains("proxy authorization required"), "{}", told(&error));
}

/// Who looks for the fault at the registry looks in vain.
#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (scheme, base) in
        [("http", "https://registry.invalid"), ("http", "http://registry.invalid"), ("socks5h", "https://registry.invalid")]
    {
        let proxy = Proxy::Url(format!("{scheme}://user:canary-proxy@{nobody}").parse().unwrap());
        let error = v2(Settings { proxy, ..Settings::new("prod", base.parse().unwrap()) }).ping().await.unwrap_err();
        assert!(error.to_string().contains(&format!("through the proxy {nobody}")), "{error}");
        assert!(!told(&error).contains("canary"), "{}", told(&error));
    }
}

#[tokio::test]
async fn nothing_goes_past_a_proxy_whose_address_cannot_be_used() {
    let server = Responder::in_turn(vec![Reply::json("{}")]).await;
    let proxy = Proxy::Url("socks5h://pro{xy:1080".parse().unwrap());
    let error = v2(Settings { proxy, ..settings(&server) }).ping().await.unwrap_err();
    assert!(told(&error).contains("the address of the proxy can't be used"), "{}", told(&error));
    assert_eq!(server.seen().len(), 0);
}
