//! Lists as servers really page them (users' reports L3 to L6).

use futures_util::TryStreamExt;
use regctl::registry::{ErrorKind, Registry};

use super::responder::{Reply, Responder, Seen};
use super::*;

fn list(tags: &[&str]) -> Reply {
    Reply::json(serde_json::json!({ "name": "app", "tags": tags }).to_string())
}

async fn tags_of(registry: &impl Registry) -> regctl::registry::Result<Vec<String>> {
    let pages: Vec<_> = registry.tags(&repository("app")).try_collect().await?;
    Ok(pages.into_iter().flatten().map(|entry| entry.name).collect())
}

fn small_pages(server: &Responder) -> V2 {
    V2::new(Client::new(settings(server)), "prod".into(), Quirks { page_size: 2, ..Quirks::default() })
}

#[tokio::test]
async fn null_is_an_empty_list() {
    for body in [r#"{"name":"app","tags":null}"#, r#"{"name":"app"}"#, r#"{"name":"app","tags":[]}"#, r#"{"tags":[null]}"#] {
        let server = Responder::in_turn(vec![Reply::json(body)]).await;
        assert_eq!(tags_of(&anonymous(&server)).await.unwrap(), [""; 0], "{body}");
    }
}

#[tokio::test]
async fn docker_registry2_34_all_pages_are_read() {
    let server = Responder::start(|seen| match seen.target.as_str() {
        "/v2/app/tags/list?n=2" => list(&["a", "b"]).header("link", "</v2/app/tags/list?last=b&n=2>; rel=\"next\""),
        "/v2/app/tags/list?last=b&n=2" => list(&["c", "d"]).header("link", "</v2/app/tags/list?last=d&n=2>; rel=\"next\""),
        "/v2/app/tags/list?last=d&n=2" => list(&["e"]),
        _ => Reply::error(404, "NAME_UNKNOWN"),
    })
    .await;
    assert_eq!(tags_of(&small_pages(&server)).await.unwrap(), ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn nexus_public_1011_only_the_query_of_a_link_is_used() {
    for link in ["</repository/wrong/v2/app/tags/list?n=2&last=b>", "<http://127.0.0.1:1/x?n=2&last=b>", "<?n=2&last=b>"] {
        let server = Responder::start(move |seen| match seen.target.as_str() {
            "/v2/app/tags/list?n=2" => list(&["a", "b"]).header("link", format!("{link}; rel=\"next\"")),
            "/v2/app/tags/list?n=2&last=b" => list(&["c"]),
            _ => Reply::error(404, "NAME_UNKNOWN"),
        })
        .await;
        assert_eq!(tags_of(&small_pages(&server)).await.unwrap(), ["a", "b", "c"], "{link}");
    }
}

#[tokio::test]
async fn ghsa_h7vf_4x9w_h99v_a_link_to_another_host_is_refused() {
    let server = Responder::in_turn(vec![list(&["a", "b"]).header("link", "<http://evil.example/x?last=b>; rel=\"next\"")]).await;
    let error = tags_of(&small_pages(&server)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "a list that is cut in silence would be taken for the whole");
}

#[tokio::test]
async fn ghsa_298f_872v_2rcx_endless_pages_end() {
    // The same page again, the same cursor again, and an empty page with a link.
    let same = |_: &Seen| list(&["a", "b"]).header("link", "</v2/app/tags/list?n=2&last=b>; rel=\"next\"");
    let server = Responder::start(same).await;
    assert_eq!(tags_of(&small_pages(&server)).await.unwrap(), ["a", "b"]);
    assert_eq!(server.seen().len(), 2);

    let number = std::sync::atomic::AtomicUsize::new(0);
    let server = Responder::start(move |_| {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        list(&[&format!("t{number}")]).header("link", "</v2/app/tags/list?last=x>; rel=\"next\"")
    })
    .await;
    assert_eq!(tags_of(&small_pages(&server)).await.unwrap(), ["t0", "t1"]);

    let server = Responder::in_turn(vec![list(&[]).header("link", "</v2/app/tags/list?last=x>; rel=\"next\"")]).await;
    assert_eq!(tags_of(&small_pages(&server)).await.unwrap(), [""; 0]);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn renovate_15030_a_full_page_without_a_link_is_asked_for_more() {
    let server = Responder::start(|seen| match seen.target.as_str() {
        "/v2/app/tags/list?n=2" => list(&["a", "b"]),
        "/v2/app/tags/list?n=2&last=b" => list(&["b", "c"]),
        "/v2/app/tags/list?n=2&last=c" => list(&[]),
        _ => Reply::error(404, "NAME_UNKNOWN"),
    })
    .await;
    assert_eq!(tags_of(&small_pages(&server)).await.unwrap(), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_server_that_does_not_know_last_has_told_all() {
    for reply in [Reply::error(404, "NAME_UNKNOWN"), Reply::error(400, "UNSUPPORTED"), list(&["b", "a"])] {
        let server =
            Responder::start(move |seen| if seen.target.contains("last") { reply.clone() } else { list(&["a", "b"]) }).await;
        assert_eq!(tags_of(&small_pages(&server)).await.unwrap(), ["a", "b"]);
    }
    let server =
        Responder::start(|seen| if seen.target.contains("last") { Reply::error(403, "DENIED") } else { list(&["a", "b"]) }).await;
    assert!(tags_of(&small_pages(&server)).await.is_err(), "a refusal is not an end");
}

#[tokio::test]
async fn registry_cli_112_a_page_size_that_is_refused_is_left_out() {
    let server = Responder::start(|seen| match seen.target.as_str() {
        "/v2/app/tags/list" => list(&["a"]),
        _ => Reply::error(400, "PAGINATION_NUMBER_INVALID"),
    })
    .await;
    assert_eq!(tags_of(&anonymous(&server)).await.unwrap(), ["a"]);
    assert_eq!(server.lines()[0], "GET /v2/app/tags/list?n=1000");
}

#[tokio::test]
async fn a_server_that_ignores_the_page_size_is_asked_once() {
    let server = Responder::in_turn(vec![list(&["c", "a", "b"])]).await;
    assert_eq!(tags_of(&small_pages(&server)).await.unwrap(), ["c", "a", "b"]);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn names_that_break_the_grammar_are_tags_but_no_repositories() {
    let odd = "x\u{1b}[2J";
    let body = serde_json::json!({ "repositories": ["good", odd, "UPPER", "../up"], "tags": [odd] }).to_string();
    let server = Responder::in_turn(vec![Reply::json(body)]).await;
    let pages: Vec<_> = anonymous(&server).repositories().try_collect().await.unwrap();
    assert_eq!(pages.concat(), [repository("good")]);
    assert_eq!(tags_of(&anonymous(&server)).await.unwrap(), [odd], "it is for the printer to make it harmless");
}

#[tokio::test]
async fn a_registry_without_a_catalogue_is_asked_once() {
    let server = Responder::in_turn(vec![Reply::error(404, "NOT_FOUND")]).await;
    let registry = anonymous(&server);
    for _ in 0..2 {
        let error = registry.repositories().try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn dist_1585_a_repository_that_the_server_does_not_know_is_not_found() {
    let server = Responder::in_turn(vec![Reply::error(404, "NAME_UNKNOWN")]).await;
    let error = tags_of(&anonymous(&server)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, Some("NAME_UNKNOWN")));
    assert!(error.to_string().contains("prod/app"), "{error}");
}
