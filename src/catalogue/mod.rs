//! The user's own list of registries: what an entry is, how it lives, how it is found, and the TOML file that holds it (SPEC §2, §3, §5).
//!
//! The rules are pure functions of a [`Catalogue`], a request and, where time matters, `now`. Only [`Store`] touches the file. Nothing
//! here asks a server or a keyring: what a host name says about its provider comes in as [`HostRules`].
//!
//! **Keys that we don't know.** SPEC keeps them, and wants nothing dropped in silence. So: a key that looks like a slip of a known one,
//! and any unknown key where ignoring it could change what is trusted or deleted (`tls`, `garbage_collection_schedule`, `retention`), is
//! an error with line, column and suggestion, and nothing is changed. So is a key that looks like a password. Any other is a warning with
//! line and column, and every change keeps it. Keys that begin with `x-` or `x_` belong to the user and are kept without a word.

mod address;
mod changes;
mod declaration;
mod document;
mod entry;
mod error;
mod format;
mod invalid;
mod life;
mod listing;
mod lookup;
mod name;
mod provider;
mod retention;
mod schedule;
mod settings;
mod slots;
mod store;
mod subnet;
mod target;
mod timestamp;
mod tls;
mod values;
mod view;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use address::{Address, Scheme};
pub use changes::{Ca, Changes, Field};
pub use declaration::{Applied, Applying, Authority, Change, Declaration, Difference, Form, Move};
pub use entry::{Entry, Features, Origin, State, namespace};
pub use error::{Error, Result};
pub use format::Warning;
pub use invalid::Invalid;
pub use life::{Added, Adding, BecomeDefault, Outcome, Updated, Updating};
pub use listing::{Filter, Order, Page, SortKey};
pub use name::Name;
pub use provider::{HostFacts, HostRules};
pub use retention::{Glob, Pattern, RetentionRule};
pub use schedule::{Day, Days, Schedule, TimeOfDay};
pub use settings::{Settings, TrashRetention};
pub use store::{Edited, Store};
pub use subnet::{AllowList, Effect, Subnet};
pub use target::{Place, Target, TargetOptions};
pub use tls::{CaPem, CaSummary, CertificateFile, Pin, Tls};
pub use values::{Description, DisplayName, LabelKey, LabelValue, Location, Proxy, Region, Username, label};
pub use view::{Known, LastCheck, StorageUsage, TlsView, View};

/// The newest form of the file that this program reads and writes.
const SCHEMA: i64 = 1;

/// Everything in the file.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    default: Option<String>,
    /// What holds for all registries.
    pub settings: Settings,
    entries: BTreeMap<Name, Entry>,
    warnings: Vec<Warning>,
}

impl PartialEq for Catalogue {
    /// Whether both say the same, whatever the files look like.
    fn eq(&self, other: &Catalogue) -> bool {
        self.default == other.default && self.settings == other.settings && self.entries == other.entries
    }
}

impl Catalogue {
    /// The entries in the order of their names, removed ones included.
    pub fn entries(&self) -> impl Iterator<Item = (&Name, &Entry)> {
        self.entries.iter()
    }

    /// The entry of exactly this name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// The name of the default, as written: there may be no such entry.
    pub fn default_name(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// Whether this is the default.
    pub fn is_default(&self, name: &Name) -> bool {
        self.default_name() == Some(name.as_str())
    }

    /// What a person should know about the file, each in one line.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.warnings.iter().map(ToString::to_string).collect();
        if let Some(name) = &self.default
            && !self.entries.contains_key(name.as_str())
        {
            warnings.push(format!("the default registry {} is not in the catalogue", invalid::shown(name)));
        }
        warnings
    }

    /// Only these entries, with the default if it is one of them.
    pub fn only(&self, names: &[Name]) -> Catalogue {
        let entries: BTreeMap<Name, Entry> = self
            .entries
            .iter()
            .filter(|(name, _)| names.contains(name))
            .map(|(name, entry)| (name.clone(), entry.clone()))
            .collect();
        let default = self.default.clone().filter(|name| entries.contains_key(name.as_str()));
        Catalogue { default, entries, ..Catalogue::default() }
    }

    /// The same without what is one person's own, so that others can apply it: ids, the times that the program keeps, and the store in
    /// which a secret is.
    pub fn shared(mut self) -> Catalogue {
        for entry in self.entries.values_mut() {
            (entry.id, entry.created_at, entry.updated_at) = (None, None, None);
            entry.credential = entry.credential.filter(|place| !place.is_store());
        }
        self
    }

    /// The text of a new file that says the same.
    pub fn to_toml(&self) -> String {
        let mut document = toml_edit::DocumentMut::new();
        document::carry(&mut document, &Catalogue::default(), self);
        document.to_string()
    }

    /// When a removed entry is purged; `None` for those that are not removed, and when that is never.
    pub fn purge_after(&self, entry: &Entry) -> Option<Timestamp> {
        match (self.settings.trash_retention, entry.removed_at) {
            (TrashRetention::For(duration), Some(removed)) if entry.state == State::Removed => Some(duration.after(removed)),
            _ => None,
        }
    }
}
