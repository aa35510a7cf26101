//! `regctl tag`.

pub mod delete;
pub mod get;
pub mod list;

use clap::Subcommand;

use super::{Context, Exit};

/// List, look at and delete tags
#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(visible_alias = "ls")]
    List(list::Args),
    #[command(visible_alias = "show")]
    Get(get::Args),
    #[command(visible_alias = "rm", alias = "del")]
    Delete(delete::Args),
}

impl Command {
    /// Runs it.
    pub fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Command::List(args) => list::run(args, context),
            Command::Get(args) => get::run(args, context),
            Command::Delete(args) => delete::run(args, context),
        }
    }
}
