//! `referrers/<digest>` (end-12), and the tag that stands in for it on servers without (distribution-spec 1.1 "Referrers Tag Schema").

use crate::transport::Method;
use crate::transport::header::ACCEPT;
use futures_util::TryStreamExt;
use serde::Deserialize;

use super::errcode::{ServerError, UNKNOWN, error};
use super::{V2, manifests};
use crate::oci::{Descriptor, Digest, Manifest, Repository, Selector, Tag, media_type, null_as_default};
use crate::registry::{ErrorKind, Referrers, Result, Support};
use crate::transport::{Answer, LIST_LIMIT, Listing, pages};

const OPERATION: &str = "list what is attached to";

#[derive(Deserialize)]
struct Index {
    #[serde(default, deserialize_with = "null_as_default")]
    manifests: Vec<Descriptor>,
}

pub(super) async fn list(v2: &V2, repository: &Repository, subject: &Digest) -> Result<Referrers> {
    if v2.referrers.get() != Support::Emulated
        && let Some(items) = by_api(v2, repository, subject).await?
    {
        v2.referrers.is(Support::Native);
        return Ok(Referrers { items, native: true });
    }
    Ok(Referrers { items: by_tag(v2, repository, subject).await?, native: false })
}

/// What the API says; `None` where there is no such API.
async fn by_api(v2: &V2, repository: &Repository, subject: &Digest) -> Result<Option<Vec<Descriptor>>> {
    let name = v2.subject(repository, &format!("@{subject}"));
    let request = v2.client.request(Method::GET, &format!("/v2/{repository}/referrers/{subject}"));
    let request = request.header(ACCEPT, media_type::OCI_INDEX).scope(V2::pull(repository)).limit(LIST_LIMIT);
    let missing = std::sync::atomic::AtomicBool::new(false);
    let read = |answer: &Answer| {
        let said = ServerError::read(answer);
        match answer.status.as_u16() {
            200..=299 if answer.media_type() != "text/html" => {
                let index: Index = super::object(answer, OPERATION, &name)?;
                Ok(index.manifests)
            }
            // Quay doesn't know the digest.
            400 if said.is(&["MANIFEST_INVALID"]) => Ok(Vec::new()),
            404 if said.is(UNKNOWN) && v2.referrers.get() == Support::Native => Ok(Vec::new()),
            200..=299 | 400 | 404 | 405 | 501 => {
                missing.store(true, std::sync::atomic::Ordering::Relaxed);
                // A word of the specification comes from a server that knows the call or at least the repository; one without it is final.
                if said.code.is_none() {
                    v2.referrers.is(Support::Emulated);
                }
                Ok(Vec::new())
            }
            _ => Err(error(answer, OPERATION, &name)),
        }
    };
    let listing = Listing { request, page_size: None };
    let all = pages(&v2.client, listing, read, |item: &Descriptor| item.digest.as_str());
    let items: Vec<Vec<Descriptor>> = all.try_collect().await.map_err(|error| error.on(OPERATION, &name))?;
    let missing = missing.load(std::sync::atomic::Ordering::Relaxed);
    Ok((!missing).then(|| items.into_iter().flatten().collect()))
}

/// What the fallback tag says. No such tag, or one that is no index, is "nothing attached".
async fn by_tag(v2: &V2, repository: &Repository, subject: &Digest) -> Result<Vec<Descriptor>> {
    let name = v2.subject(repository, &format!("@{subject}"));
    let tag: Tag = subject.fallback_tag().parse().expect("a fallback tag is made to be a tag");
    match manifests::get(v2, repository, &Selector::Tag(tag)).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.on(OPERATION, name)),
        Ok(manifest) => match manifest.parse() {
            Ok(Manifest::Index(index)) => Ok(index.manifests),
            Ok(_) => Ok(Vec::new()),
            Err(why) => Err(crate::registry::Error::new(ErrorKind::Protocol, OPERATION, name)
                .because("the tag that lists it can't be read")
                .caused_by(why)),
        },
    }
}
