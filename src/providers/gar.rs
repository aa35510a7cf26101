//! Google Artifact Registry: its list of tags also tells digests, sizes and dates, a manifest goes only after its tags, and a whole image
//! (a "package") goes by the API at artifactregistry.googleapis.com.
//!
//! The API takes access tokens, which are also made of a service account's key.
//!
//! Written from Google's API definitions and from what its clients send, tried against a fake only.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::Deserialize;

use super::api::{Api, Keyed, date, escaped, lenient, nowhere};
use super::derived::google::{GoogleToken, is_json_key};
use super::provider::{Pages, Provider, Vendor};
use super::reports::gar::{self as reports, Occurrence, Occurrences};
use super::{Place, facts};
use crate::credentials::Credential;
use crate::distribution::{Quirks, V2, error, json};
use crate::oci::{Digest, Repository, media_type, null_as_default};
use crate::registry::{
    Capabilities, Error, ErrorKind, Fact, Facts, Hold, Lock, Locks, Registry, Result, Scanned, Support, TagEntry,
    VulnerabilityReport,
};
use crate::transport::{Answer, Cursor, Exchange, LIST_LIMIT, Listing, Login, Method, Scope, pages};

const TAGS: &str = "list the tags of";
const MANIFESTS: &str = "list the manifests of";
const LOCKS: &str = "see what is locked in";
const DELETE_REPOSITORY: &str = "delete the repository";
const REPORT: &str = "read the vulnerability report on";
/// Where the API is for the registry's own hosts.
const ADDRESS: &str = "https://artifactregistry.googleapis.com";
/// Where Google's scanner has its API: for these registries it is as much their own.
const ANALYSIS: &str = "https://containeranalysis.googleapis.com";
/// What the registry's hosts end in, after the location.
const HOSTS: &str = "-docker.pkg.dev";
/// The user name that goes with an OAuth2 access token.
const OAUTH: &str = "oauth2accesstoken";
/// What a repository's setting does to all of its tags.
const IMMUTABLE: Lock = Lock::Held(Hold {
    why: "its repository in Artifact Registry has immutable tags",
    remedy: "gcloud artifacts repositories update REPOSITORY --location LOCATION --no-immutable-tags",
});
/// How many tags to ask for at once.
const PAGE: usize = 1000;

pub(super) fn vendor() -> Vendor {
    let quirks =
        Quirks { list: Support::Native, untag: Support::Native, delete: Support::Native, probe_tells: false, ..Quirks::default() };
    Vendor { quirks, open }
}

fn open(place: &Place) -> Result<Box<dyn Provider>> {
    let tokens: Arc<dyn Exchange> = Arc::new(GoogleToken::new(&place.client, place.api_address.as_ref()));
    let takes = move |credential: &Credential| match credential.username()? {
        OAUTH => Some(Login::Bearer),
        username if is_json_key(username) => Some(Login::Made(Arc::clone(&tokens))),
        _ => None,
    };
    let location = place.client.base().host_str().and_then(|host| host.strip_suffix(HOSTS)).map(str::to_owned);
    let api = Api::known(place, |host| host.ends_with(HOSTS), ADDRESS, takes.clone())?;
    let analysis = Api::known(place, |host| host.ends_with(HOSTS), ANALYSIS, takes)?;
    let location = location.or_else(|| place.region.clone());
    Ok(Box::new(Gar { api, analysis, location, namespace: place.namespace.clone() }))
}

struct Gar {
    api: Option<Api>,
    analysis: Option<Api>,
    location: Option<String>,
    /// The project, or the repository in Google's sense, that the entry is for.
    namespace: Option<String>,
}

impl Gar {
    /// What the scanner noted of one kind on an image.
    async fn occurrences(
        &self,
        api: &Api,
        kind: &str,
        v2: &V2,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Vec<Occurrence>> {
        let project = repository.as_str().split('/').next().unwrap_or_default();
        let host = v2.client().base().host_str().unwrap_or_default();
        let filter = format!("kind=\"{kind}\" AND resourceUrl=\"https://{host}/{repository}@{digest}\"");
        let first = api.request(Method::GET, &format!("/v1/projects/{project}/occurrences"));
        let first = first.query("filter", &filter).query("pageSize", "1000");
        let cursor = Cursor::Token { at: "/nextPageToken", parameter: "pageToken" };
        let entries = |page: Occurrences| {
            page.occurrences.into_iter().map(|occurrence| Keyed { key: occurrence.name.clone(), value: occurrence }).collect()
        };
        let subject = v2.subject(repository, &format!("@{digest}"));
        let pages: Vec<Vec<Occurrence>> = api.list(first, cursor, REPORT, subject, entries).try_collect().await?;
        Ok(pages.into_iter().flatten().collect())
    }
}

#[derive(Deserialize)]
struct TagList {
    #[serde(default, deserialize_with = "null_as_default")]
    tags: Vec<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    manifest: HashMap<String, Manifest>,
}

/// Numbers are written as texts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default, deserialize_with = "lenient")]
    image_size_bytes: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    media_type: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    tag: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    time_uploaded_ms: Option<String>,
}

