//! The words of the OCI specifications as types: what a valid name, tag, digest, descriptor and manifest is.
//!
//! Pure: nothing here reads a file, a clock or the network. Follows image-spec 1.1 and distribution-spec 1.1, and the Docker
//! formats that came before them. Parsing is lenient where servers are known to differ (nulls, missing fields, unknown media types)
//! and strict where a wrong value would end up in a request path.

mod config;
mod descriptor;
mod digest;
mod manifest;
pub mod media_type;
mod platform;
mod reference;

pub use config::{ImageConfig, RunConfig, is_plausible_date};
pub use descriptor::Descriptor;
pub use digest::{Digest, DigestHasher};
pub use manifest::{ImageManifest, Index, Manifest, ManifestError, RawManifest, Schema1};
pub use platform::Platform;
pub use reference::{InvalidName, Reference, Repository, Selector, Tag, is_attachment_tag};

/// Reads `null` as the default value: Go servers write `null` for an empty list or map.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + serde::Deserialize<'de>,
{
    Ok(<Option<T> as serde::Deserialize>::deserialize(deserializer)?.unwrap_or_default())
}
