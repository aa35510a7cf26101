//! Manifests: images, indexes, artifacts, schema 1 and what nobody has named yet (image-spec 1.1 "manifest.md", "image-index.md").

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Descriptor, Digest, ImageConfig, RunConfig, media_type, null_as_default};

/// A manifest as the server has it. The bytes are what the digest is of, so they are kept and never written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawManifest {
    /// Media type, without parameters.
    pub media_type: String,
    /// Digest of `bytes`, verified.
    pub digest: Digest,
    /// The document.
    pub bytes: Bytes,
}

impl RawManifest {
    /// A manifest of these bytes; the digest is computed.
    pub fn new(media_type: impl Into<String>, bytes: impl Into<Bytes>) -> RawManifest {
        let bytes = bytes.into();
        RawManifest { media_type: media_type.into(), digest: Digest::sha256(&bytes), bytes }
    }

    /// The descriptor that points at it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(&self.media_type, self.digest.clone(), self.bytes.len() as u64)
    }

    /// Reads the document.
    ///
    /// # Errors
    /// When it is not JSON, lacks required fields, or could be read as two different kinds (CVE-2021-41190).
    pub fn parse(&self) -> Result<Manifest, ManifestError> {
        Manifest::parse(&self.media_type, &self.bytes)
    }
}

/// Why a manifest can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or not of the shape that its media type promises.
    #[error("the manifest is not valid {media_type}: {source}")]
    Invalid {
        /// What it should be.
        media_type: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// An image and an index at once, or two media types that disagree.
    #[error("the manifest is ambiguous: {0}")]
    Ambiguous(String),
}

/// A manifest, read.
#[derive(Debug, Clone, PartialEq)]
pub enum Manifest {
    /// Config and layers: an image, or an artifact in an image's form.
    Image(ImageManifest),
    /// A list of other manifests.
    Index(Index),
    /// Docker's first format.
    Schema1(Schema1),
    /// A type this program doesn't know; the document is kept.
    Unknown(Value),
}

/// OCI image manifest or Docker schema 2.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// Kind of artifact, when this is not an image.
    #[serde(default)]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub layers: Vec<Descriptor>,
    /// What this manifest is attached to.
    #[serde(default)]
    pub subject: Option<Descriptor>,
    /// Free annotations.
    #[serde(default, deserialize_with = "null_as_default")]
    pub annotations: BTreeMap<String, String>,
    /// What it says that it is.
    #[serde(default)]
    media_type: Value,
    /// What an image doesn't have.
    #[serde(default)]
    manifests: Option<IgnoredAny>,
}

impl ImageManifest {
    /// What kind of artifact this is: `artifactType`, else the config's type when that isn't an image's; `None` for an image.
    pub fn artifact_kind(&self) -> Option<&str> {
        match self.artifact_type.as_deref().filter(|kind| !kind.is_empty()) {
            Some(kind) => Some(kind),
            None if media_type::is_image_config(&self.config.media_type) => None,
            None => Some(&self.config.media_type),
        }
    }

    /// Bytes of config and layers together; a layer that stands twice counts once.
    pub fn size(&self) -> u64 {
        let mut seen = std::collections::BTreeSet::new();
        std::iter::once(&self.config)
            .chain(&self.layers)
            .filter(|blob| seen.insert(&blob.digest))
            .fold(0, |sum, blob| sum.saturating_add(blob.size))
    }
}

/// OCI image index or Docker manifest list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Kind of artifact, when this lists no images.
    #[serde(default)]
    pub artifact_type: Option<String>,
    /// The manifests.
    #[serde(default, deserialize_with = "null_as_default")]
    pub manifests: Vec<Descriptor>,
    /// What this index is attached to.
    #[serde(default)]
    pub subject: Option<Descriptor>,
    /// Free annotations.
    #[serde(default, deserialize_with = "null_as_default")]
    pub annotations: BTreeMap<String, String>,
    /// What it says that it is.
    #[serde(default)]
    media_type: Value,
    /// What an index doesn't have.
    #[serde(default)]
    config: Option<IgnoredAny>,
    /// What an index doesn't have either.
    #[serde(default)]
    layers: Option<IgnoredAny>,
}

