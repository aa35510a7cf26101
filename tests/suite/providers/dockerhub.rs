//! Docker Hub: an API with a login of its own, pages with `next`, and manifests that stay as long as a tag is on them.

use regctl::oci::{Repository, Selector};
use regctl::registry::Kind;
use regctl::serve::{Behaviour, Catalog, TagDelete};
use serde_json::{Value, json};

use super::fake::{Call, Fake, PASSWORD, PULLED, PUSHED, empty, error, ok, size, status};
use super::program::{program, put};
use super::{open, open_as};
use crate::support::canned::Answer;
use crate::support::http::wait;

pub const USERNAME: &str = "acme";
const JWT: &str = "hub.jwt.token";

pub fn fake() -> Fake {
    let behaviour = Behaviour { tag_delete: TagDelete::NotAllowed, catalog: Catalog::Denied, ..Behaviour::default() };
    Fake::start(Kind::Dockerhub, USERNAME, Some("/hub"), behaviour, answer)
}

fn answer(call: &Call<'_>) -> Option<Answer> {
    if let Some((repository, Selector::Digest(digest))) = call.deleted_manifest() {
        let versions = call.versions(repository.as_str())?;
        let tagged = versions.iter().any(|(manifest, tags)| manifest.digest == digest && !tags.is_empty());
        return (tagged || call.storage.is_child(&repository, &digest))
            .then(|| error(403, "DENIED", "the manifest is referenced by one or more tags or images"));
    }
    let path = call.path.strip_prefix("/hub")?;
    if path == "/v2/auth/token" {
        let sent: Value = serde_json::from_str(&call.request.body).unwrap_or_default();
        let right = sent["identifier"] == USERNAME && sent["secret"] == PASSWORD;
        return Some(match right {
            true => ok(&json!({ "access_token": JWT })),
            false => status(401, &json!({ "detail": "Incorrect authentication credentials" })),
        });
    }
    // what is public is shown to everybody; here nothing is
    if !call.is_bearer(JWT) {
        return Some(status(401, &json!({ "message": "unauthorized" })));
    }
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    Some(match (call.method, parts.as_slice()) {
        ("GET", ["v2", "namespaces", namespace, "repositories"]) => {
            let names = call.repositories(Some(namespace)).into_iter();
            let short = names.map(|name| json!({ "name": name.as_str()[namespace.len() + 1..], "namespace": namespace }));
            results(call, short.collect())
        }
        ("GET", ["v2", "namespaces", namespace, "repositories", name @ .., "tags"]) => {
            let repository = format!("{namespace}/{}", name.join("/"));
            let Some(versions) = call.versions(&repository) else {
                return Some(status(404, &json!({ "message": "object not found" })));
            };
            let entries = versions.iter().flat_map(|(manifest, tags)| {
                tags.iter().map(move |tag| {
                    json!({
                        "name": tag, "full_size": size(manifest), "digest": manifest.digest, "media_type": manifest.media_type,
                        "last_updated": PUSHED, "tag_last_pushed": PUSHED, "tag_last_pulled": PULLED,
                        "images": [
                            { "architecture": "amd64", "os": "linux", "variant": null, "size": size(manifest) },
                            { "architecture": "arm", "os": "linux", "variant": "v7", "size": size(manifest) },
                            { "architecture": "unknown", "os": "unknown", "size": 1 },
                        ],
                    })
                })
            });
            results(call, entries.collect())
        }
        ("GET", ["v2", "namespaces", namespace, "repositories", name @ ..])
            if call.versions(&format!("{namespace}/{}", name.join("/"))).is_some() =>
        {
            let frozen = name.ends_with(&["frozen"]);
            ok(&json!({
                "name": name.join("/"), "namespace": namespace, "storage_size": 1_234_567,
                "immutable_tags_settings": { "enabled": frozen, "rules": ["v.*", "immutable"] },
            }))
        }
        // with a slash at the end
        ("DELETE", ["v2", "repositories", name @ .., "tags", tag, ""]) if call.untag(&name.join("/"), tag) => empty(204),
        ("DELETE", ["v2", "repositories", name @ .., ""]) if call.remove(&name.join("/")) => empty(202),
        _ => status(404, &json!({ "message": "object not found", "errinfo": {} })),
    })
}

