//! The report that somebody attached to an image: found among its referrers and behind cosign's tag for attestations, told by its content.
//! Whoever may push can attach one, and signatures are not verified here.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::document;
use crate::oci::{Descriptor, Digest, Manifest, Tag};
use crate::operations::Content;
use crate::registry::{ErrorKind, Result, VulnerabilityReport};

/// Largest report that is read. Those of large images have a few megabytes; one of an image with tens of thousands of findings, 50.
pub(super) const REPORT_MAX: u64 = 64 * 1024 * 1024;
/// How many attached things are looked into, and layers of each. A scan a day for half a year is as many; a hostile list has no end.
const MOST_ATTACHED: usize = 256;
const MOST_LAYERS: usize = 32;
/// How many are read at once: each may be as large as the largest, in memory.
const AT_ONCE: usize = 2;
/// What is attached and never a report.
const NEVER: [&str; 4] = ["signature", "provenance", "spdx", "slsa"];

/// A report and what it is attached as.
pub(super) struct Attached {
    pub digest: Digest,
    pub report: VulnerabilityReport,
}

/// The newest report that is attached to a manifest. One that doesn't say when it was made is older than all that do.
pub(super) async fn newest(content: &Content<'_>, image: &Digest) -> Result<Option<Attached>> {
    let mut items = content.registry.referrers(content.repository, image).await?.items;
    let tag: Tag = format!("{}.att", image.fallback_tag()).parse().expect("a fallback tag with an ending is a tag");
    match content.registry.head(content.repository, &tag.into()).await {
        Ok(head) => items.push(head),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let may_be = |item: &Descriptor| item.artifact_type.as_deref().is_none_or(may_be_report);
    let items: Vec<Descriptor> = items.into_iter().filter(may_be).take(MOST_ATTACHED).collect();
    let newer = async |newest: Option<Attached>, found: Vec<Attached>| {
        Ok(newest.into_iter().chain(found).max_by_key(|attached| attached.report.scanned_at))
    };
    stream::iter(items).map(|item| reports(content, item.digest, image)).buffered(AT_ONCE).try_fold(None, newer).await
}

/// The reports among the layers of something that is attached.
async fn reports(content: &Content<'_>, digest: Digest, image: &Digest) -> Result<Vec<Attached>> {
    let manifest = match content.parsed(&digest).await {
        // a list may name what has gone
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Protocol) => return Ok(Vec::new()),
        other => other?,
    };
    let Manifest::Image(manifest) = manifest else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for layer in manifest.layers.iter().filter(|layer| may_hold_report(layer)).take(MOST_LAYERS) {
        let bytes = match content.blob_up_to(layer, REPORT_MAX).await {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Protocol) => continue,
            other => other?,
        };
        found.extend(document::read(&bytes, image).map(|report| Attached { digest: digest.clone(), report }));
    }
    Ok(found)
}

fn may_be_report(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    !NEVER.iter().any(|never| kind.contains(never))
}

/// Reports are JSON, whatever the type is called; layers of images are not.
fn may_hold_report(layer: &Descriptor) -> bool {
    let predicate = ["in-toto.io/predicate-type", "predicateType"].iter().find_map(|name| layer.annotations.get(*name));
    let archive = ["tar", "gzip", "zstd"].iter().any(|word| layer.media_type.contains(word));
    !archive && !layer.media_type.contains("simplesigning") && predicate.is_none_or(|predicate| may_be_report(predicate))
}
