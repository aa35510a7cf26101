//! A registry with a cache beside it. Every question still goes to the server, except where an operation itself asks what is remembered.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::Cache;
use crate::oci::{Descriptor, Digest, RawManifest, Repository, Selector, Tag};
use crate::registry::{
    BlobStream, Capabilities, Facts, Locks, Ping, Referrers, Registry, Remembered, Result, Scanned, Support, TagEntry,
};

/// A registry with a cache beside it.
pub struct Remembering {
    registry: Arc<dyn Registry>,
    cache: Arc<Cache>,
}

impl Remembering {
    /// Puts a cache beside a registry.
    pub fn new(registry: Arc<dyn Registry>, cache: Arc<Cache>) -> Remembering {
        Remembering { registry, cache }
    }
}

#[async_trait]
impl Registry for Remembering {
    fn remembered(&self) -> Option<&dyn Remembered> {
        Some(&*self.cache)
    }

    fn name(&self) -> &str {
        self.registry.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.registry.capabilities()
    }

    fn counts_reads(&self) -> bool {
        self.registry.counts_reads()
    }

    fn concurrency(&self) -> usize {
        self.registry.concurrency()
    }

    async fn ping(&self) -> Result<Ping> {
        self.registry.ping().await
    }

    async fn facts(&self) -> Result<Facts> {
        self.registry.facts().await
    }

    fn repositories(&self) -> BoxStream<'_, Result<Vec<Repository>>> {
        self.registry.repositories()
    }

    fn tags(&self, repository: &Repository) -> BoxStream<'_, Result<Vec<TagEntry>>> {
        self.registry.tags(repository)
    }

    fn manifests(&self, repository: &Repository) -> Option<BoxStream<'_, Result<Vec<Digest>>>> {
        self.registry.manifests(repository)
    }

    async fn locks(&self, repository: &Repository, manifests: bool) -> Result<Locks> {
        self.registry.locks(repository, manifests).await
    }

    async fn head(&self, repository: &Repository, selector: &Selector) -> Result<Descriptor> {
        self.registry.head(repository, selector).await
    }

    async fn manifest(&self, repository: &Repository, selector: &Selector) -> Result<RawManifest> {
        self.registry.manifest(repository, selector).await
    }

    async fn put_manifest(&self, repository: &Repository, selector: &Selector, manifest: &RawManifest) -> Result<Digest> {
        self.registry.put_manifest(repository, selector, manifest).await
    }

    async fn delete_manifest(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        self.registry.delete_manifest(repository, digest).await
    }

    async fn untag(&self, repository: &Repository, tag: &Tag) -> Result<bool> {
        self.registry.untag(repository, tag).await
    }

    async fn probe_delete(&self, repository: &Repository) -> Result<Support> {
        self.registry.probe_delete(repository).await
    }

    async fn probe_untag(&self, repository: &Repository) -> Result<Support> {
        self.registry.probe_untag(repository).await
    }

    async fn delete_repository(&self, repository: &Repository) -> Result<bool> {
        self.registry.delete_repository(repository).await
    }

    async fn referrers(&self, repository: &Repository, subject: &Digest) -> Result<Referrers> {
        self.registry.referrers(repository, subject).await
    }

    async fn vulnerabilities(&self, repository: &Repository, digest: &Digest) -> Result<Scanned> {
        self.registry.vulnerabilities(repository, digest).await
    }

    async fn blob_size(&self, repository: &Repository, digest: &Digest) -> Result<u64> {
        self.registry.blob_size(repository, digest).await
    }

    async fn blob(&self, repository: &Repository, digest: &Digest) -> Result<BlobStream> {
        self.registry.blob(repository, digest).await
    }

    async fn put_blob(&self, repository: &Repository, content: Bytes) -> Result<Digest> {
        self.registry.put_blob(repository, content).await
    }

    async fn delete_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        self.registry.delete_blob(repository, digest).await
    }
}
