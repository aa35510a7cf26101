//! Harbor: quotas and retention are a project's, garbage collection is the system's.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::api::{Api, Keyed, lenient};
use super::super::harbor::BY_NAME;
use super::{OPERATION, fact};
use crate::distribution::json;
use crate::oci::null_as_default;
use crate::registry::{Fact, Facts, GarbageCollection, Result, Retention, Storage};
use crate::transport::{Cursor, Method, Request};

const QUOTA: &str = "the permission to read the project's quota, which its members have, unless Harbor's quotas are switched off";
const QUOTAS: &str = "a system administrator, or a namespace in the entry: the members of a project may read its quota";
const RETENTION: &str =
    "a member of the project with the role Maintainer, or a robot with the permission to read its tag retention";
const ONE_PROJECT: &str = "a namespace in the entry: Harbor's rules are a project's";
const COLLECTION: &str = "a system administrator, or a system robot with the permission to read garbage collection";

#[derive(Deserialize)]
struct Summary {
    #[serde(default, deserialize_with = "lenient")]
    quota: Option<Quota>,
}

/// Limits below zero are none.
#[derive(Deserialize)]
struct Quota {
    #[serde(default, deserialize_with = "lenient")]
    hard: Option<Resources>,
    #[serde(default, deserialize_with = "lenient")]
    used: Option<Resources>,
    #[serde(rename = "ref", default, deserialize_with = "lenient")]
    of: Option<Named>,
}

#[derive(Deserialize)]
struct Resources {
    #[serde(default, deserialize_with = "lenient")]
    storage: Option<i64>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Project {
    #[serde(default, deserialize_with = "lenient")]
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default, deserialize_with = "lenient")]
    retention_id: Option<String>,
}

#[derive(Deserialize)]
struct Policy {
    #[serde(default, deserialize_with = "null_as_default")]
    rules: Vec<Rule>,
    #[serde(default, deserialize_with = "lenient")]
    trigger: Option<Trigger>,
}

#[derive(Deserialize)]
struct Trigger {
    #[serde(default, deserialize_with = "lenient")]
    settings: Option<Schedule>,
}

#[derive(Deserialize)]
struct Schedule {
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    cron: Option<String>,
}

impl Schedule {
    fn words(&self) -> Option<String> {
        let cron = self.cron.as_deref().filter(|cron| !cron.is_empty());
        match (self.kind.as_deref().unwrap_or_default(), cron) {
            ("None" | "Manual", _) | ("", None) => None,
            ("" | "Custom" | "Schedule", Some(cron)) => Some(format!("cron {cron}")),
            (kind, Some(cron)) => Some(format!("{} (cron {cron})", kind.to_lowercase())),
            (kind, None) => Some(kind.to_lowercase()),
        }
    }
}

#[derive(Deserialize)]
struct Rule {
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    template: String,
    #[serde(default, deserialize_with = "null_as_default")]
    params: std::collections::BTreeMap<String, Value>,
    #[serde(default, deserialize_with = "null_as_default")]
    tag_selectors: Vec<Selector>,
    #[serde(default, deserialize_with = "null_as_default")]
    scope_selectors: std::collections::BTreeMap<String, Vec<Selector>>,
}

#[derive(Deserialize)]
struct Selector {
    #[serde(default)]
    decoration: String,
    #[serde(default)]
    pattern: String,
}

impl Rule {
    fn words(&self) -> String {
        let number = self.params.get(&self.template).map(ToString::to_string).unwrap_or_else(|| "?".into());
        let what = match self.template.as_str() {
            "latestPushedK" => format!("keeps the {number} pushed last"),
            "latestPulledN" => format!("keeps the {number} pulled last"),
            "nDaysSinceLastPush" => format!("keeps what was pushed within {number} days"),
            "nDaysSinceLastPull" => format!("keeps what was pulled within {number} days"),
            "always" => "keeps all".to_owned(),
            other => format!("keeps by {other} {number}"),
        };
        let of = |selectors: &[Selector], what: &str| {
            let wanted = selectors.iter().filter(|selector| selector.pattern != "**");
            wanted
                .map(|selector| {
                    let but = if selector.decoration.starts_with("exclude") || selector.decoration.starts_with("repoExclude") {
                        "not "
                    } else {
                        ""
                    };
                    format!(", {what} {but}{}", selector.pattern)
                })
                .collect::<String>()
        };
        let repositories =
            self.scope_selectors.get("repository").map(|selectors| of(selectors, "repositories")).unwrap_or_default();
        let off = if self.disabled { " (switched off)" } else { "" };
        format!("{what}{}{repositories}{off}", of(&self.tag_selectors, "tags"))
    }
}

/// Answered with nothing where nothing is scheduled.
#[derive(Deserialize)]
struct Collection {
    #[serde(default, deserialize_with = "lenient")]
    schedule: Option<Schedule>,
}

/// What is known of Harbor 1: that all of it takes Harbor 2.
pub(crate) fn of_old() -> Facts {
    let two = || "Harbor 2: this is Harbor 1, which has another API".to_owned();
    Facts {
        storage: Fact::Hidden(two()),
        retention: Fact::Hidden(two()),
        garbage_collection: Fact::Hidden(two()),
        first_repositories: None,
    }
}

/// Asks for all facts side by side.
pub(crate) async fn read(api: &Api, project: Option<&str>, subject: &str) -> Result<Facts> {
    let (storage, retention, garbage_collection) =
        futures_util::try_join!(storage(api, project, subject), retention(api, project, subject), collection(api, subject))?;
    Ok(Facts { storage, retention, garbage_collection, first_repositories: None })
}

