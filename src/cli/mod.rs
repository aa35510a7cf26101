//! The command line: one file a command, each with its arguments (whose comments are the help), `run`, and how its result looks.
//!
//! Commands parse, call an operation, print. What an error means to a person is in [`error`] and `hints`, questions are in [`prompt`].

#![allow(rustdoc::broken_intra_doc_links, reason = "comments of arguments are help texts, and show grammar in brackets")]

mod activate;
mod add;
mod apply;
mod apply_plan;
mod args;
mod blob;
mod catalogue;
mod check;
mod complete;
mod completions;
mod context;
mod deactivate;
mod demo;
mod destroy;
mod doctor;
mod each;
mod environment;
pub mod error;
mod exit;
mod export;
mod fields;
mod foreign;
mod get;
mod globals;
mod hints;
mod history;
mod import;
mod inspect;
mod journal;
mod known;
mod last_check;
mod list;
mod login;
mod logout;
mod man;
mod manifest;
mod open;
mod pin;
pub mod prompt;
mod prune;
mod purge;
mod referrers;
mod remove;
mod repo;
mod restore;
mod schedule;
mod search;
mod series;
mod serve;
mod set_default;
mod space;
mod tag;
mod token;
mod undo;
mod update;
mod usage;
mod verify;
mod vulnerabilities;
mod wallet;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

pub use context::{Context, Stop};
pub use environment::Environment;
pub use error::Refusal;
pub use exit::Exit;
pub use globals::Globals;
pub use open::Opened;

use crate::output::Format;

/// Administer container registries: a catalogue of the ones you know, and what they hold
#[derive(Debug, Parser)]
#[command(name = "regctl", disable_help_subcommand = true)]
#[command(override_usage = "regctl [OPTIONS] COMMAND")]
#[command(version = concat!(env!("CARGO_PKG_VERSION"), " (registry catalogue and administration)"))]
#[command(after_help = "Start with: regctl add NAME ADDRESS, then regctl repo list. See it at work: regctl demo")]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(Box<add::Args>),
    Update(Box<update::Args>),
    Apply(apply::Args),
    #[command(visible_alias = "ls")]
    List(list::Args),
    #[command(visible_alias = "show")]
    Get(get::Args),
    SetDefault(set_default::Args),
    Activate(activate::Args),
    Deactivate(deactivate::Args),
    #[command(visible_alias = "rm")]
    Remove(remove::Args),
    Restore(restore::Args),
    Purge(purge::Args),
    Import(import::Args),
    Export(export::Args),
    #[command(subcommand, aliases = ["repos", "repository", "repositories"])]
    Repo(repo::Command),
    #[command(subcommand, alias = "tags")]
    Tag(tag::Command),
    Inspect(inspect::Args),
    Referrers(referrers::Args),
    Verify(verify::Args),
    #[command(visible_alias = "du")]
    Usage(usage::Args),
    #[command(visible_alias = "vulns")]
    Vulnerabilities(vulnerabilities::Args),
    Search(search::Args),
    #[command(subcommand, alias = "manifests")]
    Manifest(manifest::Command),
    #[command(subcommand, alias = "blobs")]
    Blob(blob::Command),
    ApplyPlan(apply_plan::Args),
    #[command(subcommand)]
    Schedule(schedule::Command),
    Prune(prune::Args),
    History(history::Args),
    Undo(undo::Args),
    Check(check::Args),
    Completions(completions::Args),
    Demo(demo::Args),
    Doctor(doctor::Args),
    Login(login::Args),
    Logout(logout::Args),
    Man(man::Args),
    Serve(serve::Args),
    Token(token::Args),
    #[command(subcommand, hide = true)]
    Image(foreign::Image),
    #[command(hide = true)]
    Artifact(foreign::Words),
    #[command(hide = true)]
    Config(foreign::Words),
    #[command(hide = true)]
    Registry(foreign::Words),
}

impl Command {
    /// Whether it is about signing in itself, so that what another run got proves nothing.
    fn tries_to_sign_in(&self) -> bool {
        use Command::{Activate, Add, Apply, Check, Import, Login, Token, Update};
        matches!(self, Add(_) | Update(_) | Apply(_) | Activate(_) | Import(_) | Check(_) | Login(_) | Token(_))
    }

    fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Command::Add(args) => add::run(args, context),
            Command::Update(args) => update::run(args, context),
            Command::Apply(args) => apply::run(args, context),
            Command::List(args) => list::run(args, context),
            Command::Get(args) => get::run(args, context),
            Command::SetDefault(args) => set_default::run(args, context),
            Command::Activate(args) => activate::run(args, context),
            Command::Deactivate(args) => deactivate::run(args, context),
            Command::Remove(args) => remove::run(args, context),
            Command::Restore(args) => restore::run(args, context),
            Command::Purge(args) => purge::run(args, context),
            Command::Import(args) => import::run(args, context),
            Command::Export(args) => export::run(args, context),
            Command::Repo(command) => command.run(context),
            Command::Tag(command) => command.run(context),
            Command::Inspect(args) => inspect::run(args, context),
            Command::Referrers(args) => referrers::run(args, context),
            Command::Verify(args) => verify::run(args, context),
            Command::Usage(args) => usage::run(args, context),
            Command::Vulnerabilities(args) => vulnerabilities::run(args, context),
            Command::Search(args) => search::run(args, context),
            Command::Manifest(command) => command.run(context),
            Command::Blob(command) => command.run(context),
            Command::ApplyPlan(args) => apply_plan::run(args, context),
            Command::Schedule(command) => command.run(context),
            Command::History(args) => history::run(args, context),
            Command::Undo(args) => undo::run(args, context),
            Command::Check(args) => check::run(args, context),
            Command::Completions(args) => completions::run(args, context),
            Command::Demo(args) => demo::run(args, context),
            Command::Doctor(args) => doctor::run(args, context),
            Command::Login(args) => login::run(args, context),
            Command::Logout(args) => logout::run(args, context),
            Command::Man(args) => man::run(args, context),
            Command::Prune(args) => prune::run(args, context),
            Command::Serve(args) => serve::run(args, context),
            Command::Token(args) => token::run(args, context),
            Command::Image(command) => command.run(context),
            Command::Artifact(words) => words.run("artifact"),
            Command::Config(words) => words.run("config"),
            Command::Registry(words) => words.run("registry"),
        }
    }
}

