//! Blobs and how they get here (distribution-spec 1.1, "Pulling blobs", "Pushing Blobs").

use std::collections::HashMap;
use std::sync::Mutex;

use axum::body::Body;
use axum::http::{HeaderMap, Method, StatusCode, header};
use bytes::Bytes;

use super::answer::{self, Answer};
use super::listing::query;
use super::server::Shared;
use crate::oci::{Digest, Repository};

/// The largest blob that is taken: everything is held in memory on its way in, and this is a sandbox.
pub(super) const LARGEST: usize = 1024 * 1024 * 1024;
/// Uploads that were begun and never finished; the next one after so many is refused.
const MOST_UPLOADS: usize = 1000;

/// Uploads under way.
#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<HashMap<String, (Repository, Vec<u8>)>>);

impl Uploads {
    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Repository, Vec<u8>)>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

pub(super) fn handle(shared: &Shared, method: &Method, headers: &HeaderMap, repository: &Repository, digest: &Digest) -> Answer {
    match method {
        &Method::GET | &Method::HEAD => get(shared, method, headers, repository, digest),
        &Method::DELETE if !shared.behaviour.delete => answer::error(405, "UNSUPPORTED", "The operation is unsupported."),
        &Method::DELETE => match shared.storage.delete_blob(repository, digest) {
            Ok(true) => answer::empty(StatusCode::ACCEPTED),
            Ok(false) => unknown(),
            Err(failure) => answer::broken(&failure),
        },
        _ => answer::empty(StatusCode::METHOD_NOT_ALLOWED),
    }
}

fn unknown() -> Answer {
    answer::error(404, "BLOB_UNKNOWN", "blob unknown to registry")
}

fn get(shared: &Shared, method: &Method, headers: &HeaderMap, repository: &Repository, digest: &Digest) -> Answer {
    let content = match shared.storage.blob(repository, digest) {
        Ok(Some(content)) => content,
        Ok(None) => return unknown(),
        Err(failure) => return answer::broken(&failure),
    };
    if let Some(elsewhere) = &shared.behaviour.blob_redirect {
        let mut answer = answer::empty(StatusCode::TEMPORARY_REDIRECT);
        answer::set(&mut answer, header::LOCATION, format!("{elsewhere}/v2/{repository}/blobs/{digest}"));
        return answer;
    }
    let total = content.len();
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok()).map(|range| read_range(range, total));
    let (status, part) = match range {
        None => (StatusCode::OK, 0..total),
        Some(Some(part)) => (StatusCode::PARTIAL_CONTENT, part),
        Some(None) => return answer::error(416, "RANGE_INVALID", "the range is outside of the blob"),
    };
    let length = part.len();
    let begin = part.start;
    let body = if method == Method::HEAD { Body::empty() } else { Body::from(content.slice(part)) };
    let mut answer = answer::with_body(status, "application/octet-stream", body);
    answer::set(&mut answer, header::CONTENT_LENGTH, length.to_string());
    answer::set(&mut answer, header::ACCEPT_RANGES, "bytes");
    if status == StatusCode::PARTIAL_CONTENT {
        answer::set(&mut answer, header::CONTENT_RANGE, format!("bytes {begin}-{}/{total}", begin + length - 1));
    }
    answer::set_digest(&mut answer, digest);
    answer
}

/// `bytes=a-b` or `bytes=a-`; `None` when it can't be had.
fn read_range(range: &str, total: usize) -> Option<std::ops::Range<usize>> {
    let (begin, end) = range.strip_prefix("bytes=")?.split_once('-')?;
    let begin: usize = begin.parse().ok()?;
    let end = if end.is_empty() { total } else { end.parse::<usize>().ok()?.saturating_add(1).min(total) };
    (begin < end).then_some(begin..end)
}

