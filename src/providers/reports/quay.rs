//! Quay: what Clair found, package by package, and how far the scan is.

use serde::Deserialize;

use super::each;
use crate::providers::api::lenient;
use crate::registry::{Scanned, Severity, Vulnerability, VulnerabilityReport};

/// The whole answer.
#[derive(Deserialize)]
pub struct Security {
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Data {
    layer: Layer,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Layer {
    #[serde(default, deserialize_with = "each")]
    features: Vec<Feature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Feature {
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    version: Option<String>,
    #[serde(default, deserialize_with = "each")]
    vulnerabilities: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    severity: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    namespace_name: Option<String>,
    /// Several addresses with spaces between them.
    #[serde(default, deserialize_with = "lenient")]
    link: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    fixed_by: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    description: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default, rename = "NVD", deserialize_with = "lenient")]
    nvd: Option<Nvd>,
}

#[derive(Deserialize)]
struct Nvd {
    #[serde(default, rename = "CVSSv3", deserialize_with = "lenient")]
    cvss: Option<Cvss>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Cvss {
    #[serde(default, deserialize_with = "lenient")]
    score: Option<f64>,
}

/// The report, or how far it is.
pub fn read(answer: Security) -> Scanned {
    let nothing = |why: &str| Scanned::Nothing(why.to_owned());
    match (answer.status.as_deref(), answer.data) {
        (Some("scanned"), Some(data)) => {
            let found = data.layer.features.into_iter().flat_map(findings).collect();
            Scanned::Report(VulnerabilityReport::new(Some("Clair".into()), None, found))
        }
        (Some("scanned"), None) => nothing("Quay has scanned it and gives no report"),
        (Some("queued"), _) => nothing("Quay has not scanned it yet"),
        (Some("failed"), _) => nothing("Quay failed to scan it"),
        (Some("unsupported"), _) => nothing("Quay can't scan such an image"),
        (Some("manifest_layer_too_large"), _) => nothing("Quay doesn't scan it because a layer is too large"),
        (Some(_) | None, _) => nothing("Quay says of it nothing that regctl understands"),
    }
}

fn findings(feature: Feature) -> impl Iterator<Item = Vulnerability> {
    let Feature { name, version, vulnerabilities } = feature;
    vulnerabilities.into_iter().map(move |entry| Vulnerability {
        package: name.clone(),
        installed: version.clone(),
        fixed: entry.fixed_by,
        severity: entry.severity.as_deref().map_or(Severity::Unknown, Severity::read),
        score: entry.metadata.and_then(|metadata| metadata.nvd?.cvss?.score).filter(|score| *score > 0.0),
        title: entry.description,
        link: entry.link.and_then(|links| links.split_whitespace().next().map(str::to_owned)),
        target: entry.namespace_name,
        ..Vulnerability::named(entry.name)
    })
}
