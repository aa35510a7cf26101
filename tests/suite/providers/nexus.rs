//! Nexus: components with numbers, a search that finds too much, tags that stay when their manifest goes, `null` among tags.

use regctl::registry::Kind;
use regctl::serve::{Account, Auth, Behaviour, TagDelete};
use serde_json::{Value, json};

use super::fake::{Call, Fake, PAGE, PASSWORD, PULLED, PUSHED, empty, ok};
use crate::support::canned::Answer;

pub const USERNAME: &str = "alice";

pub fn fake() -> Fake {
    let behaviour = Behaviour { tag_delete: TagDelete::NotAllowed, ..Behaviour::default() };
    Fake::with(Kind::Nexus, USERNAME, None, Auth::Basic(Account::new(USERNAME, PASSWORD)), behaviour, answer)
}

/// Every tag of every repository, as Nexus numbers them.
fn components(call: &Call<'_>) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for name in call.repositories(None) {
        for (manifest, tags) in call.versions(name.as_str()).unwrap_or_default() {
            for tag in tags {
                let id = format!("{tag}-{}", name.as_str().replace('/', "-"));
                let component = json!({
                    "id": id, "repository": "docker-hosted", "format": "docker", "group": null, "name": name, "version": tag,
                    "assets": [{
                        "id": "x", "path": format!("v2/{name}/manifests/{tag}"), "checksum": { "sha256": manifest.digest.encoded() },
                        "lastModified": PUSHED, "lastDownloaded": PULLED, "fileSize": manifest.bytes.len(),
                    }],
                });
                found.push((format!("{name}:{tag}"), component));
            }
        }
    }
    found
}

fn answer(call: &Call<'_>) -> Option<Answer> {
    if let Some(repository) = call.path.strip_prefix("/v2/").and_then(|path| path.strip_suffix("/tags/list")) {
        let versions = call.versions(repository).filter(|_| call.is_basic(USERNAME))?;
        let tags: Vec<_> = versions.iter().flat_map(|(_, tags)| tags).map(|tag| json!(tag)).chain([Value::Null]).collect();
        return Some(ok(&json!({ "name": repository, "tags": tags })));
    }
    let path = call.path.strip_prefix("/service/rest/v1/")?;
    if !call.is_basic(USERNAME) {
        return Some(empty(401));
    }
    let all = components(call);
    if path == "search" {
        // names that begin so are found too
        let fits = |component: &Value| {
            let is = |field: &str, value: &str| component[field].as_str().is_some_and(|text| text.starts_with(value));
            call.query.get("name").is_none_or(|name| is("name", name))
                && call.query.get("version").is_none_or(|tag| is("version", tag))
        };
        let found: Vec<Value> = all.into_iter().map(|(_, component)| component).filter(fits).collect();
        let begin: usize = call.query.get("continuationToken").and_then(|text| text.parse().ok()).unwrap_or(0);
        let next = (begin + PAGE < found.len()).then(|| (begin + PAGE).to_string());
        let shown: Vec<Value> = found.into_iter().skip(begin).take(PAGE).collect();
        return Some(ok(&json!({ "items": shown, "continuationToken": next })));
    }
    let id = path.strip_prefix("components/").filter(|_| call.method == "DELETE")?;
    let Some((name, _)) = all.iter().find(|(_, component)| component["id"] == id) else { return Some(empty(404)) };
    let (repository, tag) = name.rsplit_once(':')?;
    call.untag(repository, tag);
    Some(empty(204))
}
