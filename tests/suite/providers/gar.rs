//! Google Artifact Registry: a list of tags that tells more, manifests that stay as long as a tag or an index needs them, and packages
//! whose deletion goes on after the answer.

use std::sync::atomic::{AtomicUsize, Ordering};

use regctl::oci::Selector;
use regctl::registry::Kind;
use regctl::serve::Behaviour;
use serde_json::{Map, json};

use super::fake::{Call, Fake, PASSWORD, error, ok, size, status, unescaped};
use crate::support::canned::Answer;

pub const USERNAME: &str = "oauth2accesstoken";

pub fn fake() -> Fake {
    let asked = AtomicUsize::new(0);
    Fake::start(Kind::Gar, USERNAME, Some("/api"), Behaviour::default(), move |call| answer(call, &asked))
}

fn answer(call: &Call<'_>, asked: &AtomicUsize) -> Option<Answer> {
    if let Some((repository, Selector::Digest(digest))) = call.deleted_manifest() {
        let versions = call.versions(repository.as_str())?;
        let on = versions.iter().find(|(manifest, _)| manifest.digest == digest).and_then(|(_, tags)| tags.first());
        if let Some(tag) = on {
            let message = format!("Manifest is still referenced by tag: {tag}");
            return Some(error(400, "GOOGLE_MANIFEST_DANGLING_TAG", &message));
        }
        let message = "Manifest is still referenced by a parent manifest";
        return call.storage.is_child(&repository, &digest).then(|| error(400, "GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE", message));
    }
    if let Some(repository) = call.path.strip_prefix("/v2/").and_then(|path| path.strip_suffix("/tags/list")) {
        call.header("authorization").filter(|sent| sent.starts_with("Bearer "))?;
        let versions = call.versions(repository)?;
        let tags: Vec<_> = versions.iter().flat_map(|(_, tags)| tags).collect();
        let manifests: Map<String, _> = versions
            .iter()
            .map(|(manifest, tags)| {
                let about = json!({
                    "imageSizeBytes": size(manifest).to_string(), "layerId": "", "mediaType": manifest.media_type, "tag": tags,
                    "timeCreatedMs": "315619200000", "timeUploadedMs": "1772359200000",
                });
                (manifest.digest.as_str().to_owned(), about)
            })
            .collect();
        return Some(ok(&json!({ "name": repository, "child": [], "tags": tags, "manifest": manifests })));
    }
    let path = call.path.strip_prefix("/api/v1/")?;
    if !call.is_bearer(PASSWORD) {
        let message = "Request had invalid authentication credentials.";
        return Some(status(401, &json!({ "error": { "code": 401, "message": message, "status": "UNAUTHENTICATED" } })));
    }
    let parts: Vec<&str> = path.split('/').collect();
    Some(match (call.method, parts.as_slice()) {
        ("DELETE", ["projects", project, "locations", "europe-west3", "repositories", group, "packages", package])
            if call.remove(&format!("{project}/{group}/{}", unescaped(package))) =>
        {
            ok(&json!({ "name": "projects/p/locations/europe-west3/operations/1" }))
        }
        ("GET", ["projects", "p", "locations", "europe-west3", "operations", "1"]) => {
            let done = asked.fetch_add(1, Ordering::Relaxed) > 0;
            ok(&json!({ "name": path, "done": done }))
        }
        _ => status(404, &json!({ "error": { "code": 404, "message": "Requested entity was not found.", "status": "NOT_FOUND" } })),
    })
}
