//! The questions. Each uses repositories of its own, so that they can be asked of one server in any order.

use bytes::Bytes;
use futures_util::TryStreamExt;
use regctl::oci::{Digest, RawManifest, Repository, Selector, Tag, media_type};
use regctl::registry::{ErrorKind, Registry, Result, Support};
use serde_json::json;

use super::Truth;

/// Asks all of them.
pub async fn all(registry: &dyn Registry, truth: &Truth) {
    it_pings(registry, truth).await;
    manifests_of_every_type_come_back(registry).await;
    blobs_come_back(registry).await;
    what_is_not_there_is_not_found(registry).await;
    lists_go_to_the_end(registry).await;
    probing_deletes_nothing(registry, truth).await;
    a_tag_goes_alone_or_not_at_all(registry, truth).await;
    deleting_a_digest_takes_its_tags(registry, truth).await;
    deleted_repositories_are_empty(registry, truth).await;
    referrers_are_found(registry, truth).await;
}

fn repository(name: &str) -> Repository {
    format!("conformance/{name}").parse().unwrap()
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

fn by_tag(name: &str) -> Selector {
    Selector::Tag(tag(name))
}

fn descriptor(media_type: &str, content: &[u8]) -> serde_json::Value {
    json!({ "mediaType": media_type, "digest": Digest::sha256(content), "size": content.len() })
}

/// An image of one layer, stored under `name`. Different labels make different images.
async fn image(registry: &dyn Registry, repository: &Repository, name: &str, label: &str) -> RawManifest {
    let config = json!({ "os": "linux", "architecture": "amd64", "config": { "Labels": { "label": label } } }).to_string();
    let layer = format!("layer of {label}");
    for blob in [&config, &layer] {
        registry.put_blob(repository, Bytes::from(blob.clone())).await.unwrap();
    }
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": descriptor(media_type::OCI_CONFIG, config.as_bytes()),
        "layers": [descriptor(media_type::OCI_LAYER_GZIP, layer.as_bytes())],
    });
    store(registry, repository, name, media_type::OCI_MANIFEST, &manifest).await
}

async fn store(
    registry: &dyn Registry,
    repository: &Repository,
    name: &str,
    kind: &str,
    document: &serde_json::Value,
) -> RawManifest {
    let manifest = RawManifest::new(kind, document.to_string());
    assert_eq!(registry.put_manifest(repository, &by_tag(name), &manifest).await.unwrap(), manifest.digest);
    manifest
}

async fn tags(registry: &dyn Registry, repository: &Repository) -> Result<Vec<String>> {
    let pages: Vec<_> = registry.tags(repository).try_collect().await?;
    let mut names: Vec<String> = pages.into_iter().flatten().map(|entry| entry.name).collect();
    names.sort();
    Ok(names)
}

async fn exists(registry: &dyn Registry, repository: &Repository, selector: &Selector) -> bool {
    match registry.head(repository, selector).await {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => panic!("{error}"),
    }
}

pub async fn it_pings(registry: &dyn Registry, truth: &Truth) {
    let ping = registry.ping().await.unwrap();
    assert_eq!(ping.auth, truth.auth);
    assert_eq!(ping.signed_in, (truth.auth != "none").then_some(true));
    assert!(ping.clock_offset.is_none_or(|offset| offset.abs() < 3600), "the clock of this machine is its own clock");
}

