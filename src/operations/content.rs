//! Manifests and configs of one repository, each fetched once however often it is needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::TryStreamExt;
use tokio::sync::OnceCell;

use crate::oci::{Descriptor, Digest, ImageConfig, Manifest, RawManifest, Repository, Selector, media_type};
use crate::registry::{Error, ErrorKind, Registry, Result};

/// A config larger than this is no image's: servers cap manifests at 4 MiB, and configs are of the same order.
const CONFIG_MAX: u64 = 4 * 1024 * 1024;

/// The content of one repository, by digest.
pub struct Content<'a> {
    /// Where it is.
    pub registry: &'a dyn Registry,
    /// In which repository.
    pub repository: &'a Repository,
    manifests: Once<Arc<RawManifest>>,
    configs: Once<Arc<ImageConfig>>,
}

/// A value a digest; whoever comes second waits for the first.
type Once<T> = Mutex<HashMap<Digest, Arc<OnceCell<T>>>>;

fn cell<T>(once: &Once<T>, digest: &Digest) -> Arc<OnceCell<T>> {
    let mut cells = once.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    cells.entry(digest.clone()).or_default().clone()
}

impl<'a> Content<'a> {
    /// Nothing fetched yet.
    pub fn new(registry: &'a dyn Registry, repository: &'a Repository) -> Content<'a> {
        Content { registry, repository, manifests: Once::default(), configs: Once::default() }
    }

    /// `registry/repository` and the selector, as references are printed.
    pub fn reference(&self, selector: &Selector) -> String {
        reference(self.registry, self.repository, selector)
    }

    /// A manifest by digest.
    pub async fn manifest(&self, digest: &Digest) -> Result<Arc<RawManifest>> {
        let fetch = || async { self.registry.manifest(self.repository, &digest.clone().into()).await.map(Arc::new) };
        cell(&self.manifests, digest).get_or_try_init(fetch).await.cloned()
    }

    /// A manifest by digest, read.
    pub async fn parsed(&self, digest: &Digest) -> Result<Manifest> {
        let raw = self.manifest(digest).await?;
        raw.parse().map_err(|error| {
            Error::new(ErrorKind::Protocol, "read", self.reference(&digest.clone().into())).because(error.to_string())
        })
    }

    /// An image's config; `None` when the descriptor isn't that of an image config.
    pub async fn config(&self, descriptor: &Descriptor) -> Result<Option<Arc<ImageConfig>>> {
        if !media_type::is_image_config(&descriptor.media_type) {
            return Ok(None);
        }
        let fetch = || async { image_config(self.registry, self.repository, descriptor).await.map(Arc::new) };
        cell(&self.configs, &descriptor.digest).get_or_try_init(fetch).await.cloned().map(Some)
    }

    /// A small blob, whole.
    pub async fn blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        blob(self.registry, self.repository, descriptor).await
    }
}

/// An image's config, fetched.
pub(super) async fn image_config(registry: &dyn Registry, repository: &Repository, descriptor: &Descriptor) -> Result<ImageConfig> {
    let bytes = blob(registry, repository, descriptor).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::new(ErrorKind::Protocol, "read the config of", reference(registry, repository, &descriptor.digest.clone().into()))
            .because(error.to_string())
    })
}

/// A small blob, whole.
async fn blob(registry: &dyn Registry, repository: &Repository, descriptor: &Descriptor) -> Result<Vec<u8>> {
    let too_large = || {
        Error::new(ErrorKind::Protocol, "read", reference(registry, repository, &descriptor.digest.clone().into()))
            .because("it is larger than 4 MiB, and no config is")
    };
    if descriptor.size > CONFIG_MAX {
        return Err(too_large());
    }
    let mut stream = registry.blob(repository, &descriptor.digest).await?.content;
    let mut bytes = Vec::with_capacity(descriptor.size as usize);
    while let Some(piece) = stream.try_next().await? {
        if (bytes.len() + piece.len()) as u64 > CONFIG_MAX {
            return Err(too_large());
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// `registry/repository:tag` or `registry/repository@digest`, as references are printed everywhere.
pub(super) fn reference(registry: &dyn Registry, repository: &Repository, selector: &Selector) -> String {
    let separator = if matches!(selector, Selector::Tag(_)) { ':' } else { '@' };
    format!("{}/{repository}{separator}{selector}", registry.name())
}
