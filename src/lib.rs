//! **regctl**: registry catalogue and administration.
#![warn(missing_docs)]

pub mod catalogue;
pub mod cli;
pub mod connect;
pub mod credentials;
pub mod distribution;
pub mod duration;
pub mod files;
pub mod near_miss;
pub mod oci;
pub mod operations;
pub mod output;
pub mod providers;
pub mod registry;
pub mod serve;
pub mod transport;
