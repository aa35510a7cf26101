//! `regctl schedule …`: the clean-up of registries, started by the machine's own timers.

mod install;
mod status;
mod uninstall;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use super::{Context, Exit, Refusal};
use crate::catalogue::{Catalogue, Entry, Name};
use crate::files::Place;
use crate::scheduler::systemd::UnitFolder;
use crate::scheduler::{Job, SchedulerError};

/// Clean registries up at the times that the catalogue names
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  regctl update prod --gc-days Sat,Sun --gc-time 19:30 --retention 'keep_last=10 keep=v*'
  regctl schedule install prod
  regctl schedule status")]
pub enum Command {
    Install(install::Args),
    Status(status::Args),
    Uninstall(uninstall::Args),
}

impl Command {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Command::Install(args) => install::run(args, context),
            Command::Status(args) => status::run(args, context),
            Command::Uninstall(args) => uninstall::run(args, context),
        }
    }
}

/// What starts the clean-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// A timer of this user's systemd
    Systemd,
    /// A line in this user's table of cron
    Cron,
}

/// Variables that lead to files, and where those files are without them.
const FOLDERS: &[(&str, &str, Place)] =
    &[("REGCTL_STATE_DIR", "XDG_STATE_HOME", Place::State), ("REGCTL_CACHE_DIR", "XDG_CACHE_HOME", Place::Cache)];

/// What has to be run for a registry, and when; `None` if it has no schedule. The scheduler knows little of this shell, so everything that
/// leads to the same files is said.
fn job(context: &Context, name: &Name, entry: &Entry) -> anyhow::Result<Option<Job>> {
    let Some(schedule) = entry.garbage_collection_schedule.clone() else { return Ok(None) };
    let catalogue = std::path::absolute(context.catalogue_store()?.path())?;
    let arguments =
        ["--catalogue", &catalogue.to_string_lossy(), "prune", "--scheduled", name.as_str()].map(str::to_owned).to_vec();
    let variable = |name: &str| context.environment.var(name);
    let mut environment = Vec::new();
    for (ours, general, place) in FOLDERS {
        if variable(ours).or_else(|| variable(general)).is_some() {
            let folder = place.find(&|name| variable(name).map(Into::into))?;
            environment.push((*ours, std::path::absolute(folder)?.to_string_lossy().into_owned()));
        }
    }
    if let Some(file) = variable("REGCTL_PASSPHRASE_FILE") {
        environment.push(("REGCTL_PASSPHRASE_FILE", std::path::absolute(file)?.to_string_lossy().into_owned()));
    }
    let program = std::env::current_exe().context("can't find out where this program is")?;
    Ok(Some(Job { name: name.clone(), schedule, program, arguments, environment }))
}

/// The folder of this user's own units.
fn unit_folder(context: &Context) -> anyhow::Result<UnitFolder> {
    let folder = |variable: &str| context.environment.var(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
    let config = config.ok_or_else(|| {
        Refusal::usage("there is no home directory for units of systemd").hint("set HOME, or use --backend print")
    })?;
    Ok(UnitFolder { path: config.join("systemd/user") })
}

/// How many seconds the clock that cron goes by is ahead of UTC, now and half a year from now.
fn clock(context: &Context) -> (i32, i32) {
    const HALF_A_YEAR: i64 = 182 * 86_400;
    let zone = jiff::tz::TimeZone::system();
    let later = context.now.checked_add(jiff::SignedDuration::from_secs(HALF_A_YEAR)).unwrap_or(context.now);
    (zone.to_offset(context.now).seconds(), zone.to_offset(later).seconds())
}

/// What a scheduler's failure means to a person.
fn explained(error: impl Into<SchedulerError>, backend: Backend) -> anyhow::Error {
    let error = error.into();
    let other = match backend {
        Backend::Systemd => "use cron instead: --backend cron",
        Backend::Cron => "use systemd instead: --backend systemd",
    };
    let refusal = match (&error, backend) {
        (SchedulerError::Foreign(path), _) => {
            Refusal::new(Exit::Conflict, "the name of the unit is taken").hint(format!("move {} away", path.display()))
        }
        (SchedulerError::Program(_), Backend::Systemd) => Refusal::new(Exit::Failure, "this user's systemd can't be used here"),
        (SchedulerError::Program(_), Backend::Cron) => Refusal::new(Exit::Failure, "cron can't be used here"),
        (_, Backend::Systemd) => Refusal::new(Exit::Failure, "the units of systemd can't be changed"),
        (_, Backend::Cron) => Refusal::new(Exit::Failure, "the table of cron can't be changed"),
    };
    refusal.hint(other).hint("or write it yourself: regctl schedule install --backend print").caused_by(error).into()
}

/// The entry that is meant, with the name it has.
fn find<'a>(catalogue: &'a Catalogue, given: &str) -> anyhow::Result<(&'a Name, &'a Entry)> {
    Ok(catalogue.find(given)?)
}
