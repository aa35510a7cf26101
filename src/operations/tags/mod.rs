//! Listing tags: names as pages arrive, details side by side, sorted at the end if that is wanted.

mod order;
mod resolved;

use std::cell::Cell;

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;

use super::ahead::ahead;
use super::filter::Filter;
use super::image::{self, Summary};
use super::{Content, Failure, Ticker};
use crate::oci::{Descriptor, Digest, Repository, Selector, Tag, is_attachment_tag};
use crate::registry::{Error, ErrorKind, Lock, Locks, Registry, Result, TagEntry};

pub use order::{Sort, SortKey};
pub use resolved::{ResolvedTag, resolve_all, resolve_each};

/// How many times as many tags are begun as requests run at once. They are handed over in order, so while the first of them is slow, the
/// others must have something to go on with; how many requests really run is the connection's business.
const BEGUN: usize = 2;

/// How many tags are handed over at once, at most: enough to make writing them cheap, few enough to cost no memory.
pub(super) const TOGETHER: usize = 256;

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Which names.
    pub filter: Filter,
    /// Only tags on this digest.
    pub digest: Option<Digest>,
    /// Whether to find out digest, kind, platforms, size and date.
    pub details: bool,
    /// Whether signature tags (`sha256-….sig`) are listed too.
    pub attachments: bool,
    /// In which order; `None` keeps the server's.
    pub sort: Option<Sort>,
    /// How many at most.
    pub limit: Option<usize>,
}

/// A tag in a list. What was not asked for or is not known is `null`.
#[derive(Debug, Clone, Serialize)]
pub struct ListedTag {
    /// Full reference, `registry/repository:tag`.
    pub reference: String,
    /// The tag.
    pub name: String,
    /// What it points at.
    pub digest: Option<Digest>,
    /// Media type of the manifest.
    pub media_type: Option<String>,
    /// `image`, `index`, `artifact`, `schema1`, `unknown`.
    pub kind: Option<image::Shape>,
    /// Kind of artifact.
    pub artifact_type: Option<String>,
    /// `os/arch[/variant]` of each image.
    pub platforms: Option<Vec<String>>,
    /// Compressed bytes of the (largest) image.
    pub size: Option<u64>,
    /// When it was built.
    pub created_at: Option<Timestamp>,
    /// When it was pushed, where the server tells.
    pub pushed_at: Option<Timestamp>,
    /// When it was last pulled, where the server tells.
    pub pulled_at: Option<Timestamp>,
    /// Whether the server refuses to delete it, where it tells.
    pub locked: Option<bool>,
    /// Why it is locked; also of one that can be deleted and only can't be moved.
    pub lock_reason: Option<&'static str>,
}

/// A whole list.
#[derive(Debug)]
pub struct Listing {
    /// The tags.
    pub tags: Vec<ListedTag>,
    /// Those whose details could not be had.
    pub failed: Vec<Failure>,
    /// How many tags fit the query before `limit` cut.
    pub matched: usize,
    /// How many signature tags were left out.
    pub hidden: usize,
}

/// Lists tags. Details are asked for while names still come, unless only some of the names will be shown.
pub async fn list(registry: &dyn Registry, repository: &Repository, query: &Query, tick: Ticker<'_>) -> Result<Listing> {
    let (names, sort) = (Names::new(query), query.sort);
    let resolver = Resolver::new(registry, repository, query, locks(registry, repository, query).await?);
    // what is only known with details can't cut before they are there
    let cuts = query.limit.filter(|_| query.digest.is_none() && !sort.is_some_and(|sort| sort.key.needs_details()));
    let mut resolved = match cuts {
        Some(limit) => {
            let mut entries: Vec<TagEntry> = names.of(registry.tags(repository)).try_collect().await?;
            if let Some(sort) = sort {
                sort.names(&mut entries, |entry| &entry.name);
            }
            entries.truncate(limit);
            resolver.resolve_all(stream::iter(entries.into_iter().map(Ok)))
        }
        None => ahead(registry.tags(repository), |pages| resolver.resolve_all(names.of(pages))).boxed_local(),
    };
    let (mut tags, mut failed, mut done) = (Vec::new(), Vec::new(), 0);
    while let Some(item) = resolved.next().await {
        done += 1;
        tick(done, names.are_complete.get().then(|| names.fitting.get().min(cuts.unwrap_or(usize::MAX)) as u64));
        match item {
            Ok(Some(tag)) => tags.push(tag),
            Ok(None) => {}
            Err(failure) if failure.name.is_empty() || failure.error.stops_a_batch() => return Err(failure.error),
            Err(failure) => failed.push(failure),
        }
    }
    drop(resolved);
    let matched = if cuts.is_some() { names.fitting.get() } else { tags.len() + failed.len() };
    match sort {
        Some(sort) if sort.key.needs_details() => sort.details(&mut tags),
        Some(sort) if cuts.is_none() => sort.names(&mut tags, |tag| &tag.name),
        _ => {}
    }
    if let Some(limit) = query.limit {
        tags.truncate(limit);
    }
    Ok(Listing { tags, failed, matched, hidden: names.hidden.get() })
}

