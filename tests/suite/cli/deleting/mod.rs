//! Deleting and putting back, against the embedded registry in all its moods and against the real docker-registry. Tests that keep an
//! accident of users from happening here are named after its report.

mod accidents;
mod killed;
mod manifests;
mod pruning;
mod tags;
mod undoing;
mod verifying;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use regctl::oci::{Digest, RawManifest, Repository, Tag, media_type};
use regctl::serve::{Behaviour, Running, Settings, Storage};
use serde_json::{Value, json};

use crate::support::program::{Finished, Program};

/// A server with a repository `app`, known to a program as `lab`.
struct Lab {
    server: Running,
    program: Program,
    repository: Repository,
    made: RefCell<BTreeSet<Digest>>,
}

/// All that a repository holds.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Holdings {
    tags: BTreeMap<String, Digest>,
    manifests: BTreeMap<Digest, RawManifest>,
}

impl Lab {
    fn new(behaviour: Behaviour) -> Lab {
        let server = Running::start(Settings { behaviour, ..Settings::new(Storage::memory()) }).expect("a free port");
        let program = Program::new();
        program.write_catalogue(&format!("default = \"lab\"\n[registry.lab]\naddress = \"{}\"\n", server.url()));
        Lab { server, program, repository: "app".parse().expect("a name"), made: RefCell::default() }
    }

    fn honest() -> Lab {
        Lab::new(Behaviour::default())
    }

    /// Like most people's registry: tags can't be deleted alone, and there is no referrers API.
    fn like_2_8() -> Lab {
        Lab::new(Behaviour::distribution_2_8())
    }

    fn run(&self, line: &str) -> Finished {
        self.program.run(line.split(' '))
    }

    fn blob(&self, kind: &str, content: &str) -> Value {
        let digest = Digest::sha256(content.as_bytes());
        let bytes = Bytes::copy_from_slice(content.as_bytes());
        self.server.storage().put_blob(&self.repository, &digest, bytes).expect("memory");
        json!({ "mediaType": kind, "digest": digest, "size": content.len() })
    }

    fn put(&self, tags: &[&str], kind: &str, document: &Value) -> Digest {
        let manifest = RawManifest::new(kind, document.to_string());
        let digest = manifest.digest.clone();
        self.server.storage().put_manifest(&self.repository, manifest.clone(), None).expect("memory");
        for tag in tags {
            let tag: Tag = tag.parse().expect("a tag");
            self.server.storage().put_manifest(&self.repository, manifest.clone(), Some(&tag)).expect("memory");
        }
        self.made.borrow_mut().insert(digest.clone());
        digest
    }

    /// An image that shares nothing with those of other names.
    fn image(&self, tags: &[&str], name: &str) -> Digest {
        let config = format!(r#"{{"architecture":"amd64","os":"linux","created":"2026-01-02T03:04:05Z","author":"{name}"}}"#);
        let document = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": self.blob(media_type::OCI_CONFIG, &config),
            "layers": [self.blob(media_type::OCI_LAYER_GZIP, &format!("layer of {name}"))],
        });
        self.put(tags, media_type::OCI_MANIFEST, &document)
    }

    fn index(&self, tags: &[&str], children: &[&Digest]) -> Digest {
        let listed = |digest: &&Digest| {
            let child = self.server.storage().manifest(&self.repository, digest);
            let (kind, size) =
                child.map_or((media_type::OCI_MANIFEST.to_owned(), 1), |child| (child.media_type, child.bytes.len()));
            json!({ "mediaType": kind, "digest": digest, "size": size, "platform": {"os": "linux", "architecture": "amd64"} })
        };
        let manifests: Vec<Value> = children.iter().map(listed).collect();
        let document = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": manifests });
        self.put(tags, media_type::OCI_INDEX, &document)
    }

    /// Something attached to a manifest, as `oras attach` does it.
    fn attach(&self, tags: &[&str], subject: &Digest, kind: &str) -> Digest {
        let document = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "artifactType": kind,
            "config": self.blob(media_type::OCI_EMPTY, "{}"),
            "layers": [self.blob("text/plain", &format!("{kind} of {subject}"))],
            "subject": { "mediaType": media_type::OCI_MANIFEST, "digest": subject, "size": 1 },
        });
        self.put(tags, media_type::OCI_MANIFEST, &document)
    }

    /// What a tag points at now.
    fn tag(&self, tag: &str) -> Option<Digest> {
        self.server.storage().resolve(&self.repository, &tag.parse().expect("a tag"))
    }

    fn has(&self, digest: &Digest) -> bool {
        self.server.storage().manifest(&self.repository, digest).is_some()
    }

    /// The tags that are there now.
    fn tags(&self) -> Vec<String> {
        self.holdings().tags.into_keys().collect()
    }

    /// All that is there now, of what this test made.
    fn holdings(&self) -> Holdings {
        let storage = self.server.storage();
        let tags = storage.tags(&self.repository).unwrap_or_default();
        let resolved = tags.iter().filter_map(|tag| Some((tag.to_string(), storage.resolve(&self.repository, tag)?)));
        let made = self.made.borrow();
        let there = made.iter().filter_map(|digest| Some((digest.clone(), storage.manifest(&self.repository, digest)?)));
        Holdings { tags: resolved.collect(), manifests: there.collect() }
    }

    /// How often a method was used since the start or the last `forget`.
    fn count(&self, method: &str) -> usize {
        self.server.requests().iter().filter(|request| request.method == method).count()
    }

    /// The names of the runs that are kept, youngest first.
    fn runs(&self) -> Vec<String> {
        self.run("history -q").succeeds().stdout.lines().map(str::to_owned).collect()
    }
}