fn get(api: &Api, path: &str) -> Request {
    api.request(Method::GET, path).header(BY_NAME, "true")
}

async fn document<T: DeserializeOwned>(api: &Api, path: &str, subject: &str) -> Result<T> {
    api.read(get(api, path), OPERATION, subject).await
}

async fn storage(api: &Api, project: Option<&str>, subject: &str) -> Result<Fact<Vec<Storage>>> {
    let Some(project) = project else {
        let first = get(api, "/v2.0/quotas").query("reference", "project").query("page", "1").query("page_size", "100");
        let entries = |page: Vec<Quota>| {
            let named = page.into_iter().filter_map(|mut quota| Some((quota.of.take()?.name, quota)));
            named.map(|(key, quota)| Keyed { value: used(&key, &quota), key }).collect()
        };
        let cursor = Cursor::Number { parameter: "page", more: None };
        let quotas: Result<Vec<Storage>> =
            futures_util::TryStreamExt::try_concat(api.list(first, cursor, OPERATION, subject.to_owned(), entries)).await;
        return fact(quotas, QUOTAS);
    };
    let summary: Fact<Summary> = fact(document(api, &format!("/v2.0/projects/{project}/summary"), subject).await, QUOTA)?;
    Ok(match summary {
        Fact::Told(Summary { quota: Some(quota) }) => Fact::Told(vec![used(project, &quota)]),
        // left out for those who may not see it
        Fact::Told(Summary { quota: None }) => Fact::Hidden(QUOTA.to_owned()),
        other => other.map(|_| Vec::new()),
    })
}

fn used(project: &str, quota: &Quota) -> Storage {
    let bytes = |resources: &Option<Resources>| resources.as_ref().and_then(|resources| resources.storage);
    let limit = bytes(&quota.hard);
    Storage {
        quota: limit.and_then(|limit| u64::try_from(limit).ok()),
        unlimited: limit.map(|limit| limit < 0),
        ..Storage::used(project, bytes(&quota.used).and_then(|used| u64::try_from(used).ok()))
    }
}

async fn retention(api: &Api, project: Option<&str>, subject: &str) -> Result<Fact<Vec<Retention>>> {
    let Some(name) = project else { return Ok(Fact::Hidden(ONE_PROJECT.to_owned())) };
    let project: Fact<Project> = fact(document(api, &format!("/v2.0/projects/{name}"), subject).await, RETENTION)?;
    let Fact::Told(project) = project else { return Ok(project.map(|_| Vec::new())) };
    let Some(id) = project.metadata.and_then(|metadata| metadata.retention_id).filter(|id| id.bytes().all(|b| b.is_ascii_digit()))
    else {
        return Ok(Fact::Told(Vec::new()));
    };
    let settings: Fact<Value> = fact(document(api, &format!("/v2.0/retentions/{id}"), subject).await, RETENTION)?;
    Ok(settings.map(|settings| {
        let policy = Policy::deserialize(&settings).unwrap_or(Policy { rules: Vec::new(), trigger: None });
        let schedule = policy.trigger.and_then(|trigger| trigger.settings).and_then(|schedule| schedule.words());
        let rules: Vec<String> = policy.rules.iter().map(Rule::words).collect();
        vec![Retention { of: name.to_owned(), rules, schedule, settings }]
    }))
}

async fn collection(api: &Api, subject: &str) -> Result<Fact<GarbageCollection>> {
    let answer = api.send(get(api, "/v2.0/system/gc/schedule"), OPERATION, subject).await?;
    let settings: Result<Value> = match answer.status.is_success() {
        true if answer.body.trim_ascii().is_empty() => Ok(Value::Null),
        true => json(&answer, OPERATION, subject),
        false => Err(crate::distribution::error(&answer, OPERATION, subject)),
    };
    Ok(fact(settings, COLLECTION)?.map(|settings| {
        let schedule = Collection::deserialize(&settings).ok().and_then(|collection| collection.schedule);
        GarbageCollection { schedule: schedule.and_then(|schedule| schedule.words()), settings }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_schedules_in_words() {
        let rule = |text: &str| serde_json::from_str::<Rule>(text).unwrap().words();
        assert_eq!(
            rule(
                r#"{"template":"latestPushedK","params":{"latestPushedK":10},
                    "tag_selectors":[{"kind":"doublestar","decoration":"matches","pattern":"**"}],
                    "scope_selectors":{"repository":[{"kind":"doublestar","decoration":"repoMatches","pattern":"app-*"}]}}"#
            ),
            "keeps the 10 pushed last, repositories app-*"
        );
        assert_eq!(
            rule(
                r#"{"disabled":true,"template":"nDaysSinceLastPull","params":{"nDaysSinceLastPull":30},
                    "tag_selectors":[{"decoration":"excludes","pattern":"v*"}],"scope_selectors":null}"#
            ),
            "keeps what was pulled within 30 days, tags not v* (switched off)"
        );
        assert_eq!(rule(r#"{"template":"always"}"#), "keeps all");
        let schedule = |text: &str| serde_json::from_str::<Schedule>(text).unwrap().words();
        assert_eq!(schedule(r#"{"type":"Weekly","cron":"0 0 0 * * 0"}"#).as_deref(), Some("weekly (cron 0 0 0 * * 0)"));
        assert_eq!(schedule(r#"{"cron":"0 0 0 * * *"}"#).as_deref(), Some("cron 0 0 0 * * *"));
        for none in [r#"{"type":"None","cron":""}"#, r#"{"type":"Manual"}"#, r#"{"cron":""}"#, "{}"] {
            assert_eq!(schedule(none), None, "{none}");
        }
    }
}
