//! `regctl export`: entries as a document of another program, or as a catalogue to be shared.

use std::collections::HashSet;
use std::str::FromStr as _;

use clap::Args as ClapArgs;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use super::error::{exit_of_failed, explain};
use super::{Context, Exit, Refusal, catalogue};
use crate::catalogue::{Catalogue, Entry, Name, State};
use crate::output::{View, json_string};
use crate::systems::{Export, Exported, Shape, Shown, System};

/// The word that isn't a system: our own form.
const TOML: &str = "toml";

/// Largest file of certificates that goes into a document.
const AUTHORITY_MAX: u64 = 1 << 20;

/// Write registries as another program's document
///
/// Writes what the API of that program would answer, or the body it would be sent. Fields that it has no words for are told on stderr. The
/// form toml is a catalogue of its own, without secrets, to be shared and applied by others (regctl apply).
#[derive(Debug, ClapArgs)]
#[command(after_help = "Systems: rancher, dockercloud, zadig, ionos, shipyard, docker, podman, regclient, toml.

Examples:
  regctl export zadig > registries.json
  regctl export ionos prod --shape create | curl -X POST …
  regctl export docker prod --reveal-secrets > config.json
  regctl export toml > team.toml")]
pub struct Args {
    /// The system, or toml
    #[arg(value_name = "SYSTEM", value_parser = system_words())]
    system: String,
    /// The registries; all that are not removed when none is named
    #[arg(value_name = "NAME", add = clap_complete::ArgValueCandidates::new(super::complete::registries))]
    names: Vec<String>,
    /// A list as the system answers it, the body that creates or changes one, or Rancher's list of who signs in: list, create, patch or credentials
    #[arg(
        long,
        value_name = "SHAPE",
        default_value = "list",
        hide_possible_values = true,
        value_parser = PossibleValuesParser::new(["list", "create", "patch", "credentials"]).map(|word| shape(&word))
    )]
    shape: Shape,
    /// Write secrets in plain text instead of REDACTED
    #[arg(long)]
    reveal_secrets: bool,
    /// Removed registries too
    #[arg(long)]
    include_removed: bool,
}

fn system_words() -> PossibleValuesParser {
    PossibleValuesParser::new(System::ALL.iter().map(|system| system.word()).chain([TOML]))
}

fn shape(word: &str) -> Shape {
    match word {
        "create" => Shape::Create,
        "patch" => Shape::Patch,
        "credentials" => Shape::Credentials,
        _ => Shape::List,
    }
}

/// Exports them.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let known = context.catalogue()?;
    let names = names(args, &known)?;
    if args.system == TOML {
        if args.reveal_secrets || args.shape != Shape::List {
            return Err(Refusal::usage("toml has one shape, and no secrets").into());
        }
        context.printer.write(known.only(&names).shared().to_toml().as_bytes())?;
        return Ok(Exit::Done);
    }
    let system = System::from_str(&args.system).map_err(Refusal::usage)?;
    let mut registries = Vec::new();
    for name in &names {
        let Some(entry) = known.get(name.as_str()) else { continue };
        let shown = if args.reveal_secrets { Shown::Revealed(secret(context, name, entry)?) } else { Shown::Hidden };
        let authority = authority(context, name, entry);
        registries.push(Exported { system, name, entry, is_default: known.is_default(name), shown, authority });
    }
    let revealed = registries.iter().filter(|registry| matches!(registry.shown, Shown::Revealed(Some(_)))).count();
    let export = Export::write(system, args.shape, &registries, args.names.len() == 1, catalogue::host_rules);
    for (name, fields) in &export.unsaid {
        context.printer.warn(format!("{name}: {} has no words for {}", system.title(), fields.join(", ")));
    }
    // entries that were not asked for by name need not fit
    let named = !args.names.is_empty();
    for (name, problem) in &export.left_out {
        match named {
            true => context.printer.failed(format!("{name}: {problem}")),
            false => context.printer.warn(format!("{name} is left out: {problem}")),
        }
    }
    let written = registries.len() - export.left_out.len();
    if written == 0 && !export.left_out.is_empty() {
        let refusal = Refusal::new(Exit::Unsupported, format!("{} can't express any of these registries", system.title()));
        return Err(refusal.into());
    }
    if revealed > 0 {
        context.printer.warn("secrets stand in this document in plain text");
    }
    let text = json_string(&export.document, true)? + "\n";
    match context.printer.format().is_machine() {
        true => context.printer.report(&export.document, || View::Text(text))?,
        false => context.printer.write(text.as_bytes())?,
    }
    let failed = if named { export.left_out.len() } else { 0 };
    Ok(exit_of_failed(&vec![Exit::Unsupported; failed], written))
}

/// What was named, else everything that is not removed.
fn names(args: &Args, known: &Catalogue) -> anyhow::Result<Vec<Name>> {
    if args.names.is_empty() {
        let wanted = |entry: &Entry| args.include_removed || entry.state != State::Removed;
        return Ok(known.entries().filter(|(_, entry)| wanted(entry)).map(|(name, _)| name.clone()).collect());
    }
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    for given in &args.names {
        let (name, _) = known.find(given)?;
        if seen.insert(name) {
            names.push(name.clone());
        }
    }
    Ok(names)
}

/// The secret, where regctl keeps it.
fn secret(context: &Context, name: &Name, entry: &Entry) -> anyhow::Result<Option<crate::credentials::Secret>> {
    let place = entry.credential_store();
    let Some(store) = context.wallet().store(place) else { return Ok(None) };
    let secret = store.get(&entry.id(name).to_string()).map_err(|error| error.unavailable(Some(name.as_str())))?;
    if secret.is_none() {
        context.printer.warn(format!("{name}: there is no secret for it in {}", store.name()));
    }
    Ok(secret)
}

/// The certificates of its own authority. A file that can't be used is a warning: the rest can still be written.
fn authority(context: &Context, name: &Name, entry: &Entry) -> Option<String> {
    if let Some(pem) = &entry.tls.ca_pem {
        return Some(pem.as_str().to_owned());
    }
    let path = entry.tls.ca_file.as_ref()?.as_path();
    match read(path) {
        Ok(pem) => Some(pem),
        Err(error) => {
            context.printer.warn(format!("{name}: {}", explain(&error).in_a_line().1));
            None
        }
    }
}

fn read(path: &std::path::Path) -> anyhow::Result<String> {
    use std::io::Read as _;
    let unreadable = |error: std::io::Error| Refusal::usage(format!("can't read {}", path.display())).caused_by(error);
    let mut pem = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(AUTHORITY_MAX).read_to_string(&mut pem).map_err(unreadable)?;
    crate::catalogue::CaSummary::of(pem.as_bytes())?;
    Ok(pem)
}
