//! Listing repositories, and one of them in numbers.

use std::cell::Cell;
use std::collections::BTreeMap;

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::ahead::ahead;
use super::filter::Filter;
use super::image::images;
use super::tags::{self, ResolvedTag, TOGETHER};
use super::{Content, Failure, Ticker};
use crate::oci::{Descriptor, Digest, Manifest, Repository};
use crate::registry::{ErrorKind, Registry, Result};

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only repositories below this name, `team-a`.
    pub namespace: Option<String>,
    /// Which names.
    pub filter: Filter,
    /// Whether to count tags.
    pub details: bool,
    /// How many at most.
    pub limit: Option<usize>,
    /// Names that the user wrote down, for servers that will not list.
    pub configured: Vec<Repository>,
}

impl Query {
    fn fits(&self, repository: &Repository) -> bool {
        let inside = self.namespace.as_deref().is_none_or(|namespace| {
            repository.as_str() == namespace
                || repository.as_str().strip_prefix(namespace).is_some_and(|rest| rest.starts_with('/'))
        });
        inside && self.filter.matches(repository.as_str())
    }
}

/// A repository in a list.
#[derive(Debug, Clone, Serialize)]
pub struct ListedRepository {
    /// `registry/repository`.
    pub reference: String,
    /// Full name on the server.
    pub name: String,
    /// How many tags it has, when they were counted.
    pub tags: Option<usize>,
}

/// A whole list.
#[derive(Debug)]
pub struct Listing {
    /// The repositories.
    pub repositories: Vec<ListedRepository>,
    /// Those whose tags could not be counted.
    pub failed: Vec<Failure>,
    /// Whether the names are the user's own, because the server will not list.
    pub configured: bool,
    /// Whether `limit` cut.
    pub cut: bool,
}

/// Lists repositories.
pub async fn list(registry: &dyn Registry, query: &Query, tick: Ticker<'_>) -> Result<Listing> {
    let configured = Cell::new(false);
    let mut names: Vec<Repository> = Vec::new();
    let mut pages = std::pin::pin!(names_of(registry, query, &configured));
    while let Some(page) = pages.try_next().await? {
        names.extend(page);
        if query.limit.is_some_and(|limit| names.len() > limit) {
            break;
        }
    }
    let cut = query.limit.is_some_and(|limit| names.len() > limit);
    names.truncate(query.limit.unwrap_or(usize::MAX));
    let mut repositories = Vec::with_capacity(names.len());
    let mut failed = Vec::new();
    let total = names.len() as u64;
    let mut listed = stream::iter(names).map(|name| describe(registry, name, query.details)).buffered(width(registry, query));
    let mut done = 0;
    while let Some(result) = listed.next().await {
        done += 1;
        tick(done, Some(total));
        match result {
            Ok(repository) => repositories.push(repository),
            Err(failure) => failed.push(failure),
        }
    }
    Ok(Listing { repositories, failed, configured: configured.get(), cut })
}

/// Lists repositories in the server's order, handed over as soon as they are known, which leaves none to be listed.
pub async fn stream(
    registry: &dyn Registry,
    query: &Query,
    mut emit: impl FnMut(&[ListedRepository]) -> anyhow::Result<()>,
) -> anyhow::Result<Listing> {
    let configured = Cell::new(false);
    let names = names_of(registry, query, &configured);
    let mut described = match query.limit {
        None => ahead(names, |pages| describe_all(registry, query, pages)).boxed_local(),
        // who wants a few only may not want the next page
        Some(_) => describe_all(registry, query, names).boxed_local(),
    };
    let mut failed = Vec::new();
    while let Some(chunk) = described.next().await {
        let mut repositories = Vec::with_capacity(chunk.len());
        let mut end = None;
        for result in chunk {
            match result {
                Ok(Ok(repository)) => repositories.push(repository),
                Ok(Err(failure)) => failed.push(failure),
                Err(error) => end = Some(error),
            }
        }
        emit(&repositories)?;
        // what was begun meanwhile gets its turn
        tokio::task::yield_now().await;
        if let Some(error) = end {
            return Err(error.into());
        }
    }
    Ok(Listing { repositories: Vec::new(), failed, configured: configured.get(), cut: false })
}

/// The repositories of these pages, those together that are known at the same time.
fn describe_all<'a>(
    registry: &'a dyn Registry,
    query: &'a Query,
    pages: impl Stream<Item = Result<Vec<Repository>>> + 'a,
) -> impl Stream<Item = Vec<Result<std::result::Result<ListedRepository, Failure>>>> + 'a {
    let names = pages.map_ok(|page| stream::iter(page.into_iter().map(Ok))).try_flatten();
    let described = names.take(query.limit.unwrap_or(usize::MAX)).map(move |name: Result<Repository>| async move {
        match name {
            Ok(name) => Ok(describe(registry, name, query.details).await),
            Err(error) => Err(error),
        }
    });
    described.buffered(width(registry, query)).ready_chunks(TOGETHER)
}

/// How many repositories are looked at at once.
fn width(registry: &dyn Registry, query: &Query) -> usize {
    if query.details { registry.concurrency().max(1) } else { 1 }
}

