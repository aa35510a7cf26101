//! What each vendor says is locked, and that nothing of it is asked to go.

use regctl::oci::Repository;
use serde_json::{Value, json};

use super::fake::Fake;
use super::program::{program, put};
use super::{azure, dockerhub, ecr, gar, ghcr, gitlab, harbor, quay, swr};

/// The tag that is locked where something is.
const TAG: &str = "immutable";

/// A vendor, a repository of it with a lock, and one without. GitLab's rules are a project's, Google's settings a group's.
struct Row {
    fake: Fake,
    locked: &'static str,
    open: &'static str,
    /// Whether deleting is refused, or only moving.
    held: bool,
    /// What is said of the lock.
    why: &'static str,
}

fn rows() -> Vec<Row> {
    let row = |fake, locked, open, why| Row { fake, locked, open, held: true, why };
    vec![
        row(quay::fake(), "acme/app", "acme/other", "immutable in Quay"),
        row(gar::fake(), "p/frozen/app", "p/g/app", "immutable tags"),
        row(dockerhub::fake(), "acme/frozen", "acme/app", "at Docker Hub"),
        row(gitlab::fake(), "acme/frozen/app", "acme/tools/app", "in GitLab"),
        Row { held: false, ..row(ecr::fake(), "acme/frozen", "acme/app", "can't be moved") },
    ]
}

fn tags(fake: &Fake, repository: &str) -> Vec<String> {
    let repository: Repository = repository.parse().unwrap();
    fake.front.storage().tags(&repository).unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn locks_are_listed_as_each_vendor_tells_them() {
    for row in rows() {
        put(row.fake.front.storage(), row.locked, &[TAG], "one");
        put(row.fake.front.storage(), row.open, &["free"], "one");
        let listed = |repository: &str| {
            let name = format!("v//{repository}");
            let listed = program(&row.fake, None).run(["tag", "list", &name, "--details", "-o", "json"]).succeeds().json();
            (listed["items"][0]["locked"].clone(), listed["items"][0]["lock_reason"].clone())
        };
        let (locked, why) = listed(row.locked);
        assert_eq!(locked, json!(row.held), "{}", row.fake.kind);
        assert!(why.as_str().is_some_and(|why| why.contains(row.why)), "{}: {why}", row.fake.kind);
        let (locked, why) = listed(row.open);
        // a rule of GitLab's that asks for a role says nothing of whoever asks
        assert_eq!((locked == json!(true), why), (false, Value::Null), "{}", row.fake.kind);
    }
    // who says nothing of locks is not taken to say that there are none
    for fake in [ghcr::fake(), swr::fake()] {
        put(fake.front.storage(), "acme/app", &["free"], "one");
        let listed = program(&fake, None).run(["tag", "list", "v//acme/app", "--details", "-o", "json"]).succeeds().json();
        assert_eq!(listed["items"][0]["locked"], Value::Null, "{}", fake.kind);
    }
    for fake in [harbor::fake(), azure::fake()] {
        put(fake.front.storage(), "acme/app", &["free"], "one");
        let listed = program(&fake, None).run(["tag", "list", "v//acme/app", "-o", "json"]).succeeds().json();
        assert_eq!(listed["items"][0]["locked"], json!(false), "{}", fake.kind);
    }
}

/// ECR's immutable tags (users' report: containers-roadmap#2179) can be deleted, and put again by `undo`: such a put moves nothing.
#[test]
fn d14_what_is_locked_is_not_asked_to_go() {
    for row in rows() {
        put(row.fake.front.storage(), row.locked, &[TAG], "one");
        let reference = format!("v//{}:{TAG}", row.locked);
        let program = program(&row.fake, None);
        let exit = if row.held { 8 } else { 0 };
        let finished = program.run(["tag", "delete", &reference, "--yes"]).exits(exit);
        let left = tags(&row.fake, row.locked);
        if row.held {
            finished.says(row.why);
            assert_eq!(left, [TAG], "{}", row.fake.kind);
            program.run(["repo", "delete", &format!("v//{}", row.locked), "--yes"]).exits(8).says(row.why);
            assert!(!row.fake.front.requests().iter().any(|request| request.starts_with("DELETE")), "{}", row.fake.kind);
        } else {
            assert_eq!(left, [] as [&str; 0], "{}", row.fake.kind);
        }
    }
}
