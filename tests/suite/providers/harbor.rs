//! Harbor 2: `/api/v2.0` beside `/v2/`, repositories escaped twice, one tag taken away by the API only.

use futures_util::TryStreamExt;
use regctl::oci::{Digest, RawManifest, Repository, Selector, Tag};
use regctl::registry::{ErrorKind, Kind};
use regctl::serve::{Behaviour, Catalog, TagDelete};
use serde_json::{Value, json};

use super::fake::{Call, Fake, PULLED, PUSHED, SCANNED, empty, error, fixture, ok, size, unescaped};
use super::program::{program, put};
use super::{open, open_as};
use crate::support::canned::Answer;
use crate::support::http::wait;

pub const USERNAME: &str = "robot$ci";
/// A tag that a rule of the project holds.
const IMMUTABLE: &str = "immutable";

pub fn fake() -> Fake {
    let behaviour = Behaviour { tag_delete: TagDelete::BadRequest, catalog: Catalog::Denied, ..Behaviour::default() };
    Fake::start(Kind::Harbor, USERNAME, None, behaviour, answer)
}

fn holds_immutable(versions: &[(RawManifest, Vec<Tag>)], digest: &Digest) -> bool {
    let on = versions.iter().filter(|(manifest, _)| manifest.digest == *digest).flat_map(|(_, tags)| tags);
    on.into_iter().any(|tag| tag.as_str() == IMMUTABLE)
}

fn answer(call: &Call<'_>) -> Option<Answer> {
    if let Some((repository, Selector::Digest(digest))) = call.deleted_manifest() {
        if holds_immutable(&call.versions(repository.as_str())?, &digest) {
            return Some(error(412, "PRECONDITION", "the tag immutable configured as immutable, cannot be deleted"));
        }
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
    match (call.method, path) {
        ("GET", "v2.0/projects/acme/summary") => {
            let quota = json!({ "hard": { "storage": -1 }, "used": { "storage": 1_234_567 } });
            return Some(ok(&json!({ "repo_count": 1, "quota": quota })));
        }
        ("GET", "v2.0/projects/acme") => {
            return Some(ok(&json!({ "project_id": 3, "name": "acme", "metadata": { "public": "false", "retention_id": "7" } })));
        }
        ("GET", "v2.0/retentions/7") => {
            let rule = json!({
                "id": 1, "action": "retain", "template": "latestPushedK", "params": { "latestPushedK": 10 },
                "tag_selectors": [{ "kind": "doublestar", "decoration": "matches", "pattern": "**" }],
                "scope_selectors": { "repository": [{ "kind": "doublestar", "decoration": "repoMatches", "pattern": "**" }] },
            });
            let trigger = json!({ "kind": "Schedule", "settings": { "cron": "0 0 0 * * *" } });
            return Some(ok(&json!({ "id": 7, "algorithm": "or", "rules": [rule], "trigger": trigger })));
        }
        // for administrators of the system
        ("GET", "v2.0/system/gc/schedule" | "v2.0/quotas") => return Some(error(403, "FORBIDDEN", "forbidden")),
        _ => {}
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
        ("DELETE", []) if versions.iter().any(|(manifest, _)| holds_immutable(&versions, &manifest.digest)) => {
            error(412, "PRECONDITION", "the tag immutable configured as immutable, cannot be deleted")
        }
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
                        .map(|tag| {
                            let immutable = tag.as_str() == IMMUTABLE
                                && call.query.get("with_immutable_status").is_some_and(|asked| asked == "true");
                            json!({ "name": tag, "push_time": PUSHED, "pull_time": PULLED, "immutable": immutable })
                        })
                        .collect();
                    json!({
                        "digest": manifest.digest, "size": size(manifest), "manifest_media_type": manifest.media_type,
                        "push_time": PUSHED, "pull_time": "0001-01-01T00:00:00.000Z",
                        "tags": if tags.is_empty() { Value::Null } else { json!(tags) },
                    })
                })
                .collect(),
        ),
        ("GET", ["artifacts", digest, "additions", "vulnerabilities"]) => {
            let wanted = call.header("x-accept-vulnerabilities").unwrap_or_default();
            let understands = |kind: &str| wanted.split(',').any(|other| other.trim() == kind);
            let report = fixture("harbor/vulnerabilities.json");
            let index =
                versions.iter().find(|(manifest, _)| manifest.digest.as_str() == *digest && manifest.media_type.contains("index"));
            match index {
                _ if !report.as_object()?.keys().all(|kind| understands(kind)) => ok(&json!({})),
                Some((index, tags)) if tags.iter().any(|tag| tag.as_str() == SCANNED) => ok(&of_index(report, &index.bytes)),
                None if call.is_scanned(&repository, digest) => ok(&report),
                _ => error(404, "NOT_FOUND", "report not found"),
            }
        }
        ("DELETE", ["artifacts", _, "tags", IMMUTABLE]) => {
            error(412, "PRECONDITION", "configured as immutable tag, cannot be deleted")
        }
        ("DELETE", ["artifacts", of, "tags", tag]) if of == tag && call.untag(&repository, tag) => empty(200),
        ("DELETE", ["artifacts", ..]) => error(404, "NOT_FOUND", "tag not found"),
        _ => empty(405),
    })
}

