//! `regctl import`: documents of other programs become entries, without the network.
//!
//! Reading and deciding come first and change nothing. Then secrets are kept, and only when all of them are, the catalogue is written in one
//! go; if anything fails on the way, the secrets of this run are taken back. So there is never an entry whose secret was lost.

mod report;
mod secrets;

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use clap::Args as ClapArgs;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use zeroize::Zeroizing;

use super::error::explain;
use super::{Context, Exit, Refusal, catalogue};
use crate::catalogue::{Catalogue, Error};
use crate::credentials::SourceKind;
use crate::output::units::plural;
use crate::systems::{Action, Deciding, Document, LARGEST, OnConflict, Plan, Sources, System};

/// Most names that one warning lists.
const NAMES_SHOWN: usize = 5;

/// Import registries from the documents of other programs
///
/// Understands what the APIs of Rancher v1, Docker Cloud, Zadig, IONOS and Shipyard answer, and the configuration files of Docker, Podman and
/// regclient. Asks no server. Importing the same again changes nothing; secrets go to the system keyring.
#[derive(Debug, ClapArgs)]
#[command(override_usage = "regctl import [OPTIONS] [auto|SYSTEM] [FILE|-]...")]
#[command(
    after_help = "Systems: rancher, dockercloud, zadig, ionos, shipyard, docker, podman, regclient; auto, or none, tells by the document.
Without a file, docker, podman and regclient read the file that these programs use.

Examples:
  curl -s https://zadig.example/openapi/system/registry | regctl import zadig -
  regctl import rancher registries.json registrycredentials.json --dry-run
  regctl import ionos page1.json page2.json --on-conflict update
  regctl import docker"
)]
pub struct Args {
    /// The system, or auto, and the documents; - is standard input
    #[arg(value_name = "[auto|SYSTEM] FILE|-", required = true, value_hint = clap::ValueHint::FilePath)]
    words: Vec<String>,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// What to do about entries that are here already and differ: fail, skip or update
    #[arg(
        long,
        value_name = "MODE",
        default_value = "fail",
        hide_possible_values = true,
        value_parser = PossibleValuesParser::new(["fail", "skip", "update"]).map(|word| on_conflict(&word))
    )]
    on_conflict: OnConflict,
    /// Bring registries along that are removed there
    #[arg(long)]
    include_removed: bool,
    /// Make the default there the default here, also instead of another
    #[arg(long)]
    take_default: bool,
    /// Exit 0 also when the documents are some pages of more
    #[arg(long)]
    partial_ok: bool,
    /// Import the others when some can't be imported
    #[arg(long)]
    keep_going: bool,
    /// Where the secrets are to be kept: keyring, env, command, docker, encrypted-file or none
    #[arg(long, value_name = "STORE", value_parser = SourceKind::from_str)]
    credential: Option<SourceKind>,
}

fn on_conflict(word: &str) -> OnConflict {
    match word {
        "skip" => OnConflict::Skip,
        "update" => OnConflict::Update,
        _ => OnConflict::Fail,
    }
}

/// Imports them.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let (system, files) = files(&args.words, context)?;
    let documents = files.iter().map(|file| read(file)).collect::<anyhow::Result<Vec<Document>>>()?;
    let sources = Sources::read(system, documents, catalogue::host_rules).map_err(|error| {
        Refusal::usage(error.to_string()).hint("name the system: regctl import SYSTEM FILE; regctl import --help lists them")
    })?;
    sources
        .check_defaults()
        .map_err(|error| Refusal::usage(error.to_string()).hint("only one may have is_default; change the document"))?;
    let how = Deciding {
        on_conflict: args.on_conflict,
        include_removed: args.include_removed,
        take_default: args.take_default,
        credential: args.credential,
        now: context.now,
    };
    let known = context.catalogue()?;
    let plan = Plan::make(&known, &sources.registries, how);
    warn(context, &plan, &sources);
    let mut report = report::Report::new(&sources, &plan);
    refuse(args, context, &plan, &report)?;
    if args.dry_run {
        report.show(context, true)?;
        return Ok(exit(args, &report, &sources));
    }
    let kept = secrets::keep(context, &sources, &plan, how)?.or_refuse(args.keep_going, context)?;
    let mut without: HashSet<usize> = HashSet::new();
    for (of, message) in &kept.failed {
        without.insert(*of);
        report.fail(*of, message);
    }
    if let Err(error) = write(context, &known, &plan, &without) {
        kept.take_back(context);
        return Err(error);
    }
    secrets::forget_detached(context, &plan);
    report.show(context, false)?;
    Ok(exit(args, &report, &sources))
}

