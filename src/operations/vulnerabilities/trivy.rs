//! Trivy's own JSON (`trivy image --format json`; "Report formats" in its documentation, and `pkg/types/report.go`).

use serde_json::Value;

use super::field::{date, list, text, texts, with_version};
use crate::registry::{Severity, Vulnerability, VulnerabilityReport};

pub(super) fn is(document: &Value) -> bool {
    document.get("SchemaVersion").is_some_and(Value::is_number)
        && (document.get("Results").is_some() || document.get("ArtifactName").is_some())
}

/// One without results has found nothing.
pub(super) fn read(document: &Value) -> VulnerabilityReport {
    let found = list(document, "/Results").flat_map(|result| {
        let target = text(result, "/Target");
        list(result, "/Vulnerabilities").filter_map(move |entry| vulnerability(entry, target.clone()))
    });
    let scanner = with_version(Some("trivy".into()), text(document, "/Trivy/Version"));
    VulnerabilityReport::new(scanner, date(document, "/CreatedAt"), found.collect())
}

fn vulnerability(entry: &Value, target: Option<String>) -> Option<Vulnerability> {
    Some(Vulnerability {
        aliases: texts(entry, "/VendorIDs"),
        package: text(entry, "/PkgName"),
        installed: text(entry, "/InstalledVersion"),
        fixed: text(entry, "/FixedVersion"),
        severity: text(entry, "/Severity").map_or(Severity::Unknown, |word| Severity::read(&word)),
        score: score(entry),
        title: text(entry, "/Title").or_else(|| text(entry, "/Description")),
        link: text(entry, "/PrimaryURL"),
        target: text(entry, "/PkgPath").or(target),
        ..Vulnerability::named(text(entry, "/VulnerabilityID")?)
    })
}

/// The score that belongs to the severity, else NVD's, else the highest. Version 3 counts, because that is what severities are made of.
fn score(entry: &Value) -> Option<f64> {
    let scores = entry.get("CVSS")?.as_object()?;
    let of = |source: &str| scores.get(source)?.get("V3Score")?.as_f64();
    let own = text(entry, "/SeveritySource").and_then(|source| of(&source));
    own.or_else(|| of("nvd")).or_else(|| scores.values().filter_map(|score| score.get("V3Score")?.as_f64()).reduce(f64::max))
}
