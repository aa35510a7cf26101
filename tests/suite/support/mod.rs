//! What tests stand on: the program in a home of its own, and real components that are started for one test and gone after it.

pub mod canned;
pub mod certificates;
pub mod content;
pub mod counted;
pub mod docker_registry;
pub mod front;
pub mod http;
pub mod keyring;
pub mod left_out;
pub mod moto;
pub mod program;
pub mod schedulers;
pub mod storage;
#[cfg(unix)]
pub mod terminal;
pub mod token_server;
