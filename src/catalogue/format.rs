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

pub(super) const TOP: &[&str] = &["schema", "default", "settings", "registry"];
pub(super) const SETTINGS: &[&str] = &["trash_retention"];
pub(super) const ENTRY: &[&str] = &[
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
pub(super) const TLS: &[&str] = &["verify", "ca_file", "ca_pem", "pin_sha256", "client_cert", "client_key"];
pub(super) const FEATURES: &[&str] = &["vulnerability_scanning"];
pub(super) const SCHEDULE: &[&str] = &["days", "time"];
pub(super) const SOURCE: &[&str] = &["system", "id", "extra"];

/// Keys under which people would put a secret. The file is meant to be shown around, so none may stand in it.
pub(super) const SECRETS: &[&str] =
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
pub(super) fn position(text: &str, byte: usize) -> (usize, usize) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Catalogue> {
        parse(text, Path::new("catalogue.toml"))
    }

    #[test]
    fn says_where_and_what() {
        for (text, line, column, words) in [
            ("schema = 1\ndefault = prod\n", 2, 11, "string values must be quoted"),
            ("[registry.a\naddress = 1", 1, 12, "expected"),
            ("[registry.a]\naddress = \"ftp://x\"", 2, 11, "only http"),
            ("[registry.a]\naddress = 7", 2, 11, "expected"),
            ("[registry.a]\n  adress = \"https://x\"", 2, 3, "unknown field `adress`"),
            ("[registry.A]\naddress = \"https://x\"", 1, 1, "registry name"),
            ("[registry.a]\nprovider = \"habor\"", 2, 12, "is not a provider"),
            ("[registry.a]\nstate = \"gone\"", 2, 9, "one of active, inactive, removed"),
            ("[registry.a]\ncredential_expires_at = 2027-01-01", 2, 25, "offset"),
            ("[registry.a]\ntls = { verify = true, trust_all = true }", 2, 24, "unknown field `trust_all`"),
            ("[[registry.a.retention]]\nkeep_all = true", 2, 1, "unknown field `keep_all`"),
            ("[[registry.a.retention]]\nrepositories = \"x\"", 1, 1, "what to keep"),
            ("[registry.a.garbage_collection_schedule]\ndays = [\"Modnday\"]\ntime = \"19:30\"", 2, 8, "not a day"),
            ("[registry.a]\nallow_subnets = [\"::/0\"]", 2, 17, "everything or nothing"),
            ("[settings]\ntrash_retention = \"soon\"", 2, 19, "not a duration"),
            ("[registry.\"é\"]\n", 1, 11, "registry name"),
            ("schema = 0", 1, 10, "numbered from 1"),
            ("schema = \"1\"", 1, 10, "expected"),
        ] {
            match read(text) {
                Err(Error::Broken { line: l, column: c, message, .. }) => {
                    assert!(message.contains(words), "{text}: {message}");
                    assert!(!message.contains('\n'));
                    // a bad key is reported where its table begins by some versions of the parser, so only its line is fixed
                    let exact = !words.contains("registry name") && !words.contains("what to keep");
                    assert_eq!((l, if exact { c } else { column }), (line, column), "{text}: {message}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_slip_is_an_error_with_a_suggestion() {
        let hint = |text| match read(text) {
            Err(Error::Broken { hint, .. }) => hint.unwrap_or_default(),
            other => panic!("{text}: {other:?}"),
        };
        assert!(hint("[registry.a]\nallow_subnet = [\"10.0.0.0/8\"]").contains("allow_subnets"));
        assert!(hint("[registry.a.tls]\nverfiy = false").contains("verify"));
        assert!(hint("[registry.a]\npassword = \"s3cr3t-canary\"").contains("login"));
    }

    #[test]
    fn strangers_are_kept_and_told() {
        let catalogue =
            read("favourite = 1\n[registry.a]\naddress = \"https://a.example\"\n  colour = \"red\"\nx-note = 1\n").unwrap();
        let warnings = catalogue.warnings();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[1].starts_with("catalogue line 4, column 3: unknown field `colour`"), "{warnings:?}");
    }

    #[test]
    fn a_newer_schema_is_not_guessed_at() {
        assert!(matches!(read("schema = 2\nwhatever = { }"), Err(Error::NewerSchema { found: 2, known: 1, .. })));
    }

    #[test]
    fn secrets_are_never_repeated() {
        for text in [
            "[registry.a]\npassword = \"s3cr3t-canary\"",
            "[registry.a]\nsecret-key = \"s3cr3t-canary\"",
            "[registry.a]\naddress = \"https://u:s3cr3t-canary@a.example\"",
            "[registry.a]\nproxy = \"http://u:s3cr3t-canary@a.example\"",
            "[registry.a]\npassword = s3cr3t-canary",
        ] {
            let error = read(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn two_entries_never_share_an_id() {
        let id = "id = \"0198c0de-0000-7000-8000-000000000001\"";
        let error = read(&format!("[registry.a]\n{id}\n[registry.b]\n{id}\n")).unwrap_err();
        assert!(matches!(&error, Error::Broken { line: 4, .. }), "{error}");
    }

    #[test]
    fn a_ghost_default_is_only_a_warning() {
        assert!(read("default = \"ghost\"").unwrap().warnings()[0].contains("ghost"));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[a-z\\[\\]{}=.,\"' \n0-9]{0,80}|.{0,80}") {
            let _ = read(&text);
        }

        #[test]
        fn any_value_is_answered(key in proptest::sample::select(ENTRY), value in "[0-9]{1,4}|\"[ -!#-~]{0,30}\"|\\[\\]|\\{\\}|true|\\[\"[a-z0-9:/.]{0,20}\"\\]") {
            let _ = read(&format!("[registry.a]\n{key} = {value}\n"));
        }
    }
}