/// A repository in Google's sense: a group of images.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    #[serde(default, deserialize_with = "lenient")]
    docker_config: Option<DockerConfig>,
}

/// What is false is left out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DockerConfig {
    #[serde(default)]
    immutable_tags: bool,
}

#[derive(Deserialize)]
struct Groups {
    #[serde(default, deserialize_with = "null_as_default")]
    repositories: Vec<facts::gar::Group>,
}

/// Work that goes on after the answer.
#[derive(Deserialize)]
struct Operation {
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    done: Option<bool>,
    error: Option<Status>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default, deserialize_with = "lenient")]
    message: Option<String>,
}

impl Gar {
    /// The repositories, in Google's sense, that the entry is for.
    async fn groups(&self, v2: &V2, namespace: &str) -> Result<Vec<facts::gar::Group>> {
        let unknown = || nowhere(facts::OPERATION, v2.name(), v2.name());
        let (Some(api), Some(location)) = (&self.api, &self.location) else { return Err(unknown()) };
        let mut parts = namespace.split('/');
        let project = parts.next().unwrap_or_default();
        let all = format!("/v1/projects/{project}/locations/{location}/repositories");
        if let Some(group) = parts.next() {
            return Ok(vec![api.get(&format!("{all}/{group}"), facts::OPERATION, v2.name()).await?]);
        }
        let entries =
            |page: Groups| page.repositories.into_iter().map(|group| Keyed { key: group.name.clone(), value: group }).collect();
        let cursor = Cursor::Token { at: "/nextPageToken", parameter: "pageToken" };
        api.list(api.request(Method::GET, &all), cursor, facts::OPERATION, v2.name().to_owned(), entries).try_concat().await
    }

    /// Where the API has the repository, in Google's sense, that an image is in.
    fn group(&self, image: &Repository) -> Option<String> {
        let mut parts = image.as_str().split('/');
        let (project, group) = (parts.next()?, parts.next()?);
        Some(format!("/v1/projects/{project}/locations/{}/repositories/{group}", self.location.as_ref()?))
    }
}

