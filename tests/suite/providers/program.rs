//! The program on every vendor: what it lists, that one tag goes without the others or not at all, that a repository goes.

use bytes::Bytes;
use regctl::oci::{Digest, RawManifest, Repository};
use regctl::serve::Storage;
use serde_json::Value;

use super::fake::{Fake, PASSWORD};
use super::{REGION, acr, artifactory, azure, dockerhub, ecr, gar, ghcr, gitea, gitlab, harbor, ionos, nexus, quay, swr, tcr, zot};
use crate::support::content::Image;
use crate::support::program::{Finished, Program};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Puts an image under several tags, past every API. Gives its digest.
pub fn put(storage: &Storage, repository: &str, tags: &[&str], marker: &str) -> Digest {
    let repository: Repository = repository.parse().unwrap();
    let image = Image::new(marker, "amd64");
    for blob in [image.layer, image.config] {
        storage.put_blob(&repository, &Digest::sha256(&blob), Bytes::from(blob)).unwrap();
    }
    let manifest = RawManifest::new(IMAGE, image.manifest);
    for tag in tags {
        storage.put_manifest(&repository, manifest.clone(), Some(&tag.parse().unwrap())).unwrap();
    }
    manifest.digest
}

/// The program, which knows the fake as `v`.
pub fn program(fake: &Fake, namespace: Option<&str>) -> Program {
    let mut program = Program::new();
    let url = fake.front.url();
    let api = fake.api.map(|path| format!("api_address = \"{url}{path}\"\n")).unwrap_or_default();
    let namespace = namespace.map(|namespace| format!("namespace = \"{namespace}\"\n")).unwrap_or_default();
    program.write_catalogue(&format!(
        "[registry.v]\naddress = \"{url}\"\nprovider = \"{}\"\nregion = \"{REGION}\"\nusername = '{}'\ncredential = \"env\"\n{api}{namespace}",
        fake.kind, fake.username
    ));
    program.set("REGCTL_V_PASSWORD", PASSWORD);
    program
}

