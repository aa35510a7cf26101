//! Everything that is tested from outside the library: the program as a process, real registries, a real keyring, and the shape of
//! the source itself. One test binary, so that it links once.
//!
//! Tests that need something a machine may not have (see `support::left_out`) say so and pass; `tests/run --require` makes them fail.

#![allow(clippy::disallowed_methods, reason = "tests look at the machine as it is")]

mod cli;
mod conformance;
mod embedded;
mod keyring;
mod network;
mod support;
mod testbed;
mod tidy;
