//! The v2 API (OCI distribution-spec 1.1, Docker registry v2): one file for each family of endpoints.
//!
//! [`V2`] is any server that speaks it. What differs from server to server is data, [`Quirks`], set by whoever knows the vendor, and
//! what a server turned out to support is learnt once for the run.

mod blobs;
mod errcode;
mod manifests;
mod ping;
mod quirks;
mod rate_limit;
mod referrers;
mod repositories;
mod schema1;
mod tags;
mod uploads;

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::oci::{Descriptor, Digest, RawManifest, Repository, Selector, Tag};
use crate::registry::{BlobStream, Capabilities, Error, ErrorKind, Ping, Referrers, Registry, Result, Support, TagEntry};
use crate::transport::{Answer, Client, Scope};

pub use errcode::{ServerError, clean, error};
pub use quirks::Quirks;
pub use rate_limit::rate_limit;

/// How long a list may take to begin: registries on object storage walk all of it first (distribution#3678).
const LIST_PATIENCE: Duration = Duration::from_secs(120);
/// How long a deletion or an upload may take: deleting by digest walks all tags of the repository.
const WRITE_PATIENCE: Duration = Duration::from_secs(300);

/// A registry that speaks the v2 API.
pub struct V2 {
    client: Client,
    name: String,
    quirks: Quirks,
    untag: Learnt,
    delete: Learnt,
    referrers: Learnt,
    list: Learnt,
    head: Learnt,
}

impl V2 {
    /// A registry reached by `client` and called `name`. Does nothing yet.
    pub fn new(client: Client, name: String, quirks: Quirks) -> V2 {
        V2 {
            untag: Learnt::new(quirks.untag),
            delete: Learnt::new(quirks.delete),
            referrers: Learnt::new(quirks.referrers),
            list: Learnt::new(quirks.list),
            head: Learnt::new(Support::Unknown),
            client,
            name,
            quirks,
        }
    }

    /// The client beneath, for what only a vendor's own API can do.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// `name/repository` with what follows, for errors.
    pub fn subject(&self, repository: &Repository, rest: &str) -> String {
        format!("{}/{repository}{rest}", self.name)
    }

    /// `name/repository:tag` or `name/repository@digest`, for errors.
    fn subject_of(&self, repository: &Repository, selector: &Selector) -> String {
        match selector {
            Selector::Tag(tag) => format!("{}/{repository}:{tag}", self.name),
            Selector::Digest(digest) => format!("{}/{repository}@{digest}", self.name),
        }
    }

    fn pull(repository: &Repository) -> Scope {
        Scope::repository(repository.as_str(), &["pull"])
    }

    fn push(repository: &Repository) -> Scope {
        Scope::repository(repository.as_str(), &["pull", "push"])
    }

    fn delete_scope(&self, repository: &Repository) -> Scope {
        Scope::repository(repository.as_str(), self.quirks.delete_actions)
    }
}

/// What a server was found to support.
struct Learnt(AtomicU8);

const LADDER: [Support; 5] = [Support::Unknown, Support::Native, Support::Api, Support::Emulated, Support::Unsupported];

impl Learnt {
    fn new(support: Support) -> Learnt {
        let learnt = Learnt(AtomicU8::new(0));
        learnt.is(support);
        learnt
    }

    fn get(&self) -> Support {
        LADDER[usize::from(self.0.load(Ordering::Relaxed))]
    }

    fn is(&self, support: Support) {
        let position = LADDER.iter().position(|known| *known == support).unwrap_or(0);
        self.0.store(position as u8, Ordering::Relaxed);
    }
}

#[async_trait]
impl Registry for V2 {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            list: self.list.get(),
            untag: self.untag.get(),
            delete: self.delete.get(),
            delete_repository: Support::Unsupported,
            referrers: self.referrers.get(),
        }
    }

    fn concurrency(&self) -> usize {
        self.client.concurrency()
    }

    async fn ping(&self) -> Result<Ping> {
        ping::ping(self).await
    }

    fn repositories(&self) -> BoxStream<'_, Result<Vec<Repository>>> {
        repositories::list(self)
    }

    fn tags(&self, repository: &Repository) -> BoxStream<'_, Result<Vec<TagEntry>>> {
        tags::list(self, repository)
    }

    async fn head(&self, repository: &Repository, selector: &Selector) -> Result<Descriptor> {
        manifests::head(self, repository, selector).await
    }

    async fn manifest(&self, repository: &Repository, selector: &Selector) -> Result<RawManifest> {
        manifests::get(self, repository, selector).await
    }

    async fn put_manifest(&self, repository: &Repository, selector: &Selector, manifest: &RawManifest) -> Result<Digest> {
        manifests::put(self, repository, selector, manifest).await
    }

    async fn delete_manifest(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        manifests::delete(self, repository, digest).await
    }

    async fn untag(&self, repository: &Repository, tag: &Tag) -> Result<bool> {
        tags::untag(self, repository, tag).await
    }

    async fn probe_delete(&self, repository: &Repository) -> Result<Support> {
        manifests::probe_delete(self, repository).await
    }

    async fn probe_untag(&self, repository: &Repository) -> Result<Support> {
        tags::probe_untag(self, repository).await
    }

    async fn delete_repository(&self, repository: &Repository) -> Result<bool> {
        Err(repositories::no_delete(self, repository))
    }

    async fn referrers(&self, repository: &Repository, subject: &Digest) -> Result<Referrers> {
        referrers::list(self, repository, subject).await
    }

    async fn blob_size(&self, repository: &Repository, digest: &Digest) -> Result<u64> {
        blobs::size(self, repository, digest).await
    }

    async fn blob(&self, repository: &Repository, digest: &Digest) -> Result<BlobStream> {
        blobs::get(self, repository, digest).await
    }

    async fn put_blob(&self, repository: &Repository, content: Bytes) -> Result<Digest> {
        uploads::put(self, repository, content).await
    }

    async fn delete_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        blobs::delete(self, repository, digest).await
    }
}

/// Reads a JSON object; anything else is not what the specification says.
fn object<T: serde::de::DeserializeOwned>(answer: &Answer, operation: &'static str, subject: &str) -> Result<T> {
    // a list of values would be read as the fields of the object that should be there
    let is_object = answer.body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let read = if is_object { serde_json::from_slice(&answer.body) } else { Err(serde::de::Error::custom("it is no object")) };
    read.map_err(|why| not_json(answer, operation, subject, why))
}

/// Reads a vendor's JSON answer.
///
/// # Errors
/// [`ErrorKind::Protocol`] when it isn't JSON, or not of this shape.
pub fn json<T: serde::de::DeserializeOwned>(answer: &Answer, operation: &'static str, subject: &str) -> Result<T> {
    serde_json::from_slice(&answer.body).map_err(|why| not_json(answer, operation, subject, why))
}

fn not_json(answer: &Answer, operation: &'static str, subject: &str, why: serde_json::Error) -> Error {
    let what = if answer.media_type() == "text/html" { "a web page" } else { "something that is not the JSON it should be" };
    Error::new(ErrorKind::Protocol, operation, subject)
        .answered(answer.status.as_u16(), None)
        .because(format!("it answered with {what}"))
        .caused_by(why)
}
