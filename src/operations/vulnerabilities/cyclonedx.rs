//! CycloneDX 1.4 and later in JSON: a list of components of which each vulnerability names those that it affects, and, as VEX, what somebody
//! who looked into it says.

use std::collections::HashMap;

use serde_json::Value;

use super::field::{date, list, number, text, with_version};
use crate::registry::{Severity, Vulnerability, VulnerabilityReport};

/// Components may hold components; deeper than this no document goes.
const DEEPEST: usize = 16;

/// A list of components without vulnerabilities is no report: nobody looked.
pub(super) fn is(document: &Value) -> bool {
    text(document, "/bomFormat").as_deref() == Some("CycloneDX") && document.get("vulnerabilities").is_some_and(Value::is_array)
}

pub(super) fn read(document: &Value) -> VulnerabilityReport {
    let mut components = HashMap::new();
    collect(document, 0, &mut components);
    if let Some(own) = document.pointer("/metadata/component") {
        remember(own, &mut components);
    }
    let found = list(document, "/vulnerabilities").flat_map(|entry| vulnerabilities(entry, &components)).collect();
    VulnerabilityReport::new(scanner(document), date(document, "/metadata/timestamp"), found)
}

/// Tools stood in a list of their own before 1.5, and among components and services since.
fn scanner(document: &Value) -> Option<String> {
    ["/metadata/tools/0", "/metadata/tools/components/0", "/metadata/tools/services/0"]
        .iter()
        .find_map(|at| with_version(text(document, &format!("{at}/name")), text(document, &format!("{at}/version"))))
}

fn collect<'a>(of: &'a Value, depth: usize, into: &mut HashMap<&'a str, &'a Value>) {
    if depth > DEEPEST {
        return;
    }
    for component in list(of, "/components") {
        remember(component, into);
        collect(component, depth + 1, into);
    }
}

fn remember<'a>(component: &'a Value, into: &mut HashMap<&'a str, &'a Value>) {
    if let Some(reference) = component.get("bom-ref").and_then(Value::as_str) {
        into.insert(reference, component);
    }
}

/// One for each component that is affected.
fn vulnerabilities(entry: &Value, components: &HashMap<&str, &Value>) -> Vec<Vulnerability> {
    let Some(id) = text(entry, "/id") else { return Vec::new() };
    let (severity, score) = rating(entry);
    let of = Vulnerability {
        aliases: list(entry, "/references").filter_map(|reference| text(reference, "/id")).collect(),
        severity,
        score,
        title: text(entry, "/description").or_else(|| text(entry, "/detail")),
        link: text(entry, "/source/url").or_else(|| text(entry, "/advisories/0/url")),
        state: text(entry, "/analysis/state"),
        ..Vulnerability::named(id)
    };
    let affected: Vec<Vulnerability> = list(entry, "/affects").map(|affected| on(affected, &of, components)).collect();
    if affected.is_empty() { vec![of] } else { affected }
}

fn on(affected: &Value, of: &Vulnerability, components: &HashMap<&str, &Value>) -> Vulnerability {
    let reference = text(affected, "/ref").unwrap_or_default();
    // a VEX document names a component of another document: urn:cdx:SERIAL/VERSION#REF
    let reference =
        if reference.starts_with("urn:cdx:") { reference.split_once('#').map_or("", |(_, rest)| rest) } else { &reference };
    let version = |status: &str| {
        list(affected, "/versions")
            .find(|version| text(version, "/status").as_deref() == Some(status))
            .and_then(|version| text(version, "/version"))
    };
    let (package, installed) = match components.get(reference) {
        Some(component) => (named(component), text(component, "/version")),
        None => package_url(reference),
    };
    Vulnerability { package, installed: version("affected").or(installed), fixed: version("unaffected"), ..of.clone() }
}

fn named(component: &Value) -> Option<String> {
    let name = text(component, "/name")?;
    Some(match text(component, "/group") {
        Some(group) => format!("{group}/{name}"),
        None => name,
    })
}

/// Name and version in `pkg:TYPE/NAMESPACE/NAME@VERSION?…`, for components that the document doesn't hold.
fn package_url(reference: &str) -> (Option<String>, Option<String>) {
    let Some(rest) = reference.strip_prefix("pkg:") else { return (Some(reference.to_owned()), None) };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (path, version) = rest.rsplit_once('@').map_or((rest, None), |(path, version)| (path, Some(version)));
    let name = path.rsplit('/').next().unwrap_or_default();
    (Some(name.to_owned()), version.map(str::to_owned))
}

/// The worst word, and the highest score of CVSS 3 and later.
fn rating(entry: &Value) -> (Severity, Option<f64>) {
    let words = list(entry, "/ratings").filter_map(|rating| text(rating, "/severity"));
    let severity = words.map(|word| Severity::read(&word)).max().unwrap_or(Severity::Unknown);
    let counts = |rating: &&Value| {
        text(rating, "/method").is_some_and(|method| method.starts_with("CVSSv3") || method.starts_with("CVSSv4"))
    };
    let scores = list(entry, "/ratings").filter(counts).filter_map(|rating| number(rating, "/score"));
    (severity, scores.reduce(f64::max))
}
