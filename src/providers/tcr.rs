//! Tencent's TCR: a Harbor in its registry part, so that by digest is the way to delete. Tencent's own API lists repositories, tells more
//! of tags and deletes whole repositories, for those who have a key (SecretId and SecretKey); of the key a password for the registry is
//! made too. Whoever has only such a password has `/v2/`.
//!
//! Tencent doesn't say whether its calls that delete a tag leave others on the digest, so they are not used: a tag that shares its digest
//! is left. In the personal edition, whose passwords nobody makes of keys, a key lists and does no more.
//!
//! Written from Tencent's API reference and Harbor's adapter, tried against a fake only, the signature against Tencent's published example.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Place;
use super::api::{Keyed, date, lenient, nowhere};
use super::provider::{Pages, Provider, Vendor};
use super::tencent::{PAGE, Tencent};
use crate::distribution::{Quirks, V2};
use crate::oci::{Repository, Tag, null_as_default};
use crate::registry::{Capabilities, Error, ErrorKind, Registry, Result, Support, TagEntry};
use crate::transport::Cursor;

const LIST: &str = "list the repositories of";
const TAGS: &str = "list the tags of";
const DELETE_REPOSITORY: &str = "delete the repository";
/// The enterprise edition calls the number of a page its offset.
const PAGES: Cursor = Cursor::FieldNumber("Offset");
const ENTRIES: Cursor = Cursor::FieldOffset("Offset");
/// Where the personal edition of all regions is run (Tencent's "Region List" of TCR).
const PERSONAL_REGION: &str = "ap-guangzhou";

pub(super) fn vendor() -> Vendor {
    let quirks = Quirks {
        // Harbor refuses it with 400
        untag: Support::Unsupported,
        delete: Support::Native,
        probe_tells: false,
        ..Quirks::default()
    };
    Vendor { quirks, open }
}

fn open(place: &Place) -> Result<Box<dyn Provider>> {
    Ok(Box::new(Tcr { cloud: Tencent::open(place)?, namespace: place.namespace.clone() }))
}

struct Tcr {
    cloud: Option<Tencent>,
    namespace: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Repositories {
    #[serde(default, deserialize_with = "null_as_default")]
    repository_list: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    /// With its namespace.
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Images {
    #[serde(default, deserialize_with = "null_as_default")]
    image_info_list: Vec<Image>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    image_version: String,
    #[serde(default, deserialize_with = "lenient")]
    digest: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    size: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    update_time: Option<String>,
}

/// What all answers of the personal edition have around them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", bound = "T: Deserialize<'de>")]
struct Personal<T> {
    data: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PersonalRepositories {
    #[serde(default, deserialize_with = "null_as_default")]
    repo_info: Vec<PersonalNamed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PersonalNamed {
    repo_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PersonalTags {
    #[serde(default, deserialize_with = "null_as_default")]
    tag_info: Vec<PersonalTag>,
}

/// Its `TagId` looks like a digest, and nothing says that it is the manifest's.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PersonalTag {
    tag_name: String,
    #[serde(default, deserialize_with = "lenient")]
    size_byte: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    push_time: Option<String>,
}

/// The namespace and the rest of a repository's name.
fn parts<'a>(repository: &'a Repository, operation: &'static str, subject: &str) -> Result<(&'a str, &'a str)> {
    repository.as_str().split_once('/').ok_or_else(|| {
        Error::new(ErrorKind::NotFound, operation, subject)
            .because("in TCR every repository belongs to a namespace: NAMESPACE/NAME")
    })
}

impl Tcr {
    fn cloud(&self, v2: &V2, operation: &'static str, subject: &str) -> Result<&Tencent> {
        self.cloud.as_ref().ok_or_else(|| nowhere(operation, subject, v2.name()))
    }

    /// The API, unless the credential was found to be none for it.
    fn in_use(&self) -> Option<&Tencent> {
        self.cloud.as_ref().filter(|cloud| !cloud.is_refused())
    }

    fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref().map(|namespace| namespace.split('/').next().unwrap_or(namespace))
    }

    fn personal_repositories<'a>(&'a self, cloud: &'a Tencent, subject: String) -> Pages<'a, Repository> {
        let document = json!({ "Offset": 0, "Limit": PAGE });
        let entries = |page: Personal<PersonalRepositories>| named(page.data.repo_info.into_iter().map(|named| named.repo_name));
        cloud.list("DescribeRepositoryOwnerPersonal", &document, (PERSONAL_REGION, ENTRIES), LIST, subject, entries)
    }

    fn personal_tags<'a>(&'a self, cloud: &'a Tencent, repository: &Repository, subject: String) -> Pages<'a, TagEntry> {
        let document = json!({ "RepoName": repository.as_str(), "Offset": 0, "Limit": PAGE });
        let entries = |page: Personal<PersonalTags>| {
            let entry = |tag: PersonalTag| TagEntry {
                size: tag.size_byte.filter(|size| *size > 0),
                pushed_at: time(tag.push_time.as_deref()),
                ..TagEntry::named(tag.tag_name)
            };
            page.data.tag_info.into_iter().map(entry).map(keyed).collect()
        };
        cloud.list("DescribeImagePersonal", &document, (PERSONAL_REGION, ENTRIES), TAGS, subject, entries)
    }
}

fn named(names: impl Iterator<Item = String>) -> Vec<Keyed<Repository>> {
    names.filter_map(|key| Some(Keyed { value: key.parse().ok()?, key })).collect()
}

fn keyed(entry: TagEntry) -> Keyed<TagEntry> {
    Keyed { key: entry.name.clone(), value: entry }
}

#[async_trait]
impl Provider for Tcr {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        match self.in_use() {
            Some(cloud) if cloud.is_personal() => Capabilities { list: Support::Api, ..v2 },
            Some(_) => Capabilities { list: Support::Api, delete_repository: Support::Api, ..v2 },
            None => v2,
        }
    }

