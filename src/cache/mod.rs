//! Manifests and image configs by digest, kept between runs: content that can't change need not be fetched twice (SPEC §2, §11).
//!
//! Files below the cache folder, one a digest, private to the user. Nothing depends on them: each is checked against its digest when it is
//! read, a damaged one is deleted, all of them may be deleted at any time, and a folder that can't be written is one that stays empty. Many
//! processes may read and write at once: names say what is in a file, and one that is not whole yet is as good as a damaged one.

mod registry;

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use bytes::Bytes;

use crate::files;
use crate::oci::{Digest, RawManifest};
use crate::registry::Remembered;

pub use registry::Remembering;

/// What the cache may take on the disk, roughly: manifests and configs of some 200,000 images.
const MOST_BYTES: u64 = 512 * 1024 * 1024;
/// Folders that it is spread over, one for each first byte of a digest, so that tidying looks at a few files only.
const SHARDS: u64 = 256;
/// What one of them may take.
const MOST_IN_SHARD: u64 = MOST_BYTES / SHARDS;
/// Content that is larger is rare and would push out much that is small.
const LARGEST: usize = 1024 * 1024;

/// The cache.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    hits: AtomicU64,
    /// Bytes that this process has put into each shard since it tidied it.
    written: Mutex<HashMap<u8, u64>>,
}

/// What a file holds; part of its name.
#[derive(Debug, Clone, Copy)]
enum Sort {
    Manifest,
    Blob,
}

impl Cache {
    /// The cache in this folder, which is made when there is something to keep.
    pub fn new(folder: impl Into<PathBuf>) -> Cache {
        Cache { folder: folder.into().join("content"), hits: AtomicU64::new(0), written: Mutex::default() }
    }

    /// Where something else goes that is kept between runs and may be deleted at any time.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.with_file_name(name)
    }

    /// How often something was found in this run.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    fn path(&self, sort: Sort, digest: &Digest) -> PathBuf {
        let ending = match sort {
            Sort::Manifest => "manifest",
            Sort::Blob => "blob",
        };
        let shard = digest.encoded().get(..2).unwrap_or("00");
        self.folder.join(digest.algorithm()).join(shard).join(format!("{}.{ending}", digest.encoded()))
    }

    fn read(&self, sort: Sort, digest: &Digest) -> Option<Vec<u8>> {
        fs::read(self.path(sort, digest)).ok().filter(|content| content.len() <= LARGEST + media_type_max())
    }

    fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Forgets what is not what its name says.
    fn forget(&self, sort: Sort, digest: &Digest) {
        let _ = fs::remove_file(self.path(sort, digest));
    }

    fn write(&self, sort: Sort, digest: &Digest, parts: &[&[u8]]) -> io::Result<()> {
        let path = self.path(sort, digest);
        let folder = path.parent().expect("a shard has a folder");
        if !folder.is_dir() {
            files::make_private_folder(folder).map_err(io::Error::other)?;
        }
        // Written under its own name, neither synced nor renamed, which would cost as much as writing it: whoever finds a part of it, even
        // while it is written, sees that it fails the check, and fetches it.
        let mut options = fs::File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            opened => opened?,
        };
        let mut length = 0;
        for part in parts {
            file.write_all(part)?;
            length += part.len() as u64;
        }
        self.account(folder, digest, length);
        Ok(())
    }

    /// An empty file stands for each place.
    fn mark(&self, place: &str) -> PathBuf {
        self.beside("been").join(Digest::sha256(place.as_bytes()).encoded())
    }

    /// Tidies a shard now and then: the first time that this process writes to it, and after each quarter of what it may hold.
    fn account(&self, folder: &Path, digest: &Digest, length: u64) {
        let shard = digest.encoded().get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or(0);
        let mut written = self.written.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let known = written.contains_key(&shard);
        let since = written.entry(shard).or_default();
        *since += length;
        if !known || *since > MOST_IN_SHARD / 4 {
            *since = 0;
            drop(written);
            tidy(folder, MOST_IN_SHARD);
        }
    }
}

/// Deletes the oldest files of a folder until what is left fits, with room for more.
fn tidy(folder: &Path, most: u64) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        })
        .collect();
    let mut total: u64 = files.iter().map(|(_, length, _)| length).sum();
    if total <= most {
        return;
    }
    files.sort();
    for (_, length, path) in files {
        if total <= most / 4 * 3 {
            break;
        }
        // another process may have been faster
        let _ = fs::remove_file(path);
        total -= length;
    }
}

