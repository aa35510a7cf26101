//! A registry as some system describes it: what every dialect gives, whatever it reads.

use uuid::Uuid;

use crate::catalogue::{Entry, Invalid, Name};
use crate::credentials::Secret;
use crate::oci::InvalidName;

use super::System;
use super::extra::Around;
use super::item::Map;

/// Why a registry can't be taken over, or can't be expressed. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Problem(String);

impl Problem {
    /// In one clause.
    pub fn new(message: impl Into<String>) -> Problem {
        Problem(message.into())
    }
}

impl From<Invalid> for Problem {
    fn from(error: Invalid) -> Problem {
        Problem(error.to_string())
    }
}

impl From<InvalidName> for Problem {
    fn from(error: InvalidName) -> Problem {
        Problem(error.to_string())
    }
}

/// A registry that a document describes.
#[derive(Debug, Clone)]
pub struct Imported {
    /// Which system describes it.
    pub system: System,
    /// What to call it in messages.
    pub title: String,
    /// What the system calls it.
    pub given: Option<String>,
    /// The name that it would like to have.
    pub name: Option<Name>,
    /// Its fields. No id, and no `source`: both depend on what is in the catalogue already.
    pub entry: Entry,
    /// The keys of the entry's fields that this document speaks of. The others are nobody's business here.
    pub speaks_of: Vec<&'static str>,
    /// What the system calls it for good.
    pub source_id: Option<String>,
    /// An id that it may keep.
    pub uuid: Option<Uuid>,
    /// Its secret.
    pub secret: Option<Secret>,
    /// Whether it is the default there.
    pub is_default: bool,
    /// What a person should know about taking it over.
    pub warnings: Vec<String>,
    /// The document's own words, less its secrets.
    pub(super) original: Map,
    /// Where in the document it stood.
    pub(super) around: Around,
}

impl Imported {
    /// Nothing known yet but the fields.
    pub(super) fn new(system: System, entry: Entry, speaks_of: &[&'static str]) -> Imported {
        Imported {
            system,
            title: String::new(),
            given: None,
            name: None,
            entry,
            speaks_of: speaks_of.to_vec(),
            source_id: None,
            uuid: None,
            secret: None,
            is_default: false,
            warnings: Vec::new(),
            original: Map::new(),
            around: Around::default(),
        }
    }

    /// Notes that the document speaks of these fields too.
    pub(super) fn also(&mut self, fields: &[&'static str]) {
        self.speaks_of.extend(fields);
    }

    /// Names it after what the system calls it, else after `otherwise`.
    pub(super) fn call(&mut self, title: Option<&str>, otherwise: &str) {
        let (name, display_name) = super::item::naming(title, otherwise);
        self.title = title.unwrap_or(otherwise).to_owned();
        self.given = title.map(str::to_owned);
        self.name = name;
        self.entry.display_name = display_name;
    }

    /// Takes the system's id, unless it is masked.
    pub(super) fn known_as(&mut self, id: Option<&str>) {
        match id {
            Some(id) if super::item::is_masked(id) || id == super::item::REDACTED => {
                self.warnings.push("its id is masked, so it gets a new one and will not be recognised again".to_owned());
            }
            Some(id) if super::extra::holds_secret(id) => {
                self.warnings.push("its id may hold a secret, so it gets a new one and will not be recognised again".to_owned());
            }
            id => self.source_id = id.map(str::to_owned),
        }
    }
}
