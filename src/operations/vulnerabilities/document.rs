//! Which format a document is in, told by what stands in it: media types of attached things are often `application/json`, or wrong.

use serde_json::Value;

use super::in_toto::{self, Predicate};
use super::{cyclonedx, grype, sarif, trivy};
use crate::oci::Digest;
use crate::registry::VulnerabilityReport;

/// An envelope holds a statement that holds a document; more than that is nobody's format.
const DEEPEST: usize = 4;

/// The report in a document; `None` when it is none: an SBOM, a signature, provenance, a report on another image.
pub fn read(bytes: &[u8], image: &Digest) -> Option<VulnerabilityReport> {
    // how deep values may be nested is bounded by the parser
    open(&serde_json::from_slice(bytes).ok()?, image, 0)
}

fn open(document: &Value, image: &Digest, depth: usize) -> Option<VulnerabilityReport> {
    if depth > DEEPEST {
        return None;
    }
    if let Some(statement) = in_toto::opened(document) {
        return open(&statement, image, depth + 1);
    }
    if in_toto::is(document) {
        if !in_toto::is_about(document, image) {
            return None;
        }
        return match in_toto::predicate(document)? {
            Predicate::Report(report) => Some(report),
            Predicate::Document(document, made) => {
                let report = open(document, image, depth + 1)?;
                let (scanner, scanned_at) = (report.scanner.or(made.scanner), made.at.or(report.scanned_at));
                Some(VulnerabilityReport { scanner, scanned_at, ..report })
            }
        };
    }
    type Format = (fn(&Value) -> bool, fn(&Value) -> VulnerabilityReport);
    let formats: [Format; 4] =
        [(trivy::is, trivy::read), (grype::is, grype::read), (cyclonedx::is, cyclonedx::read), (sarif::is, sarif::read)];
    formats.iter().find(|(is, _)| is(document)).map(|(_, read)| read(document))
}
