//! The operating system's keyring: Secret Service on Linux and BSD, Keychain on macOS, Credential Manager on Windows.
//!
//! A keyring may be missing, locked, or waiting for somebody to answer a prompt that nobody sees. Every call therefore runs on a
//! thread of its own and is given up after [`DEADLINE`]; once that has happened the keyring is not asked again in this run.
//! Each secret is read at most once per run, because some keyrings ask the person at every read.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{Secret, Store, StoreError};

/// The service under which all entries are kept. Users find them with `secret-tool search --all service regctl`.
const SERVICE: &str = "regctl";

/// How long a keyring may take. A healthy one answers in milliseconds; three seconds is what other tools have settled on.
const DEADLINE: Duration = Duration::from_secs(3);

/// What the keyring of this platform is called.
pub const BACKEND: &str = if cfg!(target_os = "macos") {
    "Keychain"
} else if cfg!(windows) {
    "Credential Manager"
} else {
    "Secret Service"
};

/// The keyring, as one run of the program sees it.
pub struct Keyring {
    backend: Arc<dyn Backend>,
    deadline: Duration,
    /// A call is still hanging: asking again would only wait again.
    hung: AtomicBool,
    read: Mutex<HashMap<String, Option<Secret>>>,
}

impl Keyring {
    /// The keyring of this user. Asks nothing yet.
    pub fn system() -> Keyring {
        Keyring::new(Arc::new(System), DEADLINE)
    }

    fn new(backend: Arc<dyn Backend>, deadline: Duration) -> Keyring {
        Keyring { backend, deadline, hung: AtomicBool::new(false), read: Mutex::new(HashMap::new()) }
    }

    /// Whether a keyring is there at all. Says nothing on whether it is locked.
    ///
    /// # Errors
    /// [`StoreError::Missing`] with the platform's reason.
    pub fn reach(&self) -> Result<(), StoreError> {
        self.bounded(|backend| backend.reach())
    }

    fn bounded<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Backend) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let late = || StoreError::TimedOut(self.deadline.as_secs());
        if self.hung.load(Ordering::Relaxed) {
            return Err(late());
        }
        let backend = Arc::clone(&self.backend);
        let (answer, answered) = mpsc::sync_channel(1);
        // A thread that never comes back ends with the process.
        thread::Builder::new()
            .name("keyring".to_owned())
            .spawn(move || {
                // Nobody listens any more when the deadline has passed.
                let _ = answer.send(call(&*backend));
            })
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        match answered.recv_timeout(self.deadline) {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                self.hung.store(true, Ordering::Relaxed);
                Err(late())
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(StoreError::Failed("the call ended without an answer".to_owned())),
        }
    }

    fn fetch(&self, account: &str) -> Result<Option<Secret>, StoreError> {
        let account = account.to_owned();
        self.bounded(move |backend| backend.get(&account))
    }

    fn remember(&self, account: &str, secret: Option<Secret>) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(account.to_owned(), secret);
    }
}

impl Store for Keyring {
    fn name(&self) -> &'static str {
        "the system keyring"
    }

    fn get(&self, account: &str) -> Result<Option<Secret>, StoreError> {
        if let Some(known) = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(account) {
            return Ok(known.clone());
        }
        let secret = self.fetch(account)?;
        self.remember(account, secret.clone());
        Ok(secret)
    }

    fn set(&self, account: &str, secret: &Secret) -> Result<(), StoreError> {
        let (key, value) = (account.to_owned(), secret.clone());
        self.bounded(move |backend| backend.set(&key, &value))?;
        match self.fetch(account)? {
            Some(kept) if kept.expose() == secret.expose() => {
                self.remember(account, Some(kept));
                Ok(())
            }
            _ => Err(StoreError::NotKept(self.name())),
        }
    }

    fn delete(&self, account: &str) -> Result<bool, StoreError> {
        let key = account.to_owned();
        let was_there = self.bounded(move |backend| backend.delete(&key))?;
        self.remember(account, None);
        Ok(was_there)
    }
}

/// What the platform does, without our manners.
trait Backend: Send + Sync {
    fn reach(&self) -> Result<(), StoreError>;
    fn get(&self, account: &str) -> Result<Option<Secret>, StoreError>;
    fn set(&self, account: &str, secret: &Secret) -> Result<(), StoreError>;
    fn delete(&self, account: &str) -> Result<bool, StoreError>;
}

struct System;

impl System {
    fn entry(account: &str) -> Result<keyring::Entry, StoreError> {
        System.reach()?;
        keyring::Entry::new(SERVICE, account).map_err(explain)
    }
}

