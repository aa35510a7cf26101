//! How registries want to be signed in to, kept between runs, so that the first request of a run can be the one that is wanted.
//!
//! A small file a registry, below the cache folder. There is no secret in it, and nothing depends on it: whether a token server may be
//! told the credential is decided each time anew, and what no longer holds is asked for again (see [`auth`](super::auth)).

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::Url;

use super::auth::Scheme;
use super::kept::Kept;
use super::token::TokenServer;
use crate::files;
use crate::oci::Digest;

/// A file that is larger was not written by us.
const LARGEST: u64 = 16 * 1024;

/// The folder with what is known, and the tokens that belong with it.
#[derive(Debug, Clone)]
pub struct Known {
    folder: PathBuf,
    tokens: Option<Kept>,
}

/// What a file says.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// Whose it is, for people who look into it.
    registry: Url,
    scheme: Word,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    realm: Option<Url>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    None,
    Basic,
    Bearer,
}

impl Known {
    /// What is known in this folder, which is made when there is something to keep.
    pub fn new(folder: impl Into<PathBuf>) -> Known {
        Known { folder: folder.into(), tokens: None }
    }

    /// Keeps tokens between runs too, where the system has a place for them that is no disk.
    pub fn with_tokens(self) -> Known {
        Known { tokens: Some(Kept::beside(&self.folder)), ..self }
    }

    /// The tokens, if any are kept.
    pub(super) fn tokens(&self) -> Option<&Kept> {
        self.tokens.as_ref()
    }

    /// Forgets all tokens that are kept.
    pub fn forget_tokens(&self) {
        Kept::beside(&self.folder).forget();
    }

    fn path(&self, base: &Url) -> PathBuf {
        self.folder.join(format!("{}.json", Digest::sha256(base.as_str().as_bytes()).encoded()))
    }

    /// How the registry at `base` wanted to be signed in to the last time.
    pub(super) fn get(&self, base: &Url) -> Option<Scheme> {
        let path = self.path(base);
        let small = fs::metadata(&path).ok()?.len() <= LARGEST;
        let note: Note = serde_json::from_slice(&fs::read(path).ok().filter(|_| small)?).ok()?;
        if note.registry != *base {
            return None;
        }
        match note.scheme {
            Word::None => Some(Scheme::Open),
            Word::Basic => Some(Scheme::Basic),
            Word::Bearer => {
                let realm = note.realm.filter(|realm| matches!(realm.scheme(), "http" | "https"))?;
                Some(Scheme::Bearer(TokenServer { realm, service: note.service }))
            }
        }
    }

    /// Keeps it. Where that fails it is asked for again the next time.
    pub(super) fn keep(&self, base: &Url, scheme: &Scheme) {
        let (word, server) = match scheme {
            Scheme::Open => (Word::None, None),
            Scheme::Basic => (Word::Basic, None),
            Scheme::Bearer(server) => (Word::Bearer, Some(server)),
        };
        let realm = server.map(|server| server.realm.clone());
        let note = Note { registry: base.clone(), scheme: word, realm, service: server.and_then(|server| server.service.clone()) };
        let _ = self.write(&self.path(base), &serde_json::to_vec(&note).expect("a note is JSON"));
    }

    /// Forgets it.
    pub(super) fn forget(&self, base: &Url) {
        let _ = fs::remove_file(self.path(base));
    }

    /// Neither flushed nor synced: after a power cut it is no JSON and asked for again.
    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        if !self.folder.is_dir() {
            files::make_private_folder(&self.folder).map_err(io::Error::other)?;
        }
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(content)?;
        file.persist(path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_under_its_own_address() {
        let folder = tempfile::tempdir().unwrap();
        let known = Known::new(folder.path().join("sign-in"));
        let base: Url = "https://r.example.com".parse().unwrap();
        let server = TokenServer { realm: "https://auth.example.com/token".parse().unwrap(), service: Some("r".into()) };
        for scheme in [Scheme::Open, Scheme::Basic, Scheme::Bearer(server)] {
            known.keep(&base, &scheme);
            assert_eq!(known.get(&base), Some(scheme));
        }
        assert_eq!(known.get(&"http://r.example.com".parse().unwrap()), None);
        assert_eq!(known.get(&"https://r.example.com/path".parse().unwrap()), None);
        known.forget(&base);
        assert_eq!(known.get(&base), None);
    }

    #[test]
    fn what_others_wrote_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let known = Known::new(folder.path());
        let base: Url = "https://r.example.com".parse().unwrap();
        for content in [
            "",
            "{}",
            r#"{"registry":"https://r.example.com","scheme":"digest"}"#,
            r#"{"registry":"https://r.example.com","scheme":"bearer"}"#,
            r#"{"registry":"https://r.example.com","scheme":"bearer","realm":"file:///token"}"#,
            r#"{"registry":"https://other.example.com","scheme":"basic"}"#,
        ] {
            fs::write(known.path(&base), content).unwrap();
            assert_eq!(known.get(&base), None, "{content}");
        }
        fs::write(known.path(&base), r#"{"registry":"https://r.example.com","scheme":"basic"}"#).unwrap();
        assert_eq!(known.get(&base), Some(Scheme::Basic));
    }

    #[test]
    fn a_folder_that_can_not_be_written_is_no_failure() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let known = Known::new(file.path());
        let base: Url = "https://r.example.com".parse().unwrap();
        known.keep(&base, &Scheme::Basic);
        assert_eq!(known.get(&base), None);
    }
}
