//! Everything that one run of the program can look a secret up in.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::docker_config::DockerLogins;
use super::{EncryptedFile, Keyring, Secret, SourceKind, Store, StoreError};

/// Gives the value of an environment variable.
pub type Lookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Tells the person about something broken that was passed over.
pub type Warn = Arc<dyn Fn(&str) + Send + Sync>;

/// The places of secrets, shared by all registries of a run, so that each is opened at most once.
pub struct Wallet {
    pub(super) lookup: Lookup,
    home: Option<PathBuf>,
    keyring: Arc<Keyring>,
    file: Arc<EncryptedFile>,
    docker: OnceLock<DockerLogins>,
    warn: Warn,
    warned: Mutex<HashSet<String>>,
}

impl Wallet {
    /// Puts the places together; opens none of them.
    pub fn new(lookup: Lookup, home: Option<PathBuf>, keyring: Keyring, file: EncryptedFile, warn: Warn) -> Wallet {
        Wallet {
            lookup,
            home,
            keyring: Arc::new(keyring),
            file: Arc::new(file),
            docker: OnceLock::new(),
            warn,
            warned: Mutex::new(HashSet::new()),
        }
    }

    /// The keyring of this run.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The encrypted file of this run.
    pub fn encrypted_file(&self) -> &EncryptedFile {
        &self.file
    }

    /// The store behind a kind; `None` for kinds in which regctl keeps nothing.
    pub fn store(&self, kind: SourceKind) -> Option<Arc<dyn Store>> {
        match kind {
            SourceKind::Keyring => Some(Arc::clone(&self.keyring) as Arc<dyn Store>),
            SourceKind::EncryptedFile => Some(Arc::clone(&self.file) as Arc<dyn Store>),
            SourceKind::Env | SourceKind::Command | SourceKind::Docker | SourceKind::None => None,
        }
    }

    /// Forgets the secret of an entry. `Ok(false)` if there was none, or if it is not kept by regctl. Blocks.
    ///
    /// # Errors
    /// When the store can't be asked.
    pub fn forget(&self, kind: SourceKind, id: &str) -> Result<bool, StoreError> {
        self.store(kind).map_or(Ok(false), |store| store.delete(id))
    }

    /// Keeps the secret of an entry and gives what the place is called. Blocks.
    ///
    /// # Errors
    /// When the store can't be asked, or did not keep it. Nothing else is tried instead.
    ///
    /// # Panics
    /// For a kind that is no store: see [`SourceKind::is_store`].
    pub fn keep(&self, kind: SourceKind, id: &str, secret: &Secret) -> Result<&'static str, StoreError> {
        let store = self.store(kind).expect("secrets are only given to stores");
        store.set(id, secret)?;
        Ok(store.name())
    }

    /// The files that hold this user's Docker and Podman logins, and what is broken about them.
    pub fn docker_files(&self) -> (Vec<&str>, &[String]) {
        (self.docker().origins().collect(), self.docker().warnings())
    }

    pub(super) fn docker(&self) -> &DockerLogins {
        self.docker.get_or_init(|| DockerLogins::read(&*self.lookup, self.home.as_deref()))
    }

    /// Warns, once for each text.
    pub(super) fn warn(&self, text: &str) {
        if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned()) {
            (self.warn)(text);
        }
    }
}
