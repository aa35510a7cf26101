//! Huawei's SWR, basic edition: its API at `swr-api.<region>` lists repositories, takes single tags and whole repositories away, and is signed
//! with the access key that the registry's password is made of. A login key, which is such a password, can't sign.
//!
//! Written from Huawei's API reference. Whether taking a tag away leaves others on its digest is not documented, so they are looked at
//! afterwards like everywhere. Tried against a fake only, the signature against Huawei's published example.

use std::sync::Arc;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::Place;
use super::api::{Api, Keyed, date, lenient, nowhere};
use super::derived::swr::is_login_key;
use super::provider::{Pages, Provider, Vendor};
use super::sigv4::{hmac_sha256, strict};
use crate::credentials::{Credential, Secret};
use crate::distribution::{Quirks, V2};
use crate::oci::{Repository, Tag, null_as_default};
use crate::registry::{Capabilities, Error, ErrorKind, Registry, Result, Support, TagEntry};
use crate::transport::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use crate::transport::{Cursor, Login, Method, Owner, Sign, Unsigned};

const LIST: &str = "list the repositories of";
const TAGS: &str = "list the tags of";
const UNTAG: &str = "remove the tag";
const DELETE_REPOSITORY: &str = "delete the repository";
/// How many entries to ask for at once: what SWR gives by itself.
const PAGE: &str = "100";
const OFFSET: Cursor = Cursor::Offset("offset");
const DATE: HeaderName = HeaderName::from_static("x-sdk-date");
const ALGORITHM: &str = "SDK-HMAC-SHA256";

pub(super) fn vendor() -> Vendor {
    let quirks = Quirks { delete: Support::Native, probe_tells: false, ..Quirks::default() };
    Vendor { quirks, open }
}

/// The API's host is the registry's with `swr-api` for `swr`.
fn open(place: &Place) -> Result<Box<dyn Provider>> {
    let host = place.client.base().host_str().unwrap_or_default();
    let signer: Arc<dyn Sign> = Arc::new(Key);
    let takes = move |credential: &Credential| match credential {
        Credential::Basic { password, .. } if !is_login_key(password) => Some(Login::Signed(Arc::clone(&signer))),
        _ => None,
    };
    let usual = super::detect::region_of_host(host)
        .and_then(|_| Url::parse(&format!("https://swr-api.{}", host.strip_prefix("swr.")?)).ok());
    let api = match (place.api_address.clone(), usual) {
        (Some(base), _) => Some(Api::new(&place.client, base, takes, Owner::Registry)?),
        (None, Some(base)) => Some(Api::new(&place.client, base, takes, Owner::Vendor)?),
        (None, None) => None,
    };
    Ok(Box::new(Swr { api, namespace: place.namespace.clone() }))
}

struct Swr {
    api: Option<Api>,
    namespace: Option<String>,
}

/// Signs with the access key of the credential, whose user name may have the region before it.
struct Key;

impl Sign for Key {
    fn sign(&self, credential: &Credential, request: &Unsigned<'_>) -> std::result::Result<HeaderMap, String> {
        let Credential::Basic { username, password } = credential else { return Err("its API takes an access key".into()) };
        let access_key = username.split_once('@').map_or(username.as_str(), |(_, access_key)| access_key);
        #[expect(clippy::disallowed_methods, reason = "Huawei compares the time of a signature with its own clock")]
        let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let signature = signature(password, &time, &canonical(request, &time));
        let text = format!("{ALGORITHM} Access={access_key}, SignedHeaders=x-sdk-date, Signature={signature}");
        let authorization =
            HeaderValue::from_str(&text).map_err(|_| "the user name has characters that no access key has".to_owned())?;
        let time = HeaderValue::from_str(&time).expect("digits and letters fit a header");
        Ok(HeaderMap::from_iter([(AUTHORIZATION, authorization), (DATE, time)]))
    }
}

/// The digest of the request as it is signed: the path with a slash at its end, the query in order.
fn canonical(request: &Unsigned<'_>, time: &str) -> String {
    let segments = request.url.path_segments().into_iter().flatten();
    let path: String = segments.filter(|part| !part.is_empty()).map(|part| format!("/{}", strict(part))).collect();
    let mut query: Vec<String> =
        request.url.query_pairs().map(|(key, value)| format!("{}={}", strict(&key), strict(&value))).collect();
    query.sort();
    let body = HEXLOWER.encode(&Sha256::digest(request.body));
    let text = format!("{}\n{path}/\n{}\nx-sdk-date:{time}\n\nx-sdk-date\n{body}", request.method, query.join("&"));
    HEXLOWER.encode(&Sha256::digest(text))
}

fn signature(secret_key: &Secret, time: &str, canonical: &str) -> String {
    HEXLOWER.encode(&*hmac_sha256(secret_key.expose().as_bytes(), &format!("{ALGORITHM}\n{time}\n{canonical}")))
}

