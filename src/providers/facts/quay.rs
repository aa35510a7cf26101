//! Quay: quota and rules are an organisation's.

use serde::Deserialize;
use serde_json::Value;

use super::super::api::{Api, lenient};
use super::{OPERATION, fact};
use crate::oci::null_as_default;
use crate::registry::{ErrorKind, Fact, Facts, Result, Retention, Storage};

const MEMBER: &str = "an OAuth application token of a member of the organisation, under the user name $oauthtoken";
const ADMINISTRATOR: &str = "an OAuth application token with the scope org:admin, under the user name $oauthtoken";

#[derive(Deserialize)]
struct Organisation {
    #[serde(default, deserialize_with = "lenient")]
    quota_report: Option<Report>,
}

/// A limit of 0 is none.
#[derive(Deserialize)]
struct Report {
    #[serde(default, deserialize_with = "lenient")]
    quota_bytes: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    configured_quota: Option<u64>,
}

#[derive(Deserialize)]
struct Policies {
    #[serde(default, deserialize_with = "null_as_default")]
    policies: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    method: String,
    value: Value,
    #[serde(default, deserialize_with = "lenient")]
    tag_pattern: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    tag_pattern_matches: Option<bool>,
}

impl Policy {
    fn words(&self) -> String {
        let value = self.value.as_str().map_or_else(|| self.value.to_string(), str::to_owned);
        let what = match self.method.as_str() {
            "number_of_tags" => format!("keeps the newest {value} tags"),
            "creation_date" => format!("deletes tags older than {value}"),
            other => format!("prunes by {other} {value}"),
        };
        match (&self.tag_pattern, self.tag_pattern_matches) {
            (Some(pattern), Some(false)) => format!("{what}, of those that do not fit {pattern}"),
            (Some(pattern), _) => format!("{what}, of those that fit {pattern}"),
            (None, _) => what,
        }
    }
}

/// Asks for all facts of an organisation side by side.
pub(crate) async fn read(api: &Api, organisation: &str, subject: &str) -> Result<Facts> {
    let path = format!("/v1/organization/{organisation}");
    let policies = format!("{path}/autoprunepolicy/");
    let (described, policies) = futures_util::join!(
        api.get::<Organisation>(&path, OPERATION, subject),
        api.get::<Policies>(&policies, OPERATION, subject),
    );
    let storage = match known(described, MEMBER)? {
        Fact::Told(Organisation { quota_report: Some(report) }) => {
            let limit = report.configured_quota.filter(|limit| *limit > 0);
            let used = Storage::used(organisation, report.quota_bytes);
            Fact::Told(vec![Storage { quota: limit, unlimited: Some(limit.is_none()), ..used }])
        }
        // quotas are switched off
        Fact::Told(Organisation { quota_report: None }) | Fact::Untold => Fact::Untold,
        Fact::Hidden(needs) => Fact::Hidden(needs),
    };
    let retention = known(policies, ADMINISTRATOR)?.map(|Policies { policies }| {
        let words = |settings: &Value| Policy::deserialize(settings).map_or_else(|_| settings.to_string(), |policy| policy.words());
        let rules: Vec<String> = policies.iter().map(words).collect();
        match rules.is_empty() {
            true => Vec::new(),
            false => vec![Retention { of: organisation.to_owned(), rules, schedule: None, settings: Value::Array(policies) }],
        }
    });
    Ok(Facts { storage, retention, ..Facts::default() })
}

/// A path that isn't there is a feature that is switched off, or a namespace that is a person's.
fn known<T>(answer: Result<T>, needs: &str) -> Result<Fact<T>> {
    match answer {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Fact::Untold),
        other => fact(other, needs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_in_words() {
        for (text, words) in [
            (r#"{"method":"number_of_tags","value":10,"tagPattern":null,"tagPatternMatches":true}"#, "keeps the newest 10 tags"),
            (
                r#"{"method":"creation_date","value":"5d","tagPattern":"^pr-","tagPatternMatches":true}"#,
                "deletes tags older than 5d, of those that fit ^pr-",
            ),
            (
                r#"{"method":"creation_date","value":"5d","tagPattern":"^v","tagPatternMatches":false}"#,
                "deletes tags older than 5d, of those that do not fit ^v",
            ),
        ] {
            assert_eq!(serde_json::from_str::<Policy>(text).unwrap().words(), words);
        }
    }
}
