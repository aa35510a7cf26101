//! Amazon's ECR: `/v2/` neither lists repositories nor deletes; its JSON API does, signed with the access key that the registry's
//! password is made of. Whoever has only that password (`aws ecr get-login-password`) can read.
//!
//! The public registry has the same calls in an API of its own. There the first part of a name is an alias of an account, which its API
//! knows only whose it is: calls leave it out, and are made for aliases of the key's own account only.
//!
//! Written from Amazon's API reference, tried against a fake, and against moto as far as moto goes.

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::OnceCell;
use url::Url;

use super::api::{Api, Keyed, date, lenient};
use super::derived::ecr::{ECR_USER, MEDIA_TYPE, PUBLIC, Service, TEMPORARY, usual_api};
use super::provider::{Pages, Provider, Vendor};
use super::reports::ecr as reports;
use super::sigv4::{self, Signed, Signer};
use super::{Place, facts};
use crate::credentials::Credential;
use crate::distribution::{Quirks, ServerError, V2, error, json as read_json};
use crate::oci::{Digest, Repository, Tag, media_type, null_as_default};
use crate::registry::{
    Capabilities, Error, ErrorKind, Facts, Hold, Lock, Locks, Registry, Result, Retention, Scanned, Support, TagEntry,
};
use crate::transport::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use crate::transport::{Answer, Cursor, Login, Method, Owner, Request, Sign, Unsigned};

const LIST: &str = "list the repositories of";
const TAGS: &str = "list the tags of";
const MANIFESTS: &str = "list the manifests of";
const LOCKS: &str = "see what is locked in";
const UNTAG: &str = "remove the tag";
const DELETE: &str = "delete";
const DELETE_REPOSITORY: &str = "delete the repository";
const REPORT: &str = "read the vulnerability report on";
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
/// What immutability is to ECR: a tag is put once, until it is deleted (users' report: containers-roadmap#2179).
const IMMUTABLE: Lock = Lock::Fixed(Hold {
    why: "the tags of this repository of ECR can't be moved, only deleted",
    remedy: "aws ecr put-image-tag-mutability --repository-name NAME --image-tag-mutability MUTABLE",
});
/// The most that ECR puts on a page.
const PAGE: u32 = 1000;
/// The only region in which the API of the public registry is.
const PUBLIC_REGION: &str = "us-east-1";
const CURSOR: Cursor = Cursor::Field { at: "/nextToken", field: "nextToken" };

pub(super) fn vendor() -> Vendor {
    let quirks = Quirks {
        list: Support::Unsupported,
        untag: Support::Unsupported,
        delete: Support::Unsupported,
        probe_tells: false,
        no_delete: "ECR deletes by its own API only",
        ..Quirks::default()
    };
    Vendor { quirks, open }
}

fn open(place: &Place) -> Result<Box<dyn Provider>> {
    let host = place.client.base().host_str().unwrap_or_default();
    let service = Service::of(host);
    let region = if *service == PUBLIC { Some(PUBLIC_REGION.to_owned()) } else { place.region.clone() };
    let Some(region) = region else { return Ok(Box::new(Ecr { api: None, namespace: None, service, aliases: OnceCell::new() })) };
    // an address at Amazon is made of the region and known domains, so it needs nobody's word
    let (base, owner): (Url, Owner) = match &place.api_address {
        Some(base) => (base.clone(), Owner::Registry),
        None => (usual_api(host, &region), Owner::Vendor),
    };
    let signer: Arc<dyn Sign> = Arc::new(Key { region, service });
    let takes = move |credential: &Credential| match credential {
        Credential::Basic { username, .. } if username != ECR_USER && !username.starts_with(TEMPORARY) => {
            Some(Login::Signed(Arc::clone(&signer)))
        }
        _ => None,
    };
    let api = Some(Api::new(&place.client, base, takes, owner)?);
    Ok(Box::new(Ecr { api, namespace: place.namespace.clone(), service, aliases: OnceCell::new() }))
}

struct Ecr {
    api: Option<Api>,
    namespace: Option<String>,
    service: &'static Service,
    /// In the public registry, what the account of the key is called.
    aliases: OnceCell<Vec<String>>,
}

/// Signs with the access key of the credential.
struct Key {
    region: String,
    service: &'static Service,
}

