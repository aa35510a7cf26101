//! Arguments that several commands share.

use std::path::PathBuf;

use clap::Args;

/// Which registry, and as whom.
#[derive(Debug, Clone, Default, Args)]
pub struct TargetArgs {
    /// Take the argument as a repository of this registry
    #[arg(long, short, value_name = "NAME", add = clap_complete::ArgValueCandidates::new(super::complete::registries))]
    pub registry: Option<String>,

    /// Sign in as this user, with --password-stdin
    #[arg(long, value_name = "USER", requires = "password_stdin")]
    pub username: Option<String>,

    /// Read the password from standard input
    #[arg(long, requires = "username")]
    pub password_stdin: bool,
}

/// How far a command that deletes may go.
#[derive(Debug, Clone, Default, Args)]
pub struct DestroyArgs {
    /// Go ahead without asking
    #[arg(long, short, env = "REGCTL_YES", hide_env = true)]
    pub yes: bool,

    /// Show the plan and change nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,

    /// Save the plan to a file and change nothing; regctl apply-plan carries it out
    #[arg(long, value_name = "FILE", conflicts_with_all = ["yes", "dry_run"], value_hint = clap::ValueHint::FilePath)]
    pub plan: Option<PathBuf>,

    #[command(flatten)]
    pub undo: UndoArgs,
}

/// Whether what goes is kept.
#[derive(Debug, Clone, Default, Args)]
pub struct UndoArgs {
    /// Delete without keeping what regctl undo needs to put it back
    #[arg(long, env = "REGCTL_NO_UNDO", hide_env = true)]
    pub no_undo: bool,
}
