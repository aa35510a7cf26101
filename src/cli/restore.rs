//! `regctl restore`: a removed registry brought back.

use clap::Args as ClapArgs;

use super::each::each;
use super::{Context, Exit};

/// Bring removed registries back
///
/// They come back inactive and are never the default.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl restore oldlab
  regctl restore oldlab && regctl activate oldlab")]
pub struct Args {
    /// The registries: name or id
    #[arg(value_name = "NAME", required = true, add = clap_complete::ArgValueCandidates::new(super::complete::registries))]
    names: Vec<String>,
    /// Also when another entry is the same account in the same place by now
    #[arg(long)]
    allow_duplicate: bool,
}

/// Restores each.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    each(context, &args.names, |given| {
        let edited = context.edit_catalogue(|catalogue| {
            let name = catalogue.find(given)?.0.clone();
            catalogue.restore(&name, args.allow_duplicate, context.now)?;
            catalogue.view_of(&name)
        })?;
        context.printer.done(format!("restored {}; it is inactive", edited.value.name));
        context.printer.hint(format!("regctl activate {}", edited.value.name));
        Ok(edited.value)
    })
}
