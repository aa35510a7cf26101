//! `regctl schedule install`: timers made from the catalogue.

use clap::{Args as ClapArgs, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use super::{Backend, Context, Exit, Refusal, clock, explained, find, job, unit_folder};
use crate::catalogue::{Catalogue, Entry, Name, State};
use crate::credentials::SourceKind;
use crate::output::{Cell, Column, List, Table, View, units};
use crate::scheduler::cron::Crontab;
use crate::scheduler::{Job, SchedulerError, cron, systemd};

/// Variables that lead to a proxy. They may hold a password, so they are never written down.
const PROXIES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Start the clean-up of registries at their times
///
/// Makes a timer of this user's systemd, or a line of cron, that runs `regctl prune --scheduled NAME` at the times of the registry's
/// garbage_collection_schedule. It needs retention rules in the catalogue. Installing again changes nothing, or what has changed in the
/// catalogue meanwhile.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl schedule install prod
  regctl schedule install prod --backend cron
  regctl schedule install --backend print")]
pub struct Args {
    /// The registry: name, id or host; every one with a schedule if not given
    #[arg(value_name = "NAME", add = clap_complete::ArgValueCandidates::new(crate::cli::complete::registries))]
    name: Option<String>,
    /// Use systemd or cron, or print what would be written for them
    #[arg(long, value_name = "BACKEND", value_enum, default_value = "systemd", hide_possible_values = true)]
    backend: Destination,
}

/// Where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Destination {
    /// A timer of this user's systemd
    Systemd,
    /// A line in this user's table of cron
    Cron,
    /// Standard output
    Print,
}

/// What programs see of an installed job.
#[derive(Serialize)]
struct Report {
    name: Name,
    backend: Backend,
    on_calendar: String,
    changed: bool,
    next: Timestamp,
}

/// What programs see of a job that is only printed.
#[derive(Serialize)]
struct Printed {
    name: Name,
    on_calendar: String,
    service: String,
    timer: String,
    cron: String,
}

/// Installs them.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let catalogue = context.catalogue()?;
    let jobs = jobs(args, &catalogue, context)?;
    let backend = match args.backend {
        Destination::Print => return print(&jobs, context),
        Destination::Systemd => Backend::Systemd,
        Destination::Cron => Backend::Cron,
    };
    let folder = unit_folder(context)?;
    let (offset, later) = clock(context);
    match backend {
        Backend::Systemd => folder.reach().map_err(|error| explained(error, backend))?,
        Backend::Cron => drop(Crontab::read().map_err(|error| explained(error, backend))?),
    }
    let mut reports = List::whole(Vec::new());
    for job in &jobs {
        let changed = match backend {
            Backend::Systemd => folder.install(job),
            Backend::Cron => Crontab::read().map_err(SchedulerError::from).and_then(|table| table.install(job, offset)),
        };
        let changed = changed.map_err(|error| explained(error, backend))?;
        let (name, on_calendar, next) = (job.name.clone(), job.schedule.on_calendar(), job.schedule.next_slot(context.now));
        match changed {
            true => context.printer.done(format!("installed {name}: {on_calendar}, next {}", units::date(next))),
            false => context.printer.note(format!("{name} is unchanged; next {}", units::date(next))),
        }
        reports.items.push(Report { name, backend, on_calendar, changed, next });
    }
    if context.printer.format().is_machine() {
        context.printer.report_list(&reports, || table(&reports.items))?;
    }
    if reports.items.iter().any(|report| report.changed) {
        match backend {
            Backend::Systemd => {
                context.printer.note("timers run while you are signed in; to have them run always:");
                context.printer.hint("loginctl enable-linger");
            }
            Backend::Cron if offset != later => context.printer.warn(
                "cron goes by this machine's clock: when that changes to or from summer time, run this again (regctl schedule status tells)",
            ),
            Backend::Cron => {}
        }
    }
    Ok(Exit::Done)
}

