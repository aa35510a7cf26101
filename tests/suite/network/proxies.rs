//! Proxies of one registry (users' report A14). What the environment says is tested with the program.

use regctl::registry::Registry;
use regctl::transport::Proxy;

use super::responder::{Reply, Responder};
use super::*;

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
