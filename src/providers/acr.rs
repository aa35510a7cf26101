//! Alibaba's Container Registry: its registry part lists no repositories, and what that deletes is not documented. Alibaba's own APIs, one for
//! each edition, list and delete, for those who have an AccessKey; of the key a password for the registry is made too. Whoever has only
//! such a password has `/v2/`.
//!
//! Alibaba doesn't say whether its call that deletes a tag leaves others on the digest, so it is not used to take one of several away. A
//! manifest goes by deleting every tag on it, which takes nothing else, whatever that call does.
//!
//! Written from Alibaba's API reference and Harbor's adapter, tried against a fake only, the signature against Alibaba's published example.

use std::collections::HashSet;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::Place;
use super::alibaba::{Alibaba, Edition, NUMBER, PAGE, number};
use super::api::{Keyed, date, lenient, nowhere};
use super::provider::{Pages, Provider, Vendor};
use crate::distribution::{Quirks, V2};
use crate::oci::{Digest, Repository, Tag};
use crate::registry::{Capabilities, Error, ErrorKind, Registry, Result, Support, TagEntry};
use crate::transport::{Cursor, Method, Request};

const LIST: &str = "list the repositories of";
const TAGS: &str = "list the tags of";
const DELETE: &str = "delete";
const DELETE_REPOSITORY: &str = "delete the repository";
/// How lists of the personal edition go on.
const PERSONAL_NUMBER: Cursor = Cursor::Number { parameter: "Page", more: None };

pub(super) fn vendor() -> Vendor {
    let quirks = Quirks {
        list: Support::Unsupported,
        // nobody says that it would leave others on the digest
        untag: Support::Unsupported,
        no_delete: "Alibaba's registry doesn't delete through /v2/",
        probe_tells: false,
        ..Quirks::default()
    };
    Vendor { quirks, open }
}

fn open(place: &Place) -> Result<Box<dyn Provider>> {
    let cloud = Alibaba::open(place)?;
    let namespace = place.namespace.clone();
    Ok(Box::new(Acr { cloud, namespace, repository: Mutex::default(), untagged: std::sync::Mutex::default() }))
}

struct Acr {
    cloud: Option<Alibaba>,
    namespace: Option<String>,
    /// The repository of an instance that was asked about last, and its identifier. Commands are about one after the other.
    repository: Mutex<Option<(Repository, String)>>,
    /// The manifests whose tags this run deletes. A registry may still have one that no tag names any more.
    untagged: std::sync::Mutex<HashSet<(Repository, Digest)>>,
}

#[derive(Deserialize)]
struct Repo {
    #[serde(rename = "RepoNamespaceName", alias = "repoNamespace")]
    namespace: String,
    #[serde(rename = "RepoName", alias = "repoName")]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Identified {
    repo_id: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "Tag", alias = "tag")]
    tag: String,
    /// Without its algorithm, in the examples.
    #[serde(rename = "Digest", alias = "digest", default, deserialize_with = "lenient")]
    digest: Option<String>,
    #[serde(rename = "ImageSize", alias = "imageSize", default, deserialize_with = "number")]
    size: Option<i64>,
    /// Milliseconds since 1970.
    #[serde(rename = "ImageUpdate", alias = "imageUpdate", default, deserialize_with = "number")]
    updated: Option<i64>,
}

/// The namespace and the name of a repository. There is nothing below.
fn parts<'a>(repository: &'a Repository, operation: &'static str, subject: &str) -> Result<(&'a str, &'a str)> {
    repository.as_str().split_once('/').ok_or_else(|| {
        Error::new(ErrorKind::NotFound, operation, subject)
            .because("in Alibaba's registry every repository belongs to a namespace: NAMESPACE/NAME")
    })
}

/// A name as one part of the personal edition's addresses.
fn path(repository: &Repository, operation: &'static str, subject: &str) -> Result<String> {
    let (namespace, name) = parts(repository, operation, subject)?;
    match name.contains('/') {
        false => Ok(format!("/repos/{namespace}/{name}")),
        true => Err(Error::new(ErrorKind::NotFound, operation, subject)
            .because("names of the personal edition have two parts: NAMESPACE/NAME")),
    }
}

impl Acr {
    fn cloud(&self, v2: &V2, operation: &'static str, subject: &str) -> Result<&Alibaba> {
        self.cloud.as_ref().ok_or_else(|| nowhere(operation, subject, v2.name()))
    }

