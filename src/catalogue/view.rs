//! An entry as programs see it: every field, `null` where nothing is known (SPEC §7). Scripts depend on these names.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::Result;
use super::tls::CaSummary;
use super::{Catalogue, Effect, Entry, Features, Name, Origin, Pin, RetentionRule, Schedule, State, Subnet};
use crate::credentials::SourceKind;
use crate::oci::Repository;
use crate::registry::Kind;

/// How much a registry holds, as far as anyone knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageUsage {
    /// Bytes.
    pub bytes: u64,
    /// When that was so.
    pub updated_at: Option<Timestamp>,
    /// Whether it was reckoned and not told.
    pub estimated: bool,
}

/// How the last check went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCheck {
    /// When it was.
    pub checked_at: Timestamp,
    /// Whether all was well.
    pub ok: bool,
    /// What was seen, or what went wrong.
    pub message: String,
}

/// What is known about an entry that isn't in the catalogue.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Whether there is a secret. `None` where finding out would mean asking the keyring.
    pub has_secret: Option<bool>,
    /// What its CA file says.
    pub ca: Option<CaSummary>,
    /// How much it holds.
    pub storage_usage: Option<StorageUsage>,
    /// How the last check went.
    pub last_check: Option<LastCheck>,
}

/// TLS settings as programs see them.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "named as in the catalogue")]
pub struct TlsView {
    pub verify: bool,
    pub ca_file: Option<String>,
    pub ca_subjects: Option<Vec<String>>,
    pub ca_not_after: Option<Timestamp>,
    pub pin_sha256: Option<Pin>,
    pub client_cert: Option<String>,
    pub client_key: Option<String>,
}

/// An entry as programs see it.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "named as in the catalogue; what is computed is explained where it is")]
pub struct View {
    pub name: Name,
    pub id: String,
    pub kind: &'static str,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub address: Option<String>,
    pub scheme: Option<&'static str>,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub is_ssl: Option<bool>,
    pub is_docker_registry: bool,
    pub resource_uri: Option<String>,
    pub provider: Kind,
    pub region: Option<String>,
    pub location: Option<String>,
    pub namespace: Option<Repository>,
    pub labels: BTreeMap<String, String>,
    pub state: State,
    pub is_default: bool,
    pub username: Option<String>,
    pub credential: SourceKind,
    pub credential_command: Option<Vec<String>>,
    pub credential_expires_at: Option<Timestamp>,
    pub has_secret: Option<bool>,
    pub enable_tls: bool,
    pub tls: TlsView,
    pub allow_subnets: Vec<Subnet>,
    pub allow_subnets_effect: Effect,
    pub api_address: Option<String>,
    pub realm: Option<String>,
    pub proxy: Option<String>,
    pub requests_per_second: Option<u32>,
    pub concurrency: Option<u32>,
    pub repositories: Vec<Repository>,
    pub features: Features,
    pub garbage_collection_schedule: Option<Schedule>,
    pub retention: Vec<RetentionRule>,
    pub source: Option<Origin>,
    pub driver_name: Option<String>,
    pub external_id: Option<String>,
    pub actions: BTreeMap<&'static str, String>,
    pub storage_usage: Option<StorageUsage>,
    pub last_check: Option<LastCheck>,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    pub removed_at: Option<Timestamp>,
    pub purge_after: Option<Timestamp>,
}