#[async_trait]
impl Provider for Gar {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        match (&self.api, &self.location) {
            (Some(_), Some(_)) => Capabilities { delete_repository: Support::Api, ..v2 },
            _ => v2,
        }
    }

    async fn facts(&self, v2: &V2) -> Result<Facts> {
        let groups = match &self.namespace {
            Some(namespace) => facts::fact(self.groups(v2, namespace).await, facts::gar::NEEDS)?,
            None => Fact::Hidden(facts::gar::ONE_PROJECT.to_owned()),
        };
        let retention = match &groups {
            Fact::Told(groups) => Fact::Told(groups.iter().filter_map(facts::gar::Group::retention).collect()),
            Fact::Hidden(needs) => Fact::Hidden(needs.clone()),
            Fact::Untold => Fact::Untold,
        };
        let storage = groups.map(|groups| groups.iter().map(facts::gar::Group::storage).collect());
        Ok(Facts { storage, retention, ..Facts::default() })
    }

    fn tags<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, TagEntry>> {
        Some(list(v2, repository, TAGS, entries, |tag: &TagEntry| tag.name.as_str()))
    }

    /// Google's list of tags names the manifests without one too.
    fn manifests<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, Digest>> {
        let digests = |list: TagList| list.manifest.into_keys().filter_map(|digest| digest.parse().ok()).collect();
        Some(list(v2, repository, MANIFESTS, digests, Digest::as_str))
    }

    /// Google's API says whether the tags of a repository are immutable, all of them or none.
    async fn locks(&self, v2: &V2, repository: &Repository, _manifests: bool) -> Result<Locks> {
        let subject = v2.subject(repository, "");
        let (Some(api), Some(path)) = (&self.api, self.group(repository)) else { return Err(nowhere(LOCKS, &subject, v2.name())) };
        let group: Group = api.get(&path, LOCKS, &subject).await?;
        let immutable = group.docker_config.is_some_and(|config| config.immutable_tags);
        Ok(Locks { tags: vec![(None, if immutable { IMMUTABLE } else { Lock::Open })], ..Locks::default() })
    }

    async fn delete_repository(&self, v2: &V2, repository: &Repository) -> Result<bool> {
        let subject = v2.subject(repository, "");
        let (Some(api), Some(location)) = (&self.api, &self.location) else {
            return Err(nowhere(DELETE_REPOSITORY, &subject, v2.name()));
        };
        let mut parts = repository.as_str().splitn(3, '/');
        let (Some(project), Some(group), Some(image)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::new(ErrorKind::NotFound, DELETE_REPOSITORY, subject)
                .because("an image of Artifact Registry is called PROJECT/REPOSITORY/IMAGE"));
        };
        let package = escaped(image);
        let path = format!("/v1/projects/{project}/locations/{location}/repositories/{group}/packages/{package}");
        let answer = api.send(api.request(Method::DELETE, &path).repeatable(), DELETE_REPOSITORY, &subject).await?;
        match answer.status.as_u16() {
            200..=299 => {}
            404 => return Ok(answer.repeated),
            _ => return Err(error(&answer, DELETE_REPOSITORY, subject)),
        }
        let started: Operation = json(&answer, DELETE_REPOSITORY, &subject)?;
        let ended = match (started.done, &started.name) {
            (Some(true), _) | (_, None) => started,
            (_, Some(name)) => {
                api.wait(&format!("/v1/{name}"), |operation: &Operation| operation.done == Some(true), DELETE_REPOSITORY, &subject)
                    .await?
            }
        };
        match ended.error {
            None => Ok(true),
            Some(status) => Err(Error::new(ErrorKind::Conflict, DELETE_REPOSITORY, subject)
                .because(crate::distribution::clean(&status.message.unwrap_or_else(|| "Google gave up".into())))),
        }
    }

    async fn vulnerabilities(&self, v2: &V2, repository: &Repository, digest: &Digest) -> Result<Scanned> {
        let nothing = |why: &str| Ok(Scanned::Nothing(why.to_owned()));
        let Some(api) = &self.analysis else {
            return nothing("on this host it isn't known where Google's API is (regctl update --api-address)");
        };
        let noted = match self.occurrences(api, "DISCOVERY", v2, repository, digest).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let mut scans: Vec<_> = noted.into_iter().filter_map(|occurrence| occurrence.discovery).collect();
        scans.sort_by_key(|scan| date(scan.last_scan_time.as_deref()));
        let Some(scan) = scans.pop() else { return nothing("Artifact Analysis has not scanned it") };
        match scan.analysis_status.as_deref() {
            Some("FINISHED_SUCCESS" | "COMPLETE") => {}
            Some("PENDING" | "SCANNING") => return nothing("Artifact Analysis has not finished scanning it"),
            Some("FINISHED_UNSUPPORTED") => return nothing("Artifact Analysis can't scan such an image"),
            Some(_) | None => return nothing("Artifact Analysis failed to scan it"),
        }
        let found = self.occurrences(api, "VULNERABILITY", v2, repository, digest).await?;
        let found = found.into_iter().flat_map(reports::findings).collect();
        let report = VulnerabilityReport::new(Some("Artifact Analysis".into()), date(scan.last_scan_time.as_deref()), found);
        Ok(Scanned::Report(report))
    }

    fn wants_tags_gone_first(&self) -> bool {
        true
    }

    fn judge(&self, error: Error) -> Error {
        match (error.kind(), error.code()) {
            (_, Some("GOOGLE_MANIFEST_DANGLING_TAG")) => {
                error.means(ErrorKind::Conflict).remedy("a tag was put on it meanwhile; look at it again and repeat")
            }
            (_, Some("GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE")) => {
                error.means(ErrorKind::Conflict).remedy("an index lists it: delete that index first")
            }
            (ErrorKind::Unsupported | ErrorKind::CredentialMissing, _) => error.remedy(format!(
                "Google's API takes the key of a service account under the user name _json_key, or an access token under {OAUTH}: \
                 gcloud auth print-access-token | regctl login NAME --username {OAUTH} --password-stdin"
            )),
            (ErrorKind::Denied, _) => {
                error.remedy("the account needs the role Artifact Registry Repository Administrator on the repository")
            }
            _ => error,
        }
    }
}

/// The pages of `tags/list`, of which Google says more than the specification asks for.
fn list<'a, T: Send + 'a>(
    v2: &'a V2,
    repository: &Repository,
    operation: &'static str,
    entries: fn(TagList) -> Vec<T>,
    key: fn(&T) -> &str,
) -> Pages<'a, T> {
    let subject = v2.subject(repository, "");
    let request = v2.client().request(Method::GET, &format!("/v2/{repository}/tags/list")).limit(LIST_LIMIT);
    let request = request.scope(Scope::repository(repository.as_str(), &["pull"]));
    let read = move |answer: &Answer| match answer.status.is_success() {
        true => json(answer, operation, &subject).map(entries),
        false => Err(error(answer, operation, subject.as_str())),
    };
    pages(v2.client(), Listing { request, page_size: Some(PAGE) }, read, key).boxed()
}

fn entries(list: TagList) -> Vec<TagEntry> {
    let mut known: HashMap<&str, (&String, &Manifest)> = HashMap::new();
    for (digest, manifest) in &list.manifest {
        known.extend(manifest.tag.iter().map(|tag| (tag.as_str(), (digest, manifest))));
    }
    let entry = |name: &String| match known.get(name.as_str()) {
        None => TagEntry::named(name.clone()),
        Some((digest, manifest)) => TagEntry {
            digest: digest.parse().ok(),
            media_type: manifest.media_type.clone(),
            size: manifest
                .image_size_bytes
                .as_deref()
                .and_then(|size| size.parse().ok())
                .filter(|_| manifest.media_type.as_deref().is_some_and(media_type::is_image)),
            pushed_at: milliseconds(manifest.time_uploaded_ms.as_deref()),
            ..TagEntry::named(name.clone())
        },
    };
    list.tags.iter().map(entry).collect()
}

fn milliseconds(text: Option<&str>) -> Option<Timestamp> {
    let time = Timestamp::from_millisecond(text?.parse().ok()?).ok()?;
    date(Some(&time.to_string()))
}
