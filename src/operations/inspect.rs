//! Everything there is to know about one manifest, whatever its media type.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::image::{DEEPEST_INDEX, Shape, WIDEST_INDEX};
use super::{Content, Ticker};
use crate::oci::{Descriptor, Digest, ImageManifest, Manifest, Platform, RawManifest, RunConfig, Selector, Tag, media_type};
use crate::registry::{Error, ErrorKind, Result};

/// Repositories with more tags than this are not searched for other tags on the digest unless asked to: that costs a request a tag
/// (users' reports: skopeo#785).
const FEW_TAGS: usize = 100;

/// What to find out.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Which image of an index.
    pub platform: Option<Platform>,
    /// Whether to look for other tags on the digest; `None` does so in small repositories.
    pub other_tags: Option<bool>,
}

/// A manifest, inspected. What is not known is `null`.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// The reference that was asked for, in full.
    pub reference: String,
    /// Digest of the manifest shown.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// What kind of thing it is.
    pub kind: Shape,
    /// The kind of artifact, when it is one.
    pub artifact_type: Option<String>,
    /// Bytes of the manifest itself.
    pub manifest_size: u64,
    /// Bytes of config and layers, each blob once, of all images together.
    pub size: Option<u64>,
    /// When it was built.
    pub created_at: Option<Timestamp>,
    /// The images, for an index; the one image, for an image.
    pub images: Vec<ImageReport>,
    /// Children of an index that are attestations.
    pub attestations: Vec<Digest>,
    /// Children of an index that the server does not have.
    pub missing: Vec<Digest>,
    /// The layers, lowest first, for anything but an index.
    pub layers: Vec<LayerReport>,
    /// How it runs, for an image.
    pub config: Option<RunReport>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// What this is attached to.
    pub subject: Option<Digest>,
    /// What is attached to it.
    pub referrers: Option<Vec<Referrer>>,
    /// Other tags on the digest; `null` when nobody looked.
    pub also_tagged: Option<Vec<String>>,
    /// The document, for a media type that this program doesn't know.
    pub document: Option<Value>,
}

/// One image of an index, or the image itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageReport {
    /// What it runs on.
    pub platform: Option<String>,
    /// Its manifest.
    pub digest: Digest,
    /// Bytes of config and layers.
    pub size: u64,
    /// How many layers.
    pub layers: usize,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerReport {
    /// Its digest.
    pub digest: Digest,
    /// Bytes; `null` when the server would not say.
    pub size: Option<u64>,
    /// Its media type.
    pub media_type: String,
    /// What it is called, for artifacts.
    pub title: Option<String>,
}

/// How an image runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunReport {
    /// As whom.
    pub user: Option<String>,
    /// Where.
    pub working_dir: Option<String>,
    /// What runs it.
    pub entrypoint: Vec<String>,
    /// The command.
    pub cmd: Vec<String>,
    /// The environment.
    pub env: Vec<String>,
}

/// Something attached to the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Referrer {
    /// `signature`, `sbom`, `attestation`, or the artifact type itself.
    pub kind: String,
    /// Its artifact type, where known.
    pub artifact_type: Option<String>,
    /// Its manifest.
    pub digest: Digest,
    /// Bytes of its manifest.
    pub size: u64,
}

