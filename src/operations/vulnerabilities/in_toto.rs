//! Attestations: a statement about an image (in-toto), mostly in an envelope with its signature (DSSE, a Sigstore bundle). The signature is
//! not verified here; that the statement is about this image is.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use serde_json::Value;

use super::field::{date, list, text, with_version};
use crate::oci::Digest;
use crate::registry::{Severity, Vulnerability, VulnerabilityReport};

/// What `cosign attest --type vuln` writes (cosign, `specs/COSIGN_VULN_ATTESTATION_SPEC.md`): what a scanner printed, and when.
const COSIGN: &str = "cosign.sigstore.dev/attestation/vuln/v1";
/// The predicate of in-toto's own list (in-toto/attestation, `spec/predicates/vuln.md`).
const IN_TOTO: &str = "in-toto.io/attestation/vulns/v";

/// The statement in an envelope.
pub(super) fn opened(envelope: &Value) -> Option<Value> {
    let envelope = envelope.get("dsseEnvelope").unwrap_or(envelope);
    envelope.get("payloadType")?;
    let payload = envelope.get("payload")?.as_str()?;
    let bytes = BASE64_STANDARD.decode(payload).or_else(|_| BASE64_URL_SAFE.decode(payload)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

pub(super) fn is(document: &Value) -> bool {
    text(document, "/_type").is_some_and(|kind| kind.starts_with("https://in-toto.io/Statement/"))
}

/// Whether the statement is about this image. One that names none is about what it is attached to.
pub(super) fn is_about(statement: &Value, digest: &Digest) -> bool {
    let mut named = list(statement, "/subject").filter_map(|subject| subject.get("digest")?.as_object()).peekable();
    let hex = digest.as_str().split_once(':').map_or("", |(_, hex)| hex);
    named.peek().is_none() || named.any(|digests| digests.get(digest.algorithm()).and_then(Value::as_str) == Some(hex))
}

/// What a statement holds that may be a report, and when it was made.
pub(super) enum Predicate<'a> {
    /// A document of a scanner.
    Document(&'a Value, Made),
    /// A report in in-toto's own form.
    Report(VulnerabilityReport),
}

/// Who made a document, and when, where that stands around it.
pub(super) struct Made {
    pub scanner: Option<String>,
    pub at: Option<jiff::Timestamp>,
}

pub(super) fn predicate(statement: &Value) -> Option<Predicate<'_>> {
    let kind = text(statement, "/predicateType").unwrap_or_default();
    let kind = kind.strip_prefix("https://").unwrap_or(&kind);
    let predicate = statement.get("predicate")?;
    let at = date(predicate, "/metadata/scanFinishedOn").or_else(|| date(predicate, "/metadata/scanStartedOn"));
    let scanner = with_version(text(predicate, "/scanner/uri"), text(predicate, "/scanner/version"));
    match kind {
        COSIGN => predicate.pointer("/scanner/result").map(|result| Predicate::Document(result, Made { scanner, at })),
        _ if kind.starts_with(IN_TOTO) => {
            let found = list(predicate, "/scanner/result").filter_map(vulnerability).collect();
            Some(Predicate::Report(VulnerabilityReport::new(scanner, at, found)))
        }
        // a CycloneDX document or SARIF, as it is
        _ => Some(Predicate::Document(predicate, Made { scanner: None, at: None })),
    }
}

/// Knows neither package nor version.
fn vulnerability(entry: &Value) -> Option<Vulnerability> {
    let scores = list(entry, "/severity").filter_map(|rating| text(rating, "/score"));
    let mut of = Vulnerability::named(text(entry, "/id")?);
    for score in scores {
        match score.parse::<f64>() {
            Ok(score) => of.score = Some(of.score.map_or(score, |known| known.max(score))),
            Err(_) => of.severity = of.severity.max(Severity::read(&score)),
        }
    }
    Some(of)
}
