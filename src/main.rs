//! The `regctl` program. Everything is in the library; see its documentation for the map.

use std::process::ExitCode;

fn main() -> ExitCode {
    regctl::cli::main(std::env::args_os().collect())
}
