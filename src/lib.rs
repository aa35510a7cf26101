//! **regctl**: registry catalogue and administration.
#![warn(missing_docs)]

pub mod cli;
pub mod credentials;
pub mod distribution;
pub mod files;
pub mod oci;
pub mod operations;
pub mod output;
pub mod registry;
pub mod transport;