/// Looks at a manifest.
pub async fn inspect(content: &Content<'_>, selector: &Selector, query: &Query, tick: Ticker<'_>) -> Result<Inspection> {
    let registry = content.registry;
    let mut raw = registry.manifest(content.repository, selector).await?;
    let mut manifest = read(content, &raw)?;
    if let Some(wanted) = &query.platform {
        (raw, manifest) = choose(content, raw, manifest, wanted).await?;
    }
    let mut inspection = Inspection {
        reference: content.reference(selector),
        digest: raw.digest.clone(),
        media_type: raw.media_type.clone(),
        kind: Shape::of(&manifest),
        artifact_type: None,
        manifest_size: raw.bytes.len() as u64,
        size: None,
        created_at: None,
        images: Vec::new(),
        attestations: Vec::new(),
        missing: Vec::new(),
        layers: Vec::new(),
        config: None,
        labels: BTreeMap::new(),
        annotations: manifest.annotations(),
        subject: manifest.subject().map(|subject| subject.digest.clone()),
        referrers: None,
        also_tagged: None,
        document: None,
    };
    let (filled, referrers, also_tagged) = futures_util::join!(
        fill(content, &raw.digest, manifest, &mut inspection),
        registry.referrers(content.repository, &raw.digest),
        other_tags(content, &raw.digest, selector, query.other_tags, tick),
    );
    filled?;
    let also_tagged = also_tagged?;
    inspection.referrers = match referrers {
        Ok(referrers) => Some(referrers.items.into_iter().map(referrer).collect()),
        Err(error) if error.stops_a_batch() => return Err(error),
        // what is attached is beside the question; null says that it isn't known
        Err(_) => None,
    };
    if let Some((same, attached)) = also_tagged {
        inspection.also_tagged = Some(same);
        let cosign = futures_util::future::try_join_all(attached.into_iter().map(|tag| cosign_referrer(content, tag))).await?;
        let known = inspection.referrers.get_or_insert_default();
        known.extend(cosign.into_iter().flatten());
    }
    Ok(inspection)
}

fn read(content: &Content<'_>, raw: &RawManifest) -> Result<Manifest> {
    let invalid = |error: crate::oci::ManifestError| {
        Error::new(ErrorKind::Protocol, "read", content.reference(&raw.digest.clone().into())).because(error.to_string())
    };
    raw.parse().map_err(invalid)
}

/// The image for a platform.
async fn choose(content: &Content<'_>, raw: RawManifest, manifest: Manifest, wanted: &Platform) -> Result<(RawManifest, Manifest)> {
    let Manifest::Index(index) = &manifest else { return Ok((raw, manifest)) };
    let mut level = index.manifests.clone();
    for _ in 0..DEEPEST_INDEX {
        let fits = level.iter().find(|child| child.platform.as_ref().is_some_and(|platform| platform.satisfies(wanted)));
        if let Some(child) = fits {
            let raw = content.manifest(&child.digest).await?;
            let manifest = read(content, &raw)?;
            return Ok(((*raw).clone(), manifest));
        }
        let mut next = Vec::new();
        for child in level.iter().filter(|child| media_type::is_index(&child.media_type)).take(WIDEST_INDEX) {
            next.extend_from_slice(content.parsed(&child.digest).await?.children());
        }
        level = next;
    }
    let there: Vec<String> = index
        .manifests
        .iter()
        .filter_map(|child| child.platform.as_ref())
        .filter(|p| p.is_known())
        .map(ToString::to_string)
        .collect();
    Err(Error::new(ErrorKind::NotFound, "find", format!("an image for {wanted} in {}", content.reference(&raw.digest.into())))
        .because(format!("it has {}", if there.is_empty() { "none with a platform".into() } else { there.join(", ") })))
}

async fn fill(content: &Content<'_>, digest: &Digest, manifest: Manifest, inspection: &mut Inspection) -> Result<()> {
    match manifest {
        Manifest::Image(image) => fill_image(content, digest, image, inspection).await,
        Manifest::Index(index) => {
            inspection.artifact_type = index.artifact_type.clone();
            inspection.attestations =
                index.manifests.iter().filter(|child| child.is_attestation()).map(|child| child.digest.clone()).collect();
            fill_index(content, index.manifests, inspection).await
        }
        Manifest::Schema1(old) => {
            if let Some(config) = old.config() {
                inspection.created_at = config.created;
                inspection.images.push(ImageReport {
                    platform: Some(&config.platform).filter(|platform| platform.is_known()).map(ToString::to_string),
                    digest: digest.clone(),
                    size: 0,
                    layers: old.fs_layers.len(),
                });
                describe_run(config.run, inspection);
            }
            // schema 1 says no sizes; lowest layer first, as everywhere else
            let blobs: Vec<Digest> = old.fs_layers.into_iter().rev().map(|layer| layer.blob_sum).collect();
            inspection.layers = stream::iter(blobs)
                .map(|blob| async move {
                    let size = content.registry.blob_size(content.repository, &blob).await.ok();
                    LayerReport { digest: blob, size, media_type: String::new(), title: None }
                })
                .buffered(content.registry.concurrency().max(1))
                .collect()
                .await;
            let mut seen = std::collections::BTreeSet::new();
            let sizes: Option<Vec<u64>> =
                inspection.layers.iter().filter(|layer| seen.insert(&layer.digest)).map(|layer| layer.size).collect();
            inspection.size = sizes.map(|sizes| sizes.into_iter().fold(0, u64::saturating_add));
            if let (Some(image), Some(size)) = (inspection.images.first_mut(), inspection.size) {
                image.size = size;
            }
            Ok(())
        }
        Manifest::Unknown(document) => {
            inspection.artifact_type = document.get("artifactType").and_then(Value::as_str).map(str::to_owned);
            inspection.document = Some(document);
            Ok(())
        }
    }
}

