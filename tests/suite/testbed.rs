//! The real components behave as the other tests take for granted. When one of these fails, look here first.

use std::net::TcpStream;
use std::process::Command;

use reqwest::header::WWW_AUTHENTICATE;
use reqwest::{Method, RequestBuilder, Response, StatusCode};

use crate::support::content::Pusher;
use crate::support::counted::Counted;
use crate::support::docker_registry::{DockerRegistry, PASSWORD, Setup, USERNAME};
use crate::support::http::{client, tls_client, wait};
use crate::support::keyring::{Keyring, State};
use crate::support::left_out::{executable, search_paths};
use crate::support::storage::fill;
use crate::support::token_server::Request;

fn send(request: RequestBuilder) -> Response {
    wait(async { request.send().await.expect("the registry answers") })
}

fn challenge(response: &Response) -> &str {
    response.headers().get(WWW_AUTHENTICATE).map_or("", |value| value.to_str().expect("ASCII"))
}

/// A manifest that can't be there: the answer to its deletion tells whether deleting is switched on.
const ABSENT: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn a_plain_registry_is_open_and_deletes() {
    let Some(registry) = DockerRegistry::start(Setup::Plain) else { return };
    assert_eq!(send(client().get(format!("{}/v2/", registry.address()))).status(), StatusCode::OK);
    let delete = client().request(Method::DELETE, format!("{}/v2/app/manifests/{ABSENT}", registry.address()));
    assert_eq!(send(delete).status(), StatusCode::NOT_FOUND);
}