/// Harbor 1, whose API stands elsewhere and is another; where Harbor 2 has its own there is nothing, or a web page.
fn old(page: bool) -> Fake {
    let behaviour = Behaviour { tag_delete: TagDelete::BadRequest, catalog: Catalog::Denied, ..Behaviour::default() };
    Fake::start(Kind::Harbor, USERNAME, None, behaviour, move |call| {
        let path = call.path.strip_prefix("/api/")?;
        Some(match path {
            "systeminfo" => ok(&json!({ "harbor_version": "v1.10.2-d0189bed", "auth_mode": "db_auth", "with_chartmuseum": false })),
            _ if page => Answer::new(404, "text/html", "<html><title>Page Not Found</title></html>"),
            _ => empty(404),
        })
    })
}

/// What `/v2/` can do goes on; the rest is told in words, and not as "not found".
#[test]
fn harbor_1_is_asked_by_v2() {
    for fake in [old(false), old(true)] {
        let storage = fake.front.storage();
        put(storage, "acme/app", &["a", "b"], "one");
        put(storage, "acme/app", &["alone"], "two");
        let program = program(&fake, None);
        program.run(["check", "v", "-o", "json"]).shows("1.10.2");
        program.run(["tag", "list", "v//acme/app", "-q"]).succeeds().shows("v/acme/app:alone");
        program.run(["repo", "list", "v"]).exits(7).says("this is Harbor 1").says("--repository");
        // no other tag needs the digest, so it goes by digest; where one does, the tag stays
        program.run(["tag", "delete", "v//acme/app:alone", "--yes"]).succeeds();
        program.run(["tag", "delete", "v//acme/app:a", "--yes"]).exits(7).says("b");
        assert_eq!(storage.tags(&repository("acme/app")).unwrap().len(), 2);
        let live = program.run(["get", "v", "--live", "-o", "json"]).succeeds().json()["live"].clone();
        assert_eq!(live["version"], "Harbor 1.10.2-d0189bed");
        assert!(live["hidden"][0]["needs"].as_str().is_some_and(|needs| needs.contains("Harbor 2")), "{live}");
        // there is no call for it, so its manifests go one by one
        program.run(["repo", "delete", "v//acme/app", "--yes"]).succeeds();
        assert!(storage.tags(&repository("acme/app")).unwrap().is_empty());
        assert!(!fake.front.requests().iter().any(|request| request.starts_with("DELETE /api/systeminfo")));
    }
}

/// The report on an index: each finding names the images that have it, which here is the first.
fn of_index(mut report: Value, index: &[u8]) -> Value {
    let index: Value = serde_json::from_slice(index).unwrap();
    for kind in report.as_object_mut().unwrap().values_mut() {
        for found in kind["vulnerabilities"].as_array_mut().unwrap() {
            found["artifact_digests"] = json!([index["manifests"][0]["digest"]]);
        }
    }
    report
}

fn repository(name: &str) -> Repository {
    name.parse().unwrap()
}

/// A rule that holds a tag is a conflict with a way out, and the tag stays.
#[test]
fn an_immutable_tag_is_a_conflict() {
    let fake = fake();
    put(fake.front.storage(), "acme/app", &[IMMUTABLE], "one");
    let refused = wait(open(&fake, "acme").untag(&repository("acme/app"), &IMMUTABLE.parse().unwrap())).unwrap_err();
    assert_eq!((refused.kind(), refused.status()), (ErrorKind::Conflict, Some(412)));
    assert!(refused.remedies().is_some_and(|remedy| remedy.contains("immutability")), "{refused:?}");
    assert!(fake.front.storage().resolve(&repository("acme/app"), &IMMUTABLE.parse().unwrap()).is_some());
}

