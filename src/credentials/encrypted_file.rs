//! A small encrypted file with all secrets, for machines without a keyring.
//!
//! JSON, so that a later version is recognised whatever it looks like. Argon2id makes two things from the passphrase: the key, and a check
//! value by which a wrong passphrase is told from a damaged file. XChaCha20-Poly1305 encrypts the map from account to secret and covers the
//! format version and the cost settings too. Every write has a new salt and a new nonce.

mod format;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use self::format::{Cost, Flaw};
use super::{Passphrase, Secret, Store, StoreError};
use crate::files::{Guarded, NoHome};

/// Larger files are not ours: ten thousand entries with tokens of 300 bytes stay below it.
const MAX_FILE: u64 = 8 * 1024 * 1024;

type Secrets = BTreeMap<String, Secret>;

/// The encrypted file at one path.
pub struct EncryptedFile {
    place: Result<PathBuf, NoHome>,
    passphrase: Passphrase,
    cost: Cost,
    /// What was last decrypted, with the bytes it came from: the same bytes need no second decryption.
    opened: Mutex<Option<(Vec<u8>, Secrets)>>,
}

impl EncryptedFile {
    /// The file at `place`, which need not exist. Where there is no place for it, that matters only once it is needed. Reads nothing.
    pub fn new(place: Result<PathBuf, NoHome>, passphrase: Passphrase) -> EncryptedFile {
        EncryptedFile { place, passphrase, cost: Cost::DEFAULT, opened: Mutex::new(None) }
    }

    /// Where it is.
    ///
    /// # Errors
    /// Without a home there is no place for it.
    pub fn path(&self) -> Result<&Path, StoreError> {
        self.place.as_deref().map_err(|no_home| StoreError::NoPlace(no_home.clone()))
    }

    /// Whether the file is there and looks whole; needs no passphrase.
    ///
    /// # Errors
    /// When it can't be read, is damaged, or was written by a later version.
    pub fn look(&self) -> Result<bool, StoreError> {
        let path = self.path()?;
        let Some(bytes) = read(path)? else {
            return Ok(false);
        };
        format::parse(&bytes).map(|_| true).map_err(|flaw| explain(flaw, path))
    }

    /// Runs `work` on the secrets; `None` if there is no file.
    fn open<T>(&self, work: impl FnOnce(Option<&Secrets>) -> T) -> Result<T, StoreError> {
        let path = self.path()?;
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bytes) = read(path)? else {
            return Ok(work(None));
        };
        if opened.as_ref().is_none_or(|(known, _)| *known != bytes) {
            let sealed = format::parse(&bytes).map_err(|flaw| explain(flaw, path))?;
            let passphrase = self.passphrase.get(path, false)?;
            let secrets = sealed.open(&passphrase).map_err(|flaw| explain(flaw, path))?;
            *opened = Some((bytes, secrets));
        }
        Ok(work(opened.as_ref().map(|(_, secrets)| secrets)))
    }

    /// Writes the secrets and looks that they are there.
    fn write(&self, file: &Guarded, secrets: Secrets, new: bool) -> Result<(), StoreError> {
        let path = self.path()?;
        let passphrase = self.passphrase.get(path, new)?;
        let bytes = format::seal(&secrets, &passphrase, self.cost).map_err(StoreError::Seal)?;
        file.replace(&bytes).map_err(StoreError::Write)?;
        if read(path)?.as_ref() != Some(&bytes) {
            return Err(StoreError::NotKept(self.name()));
        }
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some((bytes, secrets));
        Ok(())
    }

    /// One writer at a time, over all processes.
    fn guard(&self) -> Result<Guarded, StoreError> {
        Guarded::open(self.path()?).map_err(StoreError::Write)
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > MAX_FILE => Err(explain(Flaw::Damaged("it is far too large"), path)),
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Read { path: path.to_owned(), source }),
    }
}

fn explain(flaw: Flaw, path: &Path) -> StoreError {
    let path = path.to_owned();
    match flaw {
        Flaw::Damaged(why) => StoreError::Damaged { path, why },
        Flaw::Newer(version) => StoreError::Newer { path, version, known: format::VERSION },
        Flaw::WrongPassphrase => StoreError::WrongPassphrase(path),
    }
}

