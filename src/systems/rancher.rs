//! Rancher v1: a collection of `registry`, and one of `registryCredential` that says who signs in where.

pub(super) mod credentials;

use serde_json::{Value, json};

use super::item::{self, Map};
use super::{Dialect, Exported, Imported, Page, Problem, System};
use crate::catalogue::{Entry, State};

/// Registries on a page, unless asked for more.
const LIMIT: usize = 100;

/// What may be done in a state that lasts, of the steps in a registry's life.
const ACTIONS: [(&str, &[&str]); 3] =
    [("active", &["deactivate"]), ("inactive", &["activate", "remove"]), ("removed", &["purge", "restore"])];

pub(super) struct Rancher;

fn is(value: &Value, key: &str, text: &str) -> bool {
    value.get(key).and_then(Value::as_str) == Some(text)
}

impl Dialect for Rancher {
    fn recognises(&self, document: &Value) -> bool {
        let collection = is(document, "type", "collection")
            && (is(document, "resourceType", "registry") || is(document, "resourceType", "registryCredential"));
        collection || (is(document, "type", "registry") && document.get("serverAddress").is_some())
    }

    fn split(&self, document: Value) -> Result<Page, Problem> {
        let credentials = is(&document, "resourceType", "registryCredential");
        let Value::Object(mut map) = document else { return Err(Problem::new("expected a collection of registries")) };
        let items = match map.shift_remove("data") {
            Some(Value::Array(items)) => items,
            // of one registry `data` is something else
            Some(other) if is(&map.clone().into(), "type", "registry") => {
                map.insert("data".to_owned(), other);
                return Ok(Page { items: vec![map.into()], single: true, ..Page::default() });
            }
            None if map.contains_key("serverAddress") => {
                return Ok(Page { items: vec![map.into()], single: true, ..Page::default() });
            }
            _ => return Err(Problem::new("`data` is no list")),
        };
        let pagination = map.get("pagination").cloned().unwrap_or_default();
        let page = Page {
            more: pagination.get("partial") == Some(&true.into()) || pagination.get("next").is_some_and(|next| !next.is_null()),
            before: pagination.get("previous").is_some_and(|previous| !previous.is_null()),
            total: pagination.get("total").and_then(Value::as_u64),
            ..Page::default()
        };
        Ok(match credentials {
            true => Page { credentials: items, total: None, envelope: map, ..page },
            false => Page { items, envelope: map, ..page },
        })
    }

    fn read(&self, item: &mut Map) -> Result<Option<Imported>, Problem> {
        let word = item::text(item, "state")?.unwrap_or("active");
        let gone = item::text(item, "removed")?.is_some();
        let state = match word {
            "purging" | "purged" => return Ok(None),
            "removing" | "removed" => State::Removed,
            _ if gone => State::Removed,
            "active" | "updating-active" => State::Active,
            _ => State::Inactive,
        };
        let address = item::address(item::needed(item, "serverAddress")?, "serverAddress")?;
        let mut imported =
            Imported::new(System::Rancher, Entry::at(address.clone()), &["address", "display_name", "description", "state"]);
        let known = ["inactive", "requested", "registering", "activating", "restoring", "deactivating", "updating-inactive"];
        if state == State::Inactive && !known.contains(&word) {
            imported.warnings.push(format!("Rancher has no state {}; it is inactive here", word.escape_debug()));
        }
        imported.entry.state = state;
        imported.entry.created_at = item::instant(item, "created")?;
        imported.entry.description = item::text(item, "description")?.map(str::parse).transpose()?;
        imported.call(item::text(item, "name")?, address.host());
        imported.known_as(item::text(item, "id")?);
        imported.uuid = item::text(item, "uuid")?.and_then(|uuid| uuid.parse().ok());
        Ok(Some(imported))
    }

    fn write(&self, registry: &Exported<'_>) -> Result<Map, Problem> {
        let entry = registry.entry;
        let item = json!({
            "id": registry.source_id(),
            "type": "registry",
            "links": {},
            "actions": {},
            "name": registry.title(),
            "state": entry.state.word(),
            "accountId": null,
            "blockDevicePath": null,
            "created": entry.created_at.map(|instant| instant.to_string()),
            "createdTS": entry.created_at.map(|instant| instant.as_millisecond()),
            "data": {},
            "description": entry.description.as_ref().map(|text| text.as_str()),
            "driverName": null,
            "externalId": null,
            "kind": "registry",
            "removeTime": null,
            "removed": entry.removed_at.map(|instant| instant.to_string()),
            "serverAddress": registry.address()?.authority(),
            "transitioning": "no",
            "transitioningMessage": null,
            "transitioningProgress": null,
            "uuid": registry.id(),
            "volumeAccessMode": null,
            "volumeCapabilities": null,
        });
        Ok(super::export::object(item))
    }

    fn create(&self, registry: &Exported<'_>) -> Result<Map, Problem> {
        let mut item = self.patch(registry)?;
        item.insert("serverAddress".to_owned(), registry.address()?.authority().into());
        Ok(item)
    }

    fn patch(&self, registry: &Exported<'_>) -> Result<Map, Problem> {
        let description = registry.entry.description.as_ref().map(|text| text.as_str());
        Ok(super::export::object(json!({ "type": "registry", "name": registry.title(), "description": description })))
    }

    fn envelope(&self, count: usize) -> Map {
        super::export::object(json!({
            "type": "collection",
            "resourceType": "registry",
            "links": {},
            "createTypes": {},
            "actions": {},
            "sortLinks": {},
            "pagination":
                { "first": null, "previous": null, "next": null, "limit": LIMIT.max(count), "total": null, "partial": false },
            "sort": null,
            "filters": {},
            "createDefaults": {},
        }))
    }

    fn join(&self, items: Vec<Map>, mut envelope: Map) -> Value {
        envelope.insert("data".to_owned(), json!(items));
        envelope.into()
    }

    /// What may be done follows from the state, which may have changed since.
    fn settle(&self, item: &mut Map) {
        let state = item.get("state").and_then(Value::as_str);
        let Some((state, legal)) = ACTIONS.iter().find(|(word, _)| Some(*word) == state) else { return };
        if let Some(Value::Object(actions)) = item.get_mut("actions") {
            let step = |action: &str| ACTIONS.iter().any(|(_, steps)| steps.contains(&action));
            actions.retain(|action, _| !step(action) || legal.contains(&action.as_str()));
        }
        if let Some(time) = item.get_mut("removeTime").filter(|_| *state != "removed") {
            *time = Value::Null;
        }
        if item.get("transitioning").and_then(Value::as_str) == Some("yes") {
            item.insert("transitioning".to_owned(), "no".into());
            item.insert("transitioningMessage".to_owned(), Value::Null);
            item.insert("transitioningProgress".to_owned(), Value::Null);
        }
    }
}
