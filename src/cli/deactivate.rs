//! `regctl deactivate`: a registry out of use, with everything kept.

use clap::Args as ClapArgs;

use super::each::each;
use super::{Context, Exit};
use crate::catalogue::Outcome;

/// Take registries out of use
///
/// Their contents can't be reached until they are activated again. Entry and secret are kept.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl deactivate prod
  regctl deactivate lab staging")]
pub struct Args {
    /// The registries: name, id or host
    #[arg(value_name = "NAME", required = true, add = clap_complete::ArgValueCandidates::new(super::complete::registries))]
    names: Vec<String>,
}

/// Deactivates each.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    each(context, &args.names, |given| {
        let edited = context.edit_catalogue(|catalogue| {
            let name = catalogue.find(given)?.0.clone();
            let outcome = catalogue.deactivate(&name, context.now)?;
            Ok((outcome, catalogue.view_of(&name)?))
        })?;
        let (outcome, view) = edited.value;
        match outcome {
            Outcome::Already => context.printer.note(format!("{} is already inactive", view.name)),
            Outcome::Changed | Outcome::ChangedAndNoDefault => {
                context.printer.done(format!("deactivated {}", view.name));
                if view.is_default {
                    context
                        .printer
                        .note(format!("{} is still the default; choose another with regctl set-default NAME", view.name));
                }
            }
        }
        Ok(view)
    })
}
