//! `regctl check`: whether registries can be reached, as whom, and what they can do.

mod checked;
mod place;
mod view;

use clap::Args as ClapArgs;
use futures_util::StreamExt as _;

use self::checked::Checked;
use self::place::Asked;
use super::args::TargetArgs;
use super::error::{exit_of, exit_of_failed};
use super::{Context, Exit, Refusal};
use crate::catalogue::LastCheck;
use crate::connect::Connector;
use crate::output::{Failed, List};
use crate::registry::{self, ErrorKind};

/// Registries asked at once: each costs a few connections, and more of them would only wait for the same network.
const AT_ONCE: usize = 16;

/// Check registries: way, certificate, login, version, and what they can do
///
/// Asks each registry without changing anything: by what address it is reached and how fast, until when its certificate is valid, whether
/// it takes the credential, who built it, how often it may be asked, whether its clock is right. Then whether it lists repositories, removes
/// a tag without its manifest (untag), deletes by digest (delete), and lists what is attached to an image (referrers). To find out about
/// deleting, it is asked to delete a random tag and a random digest, which can't be there.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl check
  regctl check prod hub
  regctl check --all -o wide
  regctl check registry.example.com:5000
  regctl check --all -o json | jq '.items[] | select(.tls.days_left < 30) | .name'

Abilities: yes, the registry does it itself; api, by the vendor's own API; tags, by the tags that stand in for referrers; no; ?, nobody can tell.")]
pub struct Args {
    /// Registries: name, id, host or address; the default one if left out
    #[arg(value_name = "NAME", add = clap_complete::ArgValueCandidates::new(super::complete::registries))]
    names: Vec<String>,
    /// Every active registry of the catalogue
    #[arg(long, short, conflicts_with = "names")]
    all: bool,
    /// Allow plain http to an address that isn't this machine
    #[arg(long)]
    plain_http: bool,
    /// Sign in as this user, with --password-stdin
    #[arg(long, value_name = "USER", requires = "password_stdin", conflicts_with = "all")]
    username: Option<String>,
    /// Read the password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
}

/// Checks them all, and tells of each.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let asked = place::asked(args, context)?;
    if args.username.is_some() && asked.len() > 1 {
        return Err(Refusal::usage("--username is for one registry; each has its own credential").into());
    }
    let target = TargetArgs { registry: None, username: args.username.clone(), password_stdin: args.password_stdin };
    let connector = context.connector(context.explicit(&target)?);
    let results = ask_all(&asked, &connector, context)?;
    let mut list = List::whole(Vec::new());
    let mut failures = Vec::new();
    for (one, (checked, error)) in asked.iter().zip(results) {
        if let Some(id) = &one.id {
            let message = error.as_ref().map_or_else(|| "reached".to_owned(), ToString::to_string);
            context.remember_check(id, &LastCheck { checked_at: context.now, ok: error.is_none(), message });
        }
        list.items.push(checked);
        if let Some(error) = error {
            list.failed.push(Failed { name: one.name.clone(), message: error.to_string() });
            failures.push((one, error));
        }
    }
    context.printer.report_list(&list, || view::table(&list.items))?;
    if list.items.is_empty() {
        context.printer.note("no registry is active");
        context.printer.hint("regctl add NAME ADDRESS, or regctl activate NAME");
    }
    for (one, checked) in asked.iter().zip(&list.items) {
        tell(one, checked, context);
    }
    if asked.len() == 1
        && let Some((one, error)) = failures.pop()
    {
        return Err(with_advice(one, error));
    }
    for failed in &list.failed {
        context.printer.failed(&failed.message);
    }
    let exits: Vec<Exit> = failures.iter().map(|(_, error)| exit_of(error.kind())).collect();
    Ok(exit_of_failed(&exits, list.items.len() - failures.len()))
}

fn ask_all(asked: &[Asked], connector: &Connector, context: &Context) -> anyhow::Result<Vec<(Checked, Option<registry::Error>)>> {
    let progress = context.printer.progress("checking registries");
    let alone = asked.len() == 1;
    context.block_on(async {
        let checks = asked.iter().map(|one| one.check(connector, alone, context.now));
        let mut checks = futures_util::stream::iter(checks).buffered(AT_ONCE);
        let mut results = Vec::new();
        while let Some(result) = checks.next().await {
            results.push(result);
            progress.tick(results.len() as u64, Some(asked.len() as u64));
        }
        Ok(results)
    })
}

/// What a person should know of a registry that was reached, and what its answers suggest.
fn tell(asked: &Asked, checked: &Checked, context: &Context) {
    for warning in &checked.warnings {
        context.printer.warn(format!("{}: {warning}", checked.name));
    }
    if let (Some(kind), true) = (checked.provider_suggested, asked.is_entry()) {
        context.printer.note(format!("{} answers like {}", checked.name, kind.product()));
        context.printer.hint(format!("regctl update {} --provider {kind}", checked.name));
    }
}

/// The error of the only registry that was checked. The usual hint for a server that isn't there is to check it, which was just done.
fn with_advice(asked: &Asked, error: registry::Error) -> anyhow::Error {
    if !matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::Protocol) {
        return error.into();
    }
    let refusal = Refusal::new(exit_of(error.kind()), format!("the check of {} failed", asked.name)).caused_by(error);
    match asked.is_entry() {
        true => refusal.hint(format!("is that its address? regctl update {} --address ADDRESS corrects it", asked.name)).into(),
        false => refusal.into(),
    }
}
