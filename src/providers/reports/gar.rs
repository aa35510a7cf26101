//! Google's Artifact Analysis: occurrences of notes (`grafeas/v1/vulnerability.proto`). One of kind discovery says whether the image was
//! scanned, those of kind vulnerability what was found.

use serde::Deserialize;

use super::each;
use crate::providers::api::lenient;
use crate::registry::{Severity, Vulnerability};

/// One page of occurrences.
#[derive(Deserialize)]
pub struct Occurrences {
    #[serde(default, deserialize_with = "each")]
    pub occurrences: Vec<Occurrence>,
}

/// One occurrence.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Occurrence {
    /// What tells it from others.
    pub name: String,
    #[serde(default, deserialize_with = "lenient")]
    note_name: Option<String>,
    /// How far the scan is.
    #[serde(default, deserialize_with = "lenient")]
    pub discovery: Option<Discovery>,
    #[serde(default, deserialize_with = "lenient")]
    vulnerability: Option<Details>,
}

/// How far a scan is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Discovery {
    #[serde(default, deserialize_with = "lenient")]
    pub analysis_status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub last_scan_time: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    #[serde(default, deserialize_with = "lenient")]
    severity: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    effective_severity: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    cvss_score: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    cvss_version: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    cvssv3: Option<Cvss>,
    #[serde(default, deserialize_with = "each")]
    package_issue: Vec<Issue>,
    #[serde(default, deserialize_with = "lenient")]
    short_description: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    long_description: Option<String>,
    #[serde(default, deserialize_with = "each")]
    related_urls: Vec<Related>,
    #[serde(default, deserialize_with = "lenient")]
    vex_assessment: Option<Assessment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cvss {
    #[serde(default, deserialize_with = "lenient")]
    base_score: Option<f64>,
}

#[derive(Deserialize)]
struct Related {
    url: String,
}

#[derive(Deserialize)]
struct Assessment {
    #[serde(default, deserialize_with = "lenient")]
    state: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issue {
    #[serde(default, deserialize_with = "lenient")]
    affected_package: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    affected_version: Option<Version>,
    #[serde(default, deserialize_with = "lenient")]
    fixed_version: Option<Version>,
    #[serde(default, deserialize_with = "lenient")]
    fix_available: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    effective_severity: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    package_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    #[serde(default, deserialize_with = "lenient")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    full_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    revision: Option<String>,
}

impl Version {
    /// As it is written; `None` for the version beyond all others, by which Google says that there is none.
    fn written(self) -> Option<String> {
        if matches!(self.kind.as_deref(), Some("MAXIMUM" | "MINIMUM")) {
            return None;
        }
        let revision = self.revision.filter(|revision| !revision.is_empty()).map(|revision| format!("-{revision}"));
        let parts = || Some(format!("{}{}", self.name.filter(|name| !name.is_empty())?, revision.unwrap_or_default()));
        self.full_name.filter(|name| !name.is_empty()).or_else(parts)
    }
}

/// One for each package; none when the occurrence is of another kind.
pub fn findings(occurrence: Occurrence) -> Vec<Vulnerability> {
    let Some(details) = occurrence.vulnerability else { return Vec::new() };
    // projects/goog-vulnz/notes/CVE-2026-1234
    let id = occurrence.note_name.as_deref().and_then(|note| note.rsplit('/').next()).unwrap_or_default();
    let severity = |words: [Option<&str>; 2]| {
        let known = words.into_iter().flatten().map(Severity::read).find(|severity| *severity != Severity::Unknown);
        known.unwrap_or(Severity::Unknown)
    };
    let whole = severity([details.effective_severity.as_deref(), details.severity.as_deref()]);
    let old = details.cvss_version.as_deref() == Some("CVSS_VERSION_2");
    let of = Vulnerability {
        severity: whole,
        score: details.cvssv3.and_then(|cvss| cvss.base_score).or(details.cvss_score.filter(|_| !old)),
        title: details.short_description.filter(|text| text != id).or(details.long_description),
        link: details.related_urls.into_iter().next().map(|related| related.url),
        state: details.vex_assessment.and_then(|vex| vex.state).map(|state| state.to_ascii_lowercase()),
        ..Vulnerability::named(id)
    };
    let on = |issue: Issue| Vulnerability {
        package: issue.affected_package,
        installed: issue.affected_version.and_then(Version::written),
        fixed: issue.fixed_version.and_then(Version::written),
        fixable: issue.fix_available,
        severity: match severity([issue.effective_severity.as_deref(), None]) {
            Severity::Unknown => whole,
            known => known,
        },
        target: issue.package_type,
        ..of.clone()
    };
    match details.package_issue.is_empty() {
        true => vec![of],
        false => details.package_issue.into_iter().map(on).collect(),
    }
}
