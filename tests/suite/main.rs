//! Everything that is tested from outside the library: the program as a process, real registries, a real keyring, and the shape of
//! the source itself. One test binary, so that it links once.
//!
//! Tests that need something a machine may not have (see `support::left_out`) say so and pass; `tests/run --require` makes them fail.

mod cli;
mod keyring;
mod support;
mod testbed;
mod tidy;
