//! What a vendor says of a registry beside what is in it: how full it is, and what cleans it up.

use jiff::Timestamp;
use serde::Serialize;

/// Something that a vendor's API may tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fact<T> {
    /// This vendor doesn't tell, or has no such thing.
    #[default]
    Untold,
    /// It tells.
    Told(T),
    /// It would tell, but not as it was asked: what that takes.
    Hidden(String),
}

impl<T> Fact<T> {
    /// What was told.
    pub fn told(&self) -> Option<&T> {
        match self {
            Fact::Told(value) => Some(value),
            Fact::Untold | Fact::Hidden(_) => None,
        }
    }

    /// What it takes to be told.
    pub fn hidden(&self) -> Option<&str> {
        match self {
            Fact::Hidden(needs) => Some(needs),
            Fact::Untold | Fact::Told(_) => None,
        }
    }

    /// The same of something made of it.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Fact::Untold => Fact::Untold,
            Fact::Told(value) => Fact::Told(make(value)),
            Fact::Hidden(needs) => Fact::Hidden(needs),
        }
    }
}

/// What a vendor says of a registry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// How much is stored, part by part.
    pub storage: Fact<Vec<Storage>>,
    /// The vendor's own rules for deleting images, part by part. Parts without rules are left out.
    pub retention: Fact<Vec<Retention>>,
    /// When the vendor frees what nothing refers to.
    pub garbage_collection: Fact<GarbageCollection>,
    /// How many repositories were asked for their facts, when there are more than that.
    pub first_repositories: Option<usize>,
}

/// How much is stored in a part of a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Storage {
    /// The part: a project, a namespace, a repository, or the registry.
    pub of: String,
    /// Bytes in use.
    pub used: Option<u64>,
    /// Bytes that may be in use.
    pub quota: Option<u64>,
    /// Whether there is no such limit.
    pub unlimited: Option<bool>,
    /// When that was so, where it isn't now.
    pub updated_at: Option<Timestamp>,
}

impl Storage {
    /// A part of which nothing is known but what it uses.
    pub fn used(of: impl Into<String>, used: Option<u64>) -> Storage {
        Storage { of: of.into(), used, quota: None, unlimited: None, updated_at: None }
    }
}

/// A vendor's own rules for deleting images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retention {
    /// The part of the registry that they are for.
    pub of: String,
    /// Each rule in words.
    pub rules: Vec<String>,
    /// When they are carried out, where that is told.
    pub schedule: Option<String>,
    /// The same as the vendor's API says it.
    pub settings: serde_json::Value,
}

/// When a vendor frees what nothing refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GarbageCollection {
    /// When, in words; `None` when that is left to somebody's hand.
    pub schedule: Option<String>,
    /// The same as the vendor's API says it.
    pub settings: serde_json::Value,
}
