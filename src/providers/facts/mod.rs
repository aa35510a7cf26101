//! What vendors tell of a registry beside its contents: which calls tell it, and what their answers mean in words.

pub(super) mod dockerhub;
pub(super) mod ecr;
pub(super) mod gar;
pub(super) mod gitlab;
pub(super) mod harbor;
pub(super) mod ionos;
pub(super) mod quay;

use crate::registry::{ErrorKind, Fact, Result};

/// The operation of every call here.
pub(super) const OPERATION: &str = "read the facts of";
/// The repositories that are asked one by one are no more than these: whoever has thousands wants an answer today.
pub(super) const MOST: usize = 100;

/// What an answer tells. That this credential may not ask is no failure but a fact about the credential, `needs` says what it takes; an
/// answer that can't be understood tells nothing.
pub(super) fn fact<T>(answer: Result<T>, needs: &str) -> Result<Fact<T>> {
    let error = match answer {
        Ok(value) => return Ok(Fact::Told(value)),
        Err(error) => error,
    };
    tracing::debug!("{error}");
    match error.kind() {
        // the vendor's API isn't known, or its remedy says how to sign in to it
        ErrorKind::Unsupported => Ok(Fact::Hidden(error.remedies().unwrap_or(needs).to_owned())),
        ErrorKind::Denied | ErrorKind::CredentialRefused | ErrorKind::CredentialMissing | ErrorKind::NotFound => {
            Ok(Fact::Hidden(needs.to_owned()))
        }
        ErrorKind::Protocol | ErrorKind::Invalid | ErrorKind::Conflict => Ok(Fact::Untold),
        _ => Err(error),
    }
}

/// `1 day`, `14 days`.
fn days(count: u64) -> String {
    plural(count, "day")
}

fn plural(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}
