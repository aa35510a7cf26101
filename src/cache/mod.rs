//! Manifests and image configs by digest, kept between runs: content that can't change need not be fetched twice (SPEC §2, §11).
//!
//! What a run fetches is gathered in memory and written as one file, a pack, when it is enough or the run ends. Nothing depends on
//! these files: each piece is checked against its digest when it is read, a pack with a wrong one is deleted, all may be deleted at any time,
//! and a folder that can't be written is one that stays empty. Many processes may read and write at once: no name is used twice, no pack is
//! changed, and one that is not whole yet, or never will be, is none.

mod pack;
mod packs;
mod registry;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use data_encoding::HEXLOWER;

use crate::oci::{Digest, RawManifest};
use crate::registry::Remembered;
use pack::Key;
use packs::Packs;

pub use registry::Remembering;

/// Content that is larger is rare and would push out much that is small.
const LARGEST: usize = 1024 * 1024;

/// The cache.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    hits: AtomicU64,
    packs: Mutex<Packs>,
}

/// What a key stands for; its first byte.
#[derive(Debug, Clone, Copy)]
enum Sort {
    Manifest = 1,
    Blob = 2,
    /// A place that was gone through, which has no content.
    Place = 3,
}

impl Cache {
    /// The cache in this folder, which is made when there is something to keep.
    pub fn new(folder: impl Into<PathBuf>) -> Cache {
        let folder = folder.into();
        Cache { packs: Mutex::new(Packs::new(folder.join("content"))), folder, hits: AtomicU64::new(0) }
    }

    /// Where something else goes that is kept between runs and may be deleted at any time.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// How often something was found in this run.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Writes what was kept and not written yet. That it can't is no failure.
    pub fn finish(&self) {
        self.packs().finish();
    }

    fn packs(&self) -> MutexGuard<'_, Packs> {
        self.packs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `read` makes of what is kept under a key. What it finds wrong is forgotten.
    fn find<T>(&self, key: Key, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let mut packs = self.packs();
        let found = read(packs.get(&key)?);
        match found {
            Some(_) => _ = self.hits.fetch_add(1, Ordering::Relaxed),
            None => packs.forget(&key),
        }
        found
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.finish();
    }
}

/// The beginning of a digest is enough: what is found is checked against all of it.
fn key(sort: Sort, digest: &Digest) -> Key {
    let mut key = Key::default();
    key[0] = sort as u8;
    // one that is not hexadecimal can't be verified either, so nothing is ever kept of it
    if let Some(beginning) = digest.encoded().as_bytes().get(..2 * (key.len() - 1)) {
        let _ = HEXLOWER.decode_mut(beginning, &mut key[1..]);
    }
    key
}

fn place_key(place: &str) -> Key {
    key(Sort::Place, &Digest::sha256(place.as_bytes()))
}

/// A media type is no longer than this (RFC 6838 §4.2: two names of at most 127 characters), and a line break ends it.
const fn media_type_max() -> usize {
    127 + 1 + 127 + 1
}

impl Remembered for Cache {
    fn manifest(&self, digest: &Digest) -> Option<RawManifest> {
        self.find(key(Sort::Manifest, digest), |content| {
            let end = memchr::memchr(b'\n', content)?;
            let (media_type, bytes) = (str::from_utf8(&content[..end]).ok()?, &content[end + 1..]);
            digest.verifies(bytes).then(|| RawManifest {
                media_type: media_type.to_owned(),
                digest: digest.clone(),
                bytes: Bytes::copy_from_slice(bytes),
            })
        })
    }

    fn keep_manifest(&self, manifest: &RawManifest) {
        let kind = manifest.media_type.as_bytes();
        if manifest.bytes.len() > LARGEST || kind.len() >= media_type_max() || kind.contains(&b'\n') {
            return;
        }
        self.packs().add(key(Sort::Manifest, &manifest.digest), &[kind, b"\n", &manifest.bytes]);
    }

    fn blob(&self, digest: &Digest) -> Option<Bytes> {
        self.find(key(Sort::Blob, digest), |content| digest.verifies(content).then(|| Bytes::copy_from_slice(content)))
    }

    fn keep_blob(&self, digest: &Digest, content: &[u8]) {
        // whether it is what the digest says is found out when it is wanted again; one that can't be found out is of no use
        if content.len() <= LARGEST && digest.hasher().is_some() {
            self.packs().add(key(Sort::Blob, digest), &[content]);
        }
    }

    fn been_to(&self, place: &str) -> bool {
        self.packs().contains(&place_key(place))
    }

