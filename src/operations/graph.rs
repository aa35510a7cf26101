//! Which manifests of a repository hold which others: read whole, or not at all.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::tags::{self, ResolvedTag};
use super::{Content, Ticker};
use crate::oci::{Digest, Tag, media_type};
use crate::registry::{ErrorKind, Result};

/// Indexes deeper than this are not real; reading on would let a hostile server keep us for ever.
const DEEPEST: usize = 16;

/// The tags of a repository and what their indexes list.
#[derive(Debug, Clone, Default)]
pub(super) struct Graph {
    /// Every tag with its digest.
    pub tags: Vec<ResolvedTag>,
    /// Each index with the manifests that it lists, nested ones too.
    pub children: BTreeMap<Digest, Vec<Digest>>,
}

impl Graph {
    /// Reads the tags, and every index that they lead to.
    ///
    /// # Errors
    /// When anything but a vanished tag or child can't be read: nobody may delete by a graph with holes.
    pub async fn read(content: &Content<'_>, tick: Ticker<'_>) -> Result<Graph> {
        let tags = tags::resolve_all(content.registry, content.repository, tick).await?;
        let mut graph = Graph { children: BTreeMap::new(), tags };
        let mut level: BTreeSet<Digest> =
            graph.tags.iter().filter(|tag| may_list_others(&tag.media_type)).map(|tag| tag.digest.clone()).collect();
        for _ in 0..DEEPEST {
            let unread: Vec<Digest> = level.iter().filter(|digest| !graph.children.contains_key(*digest)).cloned().collect();
            if unread.is_empty() {
                break;
            }
            let read: Vec<(Digest, Vec<crate::oci::Descriptor>)> = stream::iter(unread)
                .map(|digest| async move {
                    match content.parsed(&digest).await {
                        Ok(manifest) => Ok((digest, manifest.children().to_vec())),
                        // a hole in the index itself: there is nothing left to protect below it
                        Err(error) if error.kind() == ErrorKind::NotFound => Ok((digest, Vec::new())),
                        Err(error) => Err(error),
                    }
                })
                .buffered(content.registry.concurrency().max(1))
                .try_collect()
                .await?;
            level = BTreeSet::new();
            for (digest, children) in read {
                level.extend(children.iter().filter(|child| may_list_others(&child.media_type)).map(|child| child.digest.clone()));
                graph.children.insert(digest, children.into_iter().map(|child| child.digest).collect());
            }
        }
        Ok(graph)
    }

    /// The tags on a digest.
    pub fn tags_on<'a>(&'a self, digest: &'a Digest) -> impl Iterator<Item = &'a Tag> {
        self.tags.iter().filter(move |tag| tag.digest == *digest).map(|tag| &tag.tag)
    }

    /// The indexes that list a manifest, directly.
    pub fn parents(&self, digest: &Digest) -> Vec<Digest> {
        self.children.iter().filter(|(_, children)| children.contains(digest)).map(|(parent, _)| parent.clone()).collect()
    }

    /// How a person knows an index: by a tag that leads to it, else by its digest.
    pub fn name_of(&self, digest: &Digest) -> String {
        match self.tags_on(digest).next() {
            Some(tag) => tag.as_str().to_owned(),
            None => digest.as_str().to_owned(),
        }
    }
}

/// Whether a manifest of this type could list others; a type that says nothing could.
fn may_list_others(kind: &str) -> bool {
    !(media_type::is_image(kind) || media_type::is_schema1(kind))
}
