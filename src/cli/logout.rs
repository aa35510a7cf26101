//! `regctl logout`: a secret, forgotten.

use clap::Args as ClapArgs;

use super::{Context, Exit, Refusal};
use crate::catalogue::{Changes, State, Updating};
use crate::credentials::SourceKind;

/// Forget the secret of a registry
///
/// The secret is deleted where regctl keeps it, and the registry is used without credentials from then on. User name and everything else
/// stay in the catalogue. Other programs' logins are never touched.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl logout prod")]
pub struct Args {
    /// The registry: name, id or host
    #[arg(value_name = "NAME", add = clap_complete::ArgValueCandidates::new(super::complete::registries))]
    registry: String,
}

/// Forgets the secret, then writes that down.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let store = context.catalogue_store()?;
    let catalogue = store.load()?;
    let (name, entry) = catalogue.find(&args.registry)?;
    if entry.state == State::Removed {
        let hint = format!("bring it back with regctl restore {name}, or take it away with its secret: regctl purge {name}");
        return Err(Refusal::new(Exit::Conflict, format!("{name} is removed")).hint(hint).into());
    }
    let kind = entry.credential_store();
    let elsewhere = match kind {
        SourceKind::Keyring | SourceKind::EncryptedFile => None,
        SourceKind::None => {
            context.printer.done(format!("{name} has no secret"));
            return Ok(Exit::Done);
        }
        SourceKind::Env => Some("the environment"),
        SourceKind::Command => Some("a command"),
        SourceKind::Docker => Some("the login of Docker or Podman"),
    };
    if let Some(elsewhere) = elsewhere {
        let message = format!("regctl does not keep the secret of {name}: it comes from {elsewhere}");
        let hint = format!("to use it without credentials: regctl update {name} --credential none");
        return Err(Refusal::new(Exit::Conflict, message).hint(hint).into());
    }
    let wallet = context.wallet();
    let id = entry.id(name).to_string();
    let was_there = wallet.forget(kind, &id).map_err(|error| error.unavailable(Some(name.as_str())))?;
    let changes = Changes { credential: Some(SourceKind::None), ..Changes::default() };
    store.edit(|catalogue| catalogue.update(name, &changes, &Updating::default(), super::catalogue::host_rules, context.now))?;
    context.connector(None).forget_tokens();
    context.printer.done(match was_there {
        true => format!("signed out of {name}; its secret is deleted"),
        false => format!("signed out of {name}; there was no secret"),
    });
    Ok(Exit::Done)
}
