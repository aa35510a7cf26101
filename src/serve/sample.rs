//! Sample content: what a small company's registry holds after a few months, made up so that every kind of thing is there once.
//! Images are complete: layers are tar archives, configs name them, and a container engine can pull and run them as far as they go.

use std::io;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Storage;
use crate::oci::{Digest, RawManifest, Repository, Tag, media_type};

/// Media type of layers that are not compressed.
const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
/// The same, as Docker calls it.
const DOCKER_TAR: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// Hours in a day, to write ages.
const DAY: i64 = 24;

/// Fills the registry: images for several platforms, signed and with a list of their parts, a repository of CI builds, a chart, an index of
/// indexes, a schema 1 manifest, and one of a type that nobody knows. Dates count back from `now`.
///
/// # Errors
/// When the storage can't be written.
pub fn fill(storage: &Storage, now: Timestamp) -> io::Result<()> {
    web(&Shelf::new(storage, "team/web", now))?;
    api(&Shelf::new(storage, "team/api", now))?;
    chart(&Shelf::new(storage, "charts/redis", now))?;
    scan(&Shelf::new(storage, "tools/scan", now))?;
    legacy(&Shelf::new(storage, "legacy/app", now))
}

/// Adds tags `t00000`, `t00001`, … to a repository, each on an image of its own; all share one layer.
///
/// # Errors
/// When the storage can't be written.
pub fn many_tags(storage: &Storage, repository: &Repository, count: usize, now: Timestamp) -> io::Result<()> {
    let shelf = Shelf { storage, repository: repository.clone(), now };
    let base = shelf.layer("base", 512)?;
    let layers = [&base];
    for number in 0..count {
        let hours_ago = i64::try_from(count - number).unwrap_or(i64::MAX);
        let image = shelf.image(&Build { hours_ago, label: Some(number.to_string()), ..Build::new("amd64", &layers) })?;
        shelf.tag(&image, &format!("t{number:05}"))?;
    }
    Ok(())
}

/// Two releases for two platforms, the newer one signed and described.
fn web(shelf: &Shelf<'_>) -> io::Result<()> {
    let base = shelf.layer("base", 2_100_000)?;
    for (version, hours_ago, tags) in [("2.4.0", 6 * DAY, &["v2.4.0"][..]), ("2.4.1", 2, &["v2.4.1", "latest"])] {
        let app = shelf.layer(&format!("web {version}"), 640_000)?;
        let mut children = Vec::new();
        for architecture in ["amd64", "arm64"] {
            let native = shelf.layer(&format!("web {version} {architecture}"), 180_000)?;
            let layers = [&base, &app, &native];
            children.push(shelf.image(&Build {
                hours_ago,
                label: Some(version.to_owned()),
                ..Build::new(architecture, &layers)
            })?);
        }
        let platforms: Vec<Value> = ["amd64", "arm64"].map(|name| json!({ "os": "linux", "architecture": name })).into();
        let index = shelf.index(media_type::OCI_INDEX, &children, &platforms)?;
        for tag in tags {
            shelf.tag(&index, tag)?;
        }
        if version == "2.4.1" {
            shelf.attach(&index, "application/vnd.example.signature.v1+json", r#"{"signed":"by the release key"}"#)?;
            shelf.attach(
                &index,
                "application/vnd.cyclonedx+json",
                r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[]}"#,
            )?;
        }
    }
    let dev = shelf.layer("web dev", 700_000)?;
    let image = shelf.image(&Build { hours_ago: 9 * DAY, label: Some("513".into()), ..Build::new("amd64", &[&base, &dev]) })?;
    shelf.tag(&image, "dev-513")
}

/// What a build server pushes: one image a build in Docker's format, and now and then a release that is one of them.
fn api(shelf: &Shelf<'_>) -> io::Result<()> {
    let base = shelf.layer("base", 1_400_000)?;
    for build in 0..24 {
        let number = 2_187 + build;
        let app = shelf.layer(&format!("api {number}"), 90_000)?;
        let hours_ago = (23 - build) * 3 * DAY + 5;
        let image = shelf.image(&Build {
            docker: true,
            hours_ago,
            label: Some(number.to_string()),
            ..Build::new("amd64", &[&base, &app])
        })?;
        shelf.tag(&image, &format!("ci-{number}"))?;
        if build == 8 {
            shelf.tag(&image, "v1.9.3")?;
        }
        if build == 23 {
            let platform = [json!({ "os": "linux", "architecture": "amd64" })];
            let list = shelf.index(media_type::DOCKER_LIST, &[image], &platform)?;
            shelf.tag(&list, "latest")?;
        }
    }
    Ok(())
}

