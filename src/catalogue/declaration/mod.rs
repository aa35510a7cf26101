//! What a file says that the catalogue should hold: the fields of some entries, and perhaps the default and the settings.
//!
//! A team keeps such a file where everybody can read it, so nothing in it may be a secret, and nothing in it may be passed over: an unknown
//! key, a key that is computed and one that can't be changed are errors that say where they stand. Keys that begin with `x-` or `x_` belong
//! to whoever wrote them. How a declaration becomes the catalogue is in [`apply`].

mod apply;
mod difference;
mod form;
mod node;
mod read;

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;
use uuid::Uuid;

pub use apply::{Applied, Applying, Change, Move};
pub use difference::Difference;
pub use form::Form;

use self::node::Place;
use self::read::Reader;
use super::error::{Error, Result};
use super::{Ca, Changes, Name, Settings, State};

/// What a file says that the catalogue should hold.
#[derive(Debug, Clone)]
pub struct Declaration {
    file: String,
    default: Option<(String, Place)>,
    settings: Option<Settings>,
    entries: Vec<Declared>,
}

/// One entry of a declaration.
#[derive(Debug, Clone)]
struct Declared {
    name: Name,
    place: Place,
    /// Where each of its fields stands.
    places: HashMap<String, Place>,
    id: Option<Uuid>,
    state: Option<State>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    changes: Changes,
    source: Option<super::Origin>,
    notes: Vec<String>,
}

/// A file of certificates that a declaration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority<'a> {
    /// Where it is.
    pub path: &'a Path,
    place: Place,
}

impl Declaration {
    /// Reads a declaration. `file` is what messages call it; paths in it start at `folder`.
    ///
    /// # Errors
    /// When anything in it is not understood, with line and column.
    pub fn read(text: &str, form: Form, file: &str, folder: &Path) -> Result<Declaration> {
        let reader = Reader { file, folder };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // every number that is looked up in the text below is counted without the mark
        let root = form.read(text).map_err(|error| reader.fault(error.place.unwrap_or(Place::START), error.message, None))?;
        reader.declaration(&root)
    }

    /// The names of the entries.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.entries.iter().map(|declared| &declared.name)
    }

    /// Every file of certificates that it names, so that somebody who may read files can look into them.
    pub fn authorities(&self) -> impl Iterator<Item = Authority<'_>> {
        self.entries.iter().filter_map(|declared| match &declared.changes.tls_ca {
            Some(Ca::File(path)) => Some(Authority { path, place: declared.place_of("tls.ca_file") }),
            _ => None,
        })
    }

    /// Says what is wrong with such a file, at the place where it is named.
    pub fn about(&self, authority: &Authority<'_>, message: impl Into<String>) -> Error {
        fault(&self.file, authority.place, message.into(), None)
    }
}

impl Declared {
    fn place_of(&self, field: &str) -> Place {
        self.places.get(field).copied().unwrap_or(self.place)
    }
}

fn fault(file: &str, place: Place, message: String, hint: Option<String>) -> Error {
    Error::Declaration { file: file.to_owned(), line: place.line, column: place.column, message, hint }
}
