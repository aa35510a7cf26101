//! `regctl vulnerabilities`: attached reports, scanners on this machine, filters and exit codes. What vendors report is among `providers`.

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use regctl::oci::{Digest, RawManifest, Repository};
use regctl::serve::{Account, Auth, Running, Settings, Storage};
use serde_json::{Value, json};

use crate::support::content::Image;
use crate::support::program::Program;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const SARIF: &str = "application/sarif+json";
const USERNAME: &str = "alice";
const PASSWORD: &str = "canary-secret";

fn app() -> Repository {
    "app".parse().unwrap()
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

/// A server on which the program knows the repository `app`.
struct Lab {
    server: Running,
    program: Program,
}

impl Lab {
    fn new() -> Lab {
        Lab::with(Auth::Open, "")
    }

    /// `more` is added to the entry.
    fn with(auth: Auth, more: &str) -> Lab {
        let server = Running::start(Settings { auth, ..Settings::new(Storage::memory()) }).expect("a free port");
        let mut program = Program::new();
        program.write_catalogue(&format!("default = \"lab\"\n[registry.lab]\naddress = \"{}\"\n{more}", server.url()));
        program.set("REGCTL_NOW", "2026-11-21T00:00:00Z");
        Lab { server, program }
    }

    fn storage(&self) -> &Storage {
        self.server.storage()
    }

    fn image(&self, architecture: &str, tag: Option<&str>) -> Digest {
        let image = Image::new(architecture, architecture);
        for blob in [image.layer, image.config] {
            self.blob(&blob);
        }
        self.manifest(IMAGE, image.manifest, tag)
    }

    fn blob(&self, content: &[u8]) -> Value {
        let digest = Digest::sha256(content);
        self.storage().put_blob(&app(), &digest, Bytes::copy_from_slice(content)).unwrap();
        json!({ "digest": digest, "size": content.len() })
    }

    fn manifest(&self, media_type: &str, bytes: impl Into<Bytes>, tag: Option<&str>) -> Digest {
        let manifest = RawManifest::new(media_type, bytes);
        let tag = tag.map(|tag| tag.parse().unwrap());
        self.storage().put_manifest(&app(), manifest.clone(), tag.as_ref()).unwrap();
        manifest.digest
    }

    fn index(&self, tag: &str) -> [Digest; 2] {
        let images = ["amd64", "arm64"].map(|architecture| self.image(architecture, None));
        let children: Vec<Value> = images
            .iter()
            .zip(["amd64", "arm64"])
            .map(|(digest, architecture)| {
                let size = self.storage().manifest(&app(), digest).unwrap().bytes.len();
                json!({ "mediaType": IMAGE, "digest": digest, "size": size, "platform": { "os": "linux", "architecture": architecture } })
            })
            .collect();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": children });
        self.manifest(INDEX, index.to_string(), Some(tag));
        images
    }

    /// Attaches a document to a manifest, as `oras attach` does.
    fn attach(&self, subject: &Digest, artifact_type: &str, document: &str) -> Digest {
        let media_type = self.storage().manifest(&app(), subject).unwrap().media_type;
        let subject = json!({ "mediaType": media_type, "digest": subject, "size": 1 });
        self.artifact(artifact_type, document, Some(subject), None)
    }

    fn artifact(&self, artifact_type: &str, document: &str, subject: Option<Value>, tag: Option<&str>) -> Digest {
        let (mut config, mut layer) = (self.blob(b"{}"), self.blob(document.as_bytes()));
        config["mediaType"] = json!("application/vnd.oci.empty.v1+json");
        layer["mediaType"] = json!(artifact_type);
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": IMAGE, "artifactType": artifact_type, "config": config, "layers": [layer],
        });
        if let Some(subject) = subject {
            manifest["subject"] = subject;
        }
        self.manifest(IMAGE, manifest.to_string(), tag)
    }

    /// Installs a scanner that writes its arguments and what it was told into a file, and runs this.
    fn install(&mut self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = self.program.home().join("bin");
        std::fs::create_dir_all(&folder).unwrap();
        let log = self.program.home().join("scans");
        let text = format!(
            "#!/bin/sh\necho \"$* user=$TRIVY_USERNAME$GRYPE_REGISTRY_AUTH_USERNAME password=${{#TRIVY_PASSWORD}}+${{#GRYPE_REGISTRY_AUTH_PASSWORD}} http=$TRIVY_NON_SSL$GRYPE_REGISTRY_INSECURE_USE_HTTP\" >> {}\n{script}\n",
            log.display()
        );
        std::fs::write(folder.join(name), text).unwrap();
        std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
        self.program.set("PATH", format!("{}:/usr/bin:/bin", folder.display()));
    }

    /// What the scanner was told, a line a run, with the host of the server left out.
    fn scans(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.program.home().join("scans")).unwrap_or_default();
        let host = self.server.address().to_string();
        text.lines().map(|line| line.replace(&host, "HOST")).collect()
    }

    fn prints(&self, document: &str) -> String {
        std::fs::write(self.program.home().join("report"), document).unwrap();
        format!("cat {}/report", self.program.home().display())
    }
}

