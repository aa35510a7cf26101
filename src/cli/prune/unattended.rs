//! Runs that nobody watches, by the rules of the entries: `--scheduled`, which a timer starts, and `--due`, for any other scheduler.
//!
//! When a run of an entry begins is written down first, so that the same slot is never run twice: not by two schedulers, and not after a run
//! that was killed half way. What such a run left over, the next one takes.

use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::reading::Reading;
use super::{Args, finish};
use crate::catalogue::{Catalogue, Entry, Name, State};
use crate::cli::args::DestroyArgs;
use crate::cli::error::{exit_of_failed, explain};
use crate::cli::{Context, Exit, Refusal, destroy};
use crate::files::{Guarded, Place};

/// What is known of the last run of an entry.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Record {
    began_at: Timestamp,
    ended_at: Option<Timestamp>,
    /// The exit code it ended with.
    exit: Option<u8>,
}

/// Runs the entries that were named, now.
///
/// # Errors
/// When none was named, or one of them is not in the catalogue, not active, or has no rules; nothing is deleted anywhere then.
pub(super) fn scheduled(args: &Args, until: Option<Instant>, context: &Context) -> anyhow::Result<Exit> {
    let catalogue = context.catalogue()?;
    let entries = entries(&catalogue, &args.places)?;
    if entries.is_empty() {
        return Err(Refusal::usage("--scheduled needs the name of a registry of the catalogue").into());
    }
    for (name, entry) in &entries {
        catalogue.usable(name)?;
        with_rules(name, entry)?;
    }
    let alone = entries.len() == 1;
    let run = Unattended { args, until, alone, only_due: false };
    run.all(entries.into_iter().map(|(name, _)| name), &catalogue, context)
}

/// Runs the entries whose schedule says so, each at most once a slot.
///
/// # Errors
/// When one that was named is not in the catalogue, or has no schedule or rules.
pub(super) fn due(args: &Args, until: Option<Instant>, context: &Context) -> anyhow::Result<Exit> {
    let catalogue = context.catalogue()?;
    let named = !args.places.is_empty();
    let mut entries = entries(&catalogue, &args.places)?;
    if named {
        for (name, entry) in &entries {
            catalogue.usable(name)?;
            with_rules(name, entry)?;
            if entry.garbage_collection_schedule.is_none() {
                return Err(Refusal::usage(format!("{name} has no schedule, so it is never due"))
                    .hint(format!("regctl update {name} --gc-days Sat,Sun --gc-time 02:30"))
                    .into());
            }
        }
    } else {
        entries = catalogue.entries().filter(|(_, entry)| entry.state == State::Active && !entry.retention.is_empty()).collect();
    }
    // those that aren't due today are in play tomorrow
    let alone = entries.len() == 1;
    let due: Vec<&Name> = entries
        .into_iter()
        .filter(|(name, entry)| is_due(name, entry, context).unwrap_or_else(|| entry.garbage_collection_schedule.is_some()))
        .map(|(name, _)| name)
        .collect();
    if due.is_empty() {
        context.printer.note("nothing is due");
        return destroy::nothing(Vec::new(), context);
    }
    Unattended { args, until, alone, only_due: true }.all(due.into_iter(), &catalogue, context)
}

/// Whether a slot is over that no run began after, as far as can be seen without a lock.
fn is_due(name: &Name, entry: &Entry, context: &Context) -> Option<bool> {
    let schedule = entry.garbage_collection_schedule.as_ref()?;
    let record = crate::files::read(&file(name, entry, context)?).ok()?;
    let record = record.and_then(|text| serde_json::from_str::<Record>(&text).ok());
    Some(schedule.due(since(record, entry), context.now).is_some())
}

/// From when on slots count: the last run, else when the entry was last changed, so that a new schedule waits for its first slot.
fn since(record: Option<Record>, entry: &Entry) -> Option<Timestamp> {
    record.map(|record| record.began_at).or_else(|| entry.updated_at.or(entry.created_at))
}

/// How entries are run.
struct Unattended<'a> {
    args: &'a Args,
    until: Option<Instant>,
    /// Whether no other registry than one is in play.
    alone: bool,
    /// Only those of which a slot is over.
    only_due: bool,
}