    /// The API, unless the credential was found to be none for it.
    fn in_use(&self) -> Option<&Alibaba> {
        self.cloud.as_ref().filter(|cloud| !cloud.is_refused())
    }

    fn untagged(&self) -> std::sync::MutexGuard<'_, HashSet<(Repository, Digest)>> {
        self.untagged.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The identifier of a repository of this instance.
    async fn repo_id(
        &self,
        cloud: &Alibaba,
        instance: &str,
        repository: &Repository,
        operation: &'static str,
        subject: &str,
    ) -> Result<String> {
        let mut last = self.repository.lock().await;
        if let Some((known, id)) = &*last
            && known == repository
        {
            return Ok(id.clone());
        }
        let (namespace, name) = parts(repository, operation, subject)?;
        let request = cloud.call("GetRepository").query("InstanceId", instance);
        let request = request.query("RepoNamespaceName", namespace).query("RepoName", name);
        let found: Identified = cloud.read(request, operation, subject).await?;
        *last = Some((repository.clone(), found.repo_id.clone()));
        Ok(found.repo_id)
    }

    fn images<'a>(
        &'a self,
        cloud: &'a Alibaba,
        repository: Repository,
        operation: &'static str,
        subject: String,
    ) -> Pages<'a, Image> {
        Box::pin(async_stream::try_stream! {
            let (first, way) = match cloud.edition(operation, &subject).await? {
                Edition::Personal => {
                    let path = path(&repository, operation, &subject)?;
                    (cloud.at(Method::GET, &format!("{path}/tags"), "GetRepoTags"), (PERSONAL_NUMBER, "/data/tags"))
                }
                Edition::Enterprise(instance) => {
                    let id = self.repo_id(cloud, instance, &repository, operation, &subject).await?;
                    (cloud.call("ListRepoTag").query("InstanceId", instance).query("RepoId", &id), (NUMBER, "/Images"))
                }
            };
            let entries = |page: Vec<Image>| page.into_iter().map(|value| Keyed { key: value.tag.clone(), value }).collect();
            for await page in cloud.list(first.query("PageSize", PAGE), way, operation, subject, entries) {
                yield page?;
            }
        })
    }

    /// The call that deletes one tag.
    async fn deletion(&self, cloud: &Alibaba, repository: &Repository, tag: &Tag, subject: &str) -> Result<Request> {
        Ok(match cloud.edition(DELETE, subject).await? {
            Edition::Personal => {
                cloud.at(Method::DELETE, &format!("{}/tags/{tag}", path(repository, DELETE, subject)?), "DeleteImage")
            }
            Edition::Enterprise(instance) => {
                let id = self.repo_id(cloud, instance, repository, DELETE, subject).await?;
                cloud.call("DeleteRepoTag").query("InstanceId", instance).query("RepoId", &id).query("Tag", tag.as_str())
            }
        })
    }
}