/// What a rule holds is named before anything is tried: in a list, as what stays of a plan, and as why a repository can't go. Harbor
/// itself would delete what it can and stop in the middle.
#[test]
fn harbor_16335_immutable_tags_are_kept_and_named() {
    let fake = fake();
    let storage = fake.front.storage();
    let digest = put(storage, "acme/app", &[IMMUTABLE, "sibling"], "one");
    put(storage, "acme/app", &["old"], "two");
    let program = program(&fake, None);
    let listed = program.run(["tag", "list", "v//acme/app", "-o", "json"]).succeeds().json();
    let locked: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|tag| (&tag["name"], &tag["locked"], &tag["lock_reason"])).collect();
    let reason = json!("immutable by a rule of the project in Harbor");
    assert_eq!(locked[0], (&json!(IMMUTABLE), &json!(true), &reason));
    assert_eq!(locked[1], (&json!("old"), &json!(false), &Value::Null));

    // all of what was asked for, and a part of it
    program.run(["tag", "delete", "v//acme/app:immutable", "--yes"]).exits(8).says("immutable by a rule").says("Tag Immutability");
    let part = program.run(["tag", "delete", "v//acme/app:immutable", "v//acme/app:old", "--dry-run"]).succeeds();
    insta::assert_snapshot!(part.stdout, @r"
    v/acme/app
      - old        last tag on sha256:7efc226dc5b5
      = immutable  stays: immutable by a rule of the project in Harbor
    1 tag goes; 1 manifest loses its last tag.
    ");
    // a manifest that carries it stays, also when another tag names it
    let manifest = format!("v//acme/app@{digest}");
    program.run(["manifest", "delete", &manifest, "--with-siblings", "--yes"]).exits(8).says("its tag immutable is immutable");
    program.run(["repo", "delete", "v//acme/app", "--yes"]).exits(8).says("immutable can't be deleted");
    let deletions = || fake.front.requests().into_iter().filter(|request| request.starts_with("DELETE")).collect::<Vec<_>>();
    assert_eq!(deletions(), [] as [&str; 0]);

    let pruned = program.run(["prune", "v//acme/app", "--older-than", "1d", "--force-large", "--yes"]).succeeds();
    insta::assert_snapshot!(pruned.stdout, @r"
    v/acme/app
      KEEP    sibling    same digest as immutable, which is kept
      KEEP    immutable  immutable by a rule of the project in Harbor
      DELETE  old        older than 1d
    1 tag and 1 manifest go; about 633 B are no longer referenced.
    The space comes back when Harbor runs its garbage collection.
    ");
    assert_eq!(storage.tags(&repository("acme/app")).unwrap().len(), 2);
    program.run(["tag", "delete", "v//acme/app:immutable", "v//acme/app:sibling", "--yes"]).exits(9).says("not deleted: immutable");
    assert_eq!(storage.tags(&repository("acme/app")).unwrap().len(), 1);
}

/// The second slash of a name is escaped twice on the wire, or a proxy makes another address of it.
#[test]
fn names_are_escaped_twice() {
    let fake = fake();
    put(fake.front.storage(), "acme/tools/web", &["v1"], "one");
    assert!(wait(open(&fake, "acme").untag(&repository("acme/tools/web"), &"v1".parse().unwrap())).unwrap());
    let expected = "DELETE /api/v2.0/projects/acme/repositories/tools%252Fweb/artifacts/v1/tags/v1";
    assert!(fake.front.requests().iter().any(|request| request == expected), "{:?}", fake.front.requests());
}

/// Whoever may pull but not use the API gets the names that `/v2/` lists, not an error; and deleting says who may.
#[test]
fn the_list_of_v2_does_where_the_api_refuses() {
    let fake = fake();
    put(fake.front.storage(), "acme/app", &["v1", "v2"], "one");
    let anonymous = open_as(&fake, None, None);
    let tags: Vec<_> = wait(anonymous.tags(&repository("acme/app")).try_collect::<Vec<_>>()).unwrap().concat();
    assert_eq!(tags.iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>(), ["v1", "v2"]);
    let refused = wait(anonymous.untag(&repository("acme/app"), &"v1".parse().unwrap())).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::CredentialMissing);
}

/// "Not found", said by a server that is no Harbor at all, must not pass for "already gone".
#[test]
fn a_wrong_api_address_is_no_success() {
    let fake = Fake { api: Some("/elsewhere"), ..fake() };
    put(fake.front.storage(), "acme/app", &["a", "b"], "one");
    let program = program(&fake, None);
    program.run(["tag", "delete", "v//acme/app:a", "--yes"]).exits(5).says("api_address");
    program.run(["repo", "delete", "v//acme/app", "--yes"]).exits(5).says("api_address");
    assert_eq!(fake.front.storage().tags(&repository("acme/app")).unwrap().len(), 2);
    // what `/v2/` lists is there all the same
    program.run(["tag", "list", "v//acme/app"]).succeeds().shows("b");
}
