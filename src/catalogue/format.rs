//! Reading the file: TOML to [`Catalogue`], with the place of everything that is wrong.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml_edit::{Document, Item, TableLike};

use super::error::{Error, Result};
use super::{Catalogue, Entry, Name, SCHEMA, Settings, retention};
use crate::near_miss::nearest;

const TOP: &[&str] = &["schema", "default", "settings", "registry"];
const SETTINGS: &[&str] = &["trash_retention"];
const ENTRY: &[&str] = &[
    "id",
    "address",
    "provider",
    "display_name",
    "description",
    "region",
    "location",
    "namespace",
    "labels",
    "state",
    "username",
    "credential",
    "credential_command",
    "credential_expires_at",
    "allow_subnets",
    "api_address",
    "realm",
    "proxy",
    "requests_per_second",
    "concurrency",
    "repositories",
    "created_at",
    "updated_at",
    "removed_at",
    "tls",
    "features",
    "garbage_collection_schedule",
    "retention",
    "source",
];
const TLS: &[&str] = &["verify", "ca_file", "ca_pem", "pin_sha256", "client_cert", "client_key"];
const FEATURES: &[&str] = &["vulnerability_scanning"];
const SCHEDULE: &[&str] = &["days", "time"];
const SOURCE: &[&str] = &["system", "id", "extra"];

/// Keys under which people would put a secret. The file is meant to be shown around, so none may stand in it.
const SECRETS: &[&str] =
    &["password", "passwd", "secret", "secret_key", "secret_value", "access_token", "token", "identity_token", "private_key"];

/// The whole file as serde sees it.
#[derive(Serialize, Deserialize)]
pub(super) struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    #[serde(default)]
    settings: Settings,
    #[serde(default)]
    registry: BTreeMap<Name, Entry>,
}

/// Something in the file that is kept and has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    line: usize,
    column: usize,
    message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "catalogue line {}, column {}: {}", self.line, self.column, self.message)
    }
}

/// Line and column in characters, both from 1.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

struct Reader<'a> {
    text: &'a str,
    path: &'a Path,
    warnings: Vec<Warning>,
}

/// Reads the text of a catalogue. `path` is for the messages.
pub(super) fn parse(text: &str, path: &Path) -> Result<Catalogue> {
    let mut reader = Reader { text, path, warnings: Vec::new() };
    let document = Document::parse(text).map_err(|error| reader.broken(error.span(), error.message(), None))?;
    if let Some(found) = document.get("schema").and_then(Item::as_integer) {
        if found > SCHEMA {
            return Err(Error::NewerSchema { path: path.to_owned(), found, known: SCHEMA });
        }
        if found < 1 {
            let span = document.get("schema").and_then(Item::span);
            return Err(reader.broken(span, "schemas are numbered from 1", None));
        }
    }
    reader.keys(document.as_table())?;
    let places: HashMap<String, Range<usize>> = document
        .get("registry")
        .and_then(Item::as_table_like)
        .into_iter()
        .flat_map(TableLike::iter)
        .filter_map(|(name, item)| Some((name.to_owned(), item.get("id").unwrap_or(item).span()?)))
        .collect();
    let written = Written::deserialize(toml_edit::de::Deserializer::from(document))
        .map_err(|error| reader.broken(error.span(), error.message(), None))?;
    let mut owners = HashMap::new();
    for (name, entry) in &written.registry {
        if let Some(other) = owners.insert(entry.id(name), name) {
            let message = format!("{name} and {other} have the same id, so they would share a password");
            let hint = format!("delete the id line of {name}; it gets another one");
            return Err(reader.broken(places.get(name.as_str()).cloned(), &message, Some(hint)));
        }
    }
    Ok(Catalogue { default: written.default, settings: written.settings, entries: written.registry, warnings: reader.warnings })
}

impl Reader<'_> {
    fn broken(&self, span: Option<Range<usize>>, message: &str, hint: Option<String>) -> Error {
        let (line, column) = position(self.text, span.map_or(0, |span| span.start));
        // the parser puts what it expected on a line of its own
        let message = message.trim().replace('\n', ", ");
        Error::Broken { path: self.path.to_owned(), line, column, message, hint }
    }

    /// Looks at every key of the file.
    fn keys(&mut self, top: &dyn TableLike) -> Result<()> {
        self.known(top, TOP, "the catalogue", false)?;
        if let Some(settings) = top.get("settings").and_then(Item::as_table_like) {
            self.known(settings, SETTINGS, "settings", false)?;
        }
        let Some(registries) = top.get("registry").and_then(Item::as_table_like) else { return Ok(()) };
        for (_, entry) in registries.iter() {
            let Some(entry) = entry.as_table_like() else { continue };
            self.known(entry, ENTRY, "a registry", false)?;
            for (key, known, strict) in [
                ("tls", TLS, true),
                ("features", FEATURES, false),
                ("garbage_collection_schedule", SCHEDULE, true),
                ("source", SOURCE, false),
            ] {
                if let Some(table) = entry.get(key).and_then(Item::as_table_like) {
                    self.known(table, known, key, strict)?;
                }
            }
            match entry.get("retention") {
                Some(Item::ArrayOfTables(rules)) => {
                    for rule in rules {
                        self.known(rule, retention::KEYS, "a retention rule", true)?;
                    }
                }
                Some(Item::Value(toml_edit::Value::Array(rules))) => {
                    for rule in rules.iter().filter_map(toml_edit::Value::as_inline_table) {
                        self.known(rule, retention::KEYS, "a retention rule", true)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Looks for keys of one table that mean nothing. With `strict` none of them may be ignored.
    fn known(&mut self, table: &dyn TableLike, known: &[&str], what: &str, strict: bool) -> Result<()> {
        for (key, item) in table.iter() {
            if known.contains(&key) || key.starts_with("x-") || key.starts_with("x_") {
                continue;
            }
            let span = table.key(key).and_then(toml_edit::Key::span).or_else(|| item.span());
            let shown = super::invalid::shown(key);
            if SECRETS.contains(&key.to_ascii_lowercase().replace('-', "_").as_str()) {
                let message = format!("`{shown}` looks like a secret, and secrets don't belong in the catalogue");
                return Err(self.broken(
                    span,
                    &message,
                    Some("delete the line and keep the secret in the keyring: regctl login NAME".into()),
                ));
            }
            let near = nearest(key, known.iter().copied());
            if strict || near.is_some() {
                let message = format!("unknown field `{shown}` in {what}, expected one of {}", known.join(", "));
                return Err(self.broken(span, &message, near.map(|near| format!("did you mean {near}?"))));
            }
            let (line, column) = position(self.text, span.map_or(0, |span| span.start));
            let message = format!("unknown field `{shown}` in {what}; it is kept and has no effect");
            self.warnings.push(Warning { line, column, message });
        }
        Ok(())
    }
}
