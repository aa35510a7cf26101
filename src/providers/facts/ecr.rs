//! ECR: each repository has a lifecycle policy or none, as a document within a document. How much is stored is told of images only, and
//! there is no quota of bytes.

use serde::Deserialize;
use serde_json::Value;

use super::{days, plural};
use crate::oci::null_as_default;
use crate::registry::Retention;

/// What asking takes.
pub(crate) const NEEDS: &str = "the permissions ecr:DescribeRepositories and ecr:GetLifecyclePolicy";

/// The answer to `GetLifecyclePolicy`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lifecycle {
    lifecycle_policy_text: String,
}

#[derive(Deserialize)]
struct Policy {
    #[serde(default, deserialize_with = "null_as_default")]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    selection: Selection,
    #[serde(default)]
    action: Action,
}

#[derive(Default, Deserialize)]
struct Action {
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Selection {
    #[serde(default)]
    tag_status: String,
    #[serde(default, deserialize_with = "null_as_default")]
    tag_prefix_list: Vec<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    tag_pattern_list: Vec<String>,
    #[serde(default)]
    count_type: String,
    #[serde(default)]
    count_number: u64,
}

impl Rule {
    fn words(&self) -> String {
        let Selection { tag_status, tag_prefix_list, tag_pattern_list, count_type, count_number } = &self.selection;
        let prefixes = tag_prefix_list.iter().map(|prefix| format!("{prefix}*"));
        let names: Vec<String> = prefixes.chain(tag_pattern_list.iter().cloned()).collect();
        let what = match (tag_status.as_str(), names.is_empty()) {
            ("untagged", _) => "images without a tag".to_owned(),
            ("tagged", false) => format!("images tagged {}", names.join(", ")),
            ("tagged", true) => "tagged images".to_owned(),
            _ => "images".to_owned(),
        };
        let which = match count_type.as_str() {
            "imageCountMoreThan" => format!("beyond the newest {count_number}"),
            "sinceImagePushed" => format!("pushed more than {} ago", days(*count_number)),
            "sinceImagePulled" => format!("not pulled for {}", days(*count_number)),
            other => format!("by {other} {count_number}"),
        };
        let verb = match self.action.kind.as_str() {
            "" | "expire" => "deletes",
            "transition" => "archives",
            other => other,
        };
        format!("{verb} {what} {which}")
    }
}

/// The rules of a repository.
pub(crate) fn retention(repository: &str, lifecycle: &Lifecycle) -> Retention {
    let settings: Value = serde_json::from_str(&lifecycle.lifecycle_policy_text).unwrap_or(Value::Null);
    let rules = match Policy::deserialize(&settings) {
        Ok(policy) => policy.rules.iter().map(Rule::words).collect(),
        Err(_) => vec![format!("a policy of {} that can't be read", plural(lifecycle.lifecycle_policy_text.len() as u64, "byte"))],
    };
    Retention { of: repository.to_owned(), rules, schedule: None, settings }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Amazon's "Examples of lifecycle policies".
    #[test]
    fn rules_in_words() {
        let rules = r#"{"rules":[
            {"rulePriority":1,"description":"old","selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}},
            {"rulePriority":2,"selection":{"tagStatus":"tagged","tagPrefixList":["prod"],"countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}},
            {"rulePriority":3,"selection":{"tagStatus":"tagged","tagPatternList":["beta*","*rc"],"countType":"imageCountMoreThan","countNumber":10},"action":{"type":"expire"}},
            {"rulePriority":4,"selection":{"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":1},"action":{"type":"expire"}}]}"#;
        let retention = retention("acme/app", &Lifecycle { lifecycle_policy_text: rules.to_owned() });
        assert_eq!(
            retention.rules,
            [
                "deletes images without a tag pushed more than 14 days ago",
                "deletes images tagged prod* beyond the newest 1",
                "deletes images tagged beta*, *rc beyond the newest 10",
                "deletes images pushed more than 1 day ago",
            ]
        );
        assert_eq!(retention.settings["rules"][0]["description"], "old");
        let broken = super::retention("acme/app", &Lifecycle { lifecycle_policy_text: "no".to_owned() });
        assert_eq!((broken.rules.len(), broken.settings), (1, Value::Null));
    }
}
