//! What is read of each format, and that no document makes the reader fail.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::document;
use crate::oci::Digest;
use crate::registry::VulnerabilityReport;

const FILES: [&str; 6] = [
    "trivy/image.json",
    "trivy/image.sarif",
    "grype/image.json",
    "grype/image.sarif",
    "cyclonedx/vulnerabilities.json",
    "in-toto/vulns.json",
];

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn image() -> Digest {
    Digest::sha256(b"image")
}

/// One line a finding.
fn lines(report: &VulnerabilityReport) -> Vec<String> {
    let of = |text: &Option<String>| text.clone().unwrap_or("-".into());
    let line = |v: &crate::registry::Vulnerability| {
        format!(
            "{} {} {} {} {} {} {}",
            v.severity.word(),
            v.id,
            of(&v.package),
            of(&v.installed),
            of(&v.fixed),
            v.score.map_or("-".into(), |score| score.to_string()),
            of(&v.state)
        )
    };
    report.vulnerabilities.iter().map(line).collect()
}

fn read(document: &Value) -> Option<VulnerabilityReport> {
    document::read(document.to_string().as_bytes(), &image())
}

#[test]
fn each_format() {
    type Row = (&'static str, Option<&'static str>, Option<&'static str>, &'static [&'static str]);
    let expected: [Row; 6] = [
        (
            FILES[0],
            Some("trivy 0.65.0"),
            Some("2026-11-01T08:00:00Z"),
            &[
                "critical CVE-2026-1001 openssl 3.0.1-1 3.0.2-1 9.8 -",
                "high CVE-2026-1003 lodash 4.17.20 4.17.21 7.5 -",
                "low CVE-2026-1002 bash 5.1-2 - - -",
                "unknown GHSA-aaaa-bbbb-cccc left-pad 1.0.0 - - -",
            ],
        ),
        (
            FILES[1],
            Some("Trivy 0.65.0"),
            None,
            &["critical CVE-2026-1001 openssl 3.0.1-1 3.0.2-1 9.8 -", "low CVE-2026-1002 bash 5.1-2 - 2 suppressed"],
        ),
        (
            FILES[2],
            Some("grype 0.100.0"),
            Some("2026-11-02T09:00:00Z"),
            &[
                "high CVE-2026-1001 openssl 3.0.1-1 3.0.2-1 7.8 -",
                "medium GHSA-aaaa-bbbb-cccc left-pad 1.0.0 - 5.3 -",
                "negligible CVE-2026-1002 bash 5.1-2 - - -",
            ],
        ),
        (
            FILES[3],
            Some("grype 0.100.0"),
            None,
            &["high CVE-2026-1001 openssl 3.0.1-1 3.0.2-1 7.8 -", "medium GHSA-aaaa-bbbb-cccc left-pad 1.0.0 - 5.3 -"],
        ),
        (
            FILES[4],
            Some("trivy 0.65.0"),
            Some("2026-11-03T10:00:00Z"),
            &[
                "critical CVE-2026-1001 openssl 3.0.1-1 3.0.2-1 9.8 exploitable",
                "high CVE-2026-1004 org.example/parser 2.0 - 7.1 not_affected",
                "low CVE-2026-1002 bash 5.1-2 - - -",
                "unknown CVE-2026-1005 - - - - -",
            ],
        ),
        (
            FILES[5],
            Some("pkg:generic/scanner 1.2"),
            Some("2026-11-04T11:00:00Z"),
            &["high CVE-2026-1001 - - - 9.8 -", "medium CVE-2026-1002 - - - - -"],
        ),
    ];
    for (file, scanner, scanned_at, findings) in expected {
        let report = document::read(&fixture(file), &image()).unwrap_or_else(|| panic!("{file} is no report"));
        assert_eq!(lines(&report), findings, "{file}");
        assert_eq!(report.scanner.as_deref(), scanner, "{file}");
        assert_eq!(report.scanned_at.map(|date| date.to_string()).as_deref(), scanned_at, "{file}");
    }
}

#[test]
fn the_rest_of_a_record() {
    let report = document::read(&fixture("trivy/image.json"), &image()).unwrap();
    let first = &report.vulnerabilities[0];
    assert_eq!(first.title.as_deref(), Some("openssl: a made-up overflow"));
    assert_eq!(first.link.as_deref(), Some("https://avd.example.com/cve-2026-1001"));
    assert_eq!(first.target.as_deref(), Some("app (debian 12.5)"));
    assert_eq!(first.aliases, ["DSA-1001-1"]);
    let report = document::read(&fixture("grype/image.json"), &image()).unwrap();
    assert_eq!(report.vulnerabilities[2].fixable, Some(false));
    assert_eq!(report.vulnerabilities[1].aliases, ["CVE-2026-1006"]);
    assert_eq!(report.vulnerabilities[1].target.as_deref(), Some("/app/package.json"));
}

/// A statement about an image, with or without an envelope around it.
fn attestation(predicate_type: &str, predicate: &Value, about: &Digest) -> Value {
    let hex = about.as_str().split_once(':').unwrap().1;
    json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "subject": [{ "name": "registry.example.com/app", "digest": { "sha256": hex } }],
        "predicateType": predicate_type,
        "predicate": predicate,
    })
}

fn envelope(statement: &Value) -> Value {
    json!({
        "payloadType": "application/vnd.in-toto+json",
        "payload": BASE64_STANDARD.encode(statement.to_string()),
        "signatures": [{ "sig": "c2ln" }],
    })
}