#[test]
fn an_attached_report() {
    let lab = Lab::new();
    let image = lab.image("amd64", Some("v1"));
    let report = lab.attach(&image, SARIF, &fixture("trivy/image.sarif"));
    lab.attach(&image, "application/vnd.dev.cosign.artifact.sig.v1+json", "{}");
    let shown = lab.program.run(["vulnerabilities", "app:v1"]).succeeds();
    assert_eq!(
        shown.stdout,
        "SEVERITY  ID             PACKAGE  INSTALLED  FIXED    TITLE\n\
         critical  CVE-2026-1001  openssl  3.0.1-1    3.0.2-1  openssl: a made-up overflow\n"
    );
    shown.says(&format!("from a report attached as sha256:{}, its signature not verified, Trivy 0.65.0", report.short()));
    let shown = lab.program.run(["vulnerabilities", "app:v1"]).succeeds();
    shown.says("1 critical; 1 fixable; 1 of 2 shown, 1 said to be harmless (--all)");
    lab.program.run(["vulns", "app:v1", "--all", "-q"]).succeeds().shows("CVE-2026-1001\nCVE-2026-1002\n");
    let document = lab.program.run(["vulnerabilities", "app:v1", "--all", "-o", "json"]).succeeds().json();
    assert_eq!(document["source"], "attached");
    assert_eq!(document["reports"][0]["attached"], json!(report));
    assert_eq!(document["digest"], json!(image));
    assert_eq!(document["summary"]["critical"], 1);
    assert_eq!((&document["found"], &document["dismissed"], &document["next_page"]), (&json!(2), &json!(1), &Value::Null));
    assert_eq!(document["failed"], json!([]));
    let second = &document["items"][1];
    assert_eq!((&second["fixed"], &second["fixable"], &second["state"]), (&Value::Null, &Value::Null, &json!("suppressed")));
    lab.program.run(["vulnerabilities", "app:v1", "--all", "-o", "jsonl"]).succeeds().shows("\"id\":\"CVE-2026-1002\"");
    lab.program.run(["vulnerabilities", "app:v1", "-o", "csv"]).succeeds().shows("critical,CVE-2026-1001,openssl,3.0.1-1,3.0.2-1");
}

/// A scan a day: the newest counts, also when it found less.
#[test]
fn the_newest_of_several() {
    let lab = Lab::new();
    let image = lab.image("amd64", Some("v1"));
    let trivy = |date: &str| json!({ "SchemaVersion": 2, "CreatedAt": date, "ArtifactName": "app", "Results": [] });
    let mut worse = trivy("2026-11-01T00:00:00Z");
    worse["Results"] = json!([{ "Vulnerabilities": [{ "VulnerabilityID": "CVE-1", "Severity": "HIGH" }] }]);
    lab.attach(&image, "application/json", &worse.to_string());
    lab.attach(&image, SARIF, &fixture("trivy/image.sarif"));
    lab.attach(&image, "application/json", &trivy("2026-11-20T00:00:00Z").to_string());
    lab.program.run(["vulnerabilities", "app:v1"]).succeeds().says("no known vulnerabilities");
}

/// `cosign attest --type vuln`, which keeps attestations behind a tag.
#[test]
fn an_attestation_of_cosigns() {
    let lab = Lab::new();
    let image = lab.image("amd64", Some("v1"));
    let attest = |about: &Digest| {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://cosign.sigstore.dev/attestation/vuln/v1",
            "subject": [{ "name": "app", "digest": { "sha256": about.as_str().strip_prefix("sha256:").unwrap() } }],
            "predicate": { "scanner": { "result": serde_json::from_str::<Value>(&fixture("grype/image.json")).unwrap() } },
        });
        let payload = BASE64_STANDARD.encode(statement.to_string());
        json!({ "payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": [] }).to_string()
    };
    let tag = format!("{}.att", image.fallback_tag());
    let kind = "application/vnd.dsse.envelope.v1+json";
    lab.artifact(kind, &attest(&image), None, Some(&tag));
    lab.program.run(["vulnerabilities", "app:v1", "-q"]).succeeds().shows("CVE-2026-1001\nGHSA-aaaa-bbbb-cccc\nCVE-2026-1002\n");
    // about another image, it says nothing of this one
    lab.artifact(kind, &attest(&Digest::sha256(b"another")), None, Some(&tag));
    lab.program.run(["vulnerabilities", "app:v1"]).fails(7);
}