#[test]
fn a_registry_with_delete_off_says_405() {
    let Some(registry) = DockerRegistry::start(Setup::DeleteOff) else { return };
    let delete = client().request(Method::DELETE, format!("{}/v2/app/manifests/{ABSENT}", registry.address()));
    assert_eq!(send(delete).status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[test]
fn a_password_file_knows_one_account() {
    let Some(registry) = DockerRegistry::start(Setup::Password) else { return };
    let ping = || client().get(format!("{}/v2/", registry.address()));
    let refused = send(ping());
    assert_eq!((refused.status(), challenge(&refused)), (StatusCode::UNAUTHORIZED, "Basic realm=\"regctl-test\""));
    assert_eq!(send(ping().basic_auth(USERNAME, Some("wrong"))).status(), StatusCode::UNAUTHORIZED);
    assert_eq!(send(ping().basic_auth(USERNAME, Some(PASSWORD))).status(), StatusCode::OK);
}

#[test]
fn tls_is_trusted_through_the_tests_own_authority_only() {
    let Some(registry) = DockerRegistry::start(Setup::Tls) else { return };
    let url = format!("{}/v2/", registry.address());
    assert_eq!(send(tls_client(registry.certificates(), false).get(&url)).status(), StatusCode::OK);
    assert!(wait(client().get(&url).send()).is_err(), "a client without the authority must not connect");
}

#[test]
fn a_client_certificate_is_asked_for() {
    let Some(registry) = DockerRegistry::start(Setup::ClientCertificate) else { return };
    let url = format!("{}/v2/", registry.address());
    assert_eq!(send(tls_client(registry.certificates(), true).get(&url)).status(), StatusCode::OK);
    assert!(wait(tls_client(registry.certificates(), false).get(&url).send()).is_err(), "without a certificate nobody gets in");
}

#[test]
fn the_registry_takes_the_token_servers_tokens() {
    let Some(registry) = DockerRegistry::start(Setup::Token) else { return };
    let url = format!("{}/v2/_catalog", registry.address());
    let refused = send(client().get(&url));
    let realm = registry.token_server().realm();
    assert_eq!(challenge(&refused), format!("Bearer realm=\"{realm}\",service=\"regctl-test\",scope=\"registry:catalog:*\""));

    let ask = || client().get(&realm).query(&[("service", "regctl-test"), ("scope", "registry:catalog:*")]);
    assert_eq!(send(ask().basic_auth(USERNAME, Some("wrong"))).status(), StatusCode::UNAUTHORIZED);
    let token = |request: RequestBuilder| {
        let body = wait(async { request.send().await.expect("an answer").bytes().await.expect("a body") });
        let answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        answer["token"].as_str().expect("a token").to_owned()
    };
    let catalog = |token: String| send(client().get(&url).bearer_auth(token)).status();
    assert_eq!(catalog(token(ask())), StatusCode::UNAUTHORIZED, "an anonymous token may only pull");
    assert_eq!(catalog(token(ask().basic_auth(USERNAME, Some(PASSWORD)))), StatusCode::OK);

    let scopes = vec!["registry:catalog:*".to_owned()];
    let request = |user: &str| Request { method: "GET".to_owned(), user: user.to_owned(), scopes: scopes.clone() };
    assert_eq!(registry.token_server().requests(), [request(""), request(USERNAME)]);
}

/// Asks the keyring whether its default collection is locked, as a client would.
fn locked(keyring: &Keyring) -> Option<bool> {
    let output = Command::new(executable("dbus-send").expect("it is there when a keyring is"))
        .envs(search_paths())
        .env("DBUS_SESSION_BUS_ADDRESS", keyring.address())
        .args(["--session", "--print-reply=literal", "--reply-timeout=1000", "--dest=org.freedesktop.secrets"])
        .args(["/org/freedesktop/secrets/aliases/default", "org.freedesktop.DBus.Properties.Get"])
        .args(["string:org.freedesktop.Secret.Collection", "string:Locked"])
        .output()
        .expect("dbus-send runs");
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then(|| answer.trim().ends_with("true"))
}

#[test]
fn a_keyring_can_be_met_in_four_states() {
    for (state, answer) in
        [(State::Unlocked, Some(false)), (State::Locked, Some(true)), (State::Hung, None), (State::Missing, None)]
    {
        let Some(keyring) = Keyring::start(state) else { return };
        assert_eq!(locked(&keyring), answer, "{state:?}");
    }
}

#[test]
fn what_is_pushed_is_there() {
    let Some(registry) = DockerRegistry::start(Setup::Password) else { return };
    let pusher = Pusher::with_login(registry.address(), USERNAME, PASSWORD);
    let image = pusher.image("team/app", &["v1", "v2"], "one");
    let (index, children) = pusher.index("team/app", "multi", &["amd64", "arm64"]);
    assert_eq!(pusher.tags("team/app"), ["multi", "v1", "v2"]);
    assert_eq!(pusher.digest_of("team/app", "v2"), Some(image));
    assert_eq!(pusher.digest_of("team/app", "multi"), Some(index));
    assert_eq!(pusher.digest_of("team/app", &children[1]), Some(children[1].clone()));
    assert_eq!(pusher.digest_of("team/app", "v3"), None);
}

#[test]
fn pushing_works_over_tls() {
    let Some(registry) = DockerRegistry::start(Setup::Tls) else { return };
    let pusher = Pusher::new(registry.address()).through(tls_client(registry.certificates(), false));
    let image = pusher.image("app", &["v1"], "over TLS");
    assert_eq!(pusher.digest_of("app", "v1"), Some(image));
}

#[test]
fn what_is_written_into_the_storage_is_served_and_connections_are_counted() {
    let Some(registry) = DockerRegistry::start(Setup::Plain) else { return };
    fill(&registry.storage(), "team/app", ["v1", "v2"]);
    let counted = Counted::to(registry.address().trim_start_matches("http://"));
    let pusher = Pusher::new(format!("http://{}", counted.address()));
    assert_eq!(pusher.tags("team/app"), ["v1", "v2"]);
    assert!(pusher.digest_of("team/app", "v1").is_some());
    assert_eq!(counted.made(), 2, "each look goes its own way");
    let held: Vec<_> = (0..3).map(|_| TcpStream::connect(counted.address()).expect("it listens")).collect();
    while counted.made() < 2 + held.len() {
        std::thread::yield_now();
    }
    assert!(counted.peak() >= held.len());
}
