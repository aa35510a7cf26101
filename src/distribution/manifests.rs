//! `manifests/<reference>` (end-3, end-7, end-9).

use crate::transport::Method;
use crate::transport::header::{HeaderName, HeaderValue};

use super::errcode::{CANNOT_DELETE, ServerError, UNKNOWN, error};
use super::{V2, WRITE_PATIENCE, schema1};
use crate::oci::{Descriptor, Digest, RawManifest, Repository, Selector, media_type};
use crate::registry::{Error, ErrorKind, Result, Support};
use crate::transport::{Answer, MANIFEST_LIMIT, Request};

/// Made once: it goes out with every request.
static ACCEPTED: HeaderValue = HeaderValue::from_static(media_type::ACCEPT_MANIFEST);

/// Where servers say what a manifest's digest is.
static DIGEST_HEADER: HeaderName = HeaderName::from_static("docker-content-digest");

const HEAD: &str = "look up";
const GET: &str = "get";
const PUT: &str = "put";
const DELETE: &str = "delete";

fn read_request(v2: &V2, method: Method, repository: &Repository, selector: &Selector) -> Request {
    let request = v2.client.request(method, &["/v2/", repository.as_str(), "/manifests/", selector.as_str()].concat());
    request.accept(&ACCEPTED).scope(V2::pull(repository)).limit(MANIFEST_LIMIT)
}

/// The digest in the header, if there is one that can be believed to be a digest.
fn stated_digest(answer: &Answer) -> Option<Digest> {
    let value = answer.headers.get(&DIGEST_HEADER)?.to_str().ok()?;
    value.trim().parse().ok()
}

pub(super) async fn head(v2: &V2, repository: &Repository, selector: &Selector) -> Result<Descriptor> {
    let subject = || v2.subject_of(repository, selector);
    let answer =
        v2.client.send(read_request(v2, Method::HEAD, repository, selector)).await.map_err(|error| error.on(HEAD, subject()))?;
    match answer.status.as_u16() {
        200..=299 => {
            let size = answer.header("content-length").and_then(|length| length.parse().ok());
            if let (Some(digest), Some(size)) = (stated_digest(&answer), size) {
                v2.head.is(Support::Native);
                return match selector {
                    Selector::Digest(asked) if *asked != digest => Err(other_digest(HEAD, subject(), &digest)),
                    _ => Ok(Descriptor::new(answer.media_type(), digest, size)),
                };
            }
        }
        // Nexus answers 404 to HEAD for what GET gives (registry-cli#23). Where HEAD was seen to work its word is taken.
        404 if v2.head.get() == Support::Native => return Err(error(&answer, HEAD, subject())),
        400 | 404 | 405 | 501 => {}
        _ => return Err(error(&answer, HEAD, subject())),
    }
    Box::pin(get(v2, repository, selector)).await.map(|manifest| manifest.descriptor()).map_err(|error| error.on(HEAD, subject()))
}

pub(super) async fn get(v2: &V2, repository: &Repository, selector: &Selector) -> Result<RawManifest> {
    let subject = v2.subject_of(repository, selector);
    let answer =
        v2.client.send(read_request(v2, Method::GET, repository, selector)).await.map_err(|error| error.on(GET, &subject))?;
    if !answer.status.is_success() {
        return Err(error(&answer, GET, subject));
    }
    let outer = answer.media_type();
    if outer == "text/html" {
        return Err(Error::new(ErrorKind::Protocol, GET, subject).because("it answered with a web page"));
    }
    let digest = match selector {
        Selector::Digest(asked) => Some(asked.clone()),
        Selector::Tag(_) => stated_digest(&answer),
    };
    let digest = match digest {
        None => Digest::sha256(&answer.body),
        Some(expected) => verified(expected, &outer, &answer.body, GET, &subject)?,
    };
    Ok(RawManifest { media_type: said_type(outer, &answer.body), digest, bytes: answer.body })
}

/// `expected`, once `bytes` are proven to have it.
fn verified(expected: Digest, outer: &str, bytes: &[u8], operation: &'static str, subject: &str) -> Result<Digest> {
    let error = |kind, why: String| Err(Error::new(kind, operation, subject).because(why));
    if expected.hasher().is_none() {
        return error(ErrorKind::Unsupported, format!("digests of the kind `{}` can't be verified", expected.algorithm()));
    }
    if expected.verifies(bytes) {
        return Ok(expected);
    }
    // The digest of a signed schema 1 manifest is of what was signed.
    if media_type::is_schema1(outer) && schema1::payload(bytes).is_some_and(|payload| expected.verifies(&payload)) {
        return Ok(expected);
    }
    error(ErrorKind::Corrupt, format!("the content has another digest, {}", Digest::sha256(bytes)))
}

/// The media type of the header; where that says nothing, the one in the document.
fn said_type(outer: String, bytes: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Stated {
        media_type: Option<String>,
    }
    if !matches!(outer.as_str(), "" | "application/json" | "text/plain" | "application/octet-stream") {
        return outer;
    }
    let stated = serde_json::from_slice::<Stated>(bytes).ok().and_then(|stated| stated.media_type);
    stated.filter(|stated| !stated.is_empty()).unwrap_or(outer)
}

