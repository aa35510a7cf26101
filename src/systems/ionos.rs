//! IONOS Cloud Container Registry: a collection of `{id, metadata, properties}`; a `PUT` or `POST` body has `properties` alone.

use serde_json::{Value, json};

use super::item::{self, Map};
use super::{Dialect, Exported, Imported, Page, Problem, System};
use crate::catalogue::{AllowList, Entry, Schedule, State, Subnet};
use crate::registry::Kind;

/// Shortest name that IONOS takes.
const NAME_MIN: usize = 3;

/// Registries on a page, unless asked for more.
const LIMIT: usize = 100;

pub(super) struct Ionos;

fn is_registry(value: &Value) -> bool {
    value.pointer("/properties/location").is_some()
}

impl Dialect for Ionos {
    fn recognises(&self, document: &Value) -> bool {
        let items = document.get("items").and_then(Value::as_array);
        is_registry(document) || items.is_some_and(|items| items.iter().any(is_registry))
    }

    fn split(&self, document: Value) -> Result<Page, Problem> {
        let Value::Object(mut map) = document else { return Err(Problem::new("expected an object with `items`")) };
        let items = match map.shift_remove("items") {
            Some(Value::Array(items)) => items,
            Some(_) => return Err(Problem::new("`items` is no list")),
            None => return Ok(Page { items: vec![map.into()], single: true, ..Page::default() }),
        };
        let says = |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        let pagination = map.get("pagination");
        let before = map.get("_links").and_then(|links| links.get("previous"));
        Ok(Page {
            more: says(pagination.and_then(|pagination| pagination.get("token"))),
            before: says(before),
            items,
            envelope: map,
            ..Page::default()
        })
    }

    fn read(&self, item: &mut Map) -> Result<Option<Imported>, Problem> {
        let properties = item::object(item, "properties")?.ok_or_else(|| Problem::new("`properties` is missing"))?;
        let mut entry = Entry::default();
        entry.provider = Some(Kind::Ionos);
        entry.location = Some(item::needed(properties, "location")?.parse()?);
        entry.address = item::text(properties, "hostname")?.map(|host| item::address(host, "hostname")).transpose()?;
        if let Some(schedule) = item::object(properties, "garbageCollectionSchedule")? {
            let days: Result<Vec<_>, _> = item::texts(schedule, "days")?.into_iter().map(str::parse).collect();
            entry.garbage_collection_schedule =
                Some(Schedule { days: days?.try_into()?, time: item::needed(schedule, "time")?.parse()? });
        }
        if let Some(scanning) =
            item::object(properties, "features")?.map(|map| item::object(map, "vulnerabilityScanning")).transpose()?
        {
            entry.features.vulnerability_scanning = scanning.map(|map| item::flag(map, "enabled")).transpose()?.flatten();
        }
        let subnets = item::texts(properties, "apiSubnetAllowList")?.into_iter().map(str::parse::<Subnet>);
        entry.allow_subnets = AllowList::try_from(subnets.collect::<Result<Vec<_>, _>>()?)?;
        let name = item::needed(properties, "name")?.to_owned();
        let mut imported = Imported::new(
            System::Ionos,
            entry,
            &[
                "address",
                "display_name",
                "provider",
                "location",
                "state",
                "garbage_collection_schedule",
                "features",
                "allow_subnets",
            ],
        );
        if let Some(metadata) = item::object(item, "metadata")? {
            imported.entry.created_at = item::instant(metadata, "createdDate")?;
            imported.entry.updated_at = item::instant(metadata, "lastModifiedDate")?;
            let state = item::text(metadata, "state")?.unwrap_or("Running");
            if !matches!(state, "Running" | "New") {
                imported.warnings.push(format!("its state there is {}, so it is inactive here", state.escape_debug()));
            }
            if state != "Running" {
                imported.entry.state = State::Inactive;
            }
        }
        if imported.entry.address.is_none() {
            imported.entry.state = State::Inactive;
            imported.warnings.push("it has no hostname yet, so it is inactive".to_owned());
        }
        imported.call(Some(&name), &name);
        imported.known_as(item::text(item, "id")?);
        imported.uuid = imported.source_id.as_deref().and_then(|id| id.parse().ok());
        Ok(Some(imported))
    }

