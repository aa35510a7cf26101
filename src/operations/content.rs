//! Manifests and configs of one repository, each fetched once however often it is needed, and not at all when it is remembered from
//! another run.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use futures_util::TryStreamExt;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use crate::oci::{Descriptor, Digest, ImageConfig, Manifest, RawManifest, Repository, RunConfig, Selector, Tag, media_type};
use crate::registry::{Error, ErrorKind, Registry, Result};

/// A config larger than this is no image's: servers cap manifests at 4 MiB, and configs are of the same order.
const CONFIG_MAX: u64 = 4 * 1024 * 1024;

/// Manifests, and configs, that are held in memory at once. A repository of 100,000 images has more; the few that are then needed again are
/// fetched again.
const MOST_HELD: usize = 4096;

/// The content of one repository, by digest.
pub struct Content<'a> {
    /// Where it is.
    pub registry: &'a dyn Registry,
    /// In which repository.
    pub repository: &'a Repository,
    manifests: Once<Arc<RawManifest>>,
    configs: Once<Arc<ImageConfig>>,
    /// Manifests that were remembered, and that were not.
    known: AtomicU64,
    unknown: AtomicU64,
    /// Whether another run went through the repository, which is all that is known at first.
    familiar: OnceLock<bool>,
}

/// A value a digest; whoever comes second waits for the first.
type Once<T> = Mutex<HashMap<Digest, Arc<OnceCell<T>>>>;

/// The one that is there.
fn held<T>(once: &Once<T>, digest: &Digest) -> Option<Arc<OnceCell<T>>> {
    once.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(digest).cloned()
}

/// The one that is there, or else a new one.
fn cell<T>(once: &Once<T>, digest: &Digest) -> Arc<OnceCell<T>> {
    let mut cells = once.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if cells.len() >= MOST_HELD && !cells.contains_key(digest) {
        cells.clear();
    }
    cells.entry(digest.clone()).or_default().clone()
}

impl<'a> Content<'a> {
    /// Nothing fetched yet.
    pub fn new(registry: &'a dyn Registry, repository: &'a Repository) -> Content<'a> {
        Content {
            registry,
            repository,
            manifests: Once::default(),
            configs: Once::default(),
            known: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            familiar: OnceLock::new(),
        }
    }

    /// `registry/repository` and the selector, as references are printed.
    pub fn reference(&self, selector: &Selector) -> String {
        reference(self.registry, self.repository, selector)
    }

    /// What a tag points at. Asks with HEAD, which is all that is needed where manifests are remembered, and all that is wanted where reads
    /// are counted; while little is remembered, the manifest comes along in the same answer.
    pub async fn resolve(&self, tag: &Tag) -> Result<Descriptor> {
        let selector = Selector::Tag(tag.clone());
        let remembered = self.registry.remembered();
        let [known, unknown] = [&self.known, &self.unknown].map(|count| count.load(Ordering::Relaxed));
        let likely = remembered.is_some_and(|remembered| match known + unknown {
            0 => *self.familiar.get_or_init(|| {
                let place = format!("{}/{}", self.registry.name(), self.repository);
                let familiar = remembered.been_to(&place);
                if !familiar {
                    remembered.goes_to(&place);
                }
                familiar
            }),
            _ => known >= unknown,
        });
        if self.registry.counts_reads() || likely {
            return self.registry.head(self.repository, &selector).await;
        }
        let manifest = self.registry.manifest(self.repository, &selector).await?;
        let descriptor = manifest.descriptor();
        match remembered {
            Some(remembered) if remembered.manifest(&manifest.digest).is_none() => {
                self.unknown.fetch_add(1, Ordering::Relaxed);
                remembered.keep_manifest(&manifest);
            }
            _ => {
                self.known.fetch_add(1, Ordering::Relaxed);
            }
        }
        // who came first has the same
        let _ = cell(&self.manifests, &manifest.digest).set(Arc::new(manifest));
        Ok(descriptor)
    }

    /// A manifest by digest. One that is remembered is not held as well: to look it up again costs less.
    pub async fn manifest(&self, digest: &Digest) -> Result<Arc<RawManifest>> {
        let held = held(&self.manifests, digest);
        if held.is_none()
            && let Some(manifest) = self.registry.remembered().and_then(|remembered| remembered.manifest(digest))
        {
            self.known.fetch_add(1, Ordering::Relaxed);
            return Ok(Arc::new(manifest));
        }
        let fetch = async || {
            let manifest = fetch_manifest(self.registry, self.repository, digest).await?;
            self.unknown.fetch_add(1, Ordering::Relaxed);
            Ok(Arc::new(manifest))
        };
        let cell = held.unwrap_or_else(|| cell(&self.manifests, digest));
        cell.get_or_try_init(|| Box::pin(fetch())).await.cloned()
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
        let Content { registry, repository, .. } = *self;
        let held = held(&self.configs, &descriptor.digest);
        if held.is_none()
            && let Some(bytes) = registry.remembered().and_then(|remembered| remembered.blob(&descriptor.digest))
        {
            return read_config(registry, repository, descriptor, &bytes).map(Arc::new).map(Some);
        }
        let fetch = async || {
            let bytes = fetch_config(registry, repository, descriptor).await?;
            read_config(registry, repository, descriptor, &bytes).map(Arc::new)
        };
        let cell = held.unwrap_or_else(|| cell(&self.configs, &descriptor.digest));
        cell.get_or_try_init(|| Box::pin(fetch())).await.cloned().map(Some)
    }

    /// An image's config with how it runs, for the one image that a person looks at: it is not held.
    pub async fn run_config(&self, descriptor: &Descriptor) -> Result<Option<ImageConfig<RunConfig>>> {
        match media_type::is_image_config(&descriptor.media_type) {
            true => image_config(self.registry, self.repository, descriptor).await.map(Some),
            false => Ok(None),
        }
    }

    /// A blob, whole, unless it has more than `most` bytes.
    pub async fn blob_up_to(&self, descriptor: &Descriptor, most: u64) -> Result<Vec<u8>> {
        blob(self.registry, self.repository, descriptor, most).await
    }
}

