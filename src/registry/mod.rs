//! What every registry can be asked, whoever built it: the one interface that operations see.
//!
//! The trait is a floor: each method is one thing that a server does or refuses. What can be composed from them lives in `operations`.
//! A method never does more than its name says: [`Registry::untag`] either takes away one tag and nothing else, or fails with
//! [`ErrorKind::Unsupported`].

mod capability;
mod error;
mod facts;
mod kind;
mod lock;
pub mod vulnerability;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use serde::Serialize;

use crate::oci::{Descriptor, Digest, RawManifest, Repository, Selector, Tag};

pub use capability::{Capabilities, Support};
pub use error::{Error, ErrorKind, Result};
pub use facts::{Fact, Facts, GarbageCollection, Retention, Storage};
pub use kind::Kind;
pub use lock::{Hold, Lock, Locks};
pub use vulnerability::{Scanned, Severity, Vulnerability, VulnerabilityReport};

/// A tag as listed. Vendors that tell more than the name fill the rest in; plain v2 servers don't.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagEntry {
    /// The name as the server wrote it: usually a valid [`Tag`], but a hostile or odd server may send anything.
    pub name: String,
    /// What it points at, where the listing says so.
    pub digest: Option<Digest>,
    /// Media type of its manifest, where the listing says so.
    pub media_type: Option<String>,
    /// `os/arch[/variant]` of its images, where the listing says so.
    pub platforms: Option<Vec<String>>,
    /// Bytes of the image, where the listing says so.
    pub size: Option<u64>,
    /// When it was pushed, where the listing says so.
    pub pushed_at: Option<Timestamp>,
    /// When it was last pulled, where the listing says so.
    pub pulled_at: Option<Timestamp>,
    /// Whether it is locked, where the listing says so.
    pub lock: Option<Lock>,
}

impl TagEntry {
    /// An entry of which only the name is known.
    pub fn named(name: impl Into<String>) -> TagEntry {
        TagEntry {
            name: name.into(),
            digest: None,
            media_type: None,
            platforms: None,
            size: None,
            pushed_at: None,
            pulled_at: None,
            lock: None,
        }
    }
}

/// What a server says of itself when it is first asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ping {
    /// Product and version where the server says them, such as `Harbor 2.12`.
    pub version: Option<String>,
    /// How it wants to be signed in to: `none`, `basic`, `bearer`.
    pub auth: String,
    /// Whether this run's credential was accepted; `None` when none was sent.
    pub signed_in: Option<bool>,
    /// The server's clock minus ours in seconds, from the `Date` header.
    pub clock_offset: Option<i64>,
    /// How often it may be asked, where it says so.
    pub rate_limit: Option<RateLimit>,
}

/// Requests in a span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateLimit {
    /// How many are allowed.
    pub limit: Option<u64>,
    /// How many are left.
    pub remaining: Option<u64>,
    /// The span in seconds.
    pub window_seconds: Option<u64>,
}

/// How a list of referrers came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Referrers {
    /// What is attached.
    pub items: Vec<Descriptor>,
    /// Whether the server's referrers API answered (else the `sha256-…` fallback tag did).
    pub native: bool,
}

/// Content with its size, to be read piece by piece.
pub struct BlobStream {
    /// Bytes in all, where the server says so.
    pub size: Option<u64>,
    /// The content. The last item is an error of kind [`ErrorKind::Corrupt`] when the digest doesn't fit.
    pub content: BoxStream<'static, Result<Bytes>>,
}

/// What was read by digest before, in this run or another. What is found was checked against its digest, so it is what the server would
/// say, or would have said while it still had it: who wants to know whether something is there asks the server.
pub trait Remembered: Send + Sync {
    /// A manifest.
    fn manifest(&self, digest: &Digest) -> Option<RawManifest>;

    /// Remembers a manifest. That it can't is no failure.
    fn keep_manifest(&self, manifest: &RawManifest);

    /// A small blob, such as an image's config.
    fn blob(&self, digest: &Digest) -> Option<Bytes>;

    /// Remembers a small blob. That it can't is no failure.
    fn keep_blob(&self, digest: &Digest, content: &[u8]);

    /// Whether the manifests of a place, such as a repository, were gone through before, so that most of them are likely to be remembered.
    fn been_to(&self, place: &str) -> bool;

    /// Says that they are gone through now.
    fn goes_to(&self, place: &str);
}

/// One registry. Every method names the repository in full, as it is on the server.
#[async_trait]
pub trait Registry: Send + Sync {
    /// What people call it: the catalogue name, or the host of an ad-hoc one. Stands first in printed references.
    fn name(&self) -> &str;

