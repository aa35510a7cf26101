//! A vendor's registry: its own API where that is better, `/v2/` for the rest.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;

use super::provider::{Pages, Provider};
use crate::distribution::V2;
use crate::oci::{Descriptor, Digest, RawManifest, Repository, Selector, Tag};
use crate::registry::{
    BlobStream, Capabilities, Error, ErrorKind, Facts, Locks, Ping, Referrers, Registry, Result, Scanned, Support, TagEntry,
};

/// A v2 registry with its vendor's ways.
pub(super) struct Remote {
    v2: V2,
    provider: Box<dyn Provider>,
}

impl Remote {
    pub fn new(v2: V2, provider: Box<dyn Provider>) -> Remote {
        Remote { v2, provider }
    }

    fn judged<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| self.provider.judge(error))
    }

    /// The tags on a digest. Lists of vendors may be a while behind, and these tags are going to be taken away, so each is looked at.
    async fn tags_on(&self, repository: &Repository, digest: &Digest) -> Result<Vec<Tag>> {
        let entries: Vec<Vec<TagEntry>> = self.tags(repository).try_collect().await?;
        let mut found = Vec::new();
        for entry in entries.into_iter().flatten().filter(|entry| entry.digest.as_ref().is_none_or(|on| on == digest)) {
            let Ok(tag) = entry.name.parse::<Tag>() else { continue };
            match self.v2.head(repository, &tag.clone().into()).await {
                Ok(head) if head.digest == *digest => found.push(tag),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// "It isn't there", said by a vendor's API of something that `/v2/` has: such APIs answer so to those who may not see it.
    fn hidden(&self, operation: &'static str, subject: String) -> Error {
        Error::new(ErrorKind::Denied, operation, subject).because(
            "the vendor's own API says that it isn't there, and the registry has it: this credential may not see it, or `api_address` is wrong",
        )
    }
}

/// The pages of the vendor's API; those of `/v2/` instead, if the API doesn't take the credential or wants one. When neither lists, the
/// vendor's refusal is what is told, because its remedy is better; unless `/v2/` knows that there is no such thing.
fn or_v2<'a, T: Send + 'a>(remote: &'a Remote, vendors: Pages<'a, T>, v2: Pages<'a, T>) -> Pages<'a, T> {
    Box::pin(async_stream::try_stream! {
        let mut first = true;
        let mut refusal = None;
        for await page in vendors {
            match page {
                Ok(page) => {
                    first = false;
                    yield page;
                }
                Err(error) if first && is_about_who_asks(error.kind()) => {
                    refusal = Some(error);
                    break;
                }
                Err(error) => Err(remote.provider.judge(error))?,
            }
        }
        if let Some(refusal) = refusal {
            tracing::debug!("{refusal}; asking /v2/ instead");
            let mut refusal = Some(refusal);
            for await page in v2 {
                match (page, refusal.take()) {
                    (Ok(page), _) => yield page,
                    (Err(error), Some(refusal)) if error.kind() != ErrorKind::NotFound && is_about_who_asks(error.kind()) => {
                        tracing::debug!("{error}");
                        Err(remote.provider.judge(refusal))?;
                    }
                    (Err(error), _) => Err(error)?,
                }
            }
        }
    })
}

/// Whether another way of asking may have an answer. "Not found" is what GitHub and GitLab say to those who may not see it.
fn is_about_who_asks(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unsupported
            | ErrorKind::Denied
            | ErrorKind::CredentialRefused
            | ErrorKind::CredentialMissing
            | ErrorKind::NotFound
    )
}

/// Whether a server that answers has nothing to say, at least to this credential.
fn is_no_answer(kind: ErrorKind) -> bool {
    is_about_who_asks(kind) || matches!(kind, ErrorKind::Protocol | ErrorKind::Invalid | ErrorKind::Conflict)
}

#[async_trait]
impl Registry for Remote {
    fn name(&self) -> &str {
        self.v2.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.provider.capabilities(self.v2.capabilities())
    }

    fn counts_reads(&self) -> bool {
        self.provider.counts_reads()
    }

    fn concurrency(&self) -> usize {
        self.v2.concurrency()
    }

    async fn ping(&self) -> Result<Ping> {
        self.provider.ping(&self.v2).await
    }

    async fn facts(&self) -> Result<Facts> {
        self.provider.facts(&self.v2).await
    }

    fn repositories(&self) -> BoxStream<'_, Result<Vec<Repository>>> {
        match self.capabilities().list {
            Support::Api | Support::Emulated => or_v2(self, self.provider.repositories(&self.v2), self.v2.repositories()),
            _ => Box::pin(self.provider.repositories(&self.v2).map_err(|error| self.provider.judge(error))),
        }
    }

    fn tags(&self, repository: &Repository) -> BoxStream<'_, Result<Vec<TagEntry>>> {
        match self.provider.tags(&self.v2, repository) {
            Some(pages) => or_v2(self, pages, self.v2.tags(repository)),
            None => self.v2.tags(repository),
        }
    }

    fn manifests(&self, repository: &Repository) -> Option<BoxStream<'_, Result<Vec<Digest>>>> {
        let pages = self.provider.manifests(&self.v2, repository)?;
        Some(Box::pin(pages.map_err(|error| self.provider.judge(error))))
    }

    async fn locks(&self, repository: &Repository, manifests: bool) -> Result<Locks> {
        match self.provider.locks(&self.v2, repository, manifests).await {
            Err(error) if is_no_answer(error.kind()) => {
                tracing::debug!("{error}; what is locked stays unknown");
                Ok(Locks::default())
            }
            other => other,
        }
    }

    async fn head(&self, repository: &Repository, selector: &Selector) -> Result<Descriptor> {
        self.v2.head(repository, selector).await
    }

    async fn manifest(&self, repository: &Repository, selector: &Selector) -> Result<RawManifest> {
        self.v2.manifest(repository, selector).await
    }

    async fn put_manifest(&self, repository: &Repository, selector: &Selector, manifest: &RawManifest) -> Result<Digest> {
        self.judged(self.v2.put_manifest(repository, selector, manifest).await)
    }

    async fn delete_manifest(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        let mut untagged = false;
        if self.provider.wants_tags_gone_first() {
            let tags = match self.tags_on(repository, digest).await {
                Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
                other => other?,
            };
            for tag in tags {
                untagged |= self.untag(repository, &tag).await?;
            }
        }
        let gone = self.judged(self.provider.delete_manifest(&self.v2, repository, digest).await)?;
        if !gone && !untagged && self.capabilities().delete == Support::Api {
            match self.v2.head(repository, &digest.clone().into()).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
                Ok(_) => {
                    return Err(self.provider.judge(self.hidden("delete", self.v2.subject(repository, &format!("@{digest}")))));
                }
            }
        }
        // Some servers drop a manifest with its last tag.
        Ok(gone || untagged)
    }

    async fn untag(&self, repository: &Repository, tag: &Tag) -> Result<bool> {
        let gone = self.judged(self.provider.untag(&self.v2, repository, tag).await)?;
        if !gone && self.capabilities().untag == Support::Api {
            match self.v2.head(repository, &tag.clone().into()).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
                Ok(_) => {
                    return Err(self
                        .provider
                        .judge(self.hidden("remove the tag", self.v2.subject(repository, &format!(":{tag}")))));
                }
            }
        }
        Ok(gone)
    }

    async fn probe_delete(&self, repository: &Repository) -> Result<Support> {
        match self.capabilities().delete {
            Support::Unknown => self.v2.probe_delete(repository).await,
            known => Ok(known),
        }
    }

    async fn probe_untag(&self, repository: &Repository) -> Result<Support> {
        match self.capabilities().untag {
            Support::Unknown => self.v2.probe_untag(repository).await,
            known => Ok(known),
        }
    }

    async fn delete_repository(&self, repository: &Repository) -> Result<bool> {
        let gone = self.judged(self.provider.delete_repository(&self.v2, repository).await)?;
        if !gone {
            match self.v2.tags(repository).try_next().await {
                Ok(Some(page)) if !page.is_empty() => {
                    return Err(self.provider.judge(self.hidden("delete the repository", self.v2.subject(repository, ""))));
                }
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(gone)
    }

    async fn referrers(&self, repository: &Repository, subject: &Digest) -> Result<Referrers> {
        self.v2.referrers(repository, subject).await
    }

    async fn vulnerabilities(&self, repository: &Repository, digest: &Digest) -> Result<Scanned> {
        self.judged(self.provider.vulnerabilities(&self.v2, repository, digest).await)
    }

    async fn blob_size(&self, repository: &Repository, digest: &Digest) -> Result<u64> {
        self.v2.blob_size(repository, digest).await
    }

    async fn blob(&self, repository: &Repository, digest: &Digest) -> Result<BlobStream> {
        self.v2.blob(repository, digest).await
    }

    async fn put_blob(&self, repository: &Repository, content: Bytes) -> Result<Digest> {
        self.judged(self.v2.put_blob(repository, content).await)
    }

    async fn delete_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        self.judged(self.v2.delete_blob(repository, digest).await)
    }
}
