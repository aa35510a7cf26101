//! From the values of a file to a declaration: every key is looked at, and what is wrong is told with its place.

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;
use uuid::Uuid;

use super::node::{Key, Node, Place, Table, Value};
use super::{Declaration, Declared, fault};
use crate::catalogue::error::{Error, Result};
use crate::catalogue::format::{ENTRY, FEATURES, SCHEDULE, SECRETS, SETTINGS, SOURCE, TLS, TOP};
use crate::catalogue::invalid::{Invalid, shown};
use crate::catalogue::{Ca, CaSummary, CertificateFile, Changes, Entry, Field, Name, SCHEMA, State, Subnet, retention, timestamp};
use crate::credentials::SourceKind;
use crate::near_miss::nearest;
use crate::oci::InvalidName;

/// The key that gives an entry its name where names are no keys.
const NAME: &str = "name";

/// What other systems call the place where the next page of a list begins.
const PAGE_TOKEN: &str = "token";

/// Fields of `get` and `list` that follow from others, and what to write instead of those for which there is something.
const COMPUTED: &[(&str, Option<&str>)] = &[
    ("kind", None),
    ("scheme", Some("address")),
    ("host", Some("address")),
    ("port", Some("address")),
    ("is_ssl", Some("address")),
    ("is_docker_registry", None),
    ("resource_uri", None),
    ("is_default", Some("default, at the top of the file")),
    ("has_secret", None),
    ("enable_tls", Some("tls.verify")),
    ("allow_subnets_effect", Some("allow_subnets")),
    ("driver_name", Some("source.extra")),
    ("external_id", Some("source.extra")),
    ("actions", None),
    ("storage_usage", None),
    ("last_check", None),
    ("purge_after", None),
    ("ca_subjects", Some("tls.ca_pem")),
    ("ca_not_after", Some("tls.ca_pem")),
];

/// Reads one file.
pub(super) struct Reader<'a> {
    /// What messages call it.
    pub file: &'a str,
    /// Where its paths start.
    pub folder: &'a Path,
}

