//! A patch: which fields of an entry get which value (SPEC §3, `add` and `update`). What is not named stays.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::Timestamp;

use super::invalid::Invalid;
use super::provider::{self, HostRules};
use super::{
    Address, AllowList, CaPem, CertificateFile, Days, Description, DisplayName, Entry, LabelKey, LabelValue, Location, Pin, Proxy,
    Region, RetentionRule, Schedule, Subnet, TimeOfDay, Username,
};
use crate::credentials::SourceKind;
use crate::near_miss::nearest;
use crate::oci::Repository;
use crate::registry::Kind;

/// Most requests at once that may be asked for: beyond it a registry only answers 429.
const CONCURRENCY_MAX: u32 = 256;

/// Where the CA's certificates are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ca {
    /// In this file, read at each use. The path should be absolute.
    File(PathBuf),
    /// In the catalogue.
    Pem(CaPem),
}

macro_rules! fields {
    ($($variant:ident = $word:literal,)*) => {
        /// A field that can be taken away.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "named as in the catalogue")]
        pub enum Field { $($variant),* }

        impl Field {
            /// Every one.
            pub const ALL: &'static [Field] = &[$(Field::$variant),*];

            /// The name, as in the catalogue.
            pub fn word(self) -> &'static str {
                match self { $(Field::$variant => $word),* }
            }
        }
    };
}

fields! {
    Provider = "provider",
    DisplayName = "display_name",
    Description = "description",
    Region = "region",
    Namespace = "namespace",
    Labels = "labels",
    Username = "username",
    Credential = "credential",
    CredentialCommand = "credential_command",
    CredentialExpiresAt = "credential_expires_at",
    AllowSubnets = "allow_subnets",
    ApiAddress = "api_address",
    Realm = "realm",
    Proxy = "proxy",
    RequestsPerSecond = "requests_per_second",
    Concurrency = "concurrency",
    Repositories = "repositories",
    Tls = "tls",
    TlsCa = "tls.ca",
    TlsPin = "tls.pin_sha256",
    TlsClient = "tls.client_cert",
    VulnerabilityScanning = "features.vulnerability_scanning",
    GarbageCollectionSchedule = "garbage_collection_schedule",
    Retention = "retention",
    Source = "source",
}

/// Fields that stay as they are once they are there, and why.
const FIXED: &[(&str, &str)] = &[
    ("id", "it never changes"),
    ("name", "change it with --name"),
    ("address", "an entry needs one; change it with --address"),
    ("location", "it is set once"),
    ("state", "it is changed by activate, deactivate, remove and restore"),
    ("created_at", "it is kept by the program"),
    ("updated_at", "it is kept by the program"),
    ("removed_at", "it is kept by the program"),
    ("default", "it is changed by set-default --clear"),
];

impl FromStr for Field {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Field, Invalid> {
        let word = text.trim().replace('-', "_");
        if let Some(field) = Field::ALL.iter().find(|field| field.word() == word) {
            return Ok(*field);
        }
        match word.as_str() {
            "vulnerability_scanning" | "features" => return Ok(Field::VulnerabilityScanning),
            "tls.ca_file" | "tls.ca_pem" | "tls_cert" => return Ok(Field::TlsCa),
            "tls.client_key" => return Ok(Field::TlsClient),
            _ => {}
        }
        if let Some((_, why)) = FIXED.iter().find(|(fixed, _)| *fixed == word) {
            return Err(Invalid::new(format!("{word} can't be unset: {why}")));
        }
        let all = Field::ALL.iter().map(|field| field.word());
        let error =
            Invalid::value(text, "a field that can be unset", &format!("one of {}", all.clone().collect::<Vec<_>>().join(", ")));
        Err(match nearest(&word, all) {
            Some(word) => error.hint(format!("did you mean {word}?")),
            None => error,
        })
    }
}

