//! Harbor: a map from the media type of a report to the report. That on an index is made of those on its images, and says of each finding
//! which of them have it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::each;
use crate::oci::Digest;
use crate::providers::api::{date, lenient};
use crate::registry::{Severity, Vulnerability, VulnerabilityReport};

/// What is asked for: a report in the form of the scanner API 1.1, or in that of 1.0.
pub const ACCEPTED: &str = "application/vnd.security.vulnerability.report; version=1.1, application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0";

/// By media type, of which the newer sorts last.
pub type Reports = BTreeMap<String, Value>;

#[derive(Deserialize)]
struct Report {
    #[serde(default, deserialize_with = "lenient")]
    generated_at: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    scanner: Option<Scanner>,
    #[serde(default, deserialize_with = "each")]
    vulnerabilities: Vec<Entry>,
}

#[derive(Deserialize)]
struct Scanner {
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    version: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    package: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    version: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    fix_version: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    severity: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    description: Option<String>,
    #[serde(default, deserialize_with = "each")]
    links: Vec<String>,
    #[serde(default, deserialize_with = "each")]
    artifact_digests: Vec<Digest>,
    #[serde(default, deserialize_with = "lenient")]
    preferred_cvss: Option<Cvss>,
}

#[derive(Deserialize)]
struct Cvss {
    #[serde(default, deserialize_with = "lenient")]
    score_v3: Option<f64>,
}

/// The report on an image or an index; `None` when there is none yet.
pub fn read(reports: Reports, asked: &Digest) -> Option<VulnerabilityReport> {
    let report: Report = reports.into_values().rev().find_map(|report| serde_json::from_value(report).ok())?;
    let found = report.vulnerabilities.into_iter().flat_map(|entry| findings(entry, asked)).collect();
    let scanner = report.scanner.and_then(|Scanner { name, version }| {
        let version = version.map(|version| format!(" {version}")).unwrap_or_default();
        Some(format!("{}{version}", name?))
    });
    Some(VulnerabilityReport::new(scanner, date(report.generated_at.as_deref()), found))
}

/// One for each image of an index that has it.
fn findings(entry: Entry, asked: &Digest) -> Vec<Vulnerability> {
    let of = Vulnerability {
        package: entry.package,
        installed: entry.version,
        fixed: entry.fix_version,
        severity: entry.severity.as_deref().map_or(Severity::Unknown, Severity::read),
        // no score is a zero in some versions
        score: entry.preferred_cvss.and_then(|cvss| cvss.score_v3).filter(|score| *score > 0.0),
        title: entry.description,
        link: entry.links.into_iter().next(),
        ..Vulnerability::named(entry.id)
    };
    let images: Vec<Digest> = entry.artifact_digests.into_iter().filter(|digest| digest != asked).collect();
    match images.is_empty() {
        true => vec![of],
        false => images.into_iter().map(|digest| Vulnerability { digest: Some(digest), ..of.clone() }).collect(),
    }
}