    /// What it can do, as far as is known without asking.
    fn capabilities(&self) -> Capabilities;

    /// Whether each manifest that is read counts against a limit of the person's, so that what lists tell has to do where it can.
    fn counts_reads(&self) -> bool {
        false
    }

    /// How many requests at once this registry should see right now.
    fn concurrency(&self) -> usize;

    /// Where content that is named by its digest may be found without asking; `None` where every answer has to be the server's own.
    fn remembered(&self) -> Option<&dyn Remembered> {
        None
    }

    /// Asks whether it is a registry, and signs in.
    async fn ping(&self) -> Result<Ping>;

    /// What the vendor says of the registry beside what is in it. What this credential may not ask is a fact, not an error.
    async fn facts(&self) -> Result<Facts> {
        Ok(Facts::default())
    }

    /// The repositories, page after page in the server's order.
    fn repositories(&self) -> BoxStream<'_, Result<Vec<Repository>>>;

    /// The tags of a repository, page after page in the server's order. A repository without tags gives no item or an empty one; one
    /// that the server doesn't know is [`ErrorKind::NotFound`].
    fn tags(&self, repository: &Repository) -> BoxStream<'_, Result<Vec<TagEntry>>>;

    /// The manifests of a repository, tagged or not, page after page; those that an index lists may be left to the index. `None` where the
    /// server has no list of them, as `/v2/` alone hasn't.
    fn manifests(&self, _repository: &Repository) -> Option<BoxStream<'_, Result<Vec<Digest>>>> {
        None
    }

    /// What is locked in a repository beside what its list of tags says; single manifests only if they are asked for, because that is a
    /// list of its own. Who may not ask is told nothing: the server refuses anyway what it holds on to.
    async fn locks(&self, _repository: &Repository, _manifests: bool) -> Result<Locks> {
        Ok(Locks::default())
    }

    /// The descriptor of a manifest, without its content where the server allows.
    async fn head(&self, repository: &Repository, selector: &Selector) -> Result<Descriptor>;

    /// A manifest, verified against the digest in `selector` or in the server's header.
    async fn manifest(&self, repository: &Repository, selector: &Selector) -> Result<RawManifest>;

    /// Stores a manifest under a tag or its digest; gives the digest that the server confirmed.
    async fn put_manifest(&self, repository: &Repository, selector: &Selector, manifest: &RawManifest) -> Result<Digest>;

    /// Deletes a manifest by digest, with every tag that points at it on most servers. Already gone is `Ok(false)`.
    async fn delete_manifest(&self, repository: &Repository, digest: &Digest) -> Result<bool>;

    /// Takes one tag away and nothing else. Already gone is `Ok(false)`; a server that can't is [`ErrorKind::Unsupported`].
    async fn untag(&self, repository: &Repository, tag: &Tag) -> Result<bool>;

    /// Whether deleting by digest is switched on, found out without deleting anything: by asking for the deletion of a random digest
    /// that can't be there.
    async fn probe_delete(&self, repository: &Repository) -> Result<Support>;

    /// Whether one tag can be taken away and nothing else, found out without deleting anything: by asking for a random tag that can't be
    /// there. What can't be told from that is [`Support::Unknown`].
    async fn probe_untag(&self, _repository: &Repository) -> Result<Support> {
        Ok(self.capabilities().untag)
    }

    /// Deletes a whole repository by the vendor's own call. [`ErrorKind::Unsupported`] where there is none.
    async fn delete_repository(&self, repository: &Repository) -> Result<bool>;

    /// What is attached to a manifest.
    async fn referrers(&self, repository: &Repository, subject: &Digest) -> Result<Referrers>;

    /// What the registry's own scanner found in an image. The digest is that of an image or an index.
    async fn vulnerabilities(&self, _repository: &Repository, _digest: &Digest) -> Result<Scanned> {
        Ok(Scanned::Nothing("this kind of registry has no scanner that regctl can ask".into()))
    }

    /// The size of a blob in bytes.
    async fn blob_size(&self, repository: &Repository, digest: &Digest) -> Result<u64>;

    /// A blob's content, verified while it is read.
    async fn blob(&self, repository: &Repository, digest: &Digest) -> Result<BlobStream>;

    /// Stores a small blob (a config, an empty layer) in one piece.
    async fn put_blob(&self, repository: &Repository, content: Bytes) -> Result<Digest>;

    /// Deletes a blob. Already gone is `Ok(false)`.
    async fn delete_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool>;
}
