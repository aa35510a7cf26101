//! Tags and what they point at, for whoever works on a whole repository.

use std::cell::Cell;
use std::rc::Rc;

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use super::super::ahead::ahead;
use super::super::content::reference;
use super::super::{Content, Ticker};
use super::BEGUN;
use crate::oci::{Digest, Selector, Tag};
use crate::registry::{Error, ErrorKind, Lock, Result, TagEntry};

/// A tag and what it points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedTag {
    /// The tag.
    pub tag: Tag,
    /// Its digest.
    pub digest: Digest,
    /// Media type of the manifest.
    pub media_type: String,
    /// When it was pushed, where the listing says so.
    pub pushed_at: Option<Timestamp>,
    /// When it was last pulled, where the listing says so.
    pub pulled_at: Option<Timestamp>,
    /// Whether it is locked, where the listing says so.
    pub lock: Option<Lock>,
}

/// Every tag of a repository with its digest. Tags whose manifest is gone are left out; anything else that can't be read is an
/// error: a list with holes would lie about which tags share a digest.
pub async fn resolve_all(content: &Content<'_>, tick: Ticker<'_>) -> Result<Vec<ResolvedTag>> {
    let resolved = resolve_each(content, true, tick);
    resolved.try_filter_map(|tag| std::future::ready(Ok(tag.ok()))).try_collect().await
}

/// Every tag of a repository in the server's order, as they are known: what it points at, or the mere name of one that the server lists
/// and doesn't have. `manifests` says that all manifests will be wanted, so that those which are not remembered may come along at once.
pub fn resolve_each<'a>(
    content: &'a Content<'a>,
    manifests: bool,
    tick: Ticker<'a>,
) -> impl Stream<Item = Result<std::result::Result<ResolvedTag, Tag>>> + 'a {
    let Content { registry, repository, .. } = *content;
    let done = Rc::new(Cell::new(0));
    let resolve = move |entry: Result<TagEntry>| {
        let done = Rc::clone(&done);
        async move {
            let entry = entry?;
            let tag: Tag = entry.name.parse().map_err(|error: crate::oci::InvalidName| {
                Error::new(ErrorKind::Protocol, "look at", format!("{}/{repository}:{}", registry.name(), entry.name))
                    .because("the server lists a tag that can't be one")
                    .caused_by(error)
            })?;
            let selector = Selector::Tag(tag.clone());
            let head = if manifests { content.resolve(&tag).await } else { registry.head(repository, &selector).await };
            done.update(|done| done + 1);
            tick(done.get(), None);
            match head {
                Ok(head) => Ok(Ok(ResolvedTag {
                    tag,
                    digest: head.digest,
                    media_type: head.media_type,
                    pushed_at: entry.pushed_at,
                    pulled_at: entry.pulled_at,
                    lock: entry.lock,
                })),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(Err(tag)),
                Err(error) => Err(error.on("look at", reference(registry, repository, &selector))),
            }
        }
    };
    let width = (BEGUN * registry.concurrency()).max(1);
    ahead(registry.tags(repository), move |pages| {
        let entries = pages.map_ok(|page| stream::iter(page.into_iter().map(Ok))).try_flatten();
        entries.map(resolve).buffered(width)
    })
}
