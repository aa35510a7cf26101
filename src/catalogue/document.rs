//! Writing the file: carries the difference between two catalogues into the text that a person wrote, and leaves everything else in it as
//! it is: comments, order, unknown keys, and how values that didn't change are written.

use toml_edit::{ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::{Catalogue, Entry, Name, SCHEMA, TrashRetention};

/// The keys of an entry, and of where it came from, that get a header of their own.
const HEADERS: &[&str] = &["tls", "features", "garbage_collection_schedule", "extra"];

/// Changes `document`, which says `old`, so that it says `new`.
pub(super) fn carry(document: &mut DocumentMut, old: &Catalogue, new: &Catalogue) {
    let top = document.as_table_mut();
    if !top.contains_key("schema") {
        put(top, "schema", SCHEMA.into());
    }
    if old.default != new.default {
        match &new.default {
            Some(name) => put(top, "default", name.as_str().into()),
            None => drop(top.remove("default")),
        }
    }
    if old.settings != new.settings {
        let retention: TrashRetention = new.settings.trash_retention;
        if let Some(settings) = top.entry("settings").or_insert_with(|| Item::Table(Table::new())).as_table_like_mut() {
            put(settings, "trash_retention", retention.to_string().into());
        }
    }
    if old.entries == new.entries {
        return;
    }
    let registries = top.entry("registry").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    if let Some(registries) = registries.as_table_like_mut() {
        carry_entries(registries, old, new);
    }
}

fn carry_entries(registries: &mut dyn TableLike, old: &Catalogue, new: &Catalogue) {
    for (name, entry) in old.entries.iter().filter(|(name, _)| !new.entries.contains_key(*name)) {
        let item = registries.remove(name.as_str());
        if let (Some(item), Some(renamed)) = (item, renamed_to(entry.id(name), old, new)) {
            registries.insert(renamed.as_str(), item);
        }
    }
    for (name, entry) in &new.entries {
        let id = entry.id(name);
        let before = old.entries.iter().find(|(known, entry)| entry.id(known) == id).map(|(_, entry)| entry);
        let written = before.and_then(|before| Some((before, registries.get_mut(name.as_str())?.as_table_like_mut()?)));
        match written {
            Some((before, _)) if before == entry => {}
            Some((before, table)) => merge(table, &fields(before), &fields(entry)),
            None => {
                let mut table = Table::new();
                merge(&mut table, &InlineTable::new(), &fields(entry));
                registries.insert(name.as_str(), Item::Table(table));
            }
        }
    }
}

/// The new name of the entry with this id, if it was only renamed.
fn renamed_to<'a>(id: uuid::Uuid, old: &Catalogue, new: &'a Catalogue) -> Option<&'a Name> {
    new.entries.iter().find(|(name, entry)| entry.id(name) == id && !old.entries.contains_key(*name)).map(|(name, _)| name)
}

/// An entry as TOML values.
fn fields(entry: &Entry) -> InlineTable {
    let document = toml_edit::ser::to_document(entry).expect("every field of an entry has a form in TOML");
    document.into_table().into_inline_table()
}

/// Carries what differs between two tables into a third that says the first.
fn merge(table: &mut dyn TableLike, old: &InlineTable, new: &InlineTable) {
    for (key, _) in old.iter().filter(|(key, _)| !new.contains_key(key)) {
        table.remove(key);
    }
    for (key, value) in new {
        let before = old.get(key);
        if before.is_some_and(|before| before.to_string() == value.to_string()) {
            continue;
        }
        if let (Some(before), Some(inner)) = (before.and_then(Value::as_inline_table), value.as_inline_table())
            && let Some(table) = table.get_mut(key).and_then(Item::as_table_like_mut)
        {
            merge(table, before, inner);
            continue;
        }
        put(table, key, value.clone());
    }
}

/// Sets one value. What stood there lends its place and its trailing comment.
fn put(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key) {
        Some(Item::Value(written)) => {
            *value.decor_mut() = written.decor().clone();
            *written = value;
        }
        _ => {
            value.decor_mut().clear();
            table.insert(key, with_header(key, value));
        }
    }
}

/// The form in which a new value looks best.
fn with_header(key: &str, value: Value) -> Item {
    match value {
        Value::InlineTable(mut table) if key == "source" => {
            // what is kept for export can be long
            let extra = table.remove("extra");
            let mut table = table.into_table();
            if let Some(extra) = extra {
                table.insert("extra", with_header("extra", extra));
            }
            Item::Table(table)
        }
        Value::InlineTable(table) if HEADERS.contains(&key) => Item::Table(table.into_table()),
        Value::Array(rules) if key == "retention" => {
            let mut tables = ArrayOfTables::new();
            for rule in rules {
                if let Value::InlineTable(rule) = rule {
                    tables.push(rule.into_table());
                }
            }
            Item::ArrayOfTables(tables)
        }
        value => Item::Value(value),
    }
}
