//! Artifactory: a storage of folders behind the registry, and lists of tags with digests in them.

use regctl::registry::Kind;
use regctl::serve::{Account, Auth, Behaviour, TagDelete};
use serde_json::{Value, json};

use super::fake::{Call, Fake, PASSWORD, empty, ok, status};
use crate::support::canned::Answer;

pub const USERNAME: &str = "alice";

pub fn fake() -> Fake {
    let behaviour = Behaviour { tag_delete: TagDelete::NotAllowed, ..Behaviour::default() };
    let auth = Auth::Basic(Account::new(USERNAME, PASSWORD));
    Fake::with(Kind::Artifactory, USERNAME, None, auth, behaviour, answer)
}

fn answer(call: &Call<'_>) -> Option<Answer> {
    if let Some(repository) = call.path.strip_prefix("/v2/").and_then(|path| path.strip_suffix("/tags/list")) {
        let versions = call.versions(repository).filter(|_| call.is_basic(USERNAME))?;
        let mut names: Vec<String> = versions.iter().flat_map(|(_, tags)| tags.iter().map(ToString::to_string)).collect();
        names.extend(versions.iter().filter(|(_, tags)| tags.is_empty()).map(|(manifest, _)| manifest.digest.as_str().to_owned()));
        return Some(ok(&json!({ "name": repository, "tags": names })));
    }
    let path = call.path.strip_prefix("/artifactory/")?;
    if !call.is_basic(USERNAME) {
        return Some(status(401, &json!({ "errors": [{ "status": 401, "message": "Bad credentials" }] })));
    }
    let missing: Value = json!({ "errors": [{ "status": 404, "message": "Could not locate artifact" }] });
    if call.method != "DELETE" {
        return Some(status(404, &missing));
    }
    if call.remove(path) {
        return Some(empty(204));
    }
    let (repository, tag) = path.rsplit_once('/')?;
    let name = repository.parse().ok()?;
    let digest = tag.parse().ok().and_then(|tag| call.storage.resolve(&name, &tag));
    if !call.untag(repository, tag) {
        return Some(status(404, &missing));
    }
    // the tag's folder was where the manifest is
    let left = call
        .versions(repository)
        .into_iter()
        .flatten()
        .any(|(manifest, tags)| Some(&manifest.digest) == digest.as_ref() && !tags.is_empty());
    if let Some(digest) = digest.filter(|_| !left) {
        call.storage.delete_manifest(&name, &digest).expect("it is in memory");
    }
    Some(empty(204))
}
