//! What a registry can do, found out without changing anything.

use futures_util::TryStreamExt;
use serde::{Serialize, Serializer};

use crate::oci::{Digest, Repository};
use crate::registry::{ErrorKind, Ping, Registry, Result, Support};

/// Asked about when the registry lists no repository of its own: questions about what can't be there harm nothing.
const PROBE_REPOSITORY: &str = "regctl-probe";

/// What a registry can do. What is not known is `null` to programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Abilities {
    /// Listing repositories.
    #[serde(serialize_with = "known")]
    pub list: Support,
    /// Taking one tag away and nothing else.
    #[serde(serialize_with = "known")]
    pub untag: Support,
    /// Deleting by digest.
    #[serde(serialize_with = "known")]
    pub delete: Support,
    /// Listing what is attached to a manifest.
    #[serde(serialize_with = "known")]
    pub referrers: Support,
}

fn known<S: Serializer>(support: &Support, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    Some(*support).filter(|support| *support != Support::Unknown).serialize(serializer)
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
    let random = Digest::sha256(uuid::Uuid::now_v7().as_bytes());
    let (delete, untag, referrers) = futures_util::join!(
        registry.probe_delete(&repository),
        registry.probe_untag(&repository),
        registry.referrers(&repository, &random),
    );
    // what the questions have taught the registry counts more than the answers, which also depend on whether the repository is there
    let referrers = match (registry.capabilities().referrers, referrers) {
        (Support::Unknown, Ok(referrers)) if referrers.native => Support::Native,
        (learnt, _) => learnt,
    };
    let abilities =
        Abilities { list, untag: untag.unwrap_or(Support::Unknown), delete: delete.unwrap_or(Support::Unknown), referrers };
    Ok(Report { ping, abilities })
}

/// Whether repositories can be listed, and one to ask about.
async fn list(registry: &dyn Registry) -> (Support, Repository) {
    let nothing = || PROBE_REPOSITORY.parse().expect("the constant is a valid name");
    match registry.repositories().try_next().await {
        Ok(page) => {
            let support = match registry.capabilities().list {
                Support::Unknown => Support::Native,
                learnt => learnt,
            };
            (support, page.and_then(|page| page.into_iter().next()).unwrap_or_else(nothing))
        }
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
