//! The manifests of a run as an image layout (image-spec 1.1 "image-layout.md"), so that any tool can read what was kept.
//!
//! Manifests are written one by one while the run goes on; `index.json` lists them when it has ended. The log says the same all the
//! time, so that a layout without its index loses nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::json;

use super::{Entry, Error, RunId};
use crate::files;
use crate::oci::{Digest, RawManifest, media_type};

/// What is in `oci-layout`.
const MARK: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// Where a manifest is.
fn path(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join("blobs").join(digest.algorithm()).join(digest.encoded())
}

/// Begins a layout in a folder.
pub(super) fn begin(folder: &Path) -> Result<(), Error> {
    files::make_private_folder(&folder.join("blobs").join("sha256"))?;
    files::write_whole(&folder.join("oci-layout"), "0", MARK.as_bytes())?;
    files::sync(&folder.join("blobs"))?;
    Ok(files::sync(folder)?)
}

/// Writes a manifest; it is on the disk when this returns.
pub(super) fn write(folder: &Path, manifest: &RawManifest, unique: &str) -> Result<(), Error> {
    let path = path(folder, &manifest.digest);
    if path.exists() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(folder);
    if manifest.digest.algorithm() != "sha256" {
        files::make_private_folder(parent)?;
        files::sync(&folder.join("blobs"))?;
    }
    files::write_whole(&path, unique, &manifest.bytes)?;
    Ok(files::sync(parent)?)
}

/// Reads a manifest back, and proves that it is the one that was kept.
pub(super) fn read(folder: &Path, run: &RunId, entry: &Entry) -> Result<RawManifest, Error> {
    let damaged = || Error::Damaged { run: run.clone(), digest: entry.digest.clone() };
    let bytes = std::fs::read(path(folder, &entry.digest)).map_err(|_| damaged())?;
    // what could not be verified when it was fetched can't be here either; signed schema 1 has its digest from a part of it
    if entry.digest.verifies(&bytes) || media_type::is_schema1(&entry.media_type) && bytes.len() as u64 == entry.size {
        Ok(entry.manifest(Bytes::from(bytes)))
    } else {
        Err(damaged())
    }
}

/// Lists what was kept.
pub(super) fn finish(folder: &Path, entries: &[Entry]) -> Result<(), Error> {
    let mut manifests = Vec::new();
    let mut listed = BTreeSet::new();
    for entry in entries {
        let plain = json!({ "mediaType": entry.media_type, "digest": entry.digest, "size": entry.size });
        let names = entry.tags.iter().map(|tag| format!("{}/{}:{tag}", entry.place.registry, entry.place.repository));
        for name in names {
            let mut named = plain.clone();
            named["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
            manifests.push(named);
        }
        if entry.tags.is_empty() && listed.insert(&entry.digest) {
            manifests.push(plain);
        }
    }
    let index = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": manifests });
    files::write_whole(&folder.join("index.json"), "0", index.to_string().as_bytes())?;
    Ok(files::sync(folder)?)
}