impl Catalogue {
    /// The entry as programs see it.
    pub fn view(&self, name: &Name, entry: &Entry, known: Known) -> View {
        let address = entry.address.as_ref();
        let path = |file: &Option<super::CertificateFile>| file.as_ref().map(|file| file.as_path().display().to_string());
        // fields of other systems that are kept under the names they had there
        let extra = |key: &str| entry.source.as_ref()?.extra.get(key)?.as_str().map(str::to_owned);
        let (subjects, not_after) = known.ca.map(|ca| (ca.subjects, ca.not_after)).unzip();
        let has_secret = known.has_secret.or((entry.credential_store() == SourceKind::None).then_some(false));
        View {
            name: name.clone(),
            id: entry.id(name).to_string(),
            kind: "registry",
            display_name: text(&entry.display_name),
            description: text(&entry.description),
            address: text(&entry.address),
            scheme: address.map(|address| address.scheme().as_str()),
            host: address.map(|address| address.host().to_owned()),
            port: address.map(super::Address::port),
            is_ssl: address.map(super::Address::is_ssl),
            is_docker_registry: entry.is_docker_registry(),
            resource_uri: address.map(|address| format!("/api/repo/v1/registry/{}/", address.host())),
            provider: entry.kind(),
            region: text(&entry.region),
            location: text(&entry.location),
            namespace: entry.namespace.clone(),
            labels: entry.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            state: entry.state,
            is_default: self.is_default(name),
            username: text(&entry.username),
            credential: entry.credential_store(),
            credential_command: (!entry.credential_command.is_empty()).then(|| entry.credential_command.clone()),
            credential_expires_at: entry.credential_expires_at,
            has_secret,
            enable_tls: entry.tls.verify,
            tls: TlsView {
                verify: entry.tls.verify,
                ca_file: path(&entry.tls.ca_file),
                ca_subjects: subjects,
                ca_not_after: not_after,
                pin_sha256: entry.tls.pin_sha256.clone(),
                client_cert: path(&entry.tls.client_cert),
                client_key: path(&entry.tls.client_key),
            },
            allow_subnets: entry.allow_subnets.as_slice().to_vec(),
            allow_subnets_effect: entry.allow_subnets.effect(),
            api_address: text(&entry.api_address),
            realm: text(&entry.realm),
            proxy: text(&entry.proxy),
            requests_per_second: entry.requests_per_second.map(Into::into),
            concurrency: entry.concurrency.map(Into::into),
            repositories: entry.repositories.clone(),
            features: Features { vulnerability_scanning: Some(entry.vulnerability_scanning()) },
            garbage_collection_schedule: entry.garbage_collection_schedule.clone(),
            retention: entry.retention.clone(),
            source: entry.source.clone(),
            driver_name: extra("driverName"),
            external_id: extra("externalId"),
            actions: self.actions(name, entry),
            storage_usage: known.storage_usage.or_else(|| imported_usage(entry)),
            last_check: known.last_check,
            created_at: entry.created_at,
            updated_at: entry.updated_at,
            removed_at: entry.removed_at,
            purge_after: self.purge_after(entry),
        }
    }

    /// The entry of this name as programs see it, by what the catalogue alone knows.
    ///
    /// # Errors
    /// When there is none.
    pub fn view_of(&self, name: &Name) -> Result<View> {
        let entry = self.get(name.as_str()).ok_or_else(|| self.not_found(name.as_str()))?;
        Ok(self.view(name, entry, Known::default()))
    }

    /// What is legal now: the action, and the command that does it.
    pub fn actions(&self, name: &Name, entry: &Entry) -> BTreeMap<&'static str, String> {
        let mut verbs: Vec<&'static str> = match entry.state {
            State::Active => vec!["update", "check", "deactivate", "remove"],
            State::Inactive => vec!["update", "check", "activate", "remove"],
            State::Removed => vec!["restore", "purge"],
        };
        if entry.state == State::Active && !self.is_default(name) {
            verbs.push("set-default");
        }
        verbs.into_iter().map(|verb| (verb, format!("regctl {verb} {name}"))).collect()
    }
}

/// What the system that an entry was imported from last said it holds.
fn imported_usage(entry: &Entry) -> Option<StorageUsage> {
    let usage = entry.source.as_ref()?.extra.get("properties")?.get("storageUsage")?;
    let bytes = u64::try_from(usage.get("bytes")?.as_integer()?).ok()?;
    let updated_at = usage.get("updatedAt").and_then(toml::Value::as_str).and_then(|text| text.parse().ok());
    Some(StorageUsage { bytes, updated_at, estimated: false })
}

