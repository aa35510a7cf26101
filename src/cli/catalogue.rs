//! The catalogue as commands use it: which file it is, reading it, changing it.

use super::{Context, Environment};
use crate::catalogue::{Catalogue, Edited, Name, Result, Store};
use crate::files::Place;

/// What a host name tells, for the rules of the catalogue.
pub(super) use crate::connect::host_facts as host_rules;

/// The catalogue's file: `--catalogue`, else its variable, else the usual place.
pub(super) fn store(flag: Option<&std::path::Path>, environment: Environment) -> anyhow::Result<Store> {
    Ok(match flag {
        Some(path) => Store::new(path),
        None => Store::new(Place::Catalogue.find(&|name| environment.var(name).map(Into::into))?),
    })
}

impl Context {
    /// The catalogue's file.
    ///
    /// # Errors
    /// When nobody knows where it is.
    pub fn catalogue_store(&self) -> anyhow::Result<Store> {
        store(self.globals.catalogue.as_deref(), self.environment)
    }

    /// The catalogue as it is now. What is odd about it is told as warnings.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn catalogue(&self) -> anyhow::Result<Catalogue> {
        let catalogue = self.catalogue_store()?.load()?;
        for warning in catalogue.warnings() {
            self.printer.warn(warning);
        }
        Ok(catalogue)
    }

    /// Changes the catalogue. When something was changed, entries that were removed long ago go for good too.
    ///
    /// # Errors
    /// What `change` says, or that the file can't be read or written.
    pub fn edit_catalogue<T>(&self, change: impl FnOnce(&mut Catalogue) -> Result<T>) -> anyhow::Result<Edited<T>> {
        let store = self.catalogue_store()?;
        let edited = store.edit(change)?;
        if edited.changed {
            self.purge_expired(&store);
        }
        Ok(edited)
    }

    /// Purges what has been removed for longer than the trash is kept. It is done by the way, so a failure is a warning, and another
    /// command tries again.
    fn purge_expired(&self, store: &Store) {
        let Ok(catalogue) = store.load() else { return };
        for name in catalogue.expired(self.now) {
            match self.purge(store, &catalogue, &name) {
                Ok(()) => {
                    self.printer.note(format!("purged {name}: it was removed more than {} ago", catalogue.settings.trash_retention))
                }
                Err(error) => self.printer.warn(format!("can't purge {name} yet: {error:#}")),
            }
        }
    }

    /// Takes a removed entry out for good: its secret first, so that none is ever left without an entry.
    pub(super) fn purge(&self, store: &Store, catalogue: &Catalogue, name: &Name) -> anyhow::Result<()> {
        let id = catalogue.purgeable(name)?.to_string();
        if let Some(entry) = catalogue.get(name.as_str()) {
            let forgotten = self.wallet().forget(entry.credential_store(), &id);
            forgotten.map_err(|error| error.unavailable(Some(name.as_str())))?;
        }
        store.edit(|catalogue| catalogue.purge(name))?;
        self.forget_check(&id);
        Ok(())
    }
}