/// What to change. Everything unset or empty stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs, reason = "each is the field of the same name in Entry")]
pub struct Changes {
    pub address: Option<Address>,
    pub provider: Option<Kind>,
    pub display_name: Option<DisplayName>,
    pub description: Option<Description>,
    pub region: Option<Region>,
    pub location: Option<Location>,
    pub namespace: Option<Repository>,
    /// Labels to set.
    pub labels: Vec<(LabelKey, LabelValue)>,
    /// Labels to take away.
    pub remove_labels: Vec<LabelKey>,
    pub username: Option<Username>,
    pub credential: Option<SourceKind>,
    pub credential_command: Option<Vec<String>>,
    pub credential_expires_at: Option<Timestamp>,
    /// Subnets to allow besides those already allowed.
    pub allow_subnets: Vec<Subnet>,
    /// Subnets to allow no more.
    pub remove_allow_subnets: Vec<Subnet>,
    pub api_address: Option<Address>,
    pub realm: Option<Address>,
    pub proxy: Option<Proxy>,
    pub requests_per_second: Option<NonZeroU32>,
    pub concurrency: Option<NonZeroU32>,
    /// Repositories to show besides those already named.
    pub repositories: Vec<Repository>,
    /// Whether certificates are verified.
    pub tls_verify: Option<bool>,
    /// The CA to trust instead of the system's.
    pub tls_ca: Option<Ca>,
    /// The one certificate to trust.
    pub tls_pin: Option<Pin>,
    /// The client's certificate.
    pub tls_client_cert: Option<PathBuf>,
    /// The key to it.
    pub tls_client_key: Option<PathBuf>,
    pub vulnerability_scanning: Option<bool>,
    /// The days of the schedule; the time stays.
    pub gc_days: Option<Days>,
    /// The time of the schedule; the days stay.
    pub gc_time: Option<TimeOfDay>,
    /// All rules, in place of those there were.
    pub retention: Option<Vec<RetentionRule>>,
    /// Fields to take away, before the others are set.
    pub unset: Vec<Field>,
}

impl Changes {
    /// Whether nothing is to change.
    pub fn is_empty(&self) -> bool {
        *self == Changes::default()
    }

    /// Makes the changes, checks that the fields go together, and gives notes on what was inferred.
    ///
    /// # Errors
    /// When they don't go together, or would change what can't be changed. The entry is half changed then and has to be thrown away.
    pub fn apply(&self, entry: &mut Entry, rules: HostRules) -> Result<Vec<String>, Invalid> {
        self.unset.iter().for_each(|field| unset(entry, *field));
        let mut notes = Vec::new();
        if let Some(address) = &self.address
            && entry.address.as_ref() != Some(address)
        {
            provider::forget(entry, rules);
            entry.address = Some(address.clone());
        }
        if let Some(location) = &self.location {
            if entry.location.as_ref().is_some_and(|known| known != location) {
                return Err(Invalid::new("the location can't be changed: it is set once")
                    .hint("remove the entry and add it again if it really moved"));
            }
            entry.location = Some(location.clone());
        }
        set(&mut entry.provider, &self.provider);
        set(&mut entry.display_name, &self.display_name);
        set(&mut entry.description, &self.description);
        set(&mut entry.region, &self.region);
        set(&mut entry.namespace, &self.namespace);
        set(&mut entry.username, &self.username);
        set(&mut entry.credential, &self.credential);
        set(&mut entry.credential_expires_at, &self.credential_expires_at);
        set(&mut entry.api_address, &self.api_address);
        set(&mut entry.realm, &self.realm);
        set(&mut entry.proxy, &self.proxy);
        set(&mut entry.requests_per_second, &self.requests_per_second);
        set(&mut entry.concurrency, &self.concurrency);
        set(&mut entry.features.vulnerability_scanning, &self.vulnerability_scanning);
        entry.labels.retain(|key, _| !self.remove_labels.contains(key));
        entry.labels.extend(self.labels.iter().cloned());
        if let Some(command) = &self.credential_command {
            entry.credential_command = command.clone();
            if self.credential.is_none() {
                entry.credential = Some(SourceKind::Command);
            }
        }
        for repository in &self.repositories {
            if !entry.repositories.contains(repository) {
                entry.repositories.push(repository.clone());
            }
        }
        if let Some(retention) = &self.retention {
            entry.retention = retention.clone();
        }
        self.apply_subnets(entry)?;
        self.apply_tls(entry)?;
        self.apply_schedule(entry)?;
        if entry.credential == Some(SourceKind::Command) && entry.credential_command.is_empty() {
            return Err(Invalid::new("credential = command needs a command").hint("give it with --credential-command"));
        }
        if entry.concurrency.is_some_and(|number| number.get() > CONCURRENCY_MAX) {
            return Err(Invalid::new(format!("concurrency goes up to {CONCURRENCY_MAX}")));
        }
        if entry.address.as_ref().is_some_and(|address| !address.is_ssl()) && entry.tls != Default::default() {
            notes.push("the TLS settings have no effect: the address is plain http".to_owned());
        }
        notes.extend(provider::settle(entry, rules)?);
        Ok(notes)
    }