/// Docker image manifest version 2, schema 1: layers without sizes, history as strings of JSON.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema1 {
    /// Repository that it was pushed to.
    #[serde(default, deserialize_with = "null_as_default")]
    pub name: String,
    /// Tag that it was pushed to.
    #[serde(default, deserialize_with = "null_as_default")]
    pub tag: String,
    /// Processor.
    #[serde(default, deserialize_with = "null_as_default")]
    pub architecture: String,
    /// Layers, uppermost first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub fs_layers: Vec<FsLayer>,
    /// One entry a layer, uppermost first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub history: Vec<HistoryV1>,
}

/// A layer of schema 1.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FsLayer {
    /// The blob.
    pub blob_sum: Digest,
}

/// A history entry of schema 1.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct HistoryV1 {
    /// An image configuration of Docker's first format, as a string.
    #[serde(rename = "v1Compatibility", default, deserialize_with = "null_as_default")]
    pub v1_compatibility: String,
}

impl Schema1 {
    /// The configuration of the uppermost layer: close enough to an image's for date, platform and labels.
    pub fn config(&self) -> Option<ImageConfig<RunConfig>> {
        serde_json::from_str(&self.history.first()?.v1_compatibility).ok()
    }
}

impl Manifest {
    /// Reads a manifest that came with this media type; one that says nothing useful (`application/json`, empty) is told by the
    /// document itself.
    ///
    /// # Errors
    /// See [`RawManifest::parse`].
    pub fn parse(media_type: &str, bytes: &[u8]) -> Result<Manifest, ManifestError> {
        let invalid = |source| ManifestError::Invalid { media_type: media_type.to_owned(), source };
        let ambiguous = |what: &str| Err(ManifestError::Ambiguous(what.to_owned()));
        let outer = media_type::essence(media_type);
        let kind = match Kind::of(&outer) {
            // one whose type tells what it is needs to be read only once: what must not be in it is noticed on the way
            Some(kind @ (Kind::Image | Kind::Index)) => Some(kind),
            outer_kind => {
                let outline: Outline = serde_json::from_slice(bytes).map_err(invalid)?;
                if outline.manifests.is_some() && (outline.layers.is_some() || outline.config.is_some()) {
                    return ambiguous("it has both manifests and layers");
                }
                let stated = outline.media_type.as_str().unwrap_or_default();
                match (outer_kind, Kind::of(stated)) {
                    (Some(kind), Some(inner)) if kind != inner => return Err(disagreement(&outer, stated)),
                    (kind, inner) => kind.or(inner).or_else(|| outline.kind()),
                }
            }
        };
        match kind {
            Some(Kind::Image) => {
                let image: ImageManifest = serde_json::from_slice(bytes).map_err(invalid)?;
                match image.media_type.as_str() {
                    Some(stated) if Kind::of(stated).is_some_and(|kind| kind != Kind::Image) => Err(disagreement(&outer, stated)),
                    _ if image.manifests.is_some() => ambiguous("an image that has manifests"),
                    _ => Ok(Manifest::Image(image)),
                }
            }
            Some(Kind::Index) => {
                let index: Index = serde_json::from_slice(bytes).map_err(invalid)?;
                match index.media_type.as_str() {
                    Some(stated) if Kind::of(stated).is_some_and(|kind| kind != Kind::Index) => Err(disagreement(&outer, stated)),
                    _ if index.layers.is_some() || index.config.is_some() => ambiguous("an index that has layers"),
                    _ => Ok(Manifest::Index(index)),
                }
            }
            Some(Kind::Schema1) => serde_json::from_slice(bytes).map(Manifest::Schema1).map_err(invalid),
            None => serde_json::from_slice(bytes).map(Manifest::Unknown).map_err(invalid),
        }
    }

    /// What this manifest is attached to.
    pub fn subject(&self) -> Option<&Descriptor> {
        match self {
            Manifest::Image(image) => image.subject.as_ref(),
            Manifest::Index(index) => index.subject.as_ref(),
            Manifest::Schema1(_) | Manifest::Unknown(_) => None,
        }
    }

    /// The manifests that this one lists.
    pub fn children(&self) -> &[Descriptor] {
        match self {
            Manifest::Index(index) => &index.manifests,
            _ => &[],
        }
    }

    /// Its annotations.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        match self {
            Manifest::Image(image) => image.annotations.clone(),
            Manifest::Index(index) => index.annotations.clone(),
            Manifest::Schema1(_) | Manifest::Unknown(_) => BTreeMap::new(),
        }
    }
}

