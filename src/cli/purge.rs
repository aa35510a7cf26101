//! `regctl purge`: a removed registry gone for good, with its secret.

use clap::Args as ClapArgs;

use super::each::each;
use super::{Context, Exit, Refusal, prompt};

/// Delete removed registries and their secrets for good
///
/// Only what was removed before can be purged, so a script needs no confirmation; a person at a terminal is asked.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl purge oldlab
  regctl remove oldlab && regctl purge oldlab --yes")]
pub struct Args {
    /// The registries: name or id
    #[arg(value_name = "NAME", required = true, add = clap_complete::ArgValueCandidates::new(super::complete::registries))]
    names: Vec<String>,
    /// Go ahead without asking
    #[arg(long, short)]
    yes: bool,
}

/// Purges each.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let store = context.catalogue_store()?;
    each(context, &args.names, |given| {
        let catalogue = store.load()?;
        let name = catalogue.find(given)?.0.clone();
        let view = catalogue.view_of(&name)?;
        catalogue.purgeable(&name)?;
        let ask = !args.yes && prompt::is_interactive();
        if ask && !prompt::confirm(&format!("Delete {name} and its secret for good?"))? {
            return Err(Refusal::new(Exit::Refused, format!("{name} is kept: not confirmed")).into());
        }
        context.purge(&store, &catalogue, &name)?;
        context.printer.done(format!("purged {name}"));
        Ok(view)
    })
}