/// Pages of the names that fit; the user's own where the server will not list, which `configured` is told.
fn names_of<'a>(
    registry: &'a dyn Registry,
    query: &'a Query,
    configured: &'a Cell<bool>,
) -> impl Stream<Item = Result<Vec<Repository>>> + 'a {
    async_stream::try_stream! {
        let mut pages = registry.repositories();
        let mut first = true;
        loop {
            match pages.next().await {
                Some(Ok(page)) => {
                    let page: Vec<Repository> = page.into_iter().filter(|name| query.fits(name)).collect();
                    first &= page.is_empty();
                    yield page;
                }
                None => break,
                Some(Err(error)) if first && !query.configured.is_empty() && will_not_list(error.kind()) => {
                    configured.set(true);
                    yield query.configured.clone();
                    break;
                }
                Some(Err(error)) => Err(error)?,
            }
        }
    }
}

/// Whether an error of a listing means that this server lists for nobody, or not for us.
fn will_not_list(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound
            | ErrorKind::Unsupported
            | ErrorKind::Denied
            | ErrorKind::CredentialRefused
            | ErrorKind::CredentialMissing
    )
}

async fn describe(registry: &dyn Registry, name: Repository, count: bool) -> std::result::Result<ListedRepository, Failure> {
    let reference = format!("{}/{name}", registry.name());
    let tags = if count {
        let counted = registry.tags(&name).try_fold(0, |sum, page| std::future::ready(Ok(sum + page.len()))).await;
        match counted {
            Ok(tags) => Some(tags),
            // servers go on listing names whose last tag went away
            Err(error) if error.kind() == ErrorKind::NotFound => Some(0),
            Err(error) => return Err(Failure { name: reference, error }),
        }
    } else {
        None
    };
    Ok(ListedRepository { reference, name: name.as_str().to_owned(), tags })
}

/// One repository in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct RepositoryReport {
    /// `registry/repository`.
    pub reference: String,
    /// Full name on the server.
    pub name: String,
    /// The first part of the name, `library` when there is none.
    pub namespace: String,
    /// The rest of the name.
    pub repository: String,
    /// Its tags.
    pub tags: Vec<TagReport>,
    /// Its blobs that are layers, each once.
    pub layers: Vec<LayerReport>,
    /// Bytes of all configs and layers, each counted once.
    pub size: u64,
}

/// One tag of a repository.
#[derive(Debug, Clone, Serialize)]
pub struct TagReport {
    /// The tag.
    pub name: String,
    /// What it points at.
    pub digest: Digest,
    /// Digest of the image's config, by which container engines call it; `None` for an index.
    pub image_id: Option<Digest>,
}

/// One layer.
#[derive(Debug, Clone, Serialize)]
pub struct LayerReport {
    /// Its digest.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
}

/// Looks at every tag of a repository.
pub async fn report(registry: &dyn Registry, repository: &Repository, tick: Ticker<'_>) -> Result<RepositoryReport> {
    let content = Content::new(registry, repository);
    let content = &content;
    let resolved = match tags::resolve_all(content, tick).await {
        Ok(resolved) => resolved,
        Err(error) => return Err(error),
    };
    let read: Vec<(TagReport, Vec<Descriptor>, Vec<Descriptor>)> = stream::iter(resolved)
        .map(|tag| async move { read_tag(content, tag).await })
        .buffered(registry.concurrency().max(1))
        .try_collect()
        .await?;
    let mut layers: BTreeMap<Digest, LayerReport> = BTreeMap::new();
    let mut configs: BTreeMap<Digest, u64> = BTreeMap::new();
    let mut tags = Vec::new();
    for (tag, tag_configs, tag_layers) in read {
        tags.push(tag);
        configs.extend(tag_configs.into_iter().map(|config| (config.digest, config.size)));
        for layer in tag_layers {
            let report = LayerReport { digest: layer.digest.clone(), size: layer.size, media_type: layer.media_type };
            layers.insert(layer.digest, report);
        }
    }
    tags.sort_by(|a, b| a.name.cmp(&b.name));
    let size = configs
        .iter()
        .filter(|(digest, _)| !layers.contains_key(*digest))
        .map(|(_, size)| *size)
        .chain(layers.values().map(|layer| layer.size))
        .fold(0, u64::saturating_add);
    let name = repository.as_str();
    let (namespace, rest) = name.split_once('/').unwrap_or(("library", name));
    Ok(RepositoryReport {
        reference: format!("{}/{repository}", registry.name()),
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        repository: rest.to_owned(),
        tags,
        layers: layers.into_values().collect(),
        size,
    })
}

async fn read_tag(content: &Content<'_>, tag: ResolvedTag) -> Result<(TagReport, Vec<Descriptor>, Vec<Descriptor>)> {
    let manifest = content.parsed(&tag.digest).await?;
    let mut image_id = None;
    let (mut configs, mut layers) = (Vec::new(), Vec::new());
    match manifest {
        Manifest::Image(image) => {
            image_id = Some(image.config.digest.clone());
            configs.push(image.config);
            layers.extend(image.layers);
        }
        Manifest::Index(index) => {
            for (_, image) in images(content, &index.manifests).await? {
                configs.push(image.config);
                layers.extend(image.layers);
            }
        }
        Manifest::Schema1(old) => {
            for layer in old.fs_layers {
                let size = content.registry.blob_size(content.repository, &layer.blob_sum).await.unwrap_or(0);
                layers.push(Descriptor::new("", layer.blob_sum, size));
            }
        }
        Manifest::Unknown(_) => {}
    }
    Ok((TagReport { name: tag.tag.as_str().to_owned(), digest: tag.digest, image_id }, configs, layers))
}
