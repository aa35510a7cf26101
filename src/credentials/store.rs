//! A place where regctl itself keeps secrets, and what can be wrong with one.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;

use super::{Secret, Unavailable, environment};
use crate::files;

/// Keeps one secret per account. An account is the `id` of a catalogue entry, so a secret survives a change of name.
///
/// The calls block, each for a bounded time; from async code they belong on a thread for blocking work.
pub trait Store: Send + Sync {
    /// What people call it, such as `the system keyring`.
    fn name(&self) -> &'static str;

    /// The secret of an account, if there is one.
    ///
    /// # Errors
    /// When the store can't be asked.
    fn get(&self, account: &str) -> Result<Option<Secret>, StoreError>;

    /// Keeps a secret, replacing the one before, and reads it back.
    ///
    /// # Errors
    /// When the store can't be asked, or does not give back what it was given.
    fn set(&self, account: &str, secret: &Secret) -> Result<(), StoreError>;

    /// Forgets a secret. `Ok(false)` if there was none.
    ///
    /// # Errors
    /// When the store can't be asked.
    fn delete(&self, account: &str) -> Result<bool, StoreError>;
}

/// Why a store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No keyring service is there to be asked.
    #[error("there is no system keyring here ({0})")]
    Missing(String),
    /// It is locked, or was never set up, and nobody unlocked it.
    #[error("the system keyring is locked or not set up ({0})")]
    Locked(String),
    /// It is there and refuses this program.
    #[error("the system keyring denies access ({0})")]
    Denied(String),
    /// It did not answer before the deadline; usually it waits for somebody to type its password.
    #[error("the system keyring did not answer within {0} s")]
    TimedOut(u64),
    /// Longer than the platform can keep.
    #[error("the secret is too long for the system keyring: at most {0} bytes")]
    TooLong(u32),
    /// It said yes and kept nothing, or something else.
    #[error("{0} did not keep the secret: it gives back something else")]
    NotKept(&'static str),
    /// Anything else that a keyring answers.
    #[error("the system keyring failed ({0})")]
    Failed(String),
    /// The encrypted file needs a passphrase, and there is none and nobody to ask.
    #[error("the encrypted file {} needs its passphrase", .0.display())]
    NoPassphrase(PathBuf),
    /// The file that should hold the passphrase can't be read.
    #[error("can't read the passphrase from {}: {source}", path.display())]
    PassphraseFile {
        /// The value of `REGCTL_PASSPHRASE_FILE`.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The passphrase doesn't open the encrypted file.
    #[error("wrong passphrase for the encrypted file {}", .0.display())]
    WrongPassphrase(PathBuf),
    /// The encrypted file was cut short or changed.
    #[error("the encrypted file {} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        why: &'static str,
    },
    /// Written by a later regctl.
    #[error("the encrypted file {} has format {version}; this regctl knows formats up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// What it says.
        version: u64,
        /// What we know.
        known: u64,
    },
    /// Without a home directory there is no place for the encrypted file.
    #[error(transparent)]
    NoPlace(files::NoHome),
    /// The encrypted file can't be read.
    #[error("can't read the encrypted file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The encrypted file can't be written.
    #[error("{}", with_cause(.0))]
    Write(files::Error),
    /// The system gives no random numbers, or no memory to work in.
    #[error("can't encrypt: {0}")]
    Seal(io::Error),
}

fn with_cause(error: &files::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

impl StoreError {
    /// What a person can do about it. `name` is the catalogue name, where there is one.
    pub fn hints(&self, name: Option<&str>) -> Vec<String> {
        let variables = environment::variables(name);
        let instead = format!(
            "or give the secret in {} and {}, or with --username and --password-stdin",
            variables.username, variables.password
        );
        let file =
            "or keep it in an encrypted file: credential = \"encrypted-file\" (`regctl login --store encrypted-file`)".to_owned();
        match self {
            StoreError::Missing(_) => {
                vec!["start a keyring: gnome-keyring, KWallet or KeePassXC offer the Secret Service".to_owned(), instead, file]
            }
            StoreError::Locked(_) => vec!["unlock the keyring, then try again".to_owned(), instead, file],
            StoreError::Denied(_) => vec!["allow regctl in the keyring's own settings".to_owned(), instead, file],
            StoreError::TimedOut(_) => {
                vec!["if the keyring is asking for its password, unlock it and try again".to_owned(), instead, file]
            }
            StoreError::TooLong(_) => {
                vec!["short-lived tokens are better fetched when needed: credential = \"command\"".to_owned(), file]
            }
            StoreError::NotKept(_) | StoreError::Failed(_) => vec!["`regctl doctor` tests the keyring".to_owned(), instead, file],
            StoreError::NoPassphrase(_) => {
                vec!["set REGCTL_PASSPHRASE or REGCTL_PASSPHRASE_FILE, or run this in a terminal".to_owned(), instead]
            }
            StoreError::PassphraseFile { .. } => {
                vec!["REGCTL_PASSPHRASE_FILE has to name a readable file with the passphrase".to_owned()]
            }
            StoreError::WrongPassphrase(_) => vec!["check REGCTL_PASSPHRASE or REGCTL_PASSPHRASE_FILE".to_owned(), instead],
            StoreError::Damaged { path, .. } => {
                vec![format!("bring {} back from a backup, or move it away and sign in again with `regctl login`", path.display())]
            }
            StoreError::Newer { .. } => vec!["update regctl".to_owned(), instead],
            StoreError::NoPlace(_) | StoreError::Seal(_) => vec![instead],
            StoreError::Read { path, .. } => vec![format!("check the owner and permissions of {}", path.display()), instead],
            StoreError::Write(error) => vec![format!("check the owner and permissions of {}", error.path().display()), instead],
        }
    }

    /// The same as what a [`super::Source`] says.
    pub fn unavailable(&self, name: Option<&str>) -> Unavailable {
        let hints = self.hints(name);
        let message = match name {
            Some(name) => format!("can't get at the secret of {name}: {self}"),
            None => self.to_string(),
        };
        Unavailable { message, hints }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Users of other tools were left with a D-Bus message and nothing to do (users C2): every failure names a way out.
    #[test]
    fn every_keyring_failure_names_the_ways_around_it() {
        let failures = [
            StoreError::Missing("no bus".into()),
            StoreError::Locked("prompt dismissed".into()),
            StoreError::Denied("policy".into()),
            StoreError::TimedOut(3),
            StoreError::Failed("odd".into()),
        ];
        for failure in failures {
            let unavailable = failure.unavailable(Some("prod-eu"));
            assert!(unavailable.message.contains("prod-eu"), "{unavailable:?}");
            let hints = unavailable.hints.join("\n");
            for way in ["REGCTL_PROD_EU_USERNAME", "REGCTL_PROD_EU_PASSWORD", "--password-stdin", "credential = \"encrypted-file\""]
            {
                assert!(hints.contains(way), "{failure}: no {way} in {hints}");
            }
        }
    }
}