impl Backend for System {
    fn reach(&self) -> Result<(), StoreError> {
        // `Entry::new` only says that there is no store; the reason is kept here.
        match keyring::Entry::store_status() {
            Ok(()) => Ok(()),
            Err(error) => Err(match refusal(error) {
                Some(Refusal::Denied) => StoreError::Denied(cause(error)),
                Some(Refusal::Locked | Refusal::Missing) | None => StoreError::Missing(cause(error)),
            }),
        }
    }

    fn get(&self, account: &str) -> Result<Option<Secret>, StoreError> {
        match System::entry(account)?.get_password() {
            Ok(password) => Ok(Some(Secret::new(password))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(explain(error)),
        }
    }

    fn set(&self, account: &str, secret: &Secret) -> Result<(), StoreError> {
        System::entry(account)?.set_password(secret.expose()).map_err(explain)
    }

    fn delete(&self, account: &str) -> Result<bool, StoreError> {
        match System::entry(account)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(keyring::Error::NoEntry) => Ok(false),
            Err(error) => Err(explain(error)),
        }
    }
}

/// Translates without ever formatting a variant that carries the secret's own bytes.
fn explain(error: keyring::Error) -> StoreError {
    let error = match error {
        keyring::Error::BadEncoding(bytes) | keyring::Error::BadDataFormat(bytes, _) => {
            drop(Zeroizing::new(bytes));
            return StoreError::Failed("what it holds is not text".to_owned());
        }
        error => error,
    };
    match &error {
        keyring::Error::NoStorageAccess(_) => match refusal(&error) {
            Some(Refusal::Denied) => StoreError::Denied(cause(&error)),
            _ => StoreError::Locked(cause(&error)),
        },
        keyring::Error::PlatformFailure(_) => match refusal(&error) {
            Some(Refusal::Denied) => StoreError::Denied(cause(&error)),
            Some(Refusal::Locked) => StoreError::Locked(cause(&error)),
            Some(Refusal::Missing) => StoreError::Missing(cause(&error)),
            None => StoreError::Failed(cause(&error)),
        },
        keyring::Error::NoDefaultStore => StoreError::Missing("no backend for this platform".to_owned()),
        keyring::Error::TooLong(_, limit) => StoreError::TooLong(*limit),
        keyring::Error::Ambiguous(entries) => StoreError::Failed(format!("{} entries for one account", entries.len())),
        other => StoreError::Failed(other.to_string()),
    }
}

