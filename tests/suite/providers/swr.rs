//! SWR: lists as bare arrays with offsets, slashes written as `$`, signed requests beside a registry with a derived password.

use regctl::registry::Kind;
use regctl::serve::{Account, Auth, Behaviour, Catalog};
use serde_json::{Value, json};

use super::fake::{Call, Fake, PAGE, PUSHED, empty, ok, size, status};
use crate::support::canned::Answer;

/// The access key; its secret is the password of all fakes.
pub const USERNAME: &str = "HUAWEIACCESSKEY00000";

pub fn fake() -> Fake {
    let behaviour = Behaviour { catalog: Catalog::Absent, ..Behaviour::default() };
    // what `openssl dgst -sha256 -hmac SECRET` makes of the access key
    let password = "beb46afcd3b2ad3b75bda082e3930f4d769763982c44d3835e7a8ab7eeea7b8f";
    let auth = Auth::Basic(Account::new("europe-west3@HUAWEIACCESSKEY00000", password));
    Fake::with(Kind::Swr, USERNAME, Some("/swr-api"), auth, behaviour, answer)
}

fn answer(call: &Call<'_>) -> Option<Answer> {
    let path = call.path.strip_prefix("/swr-api/v2/manage/")?;
    let refused =
        |code: u16, name: &str, message: &str| status(code, &json!({ "errors": [{ "errorCode": name, "errorMessage": message }] }));
    let sent = call.header("authorization").unwrap_or_default();
    let begin = format!("SDK-HMAC-SHA256 Access={USERNAME}, SignedHeaders=x-sdk-date, Signature=");
    if sent.strip_prefix(&begin).is_none_or(|signature| signature.len() != 64) || call.header("x-sdk-date").is_none() {
        return Some(refused(401, "SVCSTG.SWR.4010000", "authentication failed"));
    }
    let page = |entries: Vec<Value>| {
        let shown: Vec<Value> = entries.into_iter().skip(call.number("offset", 0)).take(PAGE).collect();
        ok(&json!(shown))
    };
    let parts: Vec<&str> = path.split('/').collect();
    Some(match (call.method, parts.as_slice()) {
        ("GET", ["namespaces"]) => ok(&json!({ "namespaces": [{ "id": 1, "name": "acme" }] })),
        ("GET", ["repos"]) => {
            let namespace = call.query.get("namespace")?;
            let names = call.repositories(Some(namespace)).into_iter();
            page(names.map(|name| json!({ "name": name.as_str()[namespace.len() + 1..], "namespace": namespace })).collect())
        }
        (method, ["namespaces", namespace, "repos", name, rest @ ..]) => {
            let repository = format!("{namespace}/{}", name.replace('$', "/"));
            let Some(versions) = call.versions(&repository) else {
                return Some(refused(404, "SVCSTG.SWR.4040001", "the repository does not exist"));
            };
            match (method, rest) {
                ("GET", ["tags"]) => page(
                    versions
                        .iter()
                        .flat_map(|(manifest, tags)| {
                            tags.iter().map(move |tag| {
                                json!({ "Tag": tag, "digest": manifest.digest, "size": size(manifest), "tag_type": 0, "created": PUSHED, "updated": PUSHED })
                            })
                        })
                        .collect(),
                ),
                ("DELETE", ["tags", tag]) if call.untag(&repository, tag) => empty(204),
                ("DELETE", []) if call.remove(&repository) => empty(204),
                _ => refused(404, "SVCSTG.SWR.4040002", "the tag does not exist"),
            }
        }
        _ => empty(405),
    })
}
