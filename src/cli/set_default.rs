//! `regctl set-default`: the registry that is meant when none is named.

use clap::Args as ClapArgs;

use super::{Context, Exit};

/// Choose the registry that is meant when none is named
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl set-default prod
  regctl set-default --clear

REGCTL_REGISTRY chooses another one for a shell.")]
pub struct Args {
    /// The registry: name, id or host
    #[arg(
        value_name = "NAME",
        required_unless_present = "clear",
        conflicts_with = "clear",
        add = clap_complete::ArgValueCandidates::new(super::complete::registries)
    )]
    name: Option<String>,
    /// Leave no default
    #[arg(long)]
    clear: bool,
}

/// Sets or clears it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let Some(given) = &args.name else {
        match context.edit_catalogue(|catalogue| Ok(catalogue.clear_default()))?.value {
            Some(old) => context.printer.done(format!("there is no default now; it was {old}")),
            None => context.printer.note("there is no default already"),
        }
        return Ok(Exit::Done);
    };
    let edited = context.edit_catalogue(|catalogue| {
        let name = catalogue.find(given)?.0.clone();
        let old = catalogue.set_default(&name)?;
        Ok((old, catalogue.view_of(&name)?))
    })?;
    let (old, view) = edited.value;
    match old {
        _ if !edited.changed => context.printer.note(format!("{} is already the default", view.name)),
        Some(old) => context.printer.done(format!("the default is now {}; it was {old}", view.name)),
        None => context.printer.done(format!("the default is now {}", view.name)),
    }
    if context.printer.format().is_machine() {
        context.printer.report(&view, || super::get::document(&view, context.now).into())?;
    }
    Ok(Exit::Done)
}