/// What tells the kinds of manifest apart where the media type does not. A field that stands twice is an error: readers differ in which they take.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Outline {
    #[serde(default)]
    media_type: Value,
    #[serde(default)]
    manifests: Option<IgnoredAny>,
    #[serde(default)]
    layers: Option<IgnoredAny>,
    #[serde(default)]
    config: Option<IgnoredAny>,
    #[serde(default)]
    fs_layers: Option<IgnoredAny>,
}

impl Outline {
    /// The kind that the fields tell.
    fn kind(&self) -> Option<Kind> {
        match self {
            Outline { manifests: Some(_), .. } => Some(Kind::Index),
            Outline { config: Some(_), layers: Some(_), .. } => Some(Kind::Image),
            Outline { fs_layers: Some(_), .. } => Some(Kind::Schema1),
            _ => None,
        }
    }
}

fn disagreement(outer: &str, stated: &str) -> ManifestError {
    ManifestError::Ambiguous(format!("the server says {outer}, the document {stated}"))
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Image,
    Index,
    Schema1,
}

impl Kind {
    fn of(media_type: &str) -> Option<Kind> {
        match media_type {
            _ if media_type::is_image(media_type) => Some(Kind::Image),
            _ if media_type::is_index(media_type) => Some(Kind::Index),
            _ if media_type::is_schema1(media_type) => Some(Kind::Schema1),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn descriptor(media_type: &str) -> String {
        format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":3}}"#, Digest::sha256(b"abc"))
    }

    #[test]
    fn kinds() {
        let image = format!(r#"{{"schemaVersion":2,"config":{0},"layers":[{0},{0}]}}"#, descriptor(media_type::OCI_CONFIG));
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, descriptor(media_type::OCI_MANIFEST));
        let schema1 = r#"{"schemaVersion":1,"name":"a","tag":"b","architecture":"amd64","fsLayers":[],"history":[{"v1Compatibility":"{\"os\":\"linux\",\"architecture\":\"amd64\",\"created\":\"2016-01-01T00:00:00Z\"}"}]}"#;
        for stated in [media_type::OCI_MANIFEST, media_type::DOCKER_MANIFEST, "application/json", ""] {
            let Manifest::Image(manifest) = Manifest::parse(stated, image.as_bytes()).unwrap() else { panic!("{stated}") };
            assert_eq!(manifest.size(), 3, "a blob that stands three times is there once");
            assert_eq!(manifest.artifact_kind(), None);
        }
        assert!(matches!(Manifest::parse(media_type::DOCKER_LIST, index.as_bytes()).unwrap(), Manifest::Index(_)));
        let Manifest::Schema1(old) = Manifest::parse("application/json; charset=utf-8", schema1.as_bytes()).unwrap() else {
            panic!()
        };
        assert_eq!(old.config().unwrap().platform.to_string(), "linux/amd64");
        assert!(matches!(Manifest::parse("application/vnd.new+json", b"{\"x\":1}").unwrap(), Manifest::Unknown(_)));
    }

    #[test]
    fn cve_2021_41190_ambiguous_documents_are_refused() {
        let blob = descriptor(media_type::OCI_CONFIG);
        let both = format!(r#"{{"schemaVersion":2,"config":{blob},"layers":[],"manifests":[]}}"#);
        for stated in [media_type::OCI_MANIFEST, media_type::OCI_INDEX, ""] {
            assert!(matches!(Manifest::parse(stated, both.as_bytes()), Err(ManifestError::Ambiguous(_))), "{stated}");
        }
        let disagrees = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#, media_type::OCI_INDEX);
        assert!(Manifest::parse(media_type::OCI_MANIFEST, disagrees.as_bytes()).is_err());
        let twice = format!(r#"{{"schemaVersion":2,"config":{blob},"layers":[],"layers":[{blob}]}}"#);
        for stated in [media_type::OCI_MANIFEST, ""] {
            assert!(matches!(Manifest::parse(stated, twice.as_bytes()), Err(ManifestError::Invalid { .. })), "{stated}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), which in 0..4usize) {
            let types = [media_type::OCI_MANIFEST, media_type::OCI_INDEX, media_type::DOCKER_SCHEMA1, ""];
            let _ = Manifest::parse(types[which], &bytes);
        }
    }
}
