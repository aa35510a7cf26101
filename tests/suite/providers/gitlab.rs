//! GitLab: projects whose names end somewhere, repositories with numbers, and deletion that happens later.

use std::sync::Mutex;

use futures_util::TryStreamExt;
use regctl::registry::Kind;
use regctl::serve::{Behaviour, Catalog};
use serde_json::{Value, json};

use super::fake::{Call, Fake, PASSWORD, ok, status, unescaped};
use super::program::{program, put};
use super::{open, open_as};
use crate::support::canned::Answer;
use crate::support::http::wait;

pub const USERNAME: &str = "alice";

pub fn fake() -> Fake {
    let scheduled = Mutex::new(Vec::new());
    let behaviour = Behaviour { catalog: Catalog::Denied, ..Behaviour::default() };
    Fake::start(Kind::Gitlab, USERNAME, None, behaviour, move |call| answer(call, &scheduled))
}

/// The project of a repository: its first two parts.
fn project(repository: &str) -> String {
    repository.split('/').take(2).collect::<Vec<_>>().join("/")
}

/// A number for a name.
fn id(name: &str) -> u64 {
    let digest = regctl::oci::Digest::sha256(name.as_bytes());
    u64::from_str_radix(&digest.encoded()[..8], 16).expect("hexadecimal digits")
}

fn answer(call: &Call<'_>, scheduled: &Mutex<Vec<String>>) -> Option<Answer> {
    let path = call.path.strip_prefix("/api/v4/")?;
    let not_found = |what: &str| status(404, &json!({ "message": format!("404 {what} Not Found") }));
    match call.header("private-token") {
        Some(PASSWORD) => {}
        Some(_) => return Some(status(401, &json!({ "message": "401 Unauthorized" }))),
        None => return Some(not_found("Project")),
    }
    let all = call.repositories(None);
    let describe = |name: &str| {
        let waiting = scheduled.lock().expect("no thread panics with it").contains(&name.to_owned());
        json!({
            "id": id(name), "project_id": id(&project(name)), "path": name, "name": "", "location": name,
            "status": if waiting { json!("delete_scheduled") } else { Value::Null },
        })
    };
    let projects: std::collections::BTreeSet<String> = all.iter().map(|name| project(name.as_str())).collect();
    let parts: Vec<String> = path.split('/').map(unescaped).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    Some(match (call.method, parts.as_slice()) {
        ("GET", ["projects"]) => call.linked_page(projects.iter().map(|name| json!({ "id": id(name) })).collect()),
        ("GET", ["groups", group, "registry", "repositories"]) => {
            let inside = call.repositories(Some(group));
            if group.contains('/') || inside.is_empty() {
                return Some(not_found("Group"));
            }
            call.linked_page(inside.iter().map(|name| describe(name.as_str())).collect())
        }
        ("GET", ["projects", wanted, "registry", "repositories"]) => {
            let Some(found) = projects.iter().find(|name| name == wanted || id(name).to_string() == *wanted) else {
                return Some(not_found("Project"));
            };
            let inside = all.iter().filter(|name| project(name.as_str()) == *found);
            call.linked_page(inside.map(|name| describe(name.as_str())).collect())
        }
        ("GET", ["projects", of, "registry", "protection", "tag", "rules"]) => {
            let nobody = |project: &&String| project.ends_with("frozen") && id(project).to_string() == *of;
            let access = if projects.iter().any(|project| nobody(&project)) { Value::Null } else { json!("maintainer") };
            ok(&json!([{
                "id": 1, "project_id": of, "tag_name_pattern": "v.*|immutable",
                "minimum_access_level_for_push": access, "minimum_access_level_for_delete": access,
            }]))
        }
        ("DELETE", ["projects", of, "registry", "repositories", number]) => {
            let found =
                all.iter().find(|name| id(name.as_str()).to_string() == *number && id(&project(name.as_str())).to_string() == *of);
            let Some(found) = found else { return Some(not_found("Repository")) };
            scheduled.lock().expect("no thread panics with it").push(found.as_str().to_owned());
            status(202, &json!(null))
        }
        _ => not_found("Route"),
    })
}

/// A repository that waits to be deleted is still there; asking again is no error.
#[test]
fn deletion_happens_later() {
    let fake = fake();
    put(fake.front.storage(), "acme/tools/web", &["v1"], "one");
    let registry = open(&fake, "acme");
    let name = "acme/tools/web".parse().unwrap();
    assert!(wait(registry.delete_repository(&name)).unwrap());
    assert!(wait(registry.delete_repository(&name)).unwrap());
    let deletions = fake.front.requests().into_iter().filter(|request| request.starts_with("DELETE")).count();
    assert_eq!(deletions, 1);
}

/// Without a namespace each project that one is a member of is asked.
#[test]
fn repositories_of_all_projects_are_listed() {
    let fake = fake();
    for name in ["acme/tools/web", "acme/tools/api", "other/app"] {
        put(fake.front.storage(), name, &["v1"], name);
    }
    let pages = wait(open_as(&fake, Some(USERNAME), None).repositories().try_collect::<Vec<_>>()).unwrap();
    let mut names: Vec<String> = pages.concat().iter().map(ToString::to_string).collect();
    names.sort();
    assert_eq!(names, ["acme/tools/api", "acme/tools/web", "other/app"]);
}

/// The token goes to GitLab in its own header, and to nobody in the clear.
#[test]
fn the_token_has_a_header_of_its_own() {
    let fake = fake();
    put(fake.front.storage(), "acme/tools/web", &["v1"], "one");
    program(&fake, Some("acme")).run(["repo", "list", "v"]).succeeds().hides(PASSWORD);
    let asked = fake.front.received().into_iter().find(|request| request.target.starts_with("/api/v4/")).unwrap();
    assert_eq!(asked.headers.get("private-token").map(String::as_str), Some(PASSWORD));
    assert!(!asked.headers.contains_key("authorization"));
}
