//! `regctl login`: a secret, checked and then kept.

mod all;

use anyhow::Context as _;
use clap::{Args as ClapArgs, ValueEnum};

use super::{Context, Exit, Refusal, prompt};
use crate::catalogue::{self, Changes, Entry, Name, State, Updating, Username};
use crate::credentials::{Credential, Secret, SourceKind, StoreError};
use crate::registry::{self, ErrorKind};

/// Sign in to a registry of the catalogue and keep the secret
///
/// The server is asked whether it accepts user name and password before anything is stored. The secret goes to the system keyring, or to an
/// encrypted file on machines that have none; the catalogue only holds the user name and where the secret is.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl login prod
  regctl login prod --username 'robot$ci' --password-stdin < token.txt
  regctl login --all
  REGCTL_PASSPHRASE_FILE=/run/secrets/passphrase regctl login prod --store encrypted-file --password-stdin < token.txt

The user name <token> says that the secret is an identity token (an OAuth2 refresh token).

For Amazon ECR and Huawei SWR these are the access key and its secret key; what the registry takes instead is made of them in each run.")]
pub struct Args {
    /// The registry: name, id or host
    #[arg(value_name = "NAME", add = clap_complete::ArgValueCandidates::new(super::complete::registries))]
    #[arg(required_unless_present = "all")]
    registry: Option<String>,
    /// Ask for every secret that is missing, one registry after the other
    #[arg(long, conflicts_with_all = ["registry", "username", "password_stdin"])]
    all: bool,
    /// Sign in as this user; the one of the catalogue if not given
    #[arg(long, short, value_name = "USER")]
    username: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Where the secret is kept: keyring or encrypted-file
    #[arg(long, value_name = "STORE", value_enum, hide_possible_values = true)]
    store: Option<Store>,
    /// Store without asking the server
    #[arg(long)]
    no_check: bool,
}

/// Where regctl can keep a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Store {
    /// The operating system's keyring
    Keyring,
    /// A file that a passphrase opens
    EncryptedFile,
}

impl From<Store> for SourceKind {
    fn from(store: Store) -> SourceKind {
        match store {
            Store::Keyring => SourceKind::Keyring,
            Store::EncryptedFile => SourceKind::EncryptedFile,
        }
    }
}

/// Asks for the secret, checks it, keeps it, and writes down where.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let Some(registry) = &args.registry else { return all::run(args, context) };
    let store = context.catalogue_store()?;
    let catalogue = store.load()?;
    let (name, entry) = catalogue.find(registry)?;
    if entry.state == State::Removed {
        return Err(Refusal::new(Exit::Conflict, format!("{name} is removed")).hint(format!("regctl restore {name}")).into());
    }
    let username = username(args, name, entry)?;
    let secret = match args.password_stdin {
        true => prompt::password_from_stdin()?,
        false => prompt::password(&format!("Password for {username} at {}: ", host(entry)))?,
    };
    if secret.is_empty() {
        return Err(Refusal::usage("the password is empty").into());
    }
    let checked = match args.no_check {
        true => false,
        false => check(context, name, entry, Credential::new(username.as_str(), secret.clone()))?,
    };
    let kept = keep(context, &store, name, entry, place(args, entry), &username, &secret)?;
    tell(args, context, name, entry, &username, checked, kept);
    Ok(Exit::Done)
}

/// Where the secret goes: where it was asked to, else where the entry has it already.
fn place(args: &Args, entry: &Entry) -> SourceKind {
    match (args.store, entry.credential_store()) {
        (Some(store), _) => store.into(),
        (None, before) if before.is_store() => before,
        (None, _) => SourceKind::Keyring,
    }
}

/// Says how it went.
fn tell(args: &Args, context: &Context, name: &Name, entry: &Entry, username: &Username, checked: bool, kept: &str) {
    if !checked && !args.no_check {
        context.printer.warn(format!("{} lets everyone in, so the password could not be checked", host(entry)));
    }
    let did = if checked { "signed in to" } else { "kept the secret of" };
    context.printer.done(format!("{did} {name} as {username}; the secret is in {kept}"));
}

fn username(args: &Args, name: &Name, entry: &Entry) -> anyhow::Result<Username> {
    let text = match (&args.username, &entry.username) {
        (Some(given), _) => given.clone(),
        (None, Some(known)) => return Ok(known.clone()),
        (None, None) if args.password_stdin || !prompt::is_interactive() => {
            return Err(Refusal::usage(format!("{name} has no user name yet")).hint("give it with --username").into());
        }
        (None, None) => prompt::ask(&format!("User name at {}: ", host(entry)))?,
    };
    text.parse::<Username>().map_err(|error| Refusal::usage(error.to_string()).into())
}

fn host(entry: &Entry) -> String {
    entry.address.as_ref().map_or_else(|| "the registry".to_owned(), |address| address.endpoint().authority())
}

/// Whether the server looked at the credential and took it. One that it refuses is an error.
fn check(context: &Context, name: &Name, entry: &Entry, credential: Credential) -> anyhow::Result<bool> {
    context.warn_of_unverified(name, entry);
    let registry = context.connector(Some(credential)).entry(name, entry, true)?;
    let ping = context.block_on(async { Ok(registry.ping().await) })?;
    match ping.map(|ping| ping.signed_in) {
        Ok(Some(true)) => Ok(true),
        Ok(Some(false)) => {
            let refused = registry::Error::new(ErrorKind::CredentialRefused, "sign in to", name.as_str());
            Err(refused.because("the server refused user name or password, so nothing was stored").into())
        }
        Ok(None) => Ok(false),
        Err(error) => Err(error).context(format!("can't sign in to {name}, so nothing was stored")),
    }
}

/// Keeps the secret, then writes user name and place into the catalogue. When that fails, what was kept before is put back.
fn keep(
    context: &Context,
    store: &catalogue::Store,
    name: &Name,
    entry: &Entry,
    kind: SourceKind,
    username: &Username,
    secret: &Secret,
) -> anyhow::Result<&'static str> {
    let wallet = context.wallet();
    let id = entry.id(name).to_string();
    let unavailable = |error: StoreError| error.unavailable(Some(name.as_str()));
    let keeper = wallet.store(kind).expect("a secret is only kept in a store");
    // What can't be read can be replaced all the same.
    let before = keeper.get(&id).ok().flatten();
    keeper.set(&id, secret).map_err(unavailable)?;
    let changes = Changes { username: Some(username.clone()), credential: Some(kind), ..Changes::default() };
    if let Err(error) =
        store.edit(|catalogue| catalogue.update(name, &changes, &Updating::default(), super::catalogue::host_rules, context.now))
    {
        let put_back = match before {
            Some(before) => keeper.set(&id, &before),
            None => keeper.delete(&id).map(drop),
        };
        if let Err(error) = put_back {
            context.printer.warn(format!("{} still has the new secret of {name}: {error}", keeper.name()));
        }
        return Err(error.into());
    }
    let old = entry.credential_store();
    if old != kind
        && old.is_store()
        && let Err(error) = wallet.forget(old, &id)
    {
        context.printer.warn(format!("the old secret of {name} is still kept: {error}"));
    }
    Ok(keeper.name())
}
