//! `regctl add`: a new registry in the catalogue, asked before it is trusted.

use clap::Args as ClapArgs;

use super::error::explain;
use super::fields::FieldArgs;
use super::{Context, Exit, Refusal, catalogue, pin, prompt};
use crate::catalogue::{Added, Adding, BecomeDefault, Changes, Entry, LastCheck, Name, State};
use crate::connect::{Met, PeerCertificate, Way};
use crate::credentials::{Credential, Secret, SourceKind};
use crate::output::units;
use crate::registry::{Error, ErrorKind, Kind, Ping};

/// Add a registry to the catalogue
///
/// The server is asked whether it is a registry and accepts the credential. When it doesn't, the entry is kept inactive. The first registry
/// becomes the default. The secret goes to the system keyring, never into the catalogue.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl add prod https://harbor.example.com --username 'robot$ci' --namespace team-a
  regctl add hub docker.io --username acme --password-stdin < token.txt
  regctl add lab http://10.0.0.7:5000 --plain-http --no-check
  regctl add corp https://registry.corp.example --tls-cert corp-ca.pem")]
pub struct Args {
    /// What to call it: a-z, 0-9 and -, beginning with a letter
    #[arg(value_name = "NAME")]
    name: String,
    /// Where it is: https://HOST[:PORT][/PATH]
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// Make it the default
    #[arg(long, conflicts_with_all = ["no_default", "inactive"])]
    default: bool,
    /// Don't make it the default, even if it is the first
    #[arg(long)]
    no_default: bool,
    /// Add it, but don't use it yet
    #[arg(long)]
    inactive: bool,
    /// Don't ask the server
    #[arg(long)]
    no_check: bool,
    /// Also when another entry is the same account in the same place
    #[arg(long)]
    allow_duplicate: bool,
    /// Read the password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    #[command(flatten)]
    fields: FieldArgs,
}

/// Adds it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let name = name(&args.name)?;
    let (mut entry, how) = entry(args, context)?;
    // what stands in the way is told before anyone types a password or a server is asked
    let known = context.catalogue()?;
    known.clone().add(name.clone(), entry.clone(), how, context.now)?;
    if args.fields.asks_for_pin() {
        entry.tls.pin_sha256 = Some(pin::ask(context, &name, &entry)?);
    }
    let secret = secret(args, &entry)?;
    let checked = match args.no_check {
        true => None,
        false => Some(check(context, &name, &entry, secret.as_ref())?),
    };
    if let (None, Some(Ok(Reached { met: Met { seen: Some(seen), .. }, .. }))) = (entry.provider, &checked) {
        context.printer.note(format!("provider {}, because of {}", seen.kind, seen.why));
        entry.provider = Some(seen.kind);
    }
    let id = entry.assign_id().to_string();
    if let Some(Err(_)) = &checked {
        entry.state = State::Inactive;
    }
    let refused = matches!(&checked, Some(Err(error)) if error.kind() == ErrorKind::CredentialRefused);
    let kept = match &secret {
        Some(secret) if !refused => Some(keep(context, &name, &mut entry, secret)?),
        _ => None,
    };
    let how = if entry.state == State::Active { how } else { Adding { default: BecomeDefault::No, ..how } };
    let added = match context.edit_catalogue(|catalogue| catalogue.add(name.clone(), entry.clone(), how, context.now)) {
        Ok(edited) => edited.value,
        Err(error) => {
            if kept.is_some() {
                let _ = context.wallet().forget(entry.credential_store(), &id);
            }
            return Err(error);
        }
    };
    if let Some(checked) = &checked {
        context.remember_check(&id, &remembered(context, checked));
    }
    report(context, &name, &entry, &added, checked, kept)
}

fn name(text: &str) -> anyhow::Result<Name> {
    text.parse::<Name>().map_err(|error| {
        let slug = Name::slug(text).filter(|_| !text.is_empty());
        let refusal = Refusal::usage(error.to_string());
        match slug {
            Some(slug) => refusal.hint(format!("{slug} would do; keep the text with --display-name")).into(),
            None => refusal.into(),
        }
    })
}

fn entry(args: &Args, context: &Context) -> anyhow::Result<(Entry, Adding)> {
    let address = args.fields.address(&args.address, context)?;
    let changes: Changes = args.fields.changes(context)?;
    let mut entry = Entry::at(address);
    let notes = changes.apply(&mut entry, catalogue::host_rules)?;
    notes.iter().for_each(|note| context.printer.note(note));
    if !entry.tls.verify {
        context.printer.warn("certificates of this registry are not verified");
    }
    if args.inactive {
        entry.state = State::Inactive;
    }
    let default = match (args.default, args.no_default) {
        (true, _) => BecomeDefault::Yes,
        (_, true) => BecomeDefault::No,
        _ => BecomeDefault::IfFirst,
    };
    Ok((entry, Adding { default, allow_duplicate: args.allow_duplicate }))
}

/// The password from standard input; from the person where there is one, a user name, and a place to keep it.
fn secret(args: &Args, entry: &Entry) -> anyhow::Result<Option<Secret>> {
    if args.password_stdin {
        if !entry.credential_store().is_store() {
            let place = entry.credential_store();
            return Err(Refusal::usage(format!("a password is given, and credential = {place} keeps none")).into());
        }
        return prompt::password_from_stdin().map(Some);
    }
    let (Some(username), Some(address)) = (&entry.username, &entry.address) else { return Ok(None) };
    if !entry.credential_store().is_store() || !prompt::is_interactive() {
        return Ok(None);
    }
    let typed = prompt::password(&format!("Password for {username} at {}: ", address.authority()))?;
    Ok(Some(typed).filter(|secret| !secret.is_empty()))
}

