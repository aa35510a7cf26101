//! Docker Hub: an API with a login of its own, pages with `next`, and manifests that stay as long as a tag is on them.

use regctl::oci::Selector;
use regctl::registry::Kind;
use regctl::serve::{Behaviour, Catalog, TagDelete};
use serde_json::{Value, json};

use super::fake::{Call, Fake, PASSWORD, PULLED, PUSHED, empty, error, ok, size, status};
use crate::support::canned::Answer;

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