/// A media type is no longer than this (RFC 6838 §4.2: two names of at most 127 characters), and a line break ends it.
const fn media_type_max() -> usize {
    127 + 1 + 127 + 1
}

impl Remembered for Cache {
    fn manifest(&self, digest: &Digest) -> Option<RawManifest> {
        let mut content = self.read(Sort::Manifest, digest)?;
        let read = content.iter().position(|byte| *byte == b'\n').and_then(|end| {
            let bytes = content.split_off(end + 1);
            content.truncate(end);
            let media_type = String::from_utf8(std::mem::take(&mut content)).ok()?;
            digest.verifies(&bytes).then(|| RawManifest { media_type, digest: digest.clone(), bytes: bytes.into() })
        });
        if read.is_some() {
            self.hit()
        } else {
            self.forget(Sort::Manifest, digest)
        }
        read
    }

    fn keep_manifest(&self, manifest: &RawManifest) {
        let kind = manifest.media_type.as_bytes();
        if manifest.bytes.len() > LARGEST || kind.len() >= media_type_max() || kind.contains(&b'\n') {
            return;
        }
        let _ = self.write(Sort::Manifest, &manifest.digest, &[kind, b"\n", &manifest.bytes]);
    }

    fn blob(&self, digest: &Digest) -> Option<Bytes> {
        let content = self.read(Sort::Blob, digest)?;
        if digest.verifies(&content) {
            self.hit();
            Some(content.into())
        } else {
            self.forget(Sort::Blob, digest);
            None
        }
    }

    fn keep_blob(&self, digest: &Digest, content: &[u8]) {
        if content.len() <= LARGEST && digest.verifies(content) {
            let _ = self.write(Sort::Blob, digest, &[content]);
        }
    }

    fn been_to(&self, place: &str) -> bool {
        self.mark(place).exists()
    }

    fn goes_to(&self, place: &str) {
        let mark = self.mark(place);
        let folder = mark.parent().expect("a mark has a folder");
        if files::make_private_folder(folder).is_ok() {
            // that it can't be written costs a few requests the next time
            let _ = fs::File::create(mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::media_type;

    #[test]
    fn what_is_kept_is_found_again_and_checked() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let manifest = RawManifest::new(media_type::OCI_MANIFEST, r#"{"schemaVersion":2}"#.to_owned());
        assert_eq!(cache.manifest(&manifest.digest), None);
        cache.keep_manifest(&manifest);
        let config = Digest::sha256(b"{}");
        cache.keep_blob(&config, b"{}");
        let again = Cache::new(folder.path());
        assert_eq!(again.manifest(&manifest.digest), Some(manifest.clone()));
        assert_eq!(again.blob(&config).unwrap(), "{}");
        assert_eq!(again.blob(&manifest.digest), None, "a manifest is no blob");
        assert_eq!(again.hits(), 2);

        let path = again.path(Sort::Blob, &config);
        fs::write(&path, "[]").unwrap();
        assert_eq!(again.blob(&config), None);
        assert!(!path.exists(), "what is wrong is forgotten");
        fs::write(again.path(Sort::Manifest, &manifest.digest), "no line break").unwrap();
        assert_eq!(again.manifest(&manifest.digest), None);
        cache.keep_blob(&config, b"something else");
        assert_eq!(cache.blob(&config), None);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let config = Digest::sha256(b"{}");
        cache.keep_blob(&config, b"{}");
        let path = cache.path(Sort::Blob, &config);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap()), mode(&folder.path().join("content"))), (0o600, 0o700, 0o700));
    }

    #[test]
    fn places_are_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        assert!(!cache.been_to("prod/app"));
        cache.goes_to("prod/app");
        assert!(Cache::new(folder.path()).been_to("prod/app"));
        assert!(!cache.been_to("lab/app"));
    }

    #[test]
    fn a_folder_that_can_not_be_written_is_no_failure() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let cache = Cache::new(file.path());
        cache.goes_to("prod/app");
        assert!(!cache.been_to("prod/app"));
        let config = Digest::sha256(b"{}");
        cache.keep_blob(&config, b"{}");
        assert_eq!(cache.blob(&config), None);
    }

    #[test]
    fn the_oldest_go_first() {
        let folder = tempfile::tempdir().unwrap();
        for (age, name) in ["oldest", "older", "young", "younger"].into_iter().enumerate() {
            let path = folder.path().join(name);
            fs::write(&path, [0; 100]).unwrap();
            let then = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(age as u64);
            fs::File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
        }
        tidy(folder.path(), 400);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "it fits");
        tidy(folder.path(), 300);
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["young", "younger"]);
    }
}
