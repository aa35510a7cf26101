//! The file on disk: read by anyone at any time, changed by one at a time.

use std::path::{Path, PathBuf};

use toml_edit::DocumentMut;

use super::error::{Error, Result};
use super::{Catalogue, document, format};
use crate::files::{self, Guarded};

/// The catalogue's file.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
}

/// What a change gave, and whether it changed anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited<T> {
    /// What the change gave.
    pub value: T,
    /// Whether the file was written.
    pub changed: bool,
}

impl Store {
    /// The catalogue in this file, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Store {
        Store { path: path.into() }
    }

    /// Which file it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it. Takes no lock and creates nothing; no file is an empty catalogue.
    ///
    /// # Errors
    /// When the file can't be read or is not a catalogue that this program knows.
    pub fn load(&self) -> Result<Catalogue> {
        match files::read(&self.path)? {
            Some(text) => format::parse(&text, &self.path),
            None => Ok(Catalogue::default()),
        }
    }

    /// Changes it under the lock, on what it says by then. If `change` fails or changes nothing, the file is not touched.
    ///
    /// `change` runs while everyone else waits, so it must ask no server, keyring or person.
    ///
    /// # Errors
    /// What `change` says, or that the file can't be read or written.
    pub fn edit<T>(&self, change: impl FnOnce(&mut Catalogue) -> Result<T>) -> Result<Edited<T>> {
        let file = Guarded::open(&self.path)?;
        let text = file.read()?.unwrap_or_default();
        let old = format::parse(&text, &self.path)?;
        let mut new = old.clone();
        let value = change(&mut new)?;
        if new == old {
            return Ok(Edited { value, changed: false });
        }
        let mut document: DocumentMut = text.parse().expect("it was just parsed");
        document::carry(&mut document, &old, &new);
        let text = document.to_string();
        if format::parse(&text, &self.path).ok().as_ref() != Some(&new) {
            return Err(Error::Unfaithful { path: self.path.clone() });
        }
        file.replace(text.as_bytes())?;
        Ok(Edited { value, changed: true })
    }
}
