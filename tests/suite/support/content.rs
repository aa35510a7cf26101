//! Puts images on a server through its API, past the program.

use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::http::{client, wait};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The three parts of a small image.
pub struct Image {
    /// Not a real archive: nobody unpacks it.
    pub layer: Vec<u8>,
    pub config: Vec<u8>,
    pub manifest: Vec<u8>,
}

impl Image {
    /// An image whose parts all name `marker`, so that images with different markers share nothing.
    pub fn new(marker: &str, architecture: &str) -> Image {
        let layer = format!("layer of {marker}").into_bytes();
        let config = json!({
            "architecture": architecture, "os": "linux", "created": "2026-01-02T03:04:05Z",
            "config": {"Labels": {"marker": marker}},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": {"mediaType": CONFIG, "digest": digest(&config), "size": config.len()},
            "layers": [{"mediaType": LAYER, "digest": digest(&layer), "size": layer.len()}],
        });
        Image { manifest: manifest.to_string().into_bytes(), layer, config }
    }
}

/// One server, seen by someone who may push.
pub struct Pusher {
    client: Client,
    address: String,
    login: Option<(String, String)>,
}

impl Pusher {
    /// A server that is open to everyone.
    pub fn new(address: impl Into<String>) -> Pusher {
        Pusher { client: client(), address: address.into(), login: None }
    }

    /// A server with Basic login.
    pub fn with_login(address: impl Into<String>, username: &str, password: &str) -> Pusher {
        Pusher { login: Some((username.to_owned(), password.to_owned())), ..Pusher::new(address) }
    }

    /// Uses another client, such as one that trusts the test's authority.
    pub fn through(self, client: Client) -> Pusher {
        Pusher { client, ..self }
    }

    async fn send(&self, request: RequestBuilder) -> Response {
        let request = match &self.login {
            Some((username, password)) => request.basic_auth(username, Some(password)),
            None => request,
        };
        let response = request.send().await.expect("the server answers");
        assert!(response.status().is_success(), "{} {}", response.status(), response.url());
        response
    }

    async fn push_blob(&self, repository: &str, content: &[u8]) -> String {
        let digest = digest(content);
        let start = self.send(self.client.post(format!("{}/v2/{repository}/blobs/uploads/", self.address))).await;
        let location = start.headers().get(LOCATION).expect("an upload has an address").to_str().expect("ASCII");
        let mut target: Url = start.url().join(location).expect("an address");
        target.query_pairs_mut().append_pair("digest", &digest);
        self.send(self.client.put(target).header(CONTENT_TYPE, "application/octet-stream").body(content.to_vec())).await;
        digest
    }

    async fn push_manifest(&self, repository: &str, name: &str, media_type: &str, content: &[u8]) -> String {
        let url = format!("{}/v2/{repository}/manifests/{name}", self.address);
        self.send(self.client.put(url).header(CONTENT_TYPE, media_type).body(content.to_vec())).await;
        digest(content)
    }

    /// Pushes one image under several tags: a config that names `marker`, and a small layer. Gives its digest.
    pub fn image(&self, repository: &str, tags: &[&str], marker: &str) -> String {
        wait(async {
            let manifest = self.parts(repository, marker, "amd64").await;
            for tag in tags {
                self.push_manifest(repository, tag, IMAGE, &manifest).await;
            }
            digest(&manifest)
        })
    }

    /// Pushes an index of one image per architecture under a tag. Gives the index's digest and those of the images.
    pub fn index(&self, repository: &str, tag: &str, architectures: &[&str]) -> (String, Vec<String>) {
        wait(async {
            let mut children = Vec::new();
            let mut descriptors = Vec::new();
            for architecture in architectures {
                let manifest = self.parts(repository, tag, architecture).await;
                let child = self.push_manifest(repository, &digest(&manifest), IMAGE, &manifest).await;
                descriptors.push(json!({
                    "mediaType": IMAGE, "digest": child, "size": manifest.len(),
                    "platform": {"os": "linux", "architecture": architecture},
                }));
                children.push(child);
            }
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": descriptors}).to_string().into_bytes();
            (self.push_manifest(repository, tag, INDEX, &index).await, children)
        })
    }

    /// Pushes a document behind the tag where cosign keeps attestations of an image.
    pub fn attest(&self, repository: &str, image: &str, media_type: &str, document: &[u8]) {
        wait(async {
            let (layer, config) = (self.push_blob(repository, document).await, self.push_blob(repository, b"{}").await);
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": IMAGE,
                "config": {"mediaType": CONFIG, "digest": config, "size": 2},
                "layers": [{"mediaType": media_type, "digest": layer, "size": document.len()}],
            });
            let tag = format!("{}.att", image.replace(':', "-"));
            self.push_manifest(repository, &tag, IMAGE, manifest.to_string().as_bytes()).await;
        });
    }

    /// Pushes config and layer, and gives the manifest that names them.
    async fn parts(&self, repository: &str, marker: &str, architecture: &str) -> Vec<u8> {
        let image = Image::new(marker, architecture);
        self.push_blob(repository, &image.layer).await;
        self.push_blob(repository, &image.config).await;
        image.manifest
    }

    /// What the server says a tag points at; `None` when there is no such tag.
    pub fn digest_of(&self, repository: &str, tag: &str) -> Option<String> {
        wait(async {
            let request = self.client.head(format!("{}/v2/{repository}/manifests/{tag}", self.address));
            let request = request.header("Accept", format!("{IMAGE}, {INDEX}"));
            let request = match &self.login {
                Some((username, password)) => request.basic_auth(username, Some(password)),
                None => request,
            };
            let response = request.send().await.expect("the server answers");
            let header = response.headers().get("docker-content-digest")?;
            response.status().is_success().then(|| header.to_str().expect("ASCII").to_owned())
        })
    }

    /// The tags of a repository, sorted.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        wait(async {
            let response = self.send(self.client.get(format!("{}/v2/{repository}/tags/list", self.address))).await;
            let list: Value = serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON");
            // docker-registry says `null` when the last tag has gone.
            let mut tags: Vec<String> = serde_json::from_value(list["tags"].clone()).unwrap_or_default();
            tags.sort();
            tags
        })
    }
}

/// The digest of some bytes, as it is written.
pub fn digest(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
