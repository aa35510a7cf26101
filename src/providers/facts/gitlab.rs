//! GitLab: size is a repository's, the clean-up policy a project's.

use serde::Deserialize;
use serde_json::Value;

use super::super::api::lenient;
use crate::registry::Retention;

/// What asking takes.
pub(crate) const NEEDS: &str = "a token with the scope read_api, of somebody with the role Reporter in the project";
/// What asking takes without a namespace.
pub(crate) const ONE_NAMESPACE: &str = "a namespace in the entry: a group or a project";

/// A repository of the registry, asked for its size. Only registries with a metadata database know it.
#[derive(Deserialize)]
pub(crate) struct Sized {
    pub path: String,
    #[serde(default, deserialize_with = "lenient")]
    pub size: Option<u64>,
}

/// A project.
#[derive(Deserialize)]
pub(crate) struct Project {
    #[serde(default)]
    path_with_namespace: String,
    #[serde(default, deserialize_with = "lenient")]
    container_expiration_policy: Option<Value>,
}

#[derive(Deserialize)]
struct Policy {
    #[serde(default)]
    enabled: bool,
    #[serde(default, deserialize_with = "lenient")]
    cadence: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    keep_n: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    older_than: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    name_regex_delete: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    name_regex: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    name_regex_keep: Option<String>,
}

impl Policy {
    fn words(&self) -> Vec<String> {
        let named = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(str::to_owned);
        let keeps = [
            self.keep_n.map(|count| format!("keeps the newest {count} tags of each image")),
            named(&self.name_regex_keep).map(|regex| format!("keeps tags that fit {regex}")),
        ];
        let of = named(&self.name_regex_delete).or_else(|| named(&self.name_regex));
        let older = named(&self.older_than).map(|length| format!(" older than {length}")).unwrap_or_default();
        let deletes = of.map(|regex| format!("deletes tags{older} that fit {regex}"));
        keeps.into_iter().chain([deletes]).flatten().collect()
    }
}

impl Project {
    /// Its rules, unless they are switched off.
    pub fn retention(self) -> Option<Retention> {
        let settings = self.container_expiration_policy?;
        let policy = Policy::deserialize(&settings).ok().filter(|policy| policy.enabled)?;
        let schedule = policy.cadence.as_deref().map(|cadence| format!("every {cadence}"));
        Some(Retention { of: self.path_with_namespace, rules: policy.words(), schedule, settings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_in_words() {
        let project = |enabled: bool| {
            let policy = format!(
                r#"{{"path_with_namespace":"acme/tools","container_expiration_policy":{{"cadence":"1d","enabled":{enabled},"keep_n":10,
                    "older_than":"90d","name_regex":".*","name_regex_delete":null,"name_regex_keep":"^v","next_run_at":null}}}}"#
            );
            serde_json::from_str::<Project>(&policy).unwrap().retention()
        };
        let retention = project(true).unwrap();
        assert_eq!((retention.of.as_str(), retention.schedule.as_deref()), ("acme/tools", Some("every 1d")));
        assert_eq!(
            retention.rules,
            ["keeps the newest 10 tags of each image", "keeps tags that fit ^v", "deletes tags older than 90d that fit .*"]
        );
        assert_eq!(project(false), None);
    }
}
