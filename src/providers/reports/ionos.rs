//! IONOS: says of a vulnerability whether an update fixes it, not which one.

use serde::Deserialize;

use super::each;
use crate::providers::api::lenient;
use crate::registry::{Severity, Vulnerability};

/// One page of the vulnerabilities of an artifact.
#[derive(Deserialize)]
pub struct Vulnerabilities {
    #[serde(default, deserialize_with = "each")]
    pub items: Vec<Found>,
}

/// One vulnerability.
#[derive(Deserialize)]
pub struct Found {
    pub id: String,
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    #[serde(default, deserialize_with = "lenient")]
    description: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    data_source: Option<DataSource>,
    #[serde(default, deserialize_with = "lenient")]
    fixable: Option<bool>,
    #[serde(default, deserialize_with = "each")]
    affects: Vec<Package>,
    #[serde(default, deserialize_with = "each")]
    references: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    severity: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    score: Option<f64>,
}

#[derive(Deserialize)]
struct DataSource {
    #[serde(default, deserialize_with = "lenient")]
    url: Option<String>,
}

#[derive(Deserialize)]
struct Package {
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    version: Option<String>,
}

/// One for each package.
pub fn findings(found: Found) -> Vec<Vulnerability> {
    let Properties { description, data_source, fixable, affects, references, severity, score } = found.properties;
    let of = Vulnerability {
        fixable,
        severity: severity.as_deref().map_or(Severity::Unknown, Severity::read),
        score,
        title: description,
        link: data_source.and_then(|source| source.url).or_else(|| references.into_iter().next()),
        ..Vulnerability::named(found.id)
    };
    let on = |Package { kind, name, version }| Vulnerability { package: name, installed: version, target: kind, ..of.clone() };
    match affects.is_empty() {
        true => vec![of],
        false => affects.into_iter().map(on).collect(),
    }
}