impl Sign for Key {
    fn sign(&self, credential: &Credential, request: &Unsigned<'_>) -> std::result::Result<HeaderMap, String> {
        let Credential::Basic { username: access_key, password: secret_key } = credential else {
            return Err("its API takes an access key".into());
        };
        #[expect(clippy::disallowed_methods, reason = "Amazon compares the time of a signature with its own clock")]
        let now = Timestamp::now();
        let date = sigv4::date(now);
        let host = request.url.host_str().unwrap_or_default();
        let host = request.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let text = |name: &HeaderName| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let headers =
            [("content-type", text(&CONTENT_TYPE)), ("host", &host), ("x-amz-date", &date), ("x-amz-target", text(&TARGET))];
        let signer = Signer { access_key, secret_key, region: &self.region, service: self.service.name };
        let signed = Signed { method: request.method, path: request.url.path(), headers: &headers, body: request.body };
        let authorization = HeaderValue::from_str(&signer.authorization(&signed, now))
            .map_err(|_| "the user name has characters that no access key has".to_owned())?;
        let date = HeaderValue::from_str(&date).expect("digits and letters fit a header");
        Ok(HeaderMap::from_iter([(AUTHORIZATION, authorization), (DATE, date)]))
    }
}

#[derive(Deserialize)]
struct Repositories {
    #[serde(default, deserialize_with = "null_as_default")]
    repositories: Vec<Described>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    repository_name: String,
    /// `public.ecr.aws/ALIAS/NAME` in the public registry.
    #[serde(default, deserialize_with = "lenient")]
    repository_uri: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    image_tag_mutability: Option<String>,
}

#[derive(Deserialize)]
struct Registries {
    #[serde(default, deserialize_with = "null_as_default")]
    registries: Vec<Account>,
}

#[derive(Deserialize)]
struct Account {
    #[serde(default, deserialize_with = "null_as_default")]
    aliases: Vec<Alias>,
}

#[derive(Deserialize)]
struct Alias {
    name: String,
    /// One that was only asked for may be somebody else's.
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Images {
    #[serde(default, deserialize_with = "null_as_default")]
    image_details: Vec<Image>,
}

/// Times are seconds since 1970, with fractions.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    #[serde(default, deserialize_with = "lenient")]
    image_digest: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    image_tags: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    image_size_in_bytes: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    image_pushed_at: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    last_recorded_pull_time: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    image_manifest_media_type: Option<String>,
}

#[derive(Deserialize)]
struct Deleted {
    #[serde(default, deserialize_with = "null_as_default")]
    failures: Vec<Failure>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    #[serde(default, deserialize_with = "lenient")]
    failure_code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    failure_reason: Option<String>,
}

/// What a name in an error means. ECR answers 400 to everything.
fn meaning(code: &str) -> Option<ErrorKind> {
    Some(match code {
        "RepositoryNotFoundException" | "ImageNotFoundException" | "ImageNotFound" | "LifecyclePolicyNotFoundException" => {
            ErrorKind::NotFound
        }
        "ScanNotFoundException" => ErrorKind::NotFound,
        "UnsupportedImageTypeException" => ErrorKind::Unsupported,
        "AccessDeniedException" => ErrorKind::Denied,
        "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "InvalidClientTokenId"
        | "ExpiredTokenException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignatureException" => ErrorKind::CredentialRefused,
        "ThrottlingException" | "LimitExceededException" => ErrorKind::RateLimited,
        "ImageReferencedByManifestList" | "ImageTagDoesNotMatchDigest" | "RepositoryNotEmptyException" => ErrorKind::Conflict,
        _ => return None,
    })
}

/// An answer that is no success. The name of the error stands after a `#`.
fn refusal(answer: &Answer, operation: &'static str, subject: &str) -> Error {
    let code = ServerError::read(answer).code.unwrap_or_default();
    let name = code.rsplit('#').next().unwrap_or_default();
    let told = error(answer, operation, subject);
    match meaning(name) {
        Some(kind) => told.means(kind),
        None => told,
    }
}