/// There is no page after the last one.
fn results(call: &Call<'_>, entries: Vec<Value>) -> Answer {
    let count = entries.len();
    let (entries, more) = call.page(entries);
    let number = call.number("page", 1);
    if entries.is_empty() && number > 1 {
        return status(404, &json!({ "message": "page not found" }));
    }
    let next = more.then(|| format!("https://hub.docker.com{}?page={}", call.path, number + 1));
    ok(&json!({ "count": count, "next": next, "previous": null, "results": entries }))
}

fn app() -> Repository {
    "acme/app".parse().unwrap()
}

/// Each manifest that is got counts as a pull; what the API tells has to do.
#[test]
fn details_cost_no_pull() {
    let fake = fake();
    put(fake.front.storage(), "acme/app", &["v1", "v2"], "one");
    let listed = program(&fake, None).run(["tag", "list", "v//acme/app", "--details", "-o", "json"]).succeeds().json();
    assert_eq!(listed["items"][0]["platforms"], json!(["linux/amd64", "linux/arm/v7"]));
    let pulls: Vec<_> =
        fake.front.requests().into_iter().filter(|request| request.starts_with("GET") && request.contains("/manifests/")).collect();
    assert!(pulls.is_empty(), "{pulls:?}");
}

/// 403 as long as a tag is on it: the tags go first, and only those.
#[test]
fn tags_go_before_their_manifest() {
    let fake = fake();
    let digest = put(fake.front.storage(), "acme/app", &["a", "b"], "one");
    put(fake.front.storage(), "acme/app", &["other"], "two");
    assert!(wait(open(&fake, "acme").delete_manifest(&app(), &digest)).unwrap());
    let deletions: Vec<_> = fake.front.requests().into_iter().filter(|request| request.starts_with("DELETE")).collect();
    let manifest = format!("DELETE /v2/acme/app/manifests/{digest}");
    assert_eq!(
        deletions,
        ["DELETE /hub/v2/repositories/acme/app/tags/a/", "DELETE /hub/v2/repositories/acme/app/tags/b/", manifest.as_str()]
    );
    assert_eq!(fake.front.storage().tags(&app()).unwrap().len(), 1);
}

/// One login for a whole command, and the password goes nowhere but there and to the token server.
#[test]
fn the_password_is_exchanged_once() {
    let fake = fake();
    for number in 0..7 {
        put(fake.front.storage(), "acme/app", &[&format!("v{number}")], &number.to_string());
    }
    program(&fake, None)
        .run(["tag", "delete", "v//acme/app:v1", "v//acme/app:v2", "v//acme/app:v3", "--yes"])
        .succeeds()
        .hides(PASSWORD);
    let logins = fake.front.requests().iter().filter(|request| request.contains("/v2/auth/token")).count();
    assert_eq!(logins, 1);
    for request in fake.front.received() {
        let shown = request.headers.values().any(|value| value.contains(PASSWORD));
        assert!(!shown && (!request.body.contains(PASSWORD) || request.target == "/hub/v2/auth/token"), "{}", request.target);
    }
}

/// On another host than Docker's own it isn't known where the API is, and the credential goes to no host that nobody named.
#[test]
fn a_mirror_is_not_docker_hub() {
    let fake = Fake { api: None, ..fake() };
    put(fake.front.storage(), "acme/app", &["v1", "v2"], "one");
    program(&fake, None).run(["tag", "delete", "v//acme/app:v1", "--yes"]).exits(7).says("--api-address");
    program(&fake, None).run(["repo", "list", "v"]).exits(7).says("--api-address");
    assert!(!fake.front.requests().iter().any(|request| request.contains("auth/token")));
}

/// A wrong password is refused once, not once a request: accounts get locked.
#[test]
fn a_wrong_password_is_tried_once() {
    let fake = fake();
    put(fake.front.storage(), "acme/app", &["v1", "v2"], "one");
    let stranger = open_as(&fake, Some("stranger"), Some("acme"));
    for tag in ["v1", "v2"] {
        let refused = wait(stranger.untag(&app(), &tag.parse().unwrap())).unwrap_err();
        assert_eq!(refused.kind(), regctl::registry::ErrorKind::CredentialRefused);
    }
    assert_eq!(fake.front.requests().iter().filter(|request| request.contains("/v2/auth/token")).count(), 1);
}
