//! What points at content: type, digest and size (image-spec 1.1 "descriptor.md").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Digest, Platform, null_as_default};

/// A pointer to content. Keeps what the specification names; `urls` and `data` are left out on purpose: neither is ever fetched or
/// trusted here (CVE-2020-15157).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The content's media type; empty when the server or document did not say.
    #[serde(default, deserialize_with = "null_as_default")]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    #[serde(default, deserialize_with = "null_as_default")]
    pub size: u64,
    /// The kind of artifact that it points at, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The platform that it is for, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Free annotations.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// A descriptor with nothing but the three required fields.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Descriptor {
        Descriptor {
            media_type: media_type.into(),
            digest,
            size,
            artifact_type: None,
            platform: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Whether this layer is fetched from elsewhere, so that the registry need not have it (image-spec 1.1 "non-distributable layers").
    pub fn is_stored_elsewhere(&self) -> bool {
        self.media_type.contains(".foreign.") || self.media_type.contains("nondistributable")
    }

    /// Whether this child of an index is an attestation that BuildKit keeps beside the images, not an image to run.
    pub fn is_attestation(&self) -> bool {
        self.annotations.get("vnd.docker.reference.type").is_some_and(|kind| kind == "attestation-manifest")
    }

    /// The digest of the image that it is an attestation of.
    pub fn attests(&self) -> Option<&str> {
        self.annotations.get("vnd.docker.reference.digest").map(String::as_str).filter(|_| self.is_attestation())
    }
}