    fn write(&self, registry: &Exported<'_>) -> Result<Map, Problem> {
        let entry = registry.entry;
        let mut properties = body(registry)?;
        properties
            .insert("hostname".to_owned(), entry.address.as_ref().map(|address| address.authority()).unwrap_or_default().into());
        properties.insert("storageUsage".to_owned(), Value::Null);
        properties.entry("garbageCollectionSchedule").or_insert(Value::Null);
        properties.entry("apiSubnetAllowList").or_insert(Value::Null);
        let scanning = json!({ "enabled": entry.vulnerability_scanning(), "properties": {} });
        properties.insert("features".to_owned(), json!({ "vulnerabilityScanning": scanning }));
        let state = if entry.address.is_some() { "Running" } else { "New" };
        let item = json!({
            "id": registry.source_id().unwrap_or(&registry.id()),
            "type": "registry",
            "href": "",
            "metadata": {
                "createdBy": null,
                "createdByUserId": null,
                "createdDate": entry.created_at.map(|instant| instant.to_string()),
                "lastModifiedBy": null,
                "lastModifiedByUserId": null,
                "lastModifiedDate": null,
                "state": state,
            },
            "properties": properties,
        });
        Ok(super::export::object(item))
    }

    fn create(&self, registry: &Exported<'_>) -> Result<Map, Problem> {
        let mut properties = body(registry)?;
        if let Some(enabled) = registry.entry.features.vulnerability_scanning {
            properties.insert("features".to_owned(), json!({ "vulnerabilityScanning": { "enabled": enabled } }));
        }
        Ok(super::export::object(json!({ "properties": properties })))
    }

    fn patch(&self, registry: &Exported<'_>) -> Result<Map, Problem> {
        let Some(Value::Object(mut properties)) = self.create(registry)?.shift_remove("properties") else {
            return Ok(Map::new());
        };
        properties.shift_remove("name");
        properties.shift_remove("location");
        // only an empty list takes a list away
        properties.entry("apiSubnetAllowList").or_insert(json!([]));
        Ok(properties)
    }

    fn envelope(&self, count: usize) -> Map {
        super::export::object(json!({
            "id": "registries",
            "type": "collection",
            "href": "",
            "pagination": { "limit": LIMIT.max(count), "token": "" },
            "_links": { "self": "/registries", "previous": "", "next": "" },
        }))
    }

    fn join(&self, items: Vec<Map>, mut envelope: Map) -> Value {
        envelope.insert("items".to_owned(), json!(items));
        envelope.into()
    }
}

/// The properties that can be given.
fn body(registry: &Exported<'_>) -> Result<Map, Problem> {
    let entry = registry.entry;
    let location = entry.location.as_ref().ok_or_else(|| Problem::new("IONOS needs a location"))?;
    let name = registry.title();
    if name.len() < NAME_MIN || name.parse::<crate::catalogue::Name>().is_err() {
        return Err(Problem::new("IONOS takes names of 3 to 63 characters a-z, 0-9 and -"));
    }
    let mut properties = super::export::object(json!({ "name": name, "location": location.as_str() }));
    if let Some(schedule) = &entry.garbage_collection_schedule {
        let days: Vec<&str> = schedule.days.as_slice().iter().map(|day| day.as_str()).collect();
        properties.insert("garbageCollectionSchedule".to_owned(), json!({ "days": days, "time": schedule.time.to_string() }));
    }
    if !entry.allow_subnets.is_empty() {
        let subnets: Vec<String> = entry.allow_subnets.as_slice().iter().map(ToString::to_string).collect();
        properties.insert("apiSubnetAllowList".to_owned(), json!(subnets));
    }
    Ok(properties)
}