/// A chart: an artifact that is no image.
fn chart(shelf: &Shelf<'_>) -> io::Result<()> {
    let config = shelf.blob(br#"{"name":"redis","version":"7.2.1","apiVersion":"v2"}"#)?;
    let archive = shelf.layer("chart", 48_000)?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "config": descriptor("application/vnd.cncf.helm.config.v1+json", &config),
        "layers": [descriptor("application/vnd.cncf.helm.chart.content.v1.tar+gzip", &archive)],
        "annotations": { "org.opencontainers.image.created": shelf.ago(40 * DAY), "org.opencontainers.image.title": "redis" },
    });
    let chart = shelf.manifest(media_type::OCI_MANIFEST, &manifest)?;
    shelf.tag(&chart, "7.2.1")
}

/// An index of indexes, and a manifest of a type that nobody knows.
fn scan(shelf: &Shelf<'_>) -> io::Result<()> {
    let base = shelf.layer("scan", 300_000)?;
    let linux = shelf.image(&Build { hours_ago: 12 * DAY, ..Build::new("amd64", &[&base]) })?;
    let inner = shelf.index(media_type::OCI_INDEX, &[linux], &[json!({ "os": "linux", "architecture": "amd64" })])?;
    let outer = shelf.index(media_type::OCI_INDEX, &[inner], &[Value::Null])?;
    shelf.tag(&outer, "nightly")?;
    let odd = shelf.manifest("application/vnd.example.rules.v1+json", &json!({ "rules": ["no-root"] }))?;
    shelf.tag(&odd, "rules")
}

/// From before 2016: schema 1, whose layers are listed newest first.
fn legacy(shelf: &Shelf<'_>) -> io::Result<()> {
    let layer = shelf.layer("legacy", 20_000)?;
    let history = json!({ "architecture": "amd64", "os": "linux", "created": "2015-08-11T10:00:00Z", "id": "5ad3", "config": { "Cmd": ["/app"] } });
    let manifest = json!({
        "schemaVersion": 1, "name": shelf.repository, "tag": "v1", "architecture": "amd64",
        "fsLayers": [{ "blobSum": layer.digest }],
        "history": [{ "v1Compatibility": history.to_string() }],
    });
    let old = shelf.manifest(media_type::DOCKER_SCHEMA1, &manifest)?;
    shelf.tag(&old, "v1")
}

/// One repository that is being filled.
struct Shelf<'a> {
    storage: &'a Storage,
    repository: Repository,
    now: Timestamp,
}

/// A blob that is there.
struct Stored {
    digest: Digest,
    size: usize,
}

/// How to build an image.
struct Build<'a> {
    architecture: &'a str,
    layers: &'a [&'a Stored],
    docker: bool,
    hours_ago: i64,
    label: Option<String>,
}