impl Store for EncryptedFile {
    fn name(&self) -> &'static str {
        "the encrypted file"
    }

    fn get(&self, account: &str) -> Result<Option<Secret>, StoreError> {
        self.open(|secrets| secrets.and_then(|secrets| secrets.get(account).cloned()))
    }

    fn set(&self, account: &str, secret: &Secret) -> Result<(), StoreError> {
        let file = self.guard()?;
        let secrets = self.open(|secrets| secrets.cloned())?;
        let new = secrets.is_none();
        let mut secrets = secrets.unwrap_or_default();
        secrets.insert(account.to_owned(), secret.clone());
        self.write(&file, secrets, new)
    }

    fn delete(&self, account: &str) -> Result<bool, StoreError> {
        if self.get(account)?.is_none() {
            return Ok(false);
        }
        let file = self.guard()?;
        let Some(mut secrets) = self.open(|secrets| secrets.cloned())? else {
            return Ok(false);
        };
        let was_there = secrets.remove(account).is_some();
        if was_there {
            self.write(&file, secrets, false)?;
        }
        Ok(was_there)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::*;

    fn vault(path: &Path, passphrase: &'static str) -> EncryptedFile {
        let passphrase = Passphrase::new(Arc::new(|_| None), Arc::new(move |_| Some(Secret::new(passphrase))));
        EncryptedFile { cost: Cost::CHEAPEST, ..EncryptedFile::new(Ok(path.to_owned()), passphrase) }
    }

    fn expose(secret: Option<Secret>) -> Option<String> {
        secret.map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn keeps_reads_and_forgets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/secrets.vault");
        let first = vault(&path, "correct horse");
        assert_eq!(expose(first.get("a").unwrap()), None);
        assert!(!first.delete("a").unwrap());
        assert!(!path.parent().unwrap().exists(), "reading makes no file");
        first.set("a", &Secret::new("s3cr3t-canary")).unwrap();
        first.set("b", &Secret::new("zwei")).unwrap();
        let second = vault(&path, "correct horse");
        assert_eq!(expose(second.get("a").unwrap()).as_deref(), Some("s3cr3t-canary"));
        second.set("a", &Secret::new("new")).unwrap();
        assert_eq!(expose(first.get("a").unwrap()).as_deref(), Some("new"), "sees what another process wrote");
        assert!(first.delete("b").unwrap());
        assert_eq!(expose(second.get("b").unwrap()), None);
        assert!(!fs::read_to_string(&path).unwrap().contains("canary"));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.vault");
        vault(&path, "p").set("a", &Secret::new("x")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn every_write_has_its_own_salt_and_nonce() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.vault");
        let vault = vault(&path, "p");
        let field = |name: &str| serde_json::from_slice::<serde_json::Value>(&fs::read(&path).unwrap()).unwrap()[name].clone();
        vault.set("a", &Secret::new("x")).unwrap();
        let before = (field("salt"), field("nonce"));
        vault.set("a", &Secret::new("x")).unwrap();
        assert_ne!(before.0, field("salt"));
        assert_ne!(before.1, field("nonce"));
    }

    #[test]
    fn a_wrong_passphrase_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.vault");
        vault(&path, "right").set("a", &Secret::new("x")).unwrap();
        let before = fs::read(&path).unwrap();
        let wrong = vault(&path, "wrong");
        assert!(matches!(wrong.get("a"), Err(StoreError::WrongPassphrase(_))));
        assert!(matches!(wrong.set("a", &Secret::new("y")), Err(StoreError::WrongPassphrase(_))));
        assert!(matches!(wrong.delete("a"), Err(StoreError::WrongPassphrase(_))));
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn damage_is_told_from_a_wrong_passphrase_and_from_a_newer_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.vault");
        vault(&path, "p").set("a", &Secret::new("a secret of some length")).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        let outcome = |text: &str| {
            fs::write(&path, text).unwrap();
            vault(&path, "p").get("a").map(drop)
        };
        for cut in [0, 1, whole.len() / 2, whole.len() - 3] {
            assert!(matches!(outcome(&whole[..cut]), Err(StoreError::Damaged { .. })), "cut at {cut}");
        }
        let changed = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut document: serde_json::Value = serde_json::from_str(&whole).unwrap();
            change(&mut document);
            document.to_string()
        };
        let flipped = |field: &'static str| {
            changed(&move |document| {
                let text = document[field].as_str().unwrap();
                let first = if text.starts_with('A') { "B" } else { "A" };
                document[field] = format!("{first}{}", &text[1..]).into();
            })
        };
        assert!(matches!(outcome(&flipped("content")), Err(StoreError::Damaged { .. })));
        assert!(matches!(outcome(&flipped("nonce")), Err(StoreError::Damaged { .. })));
        assert!(matches!(outcome(&changed(&|document| document["salt"] = "AAAA".into())), Err(StoreError::Damaged { .. })));
        assert!(matches!(outcome(&changed(&|document| document["content"] = "no base64".into())), Err(StoreError::Damaged { .. })));
        // A hostile file must not make us fill the memory or compute for an hour.
        for (setting, value) in [("memory_kib", u32::MAX), ("passes", u32::MAX), ("lanes", 1 << 20), ("memory_kib", 0)] {
            let text = changed(&|document| document["kdf"][setting] = value.into());
            assert!(matches!(outcome(&text), Err(StoreError::Damaged { .. })), "{setting}");
        }
        let newer = outcome(r#"{"format": "regctl-vault", "version": 2, "something": "else"}"#);
        assert!(matches!(newer, Err(StoreError::Newer { version: 2, known: 1, .. })));
        assert!(matches!(outcome(r#"{"format": "other", "version": 1}"#), Err(StoreError::Damaged { .. })));
        assert!(outcome(&whole).is_ok());
    }

    #[test]
    fn writers_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.vault");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let path = &path;
                scope.spawn(move || vault(path, "p").set(&format!("account-{number}"), &Secret::new("x")).unwrap());
            }
        });
        let vault = vault(&path, "p");
        for number in 0..8 {
            assert!(vault.get(&format!("account-{number}")).unwrap().is_some(), "{number}");
        }
    }
}
