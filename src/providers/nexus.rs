//! Sonatype Nexus: a tag is a component, and its API takes components away; `/v2/` may leave tags behind that lead nowhere
//! (nexus-public#925), so they go first.
//!
//! Written from Sonatype's documentation and issues, tried against a fake only.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use serde::Deserialize;

use super::Place;
use super::api::{Api, Keyed, date, lenient};
use super::provider::{Pages, Provider, Vendor};
use crate::credentials::Credential;
use crate::distribution::{Quirks, V2};
use crate::oci::{Repository, Tag, null_as_default};
use crate::registry::{Capabilities, Error, ErrorKind, Registry, Result, Support, TagEntry};
use crate::transport::{Cursor, Login, Method};

const TAGS: &str = "list the tags of";
const UNTAG: &str = "remove the tag";
const CURSOR: Cursor = Cursor::Token { at: "/continuationToken", parameter: "continuationToken" };

pub(super) fn vendor() -> Vendor {
    let quirks = Quirks {
        list: Support::Native,
        // what it does depends on the version
        untag: Support::Unsupported,
        delete: Support::Native,
        probe_tells: false,
        ..Quirks::default()
    };
    Vendor { quirks, open }
}

/// The API is at Nexus's own port, which is the registry's only where that is reached by path or by name.
fn open(place: &Place) -> Result<Box<dyn Provider>> {
    let takes = |credential: &Credential| matches!(credential, Credential::Basic { .. }).then_some(Login::Basic);
    let path = place.client.base().path();
    let hosted = path.split_once("/repository/").map(|(_, rest)| rest.trim_end_matches('/').to_owned());
    Ok(Box::new(Nexus { api: Api::beside(place, "/service/rest", takes)?, hosted }))
}

struct Nexus {
    api: Api,
    /// What Nexus calls the repository that this registry is, where the address has it.
    hosted: Option<String>,
}

#[derive(Deserialize)]
struct Components {
    #[serde(default, deserialize_with = "null_as_default")]
    items: Vec<Component>,
}

#[derive(Deserialize)]
struct Component {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    repository: Option<String>,
    name: String,
    /// The tag.
    #[serde(default, deserialize_with = "lenient")]
    version: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    assets: Vec<Asset>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asset {
    checksum: Option<Checksum>,
    #[serde(default, deserialize_with = "lenient")]
    last_modified: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    last_downloaded: Option<String>,
}

#[derive(Deserialize)]
struct Checksum {
    #[serde(default, deserialize_with = "lenient")]
    sha256: Option<String>,
}

impl Nexus {
    fn components<'a>(
        &'a self,
        v2: &'a V2,
        repository: &Repository,
        tag: Option<&Tag>,
        operation: &'static str,
    ) -> Pages<'a, Component> {
        let mut first = self.api.request(Method::GET, "/v1/search").query("format", "docker").query("name", repository.as_str());
        if let Some(hosted) = &self.hosted {
            first = first.query("repository", hosted);
        }
        if let Some(tag) = tag {
            first = first.query("version", tag.as_str());
        }
        // a search finds more than was asked for where names have special characters
        let (name, tag) = (repository.as_str().to_owned(), tag.map(|tag| tag.as_str().to_owned()));
        let entries = move |page: Components| {
            let keyed = page.items.into_iter().map(|component| Keyed { key: component.id.clone(), value: component });
            keyed.filter(|entry| entry.value.name == name && (tag.is_none() || entry.value.version == tag)).collect()
        };
        self.api.list(first, CURSOR, operation, v2.subject(repository, ""), entries)
    }
}

#[async_trait]
impl Provider for Nexus {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        Capabilities { untag: Support::Api, ..v2 }
    }

    /// The names that `/v2/` lists, with what the API knows of them: an index of Nexus's that lags behind must not hide a tag.
    fn tags<'a>(&'a self, v2: &'a V2, repository: &Repository) -> Option<Pages<'a, TagEntry>> {
        let repository = repository.clone();
        Some(Box::pin(async_stream::try_stream! {
            let mut known = std::collections::HashMap::new();
            match self.components(v2, &repository, None, TAGS).try_collect::<Vec<_>>().await {
                Ok(pages) => known.extend(pages.into_iter().flatten().filter_map(|component| Some((component.version.clone()?, component)))),
                // on a connector's own port there is no API
                Err(error) => tracing::debug!("{error}"),
            }
            for await page in v2.tags(&repository) {
                yield page?.into_iter().map(|entry| described(entry, &known)).collect::<Vec<_>>();
            }
        }))
    }

    async fn untag(&self, v2: &V2, repository: &Repository, tag: &Tag) -> Result<bool> {
        let subject = v2.subject(repository, &format!(":{tag}"));
        let found: Vec<Vec<Component>> = self.components(v2, repository, Some(tag), UNTAG).try_collect().await?;
        let found: Vec<Component> = found.into_iter().flatten().collect();
        match found.as_slice() {
            [] => Ok(false),
            [component] => {
                let request = self.api.request(Method::DELETE, &format!("/v1/components/{}", component.id));
                self.api.delete(request, UNTAG, &subject).await
            }
            several => {
                let places: Vec<&str> = several.iter().filter_map(|component| component.repository.as_deref()).collect();
                Err(Error::new(ErrorKind::Conflict, UNTAG, subject)
                    .because(format!("several repositories of this Nexus have it: {}", places.join(", ")))
                    .remedy("name the one: give the entry the address https://HOST/repository/NAME"))
            }
        }
    }

    /// Where the last one takes the manifest along, there is nothing left to do then.
    fn wants_tags_gone_first(&self) -> bool {
        true
    }

    fn judge(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Denied => error.remedy("the user needs the privileges nx-repository-view-docker-*-browse, -read and -delete, and nx-search-read"),
            ErrorKind::Unsupported => error.remedy("Nexus's API wants a user name and a password, and is at Nexus's own port: --api-address http://HOST:8081/service/rest"),
            _ => error,
        }
    }
}

fn described(entry: TagEntry, known: &std::collections::HashMap<String, Component>) -> TagEntry {
    let Some(asset) = known.get(&entry.name).and_then(|component| component.assets.first()) else { return entry };
    let sha256 = asset.checksum.as_ref().and_then(|checksum| checksum.sha256.as_deref());
    TagEntry {
        digest: sha256.and_then(|hex| format!("sha256:{hex}").parse().ok()),
        pushed_at: date(asset.last_modified.as_deref()),
        pulled_at: date(asset.last_downloaded.as_deref()),
        ..entry
    }
}
