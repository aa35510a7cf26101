//! Credentials that are made of those that people keep: a login at Huawei's SWR and a token for Amazon's ECR, each of access keys.
//!
//! What is made lives in memory, for one run. It is never written over the keys: whoever stores a token that ends tonight in place of the
//! keys that make tokens has lost them (Zadig does so when an entry is changed).

pub(super) mod ecr;
pub(super) mod swr;

use std::sync::Arc;

pub use ecr::ECR_USER;

use crate::registry::Kind;
use crate::transport::{Exchange, Settings};

/// What turns the kept credential of such a registry into the one that it takes; `None` for those that take it as it is.
pub fn exchange(kind: Kind, region: Option<&str>, settings: &Settings) -> Option<Arc<dyn Exchange>> {
    match kind {
        Kind::Ecr => Some(Arc::new(ecr::EcrToken::new(region, settings))),
        Kind::Swr => Some(Arc::new(swr::SwrLogin::new(region, settings))),
        _ => None,
    }
}