async fn fill_image(content: &Content<'_>, digest: &Digest, image: ImageManifest, inspection: &mut Inspection) -> Result<()> {
    inspection.artifact_type = image.artifact_kind().map(str::to_owned);
    inspection.size = Some(image.size());
    let config = content.run_config(&image.config).await?;
    if inspection.artifact_type.is_none() {
        let platform = config.as_ref().map(|config| &config.platform).filter(|platform| platform.is_known());
        inspection.images.push(ImageReport {
            platform: platform.map(ToString::to_string),
            digest: digest.clone(),
            size: image.size(),
            layers: image.layers.len(),
        });
    }
    if let Some(config) = config {
        inspection.created_at = config.created;
        describe_run(config.run, inspection);
    }
    inspection.layers = image
        .layers
        .into_iter()
        .map(|layer| LayerReport {
            title: layer.annotations.get("org.opencontainers.image.title").cloned(),
            digest: layer.digest,
            size: Some(layer.size),
            media_type: layer.media_type,
        })
        .collect();
    Ok(())
}

fn describe_run(run: RunConfig, inspection: &mut Inspection) {
    inspection.labels = run.labels;
    inspection.config = Some(RunReport {
        user: run.user.filter(|user| !user.is_empty()),
        working_dir: run.working_dir.filter(|directory| !directory.is_empty()),
        entrypoint: run.entrypoint,
        cmd: run.cmd,
        env: run.env,
    });
}

/// Images, sizes and dates of an index, through nested ones.
async fn fill_index(content: &Content<'_>, children: Vec<Descriptor>, inspection: &mut Inspection) -> Result<()> {
    let mut blobs: BTreeMap<Digest, u64> = BTreeMap::new();
    let mut level = children;
    for _ in 0..DEEPEST_INDEX {
        let wanted = std::mem::take(&mut level).into_iter().filter(|child| !child.is_attestation()).take(WIDEST_INDEX);
        let read: Vec<(Descriptor, Option<Manifest>)> = stream::iter(wanted)
            .map(|child| async move {
                match content.parsed(&child.digest).await {
                    Ok(manifest) => Ok((child, Some(manifest))),
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok((child, None)),
                    Err(error) => Err(error),
                }
            })
            .buffered(content.registry.concurrency().max(1))
            .try_collect()
            .await?;
        for (child, manifest) in read {
            match manifest {
                Some(Manifest::Image(image)) => {
                    let mut platform = child.platform.clone();
                    if inspection.created_at.is_none() || platform.is_none() {
                        let config = content.config(&image.config).await?;
                        inspection.created_at = inspection.created_at.max(config.as_ref().and_then(|config| config.created));
                        platform = platform.or_else(|| config.map(|config| config.platform.clone()));
                    }
                    blobs.extend(std::iter::once(&image.config).chain(&image.layers).map(|blob| (blob.digest.clone(), blob.size)));
                    inspection.images.push(ImageReport {
                        platform: platform.filter(Platform::is_known).map(|platform| platform.to_string()),
                        digest: child.digest,
                        size: image.size(),
                        layers: image.layers.len(),
                    });
                }
                Some(Manifest::Index(index)) => level.extend(index.manifests),
                Some(Manifest::Schema1(_) | Manifest::Unknown(_)) => {}
                None => inspection.missing.push(child.digest),
            }
        }
        if level.is_empty() {
            break;
        }
    }
    inspection.size = Some(blobs.into_values().fold(0, u64::saturating_add));
    Ok(())
}