impl Reader<'_> {
    pub(super) fn fault(&self, place: Place, message: impl Into<String>, hint: Option<String>) -> Error {
        fault(self.file, place, message.into(), hint)
    }

    /// Reads everything.
    pub(super) fn declaration(&self, root: &Node) -> Result<Declaration> {
        let mut declaration = Declaration { file: self.file.to_owned(), default: None, settings: None, entries: Vec::new() };
        match &root.value {
            Value::List(entries) => {
                for entry in entries {
                    declaration.entries.push(self.named(entry)?);
                }
            }
            Value::Table(table) if table.get(NAME).is_some() => declaration.entries.push(self.named(root)?),
            Value::Table(table) => self.whole(table, &mut declaration)?,
            Value::Null => {}
            _ => return Err(self.fault(root.place, "expected a table of registries, or a list of them", None)),
        }
        for (at, declared) in declaration.entries.iter().enumerate() {
            let earlier = &declaration.entries[..at];
            if earlier.iter().any(|other| other.name == declared.name) {
                return Err(self.fault(declared.place, format!("{} is in the file twice", declared.name), None));
            }
            if let Some(other) = earlier.iter().find(|other| other.id.is_some() && other.id == declared.id) {
                let message = format!("{} and {} have the same id", other.name, declared.name);
                return Err(self.fault(declared.place_of("id"), message, Some("leave one of them out".to_owned())));
            }
        }
        Ok(declaration)
    }

    /// The form of the catalogue itself.
    fn whole(&self, table: &Table, declaration: &mut Declaration) -> Result<()> {
        self.known(table, TOP, "the file")?;
        if let Some(schema) = table.get("schema") {
            match schema.value {
                Value::Integer(SCHEMA) => {}
                Value::Integer(number) if number > SCHEMA => {
                    let message = format!("schema {number} is newer than this program, which knows schemas up to {SCHEMA}");
                    return Err(self.fault(schema.place, message, Some("use a newer regctl".to_owned())));
                }
                _ => return Err(self.fault(schema.place, format!("the schema is {SCHEMA}"), None)),
            }
        }
        if let Some(default) = table.get("default") {
            let name = default.text().ok_or_else(|| self.fault(default.place, "the default is the name of a registry", None))?;
            declaration.default = Some((name.to_owned(), default.place));
        }
        if let Some(settings) = table.get("settings") {
            if let Some(table) = settings.table() {
                self.known(table, SETTINGS, "settings")?;
            }
            declaration.settings = Some(self.typed(settings)?);
        }
        let Some(registries) = table.get("registry") else { return Ok(()) };
        let Some(entries) = registries.table() else {
            let hint = Some("write a table with the names as keys, or a list of registries and nothing around it".to_owned());
            return Err(self.fault(registries.place, "expected a table of registries", hint));
        };
        for (key, entry) in &entries.0 {
            let name = self.name(&key.name, key.place)?;
            declaration.entries.push(self.entry(name, key.place, entry)?);
        }
        Ok(())
    }

    /// An entry that says its name itself.
    fn named(&self, entry: &Node) -> Result<Declared> {
        let name = entry.table().and_then(|table| table.get(NAME));
        let Some(name) = name else {
            return Err(self.fault(entry.place, "expected a registry with a name", Some("add its name".to_owned())));
        };
        let text = name.text().ok_or_else(|| self.fault(name.place, "a name is a text", None))?;
        let mut inner = entry.table().cloned().unwrap_or_default();
        inner.take(NAME);
        self.entry(self.name(text, name.place)?, name.place, &Node { place: entry.place, value: Value::Table(inner) })
    }

    fn name(&self, text: &str, place: Place) -> Result<Name> {
        text.parse().map_err(|error: InvalidName| {
            let hint = Name::slug(text).map(|slug| format!("{slug} would do; free text goes to display_name"));
            self.fault(place, error.to_string(), hint)
        })
    }

    fn entry(&self, name: Name, place: Place, node: &Node) -> Result<Declared> {
        let Some(table) = node.table() else {
            return Err(self.fault(node.place, format!("expected the fields of {name}"), None));
        };
        let places = self.keys(table)?;
        let mut table = table.clone();
        // what TOML writes without quotes and the other formats can't
        let mut instant = |field| table.take(field).map(|node| self.instant(&node)).transpose();
        let expires = instant("credential_expires_at")?;
        let (created_at, updated_at) = (instant("created_at")?, instant("updated_at")?);
        if let Some(node) = table.take("removed_at") {
            return Err(self.unwanted(node.place));
        }
        let id = table.take("id").map(|node| self.id(&node)).transpose()?;
        // looked at here, because what stands there by mistake may be the secret itself
        let credential = table.take("credential").map(|node| self.credential(&node)).transpose()?;
        let state = table.get("state").map(|node| self.typed::<State>(node)).transpose()?;
        if state == Some(State::Removed) {
            return Err(self.unwanted(table.get("state").map_or(place, |node| node.place)));
        }
        let unset = self.nulls(&table)?;
        let notes = table.get("allow_subnets").map(subnet_notes).unwrap_or_default();
        let given: Entry = self.typed(&Node { place, value: Value::Table(table) })?;
        let tls_ca = self.authority(&given, &|field| places.get(field).copied().unwrap_or(place))?;
        let source = given.source.clone();
        let mut changes = self.changes(given);
        (changes.credential, changes.credential_expires_at, changes.tls_ca, changes.unset) = (credential, expires, tls_ca, unset);
        Ok(Declared { name, place, places, id, state, created_at, updated_at, changes, source, notes })
    }

    /// Looks at every key of an entry, and notes where it stands.
    fn keys(&self, table: &Table) -> Result<HashMap<String, Place>> {
        self.known(table, ENTRY, "a registry")?;
        let mut places: HashMap<String, Place> = table.0.iter().map(|(key, _)| (key.name.clone(), key.place)).collect();
        for (field, known) in [("tls", TLS), ("features", FEATURES), ("garbage_collection_schedule", SCHEDULE), ("source", SOURCE)]
        {
            let Some(inner) = table.get(field).and_then(Node::table) else { continue };
            self.known(inner, known, field)?;
            places.extend(inner.0.iter().map(|(key, _)| (format!("{field}.{}", key.name), key.place)));
            if let Some(extra) = inner.get("extra") {
                self.no_secrets(extra)?;
            }
        }
        if let Some(Node { value: Value::List(rules), .. }) = table.get("retention") {
            for rule in rules.iter().filter_map(Node::table) {
                self.known(rule, retention::KEYS, "a retention rule")?;
            }
        }
        Ok(places)
    }

    fn known(&self, table: &Table, known: &[&str], what: &str) -> Result<()> {
        for (key, _) in &table.0 {
            let name = key.name.as_str();
            if known.contains(&name) || name.starts_with("x-") || name.starts_with("x_") {
                continue;
            }
            let word = shown(name);
            let near = nearest(name, known.iter().copied());
            if near.is_none() {
                self.no_secret(key)?;
            }
            if let Some((_, instead)) = COMPUTED.iter().find(|(computed, _)| *computed == name) {
                let hint = instead.map_or("leave it out".to_owned(), |instead| format!("leave it out; what counts is {instead}"));
                return Err(self.fault(key.place, format!("`{word}` is computed and can't be set"), Some(hint)));
            }
            let message = format!("unknown field `{word}` in {what}, expected one of {}", known.join(", "));
            return Err(self.fault(key.place, message, near.map(|near| format!("did you mean {near}?"))));
        }
        Ok(())
    }

    fn no_secret(&self, key: &Key) -> Result<()> {
        let name = key.name.to_ascii_lowercase().replace('-', "_");
        let is_secret = SECRETS.iter().any(|secret| name == *secret || name.ends_with(&format!("_{secret}")));
        if !is_secret && nearest(&name, SECRETS.iter().copied()).is_none() {
            return Ok(());
        }
        let message = format!("`{}` looks like a secret, and secrets are no part of the file", shown(&key.name));
        let hint =
            "delete the line; everybody keeps the secret in a keyring of their own: regctl login NAME, or regctl login --all";
        Err(self.fault(key.place, message, Some(hint.to_owned())))
    }

    /// What another system said of itself has any shape, and still no secrets.
    fn no_secrets(&self, node: &Node) -> Result<()> {
        match &node.value {
            Value::Table(table) => table.0.iter().try_for_each(|(key, node)| {
                // lists of other systems go on with a token, which is none of a person's
                if key.name != PAGE_TOKEN {
                    self.no_secret(key)?;
                }
                self.no_secrets(node)
            }),
            Value::List(nodes) => nodes.iter().try_for_each(|node| self.no_secrets(node)),
            _ => Ok(()),
        }
    }

    /// `null` takes a field away that would otherwise stay as each person has it.
    fn nulls(&self, table: &Table) -> Result<Vec<Field>> {
        let nulls = table.0.iter().filter(|(key, node)| node.value == Value::Null && ENTRY.contains(&key.name.as_str()));
        nulls
            .map(|(key, node)| match key.name.as_str() {
                // that it has none is nothing to be said
                "location" | "state" => Ok(None),
                name => name.parse().map(Some).map_err(|error: Invalid| self.fault(node.place, error.to_string(), error.hint)),
            })
            .filter_map(Result::transpose)
            .collect()
    }

    fn typed<T: serde::de::DeserializeOwned>(&self, node: &Node) -> Result<T> {
        node.read().map_err(|error| self.fault(error.place.unwrap_or(node.place), error.message, None))
    }

    fn instant(&self, node: &Node) -> Result<Timestamp> {
        let text = node.text().unwrap_or_default();
        let instant = text.parse::<Timestamp>().map(timestamp::whole);
        instant.map_err(|_| self.fault(node.place, "expected an instant with its offset, such as 2027-01-01T00:00:00Z", None))
    }

    fn id(&self, node: &Node) -> Result<Uuid> {
        let id = node.text().and_then(|text| text.parse().ok());
        id.ok_or_else(|| self.fault(node.place, "expected a UUID", Some("leave it out; each new entry gets one".to_owned())))
    }

    fn credential(&self, node: &Node) -> Result<SourceKind> {
        node.text().and_then(|text| text.parse().ok()).ok_or_else(|| {
            let all = SourceKind::ALL.map(SourceKind::as_str).join(", ");
            let message = format!("expected the place of the secret, one of {all}; the secret itself is no part of the file");
            self.fault(node.place, message, None)
        })
    }

    fn unwanted(&self, place: Place) -> Error {
        let hint = "leave the whole entry out, and give --prune to remove what is not in the file";
        self.fault(place, "what is in the file is wanted, so nothing in it can be removed", Some(hint.to_owned()))
    }

    /// The entry's own authority. A file is meant as seen from the declaration.
    fn authority(&self, given: &Entry, place: &dyn Fn(&str) -> Place) -> Result<Option<Ca>> {
        match (&given.tls.ca_pem, &given.tls.ca_file) {
            (Some(_), Some(_)) => Err(self.fault(place("tls.ca_file"), "ca_file and ca_pem exclude each other", None)),
            (Some(pem), None) => match CaSummary::of(pem.as_str().as_bytes()) {
                Ok(_) => Ok(Some(Ca::Pem(pem.clone()))),
                Err(error) => Err(self.fault(place("tls.ca_pem"), error.to_string(), error.hint)),
            },
            (None, Some(file)) => Ok(Some(Ca::File(self.folder.join(file.as_path())))),
            (None, None) => Ok(None),
        }
    }

    /// The fields as a patch on nothing.
    fn changes(&self, given: Entry) -> Changes {
        let path = |file: Option<CertificateFile>| file.map(|file| self.folder.join(file.as_path()));
        let (gc_days, gc_time) = given.garbage_collection_schedule.map(|schedule| (schedule.days, schedule.time)).unzip();
        Changes {
            address: given.address,
            provider: given.provider,
            display_name: given.display_name,
            description: given.description,
            region: given.region,
            location: given.location,
            namespace: given.namespace,
            labels: given.labels.into_iter().collect(),
            username: given.username,
            credential_command: Some(given.credential_command).filter(|command| !command.is_empty()),
            allow_subnets: given.allow_subnets.into(),
            api_address: given.api_address,
            realm: given.realm,
            proxy: given.proxy,
            requests_per_second: given.requests_per_second,
            concurrency: given.concurrency,
            repositories: given.repositories,
            tls_verify: Some(given.tls.verify),
            tls_pin: given.tls.pin_sha256,
            tls_client_cert: path(given.tls.client_cert),
            tls_client_key: path(given.tls.client_key),
            vulnerability_scanning: given.features.vulnerability_scanning,
            gc_days,
            gc_time,
            retention: Some(given.retention).filter(|rules| !rules.is_empty()),
            ..Changes::default()
        }
    }
}

/// What is changed about subnets as they are read; those that can't be read are told elsewhere.
fn subnet_notes(node: &Node) -> Vec<String> {
    let Value::List(subnets) = &node.value else { return Vec::new() };
    let read = |node: &Node| Subnet::read(node.text()?).ok()?.1;
    subnets.iter().filter_map(read).collect()
}
