//! `GET /v2/_catalog`: the repositories (Docker registry v2; not part of the OCI specification, and missing on many servers).

use crate::transport::Method;
use futures_util::stream::BoxStream;
use serde::Deserialize;

use super::errcode::error;
use super::{LIST_PATIENCE, V2};
use crate::oci::{Repository, null_as_default};
use crate::registry::{Error, ErrorKind, Result, Support};
use crate::transport::{Answer, LIST_LIMIT, Listing, Scope, pages};

const OPERATION: &str = "list the repositories of";

#[derive(Deserialize)]
struct Catalog {
    #[serde(default, deserialize_with = "null_as_default")]
    repositories: Vec<Option<String>>,
}

pub(super) fn list(v2: &V2) -> BoxStream<'_, Result<Vec<Repository>>> {
    let request = v2.client.request(Method::GET, "/v2/_catalog").scope(Scope::catalog()).limit(LIST_LIMIT).patience(LIST_PATIENCE);
    let listing = Listing { request, page_size: Some(v2.quirks.page_size) };
    let names = pages(&v2.client, listing, |answer| read(v2, answer), String::as_str);
    Box::pin(async_stream::try_stream! {
        if v2.list.get() == Support::Unsupported {
            Err(unsupported(v2))?;
        }
        for await page in names {
            let page = page.map_err(|error| error.on(OPERATION, &v2.name))?;
            yield page.into_iter().filter_map(|name| valid(v2, &name)).collect();
        }
    })
}

fn read(v2: &V2, answer: &Answer) -> Result<Vec<String>> {
    match answer.status.as_u16() {
        200..=299 => {
            let catalog: Catalog = super::object(answer, OPERATION, &v2.name)?;
            v2.list.is(Support::Native);
            Ok(catalog.repositories.into_iter().flatten().collect())
        }
        404 | 405 | 501 => {
            v2.list.is(Support::Unsupported);
            Err(unsupported(v2).answered(answer.status.as_u16(), None))
        }
        _ => Err(error(answer, OPERATION, &v2.name)),
    }
}

fn unsupported(v2: &V2) -> Error {
    Error::new(ErrorKind::Unsupported, OPERATION, &v2.name).because("this registry has no list of its repositories (`_catalog`)")
}

/// The name, unless it breaks the grammar: then no request could name it.
fn valid(v2: &V2, name: &str) -> Option<Repository> {
    name.parse().inspect_err(|why| tracing::warn!("{} lists a repository that can't be asked for: {why}", v2.name)).ok()
}

pub(super) fn no_delete(v2: &V2, repository: &Repository) -> Error {
    Error::new(ErrorKind::Unsupported, "delete the repository", v2.subject(repository, ""))
        .because("the v2 API can't delete a repository, only its manifests")
}