/// Lists tags in the server's order, handed over as soon as they are known, those together that are known at the same time; stops fetching
/// when `limit` is reached.
pub async fn stream(
    registry: &dyn Registry,
    repository: &Repository,
    query: &Query,
    mut emit: impl FnMut(&[ListedTag]) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Failure>> {
    let names = Names::new(query);
    let resolver = Resolver::new(registry, repository, query, locks(registry, repository, query).await?);
    let mut failed = Vec::new();
    let mut left = query.limit.unwrap_or(usize::MAX);
    // no more than are wanted, so that no page is asked for in vain
    let together = left.clamp(1, TOGETHER);
    let resolve = |pages| resolver.resolve_all(names.of(pages)).ready_chunks(together);
    let mut resolved = match query.limit {
        None => ahead(registry.tags(repository), resolve).boxed_local(),
        // who wants a few only may not want the next page
        Some(_) => resolve(registry.tags(repository)).boxed_local(),
    };
    while left > 0 {
        let Some(items) = resolved.next().await else { break };
        let mut tags = Vec::with_capacity(items.len());
        let mut end = None;
        for item in items {
            match item {
                _ if left == 0 => break,
                Ok(Some(tag)) => {
                    tags.push(tag);
                    left -= 1;
                }
                Ok(None) => {}
                Err(failure) if failure.name.is_empty() || failure.error.stops_a_batch() => {
                    end = Some(failure.error);
                    break;
                }
                Err(failure) => failed.push(failure),
            }
        }
        emit(&tags)?;
        // what was begun meanwhile gets its turn
        tokio::task::yield_now().await;
        if let Some(error) = end {
            return Err(error.into());
        }
    }
    Ok(failed)
}

/// The names that fit a query.
struct Names<'a> {
    query: &'a Query,
    /// How many there were so far.
    fitting: Cell<usize>,
    /// How many signature tags were left out so far.
    hidden: Cell<usize>,
    /// Whether there will be no more.
    are_complete: Cell<bool>,
}

impl<'a> Names<'a> {
    fn new(query: &'a Query) -> Names<'a> {
        Names { query, fitting: Cell::default(), hidden: Cell::default(), are_complete: Cell::default() }
    }

    /// Those of all pages.
    fn of<'b>(&'b self, pages: impl Stream<Item = Result<Vec<TagEntry>>> + 'b) -> impl Stream<Item = Result<TagEntry>> + 'b {
        async_stream::try_stream! {
            for await page in pages {
                for entry in page? {
                    if !self.query.attachments && is_attachment_tag(&entry.name) {
                        self.hidden.update(|hidden| hidden + 1);
                    } else if self.query.filter.matches(&entry.name) {
                        self.fitting.update(|fitting| fitting + 1);
                        yield entry;
                    }
                }
            }
            self.are_complete.set(true);
        }
    }
}

/// What is locked beside what the list tells, when details are wanted.
async fn locks(registry: &dyn Registry, repository: &Repository, query: &Query) -> Result<Locks> {
    if query.details { registry.locks(repository, false).await } else { Ok(Locks::default()) }
}

/// Finds out what tags point at.
struct Resolver<'a> {
    content: Content<'a>,
    locks: Locks,
    query: &'a Query,
}

