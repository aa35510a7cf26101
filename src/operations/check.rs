//! What a registry can do, found out without changing anything.

use futures_util::TryStreamExt;
use serde::Serialize;

use crate::oci::{Digest, Repository, Tag};
use crate::registry::{ErrorKind, Ping, Registry, Result, Support};

/// Asked about when the registry lists no repository of its own: questions about what can't be there harm nothing.
const PROBE_REPOSITORY: &str = "regctl-probe";

/// What a registry can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Abilities {
    /// Listing repositories.
    pub list: Support,
    /// Taking one tag away and nothing else.
    pub untag: Support,
    /// Deleting by digest.
    pub delete: Support,
    /// Listing what is attached to a manifest.
    pub referrers: Support,
}

/// What was found out.
#[derive(Debug)]
pub struct Report {
    /// What the server says of itself.
    pub ping: Ping,
    /// What it can do.
    pub abilities: Abilities,
}

/// Asks the registry about itself. Sends two deletions that can't delete anything: of a random digest and of a random tag.
pub async fn check(registry: &dyn Registry) -> Result<Report> {
    let ping = registry.ping().await?;
    let (list, repository) = list(registry).await;
    let random = uuid::Uuid::now_v7();
    let digest = Digest::sha256(random.as_bytes());
    let tag: Tag = format!("regctl-probe-{}", random.simple()).parse().expect("hex digits make a tag");
    let (delete, untag, referrers) = futures_util::join!(
        registry.probe_delete(&repository),
        registry.untag(&repository, &tag),
        registry.referrers(&repository, &digest),
    );
    let untag = match untag {
        Ok(_) => Support::Native,
        Err(error) if error.kind() == ErrorKind::Unsupported => Support::Unsupported,
        Err(_) => Support::Unknown,
    };
    let referrers = match referrers {
        Ok(referrers) if referrers.native => Support::Native,
        Ok(_) => Support::Emulated,
        Err(_) => Support::Unknown,
    };
    Ok(Report { ping, abilities: Abilities { list, untag, delete: delete.unwrap_or(Support::Unknown), referrers } })
}

/// Whether repositories can be listed, and one to ask about.
async fn list(registry: &dyn Registry) -> (Support, Repository) {
    let nothing = || PROBE_REPOSITORY.parse().expect("the constant is a valid name");
    match registry.repositories().try_next().await {
        Ok(page) => (Support::Native, page.and_then(|page| page.into_iter().next()).unwrap_or_else(nothing)),
        Err(error) => {
            let refused = matches!(
                error.kind(),
                ErrorKind::Unsupported
                    | ErrorKind::NotFound
                    | ErrorKind::Denied
                    | ErrorKind::CredentialRefused
                    | ErrorKind::CredentialMissing
            );
            (if refused { Support::Unsupported } else { Support::Unknown }, nothing())
        }
    }
}