fn other_digest(operation: &'static str, subject: String, digest: &Digest) -> Error {
    Error::new(ErrorKind::Corrupt, operation, subject).because(format!("it answered with another digest, {digest}"))
}

pub(super) async fn put(v2: &V2, repository: &Repository, selector: &Selector, manifest: &RawManifest) -> Result<Digest> {
    let subject = v2.subject_of(repository, selector);
    if let Selector::Digest(asked) = selector
        && *asked != manifest.digest
    {
        return Err(
            Error::new(ErrorKind::Invalid, PUT, subject).because(format!("the manifest has another digest, {}", manifest.digest))
        );
    }
    let request = v2.client.request(Method::PUT, &format!("/v2/{repository}/manifests/{selector}"));
    let request =
        request.content(&manifest.media_type, manifest.bytes.clone()).scope(V2::push(repository)).patience(WRITE_PATIENCE);
    let answer = v2.client.send(request).await.map_err(|error| error.on(PUT, &subject))?;
    if !answer.status.is_success() {
        return Err(error(&answer, PUT, subject));
    }
    match stated_digest(&answer) {
        Some(stated) if stated != manifest.digest => {
            Err(Error::new(ErrorKind::Corrupt, PUT, subject).because(format!("it stored something else, {stated}")))
        }
        Some(_) | None => Ok(manifest.digest.clone()),
    }
}

fn delete_request(v2: &V2, repository: &Repository, digest: &Digest) -> Request {
    let request = v2.client.request(Method::DELETE, &format!("/v2/{repository}/manifests/{digest}"));
    request.scope(v2.delete_scope(repository)).patience(WRITE_PATIENCE).repeatable()
}

/// Why there is no deleting, and how the one who runs the server can change that.
fn no_delete(v2: &V2, subject: &str) -> Error {
    Error::new(ErrorKind::Unsupported, DELETE, subject).because(v2.quirks.no_delete)
}

pub(super) async fn delete(v2: &V2, repository: &Repository, digest: &Digest) -> Result<bool> {
    let subject = v2.subject(repository, &format!("@{digest}"));
    if v2.delete.get() == Support::Unsupported {
        return Err(no_delete(v2, &subject));
    }
    let answer = v2.client.send(delete_request(v2, repository, digest)).await.map_err(|error| error.on(DELETE, &subject))?;
    let said = ServerError::read(&answer);
    let status = answer.status.as_u16();
    match status {
        200..=299 => {
            v2.delete.is(Support::Native);
            Ok(true)
        }
        // An attempt whose answer was lost may have done it.
        404 if said.is(UNKNOWN) => Ok(answer.repeated),
        // Gone, or a server without this call: the manifest itself can tell.
        404 => match head(v2, repository, &Selector::Digest(digest.clone())).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(answer.repeated),
            Err(error) => Err(error.on(DELETE, subject)),
            Ok(_) => Err(no_delete(v2, &subject).answered(status, said.code)),
        },
        // Where deleting is known to be possible, this one thing is in use or locked (Azure, Quay while it is read-only).
        405 if v2.quirks.delete == Support::Native => Err(error(&answer, DELETE, subject).means(ErrorKind::Conflict)),
        // zot speaks of this one manifest: an index lists it.
        405 if said.is(&["DENIED"]) => Err(Error::new(ErrorKind::Conflict, DELETE, subject)
            .answered(status, said.code)
            .because("the server says that something still refers to it")),
        405 | 501 => {
            v2.delete.is(Support::Unsupported);
            Err(no_delete(v2, &subject).answered(status, said.code))
        }
        400 if said.is(&["UNSUPPORTED"]) => {
            v2.delete.is(Support::Unsupported);
            Err(no_delete(v2, &subject).answered(status, said.code))
        }
        _ => Err(error(&answer, DELETE, subject)),
    }
}

/// Asks to delete a digest that nothing can have. distribution checks whether deleting is enabled before it looks the digest up.
pub(super) async fn probe_delete(v2: &V2, repository: &Repository) -> Result<Support> {
    if v2.delete.get() != Support::Unknown || !v2.quirks.probe_tells {
        return Ok(v2.delete.get());
    }
    let operation = "find out whether manifests can be deleted from";
    let subject = v2.subject(repository, "");
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|why| {
        Error::new(ErrorKind::Local, operation, &subject).because("this machine gives no random numbers").caused_by(why)
    })?;
    let request = delete_request(v2, repository, &Digest::sha256(&random));
    let answer = v2.client.send(request).await.map_err(|error| error.on(operation, &subject))?;
    let said = ServerError::read(&answer);
    let support = match answer.status.as_u16() {
        404 if said.is(UNKNOWN) => Support::Native,
        405 | 501 => Support::Unsupported,
        400 if said.is(CANNOT_DELETE) => Support::Unsupported,
        // 202 for what can't be there proves nothing, and neither does a 404 of the web server.
        200..=299 | 404 => Support::Unknown,
        _ => return Err(error(&answer, operation, subject)),
    };
    v2.delete.is(support);
    Ok(support)
}
