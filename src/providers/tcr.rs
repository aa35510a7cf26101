//! Tencent's TCR: a Harbor in its registry part, so that by digest is the way to delete. Its own API takes cloud keys, which the registry
//! doesn't, and is not asked: a tag that shares its digest is left.
//!
//! Written from Tencent's documentation and Harbor's adapter, tried against a fake only.

use super::Place;
use super::provider::{Provider, Vendor};
use crate::distribution::Quirks;
use crate::registry::{Error, ErrorKind, Support};

pub(super) fn vendor() -> Vendor {
    let quirks = Quirks {
        // Harbor refuses it with 400
        untag: Support::Unsupported,
        delete: Support::Native,
        probe_tells: false,
        ..Quirks::default()
    };
    Vendor { quirks, open: |_: &Place| Ok(Box::new(Tcr)) }
}

struct Tcr;

impl Provider for Tcr {
    fn judge(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Unsupported => error.remedy(
                "in Tencent's console or with tccli: tccli tcr DeleteRepositoryTags; to list repositories, name them in the entry: --repository",
            ),
            ErrorKind::Denied => error.remedy("the instance token or service account needs the permission to delete in this namespace"),
            _ => error,
        }
    }
}