    fn goes_to(&self, place: &str) {
        self.packs().add(place_key(place), &[]);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::oci::media_type;

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder.join("content")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|ending| ending == "pack")).collect()
    }

    fn config(number: u32) -> (Digest, Vec<u8>) {
        let content = format!(r#"{{"number":{number}}}"#).into_bytes();
        (Digest::sha256(&content), content)
    }

    #[test]
    fn what_is_kept_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let manifest = RawManifest::new(media_type::OCI_MANIFEST, r#"{"schemaVersion":2}"#.to_owned());
        assert_eq!(cache.manifest(&manifest.digest), None);
        cache.keep_manifest(&manifest);
        let config = Digest::sha256(b"{}");
        cache.keep_blob(&config, b"{}");
        assert_eq!(cache.manifest(&manifest.digest), Some(manifest.clone()), "before it is written");
        cache.finish();
        assert_eq!(cache.blob(&config).unwrap(), "{}", "after it is written");
        let again = Cache::new(folder.path());
        assert_eq!(again.manifest(&manifest.digest), Some(manifest.clone()));
        assert_eq!(again.blob(&config).unwrap(), "{}");
        assert_eq!(again.blob(&manifest.digest), None, "a manifest is no blob");
        assert_eq!(again.hits(), 2);
        cache.keep_blob(&config, b"something else");
        assert_eq!(cache.blob(&config).unwrap(), "{}");
        drop((cache, again));
        assert_eq!(files(folder.path()).len(), 1, "a run is a file");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        Cache::new(folder.path()).keep_blob(&Digest::sha256(b"{}"), b"{}");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&files(folder.path())[0]), mode(&folder.path().join("content"))), (0o600, 0o700));
    }

    #[test]
    fn places_are_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        assert!(!cache.been_to("prod/app"));
        cache.goes_to("prod/app");
        drop(cache);
        let cache = Cache::new(folder.path());
        assert!(cache.been_to("prod/app"));
        assert!(!cache.been_to("lab/app"));
    }

    #[test]
    fn a_folder_that_can_not_be_written_is_no_failure() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let cache = Cache::new(file.path());
        let config = Digest::sha256(b"{}");
        cache.keep_blob(&config, b"{}");
        cache.finish();
        assert_eq!(cache.blob(&config), None);
    }

    #[test]
    fn what_is_wrong_is_forgotten_and_kept_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (digest, content) = config(1);
        Cache::new(folder.path()).keep_blob(&digest, &content);
        let path = files(folder.path()).remove(0);
        let mut bytes = fs::read(&path).unwrap();
        bytes[0] ^= 1;
        fs::write(&path, bytes).unwrap();
        let cache = Cache::new(folder.path());
        assert_eq!(cache.blob(&digest), None);
        assert!(!path.exists());
        cache.keep_blob(&digest, &content);
        assert_eq!(cache.blob(&digest).unwrap(), content);
    }

    /// As when each is a process: they know nothing of each other but the folder.
    #[test]
    fn many_may_write_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let runs: u32 = 40;
        std::thread::scope(|scope| {
            for run in 0..runs {
                let folder = folder.path();
                scope.spawn(move || {
                    let cache = Cache::new(folder);
                    for number in [run, run + 1] {
                        let (digest, content) = config(number);
                        if let Some(found) = cache.blob(&digest) {
                            assert_eq!(found, content);
                        }
                        cache.keep_blob(&digest, &content);
                    }
                });
            }
        });
        let cache = Cache::new(folder.path());
        for number in 0..=runs {
            let (digest, content) = config(number);
            assert_eq!(cache.blob(&digest).unwrap(), content);
        }
    }

    proptest! {
        /// Whatever happens to a file: the right bytes or none.
        #[test]
        fn damage_gives_no_wrong_bytes(at in 0..1000usize, flip in 0..=255u8, cut in any::<bool>()) {
            let folder = tempfile::tempdir().unwrap();
            let all: Vec<_> = (0..9).map(config).collect();
            let cache = Cache::new(folder.path());
            for (digest, content) in &all {
                cache.keep_blob(digest, content);
            }
            drop(cache);
            let path = files(folder.path()).remove(0);
            let mut bytes = fs::read(&path).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            if cut {
                bytes.truncate(at);
            }
            fs::write(&path, bytes).unwrap();
            let cache = Cache::new(folder.path());
            for (digest, content) in &all {
                if let Some(found) = cache.blob(digest) {
                    prop_assert_eq!(&found, content);
                }
                cache.keep_blob(digest, content);
                prop_assert_eq!(&cache.blob(digest).unwrap(), content);
            }
        }
    }
}
