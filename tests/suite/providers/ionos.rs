//! IONOS: registries with numbers, offsets, and an API on another address.

use regctl::registry::Kind;
use regctl::serve::{Account, Auth, Behaviour, Catalog};
use serde_json::{Value, json};

use super::fake::{Call, Fake, PAGE, PASSWORD, PULLED, PUSHED, empty, fixture, ok, status, unescaped};
use crate::support::canned::Answer;

pub const USERNAME: &str = "alice";
const ID: &str = "b8a6d4ff-0000-4000-8000-000000000001";

pub fn fake() -> Fake {
    let behaviour = Behaviour { catalog: Catalog::Absent, ..Behaviour::default() };
    let auth = Auth::Basic(Account::new(USERNAME, PASSWORD));
    Fake::with(Kind::Ionos, USERNAME, Some("/containerregistries"), auth, behaviour, answer)
}

fn answer(call: &Call<'_>) -> Option<Answer> {
    let path = call.path.strip_prefix("/containerregistries/")?;
    let refused = |code: u16, message: &str| {
        status(code, &json!({ "httpStatus": code, "messages": [{ "errorCode": "paas-x-1", "message": message }] }))
    };
    if !call.is_basic(USERNAME) {
        return Some(refused(401, "Unauthorized"));
    }
    let page = |entries: Vec<Value>| {
        let shown: Vec<Value> = entries.into_iter().skip(call.number("offset", 0)).take(PAGE).collect();
        ok(&json!({ "type": "collection", "items": shown, "offset": call.number("offset", 0), "limit": PAGE }))
    };
    let parts: Vec<String> = path.split('/').map(unescaped).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    Some(match (call.method, parts.as_slice()) {
        ("GET", ["registries"]) => {
            let registry = |id: &str, host: &str| json!({ "id": id, "properties": { "name": "acme", "hostname": host, "location": "de/fra" } });
            ok(&json!({ "items": [registry("other", "other.cr.de-fra.ionos.com"), registry(ID, call.header("host")?)] }))
        }
        ("GET", ["registries", ID, "repositories"]) => {
            page(call.repositories(None).iter().map(|name| json!({ "id": name, "properties": { "name": name } })).collect())
        }
        ("GET", ["registries", ID, "repositories", name, "artifacts"]) => match call.versions(name) {
            None => refused(404, "repository not found"),
            Some(versions) => page(
                versions
                    .iter()
                    .map(|(manifest, tags)| {
                        json!({
                            "id": manifest.digest,
                            "properties": { "repositoryName": name, "digest": manifest.digest, "tags": tags, "mediaType": manifest.media_type },
                            "metadata": { "pushCount": 1, "pullCount": 1, "lastPushedAt": PUSHED, "lastPulledAt": PULLED },
                        })
                    })
                    .collect(),
            ),
        },
        ("GET", ["registries", ID, "repositories", name, "artifacts", digest]) => {
            let mut artifact = fixture("ionos/api-artifact.json");
            artifact["properties"]["digest"] = json!(digest);
            if !call.is_scanned(name, digest) {
                artifact["metadata"]["lastScannedAt"] = Value::Null;
            }
            ok(&artifact)
        }
        ("GET", ["registries", ID, "repositories", name, "artifacts", digest, "vulnerabilities"]) if call.is_scanned(name, digest) => {
            // one a page
            let found = fixture("ionos/api-vulnerabilities.json")["items"].as_array().cloned().unwrap_or_default();
            let shown: Vec<Value> = found.into_iter().skip(call.number("offset", 0)).take(1).collect();
            ok(&json!({ "type": "collection", "items": shown }))
        }
        ("DELETE", ["registries", ID, "repositories", name]) if call.remove(name) => empty(204),
        _ => refused(404, "not found"),
    })
}