/// The platform's own words, without the wrapper's.
fn cause(error: &keyring::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// What a D-Bus peer says by the name of its error.
enum Refusal {
    Denied,
    Locked,
    Missing,
}

#[cfg(all(unix, not(target_os = "macos")))]
fn refusal(error: &keyring::Error) -> Option<Refusal> {
    let mut next = error.source();
    while let Some(error) = next {
        let fdo = match error.downcast_ref::<zbus::Error>() {
            Some(zbus::Error::MethodError(name, _, _)) => match name.as_str() {
                "org.freedesktop.DBus.Error.AccessDenied" => return Some(Refusal::Denied),
                "org.freedesktop.Secret.Error.IsLocked" => return Some(Refusal::Locked),
                _ => None,
            },
            Some(zbus::Error::FDO(fdo)) => Some(&**fdo),
            _ => error.downcast_ref::<zbus::fdo::Error>(),
        };
        match fdo {
            Some(zbus::fdo::Error::AccessDenied(_)) => return Some(Refusal::Denied),
            Some(zbus::fdo::Error::ServiceUnknown(_) | zbus::fdo::Error::Disconnected(_)) => return Some(Refusal::Missing),
            _ => next = error.source(),
        }
    }
    None
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
fn refusal(_: &keyring::Error) -> Option<Refusal> {
    None
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// A keyring whose behaviour no real one can be made to show.
    #[derive(Default)]
    struct Odd {
        kept: Mutex<HashMap<String, Secret>>,
        reads: AtomicUsize,
        /// Says yes to everything and keeps nothing, as the mock store of keyring 3 did.
        forgets: bool,
        /// Never answers.
        hangs: bool,
    }

    impl Backend for Odd {
        fn reach(&self) -> Result<(), StoreError> {
            Ok(())
        }

        fn get(&self, account: &str) -> Result<Option<Secret>, StoreError> {
            self.reads.fetch_add(1, Ordering::SeqCst);
            if self.hangs {
                loop {
                    thread::park();
                }
            }
            Ok(self.kept.lock().unwrap().get(account).cloned())
        }

        fn set(&self, account: &str, secret: &Secret) -> Result<(), StoreError> {
            if !self.forgets {
                self.kept.lock().unwrap().insert(account.to_owned(), secret.clone());
            }
            Ok(())
        }

        fn delete(&self, account: &str) -> Result<bool, StoreError> {
            Ok(self.kept.lock().unwrap().remove(account).is_some())
        }
    }

    fn keyring(backend: Odd, deadline: Duration) -> (Keyring, Arc<Odd>) {
        let backend = Arc::new(backend);
        (Keyring::new(Arc::clone(&backend) as Arc<dyn Backend>, deadline), backend)
    }

    #[test]
    fn keeps_reads_and_forgets() {
        let (keyring, _) = keyring(Odd::default(), DEADLINE);
        assert!(keyring.get("a").unwrap().is_none());
        keyring.set("a", &Secret::new("pä$$ word")).unwrap();
        assert_eq!(keyring.get("a").unwrap().unwrap().expose(), "pä$$ word");
        assert!(keyring.delete("a").unwrap());
        assert!(!keyring.delete("a").unwrap());
        assert!(keyring.get("a").unwrap().is_none());
    }

    /// users C7: macOS asks the person at every read.
    #[test]
    fn reads_a_secret_once_per_run() {
        let (keyring, backend) = keyring(Odd::default(), DEADLINE);
        backend.kept.lock().unwrap().insert("a".into(), Secret::new("x"));
        for _ in 0..5 {
            assert!(keyring.get("a").unwrap().is_some());
            assert!(keyring.get("b").unwrap().is_none());
        }
        assert_eq!(backend.reads.load(Ordering::SeqCst), 2);
    }

    /// users C5, keyring-rs 231: "it says saved, but nothing is there next run".
    #[test]
    fn notices_that_nothing_was_kept() {
        let (keyring, _) = keyring(Odd { forgets: true, ..Odd::default() }, DEADLINE);
        assert!(matches!(keyring.set("a", &Secret::new("x")), Err(StoreError::NotKept(_))));
        let (keyring, backend) = self::keyring(Odd { forgets: true, ..Odd::default() }, DEADLINE);
        backend.kept.lock().unwrap().insert("a".into(), Secret::new("the old one"));
        assert!(matches!(keyring.set("a", &Secret::new("x")), Err(StoreError::NotKept(_))));
    }

    /// users C3: a locked keyring hung every command.
    #[test]
    fn gives_up_on_a_keyring_that_hangs_and_does_not_ask_again() {
        let (keyring, backend) = keyring(Odd { hangs: true, ..Odd::default() }, Duration::from_millis(50));
        assert!(matches!(keyring.get("a"), Err(StoreError::TimedOut(_))));
        assert!(matches!(keyring.get("b"), Err(StoreError::TimedOut(_))));
        assert!(matches!(keyring.set("b", &Secret::new("x")), Err(StoreError::TimedOut(_))));
        assert_eq!(backend.reads.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn explains_without_showing_bytes() {
        let canary = b"s3cr3t-canary\xff".to_vec();
        for error in [keyring::Error::BadEncoding(canary.clone()), keyring::Error::BadDataFormat(canary, "s3cr3t-canary".into())] {
            let explained = explain(error);
            assert!(!format!("{explained} {explained:?}").contains("canary"));
            assert!(!format!("{explained:?}").contains("115, 51"));
        }
        assert!(matches!(explain(keyring::Error::NoStorageAccess("prompt dismissed".into())), StoreError::Locked(_)));
        assert!(matches!(explain(keyring::Error::TooLong("password".into(), 2560)), StoreError::TooLong(2560)));
        assert!(matches!(explain(keyring::Error::PlatformFailure("?".into())), StoreError::Failed(_)));
    }

    #[cfg(all(unix, not(target_os = "macos")))]
    #[test]
    fn tells_denied_from_locked_from_missing() {
        let failure =
            |error: zbus::fdo::Error| keyring::Error::PlatformFailure(Box::new(Wrapped(zbus::Error::FDO(Box::new(error)))));
        let denied = explain(failure(zbus::fdo::Error::AccessDenied("no".into())));
        assert!(matches!(denied, StoreError::Denied(_)), "{denied}");
        let missing = explain(failure(zbus::fdo::Error::ServiceUnknown("no".into())));
        assert!(matches!(missing, StoreError::Missing(_)), "{missing}");
    }

    #[cfg(all(unix, not(target_os = "macos")))]
    #[derive(Debug, thiserror::Error)]
    #[error("wrapped")]
    struct Wrapped(#[source] zbus::Error);
}
