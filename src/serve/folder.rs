//! A folder of OCI image layouts as the registry's disk (image-spec 1.1 "image-layout.md").

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::{Value, json};

use super::held::Held;
use crate::oci::{Descriptor, Digest, Index, Manifest, RawManifest, Repository, Tag, media_type};

/// The annotation that makes an entry of `index.json` a tag.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Folders below folders are searched so deep: repository names have few parts, and a loop of links would have no end.
const DEEPEST: usize = 12;
/// A manifest in a layout is no larger than one in a registry.
const LARGEST_MANIFEST: u64 = 4 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// Set when the folder is itself a layout: the one repository that it is.
    single: Option<Repository>,
}

impl Folder {
    pub fn open(root: &Path) -> io::Result<(Folder, BTreeMap<Repository, Held>)> {
        fs::create_dir_all(root)?;
        let root = fs::canonicalize(root)?;
        let mut repositories = BTreeMap::new();
        if is_layout(&root) {
            let name = root.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_lowercase();
            let name: Repository = name.parse().unwrap_or_else(|_| "image".parse().expect("a valid name"));
            repositories.insert(name.clone(), load(&root));
            return Ok((Folder { root, single: Some(name) }, repositories));
        }
        search(&root, &root, DEEPEST, &mut repositories)?;
        Ok((Folder { root, single: None }, repositories))
    }

    /// Where a repository is. Its name follows the grammar, so it can't lead out of the folder.
    fn layout(&self, repository: &Repository) -> PathBuf {
        if self.single.as_ref() == Some(repository) { self.root.clone() } else { self.root.join(repository.as_str()) }
    }

    fn blob_path(&self, repository: &Repository, digest: &Digest) -> PathBuf {
        blob_path(&self.layout(repository), digest)
    }

