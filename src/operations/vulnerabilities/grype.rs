//! Grype's own JSON (`grype -o json`; `grype/presenter/models` in its source).

use serde_json::Value;

use super::field::{date, list, text, texts, with_version};
use crate::registry::{Severity, Vulnerability, VulnerabilityReport};

pub(super) fn is(document: &Value) -> bool {
    document.get("matches").is_some_and(Value::is_array) && document.pointer("/descriptor/name").is_some()
}

pub(super) fn read(document: &Value) -> VulnerabilityReport {
    let found = list(document, "/matches").filter_map(vulnerability).collect();
    let scanner = with_version(text(document, "/descriptor/name"), text(document, "/descriptor/version"));
    VulnerabilityReport::new(scanner, date(document, "/descriptor/timestamp"), found)
}

fn vulnerability(entry: &Value) -> Option<Vulnerability> {
    let related = || list(entry, "/relatedVulnerabilities");
    let scores = |of: &Value| {
        let scores = list(of, "/cvss").filter(|score| text(score, "/version").is_none_or(|version| !version.starts_with('2')));
        scores.filter_map(|score| score.pointer("/metrics/baseScore")?.as_f64()).reduce(f64::max)
    };
    let own = entry.get("vulnerability")?;
    let state = text(own, "/fix/state");
    let fixed = texts(own, "/fix/versions").join(", ");
    Some(Vulnerability {
        aliases: related().filter_map(|other| text(other, "/id")).collect(),
        package: text(entry, "/artifact/name"),
        installed: text(entry, "/artifact/version"),
        fixed: Some(fixed),
        fixable: match state.as_deref() {
            Some("fixed") => Some(true),
            Some("not-fixed" | "wont-fix") => Some(false),
            _ => None,
        },
        severity: text(own, "/severity").map_or(Severity::Unknown, |word| Severity::read(&word)),
        score: scores(own).or_else(|| related().find_map(scores)),
        title: text(own, "/description").or_else(|| related().find_map(|other| text(other, "/description"))),
        link: text(own, "/dataSource").or_else(|| texts(own, "/urls").into_iter().next()),
        target: text(entry, "/artifact/locations/0/path"),
        ..Vulnerability::named(text(own, "/id")?)
    })
}
