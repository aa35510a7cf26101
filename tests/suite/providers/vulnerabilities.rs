//! `regctl vulnerabilities` on every vendor that scans: the report on an image, and that an image without one is not one without flaws.

use regctl::oci::{RawManifest, Repository};
use serde_json::json;

use super::fake::{Fake, SCANNED};
use super::program::{program, put};
use super::{ecr, gar, harbor, ionos, quay};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What is read of a scanned image, and of one that isn't scanned, with the repository's name as long as a vendor allows.
fn rows() -> Vec<(Fake, &'static str, &'static [&'static str], &'static str)> {
    vec![
        (
            harbor::fake(),
            "acme/tools/web",
            &["critical CVE-2026-1001 openssl", "low CVE-2026-1002 bash"],
            "Harbor has not scanned it",
        ),
        (
            quay::fake(),
            "acme/web",
            &["critical CVE-2026-1007 openssl", "high CVE-2026-1001 openssl"],
            "Quay has not scanned it yet",
        ),
        (
            ecr::fake(),
            "acme/tools/web",
            &["critical CVE-2026-1001 libssl3", "critical CVE-2026-1001 openssl"],
            "ECR has not scanned it",
        ),
        (
            ionos::fake(),
            "acme/tools/web",
            &["critical CVE-2026-1001 libssl3", "critical CVE-2026-1001 openssl", "low CVE-2026-1002 -"],
            "IONOS has not scanned it",
        ),
        (gar::fake(), "p/g/tools/web", &["high CVE-2026-1001 openssl"], "Artifact Analysis has not scanned it"),
    ]
}

#[test]
fn reports_of_vendors() {
    for (fake, repository, expected, nothing) in rows() {
        put(fake.front.storage(), repository, &[SCANNED], "one");
        put(fake.front.storage(), repository, &["fresh"], "two");
        let program = program(&fake, None);
        let kind = fake.kind;
        let reference = format!("v//{repository}:{SCANNED}");
        let shown = program.run(["vulnerabilities", &reference, "-o", "json"]).succeeds().says("from the registry's own scanner");
        let document = shown.json();
        let lines: Vec<String> = document["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| {
                let text = |key: &str| item[key].as_str().unwrap_or("-").to_owned();
                format!("{} {} {}", text("severity"), text("id"), text("package"))
            })
            .collect();
        assert_eq!(lines, expected, "{kind}");
        assert_eq!((&document["source"], &document["failed"]), (&json!("registry"), &json!([])), "{kind}");
        program.run(["vulnerabilities", &reference, "--fail-on", "high", "-q"]).exits(10);
        let fresh = format!("v//{repository}:fresh");
        for arguments in [&["vulnerabilities", &fresh][..], &["vulnerabilities", &fresh, "--source", "registry"]] {
            program.run(arguments).fails(7).says(nothing);
        }
    }
}

fn index(fake: &Fake, repository: &str, tag: &str, scanned: Option<&str>) {
    let storage = fake.front.storage();
    let children = ["amd64", "arm64"].map(|architecture| {
        let tags: &[&str] = if scanned == Some(architecture) { &[SCANNED] } else { &[] };
        let digest = put(storage, repository, &[tags, &[architecture]].concat(), architecture);
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1,
            "platform": { "os": "linux", "architecture": architecture },
        })
    });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": children });
    let repository: Repository = repository.parse().unwrap();
    storage.put_manifest(&repository, RawManifest::new(INDEX, index.to_string()), Some(&tag.parse().unwrap())).unwrap();
}

/// Harbor has one report on an index, and says whose each finding is.
#[test]
fn the_report_on_an_index_of_harbors() {
    let fake = harbor::fake();
    index(&fake, "acme/app", SCANNED, None);
    let program = program(&fake, None);
    let document = program.run(["vulnerabilities", &format!("v//acme/app:{SCANNED}"), "-o", "json"]).succeeds().json();
    assert_eq!(document["reports"].as_array().unwrap().len(), 1);
    assert!(document["items"].as_array().unwrap().iter().all(|item| item["platform"] == "linux/amd64"), "{document}");
}

/// Others scan images: of an index, each is asked for.
#[test]
fn the_reports_on_the_images_of_an_index() {
    let fake = ecr::fake();
    index(&fake, "acme/app", "multi", Some("arm64"));
    let program = program(&fake, None);
    let document = program.run(["vulnerabilities", "v//acme/app:multi", "-o", "json"]).exits(9).json();
    assert!(document["items"].as_array().unwrap().iter().all(|item| item["platform"] == "linux/arm64"), "{document}");
    assert_eq!(document["failed"].as_array().unwrap().len(), 1);
    program.run(["vulnerabilities", "v//acme/app:multi", "--platform", "linux/arm64", "--fail-on", "critical"]).exits(10);
}

/// The API of Quay refuses robots; that is no reason not to look for an attached report, and it is told.
#[test]
fn a_refused_api_is_told() {
    let fake = quay::fake_for_robots();
    put(fake.front.storage(), "acme/app", &["v1"], "one");
    let program = program(&fake, None);
    let refused = program.run(["vulnerabilities", "v//acme/app:v1"]).fails(7);
    refused
        .says("the vendor's own API doesn't take this kind of credential")
        .says("OAuth application token")
        .says("attached: no report");
}
