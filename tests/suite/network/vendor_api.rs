//! Clients for vendors' own APIs: pages of every kind come to an end, and what signs in goes to one origin only.

use futures_util::TryStreamExt;
use regctl::registry::{ErrorKind, Result};
use regctl::transport::header::HeaderName;
use regctl::transport::{Answer, Cursor, Login, LoginCall, Method, Owner, Request, paged};
use serde_json::{Value, json};
use std::time::Duration;

use super::responder::{Reply, Responder};
use super::*;

fn api(server: &Responder, login: Login) -> Client {
    let registry = Client::new(signed_in(server, alice()));
    registry.api(server.url().parse().unwrap(), Arc::new(move |_: &Credential| Some(login.clone())), Owner::Registry).unwrap()
}

/// The entries of all pages: strings in an array, wherever it is.
async fn all(client: &Client, request: Request, cursor: Cursor) -> Result<Vec<String>> {
    let read = |answer: &Answer| {
        let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let list = document.as_array().or_else(|| document["items"].as_array()).cloned().unwrap_or_default();
        Ok(list.iter().filter_map(|entry| entry.as_str().map(str::to_owned)).collect())
    };
    let pages = paged(client, request, cursor, read, String::as_str).try_collect::<Vec<Vec<String>>>().await?;
    Ok(pages.concat())
}

fn asked(server: &Responder) -> Vec<String> {
    server.seen().iter().map(|seen| seen.target.clone()).collect()
}

