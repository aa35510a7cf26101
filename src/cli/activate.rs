//! `regctl activate`: a registry in use again.

use clap::Args as ClapArgs;

use super::each::each;
use super::{Context, Exit};
use crate::catalogue::Outcome;

/// Put registries in use again
///
/// A registry that was deactivated still has its secret, so nothing has to be typed again.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl activate prod
  regctl activate lab staging")]
pub struct Args {
    /// The registries: name, id or host
    #[arg(value_name = "NAME", required = true, add = clap_complete::ArgValueCandidates::new(super::complete::registries))]
    names: Vec<String>,
}

/// Activates each.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    each(context, &args.names, |given| {
        let edited = context.edit_catalogue(|catalogue| {
            let name = catalogue.find(given)?.0.clone();
            let outcome = catalogue.activate(&name, context.now)?;
            Ok((outcome, catalogue.view_of(&name)?))
        })?;
        let (outcome, view) = edited.value;
        match outcome {
            Outcome::Already => context.printer.note(format!("{} is already active", view.name)),
            Outcome::Changed | Outcome::ChangedAndNoDefault => context.printer.done(format!("activated {}", view.name)),
        }
        Ok(view)
    })
}
