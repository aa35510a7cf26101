//! Harbor 2: `/api/v2.0` beside `/v2/`, repositories escaped twice, one tag taken away by the API only.

use regctl::oci::Selector;
use regctl::registry::Kind;
use regctl::serve::{Behaviour, Catalog, TagDelete};
use serde_json::{Value, json};

use super::fake::{Call, Fake, PULLED, PUSHED, empty, error, ok, size, unescaped};
use crate::support::canned::Answer;

pub const USERNAME: &str = "robot$ci";
/// A tag that a rule of the project holds.
const IMMUTABLE: &str = "immutable";

pub fn fake() -> Fake {
    let behaviour = Behaviour { tag_delete: TagDelete::BadRequest, catalog: Catalog::Denied, ..Behaviour::default() };
    Fake::start(Kind::Harbor, USERNAME, None, behaviour, answer)
}

fn answer(call: &Call<'_>) -> Option<Answer> {
    if let Some((repository, Selector::Digest(digest))) = call.deleted_manifest() {
        return call
            .storage
            .is_child(&repository, &digest)
            .then(|| error(412, "VIOLATE_FOREIGN_KEY_CONSTRAINT", "the deleting artifact is referenced by others"));
    }
    let path = call.path.strip_prefix("/api/")?;
    if path == "v2.0/systeminfo" {
        return Some(ok(&json!({ "harbor_version": "v2.12.0-1a2b3c4d", "auth_mode": "db_auth" })));
    }
    if !call.is_basic(USERNAME) {
        return Some(error(401, "UNAUTHORIZED", "unauthorized"));
    }
    if path == "v2.0/repositories" && call.method == "GET" {
        let full = call.repositories(None).into_iter().filter(|name| !call.storage.manifests(name).is_empty());
        let entries =
            full.map(|name| json!({ "id": 1, "name": name, "artifact_count": 1, "pull_count": 0, "creation_time": PUSHED }));
        return Some(call.linked_page(entries.collect()));
    }
    // a proxy in between unescapes once; what has a slash then is another address
    let parts: Vec<String> = path.split('/').map(unescaped).collect();
    if parts.iter().any(|part| part.contains('/')) {
        return Some(Answer::new(404, "text/html", "<html><h1>404 Not Found</h1></html>"));
    }
    let parts: Vec<String> = parts.iter().map(|part| unescaped(part)).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let ["v2.0", "projects", project, "repositories", name, rest @ ..] = parts.as_slice() else { return Some(empty(404)) };
    let repository = format!("{project}/{name}");
    let Some(versions) = call.versions(&repository) else {
        return Some(error(404, "NOT_FOUND", &format!("repository {repository} not found")));
    };
    Some(match (call.method, rest) {
        ("DELETE", []) => {
            call.remove(&repository);
            empty(200)
        }
        ("GET", ["artifacts"]) => call.linked_page(
            versions
                .iter()
                .map(|(manifest, tags)| {
                    let tags: Vec<Value> = tags
                .iter()
                .map(|tag| json!({ "name": tag, "push_time": PUSHED, "pull_time": PULLED, "immutable": tag.as_str() == IMMUTABLE }))
                .collect();
                    json!({
                        "digest": manifest.digest, "size": size(manifest), "manifest_media_type": manifest.media_type,
                        "push_time": PUSHED, "pull_time": "0001-01-01T00:00:00.000Z",
                        "tags": if tags.is_empty() { Value::Null } else { json!(tags) },
                    })
                })
                .collect(),
        ),
        ("DELETE", ["artifacts", _, "tags", IMMUTABLE]) => {
            error(412, "PRECONDITION", "configured as immutable tag, cannot be deleted")
        }
        ("DELETE", ["artifacts", of, "tags", tag]) if of == tag && call.untag(&repository, tag) => empty(200),
        ("DELETE", ["artifacts", ..]) => error(404, "NOT_FOUND", "tag not found"),
        _ => empty(405),
    })
}
