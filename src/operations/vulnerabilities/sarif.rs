//! SARIF 2.1.0 (OASIS), as scanners of images write it: a result is a finding, its rule the vulnerability. SARIF has no fields for a package
//! and its versions; Trivy writes them as lines into the message (`Package: …`), Grype into the help of the rule, and both put a score into
//! `security-severity`.

use serde_json::Value;

use super::field::{date, list, number, text, texts, with_version};
use crate::registry::{Severity, Vulnerability, VulnerabilityReport};

/// What Trivy also looks for, as it tags it; none of that is a vulnerability of a package.
const OTHER_FINDINGS: [&str; 3] = ["misconfiguration", "secret", "license"];

pub(super) fn is(document: &Value) -> bool {
    document.get("runs").is_some_and(Value::is_array)
        && (text(document, "/version").is_some_and(|version| version.starts_with("2."))
            || text(document, "/$schema").is_some_and(|schema| schema.contains("sarif")))
}

pub(super) fn read(document: &Value) -> VulnerabilityReport {
    let found = list(document, "/runs").flat_map(|run| list(run, "/results").filter_map(|result| vulnerability(run, result)));
    let run = document.pointer("/runs/0").unwrap_or(&Value::Null);
    let version = text(run, "/tool/driver/semanticVersion").or_else(|| text(run, "/tool/driver/version"));
    let scanner = with_version(text(run, "/tool/driver/name"), version);
    VulnerabilityReport::new(scanner, date(run, "/invocations/0/endTimeUtc"), found.collect())
}

fn vulnerability(run: &Value, result: &Value) -> Option<Vulnerability> {
    if matches!(text(result, "/kind").as_deref(), Some("pass" | "notApplicable")) {
        return None;
    }
    let id = text(result, "/ruleId").or_else(|| text(result, "/rule/id"));
    let rule = rule(run, result, id.as_deref());
    let tags = texts(rule, "/properties/tags");
    if tags.iter().any(|tag| OTHER_FINDINGS.contains(&tag.as_str())) {
        return None;
    }
    let message = text(result, "/message/text").unwrap_or_default();
    let help = text(rule, "/help/text").unwrap_or_default();
    let line = |labels: &[&str]| labels.iter().find_map(|label| labelled(&message, label).or_else(|| labelled(&help, label)));
    // a rule of Grype's is a vulnerability in a package; its help begins with the vulnerability alone
    let own = help.lines().next().and_then(|line| line.strip_prefix("Vulnerability ")).filter(|name| !name.contains(' '));
    let severity = line(&["Severity"]).into_iter().chain(tags).map(|word| Severity::read(&word));
    let accepted = list(result, "/suppressions").any(|suppression| text(suppression, "/status").as_deref() == Some("accepted"));
    Some(Vulnerability {
        package: line(&["Package"]),
        installed: line(&["Installed Version", "Version"]),
        fixed: line(&["Fixed Version", "Fix Version"]),
        severity: severity.into_iter().find(|severity| *severity != Severity::Unknown).unwrap_or(Severity::Unknown),
        score: number(rule, "/properties/security-severity"),
        title: text(rule, "/shortDescription/text").or_else(|| text(rule, "/fullDescription/text")).or(Some(message.clone())),
        link: text(rule, "/helpUri"),
        target: text(result, "/locations/0/physicalLocation/artifactLocation/uri"),
        // only when it says so: Grype once marked all of its results as suppressed, without a status
        state: accepted.then(|| "suppressed".to_owned()),
        ..Vulnerability::named(own.map(str::to_owned).or(id).or_else(|| text(rule, "/id"))?)
    })
}

/// The rule of a result, by its name; by its place when it has none.
fn rule<'a>(run: &'a Value, result: &Value, id: Option<&str>) -> &'a Value {
    const NONE: &Value = &Value::Null;
    let Some(rules) = run.pointer("/tool/driver/rules").and_then(Value::as_array) else { return NONE };
    let is = |rule: &&Value| id.is_none_or(|id| rule.get("id").and_then(Value::as_str) == Some(id));
    let at = result.get("ruleIndex").or_else(|| result.pointer("/rule/index")).and_then(Value::as_u64);
    let placed = at.and_then(|at| rules.get(usize::try_from(at).ok()?)).filter(is);
    placed.or_else(|| rules.iter().find(|rule| id.is_some() && is(rule))).unwrap_or(NONE)
}

/// What stands after `label:` at the beginning of a line.
fn labelled(text: &str, label: &str) -> Option<String> {
    let rest = text.lines().find_map(|line| line.trim_start().strip_prefix(label)?.strip_prefix(':'))?.trim();
    (!rest.is_empty()).then(|| rest.to_owned())
}
