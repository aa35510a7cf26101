//! Every manifest that a server lists, with a tag or without one.

use futures_util::TryStreamExt;

use crate::oci::{Digest, Repository};
use crate::registry::{ErrorKind, Registry, Result};

/// The manifests of a repository by the server's own list; else why there is none, in words that a sentence can begin with.
///
/// # Errors
/// When the list ends half way.
pub async fn listed(registry: &dyn Registry, repository: &Repository) -> Result<std::result::Result<Vec<Digest>, String>> {
    let Some(mut pages) = registry.manifests(repository) else {
        return Ok(Err(format!("{} lists no manifests without a tag", registry.name())));
    };
    let mut digests = Vec::new();
    loop {
        match pages.try_next().await {
            Ok(Some(page)) => digests.extend(page),
            Ok(None) => return Ok(Ok(digests)),
            // the vendor's API may take other credentials than `/v2/`
            Err(error) if digests.is_empty() && is_about_who_asks(error.kind()) => {
                return Ok(Err(format!("{} does not list manifests without a tag ({error})", registry.name())));
            }
            Err(error) => return Err(error),
        }
    }
}

fn is_about_who_asks(kind: ErrorKind) -> bool {
    use ErrorKind::{CredentialMissing, CredentialRefused, Denied, NotFound, Unsupported};
    matches!(kind, Unsupported | Denied | CredentialRefused | CredentialMissing | NotFound)
}
