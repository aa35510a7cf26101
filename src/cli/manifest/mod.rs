//! `regctl manifest`: the raw protocol.

pub mod delete;
pub mod get;
pub mod head;
pub mod put;

use clap::Subcommand;

use super::{Context, Exit};

/// Read, store and delete manifests as they are
#[derive(Debug, Subcommand)]
pub enum Command {
    Get(get::Args),
    Head(head::Args),
    Put(put::Args),
    #[command(visible_alias = "rm", alias = "del")]
    Delete(delete::Args),
}

impl Command {
    /// Runs it.
    pub fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Command::Get(args) => get::run(args, context),
            Command::Head(args) => head::run(args, context),
            Command::Put(args) => put::run(args, context),
            Command::Delete(args) => delete::run(args, context),
        }
    }
}
