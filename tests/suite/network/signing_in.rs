//! Challenges, tokens and where a credential may go (SPEC §9).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::TryStreamExt;
use futures_util::future::join_all;
use regctl::credentials::{Credential, Secret, Source, Unavailable};
use regctl::registry::{ErrorKind, Registry};
use regctl::transport::{Scope, Settings};

use super::responder::{Reply, Responder, Seen};
use super::*;

const TAGS: &str = r#"{"name":"app","tags":["v1"]}"#;

/// A registry and token server in one: tokens are `token for <scope>`, made of what was asked.
async fn with_tokens(scope_of: impl Fn(&Seen) -> String + Send + Sync + 'static) -> Responder {
    Responder::start(move |seen| {
        let host = seen.header("host").unwrap();
        if seen.path() == "/token" {
            let url = format!("http://x{}", seen.target).parse::<url::Url>().unwrap();
            let scopes: Vec<String> = url.query_pairs().filter(|(key, _)| key == "scope").map(|(_, scope)| scope.into()).collect();
            return match seen.authorization() {
                None | Some(ALICE) => Reply::json(format!(r#"{{"token":"for:{}","expires_in":300}}"#, scopes.join("+"))),
                Some(_) => Reply::error(401, "UNAUTHORIZED"),
            };
        }
        let scope = scope_of(seen);
        if seen.authorization() == Some(&format!("Bearer for:{scope}")) {
            return Reply::json(TAGS);
        }
        let scope = if scope.is_empty() { String::new() } else { format!(r#",scope="{scope}""#) };
        Reply::challenge(format!(r#"Bearer realm="http://{host}/token",service="r"{scope}"#))
    })
    .await
}

/// The scope that a plain registry asks for.
fn pull(seen: &Seen) -> String {
    match seen.path().strip_prefix("/v2/").and_then(|rest| rest.split_once('/')) {
        Some((repository, _)) => format!("repository:{repository}:pull"),
        None => String::new(),
    }
}

async fn tags(registry: &impl Registry, name: &str) -> regctl::registry::Result<Vec<String>> {
    let pages: Vec<_> = registry.tags(&repository(name)).try_collect().await?;
    Ok(pages.into_iter().flatten().map(|entry| entry.name).collect())
}

/// How often the registry's root was asked for.
fn roots(server: &Responder) -> usize {
    server.lines().iter().filter(|line| *line == "GET /v2/").count()
}

#[tokio::test]
async fn thirty_two_requests_at_once_ask_for_one_token() {
    let server = with_tokens(pull).await;
    let registry = v2(signed_in(&server, alice()));
    for result in join_all((0..32).map(|_| tags(&registry, "app"))).await {
        assert_eq!(result.unwrap(), ["v1"]);
    }
    assert_eq!(server.count("GET /token"), 1);
    assert_eq!(roots(&server), 1);
    assert_eq!(server.lines()[0], "GET /v2/", "the challenge is learnt before anything else");
    assert_eq!(server.count("GET /v2/app"), 32, "no request is sent unsigned first");
    assert_eq!(registry.client().stats().snapshot().tokens, 1);
}

#[tokio::test]
async fn acr_cli_501_each_repository_has_its_own_token() {
    let server = with_tokens(pull).await;
    let registry = v2(signed_in(&server, alice()));
    for name in ["a", "b", "a"] {
        tags(&registry, name).await.unwrap();
    }
    let asked: Vec<String> = server.lines().into_iter().filter(|line| line.contains("/token")).collect();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].contains("scope=repository%3Aa%3Apull&") && asked[1].contains("scope=repository%3Ab%3Apull&"), "{asked:?}");
}

#[tokio::test]
async fn regclient_748_a_credential_is_used_even_where_nobody_asks_for_it() {
    let server = Responder::start(|seen| match (seen.path(), seen.authorization()) {
        ("/v2/", _) => Reply::json("{}"),
        (_, Some(ALICE)) => Reply::json(r#"{"repositories":["public","secret"]}"#),
        _ => Reply::json(r#"{"repositories":["public"]}"#),
    })
    .await;
    let pages: Vec<_> = v2(signed_in(&server, alice())).repositories().try_collect().await.unwrap();
    assert_eq!(pages.concat().len(), 2);
}

#[tokio::test]
async fn basic_is_sent_from_the_start_once_it_is_known() {
    let server = Responder::start(|seen| match seen.authorization() {
        Some(ALICE) => Reply::json(TAGS),
        _ => Reply::challenge("Basic realm=\"x\""),
    })
    .await;
    let registry = v2(signed_in(&server, alice()));
    for _ in 0..3 {
        tags(&registry, "app").await.unwrap();
    }
    let unsigned = server.seen().iter().filter(|seen| seen.authorization().is_none()).count();
    assert_eq!((server.seen().len(), unsigned), (4, 1));
}

#[tokio::test]
async fn without_a_credential_the_error_says_so() {
    let server = Responder::in_turn(vec![Reply::challenge("Basic realm=\"x\"")]).await;
    let error = tags(&anonymous(&server), "app").await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::CredentialMissing, Some(401)));
    assert_eq!(server.seen().len(), 1, "a 401 is not tried again");
    let error = tags(&v2(signed_in(&server, alice())), "app").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialRefused);
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_until_the_account_is_locked() {
    let server = with_tokens(pull).await;
    let wrong = Credential::Basic { username: "alice".into(), password: Secret::new("wrong") };
    let registry = v2(signed_in(&server, wrong));
    for result in join_all((0..32).map(|_| tags(&registry, "app"))).await {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::CredentialRefused);
    }
    assert_eq!(server.count("GET /token"), 1);
}

#[tokio::test]
async fn tart_55_a_token_that_has_ended_is_renewed_once() {
    let issued = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&issued);
    let server = Responder::start(move |seen| {
        let host = seen.header("host").unwrap();
        if seen.path() == "/token" {
            return Reply::json(format!(r#"{{"token":"number-{}"}}"#, counter.fetch_add(1, Ordering::SeqCst)));
        }
        // The first token is taken once; the second for ever.
        match seen.authorization() {
            Some("Bearer number-0") if seen.path() == "/v2/app/tags/list" => Reply::json(TAGS),
            Some("Bearer number-1") => Reply::json(TAGS),
            _ => {
                Reply::challenge(format!(r#"Bearer realm="http://{host}/token",scope="repository:app:pull",error="invalid_token""#))
            }
        }
    })
    .await;
    let registry = anonymous(&server);
    tags(&registry, "app").await.unwrap();
    let manifest = registry.manifest(&repository("app"), &tag("v1")).await;
    assert!(manifest.is_ok(), "{manifest:?}");
    assert_eq!(issued.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_401_is_answered_once_and_not_for_ever() {
    let server = Responder::start(|seen| match seen.path() {
        "/token" => Reply::json(r#"{"token":"useless"}"#),
        _ => {
            Reply::challenge(format!(r#"Bearer realm="http://{}/token",scope="repository:app:pull""#, seen.header("host").unwrap()))
        }
    })
    .await;
    let registry = v2(signed_in(&server, alice()));
    assert!(tags(&registry, "app").await.is_err());
    assert_eq!(server.seen().len(), 3, "{:?}", server.lines());
    assert!(tags(&registry, "app").await.is_err());
    assert!(server.seen().len() <= 6, "{:?}", server.lines());
}

#[tokio::test]
async fn hub_feedback_2094_the_missing_permission_is_named() {
    let server = Responder::start(|seen| match seen.path() {
        "/token" => Reply::json(r#"{"token":"small"}"#),
        "/v2/" if seen.authorization().is_some() => Reply::json("{}"),
        _ => Reply::challenge(format!(
            r#"Bearer realm="http://{}/token",service="r",scope="repository:team/app:delete",error="insufficient_scope""#,
            seen.header("host").unwrap()
        )),
    })
    .await;
    let registry = v2(signed_in(&server, alice()));
    let error = registry.untag(&repository("team/app"), &"v1".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("lacks the permission `repository:team/app:delete`"), "{error}");
}

#[tokio::test]
async fn docker_auth_201_a_token_that_is_not_enough_is_not_a_wrong_password() {
    // The token server took the credential, the registry says no more than 401.
    let server = Responder::start(|seen| match seen.path() {
        "/token" => Reply::json(r#"{"token":"small"}"#),
        _ => {
            Reply::challenge(format!(r#"Bearer realm="http://{}/token",scope="repository:app:pull""#, seen.header("host").unwrap()))
        }
    })
    .await;
    let error = tags(&v2(signed_in(&server, alice())), "app").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("`repository:app:pull`"), "{error}");
    let error = tags(&anonymous(&server), "app").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialMissing);
}

#[tokio::test]
async fn containers_image_487_deleting_asks_for_pull_and_delete_or_for_everything() {
    for knows_delete in [true, false] {
        let server = Responder::start(move |seen| match seen.path() {
            "/token" if !knows_delete && seen.target.contains("delete") => Reply::error(400, "INVALID_REQUEST"),
            "/token" => Reply::json(r#"{"token":"good"}"#),
            _ if seen.authorization() == Some("Bearer good") => Reply::new(202),
            _ => Reply::challenge(format!(r#"Bearer realm="http://{}/token",service="r""#, seen.header("host").unwrap())),
        })
        .await;
        let registry = v2(signed_in(&server, alice()));
        assert!(registry.untag(&repository("app"), &"v1".parse().unwrap()).await.unwrap());
        let asked: Vec<String> = server.lines().into_iter().filter(|line| line.contains("/token")).collect();
        assert!(asked[0].contains("scope=repository%3Aapp%3Adelete%2Cpull&"), "{asked:?}");
        let last = if knows_delete { "scope=repository%3Aapp%3Adelete%2Cpull&" } else { "scope=repository%3Aapp%3A*&" };
        assert!(asked.last().unwrap().contains(last), "{asked:?}");
    }
}

#[tokio::test]
async fn quay_gives_no_token_for_the_catalogue_and_lists_it_all_the_same() {
    let server = Responder::start(|seen| match seen.path() {
        "/token" if seen.target.contains("catalog") => Reply::error(400, "INVALID_REQUEST"),
        "/token" => Reply::json(r#"{"token":"plain"}"#),
        "/v2/_catalog" if seen.authorization() == Some("Bearer plain") => Reply::json(r#"{"repositories":["a"]}"#),
        _ => Reply::challenge(format!(r#"Bearer realm="http://{}/token",service="r""#, seen.header("host").unwrap())),
    })
    .await;
    let pages: Vec<_> = v2(signed_in(&server, alice())).repositories().try_collect().await.unwrap();
    assert_eq!(pages.concat().len(), 1);
}

#[tokio::test]
async fn pulp_container_2049_a_challenge_with_another_scope_is_followed_and_remembered() {
    // The server has its own idea of the repository's name.
    let server = with_tokens(|seen| match seen.path() {
        "/v2/" => String::new(),
        _ => "repository:store/app:pull".to_owned(),
    })
    .await;
    let registry = v2(signed_in(&server, alice()));
    for _ in 0..3 {
        tags(&registry, "app").await.unwrap();
    }
    assert_eq!(server.count("GET /v2/app"), 4, "one request is refused, the next know: {:?}", server.lines());
}

#[tokio::test]
async fn ggcr_1740_an_identity_token_goes_by_post_and_by_get_where_post_is_unknown() {
    for post_works in [true, false] {
        let server = Responder::start(move |seen| match (seen.path(), seen.method.as_str()) {
            ("/token", "POST") if post_works => Reply::json(r#"{"access_token":"good"}"#),
            ("/token", "POST") => Reply::error(405, "UNSUPPORTED"),
            ("/token", _) => Reply::json(r#"{"token":"good"}"#),
            _ if seen.authorization() == Some("Bearer good") => Reply::json(TAGS),
            _ => Reply::challenge(format!(r#"Bearer realm="http://{}/token",service="r""#, seen.header("host").unwrap())),
        })
        .await;
        let registry = v2(signed_in(&server, Credential::IdentityToken(Secret::new("identity-canary"))));
        tags(&registry, "app").await.unwrap();
        let post = server.seen().into_iter().find(|seen| seen.method == "POST").unwrap();
        let form = String::from_utf8(post.body).unwrap();
        assert!(form.contains("grant_type=refresh_token&refresh_token=identity-canary&service=r"), "{form}");
        assert_eq!(server.count("GET /token"), usize::from(!post_works));
    }
}

#[tokio::test]
async fn ggcr_626_the_first_failure_is_the_one_reported() {
    let server = Responder::start(|seen| match (seen.path(), seen.method.as_str()) {
        ("/token", "GET") => Reply::error(404, "FIRST"),
        ("/token", _) => Reply::error(500, "SECOND"),
        _ => Reply::challenge(format!(r#"Bearer realm="http://{}/token",service="r""#, seen.header("host").unwrap())),
    })
    .await;
    let error = tags(&v2(signed_in(&server, alice())), "app").await.unwrap_err();
    assert_eq!(error.status(), Some(404), "{error}");
}

#[tokio::test]
async fn a_ready_token_is_sent_as_it_is() {
    let server = Responder::start(|seen| match seen.authorization() {
        Some("Bearer ready-canary") => Reply::json(TAGS),
        _ => Reply::challenge("Bearer realm=\"http://elsewhere.example/token\""),
    })
    .await;
    tags(&v2(signed_in(&server, Credential::RegistryToken(Secret::new("ready-canary")))), "app").await.unwrap();
}

#[tokio::test]
async fn ghsa_qvqc_4c52_x6qp_a_hostile_realm_gets_nothing() {
    let thief = Responder::in_turn(vec![Reply::json(r#"{"token":"x"}"#)]).await;
    let realm = format!("{}/token", thief.other_url());
    let server = Responder::in_turn(vec![Reply::challenge(format!(r#"Bearer realm="{realm}",service="r""#))]).await;
    let error = tags(&v2(signed_in(&server, alice())), "app").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("realm") && error.to_string().contains(&thief.other_url()), "{error}");
    assert_eq!(thief.seen().len(), 0);
}

#[tokio::test]
async fn the_entrys_realm_may_be_told_the_credential() {
    let desk = Responder::in_turn(vec![Reply::json(r#"{"token":"good"}"#)]).await;
    let realm = desk.other_url();
    let challenge = format!(r#"Bearer realm="{realm}/token",service="r""#);
    let server = Responder::start(move |seen| match seen.authorization() {
        Some("Bearer good") => Reply::json(TAGS),
        _ => Reply::challenge(challenge.clone()),
    })
    .await;
    let registry = v2(Settings { realm: Some(realm.parse().unwrap()), ..signed_in(&server, alice()) });
    tags(&registry, "app").await.unwrap();
    assert_eq!(desk.seen()[0].authorization(), Some(ALICE));
}

#[tokio::test]
async fn a_token_server_that_redirects_elsewhere_gets_nothing_there() {
    let thief = Responder::in_turn(vec![Reply::json(r#"{"token":"x"}"#)]).await;
    let target = format!("{}/token", thief.url());
    let server = Responder::start(move |seen| match seen.path() {
        "/token" => Reply::new(307).header("location", target.clone()),
        _ => Reply::challenge(format!(r#"Bearer realm="http://{}/token""#, seen.header("host").unwrap())),
    })
    .await;
    let error = tags(&v2(signed_in(&server, alice())), "app").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!(thief.seen().len(), 0);
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_stops_before_the_network() {
    struct Locked;
    #[async_trait::async_trait]
    impl Source for Locked {
        async fn credential(&self) -> Result<Option<regctl::credentials::Found>, Unavailable> {
            Err(Unavailable { message: "the keyring is locked".into(), hints: vec!["unlock it".into()] })
        }
    }
    let server = Responder::in_turn(vec![Reply::json(TAGS)]).await;
    let error = tags(&v2(Settings { credentials: Arc::new(Locked), ..settings(&server) }), "app").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialUnavailable);
    let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<Unavailable>()).unwrap();
    assert_eq!(source.hints, ["unlock it"]);
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_refused_credential_is_told_by_ping() {
    let server = with_tokens(|_| String::new()).await;
    let ping = v2(signed_in(&server, alice())).ping().await.unwrap();
    assert_eq!((ping.auth.as_str(), ping.signed_in), ("bearer", Some(true)));
    let ping = anonymous(&server).ping().await.unwrap();
    assert_eq!((ping.auth.as_str(), ping.signed_in), ("bearer", None));
    let wrong = Credential::Basic { username: "alice".into(), password: Secret::new("wrong") };
    assert_eq!(v2(signed_in(&server, wrong)).ping().await.unwrap_err().kind(), ErrorKind::CredentialRefused);
}

#[tokio::test]
async fn what_a_token_server_may_say_is_bounded() {
    for (reply, kind) in [
        (Reply::json(format!(r#"{{"token":"{}"}}"#, "x".repeat(2 << 20))), ErrorKind::Protocol),
        (Reply::json("{}"), ErrorKind::Protocol),
        (Reply::page(200), ErrorKind::Protocol),
        (Reply::json(r#"{"token":"a\r\nx-injected: b"}"#), ErrorKind::Protocol),
        (Reply::error(403, "DENIED"), ErrorKind::Denied),
        (Reply::error(500, "UNKNOWN"), ErrorKind::Unreachable),
    ] {
        let server = Responder::start(move |seen| match seen.path() {
            "/token" => reply.clone(),
            _ => Reply::challenge(format!(r#"Bearer realm="http://{}/token""#, seen.header("host").unwrap())),
        })
        .await;
        assert_eq!(tags(&v2(signed_in(&server, alice())), "app").await.unwrap_err().kind(), kind);
    }
}

#[tokio::test]
async fn a_challenge_that_makes_no_sense_is_a_plain_401() {
    for challenge in ["Bearer", "Bearer realm=\"\"x", "Negotiate", "Bearer service=\"r\"", "Digest realm=\"x\", nonce=\"y\"", ","] {
        let server = Responder::in_turn(vec![Reply::challenge(challenge)]).await;
        let error = tags(&v2(signed_in(&server, alice())), "app").await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::CredentialMissing | ErrorKind::CredentialRefused), "{challenge}: {error}");
    }
}

/// Greeting a registry is the question that would have been asked anyway.
#[tokio::test]
async fn a_greeting_teaches_how_to_sign_in() {
    let server = with_tokens(pull).await;
    let client = Client::new(signed_in(&server, alice()));
    assert_eq!(client.account(), None);
    let greeting = client.greet().await.unwrap();
    assert_eq!((greeting.status.as_u16(), greeting.service.as_deref()), (401, Some("r")));
    assert_eq!((server.count("GET /token"), client.account()), (0, None));
    let header = client.authorization(Scope::repository("app", &["pull"])).await.unwrap().unwrap();
    assert_eq!(header.expose(), "Bearer for:repository:app:pull");
    let registry = V2::new(client.clone(), "prod".into(), Quirks::default());
    tags(&registry, "app").await.unwrap();
    assert_eq!((roots(&server), server.count("GET /token")), (1, 1));
    assert_eq!(client.account().unwrap().username.as_deref(), Some("alice"));
}
