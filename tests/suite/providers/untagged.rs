//! Manifests without a tag: vendors whose API lists them have them cleaned up, with everything that is needed left alone (users' reports:
//! kubernoodles#664, WeatherNode#24, JellyGlance#30, which lost images of their indexes this way).

use std::collections::BTreeSet;

use regctl::oci::{Digest, RawManifest, Repository};
use regctl::serve::Storage;
use serde_json::json;

use super::fake::Fake;
use super::program::{program, put};
use super::{azure, ecr, gar, ghcr, harbor, ionos};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

fn index(storage: &Storage, repository: &Repository, tag: Option<&str>, children: &[&Digest]) -> Digest {
    let listed: Vec<_> = children.iter().map(|digest| json!({ "mediaType": IMAGE, "digest": digest, "size": 1 })).collect();
    let document = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": listed });
    let manifest = RawManifest::new(INDEX, document.to_string());
    let tag = tag.map(|tag| tag.parse().unwrap());
    storage.put_manifest(repository, manifest.clone(), tag.as_ref()).unwrap();
    manifest.digest
}

fn fakes() -> Vec<Fake> {
    vec![harbor::fake(), ghcr::fake(), azure::fake(), gar::fake(), ecr::fake(), ionos::fake()]
}

#[test]
fn only_what_nothing_needs_goes() {
    for fake in fakes() {
        let kind = fake.kind;
        // on GHCR the owner of a package is a person or an organisation
        let repository = "acme/tools/web";
        let name: Repository = repository.parse().unwrap();
        let storage = fake.front.storage();
        let image = |tags: &[&str], marker: &str| {
            let digest = put(storage, repository, tags, marker);
            // without a tag it was not put yet
            if tags.is_empty() {
                put(storage, repository, &["moving"], marker);
            }
            digest
        };
        let (amd64, arm64) = (image(&[], "amd64"), image(&[], "arm64"));
        let (old_amd64, alone) = (image(&[], "old amd64"), image(&[], "alone"));
        let kept = image(&["v1", "moving"], "v1");
        let top = index(storage, &name, Some("v2"), &[&amd64, &arm64]);
        let old = index(storage, &name, None, &[&old_amd64, &arm64]);
        let there = || -> BTreeSet<Digest> { storage.manifests(&name).into_iter().map(|manifest| manifest.digest).collect() };
        assert_eq!(there().len(), 7, "{kind}");

        let program = program(&fake, None);
        let planned = program.run(["prune", &format!("v/{repository}"), "--untagged", "--dry-run"]).succeeds();
        assert!(!planned.stderr.contains("lists no manifests"), "{kind}: {planned}");
        let plan = program.run(["prune", &format!("v/{repository}"), "--untagged", "--dry-run", "-o", "json"]).succeeds().json();
        let usage = program.run(["usage", &format!("v/{repository}"), "--by", "repository", "-o", "json"]).succeeds().json();
        assert!(plan["repositories"][0]["bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{plan}");
        assert_eq!(usage["items"][0]["reclaimable"], plan["repositories"][0]["bytes"], "{kind}");
        program.run(["prune", &format!("v/{repository}"), "--untagged", "--yes"]).succeeds();
        assert_eq!(there(), BTreeSet::from([amd64, arm64, kept, top]), "{kind}: {planned}");
        assert!(![old, old_amd64, alone].iter().any(|digest| there().contains(digest)));
    }
}

/// Nobody says where the vendor's API is, or it refuses: what is not listed is not deleted, and that is said.
#[test]
fn without_the_vendors_list_less_goes_and_that_is_told() {
    let nowhere = Fake { api: None, ..ionos::fake() };
    let refuses = Fake { api: Some("/nowhere"), ..ghcr::fake() };
    for fake in [nowhere, refuses] {
        let storage = fake.front.storage();
        let digest = put(storage, "acme/tools/web", &["moving"], "alone");
        put(storage, "acme/tools/web", &["moving"], "v1");
        let told = program(&fake, None).run(["prune", "v/acme/tools/web", "--untagged", "--yes"]).succeeds();
        told.says("manifests without a tag").says("only what tags, indexes and signatures lead to is found");
        assert!(storage.manifest(&"acme/tools/web".parse().unwrap(), &digest).is_some());
    }
}
