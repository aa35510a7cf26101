//! The rules of the five systems that the catalogue unites, in the groups in which they were collected: what every field is called and
//! whether it can be changed, the life of an entry (Rancher), looking registries up (Docker Cloud), defaults, providers and TLS (Zadig),
//! schedules and subnets (IONOS). Their documents are in the tests of import and export, repositories in those of the contents.

mod dockercloud;
mod fields;
mod ionos;
mod lifecycle;
mod zadig;

use crate::support::program::{Finished, Program};

/// Adds without asking a server.
fn add(program: &Program, arguments: &[&str]) -> Finished {
    program.run([&["add"], arguments, &["--no-check"]].concat())
}

/// An entry as programs see it.
fn get(program: &Program, name: &str) -> serde_json::Value {
    program.run(["get", name, "-o", "json"]).succeeds().json()
}

/// The catalogue as it is written.
fn written(program: &Program) -> String {
    std::fs::read_to_string(program.catalogue()).expect("it is there")
}