pub async fn manifests_of_every_type_come_back(registry: &dyn Registry) {
    let repository = repository("types");
    let oci = image(registry, &repository, "oci", "types").await;
    let mut document: serde_json::Value = serde_json::from_slice(&oci.bytes).unwrap();
    document["mediaType"] = media_type::DOCKER_MANIFEST.into();
    document["config"]["mediaType"] = media_type::DOCKER_CONFIG.into();
    document["layers"][0]["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip".into();
    let docker = store(registry, &repository, "docker", media_type::DOCKER_MANIFEST, &document).await;
    let list = |kind: &str, child: &RawManifest| {
        let mut child_descriptor = descriptor(&child.media_type, &child.bytes);
        child_descriptor["platform"] = json!({ "os": "linux", "architecture": "amd64" });
        json!({ "schemaVersion": 2, "mediaType": kind, "manifests": [child_descriptor] })
    };
    let index = store(registry, &repository, "index", media_type::OCI_INDEX, &list(media_type::OCI_INDEX, &oci)).await;
    let docker_list = list(media_type::DOCKER_LIST, &docker);
    let docker_list = store(registry, &repository, "list", media_type::DOCKER_LIST, &docker_list).await;
    for (name, manifest) in [("oci", oci), ("docker", docker), ("index", index), ("list", docker_list)] {
        for selector in [by_tag(name), Selector::Digest(manifest.digest.clone())] {
            assert_eq!(registry.manifest(&repository, &selector).await.unwrap(), manifest, "{name} {selector}");
            assert_eq!(registry.head(&repository, &selector).await.unwrap(), manifest.descriptor(), "{name} {selector}");
        }
    }
    assert_eq!(tags(registry, &repository).await.unwrap(), ["docker", "index", "list", "oci"]);
}

pub async fn blobs_come_back(registry: &dyn Registry) {
    let repository = repository("blobs");
    for content in [Bytes::from_static(b""), Bytes::from_static(b"some content"), Bytes::from(vec![7; 300_000])] {
        let digest = registry.put_blob(&repository, content.clone()).await.unwrap();
        assert_eq!(digest, Digest::sha256(&content));
        assert_eq!(registry.blob_size(&repository, &digest).await.unwrap(), content.len() as u64);
        let blob = registry.blob(&repository, &digest).await.unwrap();
        assert!(blob.size.is_none_or(|size| size == content.len() as u64));
        let pieces: Vec<Bytes> = blob.content.try_collect().await.unwrap();
        assert_eq!(pieces.concat(), content);
    }
}

pub async fn what_is_not_there_is_not_found(registry: &dyn Registry) {
    let there = repository("not-found");
    image(registry, &there, "v1", "not found").await;
    let gone = Digest::sha256(b"nobody has this");
    for repository in [there, repository("never-pushed")] {
        for selector in [by_tag("gone"), Selector::Digest(gone.clone())] {
            assert_eq!(registry.head(&repository, &selector).await.unwrap_err().kind(), ErrorKind::NotFound);
            assert_eq!(registry.manifest(&repository, &selector).await.unwrap_err().kind(), ErrorKind::NotFound);
        }
        assert_eq!(registry.blob_size(&repository, &gone).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(registry.blob(&repository, &gone).await.err().unwrap().kind(), ErrorKind::NotFound);
    }
    assert_eq!(tags(registry, &repository("never-pushed")).await.unwrap_err().kind(), ErrorKind::NotFound);
}

pub async fn lists_go_to_the_end(registry: &dyn Registry) {
    let mut expected = Vec::new();
    for number in 0..7 {
        let name = repository(&format!("list/r{number}"));
        image(registry, &name, "v1", "list").await;
        expected.push(name);
    }
    for number in 2..=7 {
        image(registry, &expected[0], &format!("v{number}"), "list").await;
    }
    assert_eq!(tags(registry, &expected[0]).await.unwrap(), ["v1", "v2", "v3", "v4", "v5", "v6", "v7"]);
    if registry.capabilities().list == Support::Unsupported {
        return;
    }
    let pages: Vec<_> = registry.repositories().try_collect().await.unwrap();
    let mut all = pages.concat();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count, "nothing is listed twice");
    assert!(expected.iter().all(|name| all.contains(name)), "{all:?}");
}

pub async fn probing_deletes_nothing(registry: &dyn Registry, truth: &Truth) {
    let repository = repository("probe");
    let image = image(registry, &repository, "v1", "probe").await;
    assert_eq!(registry.probe_delete(&repository).await.unwrap(), truth.delete);
    assert!(exists(registry, &repository, &Selector::Digest(image.digest)).await);
}

pub async fn a_tag_goes_alone_or_not_at_all(registry: &dyn Registry, truth: &Truth) {
    let repository = repository("untag");
    let shared = image(registry, &repository, "a", "shared").await;
    registry.put_manifest(&repository, &by_tag("b"), &shared).await.unwrap();
    match registry.untag(&repository, &tag("a")).await {
        Ok(taken) => {
            assert!(taken && truth.untag != Support::Unsupported);
            assert!(!exists(registry, &repository, &by_tag("a")).await);
            assert!(!registry.untag(&repository, &tag("a")).await.unwrap(), "already gone");
        }
        Err(error) => {
            assert_eq!((error.kind(), truth.untag), (ErrorKind::Unsupported, Support::Unsupported), "{error}");
            assert_eq!(registry.capabilities().untag, Support::Unsupported, "learnt");
            assert!(exists(registry, &repository, &by_tag("a")).await);
        }
    }
    assert_eq!(registry.head(&repository, &by_tag("b")).await.unwrap().digest, shared.digest, "the sibling stays");
    assert!(exists(registry, &repository, &Selector::Digest(shared.digest)).await);
}

pub async fn deleting_a_digest_takes_its_tags(registry: &dyn Registry, truth: &Truth) {
    let repository = repository("delete");
    let shared = image(registry, &repository, "a", "to be deleted").await;
    registry.put_manifest(&repository, &by_tag("b"), &shared).await.unwrap();
    image(registry, &repository, "other", "to be kept").await;
    if truth.delete == Support::Unsupported {
        let error = registry.delete_manifest(&repository, &shared.digest).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(exists(registry, &repository, &by_tag("a")).await);
        return;
    }
    assert!(registry.delete_manifest(&repository, &shared.digest).await.unwrap());
    assert!(!registry.delete_manifest(&repository, &shared.digest).await.unwrap(), "already gone");
    for name in ["a", "b"] {
        assert!(!exists(registry, &repository, &by_tag(name)).await, "{name}");
    }
    assert_eq!(tags(registry, &repository).await.unwrap(), ["other"]);

    let blob = registry.put_blob(&repository, Bytes::from_static(b"to be deleted")).await.unwrap();
    assert!(registry.delete_blob(&repository, &blob).await.unwrap());
    assert!(!registry.delete_blob(&repository, &blob).await.unwrap(), "already gone");
}

/// dist#1585 and its many duplicates: the last tag gone, servers answer `null`, an empty list or "name unknown".
pub async fn deleted_repositories_are_empty(registry: &dyn Registry, truth: &Truth) {
    if truth.delete == Support::Unsupported {
        return;
    }
    let repository = repository("emptied");
    let only = image(registry, &repository, "only", "emptied").await;
    registry.delete_manifest(&repository, &only.digest).await.unwrap();
    match tags(registry, &repository).await {
        Ok(names) => assert!(names.is_empty(), "{names:?}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
    }
}

pub async fn referrers_are_found(registry: &dyn Registry, truth: &Truth) {
    let repository = repository("referrers");
    let subject = image(registry, &repository, "v1", "signed").await;
    let found = registry.referrers(&repository, &subject.digest).await.unwrap();
    assert_eq!((found.items.len(), found.native), (0, truth.referrers));

    registry.put_blob(&repository, Bytes::from_static(b"{}")).await.unwrap();
    let kind = "application/vnd.example.signature";
    let document = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "artifactType": kind,
        "config": descriptor(media_type::OCI_EMPTY, b"{}"),
        "layers": [descriptor(media_type::OCI_EMPTY, b"{}")],
        "subject": descriptor(media_type::OCI_MANIFEST, &subject.bytes),
    });
    let signature = RawManifest::new(media_type::OCI_MANIFEST, document.to_string());
    registry.put_manifest(&repository, &Selector::Digest(signature.digest.clone()), &signature).await.unwrap();
    if !truth.referrers {
        // Who pushes to such a server keeps the fallback tag.
        let mut entry = descriptor(media_type::OCI_MANIFEST, &signature.bytes);
        entry["artifactType"] = kind.into();
        let index = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [entry] });
        store(registry, &repository, &subject.digest.fallback_tag(), media_type::OCI_INDEX, &index).await;
    }
    let found = registry.referrers(&repository, &subject.digest).await.unwrap();
    assert_eq!(found.native, truth.referrers);
    assert_eq!(found.items.len(), 1);
    assert_eq!((&found.items[0].digest, found.items[0].artifact_type.as_deref()), (&signature.digest, Some(kind)));
}
