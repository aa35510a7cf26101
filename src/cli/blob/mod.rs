//! `regctl blob`: the raw protocol.

pub mod get;
pub mod head;

use clap::Subcommand;

use super::{Context, Exit};

/// Read blobs as they are
#[derive(Debug, Subcommand)]
pub enum Command {
    Get(get::Args),
    Head(head::Args),
}

impl Command {
    /// Runs it.
    pub fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Command::Get(args) => get::run(args, context),
            Command::Head(args) => head::run(args, context),
        }
    }
}
