//! A registry on loopback inside the program (distribution-spec 1.1): the sandbox of `regctl serve` and `regctl demo`, and the test
//! double that can behave like other servers, well or badly.
//!
//! Shares only [`oci`](crate::oci) with the client side, so that neither hides the other's mistakes. Content lives in memory or in a
//! folder of OCI image layouts ([`Storage`]); what makes it act like another server is data ([`Behaviour`]), applied in one layer around
//! honest handlers; who may do what is in `auth`.

mod answer;
mod auth;
mod behaviour;
mod blobs;
mod folder;
mod held;
mod listing;
mod manifests;
mod record;
mod route;
pub mod sample;
mod server;
mod storage;

pub use auth::{Account, Auth};
pub use behaviour::{Behaviour, Catalog, Links, TagDelete, TooMany};
pub use record::{Counters, Recorded};
pub use server::{Running, Settings};
pub use storage::Storage;
