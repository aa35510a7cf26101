//! ECR: the findings of its basic scanning, which has what it knows of a package among attributes, and those of Amazon Inspector.

use jiff::Timestamp;
use serde::Deserialize;

use super::each;
use crate::providers::api::lenient;
use crate::providers::ecr::seconds;
use crate::registry::{Scanned, Severity, Vulnerability, VulnerabilityReport};

/// One page of `DescribeImageScanFindings`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    #[serde(default, deserialize_with = "lenient")]
    image_scan_status: Option<Status>,
    image_scan_findings: Option<Findings>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    description: Option<String>,
}

/// Times are seconds since 1970, with fractions.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Findings {
    #[serde(default, deserialize_with = "lenient")]
    image_scan_completed_at: Option<f64>,
    #[serde(default, deserialize_with = "each")]
    findings: Vec<Basic>,
    #[serde(default, deserialize_with = "each")]
    enhanced_findings: Vec<Enhanced>,
}

#[derive(Deserialize)]
struct Basic {
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    description: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    uri: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    severity: Option<String>,
    #[serde(default, deserialize_with = "each")]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    #[serde(default, deserialize_with = "lenient")]
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Enhanced {
    #[serde(default, deserialize_with = "lenient")]
    description: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    title: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    severity: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    score: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    fix_available: Option<String>,
    package_vulnerability_details: Details,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    vulnerability_id: String,
    #[serde(default, deserialize_with = "each")]
    related_vulnerabilities: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    source_url: Option<String>,
    #[serde(default, deserialize_with = "each")]
    vulnerable_packages: Vec<Package>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    version: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    epoch: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    release: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    file_path: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    fixed_in_version: Option<String>,
}

/// The report that stands on these pages, or why there is none.
pub fn read(pages: Vec<Page>) -> Scanned {
    let (mut found, mut scanned_at): (Vec<Vulnerability>, Option<Timestamp>) = (Vec::new(), None);
    let mut scanner = "Amazon ECR";
    for page in pages {
        if let Some(Status { status: Some(status), description }) = page.image_scan_status
            // a continuous scan is active and never complete
            && !matches!(status.as_str(), "COMPLETE" | "ACTIVE")
        {
            let description = description.map(|text| format!(": {text}")).unwrap_or_default();
            return Scanned::Nothing(crate::distribution::clean(&format!("ECR's scan is {status}{description}")));
        }
        let Some(findings) = page.image_scan_findings else { continue };
        scanned_at = scanned_at.max(seconds(findings.image_scan_completed_at));
        if !findings.enhanced_findings.is_empty() {
            scanner = "Amazon Inspector";
        }
        found.extend(findings.findings.into_iter().map(basic));
        found.extend(findings.enhanced_findings.into_iter().flat_map(enhanced));
    }
    Scanned::Report(VulnerabilityReport::new(Some(scanner.to_owned()), scanned_at, found))
}

fn basic(entry: Basic) -> Vulnerability {
    let attribute =
        |keys: &[&str]| keys.iter().find_map(|key| entry.attributes.iter().find(|attribute| attribute.key == *key)?.value.clone());
    Vulnerability {
        package: attribute(&["package_name"]),
        installed: attribute(&["package_version"]),
        severity: entry.severity.as_deref().map_or(Severity::Unknown, Severity::read),
        // a score of version 2 is on another scale, and would rate what ECR leaves unrated
        score: attribute(&["CVSS4_SCORE", "CVSS3_SCORE"]).and_then(|score| score.parse().ok()),
        title: entry.description.clone(),
        link: entry.uri.clone(),
        ..Vulnerability::named(entry.name.clone())
    }
}

/// One for each package; none when Inspector has closed it.
fn enhanced(entry: Enhanced) -> Vec<Vulnerability> {
    if entry.status.as_deref() == Some("CLOSED") {
        return Vec::new();
    }
    let Details { vulnerability_id, related_vulnerabilities, source_url, vulnerable_packages } =
        entry.package_vulnerability_details;
    let of = Vulnerability {
        aliases: related_vulnerabilities,
        fixable: match entry.fix_available.as_deref() {
            Some("YES") => Some(true),
            Some("NO") => Some(false),
            // of some of the packages, which then say their version
            _ => None,
        },
        severity: entry.severity.as_deref().map_or(Severity::Unknown, Severity::read),
        score: entry.score.filter(|score| *score > 0.0),
        title: entry.title.or(entry.description),
        link: source_url,
        state: (entry.status.as_deref() == Some("SUPPRESSED")).then(|| "suppressed".to_owned()),
        ..Vulnerability::named(vulnerability_id)
    };
    let on = |package: Package| Vulnerability {
        installed: installed(&package),
        // so ECR writes that there is none
        fixed: package.fixed_in_version.filter(|version| version != "NotAvailable"),
        package: package.name,
        target: package.file_path,
        ..of.clone()
    };
    match vulnerable_packages.is_empty() {
        true => vec![of],
        false => vulnerable_packages.into_iter().map(on).collect(),
    }
}

/// Epoch, version and release as package managers write them.
fn installed(package: &Package) -> Option<String> {
    let epoch = package.epoch.filter(|epoch| *epoch > 0).map(|epoch| format!("{epoch}:")).unwrap_or_default();
    let release = package.release.as_deref().filter(|release| !release.is_empty());
    let release = release.map(|release| format!("-{release}")).unwrap_or_default();
    Some(format!("{epoch}{}{release}", package.version.as_deref()?))
}
