//! Azure: `/acr/v1` on the registry's own host with its own scopes; locks are refused with 405.

use regctl::oci::Tag;
use regctl::registry::{ErrorKind, Kind};
use regctl::serve::Behaviour;
use serde_json::{Value, json};

use super::fake::{Call, Fake, PAGE, PUSHED, error, ok, status};
use super::open;
use super::program::{program, put};
use crate::support::canned::Answer;
use crate::support::http::wait;

pub const USERNAME: &str = "acme-token";
/// A tag whose manifest somebody locked, and not the tag.
const HOLDING: &str = "holding";
/// A tag that somebody locked.
const LOCKED: &str = "locked";

pub fn fake() -> Fake {
    Fake::start(Kind::Azure, USERNAME, None, Behaviour::default(), answer)
}

fn answer(call: &Call<'_>) -> Option<Answer> {
    let path = call.path.strip_prefix("/acr/v1/")?;
    let (repository, what, rest) = match path.split_once("/_") {
        Some((repository, rest)) => {
            let (what, rest) = rest.split_once('/').unwrap_or((rest, ""));
            (repository, what, Some(rest))
        }
        None => (path, "", None),
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
    let attributes =
        |locked: bool| json!({ "deleteEnabled": !locked, "writeEnabled": true, "readEnabled": true, "listEnabled": true });
    // a tag is locked by its name, a manifest by a tag that says so, a repository by the end of its name
    let is_locked = |tags: &[Tag]| tags.iter().any(|tag| tag.as_str() == HOLDING);
    let frozen = repository.ends_with("frozen");
    Some(match (call.method, rest) {
        ("GET", None) => ok(&json!({
            "registry": "acme", "imageName": repository, "createdTime": PUSHED, "lastUpdateTime": PUSHED,
            "manifestCount": versions.len(), "tagCount": 1,
            "changeableAttributes": { "deleteEnabled": true, "writeEnabled": !frozen, "readEnabled": true, "listEnabled": true },
        })),
        ("GET", Some("")) if what == "manifests" => {
            let begin = call.query.get("last").map_or(0, |last| {
                versions.iter().position(|(manifest, _)| manifest.digest.as_str() == last).map_or(0, |at| at + 1)
            });
            let shown: Vec<_> = versions.iter().skip(begin).take(PAGE).collect();
            let entries: Vec<Value> = shown
                .iter()
                .map(|(manifest, tags)| {
                    json!({
                        "digest": manifest.digest, "imageSize": 1, "createdTime": PUSHED, "lastUpdateTime": PUSHED, "tags": tags,
                        "mediaType": manifest.media_type, "changeableAttributes": attributes(is_locked(tags)),
                    })
                })
                .collect();
            let answer = ok(&json!({ "registry": "acme", "imageName": repository, "manifests": entries }));
            match shown.last().filter(|_| begin + PAGE < versions.len()) {
                Some((last, _)) => answer.header("Link", &format!("<{}?last={}&n={PAGE}>; rel=\"next\"", call.path, last.digest)),
                None => answer,
            }
        }
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
                .map(|(tag, digest)| json!({ "name": tag, "digest": digest, "createdTime": PUSHED, "lastUpdateTime": PUSHED, "signed": false, "changeableAttributes": attributes(*tag == LOCKED) }))
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
    let refused = wait(open(&fake, "acme").untag(&"acme/app".parse().unwrap(), &LOCKED.parse().unwrap())).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(refused.remedies().is_some_and(|remedy| remedy.contains("az acr repository update")), "{refused:?}");
}

/// Locks of tags, of manifests and of repositories are three things; each is known before anything is tried.
#[test]
fn acr_cli_134_what_is_locked_is_skipped() {
    let fake = fake();
    let storage = fake.front.storage();
    let tags = |name: &str| storage.tags(&name.parse().unwrap()).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
    put(storage, "acme/app", &[LOCKED, "free"], "one");
    put(storage, "acme/app", &[HOLDING], "two");
    put(storage, "acme/app", &["other"], "three");
    put(storage, "acme/app", &["more"], "four");
    put(storage, "acme/frozen", &["v1"], "one");
    let program = program(&fake, None);
    let refused = program.run(["tag", "delete", "v//acme/app:locked", "--yes"]).exits(8).says("deleteEnabled is false");
    refused.says("az acr repository update");
    program.run(["tag", "delete", "v//acme/frozen:v1", "--yes"]).exits(8).says("writeEnabled is false");
    program.run(["repo", "delete", "v//acme/app", "--yes"]).exits(8).says("locked, sha256:");
    program.run(["repo", "delete", "v//acme/frozen", "--yes"]).exits(8).says("writeEnabled is false");
    let manifest = program.run(["manifest", "delete", "v//acme/app:holding", "--yes", "-o", "json"]).exits(8);
    manifest.says("deleteEnabled is false");
    assert!(!fake.front.requests().iter().any(|request| request.starts_with("DELETE")));

    // acr-cli#479: what is not locked goes, and each keep says why
    let pruned = program.run(["prune", "v//acme/app", "--older-than", "1d", "--yes"]).succeeds();
    insta::assert_snapshot!(pruned.stdout, @r"
    v/acme/app
      KEEP    locked   locked in Azure: deleteEnabled is false
      KEEP    holding  locked in Azure: deleteEnabled is false
      KEEP    free     same digest as locked, which is kept
      DELETE  other    older than 1d
      DELETE  more     older than 1d
    2 tags and 2 manifests go; about 1.3 kB are no longer referenced.
    The provider frees the space by itself, some time later.
    ");
    assert_eq!(tags("acme/app"), ["free", HOLDING, LOCKED]);
    // the tag of a locked manifest is free to go
    program.run(["tag", "delete", "v//acme/app:holding", "v//acme/app:free", "--yes"]).succeeds();
    assert_eq!(tags("acme/app"), [LOCKED]);
}
