//! From entries to a document of one of the systems.
//!
//! An entry is written as the system would write it, then everything that was kept of its own document is put back as long as it is still
//! true: reading the result must not be further from the entry than reading it without. What the system can't express shows in the same
//! way: by reading the result and comparing.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Value, json};

use super::extra::{self, Around, Change, Difference};
use super::item::{Map, REDACTED};
use super::{Problem, System, fields, no_way, rancher};
use crate::catalogue::{Address, Changes, Entry, HostRules, Name};
use crate::credentials::Secret;

/// Fields about which nobody asks another system.
const OUR_OWN: &[&str] = &["credential", "credential_command", "credential_expires_at"];

/// What is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shape {
    /// What the system answers when asked for its list.
    #[default]
    List,
    /// The body that creates a registry.
    Create,
    /// The body that changes one.
    Patch,
    /// The list of who signs in, which Rancher keeps apart.
    Credentials,
}

/// How a secret is written.
#[derive(Debug, Clone)]
pub enum Shown {
    /// Not at all.
    Hidden,
    /// As it is, where there is one.
    Revealed(Option<Secret>),
}

/// An entry to be written.
#[derive(Debug, Clone)]
pub struct Exported<'a> {
    /// For which system.
    pub system: System,
    /// Its name.
    pub name: &'a Name,
    /// Its fields.
    pub entry: &'a Entry,
    /// Whether it is the default.
    pub is_default: bool,
    /// Its secret.
    pub shown: Shown,
    /// The certificates of its own authority, wherever they are.
    pub authority: Option<String>,
}

impl Exported<'_> {
    pub(super) fn id(&self) -> String {
        self.entry.id(self.name).to_string()
    }

    /// What the system calls it, if it came from there.
    pub(super) fn source_id(&self) -> Option<&str> {
        self.entry.source.as_ref().filter(|source| source.system == self.system.word())?.id.as_deref()
    }

    pub(super) fn title(&self) -> &str {
        self.entry.display_name.as_ref().map_or(self.name.as_str(), |text| text.as_str())
    }

    pub(super) fn address(&self) -> Result<&Address, Problem> {
        self.entry.address.as_ref().ok_or_else(|| Problem::new("it has no address yet"))
    }

    pub(super) fn username(&self) -> Option<&str> {
        self.entry.username.as_ref().map(|username| username.as_str())
    }

    /// The secret, or what stands in its place; `None` where there is none.
    pub(super) fn secret_text(&self) -> Option<&str> {
        match &self.shown {
            Shown::Hidden => self.entry.credential_store().is_store().then_some(REDACTED),
            Shown::Revealed(secret) => secret.as_ref().map(Secret::expose),
        }
    }

    pub(super) fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }
}

/// A document, and what is not in it.
#[derive(Debug)]
pub struct Export {
    /// The document.
    pub document: Value,
    /// The entries that the system has no words for.
    pub left_out: Vec<(String, Problem)>,
    /// Fields of the others that the system has no words for.
    pub unsaid: Vec<(String, Vec<String>)>,
}

