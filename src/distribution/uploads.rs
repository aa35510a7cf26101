//! Storing a small blob (end-4a, end-5, end-6).

use crate::transport::Method;
use bytes::Bytes;

use super::errcode::error;
use super::{V2, WRITE_PATIENCE};
use crate::oci::{Digest, Repository};
use crate::registry::{Error, ErrorKind, Result};
use crate::transport::Answer;

const OPERATION: &str = "upload a blob to";
const BYTES: &str = "application/octet-stream";

pub(super) async fn put(v2: &V2, repository: &Repository, content: Bytes) -> Result<Digest> {
    let subject = v2.subject(repository, "");
    let digest = Digest::sha256(&content);
    let opened = open(v2, repository, &subject).await?;
    let request = v2.client.follow(Method::PUT, &opened).map_err(|error| error.on(OPERATION, &subject))?;
    let request = request.query("digest", digest.as_str()).content(BYTES, content.clone());
    let request = request.scope(V2::push(repository)).patience(WRITE_PATIENCE);
    let answer = v2.client.send(request).await.map_err(|error| error.on(OPERATION, &subject))?;
    let answer = match answer.status.as_u16() {
        // Some servers take content only by PATCH, and close the upload with an empty PUT.
        400 | 405 | 411 | 415 | 416 | 501 if !content.is_empty() => {
            in_two_steps(v2, repository, &content, &digest, &subject).await?.unwrap_or(answer)
        }
        _ => answer,
    };
    if !answer.status.is_success() {
        return Err(error(&answer, OPERATION, subject));
    }
    match answer.header("docker-content-digest").and_then(|text| text.parse::<Digest>().ok()) {
        Some(stated) if stated != digest => {
            Err(Error::new(ErrorKind::Corrupt, OPERATION, subject).because(format!("it stored something else, {stated}")))
        }
        Some(_) | None => Ok(digest),
    }
}

async fn open(v2: &V2, repository: &Repository, subject: &str) -> Result<Answer> {
    let request = v2.client.request(Method::POST, &format!("/v2/{repository}/blobs/uploads/"));
    let request = request.scope(V2::push(repository)).patience(WRITE_PATIENCE);
    let answer = v2.client.send(request).await.map_err(|error| error.on(OPERATION, subject))?;
    if answer.status.is_success() { Ok(answer) } else { Err(error(&answer, OPERATION, subject)) }
}

/// PATCH, then PUT. `None` when that doesn't work either; then the first answer is the one to report.
async fn in_two_steps(v2: &V2, repository: &Repository, content: &Bytes, digest: &Digest, subject: &str) -> Result<Option<Answer>> {
    let opened = open(v2, repository, subject).await?;
    let patch = v2.client.follow(Method::PATCH, &opened).map_err(|error| error.on(OPERATION, subject))?;
    let patch = patch.content(BYTES, content.clone()).scope(V2::push(repository)).patience(WRITE_PATIENCE);
    let patched = v2.client.send(patch).await.map_err(|error| error.on(OPERATION, subject))?;
    if !patched.status.is_success() {
        return Ok(None);
    }
    let close = v2.client.follow(Method::PUT, &patched).map_err(|error| error.on(OPERATION, subject))?;
    let close = close.query("digest", digest.as_str()).scope(V2::push(repository)).patience(WRITE_PATIENCE);
    let closed = v2.client.send(close).await.map_err(|error| error.on(OPERATION, subject))?;
    Ok(closed.status.is_success().then_some(closed))
}