/// Nothing is done by halves unless that is asked for.
fn refuse(args: &Args, context: &Context, plan: &Plan, report: &report::Report) -> anyhow::Result<()> {
    let failed = report.failed();
    if failed.is_empty() {
        return Ok(());
    }
    failed.iter().for_each(|failed| context.printer.failed(format!("{}: {}", failed.name, failed.message)));
    if args.keep_going {
        return Ok(());
    }
    let hints: HashSet<&String> = plan
        .conflicts()
        .filter_map(|step| match &step.action {
            Action::Conflict { hint, .. } => Some(hint),
            _ => None,
        })
        .collect();
    let conflicts = plan.conflicts().count();
    let exit = if conflicts == failed.len() { Exit::Conflict } else { Exit::Usage };
    let refusal = Refusal::new(exit, format!("nothing was imported: {} can't be", plural(failed.len(), "registry")));
    let refusal = hints.into_iter().fold(refusal, Refusal::hint);
    Err(refusal.hint("import the others with --keep-going").into())
}

/// Writes the catalogue, if there is something to write.
fn write(context: &Context, known: &Catalogue, plan: &Plan, without: &HashSet<usize>) -> anyhow::Result<()> {
    let changes = |action: &Action| matches!(action, Action::Add(_) | Action::Update { .. });
    if plan.default.is_none() && !plan.steps.iter().any(|step| changes(&step.action)) {
        return Ok(());
    }
    context.edit_catalogue(|catalogue| {
        if catalogue != known {
            return Err(Error::Conflict {
                message: "somebody else changed the catalogue meanwhile; nothing was imported".to_owned(),
                hint: "run the command again".to_owned(),
            });
        }
        plan.apply(catalogue, without, context.now)
    })?;
    Ok(())
}

fn exit(args: &Args, report: &report::Report, sources: &Sources) -> Exit {
    let partial = !sources.partial.is_empty() && !args.partial_ok;
    if partial || !report.failed().is_empty() { Exit::Partial } else { Exit::Done }
}

/// What a person should know. The same about several is said once.
fn warn(context: &Context, plan: &Plan, sources: &Sources) {
    for (system, why) in &sources.partial {
        let all = "import all pages together, or accept what is here with --partial-ok";
        context.printer.warn(format!("{}: {why}; {all}", system.title()));
    }
    let mut by_text: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, text) in &plan.warnings {
        by_text.entry(text).or_default().push(name);
    }
    for (text, names) in by_text {
        context.printer.warn(format!("{}: {text}", names_shown(&names)));
    }
    let secrets: Vec<&str> =
        sources.registries.iter().filter(|imported| imported.secret.is_some()).map(|imported| imported.title.as_str()).collect();
    if !secrets.is_empty() {
        let text = "the document holds secrets in plain text: delete it, or keep it as safe as they are";
        context.printer.warn(format!("{}: {text}", names_shown(&secrets)));
    }
}

fn names_shown(names: &[&str]) -> String {
    let shown = names.iter().take(NAMES_SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMES_SHOWN) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

/// The system, where it is named, and the files.
fn files(words: &[String], context: &Context) -> anyhow::Result<(Option<System>, Vec<PathBuf>)> {
    let (system, files) = match words.split_first() {
        Some((first, rest)) if first == "auto" => (None, rest),
        Some((first, rest)) => match System::from_str(first) {
            Ok(system) => (Some(system), rest),
            Err(_) => (None, words),
        },
        None => (None, words),
    };
    if !files.is_empty() {
        if files.iter().filter(|file| *file == "-").count() > 1 {
            return Err(Refusal::usage("standard input can be read once only").into());
        }
        return Ok((system, files.iter().map(PathBuf::from).collect()));
    }
    match system.and_then(|system| usual_file(system, context)) {
        Some(file) => Ok((system, vec![file])),
        None => Err(Refusal::usage("no file is given").hint("regctl import SYSTEM FILE, with - for standard input").into()),
    }
}

/// The file that a program on this machine uses.
fn usual_file(system: System, context: &Context) -> Option<PathBuf> {
    let variable = |name: &str| context.environment.var(name).map(PathBuf::from);
    let home = || variable("HOME").or_else(|| Some(directories::BaseDirs::new()?.home_dir().to_owned()));
    match system {
        System::Docker => Some(variable("DOCKER_CONFIG").or_else(|| Some(home()?.join(".docker")))?.join("config.json")),
        System::Podman => variable("REGISTRY_AUTH_FILE").or_else(|| {
            let folders = [variable("XDG_RUNTIME_DIR"), variable("XDG_CONFIG_HOME").or_else(|| Some(home()?.join(".config")))];
            folders.into_iter().flatten().map(|folder| folder.join("containers/auth.json")).find(|file| file.exists())
        }),
        System::Regclient => variable("REGCTL_CONFIG").or_else(|| Some(home()?.join(".regctl/config.json"))),
        _ => None,
    }
}

fn read(path: &Path) -> anyhow::Result<Document> {
    let shown = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let unreadable = |error: io::Error| Refusal::usage(format!("can't read {shown}")).caused_by(error);
    let mut bytes = Zeroizing::new(Vec::new());
    match path == Path::new("-") {
        true => io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?,
        false => File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(unreadable)?,
    };
    Document::parse(&shown, &bytes).map_err(|error| Refusal::usage(format!("can't use {shown}: {error}")).into())
}

/// An error that concerns one registry, in a line.
fn in_a_line(error: &anyhow::Error) -> String {
    explain(error).in_a_line().1
}
