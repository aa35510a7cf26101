//! **regctl**: registry catalogue and administration.
#![warn(missing_docs)]

pub mod credentials;
pub mod oci;
pub mod registry;
