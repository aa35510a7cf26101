//! zot: all of it is in `/v2/`, and known beforehand. What an index lists can't be deleted before it.
//!
//! Written from zot's source, tried against a fake only.

use super::Place;
use super::provider::{Provider, Vendor};
use crate::distribution::Quirks;
use crate::registry::{Error, ErrorKind, Support};

pub(super) fn vendor() -> Vendor {
    let quirks = Quirks {
        list: Support::Native,
        untag: Support::Native,
        delete: Support::Native,
        referrers: Support::Native,
        // an unknown repository is 400, and there is no switch to find out about
        probe_tells: false,
        ..Quirks::default()
    };
    Vendor { quirks, open: |_: &Place| Ok(Box::new(Zot)) }
}

struct Zot;

impl Provider for Zot {
    fn judge(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Conflict => error.remedy("an index lists the manifest, or several tags are on it: delete those first"),
            ErrorKind::Denied => error.remedy("zot's accessControl has to give the user the action delete for this repository"),
            _ => error,
        }
    }
}