/// What the server had to say.
struct Reached {
    met: Met,
    certificate: Option<PeerCertificate>,
    ping: Ping,
}

async fn reach(way: &Way) -> Result<Reached, Error> {
    let met = way.meet().await?;
    let (certificate, ping) = futures_util::join!(way.certificate(), way.registry().ping());
    Ok(Reached { met, certificate, ping: ping? })
}

/// Asks the server.
fn check(context: &Context, name: &Name, entry: &Entry, secret: Option<&Secret>) -> anyhow::Result<Result<Reached, Error>> {
    let explicit = match (&entry.username, secret) {
        (Some(username), Some(secret)) => Some(Credential::new(username.as_str(), secret.clone())),
        _ => None,
    };
    let mut asked = entry.clone();
    if explicit.is_none() && entry.credential_store().is_store() {
        // nothing is kept yet, so there is no use in looking
        asked.credential = Some(SourceKind::None);
    }
    let checked = match context.connector(explicit).way(name, &asked, true) {
        Ok(way) => context.block_on(async { Ok(reach(&way).await) })?,
        Err(error) => Err(error),
    };
    Ok(match checked {
        Ok(reached) if reached.ping.signed_in == Some(false) => {
            Err(Error::new(ErrorKind::CredentialRefused, "sign in to", name.as_str()))
        }
        checked => checked,
    })
}

/// Keeps the secret and notes where.
fn keep(context: &Context, name: &Name, entry: &mut Entry, secret: &Secret) -> anyhow::Result<&'static str> {
    let place = entry.credential_store();
    let id = entry.assign_id().to_string();
    let kept = context.wallet().keep(place, &id, secret).map_err(|error| error.unavailable(Some(name.as_str())))?;
    entry.credential = Some(place);
    Ok(kept)
}

fn remembered(context: &Context, checked: &Result<Reached, Error>) -> LastCheck {
    let (ok, message) = match checked {
        Ok(_) => (true, "reached".to_owned()),
        Err(error) => (false, error.to_string()),
    };
    LastCheck { checked_at: context.now, ok, message }
}

fn report(
    context: &Context,
    name: &Name,
    entry: &Entry,
    added: &Added,
    checked: Option<Result<Reached, Error>>,
    kept: Option<&'static str>,
) -> anyhow::Result<Exit> {
    let host = entry.address.as_ref().map(|address| address.authority()).unwrap_or_default();
    let secret = kept.map_or(String::new(), |place| format!("; the secret is in {place}"));
    let default = match (&added.previous_default, added.is_default) {
        (Some(old), true) => format!(", now the default instead of {old}"),
        (None, true) => ", now the default".to_owned(),
        (_, false) => String::new(),
    };
    match checked {
        Some(Err(error)) => {
            // whatever was wrong on the way there, the server is not usable: 6; 5 when it is about the credential, 8 about a safeguard
            let error = anyhow::Error::from(error);
            let explained = explain(&error);
            let exit = match explained.exit {
                exit @ (Exit::Credential | Exit::Refused) => exit,
                _ => Exit::Unreachable,
            };
            let refusal = Refusal::new(exit, format!("added {name}, but it is inactive{secret}: the check failed"));
            let refusal = explained.hints().iter().fold(refusal, Refusal::hint);
            return Err(refusal.hint(format!("then put it in use: regctl activate {name}")).caused_by(error).into());
        }
        Some(Ok(reached)) => context.printer.done(format!("reached {host} ({})", details(&reached, entry))),
        None => {}
    }
    let state = if entry.state == State::Active { "" } else { ", inactive" };
    context.printer.done(format!("added {name}{state}{default}{secret}"));
    if entry.username.is_some() && kept.is_none() && entry.credential_store().is_store() {
        context.printer.note(format!("there is no password for {name} yet"));
        context.printer.hint(format!("regctl login {name}"));
    } else if entry.state == State::Active {
        context.printer.hint(format!("regctl repo list {name}"));
    } else {
        context.printer.hint(format!("regctl activate {name}"));
    }
    if context.printer.format().is_machine() {
        let view = context.catalogue_store()?.load()?.view_of(name)?;
        context.printer.report(&view, || super::get::document(&view, context.now).into())?;
    }
    Ok(Exit::Done)
}

/// What the server said of itself.
fn details(reached: &Reached, entry: &Entry) -> String {
    let product = match (&reached.met.seen, &reached.ping.version) {
        (Some(seen), _) if entry.provider == Some(seen.kind) => match &seen.version {
            Some(version) => format!("{} {version}", seen.kind.product()),
            None => seen.kind.product().to_owned(),
        },
        (_, Some(version)) if entry.kind() == Kind::Native => version.clone(),
        _ => entry.kind().product().to_owned(),
    };
    let until = reached.certificate.as_ref().and_then(|certificate| certificate.not_after);
    let signed_in = match (reached.ping.signed_in, &entry.username) {
        (Some(true), Some(username)) => Some(format!("signed in as {username}")),
        (Some(true), None) => Some("signed in".to_owned()),
        _ => None,
    };
    let parts = [Some(product), until.map(|until| format!("TLS until {}", units::day(until))), signed_in];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