impl<'a> Build<'a> {
    fn new(architecture: &'a str, layers: &'a [&'a Stored]) -> Build<'a> {
        Build { architecture, layers, docker: false, hours_ago: 1, label: None }
    }
}

impl<'a> Shelf<'a> {
    fn new(storage: &'a Storage, repository: &str, now: Timestamp) -> Shelf<'a> {
        Shelf { storage, repository: repository.parse().expect("names of samples are valid"), now }
    }

    fn ago(&self, hours: i64) -> String {
        let then = self.now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(self.now);
        Timestamp::from_second(then.as_second()).unwrap_or(then).to_string()
    }

    fn blob(&self, content: &[u8]) -> io::Result<Stored> {
        let digest = Digest::sha256(content);
        self.storage.put_blob(&self.repository, &digest, Bytes::copy_from_slice(content))?;
        Ok(Stored { digest, size: content.len() })
    }

    /// A layer of one file, whose content follows from its name.
    fn layer(&self, name: &str, size: usize) -> io::Result<Stored> {
        let line = format!("{name}\n");
        let content: Vec<u8> = line.bytes().cycle().take(size).collect();
        self.blob(&tar(&format!("sample/{}", name.replace(' ', "-")), &content))
    }

    fn manifest(&self, kind: &str, document: &Value) -> io::Result<RawManifest> {
        let manifest = RawManifest::new(kind, document.to_string());
        self.storage.put_manifest(&self.repository, manifest.clone(), None)?;
        Ok(manifest)
    }

    fn tag(&self, manifest: &RawManifest, tag: &str) -> io::Result<()> {
        let tag: Tag = tag.parse().expect("tags of samples are valid");
        self.storage.put_manifest(&self.repository, manifest.clone(), Some(&tag))
    }

    fn image(&self, build: &Build<'_>) -> io::Result<RawManifest> {
        let layers: Vec<&Digest> = build.layers.iter().map(|layer| &layer.digest).collect();
        let version = build.label.as_deref().unwrap_or("0");
        let config = json!({
            "created": self.ago(build.hours_ago), "architecture": build.architecture, "os": "linux",
            "config": { "Cmd": ["/app"], "Labels": { "org.opencontainers.image.version": version } },
            "rootfs": { "type": "layers", "diff_ids": layers },
        });
        let config = self.blob(config.to_string().as_bytes())?;
        let (kind, config_kind, layer_kind) = if build.docker {
            (media_type::DOCKER_MANIFEST, media_type::DOCKER_CONFIG, DOCKER_TAR)
        } else {
            (media_type::OCI_MANIFEST, media_type::OCI_CONFIG, TAR)
        };
        let layers: Vec<Value> = build.layers.iter().map(|layer| descriptor(layer_kind, layer)).collect();
        self.manifest(
            kind,
            &json!({ "schemaVersion": 2, "mediaType": kind, "config": descriptor(config_kind, &config), "layers": layers }),
        )
    }

    fn index(&self, kind: &str, children: &[RawManifest], platforms: &[Value]) -> io::Result<RawManifest> {
        let entry = |(child, platform): (&RawManifest, &Value)| {
            let mut entry = json!({ "mediaType": child.media_type, "digest": child.digest, "size": child.bytes.len() });
            if !platform.is_null() {
                entry["platform"] = platform.clone();
            }
            entry
        };
        let entries: Vec<Value> = children.iter().zip(platforms).map(entry).collect();
        self.manifest(kind, &json!({ "schemaVersion": 2, "mediaType": kind, "manifests": entries }))
    }

    /// Attaches something to a manifest, as signatures and lists of parts are.
    fn attach(&self, subject: &RawManifest, kind: &str, content: &str) -> io::Result<()> {
        let empty = self.blob(b"{}")?;
        let content = self.blob(content.as_bytes())?;
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "artifactType": kind,
            "config": descriptor(media_type::OCI_EMPTY, &empty),
            "layers": [descriptor(kind, &content)],
            "subject": { "mediaType": subject.media_type, "digest": subject.digest, "size": subject.bytes.len() },
        });
        self.manifest(media_type::OCI_MANIFEST, &manifest).map(drop)
    }
}

fn descriptor(kind: &str, blob: &Stored) -> Value {
    json!({ "mediaType": kind, "digest": blob.digest, "size": blob.size })
}

/// A tar archive of one file (POSIX.1-1988 "ustar").
fn tar(path: &str, content: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    let mut header = [0_u8; BLOCK];
    let mut write = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    write(0, path);
    write(100, "0000644\0");
    write(108, "0000000\0");
    write(116, "0000000\0");
    write(124, &format!("{:011o}\0", content.len()));
    write(136, "00000000000\0");
    // the checksum counts its own field as spaces
    write(148, "        ");
    write(156, "0");
    write(257, "ustar\0");
    write(263, "00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let padded = content.len().next_multiple_of(BLOCK);
    let mut archive = Vec::with_capacity(BLOCK + padded + 2 * BLOCK);
    archive.extend_from_slice(&header);
    archive.extend_from_slice(content);
    // the last block is filled up, and two empty ones end the archive
    archive.resize(BLOCK + padded + 2 * BLOCK, 0);
    archive
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Manifest;

    #[test]
    fn everything_that_is_named_is_there() {
        let storage = Storage::memory();
        fill(&storage, "2026-11-20T12:00:00Z".parse().unwrap()).unwrap();
        let mut kinds = std::collections::BTreeSet::new();
        for repository in storage.repositories() {
            for tag in storage.tags(&repository).unwrap() {
                let digest = storage.resolve(&repository, &tag).unwrap();
                let manifest = storage.manifest(&repository, &digest).unwrap();
                kinds.insert(manifest.media_type.clone());
                let blobs: Vec<Digest> = match manifest.parse().unwrap() {
                    Manifest::Image(image) => image.layers.iter().chain([&image.config]).map(|blob| blob.digest.clone()).collect(),
                    Manifest::Index(index) => index.manifests.iter().map(|child| child.digest.clone()).collect(),
                    Manifest::Schema1(old) => old.fs_layers.iter().map(|layer| layer.blob_sum.clone()).collect(),
                    Manifest::Unknown(_) => Vec::new(),
                };
                for blob in blobs {
                    assert!(storage.has_blob(&repository, &blob).unwrap(), "{repository}:{tag} {blob}");
                }
            }
        }
        assert_eq!(kinds.len(), 6, "{kinds:?}");
        let web: Repository = "team/web".parse().unwrap();
        let latest = storage.resolve(&web, &"latest".parse().unwrap()).unwrap();
        assert_eq!(storage.referrers(&web, &latest).len(), 2);
    }

    #[test]
    fn the_archive_is_one_that_tar_reads() {
        let mut child = std::process::Command::new("tar")
            .args(["-tvf", "-"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        io::Write::write_all(&mut child.stdin.take().unwrap(), &tar("sample/base", &[b'x'; 700])).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let listed = String::from_utf8(output.stdout).unwrap();
        assert!(listed.contains("700") && listed.contains("sample/base"), "{listed}");
    }
}
