//! `regctl completions`: what a shell needs to complete our commands.
//!
//! The scripts ask the program itself, so they know the catalogue's names and never fall behind the commands. Built on an interface
//! that clap calls unstable; this is the only file that touches it.

use clap::{Args as ClapArgs, CommandFactory, ValueEnum};
use clap_complete::env::{Bash, CompleteEnv, EnvCompleter, Fish, Powershell, Zsh};

use super::{Context, Exit};

/// The variable by which the scripts ask.
const VARIABLE: &str = "REGCTL_COMPLETE";

/// Print the completion script of a shell
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl completions bash > ~/.local/share/bash-completion/completions/regctl
  regctl completions zsh > ~/.zfunc/_regctl
  regctl completions fish > ~/.config/fish/completions/regctl.fish
  regctl completions powershell >> $PROFILE")]
pub struct Args {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

/// Prints the script.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let completer: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
    };
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, "regctl", "regctl", "regctl", &mut script)?;
    context.printer.write(&script)?;
    Ok(Exit::Done)
}

/// Answers a shell that asks for completions; true if that was all that was wanted.
pub(super) fn answer(args: &[std::ffi::OsString]) -> bool {
    let directory = std::env::current_dir().ok();
    let complete = CompleteEnv::with_factory(super::Cli::command).var(VARIABLE).bin("regctl");
    complete.try_complete(args.iter().cloned(), directory.as_deref()).unwrap_or(false)
}
