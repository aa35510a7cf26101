//! Text that must never be shown.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A password or token. Can't be printed, compared or serialised; wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes hold of a secret.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// Gives the secret away: only for the header, the helper's standard input or the keyring that it is meant for.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Other programs' files and answers hold secrets as text.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::{Credential, Found};

    #[test]
    fn debug_says_nothing() {
        let credential = Credential::Basic { username: "alice".into(), password: Secret::new("s3cr3t-canary") };
        let found = Found { credential, origin: "a test".into() };
        assert!(!format!("{found:?} {:?}", Secret::new("s3cr3t-canary")).contains("canary"));
    }
}
