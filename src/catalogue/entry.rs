//! One registry in the catalogue, with every field it can have (SPEC §3).

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::address::Address;
use super::invalid::{Invalid, as_text};
use super::retention::RetentionRule;
use super::schedule::Schedule;
use super::subnet::AllowList;
use super::tls::Tls;
use super::values::{Description, DisplayName, LabelKey, LabelValue, Location, Proxy, Region, Username};
use super::{name::Name, timestamp};
use crate::credentials::SourceKind;
use crate::oci::Repository;
use crate::registry::Kind;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant),* }

        impl $name {
            /// Every one.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The word in the catalogue.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word),* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<$name, Invalid> {
                $name::ALL.iter().copied().find(|one| one.word() == text).ok_or_else(|| {
                    let all: Vec<&str> = $name::ALL.iter().map(|one| one.word()).collect();
                    let error = Invalid::value(text, $what, &format!("one of {}", all.join(", ")));
                    match crate::near_miss::nearest(text, all) {
                        Some(word) => error.hint(format!("did you mean {word}?")),
                        None => error,
                    }
                })
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }

        as_text!($name);
    )*};
}

words! {
    /// Where an entry is in its life.
    State = "a state" {
        /// In use.
        Active = "active",
        /// Kept, but its contents can't be reached.
        Inactive = "inactive",
        /// Hidden, kept until its time is over.
        Removed = "removed",
    }
}

/// What can be switched on and off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// Whether vulnerabilities are looked for; yes unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vulnerability_scanning: Option<bool>,
}

/// Where an imported entry came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The system, such as `rancher`.
    pub system: String,
    /// What it was called there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What that system says and this program doesn't model, to be given back on export.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub extra: toml::Table,
}

/// One registry.
///
/// A hand-written entry needs an address and nothing else: everything has a meaning when it is missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// What stays the same through rename, remove and restore; the account name in the keyring. `None` only in a hand-written entry
    /// that was never changed; [`Entry::id`] knows what it will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Uuid>,
    /// Where it is. `None` as long as the provider has not given it a host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Who built it, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Kind>,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<DisplayName>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// The provider's region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Country and city; set once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// What every repository name begins with.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "namespace::read", serialize_with = "namespace::write")]
    pub namespace: Option<Repository>,
    /// Whatever people sort by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<LabelKey, LabelValue>,
    /// Where it is in its life.
    pub state: State,
    /// Who signs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<Username>,
    /// Where the secret is, when somebody said so; [`Entry::credential_store`] knows what it means when nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<SourceKind>,
    /// The command that prints the secret, with its arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credential_command: Vec<String>,
    /// When the secret stops working.
    #[serde(skip_serializing_if = "Option::is_none", with = "timestamp::option")]
    pub credential_expires_at: Option<Timestamp>,
    /// Which addresses it may have.
    #[serde(skip_serializing_if = "AllowList::is_empty")]
    pub allow_subnets: AllowList,
    /// The vendor's own API, where it isn't in the usual place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_address: Option<Address>,
    /// A token server on another host that may be given this credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realm: Option<Address>,
    /// Its own proxy.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "proxy")]
    pub proxy: Option<Proxy>,
    /// Pace of requests; without one only 429 is obeyed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<NonZeroU32>,
    /// Requests at once; without one it adapts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<NonZeroU32>,
    /// What `repo list` shows where the server will not list.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "repositories")]
    pub repositories: Vec<Repository>,
    /// When it was added.
    #[serde(skip_serializing_if = "Option::is_none", with = "timestamp::option")]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none", with = "timestamp::option")]
    pub updated_at: Option<Timestamp>,
    /// When it was removed.
    #[serde(skip_serializing_if = "Option::is_none", with = "timestamp::option")]
    pub removed_at: Option<Timestamp>,
    /// Whom its certificate may come from.
    #[serde(skip_serializing_if = "is_default")]
    pub tls: Tls,
    /// What is switched on and off.
    #[serde(skip_serializing_if = "is_default")]
    pub features: Features,
    /// When it is to be cleaned up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub garbage_collection_schedule: Option<Schedule>,
    /// How it is to be cleaned up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retention: Vec<RetentionRule>,
    /// Where it was imported from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Origin>,
}

