//! `tags/list` (end-8) and taking a tag away (end-9).

use crate::transport::Method;
use futures_util::stream::BoxStream;
use serde::Deserialize;

use super::errcode::{CANNOT_DELETE, ServerError, UNKNOWN, error};
use super::{LIST_PATIENCE, V2, WRITE_PATIENCE, manifests};
use crate::oci::{Repository, Selector, Tag, null_as_default};
use crate::registry::{Error, ErrorKind, Result, Support, TagEntry};
use crate::transport::{Answer, LIST_LIMIT, Listing, Request, pages};

const LIST: &str = "list the tags of";
const UNTAG: &str = "remove the tag";

#[derive(Deserialize)]
struct TagList {
    /// `null` when all tags were deleted (distribution 2.8).
    #[serde(default, deserialize_with = "null_as_default")]
    tags: Vec<Option<String>>,
}

pub(super) fn list<'a>(v2: &'a V2, repository: &Repository) -> BoxStream<'a, Result<Vec<TagEntry>>> {
    let subject = v2.subject(repository, "");
    let request = v2.client.request(Method::GET, &format!("/v2/{repository}/tags/list"));
    let request = request.scope(V2::pull(repository)).limit(LIST_LIMIT).patience(LIST_PATIENCE);
    let listing = Listing { request, page_size: Some(v2.quirks.page_size) };
    let of = subject.clone();
    let names = pages(&v2.client, listing, move |answer| read(answer, &of), String::as_str);
    Box::pin(async_stream::try_stream! {
        for await page in names {
            let page = page.map_err(|error| error.on(LIST, &subject))?;
            yield page.into_iter().map(TagEntry::named).collect();
        }
    })
}

fn read(answer: &Answer, subject: &str) -> Result<Vec<String>> {
    if !answer.status.is_success() {
        return Err(error(answer, LIST, subject));
    }
    let list: TagList = super::object(answer, LIST, subject)?;
    Ok(list.tags.into_iter().flatten().collect())
}

fn untag_request(v2: &V2, repository: &Repository, tag: &Tag) -> Request {
    let request = v2.client.request(Method::DELETE, &format!("/v2/{repository}/manifests/{tag}"));
    request.scope(v2.delete_scope(repository)).patience(WRITE_PATIENCE)
}

/// Asks to remove a tag that nothing can have. A server that doesn't remove tags says so before it looks (distribution 2.8: 400).
pub(super) async fn probe_untag(v2: &V2, repository: &Repository) -> Result<Support> {
    if v2.untag.get() != Support::Unknown || !v2.quirks.probe_tells {
        return Ok(v2.untag.get());
    }
    let operation = "find out whether tags can be removed from";
    let subject = v2.subject(repository, "");
    let tag: Tag = format!("regctl-probe-{}", uuid::Uuid::now_v7().simple()).parse().expect("hex digits make a tag");
    let answer = v2.client.send(untag_request(v2, repository, &tag)).await.map_err(|error| error.on(operation, &subject))?;
    let said = ServerError::read(&answer);
    let support = match answer.status.as_u16() {
        // The repository is what it doesn't know, and nobody knows what it would have said of the tag.
        404 if said.is(&["NAME_UNKNOWN"]) => Support::Unknown,
        404 if said.is(UNKNOWN) => Support::Native,
        405 | 501 => Support::Unsupported,
        400 if said.is(CANNOT_DELETE) => Support::Unsupported,
        200..=299 | 404 => Support::Unknown,
        _ => return Err(error(&answer, operation, subject)),
    };
    v2.untag.is(support);
    Ok(support)
}

pub(super) async fn untag(v2: &V2, repository: &Repository, tag: &Tag) -> Result<bool> {
    let subject = v2.subject(repository, &format!(":{tag}"));
    let unsupported =
        || Error::new(ErrorKind::Unsupported, UNTAG, &subject).because("this registry can't remove a tag without its manifest");
    if v2.untag.get() == Support::Unsupported {
        return Err(unsupported());
    }
    let answer = v2.client.send(untag_request(v2, repository, tag)).await.map_err(|error| error.on(UNTAG, &subject))?;
    let said = ServerError::read(&answer);
    let status = answer.status.as_u16();
    match status {
        200..=299 => {
            v2.untag.is(Support::Native);
            Ok(true)
        }
        404 if said.is(UNKNOWN) => Ok(false),
        // The tag may be gone, or the server may have no such call: only the tag itself can tell.
        404 => match manifests::head(v2, repository, &Selector::Tag(tag.clone())).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.on(UNTAG, &subject)),
            Ok(_) => Err(unsupported().answered(status, said.code)),
        },
        405 | 501 => {
            v2.untag.is(Support::Unsupported);
            Err(unsupported().answered(status, said.code))
        }
        400 if said.is(CANNOT_DELETE) => {
            v2.untag.is(Support::Unsupported);
            Err(unsupported().answered(status, said.code))
        }
        _ => Err(error(&answer, UNTAG, subject)),
    }
}
