//! Rancher's `registryCredential`: a list of its own that says who signs in where, several for one registry.

use serde_json::{Value, json};

use super::is;
use crate::systems::item::{self, Map, REDACTED};
use crate::systems::{Exported, Imported, Problem, System, extra};

/// The fields in which the list of a registry's credentials is kept.
const RECORDS: &str = "data";
const ENVELOPE: &str = "envelope";

/// A record of who signs in.
struct Credential {
    id: String,
    registry: String,
    active: bool,
    map: Map,
}

impl Credential {
    fn read(value: Value) -> Result<Credential, Problem> {
        let Value::Object(map) = value else { return Err(Problem::new("a registryCredential is no object")) };
        let id = item::needed(&map, "id")?.to_owned();
        let registry = item::needed(&map, "registryId")?.to_owned();
        Ok(Credential { id, registry, active: is_active(&map), map })
    }

    /// The record without its secret.
    fn kept(&self) -> Value {
        let mut map = self.map.clone();
        if map.get("secretValue").is_some_and(|secret| !secret.is_null()) {
            map.insert("secretValue".to_owned(), REDACTED.into());
        }
        extra::clean(&mut map);
        map.into()
    }
}

fn is_active(map: &Map) -> bool {
    map.get("state").and_then(Value::as_str).is_none_or(|state| state == "active")
}

/// `1c9` comes before `1c10`: the number behind the letter counts.
fn rank(id: &str) -> (usize, &str) {
    let number = id.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().trim_start_matches('0');
    (number.len(), number)
}

/// Gives each registry the user name and secret of its active credential with the lowest id, which is the one that Rancher used. The others
/// are told. All of them are kept for export. Gives what went wrong.
pub(in crate::systems) fn join(registries: &mut [Imported], values: Vec<Value>, mut envelope: Map) -> Vec<(String, Problem)> {
    let mut failed = Vec::new();
    let mut known = Vec::new();
    for value in values {
        match Credential::read(value) {
            Ok(credential) => known.push(credential),
            Err(problem) => failed.push(("registryCredential".to_owned(), problem)),
        }
    }
    extra::clean(&mut envelope);
    let mut envelope = Some(envelope);
    known.sort_by(|one, other| (rank(&one.id), &one.id).cmp(&(rank(&other.id), &other.id)));
    for mut credential in known {
        let owner = registries.iter_mut().find(|registry| {
            registry.system == System::Rancher && registry.source_id.as_deref() == Some(credential.registry.as_str())
        });
        let Some(owner) = owner else {
            let problem =
                Problem::new(format!("its registry {} is in none of these documents", credential.registry.escape_debug()));
            failed.push((credential.id.clone(), problem));
            continue;
        };
        keep(owner, &credential, &mut envelope);
        let taken = owner.speaks_of.contains(&"username");
        if taken || !credential.active {
            let why = if credential.active { "another one has a lower id" } else { "it is not active" };
            owner.warnings.push(format!("its credential {} is not taken: {why}", credential.id.escape_debug()));
            continue;
        }
        match sign_in(&mut credential.map, owner) {
            Ok(()) => owner.also(&["username"]),
            Err(problem) => failed.push((credential.id.clone(), problem)),
        }
    }
    failed
}

fn keep(owner: &mut Imported, credential: &Credential, envelope: &mut Option<Map>) {
    let kept = owner.around.credentials.get_or_insert_with(|| {
        let mut kept = Map::new();
        if let Some(envelope) = envelope.take() {
            kept.insert(ENVELOPE.to_owned(), envelope.into());
        }
        kept
    });
    if let Value::Array(records) = kept.entry(RECORDS).or_insert_with(|| json!([])) {
        records.push(credential.kept());
    }
}

fn sign_in(map: &mut Map, owner: &mut Imported) -> Result<(), Problem> {
    owner.entry.username = item::text(map, "publicValue")?.map(str::parse).transpose()?;
    owner.secret = item::take_secret(map, "secretValue")?;
    if owner.entry.username.is_some() && owner.secret.is_none() {
        owner.warnings.push("Rancher doesn't tell its password here; it has to be given anew".to_owned());
    }
    Ok(())
}

/// The list of who signs in at these registries.
pub(in crate::systems) fn write(registries: &[Exported<'_>]) -> Value {
    let (mut records, mut envelopes) = (Vec::new(), Vec::new());
    for registry in registries {
        let kept = registry.entry.source.as_ref().filter(|source| source.system == System::Rancher.word());
        let kept = kept.and_then(|source| extra::from_toml(&source.extra).1.credentials).unwrap_or_default();
        envelopes.extend(kept.get(ENVELOPE).and_then(Value::as_object).cloned());
        let mut known: Vec<Map> =
            kept.get(RECORDS).and_then(Value::as_array).into_iter().flatten().filter_map(|one| one.as_object().cloned()).collect();
        match (known.iter_mut().find(|map| is_active(map)), registry.username()) {
            (Some(used), username) => {
                used.insert("publicValue".to_owned(), username.into());
                if let Some(secret) = registry.secret_text().filter(|secret| *secret != REDACTED) {
                    used.insert("secretValue".to_owned(), secret.into());
                }
            }
            (None, Some(username)) => known.push(new(registry, username)),
            (None, None) => {}
        }
        records.extend(known);
    }
    records.sort_by(|one, other| {
        let id = |map: &Map| map.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let (one, other) = (id(one), id(other));
        rank(&one).cmp(&rank(&other))
    });
    let mut envelope = match envelopes.pop() {
        Some(envelope) if envelopes.is_empty() && is(&envelope.clone().into(), "type", "collection") => envelope,
        _ => crate::systems::export::object(json!({
            "type": "collection",
            "resourceType": "registryCredential",
            "links": {},
            "pagination": { "first": null, "previous": null, "next": null, "limit": 100, "total": null, "partial": false },
            "sort": null,
            "filters": {},
            "createDefaults": {},
        })),
    };
    envelope.insert("data".to_owned(), json!(records));
    envelope.into()
}

fn new(registry: &Exported<'_>, username: &str) -> Map {
    crate::systems::export::object(json!({
        "id": null,
        "type": "registryCredential",
        "kind": "registryCredential",
        "registryId": registry.source_id(),
        "state": "active",
        "publicValue": username,
        "secretValue": registry.secret_text(),
        "email": null,
        "name": null,
        "description": null,
    }))
}