    fn repositories<'a>(&'a self, v2: &'a V2) -> Pages<'a, Repository> {
        let Some(cloud) = self.in_use() else { return v2.repositories() };
        if cloud.is_personal() {
            return self.personal_repositories(cloud, v2.name().to_owned());
        }
        Box::pin(async_stream::try_stream! {
            let instance = cloud.instance(LIST, v2.name()).await?;
            let mut document = json!({ "RegistryId": instance.id, "Offset": 1, "Limit": PAGE });
            if let Some(namespace) = self.namespace() {
                document["NamespaceName"] = Value::from(namespace);
            }
            let entries = |page: Repositories| named(page.repository_list.into_iter().map(|named| named.name));
            let way = (instance.region.as_str(), PAGES);
            for await page in cloud.list("DescribeRepositories", &document, way, LIST, v2.name().to_owned(), entries) {
                yield page?;
            }
        })
    }

    fn tags<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, TagEntry>> {
        let (cloud, repository, subject) = (self.in_use()?, repository.clone(), v2.subject(repository, ""));
        if cloud.is_personal() {
            return Some(self.personal_tags(cloud, &repository, subject));
        }
        Some(Box::pin(async_stream::try_stream! {
            let (namespace, name) = parts(&repository, TAGS, &subject)?;
            let instance = cloud.instance(TAGS, &subject).await?;
            let document = json!({
                "RegistryId": instance.id, "NamespaceName": namespace, "RepositoryName": name, "Offset": 1, "Limit": PAGE,
            });
            let entries = |page: Images| page.image_info_list.into_iter().map(entry).map(keyed).collect();
            let way = (instance.region.as_str(), PAGES);
            let pages = cloud.list("DescribeImages", &document, way, TAGS, subject, entries);
            for await page in pages.into_stream() {
                yield page?;
            }
        }))
    }

    async fn untag(&self, v2: &V2, repository: &Repository, tag: &Tag) -> Result<bool> {
        v2.untag(repository, tag).await.map_err(|error| match error.kind() {
            ErrorKind::Unsupported => error.remedy(
                "in Tencent's console or with tccli: tccli tcr DeleteRepositoryTags; whether it leaves other tags on the digest is not \
                 documented, so look at them afterwards",
            ),
            _ => error,
        })
    }

    async fn delete_repository(&self, v2: &V2, repository: &Repository) -> Result<bool> {
        let subject = v2.subject(repository, "");
        let cloud = self.cloud(v2, DELETE_REPOSITORY, &subject)?;
        if cloud.is_personal() {
            return v2.delete_repository(repository).await;
        }
        let (namespace, name) = parts(repository, DELETE_REPOSITORY, &subject)?;
        let instance = cloud.instance(DELETE_REPOSITORY, &subject).await?;
        let document = json!({ "RegistryId": instance.id, "NamespaceName": namespace, "RepositoryName": name });
        cloud.delete("DeleteRepository", &document, &instance.region, DELETE_REPOSITORY, &subject).await
    }

    fn judge(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Unsupported if error.remedies().is_none() => error.remedy(
                "Tencent's API takes a SecretId and its SecretKey as user name and password (regctl login), not the password of a docker \
                 login; in Tencent's console or with tccli: tccli tcr DeleteRepositoryTags; to list repositories without a key, name them in \
                 the entry: --repository",
            ),
            ErrorKind::Denied => error.remedy(
                "a key's user needs the CAM permissions tcr:DescribeInstances, tcr:DescribeRepositories, tcr:DescribeImages, \
                 tcr:CreateInstanceToken and, for repositories, tcr:DeleteRepository; an instance token or service account needs the permission \
                 to delete in this namespace",
            ),
            _ => error,
        }
    }
}

fn entry(image: Image) -> TagEntry {
    TagEntry {
        digest: image.digest.and_then(|digest| digest.parse().ok()),
        size: image.size.filter(|size| *size > 0),
        pushed_at: time(image.update_time.as_deref()),
        ..TagEntry::named(image.image_version)
    }
}

/// A time as Tencent writes it: `2022-08-02T03:52:06Z`, or as Go shows times, `2022-08-02 03:52:06.915755 +0000 UTC`. Without an offset
/// nobody knows when that is.
fn time(text: Option<&str>) -> Option<Timestamp> {
    let text = text?;
    date(Some(text)).or_else(|| {
        let mut words = text.split_whitespace();
        let (day, hour, offset) = (words.next()?, words.next()?, words.next()?);
        date(Some(&format!("{day}T{hour}{offset}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, expected) in [
            ("2022-08-02 03:52:06.915755 +0000 UTC", Some("2022-08-02T03:52:06.915755Z")),
            ("2019-10-24 14:20:11 +0800 CST", Some("2019-10-24T06:20:11Z")),
            ("2024-07-19T15:33:22+08:00", Some("2024-07-19T07:33:22Z")),
            ("2024-11-09 16:11:32", None),
            ("0001-01-01 00:00:00 +0000 UTC", None),
            ("", None),
        ] {
            assert_eq!(time(Some(text)).map(|time| time.to_string()).as_deref(), expected, "{text}");
        }
        assert_eq!(time(None), None);
    }
}
