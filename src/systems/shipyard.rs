//! Shipyard: a list of `{id, name, addr}`, and since 3.1 also `username`, `password` in plain text and `tls_skip_verify`.

use serde_json::{Value, json};

use super::item::{self, Map};
use super::{Dialect, Exported, Imported, Page, Problem, System, no_way};
use crate::catalogue::Entry;

pub(super) struct Shipyard;

fn is_registry(value: &Value) -> bool {
    ["id", "name", "addr"].iter().all(|key| value.get(key).is_some())
}

impl Dialect for Shipyard {
    fn recognises(&self, document: &Value) -> bool {
        match document {
            Value::Array(items) => items.iter().any(is_registry),
            one => is_registry(one),
        }
    }

    fn split(&self, document: Value) -> Result<Page, Problem> {
        match document {
            Value::Array(items) => Ok(Page { items, ..Page::default() }),
            Value::Object(_) => Ok(Page { items: vec![document], single: true, ..Page::default() }),
            _ => Err(Problem::new("expected a list of registries")),
        }
    }

    fn read(&self, item: &mut Map) -> Result<Option<Imported>, Problem> {
        let address = item::address(item::needed(item, "addr")?, "addr")?;
        let mut imported = Imported::new(System::Shipyard, Entry::at(address.clone()), &["address", "display_name", "state"]);
        imported.call(item::text(item, "name")?, address.host());
        imported.known_as(item::text(item, "id")?);
        imported.uuid = imported.source_id.as_deref().and_then(|id| id.parse().ok());
        if let Some(username) = item::text(item, "username")? {
            imported.entry.username = Some(username.parse()?);
            imported.also(&["username"]);
        }
        if let Some(skip) = item::flag(item, "tls_skip_verify")? {
            imported.entry.tls.verify = !skip;
            imported.also(&["tls"]);
        }
        imported.secret = item::take_secret(item, "password")?;
        Ok(Some(imported))
    }

    fn write(&self, registry: &Exported<'_>) -> Result<Map, Problem> {
        let mut item = Map::new();
        item.insert("id".to_owned(), registry.source_id().unwrap_or(&registry.id()).into());
        item.extend(self.create(registry)?);
        Ok(item)
    }

    fn create(&self, registry: &Exported<'_>) -> Result<Map, Problem> {
        let entry = registry.entry;
        let mut item = Map::new();
        item.insert("name".to_owned(), registry.title().into());
        item.insert("addr".to_owned(), registry.address()?.to_string().into());
        if entry.username.is_some() || !entry.tls.verify {
            item.insert("username".to_owned(), registry.username().unwrap_or_default().into());
            item.insert("password".to_owned(), registry.secret_text().unwrap_or_default().into());
            item.insert("tls_skip_verify".to_owned(), (!entry.tls.verify).into());
        }
        Ok(item)
    }

    fn patch(&self, _: &Exported<'_>) -> Result<Map, Problem> {
        Err(no_way("Shipyard can't change a registry, only delete it and add another"))
    }

    fn envelope(&self, _: usize) -> Map {
        Map::new()
    }

    fn join(&self, items: Vec<Map>, _: Map) -> Value {
        json!(items)
    }
}
