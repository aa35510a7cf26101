//! IONOS: both are properties of the registry.

use serde::Deserialize;
use serde_json::Value;

use super::super::api::{date, lenient};
use crate::registry::{Fact, Facts, GarbageCollection, Storage};

/// What asking takes.
pub(crate) const NEEDS: &str = "the contract's user name and password, or an API token: IONOS's API doesn't take a registry token";

/// A registry as the API describes it.
#[derive(Deserialize)]
pub(crate) struct Described {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    storage_usage: Option<Usage>,
    #[serde(default, deserialize_with = "lenient")]
    garbage_collection_schedule: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    #[serde(default, deserialize_with = "lenient")]
    bytes: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    updated_at: Option<String>,
}

#[derive(Deserialize)]
struct Schedule {
    #[serde(default)]
    days: Vec<String>,
    #[serde(default)]
    time: String,
}

/// What a description says.
pub(crate) fn of(described: Described) -> Facts {
    let Properties { name, storage_usage, garbage_collection_schedule } = described.properties;
    let storage = storage_usage.map(|usage| Storage {
        updated_at: date(usage.updated_at.as_deref()),
        ..Storage::used(name.unwrap_or_default(), usage.bytes)
    });
    let words = |schedule: Schedule| format!("{} at {}", schedule.days.join(", "), schedule.time);
    let collection = garbage_collection_schedule.map(|settings| {
        let schedule = Schedule::deserialize(&settings).ok().filter(|schedule| !schedule.days.is_empty());
        GarbageCollection { schedule: schedule.map(words), settings }
    });
    Facts {
        storage: storage.map_or(Fact::Untold, |storage| Fact::Told(vec![storage])),
        garbage_collection: Fact::Told(collection.unwrap_or(GarbageCollection { schedule: None, settings: Value::Null })),
        ..Facts::default()
    }
}
