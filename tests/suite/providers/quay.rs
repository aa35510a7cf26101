//! Quay: a token server that knows `pull`, `push` and `*` only, and an API that takes application tokens only.

use regctl::registry::Kind;
use regctl::serve::Behaviour;
use serde_json::{Value, json};

use super::fake::{Call, Fake, PAGE, PASSWORD, empty, error, fixture, ok, size, status};
use super::program::{program, put};
use crate::support::canned::Answer;

pub const USERNAME: &str = "$oauthtoken";

pub fn fake() -> Fake {
    Fake::start(Kind::Quay, USERNAME, None, Behaviour::default(), answer)
}

/// The same for a robot, which the API doesn't know.
pub fn fake_for_robots() -> Fake {
    Fake::start(Kind::Quay, "conformance+robot", None, Behaviour::default(), answer)
}

fn answer(call: &Call<'_>) -> Option<Answer> {
    if call.path == "/token" {
        let knows = |scope: &str| {
            let actions = scope.strip_prefix("repository:").and_then(|scope| scope.rsplit_once(':')).map(|(_, actions)| actions);
            actions.is_some_and(|actions| actions.split(',').all(|action| ["pull", "push", "*"].contains(&action)))
        };
        let scopes = url::form_urlencoded::parse(call.request.target.split_once('?')?.1.as_bytes());
        let strange = scopes.filter(|(key, _)| key == "scope").any(|(_, scope)| !scope.split(' ').all(knows));
        return strange.then(|| error(400, "INVALID_REQUEST", "Unable to decode repository and actions"));
    }
    // a token without a scope is good for the catalogue
    if call.path == "/v2/_catalog" && call.header("authorization").is_some_and(|sent| sent.starts_with("Bearer ")) {
        let names = call.repositories(None);
        let begin = call.query.get("next_page").map_or(0, |text| text.trim_start_matches("opaque-").parse().unwrap_or(0));
        let shown: Vec<_> = names.iter().skip(begin).take(PAGE).collect();
        let answer = ok(&json!({ "repositories": shown }));
        let host = call.header("host")?;
        return Some(match begin + PAGE < names.len() {
            true => {
                answer.header("Link", &format!("<http://{host}/v2/_catalog?n=100&next_page=opaque-{}>; rel=\"next\"", begin + PAGE))
            }
            false => answer,
        });
    }
    let path = call.path.strip_prefix("/api/v1/repository")?;
    if call.header("authorization").is_some() && !call.is_bearer(PASSWORD) {
        return Some(status(401, &json!({ "message": "Invalid bearer token format", "error_type": "invalid_token" })));
    }
    let not_found = || status(404, &json!({ "detail": "Not Found", "error_type": "not_found", "status": 404 }));
    if call.header("authorization").is_none() && call.method != "GET" {
        return Some(status(401, &json!({ "detail": "Unauthorized", "error_type": "invalid_token" })));
    }
    if path.is_empty() {
        let names = call.repositories(call.query.get("namespace").map(String::as_str));
        let begin = call.query.get("next_page").and_then(|text| text.parse().ok()).unwrap_or(0);
        let shown = names.iter().skip(begin).take(PAGE).filter_map(|name| name.as_str().split_once('/'));
        let shown: Vec<Value> =
            shown.map(|(namespace, name)| json!({ "namespace": namespace, "name": name, "is_public": true })).collect();
        let mut page = json!({ "repositories": shown });
        if begin + PAGE < names.len() {
            page["next_page"] = json!((begin + PAGE).to_string());
        }
        return Some(ok(&page));
    }
    if let Some(repository) = path.trim_start_matches('/').strip_suffix("/tag/").filter(|_| call.method == "GET") {
        let Some(versions) = call.versions(repository) else { return Some(not_found()) };
        let entries = versions.iter().flat_map(|(manifest, tags)| {
            tags.iter().map(move |tag| {
                let list = manifest.media_type.contains("index") || manifest.media_type.contains("list");
                json!({ "name": tag, "manifest_digest": manifest.digest, "is_manifest_list": list, "size": size(manifest), "start_ts": 1772359200, "immutable": tag.as_str() == "immutable" })
            })
        });
        let (tags, more) = call.page(entries.collect());
        return Some(ok(&json!({ "tags": tags, "page": call.number("page", 1), "has_additional": more })));
    }
    if let Some((repository, rest)) = path.trim_start_matches('/').split_once("/manifest/") {
        let Some(digest) = rest.strip_suffix("/security") else { return Some(not_found()) };
        let detailed = call.query.get("vulnerabilities").is_some_and(|wanted| wanted == "true");
        return Some(match call.is_scanned(repository, digest) && detailed {
            true => ok(&fixture("quay/security.json")),
            false => ok(&json!({ "status": "queued", "data": null })),
        });
    }
    let repository = path.trim_start_matches('/');
    Some(if call.method == "DELETE" && call.remove(repository) { empty(204) } else { not_found() })
}

/// Robots can't use the API: exit 7 says which token can.
#[test]
fn a_robot_is_told_which_token_it_takes() {
    let fake = fake_for_robots();
    put(fake.front.storage(), "acme/app", &["v1"], "one");
    let program = program(&fake, None);
    program.run(["repo", "delete", "v//acme/app", "--yes"]).exits(7).says("OAuth application token");
    assert!(fake.front.storage().has(&"acme/app".parse().unwrap()));
    // what `/v2/` can do goes on
    program.run(["tag", "delete", "v//acme/app:v1", "--yes"]).succeeds();
}