impl Ecr {
    fn request(&self, target: &'static str, document: &Value, operation: &'static str, subject: &str) -> Result<(&Api, Request)> {
        let api = self.api.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, operation, subject)
                .because("only ECR's own API can do that, which is not known without a region")
        })?;
        let request = api.request(Method::POST, "/").content(MEDIA_TYPE, document.to_string().into()).repeatable();
        Ok((api, request.text_header(TARGET, &self.service.target(target))))
    }

    /// What the API calls a repository: in the public registry the name without the alias, which has to be one of the key's account, or
    /// the call would be about a repository of that account that has the same name.
    async fn name<'a>(&self, repository: &'a Repository, operation: &'static str, subject: &str) -> Result<&'a str> {
        if *self.service != PUBLIC {
            return Ok(repository.as_str());
        }
        let Some((alias, name)) = repository.as_str().split_once('/') else {
            return Err(Error::new(ErrorKind::NotFound, operation, subject)
                .because("in ECR Public every repository belongs to an alias of an account: ALIAS/NAME"));
        };
        let aliases = self.aliases.get_or_try_init(|| self.aliases(operation, subject)).await?;
        match aliases.iter().any(|own| own == alias) {
            true => Ok(name),
            false => Err(Error::new(ErrorKind::Denied, operation, subject)
                .because(format!("{alias} is no alias of the account that the access key belongs to"))),
        }
    }

    async fn aliases(&self, operation: &'static str, subject: &str) -> Result<Vec<String>> {
        let answer = self.call("DescribeRegistries", &json!({}), operation, subject).await?;
        let found: Registries = read_json(&answer, operation, subject)?;
        let aliases = found.registries.into_iter().flat_map(|account| account.aliases);
        Ok(aliases.filter(|alias| alias.status.as_deref() == Some("ACTIVE")).map(|alias| alias.name).collect())
    }

    async fn call(&self, target: &'static str, document: &Value, operation: &'static str, subject: &str) -> Result<Answer> {
        let (api, request) = self.request(target, document, operation, subject)?;
        api.wants_key(operation, subject).await?;
        let answer = api.send(request, operation, subject).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(refusal(&answer, operation, subject)) }
    }

    /// Takes one image away, by tag or by digest. Failures come with 200.
    async fn delete(&self, repository: &Repository, id: Value, operation: &'static str, subject: &str) -> Result<bool> {
        let name = self.name(repository, operation, subject).await?;
        let document = json!({ "repositoryName": name, "imageIds": [id] });
        let answer = match self.call("BatchDeleteImage", &document, operation, subject).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            other => other?,
        };
        let deleted: Deleted = read_json(&answer, operation, subject)?;
        let Some(failure) = deleted.failures.into_iter().next() else { return Ok(true) };
        let code = failure.failure_code.unwrap_or_default();
        match meaning(&code) {
            Some(ErrorKind::NotFound) => Ok(answer.repeated),
            kind => Err(Error::new(kind.unwrap_or(ErrorKind::Invalid), operation, subject)
                .answered(200, Some(crate::distribution::clean(&code)))
                .because(crate::distribution::clean(failure.failure_reason.as_deref().unwrap_or(&code)))),
        }
    }

    fn images<'a>(&'a self, v2: &V2, repository: &Repository, status: &'static str, operation: &'static str) -> Pages<'a, Image> {
        let (repository, subject) = (repository.clone(), v2.subject(repository, ""));
        Box::pin(async_stream::try_stream! {
            let name = self.name(&repository, operation, &subject).await?;
            let mut document = json!({ "repositoryName": name, "maxResults": PAGE });
            // the public registry has no such filter
            if *self.service != PUBLIC {
                document["filter"] = json!({ "tagStatus": status });
            }
            let entries = |page: Images| {
                let keyed = page.image_details.into_iter();
                keyed.map(|value| Keyed { key: value.image_digest.clone().unwrap_or_default(), value }).collect()
            };
            for await page in self.list("DescribeImages", document, operation, subject, entries) {
                yield page?;
            }
        })
    }

    fn list<'a, P: serde::de::DeserializeOwned + 'a, T: Send + 'a>(
        &'a self,
        target: &'static str,
        document: Value,
        operation: &'static str,
        subject: String,
        entries: impl Fn(P) -> Vec<Keyed<T>> + Send + 'a,
    ) -> Pages<'a, T> {
        Box::pin(async_stream::try_stream! {
            let (api, request) = self.request(target, &document, operation, &subject)?;
            api.wants_key(operation, &subject).await?;
            for await page in api.list_or(request, CURSOR, operation, subject, entries, refusal) {
                yield page?;
            }
        })
    }
}

