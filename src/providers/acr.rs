//! Alibaba's Container Registry: its registry part lists no repositories. Its own APIs (one for each edition) take cloud keys, which the
//! registry doesn't, and are not asked; what `/v2/` deletes is not documented and found out by trying.
//!
//! Written from Alibaba's documentation and Harbor's adapter, tried against a fake only.

use super::Place;
use super::provider::{Provider, Vendor};
use crate::distribution::Quirks;
use crate::registry::{Error, ErrorKind, Support};

pub(super) fn vendor() -> Vendor {
    let quirks = Quirks {
        list: Support::Unsupported,
        no_delete: "Alibaba's registry doesn't delete through /v2/",
        probe_tells: false,
        ..Quirks::default()
    };
    Vendor { quirks, open: |_: &Place| Ok(Box::new(Acr)) }
}

struct Acr;

impl Provider for Acr {
    fn judge(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Unsupported => error.remedy(
                "in Alibaba's console or with its own tool: aliyun cr DeleteRepoTag; to list repositories, name them in the entry: --repository",
            ),
            _ => error,
        }
    }
}