    fn apply_subnets(&self, entry: &mut Entry) -> Result<(), Invalid> {
        let mut subnets: Vec<Subnet> = entry.allow_subnets.clone().into();
        for gone in &self.remove_allow_subnets {
            let at = subnets.iter().position(|subnet| subnet == gone).ok_or_else(|| {
                Invalid::new(format!("{gone} is not in the allow-list")).hint("write it as `regctl get NAME` shows it")
            })?;
            subnets.remove(at);
        }
        subnets.extend(&self.allow_subnets);
        entry.allow_subnets = AllowList::try_from(subnets)?;
        Ok(())
    }

    fn apply_tls(&self, entry: &mut Entry) -> Result<(), Invalid> {
        let tls = &mut entry.tls;
        if let Some(verify) = self.tls_verify {
            tls.verify = verify;
        }
        match &self.tls_ca {
            Some(Ca::File(path)) => (tls.ca_file, tls.ca_pem) = (Some(CertificateFile::new(path)), None),
            Some(Ca::Pem(pem)) => (tls.ca_file, tls.ca_pem) = (None, Some(pem.clone())),
            None => {}
        }
        set(&mut tls.pin_sha256, &self.tls_pin);
        set(&mut tls.client_cert, &self.tls_client_cert.clone().map(CertificateFile::new));
        set(&mut tls.client_key, &self.tls_client_key.clone().map(CertificateFile::new));
        if tls.client_cert.is_some() != tls.client_key.is_some() {
            return Err(
                Invalid::new("a client certificate and its key go together").hint("give both --client-cert and --client-key")
            );
        }
        Ok(())
    }

    fn apply_schedule(&self, entry: &mut Entry) -> Result<(), Invalid> {
        if self.gc_days.is_none() && self.gc_time.is_none() {
            return Ok(());
        }
        let known = entry.garbage_collection_schedule.take();
        let days = self.gc_days.clone().or_else(|| known.as_ref().map(|schedule| schedule.days.clone()));
        let time = self.gc_time.or_else(|| known.as_ref().map(|schedule| schedule.time));
        entry.garbage_collection_schedule = match (days, time) {
            (Some(days), Some(time)) => Some(Schedule { days, time }),
            (Some(_), None) => return Err(Invalid::new("a schedule needs a time").hint("add --gc-time, such as 19:30")),
            (None, _) => return Err(Invalid::new("a schedule needs days").hint("add --gc-days, such as Sat,Sun")),
        };
        Ok(())
    }
}

fn set<T: Clone>(field: &mut Option<T>, value: &Option<T>) {
    if value.is_some() {
        field.clone_from(value);
    }
}