#[tokio::test]
async fn numbered_pages_end_where_the_server_says_or_nothing_is_new() {
    let number = Cursor::Number { parameter: "page", more: None };
    let with_next = Cursor::Number { parameter: "page", more: Some("/next") };
    let link = |to: &str| format!("</list?page=2>; rel=\"{to}\"");
    for (cursor, replies, entries, requests) in [
        // a short page proves nothing
        (number, vec![Reply::json(r#"["a"]"#), Reply::json(r#"["b"]"#), Reply::json("[]")], "a b", 3),
        // the last page for ever
        (number, vec![Reply::json(r#"["a"]"#), Reply::json(r#"["a"]"#)], "a", 2),
        (
            number,
            vec![Reply::json(r#"["a"]"#).header("link", link("next")), Reply::json(r#"["b"]"#).header("link", link("prev"))],
            "a b",
            2,
        ),
        (number, vec![Reply::json(r#"["a"]"#).header("x-next-page", "")], "a", 1),
        // Docker Hub has no page after the last one
        (number, vec![Reply::json(r#"["a"]"#), Reply::new(404)], "a", 2),
        (with_next, vec![Reply::json(r#"{"items":["a"],"next":"x"}"#), Reply::json(r#"{"items":["b"],"next":null}"#)], "a b", 2),
        (with_next, vec![Reply::json(r#"{"items":["a"],"next":false}"#)], "a", 1),
    ] {
        let server = Responder::in_turn(replies).await;
        let client = api(&server, Login::Basic);
        let listed = all(&client, client.request(Method::GET, "/list").query("size", "9"), cursor).await.unwrap();
        assert_eq!(listed.join(" "), entries, "{cursor:?}");
        let seen = asked(&server);
        assert_eq!(seen.len(), requests, "{seen:?}");
        assert_eq!(seen[0], "/list?size=9");
        assert!(seen.iter().skip(1).enumerate().all(|(at, target)| *target == format!("/list?size=9&page={}", at + 2)), "{seen:?}");
    }
}

#[tokio::test]
async fn named_pages_end_without_a_name_or_with_one_that_was_there() {
    let token = Cursor::Token { at: "/next", parameter: "token" };
    for (replies, entries) in [
        (vec![r#"{"items":["a"],"next":"1"}"#, r#"{"items":[],"next":"2"}"#, r#"{"items":["b"],"next":null}"#], "a b"),
        (vec![r#"{"items":["a"],"next":"1"}"#, r#"{"items":["b"],"next":"1"}"#], "a b"),
        (vec![r#"{"items":["a"],"next":""}"#], "a"),
    ] {
        let server = Responder::in_turn(replies.into_iter().map(Reply::json).collect()).await;
        let client = api(&server, Login::Basic);
        assert_eq!(all(&client, client.request(Method::GET, "/list"), token).await.unwrap().join(" "), entries);
    }
    let replies = [r#"{"items":["a"],"next":"n/1"}"#, r#"{"items":["b"]}"#].map(Reply::json);
    let server = Responder::in_turn(replies.to_vec()).await;
    let client = api(&server, Login::Basic);
    let request = client.request(Method::POST, "/").json(&json!({ "max": 9 })).repeatable();
    assert_eq!(all(&client, request, Cursor::Field { at: "/next", field: "token" }).await.unwrap().join(" "), "a b");
    let bodies: Vec<Value> = server.seen().iter().map(|seen| serde_json::from_slice(&seen.body).unwrap()).collect();
    assert_eq!(bodies, [json!({ "max": 9 }), json!({ "max": 9, "token": "n/1" })]);
}

#[tokio::test]
async fn offsets_are_what_was_read() {
    let server = Responder::in_turn([r#"["a","b"]"#, r#"["c"]"#, "[]"].map(Reply::json).to_vec()).await;
    let client = api(&server, Login::Basic);
    assert_eq!(all(&client, client.request(Method::GET, "/list"), Cursor::Offset("offset")).await.unwrap().join(" "), "a b c");
    assert_eq!(asked(&server), ["/list", "/list?offset=2", "/list?offset=3"]);
}

#[tokio::test]
async fn a_page_on_another_host_is_refused() {
    let server =
        Responder::in_turn(vec![Reply::json(r#"["a"]"#).header("link", "<https://evil.example.net/list?page=2>; rel=\"next\"")])
            .await;
    let client = api(&server, Login::Basic);
    let cursor = Cursor::Number { parameter: "page", more: None };
    let refused = all(&client, client.request(Method::GET, "/list"), cursor).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused);
}

/// GHSA-qvqc-4c52-x6qp, for headers that a client's own rules don't know.
#[tokio::test]
async fn a_token_header_does_not_follow_to_another_origin() {
    let elsewhere = Responder::in_turn(vec![Reply::json("[]")]).await;
    let target = format!("{}/list", elsewhere.url());
    let server = Responder::start(move |_| Reply::new(302).header("location", target.clone())).await;
    let client = api(&server, Login::Header(HeaderName::from_static("private-token")));
    let refused = client.send(client.request(Method::GET, "/list")).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Refused, "{refused}");
    assert_eq!(server.seen()[0].header("private-token"), Some(PASSWORD));
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_token_is_got_once_and_again_when_it_is_spent() {
    let server = Responder::start(|seen| match (seen.path(), seen.authorization()) {
        ("/login", None) => {
            let document: Value = serde_json::from_slice(&seen.body).unwrap();
            assert_eq!(document, json!({ "user": "alice", "secret": PASSWORD }));
            Reply::json(r#"{"access_token":"t"}"#)
        }
        ("/spent", _) => Reply::new(401),
        (_, Some("Bearer t")) => Reply::json("[]"),
        other => panic!("unexpected {other:?}"),
    })
    .await;
    let document = |username: &str, password: &Secret| json!({ "user": username, "secret": password.expose() });
    let client = api(&server, Login::Call(LoginCall { path: "/login", document, lifetime: Duration::from_secs(600) }));
    let (one, two) = tokio::join!(client.send(client.request(Method::GET, "/a")), client.send(client.request(Method::GET, "/b")));
    assert!(one.unwrap().status.is_success() && two.unwrap().status.is_success());
    let logins = || server.seen().iter().filter(|seen| seen.path() == "/login").count();
    assert_eq!(logins(), 1, "however many need it");
    assert_eq!(client.send(client.request(Method::GET, "/spent")).await.unwrap().status, 401);
    assert_eq!(logins(), 2, "one more time, not for ever");
}

#[tokio::test]
async fn a_credential_of_https_does_not_travel_without() {
    let mut settings = Settings::new("prod", "https://registry.example.com".parse().unwrap());
    settings.credentials = Arc::new(Has(alice()));
    let takes = Arc::new(|_: &Credential| Some(Login::Basic));
    let refused = Client::new(settings).api("http://registry.example.com/api".parse().unwrap(), takes, Owner::Registry);
    assert_eq!(refused.err().unwrap().kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn a_credential_that_the_api_does_not_take_is_not_sent() {
    let server = Responder::in_turn(Vec::new()).await;
    let registry = Client::new(signed_in(&server, alice()));
    let client = registry.api(server.url().parse().unwrap(), Arc::new(|_: &Credential| None), Owner::Registry).unwrap();
    let refused = client.send(client.request(Method::GET, "/list")).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(server.seen().is_empty());
}