/// What has to be run for every registry that is meant. All of them are looked at before anything is written.
fn jobs(args: &Args, catalogue: &Catalogue, context: &Context) -> anyhow::Result<Vec<Job>> {
    let scheduled = |(_, entry): &(&Name, &Entry)| entry.state == State::Active && entry.garbage_collection_schedule.is_some();
    let meant: Vec<(&Name, &Entry)> = match &args.name {
        Some(given) => vec![find(catalogue, given)?],
        None => catalogue.entries().filter(scheduled).collect(),
    };
    if meant.is_empty() {
        return Err(Refusal::usage("no active registry has a schedule")
            .hint("give one a schedule: regctl update NAME --gc-days Sat,Sun --gc-time 19:30")
            .into());
    }
    meant.into_iter().map(|(name, _)| checked(name, catalogue, context)).collect()
}

fn checked(name: &Name, catalogue: &Catalogue, context: &Context) -> anyhow::Result<Job> {
    let entry = catalogue.usable(name)?;
    let Some(job) = job(context, name, entry)? else {
        return Err(Refusal::usage(format!("{name} has no schedule"))
            .hint(format!("regctl update {name} --gc-days Sat,Sun --gc-time 19:30"))
            .into());
    };
    if entry.retention.is_empty() {
        return Err(Refusal::usage(format!("{name} has no retention rules, and nothing is deleted by schedule without one"))
            .hint(format!("say what to keep: regctl update {name} --retention 'keep_last=10 keep=v*'"))
            .into());
    }
    warn(name, entry, context);
    Ok(job)
}

/// What works here and would not work in a run that the scheduler starts.
fn warn(name: &Name, entry: &Entry, context: &Context) {
    let is_set = |variable: &str| context.environment.var(variable).is_some();
    if entry.proxy.is_none()
        && let Some(proxy) = PROXIES.iter().find(|variable| is_set(variable))
    {
        context
            .printer
            .warn(format!("{proxy} is set here and not in scheduled runs; regctl update {name} --proxy URL says it for both"));
    }
    match entry.credential_store() {
        SourceKind::Env => context.printer.warn(format!(
            "the secret of {name} comes from the environment, which scheduled runs don't share; set it for them (man environment.d)"
        )),
        SourceKind::EncryptedFile if !is_set("REGCTL_PASSPHRASE_FILE") => context.printer.warn(format!(
            "scheduled runs can't type the passphrase for the secret of {name}; set REGCTL_PASSPHRASE_FILE and install again"
        )),
        _ => {}
    }
}

fn print(jobs: &[Job], context: &Context) -> anyhow::Result<Exit> {
    let mut printed = Vec::new();
    for job in jobs {
        let units = systemd::units(job).map_err(|error| explained(error, Backend::Systemd))?;
        let cron = cron::line(job, 0).map_err(|error| explained(error, Backend::Cron))?;
        let (name, on_calendar) = (job.name.clone(), job.schedule.on_calendar());
        printed.push(Printed { name, on_calendar, service: units.service, timer: units.timer, cron });
    }
    if context.printer.format().is_machine() || context.shows_fields() {
        let list = List::whole(printed);
        context.printer.report_list(&list, || {
            let mut table = Table::new([Column::new("name"), Column::new("on_calendar"), Column::new("cron")]);
            for job in &list.items {
                table.row(job.name.as_str(), [job.name.as_str().into(), job.on_calendar.as_str().into(), job.cron.as_str().into()]);
            }
            table
        })?;
        return Ok(Exit::Done);
    }
    let folder = unit_folder(context)?.path;
    let mut text = String::new();
    for job in printed {
        let (service, timer) = (folder.join(systemd::service_name(&job.name)), folder.join(systemd::timer_name(&job.name)));
        text += &format!("# {}\n{}\n# {}\n{}\n", service.display(), job.service, timer.display(), job.timer);
        text += &format!("# for cron, where the clock is UTC\n{}\n", job.cron);
    }
    context.printer.view(View::Text(text))?;
    Ok(Exit::Done)
}

fn table(reports: &[Report]) -> Table {
    let mut table = Table::new([Column::new("name"), Column::new("on_calendar"), Column::new("next")]);
    for report in reports {
        let name = report.name.as_str();
        table.row(name, [name.into(), report.on_calendar.as_str().into(), Cell::from(report.next.to_string())]);
    }
    table
}
