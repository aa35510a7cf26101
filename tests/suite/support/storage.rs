//! Writes images straight into docker-registry's folder: a thousand in the time that pushing takes for ten.

use std::path::Path;

use super::content::{Image, digest};

/// Puts one image under each tag, no two the same, into a repository that has nothing yet.
pub fn fill<'a>(storage: &Path, repository: &str, tags: impl IntoIterator<Item = &'a str>) {
    let root = storage.join("docker/registry/v2");
    let write = |path: &Path, content: &[u8]| {
        std::fs::create_dir_all(path.parent().expect("it is below the root")).expect("the test's folder can be written");
        std::fs::write(path, content).expect("the test's folder can be written");
    };
    let here = root.join("repositories").join(repository);
    let blob = |content: &[u8]| {
        let digest = digest(content);
        let hex = digest.trim_start_matches("sha256:").to_owned();
        write(&root.join("blobs/sha256").join(&hex[..2]).join(&hex).join("data"), content);
        (digest, hex)
    };
    for tag in tags {
        let image = Image::new(tag, "amd64");
        for part in [&image.layer, &image.config] {
            let (digest, hex) = blob(part);
            write(&here.join("_layers/sha256").join(hex).join("link"), digest.as_bytes());
        }
        let (digest, hex) = blob(&image.manifest);
        let tag = here.join("_manifests/tags").join(tag);
        let links = [here.join("_manifests/revisions/sha256").join(&hex), tag.join("current"), tag.join("index/sha256").join(&hex)];
        for link in links {
            write(&link.join("link"), digest.as_bytes());
        }
    }
}