#[test]
fn filters_and_the_exit_code() {
    let lab = Lab::new();
    let image = lab.image("amd64", Some("v1"));
    lab.attach(&image, "application/json", &fixture("trivy/image.json"));
    for (arguments, exit, shown) in [
        (&[][..], 0, &["CVE-2026-1001", "CVE-2026-1003", "CVE-2026-1002", "GHSA-aaaa-bbbb-cccc"][..]),
        (&["--severity", "high"], 0, &["CVE-2026-1001", "CVE-2026-1003"]),
        (&["--severity", "low,unknown"], 0, &["CVE-2026-1002", "GHSA-aaaa-bbbb-cccc"]),
        (&["--fixable"], 0, &["CVE-2026-1001", "CVE-2026-1003"]),
        (&["--fail-on", "critical"], 10, &["CVE-2026-1001", "CVE-2026-1003", "CVE-2026-1002", "GHSA-aaaa-bbbb-cccc"]),
        (&["--severity", "low,unknown", "--fail-on", "medium"], 0, &["CVE-2026-1002", "GHSA-aaaa-bbbb-cccc"]),
        (&["--severity", "low,unknown", "--fail-on", "low"], 10, &["CVE-2026-1002", "GHSA-aaaa-bbbb-cccc"]),
        (&["--severity", "severe"], 2, &[]),
        (&["--fail-on", "high,low"], 2, &[]),
        (&["--source", "nobody"], 2, &[]),
    ] {
        let run = lab.program.run([&["vulnerabilities", "app:v1", "-o", "name"], arguments].concat()).exits(exit);
        assert_eq!(run.stdout.lines().collect::<Vec<_>>(), shown, "{arguments:?}");
    }
    lab.program.run(["vulnerabilities", "app:v1", "--severity", "negligible,medium"]).succeeds().says("nothing fits; 0 of 4 shown");
    lab.program.run(["vulnerabilities", "app:v1", "--fail-on", "high"]).exits(10).says("2 of severity high or worse (--fail-on)");
}

