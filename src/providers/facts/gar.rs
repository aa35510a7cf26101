//! Artifact Registry: size and clean-up policies belong to a repository in Google's sense, which holds many images.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::api::lenient;
use super::days;
use crate::oci::null_as_default;
use crate::registry::{Retention, Storage};

/// What asking takes.
pub(crate) const NEEDS: &str = "the role Artifact Registry Reader, with an access token under the user name oauth2accesstoken";
/// What asking takes without a project.
pub(crate) const ONE_PROJECT: &str = "a namespace in the entry: PROJECT or PROJECT/REPOSITORY";

/// A repository in Google's sense. Numbers are written as texts, and what is false is left out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group {
    #[serde(default)]
    pub name: String,
    #[serde(default, deserialize_with = "lenient")]
    size_bytes: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    cleanup_policies: BTreeMap<String, Value>,
    #[serde(default)]
    cleanup_policy_dry_run: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    #[serde(default)]
    action: String,
    #[serde(default, deserialize_with = "lenient")]
    condition: Option<Condition>,
    #[serde(default, deserialize_with = "lenient")]
    most_recent_versions: Option<MostRecent>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(default)]
    tag_state: String,
    #[serde(default, deserialize_with = "null_as_default")]
    tag_prefixes: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    older_than: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    newer_than: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MostRecent {
    #[serde(default)]
    keep_count: u64,
}

impl Policy {
    fn words(&self) -> String {
        if let Some(MostRecent { keep_count }) = self.most_recent_versions {
            return format!("keeps the newest {keep_count} of each image");
        }
        let verb = if self.action == "KEEP" { "keeps" } else { "deletes" };
        let Some(condition) = &self.condition else { return format!("{verb} all images") };
        let what = match (condition.tag_state.as_str(), condition.tag_prefixes.is_empty()) {
            ("UNTAGGED", _) => "images without a tag".to_owned(),
            (_, false) => format!("images tagged {}", condition.tag_prefixes.join("*, ") + "*"),
            ("TAGGED", true) => "tagged images".to_owned(),
            _ => "images".to_owned(),
        };
        let older = condition.older_than.as_deref().map(|length| format!(" older than {}", span(length)));
        let newer = condition.newer_than.as_deref().map(|length| format!(" newer than {}", span(length)));
        format!("{verb} {what}{}{}", older.unwrap_or_default(), newer.unwrap_or_default())
    }
}

/// A length of time, which Google writes in seconds.
fn span(text: &str) -> String {
    let seconds: Option<u64> = text.strip_suffix('s').and_then(|seconds| seconds.parse().ok());
    match seconds {
        Some(seconds) if seconds > 0 && seconds % 86_400 == 0 => days(seconds / 86_400),
        _ => text.to_owned(),
    }
}

/// What it is called by people: project and repository.
fn short(name: &str) -> String {
    let parts: Vec<&str> = name.split('/').collect();
    match parts.as_slice() {
        ["projects", project, "locations", _, "repositories", group] => format!("{project}/{group}"),
        _ => name.to_owned(),
    }
}

impl Group {
    pub fn storage(&self) -> Storage {
        // there is none
        let unlimited = Some(true);
        Storage { unlimited, ..Storage::used(short(&self.name), self.size_bytes.as_deref().and_then(|size| size.parse().ok())) }
    }

    pub fn retention(&self) -> Option<Retention> {
        if self.cleanup_policies.is_empty() {
            return None;
        }
        let off = if self.cleanup_policy_dry_run { " (dry run: nothing is deleted)" } else { "" };
        let words = |policy: &Value| Policy::deserialize(policy).map_or_else(|_| policy.to_string(), |policy| policy.words());
        let rules = self.cleanup_policies.values().map(|policy| words(policy) + off).collect();
        let settings = serde_json::json!({
            "cleanupPolicies": self.cleanup_policies, "cleanupPolicyDryRun": self.cleanup_policy_dry_run,
        });
        Some(Retention { of: short(&self.name), rules, schedule: None, settings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_in_words() {
        let group: Group = serde_json::from_str(
            r#"{"name":"projects/p/locations/europe-west3/repositories/g","format":"DOCKER","sizeBytes":"123","cleanupPolicyDryRun":true,
               "cleanupPolicies":{
                 "a":{"id":"a","action":"DELETE","condition":{"tagState":"UNTAGGED","olderThan":"2592000s"}},
                 "b":{"id":"b","action":"KEEP","condition":{"tagState":"TAGGED","tagPrefixes":["v","release"],"newerThan":"90s"}},
                 "c":{"id":"c","action":"KEEP","mostRecentVersions":{"keepCount":5}}}}"#,
        )
        .unwrap();
        assert_eq!(group.storage(), Storage { unlimited: Some(true), ..Storage::used("p/g", Some(123)) });
        let rules = group.retention().unwrap().rules;
        let off = " (dry run: nothing is deleted)";
        assert_eq!(
            rules,
            [
                format!("deletes images without a tag older than 30 days{off}"),
                format!("keeps images tagged v*, release* newer than 90s{off}"),
                format!("keeps the newest 5 of each image{off}"),
            ]
        );
        assert_eq!(serde_json::from_str::<Group>("{}").unwrap().retention(), None);
    }
}
