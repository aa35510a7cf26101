//! The places of secrets, and whether every registry that should have a secret has one.

use uuid::Uuid;

use super::super::Context;
use super::files::open_to_others;
use super::{Check, State};
use crate::catalogue::{Catalogue, Entry, Name, State as Life};
use crate::connect;
use crate::credentials::{BACKEND, Chain, Secret, Source, SourceKind, Store, StoreError, Wallet};

/// The keyring, the encrypted file and other programs' logins.
pub(super) fn places(context: &Context, catalogue: &Catalogue) -> Vec<Check> {
    let wallet = context.wallet();
    let used = entries(catalogue).any(|(_, entry)| entry.credential_store() == SourceKind::Keyring);
    vec![keyring(&wallet, used), encrypted_file(&wallet), docker(&wallet)]
}

/// The secret of every registry that should have one.
pub(super) fn registries(context: &Context, catalogue: &Catalogue) -> anyhow::Result<Vec<Check>> {
    let alone = entries(catalogue).count() == 1;
    let found = entries(catalogue).filter_map(|(name, entry)| secret(context, name, entry, alone).transpose());
    let mut checks = found.collect::<anyhow::Result<Vec<Check>>>()?;
    let mut lacking = checks.iter_mut().filter(|check| check.state == State::Problem);
    if let (Some(_), Some(last)) = (lacking.next(), lacking.last()) {
        last.hints.push("to be asked for all that are missing: regctl login --all".to_owned());
    }
    Ok(checks)
}

fn entries(catalogue: &Catalogue) -> impl Iterator<Item = (&Name, &Entry)> {
    catalogue.entries().filter(|(_, entry)| entry.state != Life::Removed)
}

/// Writes, reads and deletes a test entry.
fn keyring(wallet: &Wallet, used: bool) -> Check {
    let keyring = wallet.keyring();
    let account = format!("doctor-{}", Uuid::now_v7());
    let round_trip = keyring.reach().and_then(|()| keyring.set(&account, &Secret::new("a test")));
    match round_trip.and_then(|()| keyring.delete(&account)) {
        Ok(_) => Check::ok("keyring", format!("{BACKEND} answers; a test entry was written, read and deleted")),
        Err(error) => {
            let state = if used { State::Problem } else { State::Note };
            Check::new("keyring", state, format!("{BACKEND}: {error}")).hints(error.hints(None))
        }
    }
}

fn encrypted_file(wallet: &Wallet) -> Check {
    const CHECK: &str = "encrypted file";
    let file = wallet.encrypted_file();
    let (path, there) = match file.path().and_then(|path| file.look().map(|there| (path, there))) {
        Ok(known) => known,
        Err(StoreError::NoPlace(no_home)) => return Check::new(CHECK, State::Note, no_home.to_string()),
        Err(error) => return Check::new(CHECK, State::Problem, error.to_string()).hints(error.hints(None)),
    };
    if !there {
        Check::ok(CHECK, "not used")
    } else if open_to_others(path) == Some(true) {
        Check::new(CHECK, State::Problem, format!("{} can be read by others", path.display()))
            .hints([format!("chmod 600 {}", path.display())])
    } else {
        Check::ok(CHECK, path.display().to_string())
    }
}

fn docker(wallet: &Wallet) -> Check {
    let (files, warnings) = wallet.docker_files();
    if !warnings.is_empty() {
        return Check::new("docker logins", State::Note, warnings.join("; "));
    }
    Check::ok("docker logins", if files.is_empty() { "none".to_owned() } else { files.join(", ") })
}

/// Whether the secret of one registry can be had; nothing for registries without.
fn secret(context: &Context, name: &Name, entry: &Entry, alone: bool) -> anyhow::Result<Option<Check>> {
    let check = format!("secret of {name}");
    let settings = connect::chain_settings(name, entry, alone);
    let found = match settings.source {
        SourceKind::None if entry.username.is_none() => return Ok(None),
        // signed out of, or moved to another host
        SourceKind::None => {
            let detail = "it has a user name and no secret, so it is used without signing in";
            return Ok(Some(Check::new(check, State::Note, detail).hints([format!("sign in: regctl login {name}")])));
        }
        // Running it could cost something, or ask the person to touch a key.
        SourceKind::Command => {
            let program = settings.command.first().map_or("", String::as_str);
            return Ok(Some(Check::ok(check, format!("comes from the command `{program}`, which was not run"))));
        }
        _ => {
            let chain = Chain::new(settings, context.wallet(), None);
            context.block_on(async { Ok(chain.credential().await) })?
        }
    };
    Ok(Some(match found {
        Ok(Some(found)) => Check::ok(check, format!("in {}", found.origin)),
        Ok(None) => Check::new(check, State::Problem, "no login in any file of Docker or Podman")
            .hints([format!("sign in: regctl login {name}")]),
        Err(unavailable) => Check::new(check, State::Problem, unavailable.message).hints(unavailable.hints),
    }))
}