/// A manifest by digest. Does not tell whether the server still has it.
pub(super) async fn manifest(registry: &dyn Registry, repository: &Repository, digest: &Digest) -> Result<RawManifest> {
    match registry.remembered().and_then(|remembered| remembered.manifest(digest)) {
        Some(manifest) => Ok(manifest),
        None => fetch_manifest(registry, repository, digest).await,
    }
}

/// A manifest by digest from the server; from now on it is remembered.
async fn fetch_manifest(registry: &dyn Registry, repository: &Repository, digest: &Digest) -> Result<RawManifest> {
    let manifest = registry.manifest(repository, &digest.clone().into()).await?;
    if let Some(remembered) = registry.remembered() {
        remembered.keep_manifest(&manifest);
    }
    Ok(manifest)
}

/// As much of an image's config as is wanted.
pub(super) async fn image_config<Config: DeserializeOwned>(
    registry: &dyn Registry,
    repository: &Repository,
    descriptor: &Descriptor,
) -> Result<Config> {
    let bytes = match registry.remembered().and_then(|remembered| remembered.blob(&descriptor.digest)) {
        Some(bytes) => bytes,
        None => fetch_config(registry, repository, descriptor).await?,
    };
    read_config(registry, repository, descriptor, &bytes)
}

/// An image's config from the server; from now on it is remembered.
async fn fetch_config(registry: &dyn Registry, repository: &Repository, descriptor: &Descriptor) -> Result<Bytes> {
    let bytes = blob(registry, repository, descriptor, CONFIG_MAX).await?;
    if let Some(remembered) = registry.remembered() {
        remembered.keep_blob(&descriptor.digest, &bytes);
    }
    Ok(bytes.into())
}

fn read_config<Config: DeserializeOwned>(
    registry: &dyn Registry,
    repository: &Repository,
    descriptor: &Descriptor,
    bytes: &[u8],
) -> Result<Config> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::new(ErrorKind::Protocol, "read the config of", reference(registry, repository, &descriptor.digest.clone().into()))
            .because(error.to_string())
    })
}

/// A blob, whole.
async fn blob(registry: &dyn Registry, repository: &Repository, descriptor: &Descriptor, most: u64) -> Result<Vec<u8>> {
    let too_large = || {
        Error::new(ErrorKind::Protocol, "read", reference(registry, repository, &descriptor.digest.clone().into()))
            .because(format!("it is larger than {} MiB", most >> 20))
    };
    if descriptor.size > most {
        return Err(too_large());
    }
    let mut stream = registry.blob(repository, &descriptor.digest).await?.content;
    // what a descriptor says need not be true
    let mut bytes = Vec::with_capacity(descriptor.size.min(CONFIG_MAX) as usize);
    while let Some(piece) = stream.try_next().await? {
        if (bytes.len() + piece.len()) as u64 > most {
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