/// Runs the program with these arguments, the first of which is its own name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    if completions::answer(&args) {
        return Exit::Done.into();
    }
    let environment = Environment;
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &args, &environment),
    };
    let printer = match cli.globals.printer(&environment) {
        Ok(printer) => printer,
        Err(refusal) => return fail(&refusal.into(), &plain_printer(), false),
    };
    let as_json = matches!(cli.globals.output, Format::Json | Format::Jsonl);
    if cli.globals.verbose > 0 {
        show_requests(cli.globals.verbose);
    }
    let (printer, now) = (Arc::new(printer), environment.now());
    let mut globals = cli.globals;
    // what is remembered may be gone from the server, which is what is asked here
    globals.no_cache |= match &cli.command {
        Command::Verify(_) => true,
        Command::Prune(args) => args.verify,
        _ => false,
    };
    let keeps_tokens = !cli.command.tries_to_sign_in() && environment.var("REGCTL_KEEP_TOKENS").as_deref() != Some("never");
    let context = Context {
        printer,
        globals,
        environment,
        command_line: journal::command_line(&args),
        now,
        wallet: OnceLock::new(),
        runtime: OnceLock::new(),
        cache: OnceLock::new(),
        keeps_tokens,
        stats: Arc::default(),
        password: OnceLock::new(),
    };
    let result = cli.command.run(&context);
    if let Some(Some(cache)) = context.cache.get() {
        cache.finish();
    }
    if context.globals.stats {
        show_stats(&context);
    }
    match result {
        Ok(exit) => exit.into(),
        Err(error) => fail(&error, &context.printer, as_json),
    }
}

/// `--stats`: what the command asked of the network, in one line on stderr.
fn show_stats(context: &Context) {
    let stats = context.stats.snapshot();
    let hits = context.cache.get().and_then(Option::as_ref).map_or(0, |cache| cache.hits());
    context.printer.note(format!(
        "{} requests (HEAD {}, GET {}, PUT {}, POST {}, DELETE {}), {} received, {} sent, {hits} from the cache, {} retries, waited {} ms",
        stats.requests,
        stats.head,
        stats.get,
        stats.put,
        stats.post,
        stats.delete,
        crate::output::units::size(stats.bytes_received),
        crate::output::units::size(stats.bytes_sent),
        stats.retries,
        stats.waited_ms
    ));
}

fn fail(error: &anyhow::Error, printer: &crate::output::Printer, as_json: bool) -> ExitCode {
    if error::is_closed_pipe(error) {
        return Exit::Done.into();
    }
    let explained = error::explain(error);
    explained.show(printer, as_json);
    explained.exit.into()
}

/// Help and version are results; anything else is wrong usage.
fn usage(error: &clap::Error, args: &[OsString], environment: &Environment) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = error.print();
            Exit::Done.into()
        }
        _ => {
            let asked = |wanted: &str| environment.var("REGCTL_OUTPUT").as_deref() == Some(wanted) || asks_for(args, wanted);
            if asked("json") || asked("jsonl") {
                let text = error.render().to_string();
                let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
                fail(&Refusal::usage(message).hint("regctl --help").into(), &plain_printer(), true)
            } else {
                let _ = error.print();
                Exit::Usage.into()
            }
        }
    }
}

/// Whether the arguments, which could not be parsed, ask for an output format.
fn asks_for(args: &[OsString], wanted: &str) -> bool {
    let args: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    args.windows(2).any(|pair| matches!(pair[0], "-o" | "--output") && pair[1] == wanted)
        || args.iter().any(|arg| arg.strip_prefix("--output=").or_else(|| arg.strip_prefix("-o")) == Some(wanted))
}

fn plain_printer() -> crate::output::Printer {
    crate::output::Printer::new(crate::output::PrinterSettings {
        format: Format::Table,
        template: None,
        columns: Vec::new(),
        headers: true,
        quiet: false,
        colour: false,
        colour_errors: false,
        width: None,
    })
}

/// `-v` shows requests, `-vv` what was decided about them. Secrets can't get there: their type can't be printed.
fn show_requests(verbose: u8) {
    let level = if verbose == 1 { tracing::Level::INFO } else { tracing::Level::DEBUG };
    let only_ours = tracing_subscriber::filter::Targets::new().with_target("regctl", level);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .without_time()
        .with_level(false)
        .with_target(false)
        .with_ansi(false);
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let _ = tracing_subscriber::registry().with(lines).with(only_ours).try_init();
}
