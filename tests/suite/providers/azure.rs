//! Azure: `/acr/v1` on the registry's own host with its own scopes; locks are refused with 405.

use regctl::registry::Kind;
use regctl::serve::Behaviour;
use serde_json::{Value, json};

use super::fake::{Call, Fake, PAGE, PUSHED, error, ok, status};
use super::program::{program, put};
use crate::support::canned::Answer;

pub const USERNAME: &str = "acme-token";
/// A tag that somebody locked.
const LOCKED: &str = "locked";

pub fn fake() -> Fake {
    Fake::start(Kind::Azure, USERNAME, None, Behaviour::default(), answer)
}

fn answer(call: &Call<'_>) -> Option<Answer> {
    let path = call.path.strip_prefix("/acr/v1/")?;
    let (repository, rest) = match path.split_once("/_tags") {
        Some((repository, rest)) => (repository, Some(rest.trim_start_matches('/'))),
        None => (path, None),
    };
    let signed_in = call.header("authorization").is_some_and(|sent| sent.starts_with("Bearer "));
    if !signed_in {
        let actions = if call.method == "DELETE" { "delete" } else { "metadata_read" };
        let host = call.header("host")?;
        let challenge =
            format!("Bearer realm=\"http://{host}/token\",service=\"{host}\",scope=\"repository:{repository}:{actions}\"");
        return Some(error(401, "UNAUTHORIZED", "authentication required").header("WWW-Authenticate", &challenge));
    }
    let Some(versions) = call.versions(repository) else {
        return Some(error(404, "NAME_UNKNOWN", "repository name not known to registry"));
    };
    Some(match (call.method, rest) {
        ("GET", Some("")) => {
            let mut tags: Vec<_> = versions
                .iter()
                .flat_map(|(manifest, tags)| tags.iter().map(|tag| (tag.as_str(), manifest.digest.as_str())))
                .collect();
            tags.sort_unstable();
            let begin = call.query.get("last").map_or(0, |last| tags.partition_point(|(tag, _)| tag <= &last.as_str()));
            let shown: Vec<_> = tags.iter().skip(begin).take(PAGE).collect();
            let entries: Vec<Value> = shown
                .iter()
                .map(|(tag, digest)| json!({ "name": tag, "digest": digest, "createdTime": PUSHED, "lastUpdateTime": PUSHED, "signed": false }))
                .collect();
            let answer = ok(&json!({ "registry": "acme", "imageName": repository, "tags": entries }));
            match shown.last().filter(|_| begin + PAGE < tags.len()) {
                Some((last, _)) => answer.header("Link", &format!("<{}?last={last}&n={PAGE}>; rel=\"next\"", call.path)),
                None => answer,
            }
        }
        ("DELETE", Some(LOCKED)) => error(405, "UNSUPPORTED", "The operation is disallowed on this registry, repository or image."),
        ("DELETE", Some(tag)) if call.untag(repository, tag) => status(202, &json!({})),
        ("DELETE", Some(_)) => error(404, "TAG_UNKNOWN", "the specified tag does not exist"),
        ("DELETE", None) => {
            call.remove(repository);
            status(202, &json!({ "manifestsDeleted": [], "tagsDeleted": [] }))
        }
        _ => error(405, "UNSUPPORTED", "The operation is unsupported."),
    })
}

/// 405 is not "this registry doesn't delete" where it does: somebody locked this one thing.
#[test]
fn a_locked_tag_is_a_conflict() {
    let fake = fake();
    put(fake.front.storage(), "acme/app", &[LOCKED, "free"], "one");
    let program = program(&fake, None);
    program.run(["tag", "delete", "v//acme/app:locked", "--yes"]).exits(4).says("az acr repository update");
    program.run(["tag", "delete", "v//acme/app:free", "--yes"]).succeeds();
    assert_eq!(fake.front.storage().tags(&"acme/app".parse().unwrap()).unwrap().len(), 1);
}