#[async_trait]
impl Provider for Acr {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        match self.in_use() {
            Some(_) => {
                let api = Support::Api;
                Capabilities { list: api, delete: api, delete_repository: api, ..v2 }
            }
            None => v2,
        }
    }

    fn repositories<'a>(&'a self, v2: &'a V2) -> Pages<'a, Repository> {
        let Some(cloud) = self.in_use() else { return v2.repositories() };
        Box::pin(async_stream::try_stream! {
            let namespace = self.namespace.as_deref().map(|namespace| namespace.split('/').next().unwrap_or(namespace));
            let (first, way) = match cloud.edition(LIST, v2.name()).await? {
                Edition::Personal => {
                    let (path, action) = match namespace {
                        Some(namespace) => (format!("/repos/{namespace}"), "GetRepoListByNamespace"),
                        None => ("/repos".to_owned(), "GetRepoList"),
                    };
                    (cloud.at(Method::GET, &path, action), (PERSONAL_NUMBER, "/data/repos"))
                }
                Edition::Enterprise(instance) => {
                    let all = cloud.call("ListRepository").query("InstanceId", instance);
                    let request = match namespace {
                        Some(namespace) => all.query("RepoNamespaceName", namespace),
                        None => all,
                    };
                    (request, (NUMBER, "/Repositories"))
                }
            };
            let entries = |page: Vec<Repo>| {
                let names = page.into_iter().map(|repo| format!("{}/{}", repo.namespace, repo.name));
                names.filter_map(|key| Some(Keyed { value: key.parse().ok()?, key })).collect()
            };
            for await page in cloud.list(first.query("PageSize", PAGE), way, LIST, v2.name().to_owned(), entries) {
                yield page?;
            }
        })
    }

    fn tags<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, TagEntry>> {
        let images = self.images(self.in_use()?, repository.clone(), TAGS, v2.subject(repository, ""));
        Some(Box::pin(images.map_ok(|page| page.into_iter().map(entry).collect())))
    }

    async fn untag(&self, v2: &V2, repository: &Repository, tag: &Tag) -> Result<bool> {
        v2.untag(repository, tag).await.map_err(|error| match error.kind() {
            ErrorKind::Unsupported => error.remedy(
                "in Alibaba's console or with its own tool: aliyun cr DeleteRepoTag; whether it leaves other tags on the digest is not \
                 documented, so look at them afterwards",
            ),
            _ => error,
        })
    }

    /// Deletes every tag on the digest, each looked at again before. What has no tag is left to `/v2/`.
    async fn delete_manifest(&self, v2: &V2, repository: &Repository, digest: &Digest) -> Result<bool> {
        let subject = v2.subject(repository, &format!("@{digest}"));
        let Some(cloud) = self.in_use() else { return v2.delete_manifest(repository, digest).await };
        let images = match self.images(cloud, repository.clone(), DELETE, subject.clone()).try_collect::<Vec<_>>().await {
            Ok(pages) => pages.into_iter().flatten(),
            Err(_) if cloud.is_refused() => return v2.delete_manifest(repository, digest).await,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut gone = false;
        for listed in images.map(entry).filter(|entry| entry.digest.as_ref().is_none_or(|on| on == digest)) {
            let Ok(tag) = listed.name.parse::<Tag>() else { continue };
            match v2.head(repository, &tag.clone().into()).await {
                Ok(head) if head.digest == *digest => {}
                Ok(_) => continue,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
            self.untagged().insert((repository.clone(), digest.clone()));
            let request = self.deletion(cloud, repository, &tag, &subject).await?;
            // one that is not there any more went with another
            cloud.delete(request, DELETE, &subject).await?;
            gone = true;
        }
        if gone {
            return Ok(true);
        }
        match v2.head(repository, &digest.clone().into()).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
            Ok(_) if self.untagged().contains(&(repository.clone(), digest.clone())) => Ok(true),
            Ok(_) => v2.delete_manifest(repository, digest).await,
        }
    }

    async fn delete_repository(&self, v2: &V2, repository: &Repository) -> Result<bool> {
        let subject = v2.subject(repository, "");
        let cloud = self.cloud(v2, DELETE_REPOSITORY, &subject)?;
        let request = match cloud.edition(DELETE_REPOSITORY, &subject).await? {
            Edition::Personal => cloud.at(Method::DELETE, &path(repository, DELETE_REPOSITORY, &subject)?, "DeleteRepo"),
            Edition::Enterprise(instance) => {
                let id = match self.repo_id(cloud, instance, repository, DELETE_REPOSITORY, &subject).await {
                    Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
                    other => other?,
                };
                *self.repository.lock().await = None;
                cloud.call("DeleteRepository").query("InstanceId", instance).query("RepoId", &id)
            }
        };
        cloud.delete(request, DELETE_REPOSITORY, &subject).await
    }

    fn judge(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Unsupported if error.remedies().is_none() => error.remedy(
                "Alibaba's API takes an AccessKey ID and its secret as user name and password (regctl login), not the password of a docker \
                 login; in Alibaba's console or with its own tool: aliyun cr DeleteRepoTag; to list repositories without a key, name them in \
                 the entry: --repository",
            ),
            ErrorKind::Denied => error.remedy(
                "the key's user needs the RAM permissions cr:ListInstance, cr:ListRepository, cr:GetRepository, cr:ListRepositoryTag, \
                 cr:GetAuthorizationToken, to delete cr:DeleteRepositoryTag and cr:DeleteRepository, and to read cr:PullRepository",
            ),
            _ => error,
        }
    }
}

fn entry(image: Image) -> TagEntry {
    let digest = image.digest.map(|digest| if digest.contains(':') { digest } else { format!("sha256:{digest}") });
    let updated = image.updated.and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok());
    TagEntry {
        digest: digest.and_then(|digest| digest.parse().ok()),
        size: image.size.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0),
        pushed_at: updated.and_then(|time| date(Some(&time.to_string()))),
        ..TagEntry::named(image.tag)
    }
}