impl Export {
    /// Writes entries. A body of one entry that was named alone is an object, several are a list.
    pub fn write(system: System, shape: Shape, registries: &[Exported<'_>], alone: bool, rules: HostRules) -> Export {
        let mut export = Export { document: Value::Null, left_out: Vec::new(), unsaid: Vec::new() };
        if shape == Shape::Credentials && system == System::Rancher {
            export.document = rancher::credentials::write(registries);
            return export;
        }
        let mut written: Vec<(Map, Around)> = Vec::new();
        let mut keys = HashSet::new();
        for registry in registries {
            let name = registry.name.to_string();
            let item = match shape {
                Shape::List => listed(registry, rules),
                Shape::Create => system.dialect().create(registry).map(|item| (item, Around::default())),
                Shape::Patch => system.dialect().patch(registry).map(|item| (item, Around::default())),
                Shape::Credentials => Err(no_way("only Rancher has a list of credentials")),
            };
            let (item, around) = match item {
                Ok(item) => item,
                Err(problem) => {
                    export.left_out.push((name, problem));
                    continue;
                }
            };
            if system.dialect().key(&item).is_some_and(|key| !keys.insert(key.to_owned())) {
                let problem = no_way("another entry is at the same host, and there can be one only");
                export.left_out.push((name, problem));
                continue;
            }
            if shape == Shape::List {
                let unsaid: Vec<String> = unlike(system, &item, registry.entry, rules).into_iter().flatten().collect();
                if !unsaid.is_empty() {
                    export.unsaid.push((name, unsaid));
                }
            }
            written.push((item, around));
        }
        // in the order in which they came, and then those that came from elsewhere
        written.sort_by_key(|(_, around)| around.place.unwrap_or(u64::MAX));
        let pages: Vec<Map> = written.iter().filter_map(|(_, around)| around.page.clone()).collect();
        let mut items: Vec<Map> = written.into_iter().map(|(item, _)| item).collect();
        export.document = match shape {
            Shape::List => join(system, items, &pages),
            Shape::Create | Shape::Patch | Shape::Credentials if alone => items.pop().map_or(Value::Null, Value::Object),
            Shape::Create | Shape::Patch | Shape::Credentials => json!(items),
        };
        export
    }
}

/// One registry as in the system's list, and where it stood.
fn listed(registry: &Exported<'_>, rules: HostRules) -> Result<(Map, Around), Problem> {
    let dialect = registry.system.dialect();
    let usual = dialect.write(registry)?;
    let source = registry.entry.source.as_ref().filter(|source| source.system == registry.system.word());
    let (kept, around) = source.map(|source| extra::from_toml(&source.extra)).unwrap_or_default();
    let changes = kept.changes(&usual);
    let nearest = unlike(registry.system, &usual, registry.entry, rules);
    let still_true = |item: &Map| match (&nearest, unlike(registry.system, item, registry.entry, rules)) {
        (Some(nearest), Some(found)) => found.is_subset(nearest),
        (None, _) => true,
        (Some(_), None) => false,
    };
    let with = |changes: &[Change], onto: &Map| {
        let mut item = onto.clone();
        changes.iter().for_each(|change| change.apply(&mut item));
        item
    };
    let mut item = with(&changes, &usual);
    if !still_true(&item) {
        item = usual;
        for change in &changes {
            let changed = with(std::slice::from_ref(change), &item);
            if still_true(&changed) {
                item = changed;
            }
        }
    }
    dialect.settle(&mut item);
    Ok((item, around))
}

/// The fields in which an entry differs from what a document says of it. `None` when it can't be understood.
fn unlike(system: System, item: &Map, entry: &Entry, rules: HostRules) -> Option<BTreeSet<String>> {
    let mut read = system.dialect().read(&mut item.clone()).ok().flatten()?;
    Changes::default().apply(&mut read.entry, rules).ok()?;
    let mut keys = fields::differing(&read.entry, entry);
    keys.retain(|key| !OUR_OWN.contains(&key.as_str()));
    Some(keys)
}

/// The list, with what stood around it if it is the same list.
fn join(system: System, mut items: Vec<Map>, pages: &[Map]) -> Value {
    let dialect = system.dialect();
    let usual = dialect.envelope(items.len());
    let [page] = pages else { return dialect.join(items, usual) };
    if page.get("items").and_then(Value::as_u64) != Some(items.len() as u64) {
        return dialect.join(items, usual);
    }
    if page.get("single") == Some(&true.into()) {
        return items.pop().map_or(Value::Null, Value::Object);
    }
    let texts = page.get("absent").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let difference = Difference {
        set: page.get("set").and_then(Value::as_object).cloned().unwrap_or_default(),
        absent: texts.map(str::to_owned).collect(),
    };
    let mut envelope = usual.clone();
    difference.changes(&usual).iter().for_each(|change| change.apply(&mut envelope));
    dialect.join(items, envelope)
}

/// The object that a `json!` wrote.
pub(super) fn object(value: Value) -> Map {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
