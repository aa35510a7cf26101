//! Where the passphrase of the encrypted file comes from: the environment, a file, or the person.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::wallet::Lookup;
use super::{Secret, StoreError};

/// Holds the passphrase itself.
const VARIABLE: &str = "REGCTL_PASSPHRASE";

/// Holds the path of a file with the passphrase, as service managers and container platforms provide it.
const FILE_VARIABLE: &str = "REGCTL_PASSPHRASE_FILE";

/// How much of a passphrase file is read: more is another file by mistake.
const MAX_FILE: u64 = 4096;

/// Asks the person, twice if `true` (a new file) is given. `None` when nobody can be asked.
pub type AskPassphrase = Arc<dyn Fn(bool) -> Option<Secret> + Send + Sync>;

/// The passphrase, found when first needed and kept for the run.
pub struct Passphrase {
    lookup: Lookup,
    ask: AskPassphrase,
    known: Mutex<Option<Secret>>,
}

impl Passphrase {
    /// From the environment, else by asking.
    pub fn new(lookup: Lookup, ask: AskPassphrase) -> Passphrase {
        Passphrase { lookup, ask, known: Mutex::new(None) }
    }

    /// The passphrase for the encrypted file at `vault`, which is about to be made if `new`.
    pub(super) fn get(&self, vault: &Path, new: bool) -> Result<Secret, StoreError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(passphrase) = &*known {
            return Ok(passphrase.clone());
        }
        let value = |variable: &str| (self.lookup)(variable).filter(|value| !value.is_empty());
        let passphrase = match (value(VARIABLE), value(FILE_VARIABLE)) {
            (Some(passphrase), _) => Some(Secret::new(passphrase)),
            (None, Some(file)) => {
                let path = PathBuf::from(file);
                Some(read(&path).map_err(|source| StoreError::PassphraseFile { path, source })?)
            }
            (None, None) => (self.ask)(new),
        };
        let passphrase =
            passphrase.filter(|passphrase| !passphrase.is_empty()).ok_or_else(|| StoreError::NoPassphrase(vault.to_owned()))?;
        *known = Some(passphrase.clone());
        Ok(passphrase)
    }
}

/// The first line of a file.
fn read(path: &Path) -> io::Result<Secret> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)?.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(Secret::new(text.lines().next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(set: Vec<(&'static str, String)>, answer: Option<&'static str>) -> Passphrase {
        let lookup = move |wanted: &str| set.iter().find(|(variable, _)| *variable == wanted).map(|(_, value)| value.clone());
        Passphrase::new(Arc::new(lookup), Arc::new(move |_| answer.map(Secret::new)))
    }

    #[test]
    fn order() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passphrase");
        std::fs::write(&file, "from a file\n").unwrap();
        let file = file.display().to_string();
        let variable = (VARIABLE, "from a variable".to_owned());
        for (set, expected) in [
            (vec![variable.clone(), (FILE_VARIABLE, file.clone())], "from a variable"),
            (vec![(VARIABLE, String::new()), (FILE_VARIABLE, file)], "from a file"),
            (vec![], "from a person"),
        ] {
            let passphrase = passphrase(set, Some("from a person"));
            assert_eq!(passphrase.get(Path::new("v"), false).unwrap().expose(), expected);
        }
    }

    #[test]
    fn nobody_to_ask_and_no_file() {
        let vault = Path::new("v");
        assert!(matches!(passphrase(vec![], None).get(vault, false), Err(StoreError::NoPassphrase(_))));
        assert!(matches!(passphrase(vec![], Some("")).get(vault, true), Err(StoreError::NoPassphrase(_))));
        let missing = passphrase(vec![(FILE_VARIABLE, "/nonexistent/file".into())], Some("not asked"));
        assert!(matches!(missing.get(vault, false), Err(StoreError::PassphraseFile { .. })));
    }
}