fn text<T: ToString>(field: &Option<T>) -> Option<String> {
    field.as_ref().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Adding, Changes, HostFacts};
    use jiff::Timestamp;

    #[test]
    fn every_field_of_a_bare_entry() {
        let mut catalogue = Catalogue::default();
        let entry = Entry { id: Some(uuid::Uuid::nil()), ..Entry::at("http://LOCALHOST:5000".parse().unwrap()) };
        let name: Name = "lab".parse().unwrap();
        catalogue.add(name.clone(), entry, Adding::default(), Timestamp::UNIX_EPOCH).unwrap();
        insta::assert_json_snapshot!(catalogue.view(&name, catalogue.get("lab").unwrap(), Known::default()));
    }

    #[test]
    fn every_field_of_a_full_entry() {
        let mut catalogue = Catalogue::default();
        let mut entry = Entry { id: Some(uuid::Uuid::nil()), ..Entry::at("https://docker.io".parse().unwrap()) };
        let changes = Changes {
            display_name: Some("Docker Hub".parse().unwrap()),
            description: Some("public images".parse().unwrap()),
            region: Some("eu-west-1".parse().unwrap()),
            location: Some("de/fra".parse().unwrap()),
            namespace: Some("acme".parse().unwrap()),
            labels: vec![("env".parse().unwrap(), "prod".parse().unwrap())],
            username: Some("bob".parse().unwrap()),
            credential_command: Some(vec!["pass".into(), "show".into()]),
            credential_expires_at: Some("2027-01-01T00:00:00Z".parse().unwrap()),
            allow_subnets: vec!["0.0.0.0/0".parse().unwrap()],
            api_address: Some("https://hub.docker.com".parse().unwrap()),
            realm: Some("https://auth.docker.io".parse().unwrap()),
            proxy: Some("none".parse().unwrap()),
            requests_per_second: std::num::NonZeroU32::new(20),
            concurrency: std::num::NonZeroU32::new(16),
            repositories: vec!["app".parse().unwrap()],
            tls_ca: Some(crate::catalogue::Ca::File("/etc/ssl/ca.pem".into())),
            vulnerability_scanning: Some(false),
            gc_days: Some("Sat".parse().unwrap()),
            gc_time: Some("01:00+02:00".parse().unwrap()),
            retention: Some(vec!["keep_last=3 older_than=30d".parse().unwrap()]),
            ..Changes::default()
        };
        changes.apply(&mut entry, |_| HostFacts::default()).unwrap();
        let extra = [("driverName".to_owned(), toml::Value::from("x"))].into_iter().collect();
        entry.source = Some(Origin { system: "rancher".into(), id: Some("1sp7".into()), extra });
        let name: Name = "hub".parse().unwrap();
        catalogue.add(name.clone(), entry, Adding::default(), Timestamp::UNIX_EPOCH).unwrap();
        catalogue.remove(&name, Timestamp::UNIX_EPOCH).unwrap();
        let known = Known {
            has_secret: Some(true),
            ca: Some(CaSummary { subjects: vec!["CN=Corp CA".into()], not_after: Timestamp::UNIX_EPOCH }),
            storage_usage: Some(StorageUsage { bytes: 7, updated_at: None, estimated: false }),
            last_check: Some(LastCheck { checked_at: Timestamp::UNIX_EPOCH, ok: false, message: "connection refused".into() }),
        };
        insta::assert_json_snapshot!(catalogue.view(&name, catalogue.get("hub").unwrap(), known));
    }

    #[test]
    fn actions_are_what_is_legal_now() {
        let mut catalogue = Catalogue::default();
        let name: Name = "a".parse().unwrap();
        catalogue
            .add(name.clone(), Entry::at("https://a.example".parse().unwrap()), Adding::default(), Timestamp::UNIX_EPOCH)
            .unwrap();
        let legal = |catalogue: &Catalogue| catalogue.actions(&name, catalogue.get("a").unwrap()).into_keys().collect::<Vec<_>>();
        assert_eq!(legal(&catalogue), ["check", "deactivate", "remove", "update"]);
        catalogue.clear_default();
        assert_eq!(legal(&catalogue), ["check", "deactivate", "remove", "set-default", "update"]);
        catalogue.deactivate(&name, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(legal(&catalogue), ["activate", "check", "remove", "update"]);
        catalogue.remove(&name, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(legal(&catalogue), ["purge", "restore"]);
    }
}