impl Ecr {
    /// The lifecycle policies of the entry's repositories, and how many were asked if those are not all. ECR has no call for several.
    async fn policies(&self, v2: &V2) -> Result<(Vec<Retention>, Option<usize>)> {
        const TARGET: &str = "GetLifecyclePolicy";
        let mut all: Vec<Repository> = self.repositories(v2).try_concat().await?;
        if let Some(namespace) = &self.namespace {
            all.retain(|name| {
                name.as_str().strip_prefix(namespace.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
        }
        let first = (all.len() > facts::MOST).then_some(facts::MOST);
        all.truncate(facts::MOST);
        let asked = stream::iter(all).map(|name| async move {
            let subject = v2.subject(&name, "");
            let document = json!({ "repositoryName": name.as_str() });
            match self.call(TARGET, &document, facts::OPERATION, &subject).await {
                Ok(answer) => Ok(Some(facts::ecr::retention(name.as_str(), &read_json(&answer, facts::OPERATION, &subject)?))),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        });
        let policies = asked.buffered(v2.concurrency().max(1)).try_filter_map(|policy| std::future::ready(Ok(policy)));
        Ok((policies.try_collect().await?, first))
    }
}

#[async_trait]
impl Provider for Ecr {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        match self.api {
            Some(_) => {
                let api = Support::Api;
                Capabilities { list: api, untag: api, delete: api, delete_repository: api, ..v2 }
            }
            None => v2,
        }
    }

    async fn facts(&self, v2: &V2) -> Result<Facts> {
        // neither policies nor scans
        if *self.service == PUBLIC {
            return Ok(Facts::default());
        }
        let policies = facts::fact(self.policies(v2).await, facts::ecr::NEEDS)?;
        let first_repositories = policies.told().and_then(|(_, first)| *first);
        Ok(Facts { retention: policies.map(|(policies, _)| policies), first_repositories, ..Facts::default() })
    }

    fn repositories<'a>(&'a self, v2: &'a V2) -> Pages<'a, Repository> {
        let is_public = *self.service == PUBLIC;
        let entries = move |page: Repositories| {
            let name = |described: Described| match described.repository_uri {
                Some(uri) if is_public => uri.split_once('/').map_or(described.repository_name, |(_, name)| name.to_owned()),
                _ => described.repository_name,
            };
            let names = page.repositories.into_iter().map(name);
            names.filter_map(|key| Some(Keyed { value: key.parse().ok()?, key })).collect()
        };
        self.list("DescribeRepositories", json!({ "maxResults": PAGE }), LIST, v2.name().to_owned(), entries)
    }

    fn tags<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, TagEntry>> {
        let images = self.images(v2, repository, "TAGGED", TAGS);
        Some(Box::pin(images.map_ok(|page| page.into_iter().flat_map(tags_of).collect())))
    }

    fn manifests<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, Digest>> {
        let images = self.images(v2, repository, "ANY", MANIFESTS);
        let digests = |page: Vec<Image>| page.iter().filter_map(|image| image.image_digest.as_deref()?.parse().ok()).collect();
        Some(Box::pin(images.map_ok(digests)))
    }

    /// The public registry has no such rule. Repositories with exceptions to the rule are as good as unknown: the rule isn't worth a
    /// request that says which tags those are.
    async fn locks(&self, v2: &V2, repository: &Repository, _manifests: bool) -> Result<Locks> {
        if *self.service == PUBLIC {
            return Ok(Locks::default());
        }
        let subject = v2.subject(repository, "");
        let document = json!({ "repositoryNames": [repository.as_str()] });
        let answer = self.call("DescribeRepositories", &document, LOCKS, &subject).await?;
        let described: Repositories = read_json(&answer, LOCKS, &subject)?;
        let lock = match described.repositories.first().and_then(|one| one.image_tag_mutability.as_deref()) {
            Some("IMMUTABLE") => Some(IMMUTABLE),
            Some("MUTABLE") => Some(Lock::Open),
            _ => None,
        };
        Ok(Locks { tags: lock.map(|lock| (None, lock)).into_iter().collect(), ..Locks::default() })
    }

    /// With its last tag an image goes too; that is ECR's way.
    async fn untag(&self, v2: &V2, repository: &Repository, tag: &Tag) -> Result<bool> {
        let subject = v2.subject(repository, &format!(":{tag}"));
        self.delete(repository, json!({ "imageTag": tag.as_str() }), UNTAG, &subject).await
    }

    async fn delete_manifest(&self, v2: &V2, repository: &Repository, digest: &Digest) -> Result<bool> {
        let subject = v2.subject(repository, &format!("@{digest}"));
        self.delete(repository, json!({ "imageDigest": digest.as_str() }), DELETE, &subject).await
    }

    async fn delete_repository(&self, v2: &V2, repository: &Repository) -> Result<bool> {
        let subject = v2.subject(repository, "");
        let document = json!({ "repositoryName": self.name(repository, DELETE_REPOSITORY, &subject).await?, "force": true });
        match self.call("DeleteRepository", &document, DELETE_REPOSITORY, &subject).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn vulnerabilities(&self, v2: &V2, repository: &Repository, digest: &Digest) -> Result<Scanned> {
        const TARGET: &str = "DescribeImageScanFindings";
        if self.api.is_none() {
            return Ok(Scanned::Nothing("ECR's own API is not known without a region".into()));
        }
        if *self.service == PUBLIC {
            return Ok(Scanned::Nothing("ECR Public doesn't scan".into()));
        }
        let id = json!({ "imageDigest": digest.as_str() });
        let document = json!({ "repositoryName": repository.as_str(), "imageId": id, "maxResults": PAGE });
        let entries = |page: Value| {
            let key = page["nextToken"].as_str().unwrap_or_default().to_owned();
            vec![Keyed { key, value: page }]
        };
        let subject = v2.subject(repository, &format!("@{digest}"));
        let pages: Vec<Vec<Value>> = match self.list(TARGET, document, REPORT, subject.clone(), entries).try_collect().await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Scanned::Nothing("ECR has not scanned it".into()));
            }
            Err(error) if error.kind() == ErrorKind::Unsupported && error.status().is_some() => {
                return Ok(Scanned::Nothing("ECR can't scan such an image".into()));
            }
            other => other?,
        };
        let pages: std::result::Result<Vec<reports::Page>, _> = pages.into_iter().flatten().map(serde_json::from_value).collect();
        let strange =
            |why| Error::new(ErrorKind::Protocol, REPORT, subject).because("its findings are not as documented").caused_by(why);
        Ok(reports::read(pages.map_err(strange)?))
    }

    fn judge(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Unsupported => error.remedy(
                "ECR's API takes an access key and its secret as user name and password (regctl login); a token of `aws ecr get-login-password` \
                 only reads and pushes",
            ),
            ErrorKind::Denied => error.remedy(
                "the access key needs the permissions ecr:DescribeRepositories, ecr:DescribeImages, ecr:BatchDeleteImage, for repositories \
                 ecr:DeleteRepository, and for reports ecr:DescribeImageScanFindings (in ECR Public the same after ecr-public:, and ecr-public:DescribeRegistries)",
            ),
            ErrorKind::Conflict => error.remedy("an index lists the image: delete that index first"),
            _ => error,
        }
    }
}

fn tags_of(image: Image) -> impl Iterator<Item = TagEntry> {
    let Image {
        image_digest,
        image_tags,
        image_size_in_bytes,
        image_pushed_at,
        last_recorded_pull_time,
        image_manifest_media_type,
    } = image;
    let digest: Option<Digest> = image_digest.and_then(|digest| digest.parse().ok());
    let size = image_size_in_bytes.filter(|_| image_manifest_media_type.as_deref().is_some_and(media_type::is_image));
    image_tags.into_iter().map(move |name| TagEntry {
        digest: digest.clone(),
        media_type: image_manifest_media_type.clone(),
        size,
        pushed_at: seconds(image_pushed_at),
        pulled_at: seconds(last_recorded_pull_time),
        ..TagEntry::named(name)
    })
}

/// A number that no date has is none.
pub(super) fn seconds(seconds: Option<f64>) -> Option<Timestamp> {
    let time = Timestamp::from_second(seconds? as i64).ok()?;
    date(Some(&time.to_string()))
}
