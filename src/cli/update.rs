//! `regctl update`: changes what is named and nothing else.

use clap::Args as ClapArgs;

use super::fields::{FieldArgs, subnets, value};
use super::{Context, Exit, Refusal, catalogue, pin};
use crate::catalogue::{Changes, Field, LabelKey, Name, Updated, Updating};

/// Change fields of a registry
///
/// Only what is named changes. Another host or port leaves the credential behind, unless --keep-credentials says that it belongs there too.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl update prod --description 'what the clusters pull from' --label env=prod
  regctl update prod --name production
  regctl update prod --address https://new.example.com --keep-credentials
  regctl update prod --unset description --unset tls.ca")]
pub struct Args {
    /// The registry: name, id or host
    #[arg(value_name = "NAME", add = clap_complete::ArgValueCandidates::new(super::complete::registries))]
    registry: String,
    /// Give it another name; its id stays
    #[arg(long, value_name = "NAME")]
    name: Option<Name>,
    /// Where it is now
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// Take a field away; can be repeated
    #[arg(long, value_name = "FIELD", value_parser = value::<Field>)]
    unset: Vec<Field>,
    /// Take a label away; can be repeated
    #[arg(long, value_name = "KEY", value_parser = value::<LabelKey>)]
    remove_label: Vec<LabelKey>,
    /// Allow connections to these addresses no more; can be repeated
    #[arg(long, value_name = "SUBNET")]
    remove_allow_subnet: Vec<String>,
    /// Use the credential at the new host or port too
    #[arg(long)]
    keep_credentials: bool,
    /// Also when another entry is the same account in the same place
    #[arg(long)]
    allow_duplicate: bool,
    #[command(flatten)]
    fields: FieldArgs,
}

/// Updates it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let mut changes = changes(args, context)?;
    if args.fields.asks_for_pin() {
        let catalogue = context.catalogue()?;
        let (name, entry) = catalogue.find(&args.registry)?;
        let mut entry = entry.clone();
        changes.apply(&mut entry, catalogue::host_rules)?;
        changes.tls_pin = Some(pin::ask(context, name, &entry)?);
    }
    let how = Updating { name: args.name.clone(), allow_duplicate: args.allow_duplicate, keep_credentials: args.keep_credentials };
    let edited = context.edit_catalogue(|catalogue| {
        let (name, entry) = catalogue.find(&args.registry)?;
        let (name, username) = (name.clone(), entry.username.clone());
        let updated = catalogue.update(&name, &changes, &how, catalogue::host_rules, context.now)?;
        let view = catalogue.view_of(&updated.name)?;
        Ok((updated, username, view))
    })?;
    let (updated, old_username, view) = edited.value;
    updated.notes.iter().for_each(|note| context.printer.note(note));
    if edited.changed {
        context.printer.done(format!("updated {}: {}", updated.name, updated.changed.join(", ")));
        forget_orphan(&updated, context);
        let renamed_user = updated.changed.iter().any(|field| field == "username") && old_username.is_some();
        if renamed_user && updated.orphaned.is_none() && view.credential.is_store() {
            context.printer.note(format!("the password is still the old user's; sign in again: regctl login {}", updated.name));
        }
    } else {
        context.printer.note(format!("{} is unchanged", updated.name));
    }
    if context.printer.format().is_machine() {
        context.printer.report(&view, || super::get::document(&view, context.now).into())?;
    }
    Ok(Exit::Done)
}

fn changes(args: &Args, context: &Context) -> anyhow::Result<Changes> {
    let mut changes = args.fields.changes(context)?;
    changes.address = args.address.as_deref().map(|text| args.fields.address(text, context)).transpose()?;
    changes.unset = args.unset.clone();
    changes.remove_labels = args.remove_label.clone();
    changes.remove_allow_subnets = subnets(&args.remove_allow_subnet, context)?;
    if changes.is_empty() && args.name.is_none() && !args.fields.asks_for_pin() {
        return Err(Refusal::usage("nothing to change").hint("name at least one field; regctl update --help lists them").into());
    }
    Ok(changes)
}

/// Deletes a secret that doesn't belong to the entry any more.
fn forget_orphan(updated: &Updated, context: &Context) {
    let name = &updated.name;
    if updated.detached {
        context.printer.warn(format!("{name} is at another host now, so its credential was left behind"));
        context.printer.hint(format!("regctl login {name}"));
    }
    if let Some(place) = updated.orphaned
        && let Err(error) = context.wallet().forget(place, &updated.id.to_string())
    {
        context.printer.warn(format!("the old secret of {name} could not be deleted: {error}"));
    }
}