/// `POST …/blobs/uploads/`: in one piece with `?digest=`, from another repository with `?mount=`, else the beginning of an upload.
pub(super) fn begin(shared: &Shared, repository: &Repository, parameters: Option<&str>, body: Bytes) -> Answer {
    if let Some(digest) = query(parameters, "digest") {
        return match digest.parse() {
            Ok(digest) => store(shared, repository, &digest, body),
            Err(_) => answer::error(400, "DIGEST_INVALID", "not a digest"),
        };
    }
    if let (Some(mount), Some(from)) = (query(parameters, "mount"), query(parameters, "from")) {
        let (Ok(digest), Ok(from)) = (mount.parse::<Digest>(), from.parse::<Repository>()) else {
            return answer::error(400, "DIGEST_INVALID", "not a digest or not a repository");
        };
        match shared.storage.blob(&from, &digest) {
            Ok(Some(content)) => return store(shared, repository, &digest, content),
            // what can't be mounted is uploaded
            Ok(None) => {}
            Err(failure) => return answer::broken(&failure),
        }
    }
    let mut uploads = shared.uploads.open();
    if uploads.len() >= MOST_UPLOADS {
        return answer::error(429, "TOOMANYREQUESTS", "too many uploads under way");
    }
    let id = uuid::Uuid::now_v7().to_string();
    uploads.insert(id.clone(), (repository.clone(), Vec::new()));
    progress(StatusCode::ACCEPTED, repository, &id, 0)
}

/// `PATCH`, `PUT`, `GET` and `DELETE` of an upload under way.
pub(super) fn go_on(
    shared: &Shared,
    method: &Method,
    headers: &HeaderMap,
    repository: &Repository,
    id: &str,
    parameters: Option<&str>,
    body: Bytes,
) -> Answer {
    let mut uploads = shared.uploads.open();
    let Some((_, received)) = uploads.get_mut(id).filter(|(of, _)| of == repository) else {
        return answer::error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
    };
    match method {
        &Method::PATCH | &Method::PUT => {
            let range = headers.get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
            let begins = range.and_then(|range| range.split('-').next()).and_then(|begin| begin.parse::<usize>().ok());
            if begins.is_some_and(|begins| begins != received.len()) || received.len() + body.len() > LARGEST {
                let length = received.len();
                return progress(StatusCode::RANGE_NOT_SATISFIABLE, repository, id, length);
            }
            received.extend_from_slice(&body);
            if method == Method::PATCH {
                let length = received.len();
                return progress(StatusCode::ACCEPTED, repository, id, length);
            }
            let Some(digest) = query(parameters, "digest").and_then(|digest| digest.parse::<Digest>().ok()) else {
                return answer::error(400, "DIGEST_INVALID", "the digest is missing or is none");
            };
            let content = std::mem::take(received);
            uploads.remove(id);
            drop(uploads);
            store(shared, repository, &digest, content.into())
        }
        &Method::GET => {
            let length = received.len();
            progress(StatusCode::NO_CONTENT, repository, id, length)
        }
        &Method::DELETE => {
            uploads.remove(id);
            answer::empty(StatusCode::NO_CONTENT)
        }
        _ => answer::empty(StatusCode::METHOD_NOT_ALLOWED),
    }
}

fn store(shared: &Shared, repository: &Repository, digest: &Digest, content: Bytes) -> Answer {
    if !digest.verifies(&content) {
        return answer::error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    if let Err(failure) = shared.storage.put_blob(repository, digest, content) {
        return answer::broken(&failure);
    }
    let mut answer = answer::empty(StatusCode::CREATED);
    answer::set(&mut answer, header::LOCATION, format!("/v2/{repository}/blobs/{digest}"));
    answer::set_digest(&mut answer, digest);
    answer
}

fn progress(status: StatusCode, repository: &Repository, id: &str, received: usize) -> Answer {
    let mut answer = answer::empty(status);
    answer::set(&mut answer, header::LOCATION, format!("/v2/{repository}/blobs/uploads/{id}"));
    answer::set(&mut answer, header::RANGE, format!("0-{}", received.saturating_sub(1)));
    answer::set(&mut answer, header::HeaderName::from_static("docker-upload-uuid"), id);
    answer
}
