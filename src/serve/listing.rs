//! Lists and their pages: repositories, tags, referrers.

use axum::http::{StatusCode, header};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::answer::{self, Answer};
use super::server::Shared;
use super::{Behaviour, Catalog, Links};
use crate::oci::{Digest, Manifest, Repository, media_type};

/// The largest page that may be asked for, as distribution has it.
const LARGEST_PAGE: usize = 1000;

/// The value of a query parameter.
pub(super) fn query(text: Option<&str>, key: &str) -> Option<String> {
    form_urlencoded::parse(text.unwrap_or_default().as_bytes()).find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
}

pub(super) fn catalog(shared: &Shared, parameters: Option<&str>) -> Answer {
    match shared.behaviour.catalog {
        Catalog::Denied => return answer::error(401, "UNAUTHORIZED", "access to the catalog denied"),
        Catalog::Absent => return answer::error(404, "UNSUPPORTED", "no catalog here"),
        Catalog::Open => {}
    }
    let after = |last: Option<&str>, count| shared.storage.repositories_after(last, count);
    page(&shared.behaviour, after, parameters, "/v2/_catalog", |names| json!({ "repositories": names }))
}

pub(super) fn tags(shared: &Shared, repository: &Repository, parameters: Option<&str>) -> Answer {
    let behaviour = &shared.behaviour;
    if !shared.storage.has(repository) {
        return answer::error(404, "NAME_UNKNOWN", "repository name not known to registry");
    }
    let body = |names: &[String]| {
        let tags = if names.is_empty() && behaviour.null_tags { Value::Null } else { json!(names) };
        json!({ "name": repository, "tags": tags })
    };
    if behaviour.unpaged_tags || !behaviour.extra_tags.is_empty() {
        let tags = shared.storage.tags(repository).unwrap_or_default();
        let mut names: Vec<String> = tags.iter().map(ToString::to_string).chain(behaviour.extra_tags.iter().cloned()).collect();
        // as far from sorted as can be, and always the same
        names.sort_by_key(|name| Digest::sha256(name.as_bytes()));
        return answer::json_body(StatusCode::OK, &body(&names));
    }
    let after = |last: Option<&str>, count| shared.storage.tags_after(repository, last, count).unwrap_or_default();
    page(behaviour, after, parameters, &format!("/v2/{repository}/tags/list"), body)
}

/// One page of a sorted list, with a link to the next. `after` gives so many names after one, and whether there are more.
fn page(
    behaviour: &Behaviour,
    after: impl Fn(Option<&str>, usize) -> (Vec<String>, bool),
    parameters: Option<&str>,
    path: &str,
    body: impl Fn(&[String]) -> Value,
) -> Answer {
    let asked = match query(parameters, "n").map(|n| n.parse::<usize>()) {
        None => None,
        Some(Ok(n)) if n <= LARGEST_PAGE => Some(n),
        Some(_) => return answer::error(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested"),
    };
    let last = query(parameters, "last");
    let size = asked.unwrap_or(LARGEST_PAGE).min(behaviour.page_size.unwrap_or(usize::MAX));
    let (shown, more) = after(last.as_deref(), size);
    let mut answer = answer::json_body(StatusCode::OK, &body(&shown));
    if let Some(end) = shown.last().filter(|_| more) {
        let address = |last: &str| {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("n", &size.to_string())
                .append_pair("last", last)
                .finish();
            format!("{path}?{query}")
        };
        let link = match behaviour.links {
            Links::Right => Some(address(end)),
            Links::Missing => None,
            Links::OtherHost => Some(format!("https://elsewhere.invalid{}", address(end))),
            Links::Loop => Some(address(last.as_deref().unwrap_or_default())),
        };
        if let Some(link) = link {
            answer::set(&mut answer, header::LINK, format!("<{link}>; rel=\"next\""));
        }
    }
    answer
}

pub(super) fn referrers(shared: &Shared, repository: &Repository, subject: &Digest, parameters: Option<&str>) -> Answer {
    if !shared.behaviour.referrers {
        return answer::with_body(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "404 page not found\n");
    }
    let wanted = query(parameters, "artifactType");
    let items: Vec<Value> = shared
        .storage
        .referrers(repository, subject)
        .iter()
        .filter_map(|manifest| {
            let (artifact_type, annotations) = match manifest.parse().ok()? {
                Manifest::Image(image) => (image.artifact_type.clone().unwrap_or(image.config.media_type), image.annotations),
                Manifest::Index(index) => (index.artifact_type.unwrap_or_default(), index.annotations),
                Manifest::Schema1(_) | Manifest::Unknown(_) => return None,
            };
            if wanted.as_ref().is_some_and(|wanted| *wanted != artifact_type) {
                return None;
            }
            let size = manifest.bytes.len();
            let media_type = &manifest.media_type;
            Some(json!({ "mediaType": media_type, "digest": manifest.digest, "size": size, "artifactType": artifact_type, "annotations": annotations }))
        })
        .collect();
    let body = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": items });
    let mut answer = answer::with_body(StatusCode::OK, media_type::OCI_INDEX, body.to_string());
    if wanted.is_some() {
        answer::set(&mut answer, header::HeaderName::from_static("oci-filters-applied"), "artifactType");
    }
    answer
}
