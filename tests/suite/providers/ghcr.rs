//! GHCR: `/v2/` deletes nothing and lists no repositories, the REST API knows versions, and keeps the last tagged one.

use regctl::oci::Repository;
use regctl::registry::{ErrorKind, Kind};
use regctl::serve::{Behaviour, Catalog};
use serde_json::json;

use super::fake::{Call, Fake, PASSWORD, PUSHED, empty, error, ok, status, unescaped};
use super::open_as;
use super::program::{program, put};
use crate::support::canned::Answer;
use crate::support::http::wait;

pub const USERNAME: &str = "octocat";

pub fn fake() -> Fake {
    let behaviour = Behaviour { catalog: Catalog::Absent, referrers: false, ..Behaviour::default() };
    Fake::start(Kind::Ghcr, USERNAME, Some("/rest"), behaviour, answer)
}

/// The number of a version: the beginning of its digest.
fn id(digest: &str) -> u64 {
    u64::from_str_radix(&digest["sha256:".len()..][..12], 16).expect("hexadecimal digits")
}

fn answer(call: &Call<'_>) -> Option<Answer> {
    if call.deleted_manifest().is_some() {
        return Some(error(405, "UNSUPPORTED", "The operation is unsupported."));
    }
    let path = call.path.strip_prefix("/rest/")?;
    let not_found = || status(404, &json!({ "message": "Not Found", "status": "404" }));
    // who may not see it is told that it isn't there
    if !call.is_bearer(PASSWORD) {
        return Some(if call.header("authorization").is_some() {
            status(401, &json!({ "message": "Bad credentials" }))
        } else {
            not_found()
        });
    }
    let parts: Vec<&str> = path.split('/').collect();
    if let ["users", owner] = parts.as_slice() {
        let kind = if *owner == USERNAME { "User" } else { "Organization" };
        return Some(ok(&json!({ "login": owner, "type": kind })));
    }
    let [kind, owner, "packages", rest @ ..] = parts.as_slice() else { return Some(not_found()) };
    if (*kind == "users") != (*owner == USERNAME) {
        return Some(not_found());
    }
    if rest.is_empty() {
        assert_eq!(call.query["package_type"], "container");
        let names = call.repositories(Some(owner)).into_iter();
        return Some(call.linked_page(names.map(|name| json!({ "id": 1, "name": name.as_str()[owner.len() + 1..] })).collect()));
    }
    let ["container", name, rest @ ..] = rest else { return Some(not_found()) };
    let repository = format!("{owner}/{}", unescaped(name));
    let Some(versions) = call.versions(&repository) else { return Some(not_found()) };
    Some(match (call.method, rest) {
        ("DELETE", []) => {
            call.remove(&repository);
            empty(204)
        }
        ("GET", ["versions"]) => call.linked_page(
            versions
                .iter()
                .map(|(manifest, tags)| {
                    json!({
                        "id": id(manifest.digest.as_str()), "name": manifest.digest, "created_at": PUSHED, "updated_at": PUSHED,
                        "metadata": { "package_type": "container", "container": { "tags": tags } },
                    })
                })
                .collect(),
        ),
        ("DELETE", ["versions", number]) => {
            let Some((manifest, tags)) = versions.iter().find(|(manifest, _)| id(manifest.digest.as_str()).to_string() == *number)
            else {
                return Some(not_found());
            };
            if !tags.is_empty()
                && versions.iter().filter(|(_, tags)| !tags.is_empty()).count() == 1
                && !repository.ends_with("/emptied")
            {
                let message = "You cannot delete the last tagged version of a package. You must delete the package instead.";
                return Some(status(400, &json!({ "message": message })));
            }
            call.storage.delete_manifest(&repository.parse().expect("it is there"), &manifest.digest).expect("it is in memory");
            empty(204)
        }
        _ => not_found(),
    })
}

fn app() -> Repository {
    "acme/app".parse().unwrap()
}

/// Exit 7 with the ways out; and by placeholder it works, because a version can be deleted.
#[test]
fn a_shared_version_is_kept() {
    let fake = fake();
    let digest = put(fake.front.storage(), "acme/app", &["a", "b"], "one");
    put(fake.front.storage(), "acme/app", &["other"], "two");
    let program = program(&fake, None);
    program.run(["tag", "delete", "v//acme/app:a", "--yes"]).exits(7).says("--with-siblings").says("--via-placeholder");
    program.run(["tag", "delete", "v//acme/app:a", "--yes", "--via-placeholder"]).succeeds();
    let storage = fake.front.storage();
    assert_eq!(storage.tags(&app()).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>(), ["b", "other"]);
    assert_eq!(storage.resolve(&app(), &"b".parse().unwrap()), Some(digest));
}

/// GitHub keeps the last tagged version, and says what to do instead.
#[test]
fn the_last_version_is_a_conflict() {
    let fake = fake();
    put(fake.front.storage(), "acme/app", &["only"], "one");
    program(&fake, None).run(["tag", "delete", "v//acme/app:only", "--yes"]).exits(4).says("regctl repo delete");
    assert!(fake.front.storage().resolve(&app(), &"only".parse().unwrap()).is_some());
}

/// "Not Found" is what GitHub says to those who may not see a package: it must not pass for "already gone".
#[test]
fn what_is_hidden_is_not_gone() {
    let fake = fake();
    put(fake.front.storage(), "acme/app", &["v1"], "one");
    let anonymous = open_as(&fake, None, None);
    let refused = wait(anonymous.delete_repository(&app())).unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Denied | ErrorKind::NotFound), "{refused:?}");
    assert!(fake.front.storage().has(&app()));
}