fn unset(entry: &mut Entry, field: Field) {
    match field {
        Field::Provider => entry.provider = None,
        Field::DisplayName => entry.display_name = None,
        Field::Description => entry.description = None,
        Field::Region => entry.region = None,
        Field::Namespace => entry.namespace = None,
        Field::Labels => entry.labels.clear(),
        Field::Username => entry.username = None,
        Field::Credential => entry.credential = None,
        Field::CredentialCommand => {
            entry.credential_command.clear();
            if entry.credential == Some(SourceKind::Command) {
                entry.credential = None;
            }
        }
        Field::CredentialExpiresAt => entry.credential_expires_at = None,
        Field::AllowSubnets => entry.allow_subnets = AllowList::default(),
        Field::ApiAddress => entry.api_address = None,
        Field::Realm => entry.realm = None,
        Field::Proxy => entry.proxy = None,
        Field::RequestsPerSecond => entry.requests_per_second = None,
        Field::Concurrency => entry.concurrency = None,
        Field::Repositories => entry.repositories.clear(),
        Field::Tls => entry.tls = Default::default(),
        Field::TlsCa => (entry.tls.ca_file, entry.tls.ca_pem) = (None, None),
        Field::TlsPin => entry.tls.pin_sha256 = None,
        Field::TlsClient => (entry.tls.client_cert, entry.tls.client_key) = (None, None),
        Field::VulnerabilityScanning => entry.features.vulnerability_scanning = None,
        Field::GarbageCollectionSchedule => entry.garbage_collection_schedule = None,
        Field::Retention => entry.retention.clear(),
        Field::Source => entry.source = None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::HostFacts;

    /// Knows two hosts: one of Amazon, one of Huawei.
    fn rules(host: &str) -> HostFacts {
        let facts = |kind, region: &str| HostFacts { kind: Some((kind, "its host")), region: Some(region.to_owned()) };
        match host {
            "ecr.example" => facts(Kind::Ecr, "eu-west-1"),
            "swr.example" => facts(Kind::Swr, "cn-north-4"),
            _ => HostFacts::default(),
        }
    }

    fn entry(address: &str, changes: Changes) -> Result<Entry, Invalid> {
        let mut entry = Entry::at(address.parse().unwrap());
        changes.apply(&mut entry, rules).map(|_| entry)
    }

    fn region(text: &str) -> Option<Region> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn provider_and_region() {
        let ecr = Some(Kind::Ecr);
        for (address, changes, expected) in [
            ("https://ecr.example", Changes::default(), Ok((Kind::Ecr, Some("eu-west-1")))),
            (
                "https://ecr.example",
                Changes { region: region("eu-west-1"), ..Changes::default() },
                Ok((Kind::Ecr, Some("eu-west-1"))),
            ),
            ("https://ecr.example", Changes { region: region("us-east-1"), ..Changes::default() }, Err("contradicts")),
            ("https://a.example", Changes { provider: ecr, ..Changes::default() }, Err("region is required for ecr")),
            (
                "https://a.example",
                Changes { provider: ecr, region: region("x-1"), ..Changes::default() },
                Ok((Kind::Ecr, Some("x-1"))),
            ),
            ("https://swr.example", Changes::default(), Ok((Kind::Swr, Some("cn-north-4")))),
            ("https://a.example", Changes { provider: Some(Kind::Swr), ..Changes::default() }, Err("region is required for swr")),
            (
                "https://a.example",
                Changes { provider: Some(Kind::Swr), username: Some("cn-north-4@AK".parse().unwrap()), ..Changes::default() },
                Ok((Kind::Swr, None)),
            ),
            ("https://a.example", Changes::default(), Ok((Kind::Native, None))),
            ("https://ecr.example", Changes { provider: Some(Kind::Native), ..Changes::default() }, Ok((Kind::Native, None))),
        ] {
            match (entry(address, changes), expected) {
                (Ok(entry), Ok((kind, region))) => {
                    assert_eq!((entry.kind(), entry.region.as_ref().map(Region::as_str)), (kind, region), "{address}");
                }
                (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
                (got, expected) => panic!("{address}: {got:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn a_path_is_the_namespace_where_there_are_no_paths() {
        let namespace = |text: &str| Changes { namespace: Some(text.parse().unwrap()), ..Changes::default() };
        let ecr = Changes { provider: Some(Kind::Ecr), region: region("us-east-1"), ..Changes::default() };
        for (address, changes, expected) in [
            ("https://ecr.example/apps", Changes::default(), Ok(("https://ecr.example", Some("apps")))),
            ("https://swr.example/acme/apps", Changes::default(), Ok(("https://swr.example", Some("acme/apps")))),
            ("https://ecr.example/apps", namespace("apps"), Ok(("https://ecr.example", Some("apps")))),
            ("https://ecr.example/apps", namespace("other"), Err("contradicts")),
            ("https://ecr.example", namespace("other"), Ok(("https://ecr.example", Some("other")))),
            ("https://ecr.example/Apps", Changes::default(), Err("its namespace")),
            ("https://a.example/apps", ecr, Ok(("https://a.example", Some("apps")))),
            ("https://a.example/apps", Changes::default(), Ok(("https://a.example/apps", None))),
        ] {
            match (entry(address, changes), expected) {
                (Ok(entry), Ok((address, namespace))) => {
                    assert_eq!(entry.address.unwrap().to_string(), address);
                    assert_eq!(entry.namespace.as_ref().map(Repository::as_str), namespace, "{address}");
                }
                (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
                (got, expected) => panic!("{address}: {got:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn what_was_inferred_follows_the_address() {
        let mut moved = entry("https://ecr.example", Changes::default()).unwrap();
        let to = |address: &str| Changes { address: Some(address.parse().unwrap()), ..Changes::default() };
        to("https://swr.example").apply(&mut moved, rules).unwrap();
        assert_eq!((moved.kind(), moved.region.as_ref().unwrap().as_str()), (Kind::Swr, "cn-north-4"));
        to("https://a.example").apply(&mut moved, rules).unwrap();
        assert_eq!((moved.kind(), moved.region.clone()), (Kind::Native, None));
    }

    #[test]
    fn half_a_schedule_keeps_the_other_half() {
        let both =
            Changes { gc_days: Some("Sat,sunday".parse().unwrap()), gc_time: Some("19:30".parse().unwrap()), ..Changes::default() };
        let mut changed = entry("https://a.example", both).unwrap();
        Changes { gc_days: Some("Mon".parse().unwrap()), ..Changes::default() }.apply(&mut changed, rules).unwrap();
        let schedule = changed.garbage_collection_schedule.clone().unwrap();
        assert_eq!((schedule.days.as_slice()[0].as_str(), schedule.time.to_string().as_str()), ("Monday", "19:30:00+00:00"));
        Changes { unset: vec![Field::GarbageCollectionSchedule], ..Changes::default() }.apply(&mut changed, rules).unwrap();
        assert_eq!(changed.garbage_collection_schedule, None);
        for half in [
            Changes { gc_days: Some("Mon".parse().unwrap()), ..Changes::default() },
            Changes { gc_time: Some("19:30".parse().unwrap()), ..Changes::default() },
        ] {
            assert!(half.apply(&mut changed, rules).is_err());
        }
    }

    #[test]
    fn fields_that_go_together() {
        for (changes, words) in [
            (Changes { credential: Some(SourceKind::Command), ..Changes::default() }, "needs a command"),
            (Changes { tls_client_cert: Some("/c.pem".into()), ..Changes::default() }, "go together"),
            (Changes { remove_allow_subnets: vec!["10.0.0.1".parse().unwrap()], ..Changes::default() }, "not in the allow-list"),
            (
                Changes { allow_subnets: (0..26).map(|n| format!("10.0.0.{n}").parse().unwrap()).collect(), ..Changes::default() },
                "at most 25",
            ),
            (Changes { concurrency: NonZeroU32::new(1000), ..Changes::default() }, "up to 256"),
        ] {
            assert!(entry("https://a.example", changes).unwrap_err().to_string().contains(words), "{words}");
        }
    }

    #[test]
    fn the_location_is_set_once() {
        let to = |place: &str| Changes { location: Some(place.parse().unwrap()), ..Changes::default() };
        let mut placed = entry("https://a.example", to("de/fra")).unwrap();
        assert!(to("de/fra").apply(&mut placed, rules).is_ok());
        assert!(to("de/txl").apply(&mut placed, rules).is_err());
    }

    #[test]
    fn fields_to_unset() {
        for field in Field::ALL {
            assert_eq!(field.word().parse::<Field>().unwrap(), *field);
            assert_eq!(field.word().replace('_', "-").parse::<Field>().unwrap(), *field);
        }
        for (fixed, _) in FIXED {
            assert!(fixed.parse::<Field>().unwrap_err().to_string().contains("can't be unset"), "{fixed}");
        }
        assert_eq!("desription".parse::<Field>().unwrap_err().hint.as_deref(), Some("did you mean description?"));
        assert!("bogus".parse::<Field>().unwrap_err().to_string().contains("one of provider"));
    }
}