impl Unattended<'_> {
    fn all<'a>(&self, names: impl Iterator<Item = &'a Name>, catalogue: &Catalogue, context: &Context) -> anyhow::Result<Exit> {
        let (mut exits, mut done) = (Vec::new(), 0);
        for name in names {
            let entry = catalogue.get(name.as_str()).expect("the name came from this catalogue");
            // its slot stays free for a run that has time
            if self.until.is_some_and(|until| Instant::now() >= until) {
                context.printer.failed(format!("{name}: not begun, the time limit is over"));
                exits.push(Exit::Partial);
                continue;
            }
            // a look at the plan is no run
            let counts = !self.args.destroy.dry_run;
            if counts && !begin(name, entry, self.only_due, context)? {
                continue;
            }
            let exit = match self.one(name, context) {
                Ok(exit) => exit,
                Err(error) => {
                    let (exit, message) = explain(&error).in_a_line();
                    if exit == Exit::Interrupted {
                        return Err(error);
                    }
                    context.printer.failed(format!("{name}: {message}"));
                    exit
                }
            };
            if counts {
                end(name, entry, exit, context);
            }
            match exit {
                Exit::Done => done += 1,
                failed => exits.push(failed),
            }
            if exit == Exit::Credential {
                context.printer.hint("a timer can't unlock a keyring. These need no desktop:");
                context.printer.hint(format!("regctl login {name} --store encrypted-file, with REGCTL_PASSPHRASE_FILE"));
                context.printer.hint(format!("regctl update {name} --credential env, or --credential-command"));
            }
        }
        Ok(exit_of_failed(&exits, done))
    }

    /// One entry, by its own rules.
    fn one(&self, name: &Name, context: &Context) -> anyhow::Result<Exit> {
        let part = context.open_entry(&self.args.target, name, self.alone)?;
        let reading = Reading { rule: None, exclusions: self.args.rules.exclusions()?, until: self.until };
        let pruned = reading.read(vec![part], context)?;
        let refused = pruned.exits.contains(&Exit::Credential);
        let destroy = DestroyArgs { yes: !self.args.destroy.dry_run, ..self.args.destroy.clone() };
        let exit = finish(pruned, self.args, &destroy, self.until, context)?;
        Ok(if refused && exit != Exit::Done { Exit::Credential } else { exit })
    }
}

fn entries<'a>(catalogue: &'a Catalogue, names: &[String]) -> anyhow::Result<Vec<(&'a Name, &'a Entry)>> {
    Ok(names.iter().map(|name| catalogue.find(name)).collect::<Result<_, _>>()?)
}

fn with_rules(name: &Name, entry: &Entry) -> anyhow::Result<()> {
    if !entry.retention.is_empty() {
        return Ok(());
    }
    Err(Refusal::usage(format!("{name} has no retention rules, so nobody knows what may go"))
        .hint(format!("regctl update {name} --retention 'keep_last=10 keep=latest'"))
        .into())
}

fn file(name: &Name, entry: &Entry, context: &Context) -> Option<PathBuf> {
    let state = Place::State.find(&|variable| context.environment.var(variable).map(Into::into)).ok()?;
    Some(state.join("scheduled").join(format!("{}.json", entry.id(name))))
}

/// Writes down that a run begins; false when another process was faster.
///
/// # Errors
/// When that can't be written: what can't be remembered would be run again and again.
fn begin(name: &Name, entry: &Entry, only_due: bool, context: &Context) -> anyhow::Result<bool> {
    let Some(path) = file(name, entry, context) else {
        return Err(Refusal::new(Exit::Failure, "can't tell where to write down that a clean-up ran: there is no home directory")
            .hint("set REGCTL_STATE_DIR")
            .into());
    };
    let guarded = Guarded::open(&path)?;
    let record = guarded.read()?.and_then(|text| serde_json::from_str::<Record>(&text).ok());
    let schedule = entry.garbage_collection_schedule.as_ref();
    if only_due && schedule.is_none_or(|schedule| schedule.due(since(record, entry), context.now).is_none()) {
        return Ok(false);
    }
    write(&guarded, Record { began_at: context.now, ended_at: None, exit: None })?;
    Ok(true)
}

/// Writes down how it ended. That it can't is no failure of the run.
fn end(name: &Name, entry: &Entry, exit: Exit, context: &Context) {
    let Some(path) = file(name, entry, context) else { return };
    let record = Record { began_at: context.now, ended_at: Some(context.environment.now()), exit: Some(exit as u8) };
    if let Err(error) = Guarded::open(&path).map_err(Into::into).and_then(|guarded| write(&guarded, record)) {
        context.printer.warn(format!("{name}: how the run ended could not be written down: {error:#}"));
    }
}

fn write(guarded: &Guarded, record: Record) -> anyhow::Result<()> {
    let text = serde_json::to_string(&record)?;
    Ok(guarded.replace(text.as_bytes())?)
}
