//! What differs between two states of an entry, field by field, with the values.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::catalogue::Entry;

/// Tables whose parts are fields of their own.
const PARTS: &[&str] = &["tls", "features", "garbage_collection_schedule", "source"];

/// What the program keeps for itself.
const OWN: &[&str] = &["id", "created_at", "updated_at", "removed_at"];

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The field, such as `tls.verify`.
    pub field: String,
    /// What it was; `null` if nothing.
    pub before: Value,
    /// What it becomes; `null` if nothing.
    pub after: Value,
}

/// Every field that differs, in the order in which they stand in the catalogue.
pub(super) fn differences(before: Option<&Entry>, after: &Entry) -> Vec<Difference> {
    let (before, after) = (before.map(fields).unwrap_or_default(), fields(after));
    let gone =
        before.iter().filter(|(field, _)| !after.contains_key(*field)).map(|(field, value)| (field, value.clone(), Value::Null));
    let changed = after.iter().filter_map(|(field, value)| {
        let old = before.get(field);
        (old != Some(value)).then(|| (field, old.cloned().unwrap_or_default(), value.clone()))
    });
    changed.chain(gone).map(|(field, before, after)| Difference { field: field.clone(), before, after }).collect()
}

fn fields(entry: &Entry) -> Map<String, Value> {
    let Ok(Value::Object(all)) = serde_json::to_value(entry) else { unreachable!("an entry is an object") };
    let mut fields = Map::new();
    for (field, value) in all.into_iter().filter(|(field, _)| !OWN.contains(&field.as_str())) {
        match value {
            Value::Object(parts) if PARTS.contains(&field.as_str()) => {
                fields.extend(parts.into_iter().map(|(part, value)| (format!("{field}.{part}"), value)));
            }
            Value::Object(instant) if field == "credential_expires_at" => {
                // a date-time of TOML looks like this to everyone else
                fields.insert(field, instant.into_iter().next().map(|(_, text)| text).unwrap_or_default());
            }
            value => drop(fields.insert(field, value)),
        }
    }
    fields
}
