//! What is attached to a manifest, as a tree: signatures, SBOMs, attestations, and what is attached to those in turn. Found by the
//! server's API or the fallback tag, by cosign's tags, and in the index where BuildKit keeps them.

use std::collections::BTreeSet;
use std::sync::Mutex;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::Content;
use super::image::Shape;
use super::inspect::purpose;
use crate::oci::{Descriptor, Digest, Manifest, Selector, Tag};
use crate::registry::{ErrorKind, Result};

/// Signatures of signatures deeper than this are not real; a hostile server could go on for ever.
const DEEPEST: usize = 8;

/// By which way something was found to be attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The server's referrers API.
    Api,
    /// The fallback tag, for servers without.
    FallbackTag,
    /// A tag of cosign's.
    CosignTag,
    /// The index itself lists it as an attestation of one of its images.
    Index,
}

/// A manifest with what is attached to it.
#[derive(Debug, Clone, Serialize)]
pub struct Tree {
    /// The reference that was asked for, in full.
    pub reference: String,
    /// Its digest.
    pub digest: Digest,
    /// What kind of thing it is.
    pub kind: Shape,
    /// Its media type.
    pub media_type: String,
    /// What is attached to it.
    pub referrers: Vec<Attached>,
    /// Images that it lists and to which something is attached.
    pub images: Vec<Image>,
}

/// An image of an index.
#[derive(Debug, Clone, Serialize)]
pub struct Image {
    /// Its digest.
    pub digest: Digest,
    /// What it runs on.
    pub platform: Option<String>,
    /// What is attached to it.
    pub referrers: Vec<Attached>,
}

/// Something that is attached.
#[derive(Debug, Clone, Serialize)]
pub struct Attached {
    /// Its digest.
    pub digest: Digest,
    /// `signature`, `sbom`, `attestation`, or its artifact type.
    pub kind: String,
    /// Its artifact type, where known.
    pub artifact_type: Option<String>,
    /// What attestations in it are about.
    pub predicates: Vec<String>,
    /// Its media type.
    pub media_type: String,
    /// Bytes of what it holds; `null` when it is not there.
    pub size: Option<u64>,
    /// How it was found.
    pub found_by: Way,
    /// The tag on it, if that is how it was found.
    pub tag: Option<String>,
    /// What is attached to it.
    pub referrers: Vec<Attached>,
}

impl Tree {
    /// Whether nothing is attached to anything.
    pub fn is_empty(&self) -> bool {
        self.referrers.is_empty() && self.images.is_empty()
    }
}

/// Finds what is attached to a manifest, and to the images that it lists.
pub async fn tree(content: &Content<'_>, selector: &Selector) -> Result<Tree> {
    let raw = content.registry.manifest(content.repository, selector).await?;
    let digest = raw.digest.clone();
    let parsed = content.parsed(&digest).await?;
    let finder = Finder { content, seen: Mutex::default() };
    let referrers = finder.attached(&digest, 0).await?;
    let mut images = Vec::new();
    if let Manifest::Index(index) = &parsed {
        let listed = index.manifests.iter().filter(|child| !child.is_attestation());
        let listed: Vec<&Descriptor> = listed.collect();
        let found = stream::iter(listed).map(|child| async {
            let mut referrers = finder.attached(&child.digest, 0).await?;
            for own in index.manifests.iter().filter(|own| own.attests() == Some(child.digest.as_str())) {
                referrers.extend(finder.describe(own.clone(), Way::Index, None, 0).await?);
            }
            let platform = child.platform.as_ref().filter(|platform| platform.is_known()).map(ToString::to_string);
            Ok(Image { digest: child.digest.clone(), platform, referrers })
        });
        let found: Vec<Image> = found.buffered(content.registry.concurrency().max(1)).try_collect().await?;
        images.extend(found.into_iter().filter(|image| !image.referrers.is_empty()));
    }
    let reference = content.reference(selector);
    Ok(Tree { reference, digest, kind: Shape::of(&parsed), media_type: raw.media_type, referrers, images })
}

struct Finder<'a> {
    content: &'a Content<'a>,
    /// What stands in the tree already, so that it has an end.
    seen: Mutex<BTreeSet<Digest>>,
}

impl Finder<'_> {
    /// What is attached to a manifest.
    fn attached<'b>(&'b self, subject: &'b Digest, depth: usize) -> BoxFuture<'b, Result<Vec<Attached>>> {
        async move {
            if depth > DEEPEST {
                return Ok(Vec::new());
            }
            let registry = self.content.registry;
            let listed = registry.referrers(self.content.repository, subject).await?;
            let way = if listed.native { Way::Api } else { Way::FallbackTag };
            let tag = (!listed.native).then(|| subject.fallback_tag());
            let mut found = Vec::new();
            for item in listed.items {
                found.extend(self.describe(item, way, tag.clone(), depth).await?);
            }
            for (ending, kind) in [("sig", "signature"), ("att", "attestation"), ("sbom", "sbom")] {
                let name = format!("{}.{ending}", subject.fallback_tag());
                let tag: Tag = name.parse().expect("a fallback tag with an ending is a tag");
                let head = match registry.head(self.content.repository, &tag.into()).await {
                    Ok(head) => head,
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                };
                let attached = self.describe(head, Way::CosignTag, Some(name), depth).await?;
                found.extend(attached.map(|attached| Attached { kind: kind.to_owned(), ..attached }));
            }
            Ok(found)
        }
        .boxed()
    }

    /// One thing that is attached; `None` when it stands in the tree already.
    async fn describe(&self, item: Descriptor, found_by: Way, tag: Option<String>, depth: usize) -> Result<Option<Attached>> {
        if !self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(item.digest.clone()) {
            return Ok(None);
        }
        let (mut artifact_type, mut size, mut predicates) = (item.artifact_type.clone(), None, BTreeSet::new());
        match self.content.parsed(&item.digest).await {
            Ok(Manifest::Image(image)) => {
                artifact_type = image.artifact_kind().map(str::to_owned).or(artifact_type);
                size = Some(image.layers.iter().fold(0, |sum: u64, layer| sum.saturating_add(layer.size)));
                for layer in &image.layers {
                    let names = ["in-toto.io/predicate-type", "predicateType"];
                    predicates.extend(names.iter().filter_map(|name| layer.annotations.get(*name).cloned()));
                }
            }
            Ok(Manifest::Index(index)) => {
                artifact_type = index.artifact_type.or(artifact_type);
                size = Some(index.manifests.iter().fold(0, |sum: u64, child| sum.saturating_add(child.size)));
            }
            Ok(Manifest::Schema1(_) | Manifest::Unknown(_)) => size = Some(item.size),
            // a list may name what has gone; verify reports it
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let artifact_type = artifact_type.filter(|kind| !kind.is_empty());
        let kind = match found_by {
            Way::Index => "attestation".to_owned(),
            Way::Api | Way::FallbackTag | Way::CosignTag => purpose(artifact_type.as_deref()),
        };
        let referrers = self.attached(&item.digest, depth + 1).await?;
        let predicates = predicates.into_iter().collect();
        let Descriptor { digest, media_type, .. } = item;
        Ok(Some(Attached { digest, kind, artifact_type, predicates, media_type, size, found_by, tag, referrers }))
    }
}
