//! Who someone is at a registry, and where that is kept.
//!
//! A [`Secret`] can't be printed. A [`Source`] gives a credential when it is first needed and not before: commands that need no
//! secret never touch a keyring. [`Chain`] is the source for one registry and holds the order in which places are asked (SPEC §4);
//! [`Wallet`] holds the places themselves, once per run.

mod chain;
mod child;
mod command;
mod docker_config;
mod docker_credential;
mod encrypted_file;
pub mod environment;
mod keyring;
mod passphrase;
mod secret;
mod source_kind;
mod store;
mod wallet;

use std::fmt;

use async_trait::async_trait;

pub use chain::{Chain, ChainSettings};
pub use encrypted_file::EncryptedFile;
pub use keyring::{BACKEND, Keyring};
pub use passphrase::{AskPassphrase, Passphrase};
pub use secret::Secret;
pub use source_kind::{SourceKind, UnknownSourceKind};
pub use store::{Store, StoreError};
pub use wallet::{Lookup, Wallet, Warn};

/// The user name that says "this secret is an identity token", by the convention of Docker's credential helpers.
pub const TOKEN_USERNAME: &str = "<token>";

/// What signs a person in.
#[derive(Clone)]
pub enum Credential {
    /// User name and password (or access token used as one).
    Basic {
        /// User name; not secret.
        username: String,
        /// Password.
        password: Secret,
    },
    /// An OAuth2 refresh token, as `docker login` stores for some registries (`identitytoken`, or user name `<token>`).
    IdentityToken(Secret),
    /// A bearer token that is ready to be sent (`registrytoken`).
    RegistryToken(Secret),
}

impl Credential {
    /// A user name and what belongs to it: a password, or an identity token when the name is [`TOKEN_USERNAME`].
    pub fn new(username: impl Into<String>, secret: Secret) -> Credential {
        let username = username.into();
        if username == TOKEN_USERNAME {
            Credential::IdentityToken(secret)
        } else {
            Credential::Basic { username, password: secret }
        }
    }

    /// The user name, where the credential has one.
    pub fn username(&self) -> Option<&str> {
        match self {
            Credential::Basic { username, .. } => Some(username),
            Credential::IdentityToken(_) | Credential::RegistryToken(_) => None,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credential::Basic { username, .. } => write!(f, "Basic({username:?})"),
            Credential::IdentityToken(_) => f.write_str("IdentityToken"),
            Credential::RegistryToken(_) => f.write_str("RegistryToken"),
        }
    }
}

/// A credential and where it was found, for `-v` and for errors.
#[derive(Debug, Clone)]
pub struct Found {
    /// The credential.
    pub credential: Credential,
    /// Where it was found, such as `the system keyring` or `REGCTL_PROD_PASSWORD`.
    pub origin: String,
}

/// Something that may know the credential for one registry.
#[async_trait]
pub trait Source: Send + Sync {
    /// Looks the credential up. `Ok(None)` is anonymous.
    ///
    /// # Errors
    /// [`Unavailable`] when there should be one and it can't be had; never a silent downgrade to anonymous.
    async fn credential(&self) -> Result<Option<Found>, Unavailable>;
}

/// A secret that should be there and can't be had. Says why, and what the person can do about it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Unavailable {
    /// What is wrong, in one clause.
    pub message: String,
    /// The remedies, each a thing to do.
    pub hints: Vec<String>,
}

/// No credential at all.
pub struct Anonymous;

#[async_trait]
impl Source for Anonymous {
    async fn credential(&self) -> Result<Option<Found>, Unavailable> {
        Ok(None)
    }
}