fn cosign(result: &Value) -> Value {
    json!({
        "invocation": { "uri": "" },
        "scanner": { "uri": "pkg:github/aquasecurity/trivy@0.65.0", "version": "0.65.0", "result": result },
        "metadata": { "scanStartedOn": "2026-11-05T11:59:00Z", "scanFinishedOn": "2026-11-05T12:00:00Z" },
    })
}

#[test]
fn attestations() {
    const VULN: &str = "https://cosign.sigstore.dev/attestation/vuln/v1";
    for file in [FILES[0], FILES[2], FILES[1]] {
        let inner: Value = serde_json::from_slice(&fixture(file)).unwrap();
        for kind in [VULN, "cosign.sigstore.dev/attestation/vuln/v1"] {
            let statement = attestation(kind, &cosign(&inner), &image());
            let bundle =
                json!({ "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": envelope(&statement) });
            for document in [statement.clone(), envelope(&statement), bundle] {
                let report = read(&document).unwrap_or_else(|| panic!("{file} {kind}"));
                assert_eq!(lines(&report), lines(&read(&inner).unwrap()));
                assert_eq!(
                    report.scanned_at.unwrap().to_string(),
                    "2026-11-05T12:00:00Z",
                    "when it was scanned is the attestation's word"
                );
            }
        }
    }
    let bom: Value = serde_json::from_slice(&fixture(FILES[4])).unwrap();
    assert!(read(&envelope(&attestation("https://cyclonedx.org/bom", &bom, &image()))).is_some());
}

/// A report on another image is none on this one, whoever attached it here.
#[test]
fn an_attestation_about_another_image() {
    let inner: Value = serde_json::from_slice(&fixture(FILES[0])).unwrap();
    let about = |image: &Digest| envelope(&attestation("cosign.sigstore.dev/attestation/vuln/v1", &cosign(&inner), image));
    assert!(read(&about(&image())).is_some());
    assert!(read(&about(&Digest::sha256(b"another"))).is_none());
}

#[test]
fn what_is_no_report() {
    for document in [
        json!(null),
        json!([]),
        json!({}),
        json!({ "bomFormat": "CycloneDX", "specVersion": "1.5", "components": [] }),
        json!({ "spdxVersion": "SPDX-2.3", "packages": [] }),
        json!({ "critical": { "image": { "docker-manifest-digest": "sha256:0" } } }),
        json!({ "matches": [] }),
        json!({ "runs": [] }),
        json!({ "SchemaVersion": 2 }),
        attestation("https://slsa.dev/provenance/v1", &json!({ "buildDefinition": {} }), &image()),
        json!({ "payloadType": "x", "payload": "%%%" }),
        json!({ "payloadType": "x", "payload": 5 }),
    ] {
        assert!(read(&document).is_none(), "{document}");
    }
    assert!(document::read(b"", &image()).is_none());
    assert!(document::read(&"[".repeat(100_000).into_bytes(), &image()).is_none());
}

/// A scanner that found nothing has looked.
#[test]
fn nothing_found_is_a_report() {
    for document in [
        json!({ "SchemaVersion": 2, "ArtifactName": "app" }),
        json!({ "SchemaVersion": 2, "Results": [{ "Target": "app" }] }),
        json!({ "matches": [], "descriptor": { "name": "grype", "version": "1" } }),
        json!({ "bomFormat": "CycloneDX", "vulnerabilities": [] }),
        json!({ "version": "2.1.0", "runs": [] }),
    ] {
        assert_eq!(read(&document).expect("a report").vulnerabilities, [], "{document}");
    }
}

/// An envelope in an envelope in an envelope comes to an end.
#[test]
fn envelopes_without_end() {
    let mut document = json!({ "SchemaVersion": 2, "ArtifactName": "app" });
    for _ in 0..8 {
        document = envelope(&document);
    }
    assert!(read(&document).is_none());
}

/// Puts something else at one place of a document.
fn mutate(value: &mut Value, at: &mut usize, with: &Value) {
    if *at == 0 {
        *value = with.clone();
        *at = usize::MAX;
        return;
    }
    *at -= 1;
    match value {
        Value::Array(items) => {
            for item in items {
                if *at == usize::MAX {
                    return;
                }
                mutate(item, at, with);
            }
        }
        Value::Object(fields) => {
            for (_, field) in fields.iter_mut() {
                if *at == usize::MAX {
                    return;
                }
                mutate(field, at, with);
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn another_value_anywhere_is_no_panic(file in 0..FILES.len(), at in 0usize..200, kind in 0usize..9) {
        let with = [
            json!(null), json!(true), json!(-1), json!(1e308), json!(""), json!("\u{1b}[31mé\n\n"), json!([[]]), json!({ "id": {} }), json!(["a", 1]),
        ];
        let mut document: Value = serde_json::from_slice(&fixture(FILES[file])).unwrap();
        mutate(&mut document, &mut at.clone(), &with[kind]);
        for report in [read(&document), read(&envelope(&attestation("cosign.sigstore.dev/attestation/vuln/v1", &cosign(&document), &image())))].into_iter().flatten() {
            for found in report.vulnerabilities {
                prop_assert!(!found.id.is_empty());
                prop_assert!(found.score.is_none_or(|score| (0.0..=10.0).contains(&score)));
                prop_assert!(found.title.is_none_or(|title| !title.contains('\n')));
            }
        }
    }

    #[test]
    fn a_cut_or_changed_document_is_no_panic(file in 0..FILES.len(), cut in 0usize..4000, byte: u8) {
        let mut bytes = fixture(FILES[file]);
        let at = cut % bytes.len();
        bytes[at] = byte;
        document::read(&bytes, &image());
        document::read(&bytes[..at], &image());
    }
}
