//! How many bytes things take: each counted once, and what is shared told apart.

use regctl::oci::{Digest, RawManifest, Repository, media_type};
use regctl::serve::{Behaviour, Running, Settings, Storage};
use serde_json::json;

use crate::support::program::Program;

const BASE: u64 = 10_000;

fn blob(storage: &Storage, repository: &Repository, name: &str, size: u64) -> serde_json::Value {
    let content = name.to_owned() + &".".repeat(usize::try_from(size).unwrap() - name.len());
    let digest = Digest::sha256(content.as_bytes());
    storage.put_blob(repository, &digest, content.clone().into()).unwrap();
    json!({ "mediaType": media_type::OCI_LAYER_GZIP, "digest": digest, "size": content.len() })
}

/// An image of a base that all have and a layer that only it has.
fn image(storage: &Storage, repository: &str, tags: &[&str], name: &str, size: u64) -> u64 {
    let repository: Repository = repository.parse().unwrap();
    let mut config = blob(storage, &repository, &format!("config of {name}"), 100);
    config["mediaType"] = media_type::OCI_CONFIG.into();
    let layers = [blob(storage, &repository, "base", BASE), blob(storage, &repository, name, size)];
    let document =
        json!({ "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": layers }).to_string();
    let own = 100 + size + document.len() as u64;
    let manifest = RawManifest::new(media_type::OCI_MANIFEST, document);
    for tag in tags {
        storage.put_manifest(&repository, manifest.clone(), Some(&tag.parse().unwrap())).unwrap();
    }
    own
}

fn lab(behaviour: Behaviour) -> (Running, Program) {
    let server = Running::start(Settings { behaviour, ..Settings::new(Storage::memory()) }).expect("a free port");
    let program = Program::new();
    program.write_catalogue(&format!("default = \"lab\"\n[registry.lab]\naddress = \"{}\"\n", server.url()));
    (server, program)
}

/// Two tags on one image are one image, and a base that all have belongs to none of them (docker-registry-ui#195 and others).
#[test]
fn of_the_images_of_a_repository() {
    let (server, program) = lab(Behaviour::default());
    let small = image(server.storage(), "app", &["v1", "stable"], "small", 2_000);
    let large = image(server.storage(), "app", &["v2"], "large", 3_000);
    let shown = program.run(["usage", "app", "-o", "json"]).succeeds().json();
    let row = |at: usize| {
        let item = &shown["items"][at];
        (item["tags"].clone(), item["size"].as_u64(), item["unique"].as_u64(), item["shared"].as_u64())
    };
    assert_eq!(row(0), (json!(["v2"]), Some(BASE + large), Some(large), Some(BASE)));
    assert_eq!(row(1), (json!(["stable", "v1"]), Some(BASE + small), Some(small), Some(BASE)));
    assert_eq!(program.run(["usage", "app", "--top", "1", "-q"]).succeeds().stdout.lines().count(), 1);
    insta::assert_snapshot!(program.run(["du", "app"]).succeeds(), @r"
    $ regctl du app
    TAGS       DIGEST           SIZE  UNIQUE   SHARED
    v2         11ea439e2e33  13.7 kB  3.7 kB  10.0 kB
    stable v1  ace7ec9e6d20  12.7 kB  2.7 kB  10.0 kB
    │ lab lists no manifests without a tag: what only those refer to is not counted
    ");
    // alone, nothing of it is shared
    let whole = program.run(["usage", "app", "--by", "repository", "-o", "json"]).succeeds().json();
    assert_eq!(whole["items"][0]["unique"].as_u64(), Some(BASE + large + small));
}

#[test]
fn of_the_repositories_of_a_registry() {
    let (server, program) = lab(Behaviour { broken_repository: Some("broken".into()), ..Behaviour::default() });
    let app = image(server.storage(), "app", &["v1"], "app", 2_000);
    image(server.storage(), "web", &["v1"], "web", 3_000);
    let partly = program.run(["usage", "lab"]).succeeds();
    insta::assert_snapshot!(partly, @r"
    $ regctl usage lab
    REPOSITORY  TAGS  MANIFESTS     SIZE  UNIQUE   SHARED  RECLAIMABLE
    lab/web        1          1  13.7 kB  3.7 kB  10.0 kB            –
    lab/app        1          1  12.7 kB  2.7 kB  10.0 kB            –
    │ lab lists no manifests without a tag: what only those refer to is not counted
    ");
    image(server.storage(), "broken", &["v1"], "broken", 4_000);
    let partly = program.run(["usage", "lab", "-o", "json"]).exits(9).says("lab/broken").json();
    assert_eq!(partly["failed"].as_array().unwrap().len(), 1);
    assert_eq!(partly["items"][1]["repository"], "lab/app");
    assert_eq!((partly["items"][1]["unique"].as_u64(), partly["items"][1]["shared"].as_u64()), (Some(app), Some(BASE)));
    program.run(["usage", "broken"]).fails(6);
    program.run(["usage", "nowhere"]).fails(3);
}

/// A signature with a tag leads to what it signs, also when that has none.
#[test]
fn what_a_tagged_referrer_is_attached_to_is_not_reclaimable() {
    let (server, program) = lab(Behaviour::default());
    let repository: Repository = "app".parse().unwrap();
    image(server.storage(), "app", &["moving"], "signed", 2_000);
    let signed = server.storage().resolve(&repository, &"moving".parse().unwrap()).unwrap();
    let kept = image(server.storage(), "app", &["moving"], "kept", 2_000);
    let signature = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "layers": [],
        "config": blob(server.storage(), &repository, "config", 100),
        "subject": { "mediaType": media_type::OCI_MANIFEST, "digest": signed, "size": 1 },
    });
    let signature = RawManifest::new(media_type::OCI_MANIFEST, signature.to_string());
    server.storage().put_manifest(&repository, signature, Some(&"signature".parse().unwrap())).unwrap();
    let rows = program.run(["usage", "lab", "-o", "json"]).succeeds().json();
    let row = &rows["items"][0];
    assert_eq!((row["manifests"].as_u64(), row["reclaimable"].as_u64()), (Some(3), None), "{row}");
    assert!(row["size"].as_u64().unwrap() > BASE + kept + 2_000, "{row}");
}