    pub fn read_blob(&self, repository: &Repository, digest: &Digest) -> io::Result<Option<Bytes>> {
        match fs::read(self.blob_path(repository, digest)) {
            Ok(content) => Ok(Some(content.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub fn has_blob(&self, repository: &Repository, digest: &Digest) -> bool {
        self.blob_path(repository, digest).is_file()
    }

    pub fn write_blob(&self, repository: &Repository, digest: &Digest, content: &[u8]) -> io::Result<()> {
        let layout = self.layout(repository);
        if !is_layout(&layout) {
            fs::create_dir_all(&layout)?;
            replace(&layout.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
            if !layout.join("index.json").exists() {
                replace(&layout.join("index.json"), index(&[]).as_bytes())?;
            }
        }
        let path = blob_path(&layout, digest);
        if path.is_file() {
            return Ok(());
        }
        fs::create_dir_all(path.parent().expect("a blob has a folder"))?;
        replace(&path, content)
    }

    pub fn remove_blob(&self, repository: &Repository, digest: &Digest) -> io::Result<bool> {
        match fs::remove_file(self.blob_path(repository, digest)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes `index.json`: an entry a tag, and one for each manifest that neither a tag nor an index leads to.
    pub fn save(&self, repository: &Repository, held: &Held) -> io::Result<()> {
        let descriptor = |manifest: &RawManifest, tag: Option<&Tag>| {
            let mut value = json!({ "mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.bytes.len() });
            if let Some(tag) = tag {
                value["annotations"] = json!({ REF_NAME: tag });
            }
            value
        };
        let mut entries: Vec<Value> =
            held.tags().iter().filter_map(|(tag, digest)| Some(descriptor(held.manifests().get(digest)?, Some(tag)))).collect();
        let untagged = held.manifests().values().filter(|manifest| !held.is_tagged(&manifest.digest));
        entries.extend(untagged.filter(|manifest| !held.is_child(&manifest.digest)).map(|manifest| descriptor(manifest, None)));
        replace(&self.layout(repository).join("index.json"), index(&entries).as_bytes())
    }
}

fn index(entries: &[Value]) -> String {
    json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries }).to_string()
}

fn is_layout(path: &Path) -> bool {
    path.join("oci-layout").is_file()
}

fn blob_path(layout: &Path, digest: &Digest) -> PathBuf {
    layout.join("blobs").join(digest.algorithm()).join(digest.encoded())
}

/// Replaces a file at once: readers see the old content or the new.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

fn search(root: &Path, folder: &Path, depth: usize, found: &mut BTreeMap<Repository, Held>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        if is_layout(&path) {
            let name = path.strip_prefix(root).ok().and_then(|name| name.to_str());
            // a folder whose name can't be a repository's isn't one
            if let Some(name) = name.and_then(|name| name.parse().ok()) {
                found.insert(name, load(&path));
            }
        }
        if depth > 0 && path.file_name().is_some_and(|name| name != "blobs") {
            // what can't be opened isn't ours
            let _ = search(root, &path, depth - 1, found);
        }
    }
    Ok(())
}

/// Reads a layout. What is missing, damaged or of the wrong digest is left out.
fn load(layout: &Path) -> Held {
    let mut held = Held::default();
    let entries = fs::read(layout.join("index.json")).ok().and_then(|text| serde_json::from_slice::<Index>(&text).ok());
    let mut unread: Vec<(Descriptor, Option<Tag>)> = Vec::new();
    for entry in entries.into_iter().flat_map(|index| index.manifests) {
        let tag = entry.annotations.get(REF_NAME).and_then(|name| name.parse().ok());
        unread.push((entry, tag));
    }
    while let Some((descriptor, tag)) = unread.pop() {
        if !held.manifests().contains_key(&descriptor.digest) {
            let path = blob_path(layout, &descriptor.digest);
            let fits = fs::metadata(&path).is_ok_and(|metadata| metadata.len() <= LARGEST_MANIFEST);
            let Some(bytes) = fits.then(|| fs::read(&path).ok()).flatten().filter(|bytes| descriptor.digest.verifies(bytes)) else {
                continue;
            };
            let manifest =
                RawManifest { media_type: descriptor.media_type, digest: descriptor.digest.clone(), bytes: bytes.into() };
            if let Ok(Manifest::Index(index)) = manifest.parse() {
                unread.extend(index.manifests.into_iter().map(|child| (child, None)));
            }
            held.insert(manifest);
        }
        if let Some(tag) = tag {
            held.tag(tag, descriptor.digest);
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::Storage;

    fn manifest(text: &str) -> RawManifest {
        RawManifest::new("application/vnd.test+json", text.to_owned())
    }

    #[test]
    fn what_was_written_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (app, tag): (Repository, Tag) = ("team/app".parse().unwrap(), "v1".parse().unwrap());
        let (tagged, untagged) = (manifest(r#"{"a":1}"#), manifest(r#"{"a":2}"#));
        let blob = Digest::sha256(b"layer");
        {
            let storage = Storage::folder(folder.path()).unwrap();
            storage.put_blob(&app, &blob, Bytes::from_static(b"layer")).unwrap();
            storage.put_manifest(&app, tagged.clone(), Some(&tag)).unwrap();
            storage.put_manifest(&app, untagged.clone(), None).unwrap();
        }
        let storage = Storage::folder(folder.path()).unwrap();
        assert_eq!(storage.repositories(), std::slice::from_ref(&app));
        assert_eq!(storage.resolve(&app, &tag), Some(tagged.digest.clone()));
        assert_eq!(storage.manifest(&app, &untagged.digest), Some(untagged));
        assert_eq!(storage.blob(&app, &blob).unwrap().unwrap(), "layer");
        assert!(storage.delete_manifest(&app, &tagged.digest).unwrap());
        let storage = Storage::folder(&folder.path().join("team/app")).unwrap();
        assert_eq!(storage.repositories(), ["app".parse().unwrap()], "a layout itself is one repository");
        assert_eq!(storage.tags(&"app".parse().unwrap()).unwrap(), []);
    }

    #[test]
    fn damage_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let app: Repository = "app".parse().unwrap();
        let storage = Storage::folder(folder.path()).unwrap();
        let (good, bad) = (manifest(r#"{"a":1}"#), manifest(r#"{"a":2}"#));
        storage.put_manifest(&app, good.clone(), Some(&"good".parse().unwrap())).unwrap();
        storage.put_manifest(&app, bad.clone(), Some(&"bad".parse().unwrap())).unwrap();
        fs::write(blob_path(&folder.path().join("app"), &bad.digest), "something else").unwrap();
        let storage = Storage::folder(folder.path()).unwrap();
        assert_eq!(storage.tags(&app).unwrap(), ["good".parse().unwrap()]);
        fs::write(folder.path().join("app/index.json"), "{").unwrap();
        assert_eq!(Storage::folder(folder.path()).unwrap().tags(&app).unwrap(), []);
    }
}