#[derive(Deserialize)]
struct Namespaces {
    #[serde(default, deserialize_with = "null_as_default")]
    namespaces: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Tagged {
    #[serde(alias = "Tag")]
    tag: String,
    #[serde(default, deserialize_with = "lenient")]
    digest: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    size: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    updated: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    created: Option<String>,
    /// 0 is an image, 1 a list of them.
    #[serde(default, deserialize_with = "lenient")]
    tag_type: Option<u8>,
}

/// `/namespaces/N/repos/R`, where slashes in R are written as `$`.
fn path(repository: &Repository) -> Option<String> {
    let (namespace, name) = repository.as_str().split_once('/')?;
    Some(format!("/v2/manage/namespaces/{namespace}/repos/{}", name.replace('/', "$")))
}

impl Swr {
    fn api(&self, v2: &V2, operation: &'static str, subject: &str) -> Result<&Api> {
        self.api.as_ref().ok_or_else(|| nowhere(operation, subject, v2.name()))
    }

    async fn delete(&self, v2: &V2, repository: &Repository, rest: &str, operation: &'static str, subject: &str) -> Result<bool> {
        let api = self.api(v2, operation, subject)?;
        let Some(path) = path(repository) else {
            return Err(Error::new(ErrorKind::NotFound, operation, subject)
                .because("in SWR every repository belongs to an organisation: ORGANISATION/NAME"));
        };
        api.delete(api.request(Method::DELETE, &format!("{path}{rest}")), operation, subject).await
    }
}

#[async_trait]
impl Provider for Swr {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        match self.api {
            Some(_) => Capabilities { list: Support::Api, untag: Support::Api, delete_repository: Support::Api, ..v2 },
            None => v2,
        }
    }

    fn repositories<'a>(&'a self, v2: &'a V2) -> Pages<'a, Repository> {
        Box::pin(async_stream::try_stream! {
            let api = self.api(v2, LIST, v2.name())?;
            let organisations = match &self.namespace {
                Some(namespace) => vec![namespace.split('/').next().unwrap_or(namespace).to_owned()],
                None => {
                    let all: Namespaces = api.get("/v2/manage/namespaces", LIST, v2.name()).await?;
                    all.namespaces.into_iter().map(|namespace| namespace.name).collect()
                }
            };
            for organisation in organisations {
                let first = api.request(Method::GET, "/v2/manage/repos").query("namespace", &organisation).query("limit", PAGE);
                let entries = move |page: Vec<Named>| {
                    let names = page.into_iter().map(|named| format!("{organisation}/{}", named.name.replace('$', "/")));
                    names.filter_map(|key| Some(Keyed { value: key.parse().ok()?, key })).collect()
                };
                for await page in api.list(first, OFFSET, LIST, v2.name().to_owned(), entries) {
                    yield page?;
                }
            }
        })
    }

    fn tags<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, TagEntry>> {
        let (api, path) = (self.api.as_ref()?, path(repository)?);
        let first = api.request(Method::GET, &format!("{path}/tags")).query("limit", PAGE);
        let entries = |page: Vec<Tagged>| page.into_iter().map(|tag| Keyed { key: tag.tag.clone(), value: tag }).collect();
        let tags = api.list(first, OFFSET, TAGS, v2.subject(repository, ""), entries);
        Some(Box::pin(tags.map_ok(|page| page.into_iter().map(entry).collect())))
    }

    async fn untag(&self, v2: &V2, repository: &Repository, tag: &Tag) -> Result<bool> {
        self.delete(v2, repository, &format!("/tags/{tag}"), UNTAG, &v2.subject(repository, &format!(":{tag}"))).await
    }

    async fn delete_repository(&self, v2: &V2, repository: &Repository) -> Result<bool> {
        self.delete(v2, repository, "", DELETE_REPOSITORY, &v2.subject(repository, "")).await
    }

    fn judge(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Unsupported => error
                .remedy("SWR's API takes an access key and its secret (regctl login), not the login key that the console shows"),
            ErrorKind::Denied => error.remedy("the access key's user needs the permission Manage in the organisation"),
            _ => error,
        }
    }
}

fn entry(tag: Tagged) -> TagEntry {
    TagEntry {
        digest: tag.digest.and_then(|digest| digest.parse().ok()),
        size: tag.size.filter(|_| tag.tag_type == Some(0)),
        pushed_at: date(tag.updated.as_deref()).or(date(tag.created.as_deref())),
        ..TagEntry::named(tag.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Huawei's "AK/SK Signing and Authentication Algorithm".
    #[test]
    fn the_published_signature() {
        let secret_key = Secret::new("MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc");
        let canonical = "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a";
        assert_eq!(
            signature(&secret_key, "20191115T033655Z", canonical),
            "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"
        );
    }

    #[test]
    fn slashes_are_written_as_dollars() {
        let path = |name: &str| path(&name.parse().unwrap());
        assert_eq!(path("acme/tools/web").as_deref(), Some("/v2/manage/namespaces/acme/repos/tools$web"));
        assert_eq!(path("web"), None);
        assert_eq!(strict("tools$web 1~"), "tools%24web%201~");
    }
}
