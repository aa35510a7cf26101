//! What a vendor may do differently. Every method's default is what any v2 server does.

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::Place;
use crate::distribution::{Quirks, V2};
use crate::oci::{Digest, Repository, Tag};
use crate::registry::{Capabilities, Error, Facts, Locks, Ping, Registry, Result, Scanned, TagEntry};

/// Pages of a list.
pub(super) type Pages<'a, T> = BoxStream<'a, Result<Vec<T>>>;

/// A vendor, as a row of the table of them.
pub(super) struct Vendor {
    /// In what its v2 API differs.
    pub quirks: Quirks,
    /// Makes its provider for one place.
    pub open: fn(&Place) -> Result<Box<dyn Provider>>,
}

/// One vendor's own ways.
#[async_trait]
pub(super) trait Provider: Send + Sync {
    /// What it can do, given what was learnt of its v2 API.
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        v2
    }

    /// Asks whether it is there. A vendor adds the version where its API says it.
    async fn ping(&self, v2: &V2) -> Result<Ping> {
        v2.ping().await
    }

    /// What its API says of the registry beside what is in it.
    async fn facts(&self, _v2: &V2) -> Result<Facts> {
        Ok(Facts::default())
    }

    /// Its repositories. When the first page fails because of who asks, `/v2/` is asked instead.
    fn repositories<'a>(&'a self, v2: &'a V2) -> Pages<'a, Repository> {
        v2.repositories()
    }

    /// The tags of a repository, where something tells more of them than `/v2/` does. When the first page fails because of who asks, `/v2/`
    /// is asked instead.
    fn tags<'a>(&'a self, _v2: &'a V2, _repository: &Repository) -> Option<Pages<'a, TagEntry>> {
        None
    }

    /// The manifests of a repository, tagged or not, where something lists them.
    fn manifests<'a>(&'a self, _v2: &'a V2, _repository: &Repository) -> Option<Pages<'a, Digest>> {
        None
    }

    /// What is locked in a repository beside what its list of tags says.
    async fn locks(&self, _v2: &V2, _repository: &Repository, _manifests: bool) -> Result<Locks> {
        Ok(Locks::default())
    }

    /// Takes one tag away.
    async fn untag(&self, v2: &V2, repository: &Repository, tag: &Tag) -> Result<bool> {
        v2.untag(repository, tag).await
    }

    /// Deletes a manifest.
    async fn delete_manifest(&self, v2: &V2, repository: &Repository, digest: &Digest) -> Result<bool> {
        v2.delete_manifest(repository, digest).await
    }

    /// Deletes a repository.
    async fn delete_repository(&self, v2: &V2, repository: &Repository) -> Result<bool> {
        v2.delete_repository(repository).await
    }

    /// What its own scanner found in an image.
    async fn vulnerabilities(&self, v2: &V2, repository: &Repository, digest: &Digest) -> Result<Scanned> {
        v2.vulnerabilities(repository, digest).await
    }

    /// Whether it refuses to delete a manifest as long as a tag points at it, so that its tags have to go first.
    fn wants_tags_gone_first(&self) -> bool {
        false
    }

    /// Whether each manifest that is read counts against a limit, so that what its lists tell has to do.
    fn counts_reads(&self) -> bool {
        false
    }

    /// What the vendor means by an error, and what helps.
    fn judge(&self, error: Error) -> Error {
        error
    }
}
