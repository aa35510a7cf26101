//! `regctl man`: manual pages, from the same texts as the help.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args as ClapArgs, Command, CommandFactory};

use super::{Context, Exit};

/// Print the manual page, or write one for each command
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl man | man -l -
  regctl man --directory ~/.local/share/man/man1")]
pub struct Args {
    /// Write all pages into this folder instead
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    directory: Option<PathBuf>,
}

/// Prints or writes the pages.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let command = super::Cli::command();
    match &args.directory {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            context.printer.write(&page)?;
        }
        Some(directory) => {
            fs::create_dir_all(directory).with_context(|| format!("can't make {}", directory.display()))?;
            let pages = write_pages(&command, "regctl", directory)?;
            context.printer.done(format!("wrote {pages} pages to {}", directory.display()));
        }
    }
    Ok(Exit::Done)
}

fn write_pages(command: &Command, name: &str, directory: &Path) -> anyhow::Result<usize> {
    let path = directory.join(format!("{name}.1"));
    let mut page = Vec::new();
    // the page is called by its whole path, `regctl-tag-list`
    let named = command.clone().name(name.to_owned().leak() as &'static str);
    clap_mangen::Man::new(named).render(&mut page)?;
    fs::write(&path, page).with_context(|| format!("can't write {}", path.display()))?;
    let mut pages = 1;
    for child in command.get_subcommands().filter(|child| !child.is_hide_set() && child.get_name() != "help") {
        pages += write_pages(child, &format!("{name}-{}", child.get_name()), directory)?;
    }
    Ok(pages)
}
