//! Where an entry of the catalogue says that its secret is: the values of `credential = "…"`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The place of a registry's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// The operating system's keyring.
    Keyring,
    /// The environment, and nowhere else.
    Env,
    /// A command that prints it.
    Command,
    /// The Docker or Podman login of this user.
    Docker,
    /// The encrypted file, for machines without a keyring.
    EncryptedFile,
    /// Nowhere: anonymous.
    None,
}

impl SourceKind {
    /// Every value, in the order in which they are documented.
    pub const ALL: [SourceKind; 6] = [
        SourceKind::Keyring,
        SourceKind::Env,
        SourceKind::Command,
        SourceKind::Docker,
        SourceKind::EncryptedFile,
        SourceKind::None,
    ];

    /// As it is written in the catalogue.
    pub fn as_str(self) -> &'static str {
        match self {
            SourceKind::Keyring => "keyring",
            SourceKind::Env => "env",
            SourceKind::Command => "command",
            SourceKind::Docker => "docker",
            SourceKind::EncryptedFile => "encrypted-file",
            SourceKind::None => "none",
        }
    }

    /// What an entry means that doesn't say: the keyring if it has a user name, else anonymous.
    pub fn when_unsaid(username: Option<&str>) -> SourceKind {
        if username.is_some() { SourceKind::Keyring } else { SourceKind::None }
    }

    /// Whether regctl itself puts secrets there, and takes them away again.
    pub fn is_store(self) -> bool {
        matches!(self, SourceKind::Keyring | SourceKind::EncryptedFile)
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not one of the values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place for a credential: expected keyring, env, command, docker, encrypted-file or none")]
pub struct UnknownSourceKind(String);

impl FromStr for SourceKind {
    type Err = UnknownSourceKind;

    fn from_str(text: &str) -> Result<SourceKind, UnknownSourceKind> {
        SourceKind::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| UnknownSourceKind(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_serde_agree() {
        for kind in SourceKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(serde_json::from_value::<SourceKind>(kind.as_str().into()).unwrap(), kind);
        }
        assert!("Keyring".parse::<SourceKind>().unwrap_err().to_string().contains("encrypted-file"));
    }

    #[test]
    fn an_entry_without_user_name_is_anonymous() {
        assert_eq!(SourceKind::when_unsaid(None), SourceKind::None);
        assert_eq!(SourceKind::when_unsaid(Some("robot$ci")), SourceKind::Keyring);
    }
}
