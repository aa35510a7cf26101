//! `regctl token`: what signs a request of another program in. A command whose result is a secret.

use clap::{Args as ClapArgs, ValueEnum};
use serde::Serialize;

use super::args::TargetArgs;
use super::{Context, Exit, Refusal};
use crate::oci::Repository;
use crate::output::View;

/// Print a token for a repository, for curl and other programs
///
/// THIS PRINTS A SECRET to standard output: whoever has the token may do what it is for until it ends, mostly within minutes. It is asked for anew, kept nowhere, and good for the actions that are asked for and no others. Passwords are never
/// printed: a registry that takes them directly has no tokens to give.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl token prod/web
  curl -H \"$(regctl token prod/web --header)\" https://registry.example.com/v2/web/tags/list
  regctl token prod/web --action pull,push --header")]
pub struct Args {
    /// The repository
    #[arg(value_name = "REPO")]
    repository: String,
    /// What it has to be good for: pull, push, delete
    #[arg(long, value_name = "ACTION", value_enum, value_delimiter = ',', default_value = "pull", hide_possible_values = true)]
    action: Vec<Action>,
    /// Print the whole header: Authorization: Bearer …
    #[arg(long, short = 'H')]
    header: bool,
    #[command(flatten)]
    target: TargetArgs,
}

/// What may be done with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Action {
    Pull,
    Push,
    Delete,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Action::Pull => "pull",
            Action::Push => "push",
            Action::Delete => "delete",
        }
    }
}

/// What programs see.
#[derive(Serialize)]
struct Report<'a> {
    registry: &'a str,
    repository: &'a Repository,
    actions: &'a [&'static str],
    /// Whose it is; `null` for a token that anyone gets.
    username: Option<String>,
    token: &'a str,
    header: String,
}

/// Asks for one and prints it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let (way, repository) = context.open_way(&args.target, &args.repository)?;
    let actions: Vec<&'static str> = args.action.iter().map(|action| action.word()).collect();
    let value = context.block_on(async { Ok(way.authorization(&repository, &actions).await?) })?;
    let name = way.registry().name();
    let Some(token) = value.as_ref().and_then(|value| value.expose().strip_prefix("Bearer ")) else {
        return Err(no_token(name, way.auth_scheme()).into());
    };
    let account = way.account();
    if account.is_none() {
        context.printer.note(format!("there is no credential for {name}, so this is a token that anyone gets"));
    }
    let header = format!("Authorization: Bearer {token}");
    let line = format!("{}\n", if args.header { &header } else { token });
    let username = account.and_then(|account| account.username);
    let report = Report { registry: name, repository: &repository, actions: &actions, username, token, header };
    context.printer.report(&report, || View::Text(line))?;
    Ok(Exit::Done)
}

fn no_token(name: &str, scheme: Option<&str>) -> Refusal {
    let refusal = |why: &str| Refusal::new(Exit::Unsupported, format!("{name} has no tokens: {why}"));
    match scheme {
        Some("basic") => {
            refusal("it takes user name and password with each request").hint("curl --user NAME asks for the password")
        }
        Some("none") => refusal("it lets everyone in").hint("ask it without an Authorization header"),
        _ => refusal("it doesn't say how to sign in").hint(format!("regctl check {name}")),
    }
}
