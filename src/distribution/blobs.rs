//! `blobs/<digest>` (end-2, end-10).

use crate::transport::Method;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::errcode::{ServerError, UNKNOWN, error};
use super::{V2, WRITE_PATIENCE};
use crate::oci::{Digest, Repository};
use crate::registry::{BlobStream, Error, ErrorKind, Result};
use crate::transport::{Answer, Incoming, Request};

const SIZE: &str = "look up";
const GET: &str = "get";
const DELETE: &str = "delete";

fn read_request(v2: &V2, method: Method, repository: &Repository, digest: &Digest) -> Request {
    v2.client.request(method, &format!("/v2/{repository}/blobs/{digest}")).scope(V2::pull(repository))
}

fn length(answer: &Answer) -> Option<u64> {
    answer.header("content-length").and_then(|length| length.parse().ok())
}

pub(super) async fn size(v2: &V2, repository: &Repository, digest: &Digest) -> Result<u64> {
    let subject = v2.subject(repository, &format!("@{digest}"));
    let answer =
        v2.client.send(read_request(v2, Method::HEAD, repository, digest)).await.map_err(|error| error.on(SIZE, &subject))?;
    match (answer.status.as_u16(), length(&answer)) {
        (200..=299, Some(size)) => return Ok(size),
        (200..=299, None) | (405 | 501, _) => {}
        _ => return Err(error(&answer, SIZE, subject)),
    }
    // The beginning of a GET says the same; the content is left unread.
    let answer = v2
        .client
        .send(read_request(v2, Method::GET, repository, digest).streamed())
        .await
        .map_err(|error| error.on(SIZE, &subject))?;
    match length(&answer) {
        _ if !answer.status.is_success() => Err(error(&answer, SIZE, subject)),
        Some(size) => Ok(size),
        None => Err(Error::new(ErrorKind::Protocol, SIZE, subject).because("it doesn't say how large it is")),
    }
}

pub(super) async fn get(v2: &V2, repository: &Repository, digest: &Digest) -> Result<BlobStream> {
    let subject = v2.subject(repository, &format!("@{digest}"));
    if digest.hasher().is_none() {
        return Err(Error::new(ErrorKind::Unsupported, GET, subject)
            .because(format!("digests of the kind `{}` can't be verified", digest.algorithm())));
    }
    let mut answer = v2
        .client
        .send(read_request(v2, Method::GET, repository, digest).streamed())
        .await
        .map_err(|error| error.on(GET, &subject))?;
    match answer.incoming.take() {
        Some(incoming) => Ok(BlobStream { size: length(&answer), content: verified(incoming, digest.clone(), subject) }),
        None => Err(error(&answer, GET, subject)),
    }
}

/// The pieces as they come, and an error at the end when they are not what was asked for.
fn verified(mut incoming: Incoming, digest: Digest, subject: String) -> BoxStream<'static, Result<Bytes>> {
    Box::pin(async_stream::try_stream! {
        let mut hasher = digest.hasher().expect("checked before the request");
        while let Some(piece) = incoming.next().await.map_err(|error| error.on(GET, &subject))? {
            hasher.update(&piece);
            yield piece;
        }
        let found = hasher.finish();
        if found != digest {
            Err(Error::new(ErrorKind::Corrupt, GET, &subject).because(format!("the content has another digest, {found}")))?;
        }
    })
}

pub(super) async fn delete(v2: &V2, repository: &Repository, digest: &Digest) -> Result<bool> {
    let subject = v2.subject(repository, &format!("@{digest}"));
    let request = v2.client.request(Method::DELETE, &format!("/v2/{repository}/blobs/{digest}"));
    let request = request.scope(v2.delete_scope(repository)).patience(WRITE_PATIENCE).repeatable();
    let answer = v2.client.send(request).await.map_err(|error| error.on(DELETE, &subject))?;
    match answer.status.as_u16() {
        200..=299 => Ok(true),
        404 if ServerError::read(&answer).is(UNKNOWN) => Ok(answer.repeated),
        404 => Err(Error::new(ErrorKind::Unsupported, DELETE, subject)
            .answered(404, None)
            .because("this registry doesn't delete blobs")),
        _ => Err(error(&answer, DELETE, subject)),
    }
}
