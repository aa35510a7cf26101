//! Manifests: pull, push, delete (distribution-spec 1.1).

use axum::body::Body;
use axum::http::{HeaderMap, Method, StatusCode, header};
use bytes::Bytes;

use super::TagDelete;
use super::answer::{self, Answer};
use super::server::Shared;
use crate::oci::{Digest, Manifest, RawManifest, Repository, Selector, media_type};

/// The largest manifest that is taken (distribution-spec 1.1, "Pushing Manifests").
pub(super) const LARGEST: usize = 4 * 1024 * 1024;

pub(super) fn handle(
    shared: &Shared,
    method: &Method,
    headers: &HeaderMap,
    repository: &Repository,
    selector: &Selector,
    body: Bytes,
) -> Answer {
    match method {
        &Method::HEAD if shared.behaviour.head_not_found => answer::empty(StatusCode::NOT_FOUND),
        &Method::GET | &Method::HEAD => get(shared, method, repository, selector),
        &Method::PUT => put(shared, headers, repository, selector, body),
        &Method::DELETE => delete(shared, repository, selector),
        _ => answer::empty(StatusCode::METHOD_NOT_ALLOWED),
    }
}

fn unknown() -> Answer {
    answer::error(404, "MANIFEST_UNKNOWN", "manifest unknown to registry")
}

fn find(shared: &Shared, repository: &Repository, selector: &Selector) -> Option<RawManifest> {
    let digest = match selector {
        Selector::Digest(digest) => digest.clone(),
        Selector::Tag(tag) => shared.storage.resolve(repository, tag)?,
    };
    shared.storage.manifest(repository, &digest)
}

fn get(shared: &Shared, method: &Method, repository: &Repository, selector: &Selector) -> Answer {
    if !shared.storage.has(repository) {
        return answer::error(404, "NAME_UNKNOWN", "repository name not known to registry");
    }
    let Some(manifest) = find(shared, repository, selector) else { return unknown() };
    let mut bytes = manifest.bytes.clone();
    if shared.behaviour.wrong_content {
        bytes = Bytes::from([&bytes[..], b" "].concat());
    }
    let length = bytes.len();
    let body = if method == Method::HEAD { Body::empty() } else { Body::from(bytes) };
    let mut answer = answer::with_body(StatusCode::OK, &manifest.media_type, body);
    answer::set(&mut answer, header::CONTENT_LENGTH, length.to_string());
    if shared.behaviour.digest_header {
        answer::set_digest(&mut answer, &manifest.digest);
    }
    answer
}

fn put(shared: &Shared, headers: &HeaderMap, repository: &Repository, selector: &Selector, body: Bytes) -> Answer {
    if body.len() > LARGEST {
        return answer::error(413, "MANIFEST_INVALID", "the manifest is larger than 4 MiB");
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(media_type::essence).unwrap_or_default();
    let digest = match selector {
        Selector::Tag(_) => Digest::sha256(&body),
        Selector::Digest(digest) if digest.verifies(&body) => digest.clone(),
        Selector::Digest(_) => return answer::error(400, "DIGEST_INVALID", "provided digest did not match uploaded content"),
    };
    let manifest = RawManifest { media_type: kind, digest: digest.clone(), bytes: body };
    let read = match manifest.parse() {
        Ok(read) => read,
        Err(error) => return answer::error(400, "MANIFEST_INVALID", &error.to_string()),
    };
    match missing(shared, repository, &read) {
        Ok(None) => {}
        Ok(Some(missing)) => return answer::error(400, "MANIFEST_BLOB_UNKNOWN", &format!("{missing} is unknown to registry")),
        Err(failure) => return answer::broken(&failure),
    }
    let tag = if let Selector::Tag(tag) = selector { Some(tag) } else { None };
    if let Err(failure) = shared.storage.put_manifest(repository, manifest, tag) {
        return answer::broken(&failure);
    }
    let mut answer = answer::empty(StatusCode::CREATED);
    answer::set(&mut answer, header::LOCATION, format!("/v2/{repository}/manifests/{digest}"));
    if shared.behaviour.digest_header {
        answer::set_digest(&mut answer, &digest);
    }
    if let Some(subject) = read.subject().filter(|_| shared.behaviour.referrers) {
        answer::set(&mut answer, header::HeaderName::from_static("oci-subject"), subject.digest.as_str());
    }
    answer
}

/// The first thing that the manifest names and the repository doesn't have. A subject may be missing.
fn missing(shared: &Shared, repository: &Repository, manifest: &Manifest) -> std::io::Result<Option<Digest>> {
    let blobs: Vec<&Digest> = match manifest {
        Manifest::Image(image) => {
            // foreign layers live elsewhere by definition
            let ours = |kind: &str| !kind.contains("nondistributable") && !kind.contains(".foreign.");
            let layers = image.layers.iter().filter(|layer| ours(&layer.media_type));
            std::iter::once(&image.config).chain(layers).map(|blob| &blob.digest).collect()
        }
        Manifest::Index(index) => {
            let children = index.manifests.iter().map(|child| &child.digest);
            return Ok(children.into_iter().find(|child| shared.storage.manifest(repository, child).is_none()).cloned());
        }
        Manifest::Schema1(old) => old.fs_layers.iter().map(|layer| &layer.blob_sum).collect(),
        Manifest::Unknown(_) => Vec::new(),
    };
    for blob in blobs {
        if !shared.storage.has_blob(repository, blob)? {
            return Ok(Some(blob.clone()));
        }
    }
    Ok(None)
}

fn delete(shared: &Shared, repository: &Repository, selector: &Selector) -> Answer {
    let behaviour = &shared.behaviour;
    // distribution asks this first, before it looks whether anything is there
    if !behaviour.delete {
        return answer::error(405, "UNSUPPORTED", "The operation is unsupported.");
    }
    let gone = match selector {
        Selector::Digest(digest) => {
            if behaviour.protect_children && shared.storage.is_child(repository, digest) {
                return answer::error(405, "DENIED", "the manifest is referenced by an index");
            }
            shared.storage.delete_manifest(repository, digest)
        }
        Selector::Tag(tag) => match behaviour.tag_delete {
            TagDelete::BadRequest => return answer::error(400, "DIGEST_INVALID", "provided digest did not match uploaded content"),
            TagDelete::NotAllowed => return answer::error(405, "UNSUPPORTED", "The operation is unsupported."),
            TagDelete::Untags => shared.storage.untag(repository, tag),
            TagDelete::TakesSiblings => match shared.storage.resolve(repository, tag) {
                Some(digest) => shared.storage.delete_manifest(repository, &digest),
                None => Ok(false),
            },
        },
    };
    match gone {
        Ok(true) => answer::empty(StatusCode::ACCEPTED),
        Ok(false) => unknown(),
        Err(failure) => answer::broken(&failure),
    }
}
