//! The image configuration: where creation date, platform and labels are (image-spec 1.1 "config.md").

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::{Platform, null_as_default};

/// What this program reads of an image's configuration: most of the time when and for what it was built, and how it runs ([`RunConfig`])
/// where a person looks at one image.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(from = "Document<Run>", bound = "Run: Default + Deserialize<'de>")]
pub struct ImageConfig<Run = IgnoredAny> {
    /// When it was built; `None` when absent, unreadable, or one of the dates that reproducible builds write.
    pub created: Option<Timestamp>,
    /// What it runs on.
    pub platform: Platform,
    /// How it runs.
    pub run: Run,
}

/// The document, in which the platform's fields stand among the others. Named one by one, because `flatten` makes a copy of all that nobody
/// asked for, and a configuration may be large.
#[derive(Deserialize)]
#[serde(bound = "Run: Default + Deserialize<'de>")]
struct Document<Run> {
    #[serde(default, deserialize_with = "build_date")]
    created: Option<Timestamp>,
    #[serde(default, deserialize_with = "null_as_default")]
    os: String,
    #[serde(default, deserialize_with = "null_as_default")]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
    #[serde(rename = "os.version", default)]
    os_version: Option<String>,
    #[serde(rename = "config", default, deserialize_with = "null_as_default")]
    run: Run,
}

impl<Run> From<Document<Run>> for ImageConfig<Run> {
    fn from(document: Document<Run>) -> ImageConfig<Run> {
        let Document { created, os, architecture, variant, os_version, run } = document;
        ImageConfig { created, platform: Platform { os, architecture, variant, os_version }, run }
    }
}

/// The part of the configuration that a runtime reads.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RunConfig {
    /// `KEY=value` lines.
    #[serde(default, deserialize_with = "null_as_default")]
    pub env: Vec<String>,
    /// The command.
    #[serde(default, deserialize_with = "null_as_default")]
    pub cmd: Vec<String>,
    /// What runs it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub entrypoint: Vec<String>,
    /// As whom.
    #[serde(default)]
    pub user: Option<String>,
    /// Where.
    #[serde(default)]
    pub working_dir: Option<String>,
    /// Labels.
    #[serde(default, deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
}

/// Dates up to this one are made up by reproducible builds (1970 by SOURCE_DATE_EPOCH=0, 1980-01-01 by zip and buildpacks): unknown,
/// never old (users' reports: go-containerregistry#273, pleasings#77).
pub fn is_plausible_date(date: Timestamp) -> bool {
    const LAST_MADE_UP: i64 = 315_619_200; // 1980-01-02T00:00:00Z
    date.as_second() > LAST_MADE_UP
}

fn build_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    // any JSON value: a config with an odd date is still a config
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().and_then(|text| text.parse().ok()).filter(|date| is_plausible_date(*date)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_dates_are_unknown() {
        for (created, known) in [
            ("\"1970-01-01T00:00:00Z\"", false),
            ("\"1980-01-01T00:00:01Z\"", false),
            ("\"0001-01-01T00:00:00Z\"", false),
            ("\"2026-01-02T03:04:05.678Z\"", true),
            ("\"2026-01-02T03:04:05+02:00\"", true),
            ("\"yesterday\"", false),
            ("null", false),
            ("7", false),
        ] {
            let config: ImageConfig = serde_json::from_str(&format!(r#"{{"created":{created},"os":"linux"}}"#)).unwrap();
            assert_eq!(config.created.is_some(), known, "{created}");
        }
    }

    #[test]
    fn nulls_are_empty() {
        let config: ImageConfig<RunConfig> = serde_json::from_str(
            r#"{"architecture":"amd64","os":"linux","config":{"Labels":null,"Env":null,"Cmd":["sh"]},"history":null}"#,
        )
        .unwrap();
        assert_eq!(config.run.cmd, ["sh"]);
        assert!(config.run.labels.is_empty());
        assert_eq!(config.platform.to_string(), "linux/amd64");
    }
}
