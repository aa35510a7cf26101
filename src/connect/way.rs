//! The way to one registry: what can be seen of it before anyone signs in, for `check`, `add` and `token`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::credentials::{Credential, Secret};
use crate::oci::Repository;
use crate::providers::detect::{self, Sighting};
use crate::providers::look::look;
use crate::providers::rate_limit;
use crate::registry::{Kind, RateLimit, Registry, Result};
use crate::transport::{Account, Client, PeerCertificate, Scope};

/// A registry and the connection that it stands on.
pub struct Way {
    pub(super) client: Client,
    pub(super) registry: Arc<dyn Registry>,
}

/// What a server showed to a stranger.
#[derive(Debug, Clone)]
pub struct Met {
    /// How long it took, from looking up the name to the answer.
    pub took: Duration,
    /// Who built it, where its answers tell.
    pub seen: Option<Sighting>,
}

impl Way {
    /// The registry.
    pub fn registry(&self) -> &Arc<dyn Registry> {
        &self.registry
    }

    /// Whether it is reached over TLS.
    pub fn is_tls(&self) -> bool {
        self.client.base().scheme() == "https"
    }

    /// Greets the server without a credential.
    ///
    /// # Errors
    /// When nothing answers, or its certificate is not accepted.
    pub async fn meet(&self) -> Result<Met> {
        let greeting = self.client.greet().await.map_err(|error| error.on("reach", self.registry.name()))?;
        let seen = look(&self.client, &greeting).await;
        Ok(Met { took: greeting.took, seen })
    }

    /// What its name resolves to, where this machine looks it up.
    pub async fn addresses(&self) -> Option<Vec<IpAddr>> {
        self.client.addresses().await
    }

    /// Its certificate as it is, accepted or not. `None` without TLS, or when it can't be seen.
    pub async fn certificate(&self) -> Option<PeerCertificate> {
        if !self.is_tls() {
            return None;
        }
        self.client.peer_certificate().await.ok()
    }

    /// How often it may be asked, for vendors that don't say so in every answer.
    pub async fn rate_limit(&self, kind: Kind) -> Option<RateLimit> {
        rate_limit::ask(&self.client, kind).await
    }

    /// How it wants to be signed in to, once it was asked: `none`, `basic` or `bearer`.
    pub fn auth_scheme(&self) -> Option<&'static str> {
        self.client.auth_scheme()
    }

    /// Whose credential was used so far.
    pub fn account(&self) -> Option<Account> {
        self.client.account()
    }

    /// What signs another program in to the registry as this one would; `None` where there is no credential. An identity token, which others
    /// don't take, becomes a token to pull from this repository.
    ///
    /// # Errors
    /// When there should be a credential and it can't be had, or nothing can be made of it.
    pub async fn credential(&self, repository: &Repository) -> Result<Option<Credential>> {
        let failed = |error: crate::registry::Error| error.on("sign in to", self.registry.name());
        match self.client.credential().await.map_err(failed)? {
            Some(Credential::IdentityToken(_)) => {
                let header = self.authorization(repository, &["pull"]).await?;
                let token = header.as_ref().and_then(|header| header.expose().strip_prefix("Bearer "));
                Ok(token.map(|token| Credential::RegistryToken(Secret::new(token))))
            }
            other => Ok(other),
        }
    }

    /// The value of the `Authorization` header that allows these actions on a repository; `None` where none is wanted.
    ///
    /// # Errors
    /// When the server can't be asked, or doesn't take the credential.
    pub async fn authorization(&self, repository: &Repository, actions: &[&'static str]) -> Result<Option<Secret>> {
        let header = self.client.authorization(Scope::repository(repository.as_str(), actions)).await;
        header.map_err(|error| error.on("get a token for", format!("{}/{repository}", self.registry.name())))
    }
}

/// The provider that a server's answers suggest for an entry that says `configured`; `None` when there is nothing to correct. A host name
/// that tells whose it is counts more than an answer: Tencent's registries answer like Harbor.
pub fn suggested_provider(host: &str, configured: Option<Kind>, seen: Option<&Sighting>) -> Option<Kind> {
    let seen = seen.filter(|_| detect::kind_of_host(host).is_none())?.kind;
    (configured.unwrap_or(Kind::Native) != seen).then_some(seen)
}