/// Other tags on the digest, and cosign's tags for it.
async fn other_tags(
    content: &Content<'_>,
    digest: &Digest,
    selector: &Selector,
    wanted: Option<bool>,
    tick: Ticker<'_>,
) -> Result<Option<(Vec<String>, Vec<Tag>)>> {
    if wanted == Some(false) {
        return Ok(None);
    }
    let mut names = Vec::new();
    let mut pages = content.registry.tags(content.repository);
    loop {
        match pages.try_next().await {
            Ok(Some(page)) => names.extend(page.into_iter().filter_map(|entry| entry.name.parse::<Tag>().ok())),
            Ok(None) => break,
            Err(error) if error.stops_a_batch() || wanted == Some(true) => return Err(error),
            // the tags are beside the question
            Err(_) => return Ok(None),
        }
        if wanted.is_none() && names.len() > FEW_TAGS {
            return Ok(None);
        }
    }
    let prefix = digest.fallback_tag();
    let (attached, others): (Vec<Tag>, Vec<Tag>) =
        names.into_iter().filter(|tag| tag.as_str() != selector.as_str()).partition(|tag| tag.is_attachment());
    let attached = attached.into_iter().filter(|tag| tag.as_str().strip_prefix(&prefix).is_some_and(|rest| rest.starts_with('.')));
    let total = others.len() as u64;
    let mut done = 0;
    let mut same = Vec::new();
    let mut heads = stream::iter(others)
        .map(|tag| async move { (content.registry.head(content.repository, &tag.clone().into()).await, tag) })
        .buffered(content.registry.concurrency().max(1));
    while let Some((head, tag)) = heads.next().await {
        done += 1;
        tick(done, Some(total));
        match head {
            Ok(head) if head.digest == *digest => same.push(tag.as_str().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.stops_a_batch() || wanted == Some(true) => return Err(error),
            Err(_) => return Ok(None),
        }
    }
    same.sort();
    Ok(Some((same, attached.collect())))
}

fn referrer(descriptor: Descriptor) -> Referrer {
    let artifact_type = descriptor.artifact_type.filter(|kind| !kind.is_empty());
    Referrer { kind: purpose(artifact_type.as_deref()), artifact_type, digest: descriptor.digest, size: descriptor.size }
}

/// cosign's older way: a tag made of the digest, with an ending that says what it is.
async fn cosign_referrer(content: &Content<'_>, tag: Tag) -> Result<Option<Referrer>> {
    let kind = match tag.as_str().rsplit_once('.').map(|(_, ending)| ending) {
        Some("sig") => "signature",
        Some("att") => "attestation",
        Some("sbom") => "sbom",
        _ => return Ok(None),
    };
    match content.registry.head(content.repository, &tag.into()).await {
        Ok(head) => Ok(Some(Referrer { kind: kind.into(), artifact_type: None, digest: head.digest, size: head.size })),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What an attached artifact is for, in one word.
pub(super) fn purpose(artifact_type: Option<&str>) -> String {
    let Some(kind) = artifact_type else { return "artifact".into() };
    let has = |words: &[&str]| words.iter().any(|word| kind.contains(word));
    match () {
        () if has(&["signature", "cosign.artifact.sig", "notary"]) => "signature".into(),
        () if has(&["cyclonedx", "spdx", "sbom", "syft"]) => "sbom".into(),
        () if has(&["in-toto", "attestation", "slsa", "dsse"]) => "attestation".into(),
        () if has(&["sarif", "vulnerab"]) => "scan report".into(),
        () => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::purpose;

    #[test]
    fn purposes() {
        for (kind, word) in [
            (Some("application/vnd.dev.cosign.artifact.sig.v1+json"), "signature"),
            (Some("application/vnd.cncf.notary.signature"), "signature"),
            (Some("application/vnd.cyclonedx+json"), "sbom"),
            (Some("application/spdx+json"), "sbom"),
            (Some("application/vnd.in-toto+json"), "attestation"),
            (Some("application/vnd.acme.thing"), "application/vnd.acme.thing"),
            (None, "artifact"),
        ] {
            assert_eq!(purpose(kind), word, "{kind:?}");
        }
    }
}
