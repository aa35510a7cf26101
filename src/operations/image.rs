//! What a manifest amounts to: kind, platforms, size, date.

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;

use super::Content;
use crate::oci::{Descriptor, Digest, ImageManifest, Manifest, media_type};
use crate::registry::Result;

/// Indexes may list indexes; real ones are two deep, a hostile one could be endless.
pub(super) const DEEPEST_INDEX: usize = 4;
/// An index with more manifests than this is not read child by child: the largest in use have a few dozen platforms.
pub(super) const WIDEST_INDEX: usize = 512;

/// What kind of thing a manifest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A container image for one platform.
    Image,
    /// A list of images.
    Index,
    /// Something else in an image's form: a chart, an SBOM, a signature.
    Artifact,
    /// Docker's first format.
    Schema1,
    /// A media type that this program doesn't know.
    Unknown,
}

impl Shape {
    /// The word for tables.
    pub fn word(self) -> &'static str {
        match self {
            Shape::Image => "image",
            Shape::Index => "index",
            Shape::Artifact => "artifact",
            Shape::Schema1 => "schema 1",
            Shape::Unknown => "unknown",
        }
    }

    /// The kind that a manifest's media type alone tells, if it tells any: an artifact looks like an image.
    pub fn of_type(kind: &str) -> Option<Shape> {
        match kind {
            kind if media_type::is_index(kind) => Some(Shape::Index),
            kind if media_type::is_schema1(kind) => Some(Shape::Schema1),
            media_type::DOCKER_MANIFEST => Some(Shape::Image),
            _ => None,
        }
    }

    /// The kind of a manifest.
    pub fn of(manifest: &Manifest) -> Shape {
        match manifest {
            Manifest::Image(image) if image.artifact_kind().is_some() => Shape::Artifact,
            Manifest::Image(_) => Shape::Image,
            Manifest::Index(_) => Shape::Index,
            Manifest::Schema1(_) => Shape::Schema1,
            Manifest::Unknown(_) => Shape::Unknown,
        }
    }
}

/// What a manifest amounts to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// What kind of thing it is.
    pub kind: Shape,
    /// The kind of artifact, when it is one.
    pub artifact_type: Option<String>,
    /// `os/arch[/variant]` of each image in it.
    pub platforms: Vec<String>,
    /// Bytes of config and layers, compressed; of an index, those of its largest image, which is what one pull costs at most.
    pub size: Option<u64>,
    /// When it was built; `None` when unknown, which a made-up date is.
    pub created_at: Option<Timestamp>,
}

/// Finds out what a manifest amounts to.
pub async fn summarise(content: &Content<'_>, digest: &Digest) -> Result<Summary> {
    let manifest = content.parsed(digest).await?;
    match &manifest {
        Manifest::Image(image) => of_image(content, image).await,
        Manifest::Index(index) => {
            let images = images(content, &index.manifests).await?;
            let size = images.iter().map(|(_, image)| image.size()).max();
            let created_at = match images.first() {
                Some((_, image)) => content.config(&image.config).await?.and_then(|config| config.created),
                None => None,
            };
            let platforms =
                index.manifests.iter().filter(|child| !child.is_attestation()).filter_map(|child| child.platform.clone());
            let platforms = platforms.filter(|platform| platform.is_known()).map(|platform| platform.to_string()).collect();
            let artifact_type = index.artifact_type.clone();
            Ok(Summary { kind: Shape::Index, artifact_type, platforms, size, created_at })
        }
        Manifest::Schema1(old) => {
            let config = old.config();
            let platform = config.as_ref().map(|config| &config.platform).filter(|platform| platform.is_known());
            Ok(Summary {
                kind: Shape::Schema1,
                artifact_type: None,
                platforms: platform.map(ToString::to_string).into_iter().collect(),
                size: None,
                created_at: config.and_then(|config| config.created),
            })
        }
        Manifest::Unknown(_) => {
            Ok(Summary { kind: Shape::Unknown, artifact_type: None, platforms: Vec::new(), size: None, created_at: None })
        }
    }
}

async fn of_image(content: &Content<'_>, image: &ImageManifest) -> Result<Summary> {
    let config = content.config(&image.config).await?;
    let platform = config.as_ref().map(|config| &config.platform).filter(|platform| platform.is_known());
    let annotated = image.annotations.get("org.opencontainers.image.created").and_then(|date| date.parse::<Timestamp>().ok());
    Ok(Summary {
        kind: if image.artifact_kind().is_some() { Shape::Artifact } else { Shape::Image },
        artifact_type: image.artifact_kind().map(str::to_owned),
        platforms: platform.map(ToString::to_string).into_iter().collect(),
        size: Some(image.size()),
        created_at: config
            .and_then(|config| config.created)
            .or_else(|| annotated.filter(|date| crate::oci::is_plausible_date(*date))),
    })
}

/// The images that an index leads to, through nested indexes, without attestations. A child that the server no longer has is left
/// out here; `verify` is what reports it.
pub(super) async fn images(content: &Content<'_>, children: &[Descriptor]) -> Result<Vec<(Descriptor, ImageManifest)>> {
    let mut level: Vec<Descriptor> = children.to_vec();
    let mut found = Vec::new();
    for _ in 0..DEEPEST_INDEX {
        let wanted = level.iter().filter(|child| !child.is_attestation()).take(WIDEST_INDEX).cloned();
        let manifests: Vec<(Descriptor, Option<Manifest>)> = stream::iter(wanted)
            .map(|child| async move {
                match content.parsed(&child.digest).await {
                    Ok(manifest) => Ok((child, Some(manifest))),
                    Err(error) if error.kind() == crate::registry::ErrorKind::NotFound => Ok((child, None)),
                    Err(error) => Err(error),
                }
            })
            .buffered(content.registry.concurrency())
            .try_collect()
            .await?;
        level = Vec::new();
        for (child, manifest) in manifests {
            match manifest {
                Some(Manifest::Image(image)) => found.push((child, image)),
                Some(Manifest::Index(index)) => level.extend(index.manifests),
                Some(Manifest::Schema1(_) | Manifest::Unknown(_)) | None => {}
            }
        }
        if level.is_empty() {
            break;
        }
    }
    Ok(found)
}