#[test]
fn images_of_an_index() {
    let mut lab = Lab::new();
    let [amd64, arm64] = lab.index("multi");
    lab.attach(&amd64, "application/json", &fixture("trivy/image.json"));
    // one image is known, of the other nobody knows anything: that is not the same as nothing wrong
    let partly = lab.program.run(["vulnerabilities", "app:multi", "-o", "json", "--fail-on", "low"]).exits(9);
    let document = partly.json();
    assert_eq!(document["failed"][0]["name"], format!("lab/app@{arm64}"));
    assert!(
        document["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["platform"] == "linux/amd64" && item["digest"] == json!(amd64))
    );
    lab.program.run(["vulnerabilities", "app:multi", "--platform", "linux/amd64", "--fail-on", "low"]).exits(10);
    lab.program.run(["vulnerabilities", "app:multi", "--platform", "linux/arm64"]).fails(7);
    lab.program.run(["vulnerabilities", "app:multi", "--platform", "linux/riscv64"]).fails(3).says("linux/arm64");

    let script = lab.prints(&fixture("grype/image.json"));
    lab.install("grype", &script);
    let document = lab.program.run(["vulnerabilities", "app:multi", "-o", "json"]).succeeds().json();
    assert_eq!(document["source"], Value::Null, "one of each");
    assert_eq!(document["reports"][1]["platform"], "linux/arm64");
    assert_eq!(document["items"].as_array().unwrap().len(), 7);
    assert_eq!(document["scanned_at"], "2026-11-01T08:00:00Z");
    assert_eq!(lab.scans(), [format!("--output json --quiet registry:HOST/app@{arm64} user= password=0+0 http=true")]);

    // a report on the index as a whole goes for all of it
    let index = lab.storage().resolve(&app(), &"multi".parse().unwrap()).unwrap();
    lab.attach(&index, "application/json", &fixture("trivy/image.json"));
    let document = lab.program.run(["vulnerabilities", "app:multi", "-o", "json"]).succeeds().json();
    assert_eq!((document["items"].as_array().unwrap().len(), &document["items"][0]["platform"]), (4, &Value::Null));
}

/// The credential is in the environment of the run that pulls, and in no other.
#[test]
fn trivy_on_this_machine() {
    let mut lab = Lab::with(Auth::Basic(Account::new(USERNAME, PASSWORD)), "username = \"alice\"\ncredential = \"env\"\n");
    lab.program.set("REGCTL_LAB_PASSWORD", PASSWORD);
    let image = lab.image("amd64", Some("v1"));
    let script = lab.prints(&fixture("trivy/image.json"));
    lab.install("grype", "exit 1");
    lab.install("trivy", &script);
    let shown = lab.program.run(["vulnerabilities", "app:v1", "-vv"]).succeeds().hides(PASSWORD);
    shown.says("scanned on this machine, trivy 0.65.0");
    assert_eq!(
        lab.scans(),
        [
            "image --download-db-only --quiet user= password=0+0 http=".to_owned(),
            format!("image --format json --quiet HOST/app@{image} user=alice password={}+0 http=true", PASSWORD.len()),
        ]
    );
}

#[test]
fn scanners_that_fail() {
    let mut lab = Lab::with(Auth::Basic(Account::new(USERNAME, PASSWORD)), "username = \"alice\"\ncredential = \"env\"\n");
    lab.program.set("REGCTL_LAB_PASSWORD", PASSWORD);
    lab.image("amd64", Some("v1"));
    lab.install("trivy", "echo \"FATAL can't sign in with $TRIVY_PASSWORD\" >&2; exit 1");
    let failed = lab.program.run(["vulnerabilities", "app:v1"]).fails(1).hides(PASSWORD);
    failed.says("`trivy` failed with exit code 1: FATAL can't sign in with …");
    lab.install("trivy", "echo no report");
    lab.program.run(["vulnerabilities", "app:v1"]).fails(1).says("what the scanner printed is no report");
}

#[test]
fn nobody_has_a_report() {
    let lab = Lab::new();
    lab.image("amd64", Some("v1"));
    let refused = lab.program.run(["vulnerabilities", "app:v1"]).fails(7);
    let refused = refused.says("there is no vulnerability report on lab/app:v1").says("neither trivy nor grype is installed");
    refused.says("let the registry scan").says("attach a report").says("install trivy or grype");
    for source in ["registry", "attached", "scanner"] {
        lab.program.run(["vulnerabilities", "app:v1", "--source", source]).fails(7).says(source);
    }
    lab.program.run(["vulnerabilities", "app:nothing"]).fails(3);
}

/// Who switched scanning off for an entry doesn't want it asked: nothing is sent, and no scanner run.
#[test]
fn switched_off() {
    let mut lab = Lab::with(Auth::Open, "[registry.lab.features]\nvulnerability_scanning = false\n");
    lab.image("amd64", Some("v1"));
    lab.install("trivy", "exit 0");
    lab.program.run(["vulnerabilities", "app:v1"]).fails(7).says("regctl update lab --vulnerability-scanning");
    assert_eq!((lab.server.counters().requests, lab.scans().len()), (0, 0));
}

/// Another program knows nothing of an entry's own rules.
#[test]
fn a_scanner_goes_only_where_it_may() {
    for (more, why) in [
        ("allow_subnets = [\"127.0.0.0/8\", \"::1/128\"]\n", "allow_subnets"),
        (
            "[registry.lab.tls]\npin_sha256 = \"0000000000000000000000000000000000000000000000000000000000000000\"\n",
            "which certificate",
        ),
    ] {
        let mut lab = Lab::with(Auth::Open, more);
        lab.image("amd64", Some("v1"));
        lab.install("trivy", "exit 0");
        lab.program.run(["vulnerabilities", "app:v1"]).fails(7).says(why);
        assert_eq!(lab.scans().len(), 0);
    }
}

/// What is attached may be anything, also text that would move the cursor, and a size that isn't true.
#[test]
fn hostile_reports() {
    let lab = Lab::new();
    let image = lab.image("amd64", Some("v1"));
    lab.attach(&image, SARIF, "\u{1b}[2J not even JSON");
    lab.attach(&image, SARIF, &"[".repeat(200_000));
    let found = json!({ "VulnerabilityID": "CVE-1\u{1b}[31m", "PkgName": "a\u{7}b", "Title": "x\r\n\u{9b}y", "Severity": "HIGH" });
    let report = json!({ "SchemaVersion": 2, "ArtifactName": "app", "Results": [{ "Vulnerabilities": [found] }] });
    lab.attach(&image, "application/json", &report.to_string());
    for format in ["table", "wide", "csv", "name", "yaml"] {
        let shown = lab.program.run(["vulnerabilities", "app:v1", "-o", format]).succeeds();
        for text in [&shown.stdout, &shown.stderr] {
            assert!(!text.chars().any(|character| character.is_control() && character != '\n'), "{format}: {text:?}");
        }
    }
}