impl Default for Entry {
    fn default() -> Entry {
        Entry {
            id: None,
            address: None,
            provider: None,
            display_name: None,
            description: None,
            region: None,
            location: None,
            namespace: None,
            labels: BTreeMap::new(),
            state: State::Active,
            username: None,
            credential: None,
            credential_command: Vec::new(),
            credential_expires_at: None,
            allow_subnets: AllowList::default(),
            api_address: None,
            realm: None,
            proxy: None,
            requests_per_second: None,
            concurrency: None,
            repositories: Vec::new(),
            created_at: None,
            updated_at: None,
            removed_at: None,
            tls: Tls::default(),
            features: Features::default(),
            garbage_collection_schedule: None,
            retention: Vec::new(),
            source: None,
        }
    }
}

impl Entry {
    /// An entry at this address, with nothing else known about it.
    pub fn at(address: Address) -> Entry {
        Entry { address: Some(address), ..Entry::default() }
    }

    /// Its id. A hand-written entry without one has the id that follows from its name, which is written down when it is next changed.
    pub fn id(&self, name: &Name) -> Uuid {
        self.id.unwrap_or_else(|| {
            use sha2::Digest as _;
            let hash = sha2::Sha256::digest(format!("regctl registry {name}"));
            uuid::Builder::from_custom_bytes(hash[..16].try_into().expect("a hash has 32 bytes")).into_uuid()
        })
    }

    /// Gives a new entry its id before it is added, so that its secret can be kept under it first.
    pub fn assign_id(&mut self) -> Uuid {
        *self.id.get_or_insert_with(Uuid::now_v7)
    }

    /// Gives a new entry an id that it had elsewhere.
    pub fn take_id(&mut self, id: Uuid) {
        self.id = Some(id);
    }

    /// Who built it: `native` when nothing better is known.
    pub fn kind(&self) -> Kind {
        self.provider.unwrap_or(Kind::Native)
    }

    /// Where its secret is kept. Where nobody said: with the command if there is one, in the keyring if there is a user name, else nowhere,
    /// so that a registry without sign-in never touches the keyring.
    pub fn credential_store(&self) -> SourceKind {
        match self.credential {
            Some(kind) => kind,
            None if !self.credential_command.is_empty() => SourceKind::Command,
            None => SourceKind::when_unsaid(self.username.as_ref().map(Username::as_str)),
        }
    }

    /// Whether vulnerabilities are to be looked for.
    pub fn vulnerability_scanning(&self) -> bool {
        self.features.vulnerability_scanning.unwrap_or(true)
    }

    /// Whether it is Docker Hub.
    pub fn is_docker_registry(&self) -> bool {
        self.address.as_ref().is_some_and(Address::is_docker_hub)
    }

    /// Whether both stand for the same account in the same place, so that having both is likely a mistake.
    pub fn same_place(&self, other: &Entry) -> bool {
        let (Some(here), Some(there)) = (&self.address, &other.address) else { return false };
        here.same_server(there)
            && here.path() == there.path()
            && self.namespace == other.namespace
            && self.username == other.username
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn proxy<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Proxy>, D::Error> {
    Proxy::read(&String::deserialize(deserializer)?).map(Some).map_err(serde::de::Error::custom)
}

fn repositories<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Repository>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    names.iter().map(|name| name.parse().map_err(serde::de::Error::custom)).collect()
}

/// Reads a namespace as people write it: spaces around it and slashes at its ends don't matter.
///
/// # Errors
/// When what is left is no repository name.
pub fn namespace(text: &str) -> Result<Repository, crate::oci::InvalidName> {
    text.trim().trim_matches('/').parse()
}

mod namespace {
    use super::Repository;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Repository>, D::Error> {
        super::namespace(&String::deserialize(deserializer)?).map(Some).map_err(serde::de::Error::custom)
    }

    pub fn write<S: Serializer>(namespace: &Option<Repository>, serializer: S) -> Result<S::Ok, S::Error> {
        namespace.serialize(serializer)
    }
}