/// How the program should fare with a vendor.
struct Row {
    fake: Fake,
    namespace: &'static str,
    repository: &'static str,
    /// Whether its list of tags tells when each was pushed, and pulled.
    told: (bool, bool),
    /// How taking one of two tags away ends.
    untag: i32,
    /// What `check` shows: list, untag, delete, referrers.
    check: [&'static str; 4],
}

fn rows() -> Vec<Row> {
    let row = |fake, told, check| Row { fake, namespace: "acme", repository: "acme/tools/web", told, untag: 0, check };
    vec![
        row(harbor::fake(), (true, true), ["api", "api", "native", "native"]),
        row(dockerhub::fake(), (true, true), ["api", "api", "native", "native"]),
        Row { untag: 7, ..row(ghcr::fake(), (true, false), ["api", "unsupported", "api", "emulated"]) },
        row(quay::fake(), (true, false), ["api", "native", "native", "native"]),
        row(gitlab::fake(), (false, false), ["api", "native", "native", "native"]),
        row(azure::fake(), (true, false), ["native", "api", "native", "native"]),
        row(gar::fake(), (true, false), ["native", "native", "native", "native"]),
        row(ecr::fake(), (true, true), ["api", "api", "api", "native"]),
        row(gitea::fake(), (false, false), ["native", "native", "native", "native"]),
        row(zot::fake(), (false, false), ["native", "native", "native", "native"]),
        row(artifactory::fake(), (false, false), ["native", "api", "native", "native"]),
        row(nexus::fake(), (true, true), ["native", "api", "native", "native"]),
        row(swr::fake(), (true, false), ["api", "api", "native", "native"]),
        row(ionos::fake(), (true, true), ["api", "native", "native", "native"]),
        Row { untag: 7, ..row(tcr::fake(), (true, false), ["api", "unsupported", "native", "native"]) },
        Row { untag: 7, ..row(acr::enterprise(), (true, false), ["api", "unsupported", "api", "native"]) },
    ]
}

fn lines(finished: &Finished) -> Vec<String> {
    finished.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn repositories_are_listed() {
    for row in rows() {
        let mut expected = Vec::new();
        for number in 0..5 {
            let name = format!("acme/tools/r{number}");
            put(row.fake.front.storage(), &name, &["v1"], "one");
            expected.push(format!("v/{name}"));
        }
        let listed = program(&row.fake, Some(row.namespace)).run(["repo", "list", "v", "-q"]).succeeds().hides(PASSWORD);
        assert_eq!(lines(&listed), expected, "{}", row.fake.kind);
    }
}

#[test]
fn tags_come_with_what_the_vendor_tells() {
    for row in rows() {
        let digest = put(row.fake.front.storage(), row.repository, &["a", "b"], "one");
        for number in 0..4 {
            put(row.fake.front.storage(), row.repository, &[&format!("c{number}")], &number.to_string());
        }
        let repository = format!("v//{}", row.repository);
        let listed = program(&row.fake, None).run(["tag", "list", &repository, "--details", "-o", "json"]).succeeds().json();
        let items = listed["items"].as_array().unwrap();
        assert_eq!(items.len(), 6, "{}: {listed}", row.fake.kind);
        for item in &items[..2] {
            assert_eq!(item["digest"], digest.as_str(), "{}", row.fake.kind);
            assert!(item["size"].as_u64().is_some_and(|size| size > 0), "{}: {item}", row.fake.kind);
            let told = (item["pushed_at"] != Value::Null, item["pulled_at"] != Value::Null);
            assert_eq!(told, row.told, "{}: {item}", row.fake.kind);
        }
        assert_eq!(listed["failed"].as_array().map(Vec::len), Some(0));
    }
}

#[test]
fn one_of_two_tags_goes_alone_or_not_at_all() {
    for row in rows() {
        let storage = row.fake.front.storage();
        let digest = put(storage, row.repository, &["a", "b"], "one");
        put(storage, row.repository, &["other"], "two");
        let repository: Repository = row.repository.parse().unwrap();
        let reference = format!("v//{}:a", row.repository);
        let finished = program(&row.fake, None).run(["tag", "delete", &reference, "--yes"]).exits(row.untag).hides(PASSWORD);
        let tags: Vec<String> = storage.tags(&repository).unwrap().iter().map(ToString::to_string).collect();
        if row.untag == 0 {
            assert_eq!(tags, ["b", "other"], "{}: {finished}", row.fake.kind);
        } else {
            assert_eq!(tags, ["a", "b", "other"], "{}: {finished}", row.fake.kind);
        }
        assert_eq!(storage.resolve(&repository, &"b".parse().unwrap()), Some(digest), "{}", row.fake.kind);
    }
}

#[test]
fn a_repository_goes() {
    for row in rows() {
        let storage = row.fake.front.storage();
        put(storage, row.repository, &["a", "b"], "one");
        put(storage, "acme/tools/web-too", &["a"], "one");
        let name = format!("v//{}", row.repository);
        let finished = program(&row.fake, None).run(["repo", "delete", &name, "--yes"]).succeeds();
        // its empty name stays where there is no call for a repository
        let gone = storage.tags(&row.repository.parse().unwrap()).is_none_or(|tags| tags.is_empty());
        // GitLab does it later
        let asked = row.fake.front.requests().iter().any(|request| request.starts_with("DELETE /api/v4/projects/"));
        assert!(gone || asked, "{}: {finished}", row.fake.kind);
        assert!(storage.has(&"acme/tools/web-too".parse().unwrap()), "{}", row.fake.kind);
        program(&row.fake, None).run(["repo", "delete", &name, "--yes"]).succeeds();
    }
}

#[test]
fn check_shows_what_each_can_do() {
    for row in rows() {
        put(row.fake.front.storage(), row.repository, &["a"], "one");
        let checked = program(&row.fake, Some(row.namespace)).run(["check", "v", "-o", "json"]).json();
        let abilities = &checked["items"][0]["abilities"];
        let shown = ["list", "untag", "delete", "referrers"].map(|ability| abilities[ability].as_str().unwrap_or("?"));
        assert_eq!(shown, row.check, "{}: {checked}", row.fake.kind);
    }
}

/// Users' report harbor#18479: the age of an image that was built long ago and pushed today is a day, where the vendor knows it. Images
/// here were built on 2 January, pushed on 1 March and pulled then or on 1 April.
#[test]
fn harbor_18479_prune_goes_by_the_vendors_push_and_pull_times() {
    for row in rows() {
        put(row.fake.front.storage(), row.repository, &["a"], "one");
        let name = format!("v//{}", row.repository);
        let mut program = program(&row.fake, None);
        let mut plan = |now: &str, rule: [&str; 2]| {
            program.set("REGCTL_NOW", now);
            let plan = program.run(["prune", &name, rule[0], rule[1], "--dry-run", "-o", "json"]).succeeds().json();
            let part = plan["repositories"][0].clone();
            match part["steps"].as_array().map(Vec::len) {
                Some(0) => part["keeps"][0]["reason"].as_str().unwrap_or("no keep").to_owned(),
                _ => format!("goes: {}", part["steps"][0]["reason"].as_str().unwrap_or_default()),
            }
        };
        let (pushed, pulled) = row.told;
        let kind = row.fake.kind;
        let young = plan("2026-03-15T00:00:00Z", ["--older-than", "30d"]);
        assert_eq!(young, if pushed { "not older than 30d" } else { "goes: older than 30d" }, "{kind}");
        assert_eq!(plan("2026-05-15T00:00:00Z", ["--older-than", "30d"]), "goes: older than 30d", "{kind}");

        let nobody_knows = "nobody knows when it was last pulled";
        let fresh = plan("2026-03-15T00:00:00Z", ["--not-pulled-for", "30d"]);
        assert_eq!(fresh, if pulled { "pulled or pushed within 30d" } else { nobody_knows }, "{kind}");
        let old = plan("2026-06-01T00:00:00Z", ["--not-pulled-for", "30d"]);
        assert_eq!(old, if pulled { "goes: not pulled for 30d" } else { nobody_knows }, "{kind}");
    }
}
