//! `regctl remove`: a registry hidden, and kept for a while.

use clap::Args as ClapArgs;

use super::each::each;
use super::{Context, Exit};
use crate::catalogue::Outcome;
use crate::output::units;

/// Remove registries from the catalogue
///
/// Nothing is asked of the server. Entry and secret are kept until the trash retention is over (30 days unless the catalogue says otherwise),
/// so nothing has to be confirmed: `regctl restore` brings them back.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl remove oldlab
  regctl rm oldlab staging --yes")]
pub struct Args {
    /// The registries: name, id or host
    #[arg(value_name = "NAME", required = true, add = clap_complete::ArgValueCandidates::new(super::complete::registries))]
    names: Vec<String>,
    /// Accepted for scripts; removing never asks, because it can be undone
    #[arg(long, short)]
    yes: bool,
}

/// Removes each.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    each(context, &args.names, |given| {
        let edited = context.edit_catalogue(|catalogue| {
            let name = catalogue.find(given)?.0.clone();
            let outcome = catalogue.remove(&name, context.now)?;
            Ok((outcome, catalogue.view_of(&name)?))
        })?;
        let (outcome, view) = edited.value;
        if outcome == Outcome::Already {
            context.printer.note(format!("{} is already removed", view.name));
            return Ok(view);
        }
        let until = view.purge_after.map_or(String::new(), |end| format!(" until {}", units::date(end)));
        context.printer.done(format!("removed {}; kept{until}", view.name));
        context.printer.hint(format!("regctl restore {}", view.name));
        if outcome == Outcome::ChangedAndNoDefault {
            context.printer.warn(format!("{} was the default; there is none now", view.name));
        }
        Ok(view)
    })
}
