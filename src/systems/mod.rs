//! The other programs that keep lists of registries, and how their documents become entries of the catalogue and back (SPEC §10).
//!
//! One file a system: which documents are its own, what its fields mean, and how an entry is written in its form. What is the same for
//! all of them is here: telling the system from the document ([`Sources`]), keeping what isn't modelled (`extra`), deciding what an
//! import changes ([`Plan`]), putting a document together ([`Export`]). All of it is pure: documents and entries in, values out. Who calls
//! reads the files, asks the keyring and writes the catalogue.

mod detect;
mod dockercloud;
mod export;
mod extra;
mod fields;
mod imported;
mod ionos;
mod item;
mod json;
mod logins;
mod plan;
mod rancher;
mod regclient;
mod shipyard;
mod sources;
mod zadig;

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

pub use detect::Undetected;
pub use export::{Export, Exported, Shape, Shown};
pub use imported::{Imported, Problem};
pub use json::{Broken, LARGEST};
pub use plan::{Action, Deciding, OnConflict, Plan, Step};
pub use sources::{Document, Sources, TwoDefaults};

use item::Map;

/// A program that keeps a list of registries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum System {
    /// Rancher v1, `registry` and `registryCredential`.
    Rancher,
    /// Docker Cloud, `/api/repo/v1/registry/`.
    Dockercloud,
    /// Zadig's OpenAPI, `/openapi/system/registry`.
    Zadig,
    /// IONOS Cloud Container Registry, `/registries`.
    Ionos,
    /// Shipyard, `/api/registries`.
    Shipyard,
    /// Docker's `config.json`.
    Docker,
    /// Podman's `auth.json`.
    Podman,
    /// regclient's `config.json`.
    Regclient,
}

impl System {
    /// Every one.
    pub const ALL: [System; 8] = [
        System::Rancher,
        System::Dockercloud,
        System::Zadig,
        System::Ionos,
        System::Shipyard,
        System::Docker,
        System::Podman,
        System::Regclient,
    ];

    /// The word on the command line and in `source.system`.
    pub fn word(self) -> &'static str {
        match self {
            System::Rancher => "rancher",
            System::Dockercloud => "dockercloud",
            System::Zadig => "zadig",
            System::Ionos => "ionos",
            System::Shipyard => "shipyard",
            System::Docker => "docker",
            System::Podman => "podman",
            System::Regclient => "regclient",
        }
    }

    /// Its own name.
    pub fn title(self) -> &'static str {
        match self {
            System::Rancher => "Rancher",
            System::Dockercloud => "Docker Cloud",
            System::Zadig => "Zadig",
            System::Ionos => "IONOS",
            System::Shipyard => "Shipyard",
            System::Docker => "Docker",
            System::Podman => "Podman",
            System::Regclient => "regclient",
        }
    }

    fn dialect(self) -> &'static dyn Dialect {
        match self {
            System::Rancher => &rancher::Rancher,
            System::Dockercloud => &dockercloud::Dockercloud,
            System::Zadig => &zadig::Zadig,
            System::Ionos => &ionos::Ionos,
            System::Shipyard => &shipyard::Shipyard,
            System::Docker => &logins::Logins { paths: false },
            System::Podman => &logins::Logins { paths: true },
            System::Regclient => &regclient::Regclient,
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for System {
    type Err = String;

    fn from_str(text: &str) -> Result<System, String> {
        System::ALL.into_iter().find(|system| system.word() == text).ok_or_else(|| {
            let all: Vec<&str> = System::ALL.iter().map(|system| system.word()).collect();
            format!("`{}` is no system; one of {}", text.escape_debug(), all.join(", "))
        })
    }
}

/// How one system writes registries down.
///
/// Reading and writing are each other's reverse as far as both sides can express a thing. Nothing else has to be told: what is kept in
/// `source.extra`, what a system can't express, and which parts of a kept document are still true all follow from trying.
trait Dialect: Sync {
    /// Whether a document looks like one of its own.
    fn recognises(&self, document: &Value) -> bool;

    /// Takes a document apart.
    fn split(&self, document: Value) -> Result<Page, Problem>;

    /// Understands one registry. Secrets are taken out of it. `None` for what isn't there any more.
    fn read(&self, item: &mut Map) -> Result<Option<Imported>, Problem>;

    /// Writes one registry as in a list.
    fn write(&self, registry: &Exported<'_>) -> Result<Map, Problem>;

    /// Writes the body that creates one.
    fn create(&self, registry: &Exported<'_>) -> Result<Map, Problem>;

    /// Writes the body that changes one.
    fn patch(&self, registry: &Exported<'_>) -> Result<Map, Problem>;

    /// What stands around so many registries in a list.
    fn envelope(&self, count: usize) -> Map;

    /// Puts a list together.
    fn join(&self, items: Vec<Map>, envelope: Map) -> Value;

    /// The part of a source id that tells two registries apart.
    fn identity<'a>(&self, id: &'a str) -> &'a str {
        id
    }

    /// What can stand in a list only once.
    fn key<'a>(&self, _item: &'a Map) -> Option<&'a str> {
        None
    }

    /// Puts right what contradicts the state, which may have changed since the document was written.
    fn settle(&self, _item: &mut Map) {}
}

/// A document, taken apart.
#[derive(Debug, Default)]
struct Page {
    /// The registries.
    items: Vec<Value>,
    /// Records of who signs in, where a system keeps them apart.
    credentials: Vec<Value>,
    /// What stood around them.
    envelope: Map,
    /// Whether it is one registry by itself and no list.
    single: bool,
    /// Whether more follow.
    more: bool,
    /// Whether some come before.
    before: bool,
    /// How many there are altogether, where it says.
    total: Option<u64>,
}

/// The words that a system says about itself when something can't be done in it.
fn no_way(what: &str) -> Problem {
    Problem::new(what)
}

#[cfg(test)]
mod tests;