impl<'a> Resolver<'a> {
    fn new(registry: &'a dyn Registry, repository: &'a Repository, query: &'a Query, locks: Locks) -> Resolver<'a> {
        Resolver { content: Content::new(registry, repository), locks, query }
    }

    /// Side by side, in the order that they came in. A failure of the listing itself has no name.
    fn resolve_all<'b>(
        &'b self,
        entries: impl Stream<Item = Result<TagEntry>> + 'b,
    ) -> futures_util::stream::LocalBoxStream<'b, std::result::Result<Option<ListedTag>, Failure>> {
        let nameless = |error| Failure { name: String::new(), error };
        if !self.needs_requests() {
            return entries.map_ok(|entry| Some(self.listed(entry))).map_err(nameless).boxed_local();
        }
        let resolved = entries.map(move |entry| async move {
            let mut tag = self.listed(entry.map_err(nameless)?);
            match self.resolve(&mut tag).await {
                Ok(fits) => Ok(fits.then_some(tag)),
                Err(error) => Err(Failure { name: tag.reference, error }),
            }
        });
        resolved.buffered((BEGUN * self.content.registry.concurrency()).max(1)).boxed_local()
    }

    fn needs_requests(&self) -> bool {
        self.query.digest.is_some() || self.wants_manifests()
    }

    fn wants_manifests(&self) -> bool {
        self.query.details || self.query.sort.is_some_and(|sort| sort.key.needs_details())
    }

    /// What a tag points at. Who looks for one digest only throws most manifests away, so there HEAD is enough.
    async fn head(&self, tag: &Tag) -> Result<Descriptor> {
        if self.query.digest.is_none() {
            return self.content.resolve(tag).await;
        }
        self.content.registry.head(self.content.repository, &Selector::Tag(tag.clone())).await
    }

    /// As it was listed.
    fn listed(&self, entry: TagEntry) -> ListedTag {
        let lock = self.locks.tag(&entry.name, entry.lock);
        ListedTag {
            reference: [self.content.registry.name(), "/", self.content.repository.as_str(), ":", &entry.name].concat(),
            name: entry.name,
            digest: entry.digest,
            kind: entry.media_type.as_deref().and_then(image::Shape::of_type),
            media_type: entry.media_type,
            artifact_type: None,
            platforms: entry.platforms,
            size: entry.size,
            created_at: None,
            pushed_at: entry.pushed_at,
            pulled_at: entry.pulled_at,
            locked: lock.map(|lock| lock.held().is_some()),
            lock_reason: lock.and_then(Lock::why),
        }
    }

    /// Finds out more. `false`: it is not on the digest that was asked for, or went away since it was listed.
    async fn resolve(&self, tag: &mut ListedTag) -> Result<bool> {
        // each manifest costs the person one of a few pulls: what the list told has to do
        if let Some(digest) = tag.digest.as_ref().filter(|_| self.content.registry.counts_reads()) {
            let fits = self.query.digest.as_ref().is_none_or(|wanted| wanted == digest);
            return Ok(fits);
        }
        let valid: Tag = tag.name.parse().map_err(|error: crate::oci::InvalidName| {
            Error::new(ErrorKind::Protocol, "look at", &tag.reference)
                .because("the server lists a tag that can't be one")
                .caused_by(error)
        })?;
        let head = match self.head(&valid).await {
            Ok(head) => head,
            // deleted while we listed
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if self.query.digest.as_ref().is_some_and(|wanted| *wanted != head.digest) {
            return Ok(false);
        }
        tag.media_type = Some(head.media_type);
        if self.wants_manifests() {
            let Summary { kind, artifact_type, platforms, size, created_at } =
                image::summarise(&self.content, &head.digest).await?;
            tag.kind = Some(kind);
            tag.artifact_type = artifact_type;
            tag.platforms = Some(platforms);
            tag.size = size.or(tag.size);
            tag.created_at = created_at;
        }
        tag.digest = Some(head.digest);
        Ok(true)
    }
}
