//! `regctl schedule status`: what the catalogue wants and what the schedulers do.

use std::collections::BTreeMap;

use clap::Args as ClapArgs;
use jiff::Timestamp;
use serde::Serialize;

use super::{Backend, Context, Exit, clock, explained, find, job, unit_folder};
use crate::catalogue::{Catalogue, Name, State as Life};
use crate::output::{Cell, Column, List, Table, Tone, units};
use crate::scheduler::cron::Crontab;
use crate::scheduler::systemd::UnitFolder;
use crate::scheduler::{Installed, ProgramError};

/// Show which clean-ups are installed, and whether they are as the catalogue says
///
/// Ends with exit code 10 if something differs.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl schedule status
  regctl schedule status prod -o json")]
pub struct Args {
    /// The registry: name, id or host; all if not given
    #[arg(value_name = "NAME", add = clap_complete::ArgValueCandidates::new(crate::cli::complete::registries))]
    name: Option<String>,
    /// Look at systemd or cron only
    #[arg(long, value_name = "BACKEND", value_enum, hide_possible_values = true)]
    backend: Option<Backend>,
}

/// How a clean-up was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// As the catalogue says.
    Installed,
    /// There is a schedule, and nothing starts it.
    NotInstalled,
    /// Installed in another way than the catalogue says.
    Drifted,
    /// Installed for what the catalogue doesn't clean up.
    Orphaned,
}

#[derive(Serialize)]
struct Report {
    name: Name,
    on_calendar: Option<String>,
    backend: Option<Backend>,
    state: State,
    details: Vec<String>,
    next: Option<Timestamp>,
}

/// Everything that has to be looked at for a report.
struct Found<'a> {
    context: &'a Context,
    catalogue: Catalogue,
    folder: UnitFolder,
    table: Option<Crontab>,
    offset: i32,
}

/// Shows it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let looks_at = |backend| args.backend.is_none_or(|only| only == backend);
    let table = match looks_at(Backend::Cron).then(Crontab::read).transpose() {
        Ok(table) => table,
        // where there is no cron, nothing is in it
        Err(ProgramError::Missing(_)) if args.backend.is_none() => None,
        Err(error) => return Err(explained(error, Backend::Cron)),
    };
    let found = Found { context, catalogue: context.catalogue()?, folder: unit_folder(context)?, table, offset: clock(context).0 };
    // where each is installed, those that are nowhere included
    let mut names: BTreeMap<Name, Vec<Backend>> = BTreeMap::new();
    if looks_at(Backend::Systemd) {
        found.folder.names().into_iter().for_each(|name| names.entry(name).or_default().push(Backend::Systemd));
    }
    for name in found.table.iter().flat_map(Crontab::names) {
        names.entry(name).or_default().push(Backend::Cron);
    }
    for (name, entry) in found.catalogue.entries() {
        if entry.state != Life::Removed && entry.garbage_collection_schedule.is_some() {
            names.entry(name.clone()).or_default();
        }
    }
    if let Some(given) = &args.name {
        let only = match given.parse::<Name>() {
            Ok(name) if names.contains_key(&name) => name,
            _ => find(&found.catalogue, given)?.0.clone(),
        };
        names.retain(|name, _| *name == only);
    }
    let mut reports = Vec::new();
    for (name, backends) in names {
        reports.extend(found.reports(&name, &backends)?);
    }
    show(reports, context)
}

impl Found<'_> {
    fn reports(&self, name: &Name, backends: &[Backend]) -> anyhow::Result<Vec<Report>> {
        let entry = self.catalogue.get(name.as_str());
        let job = entry.map(|entry| job(self.context, name, entry)).transpose()?.flatten();
        let report = |backend, state, details| Report {
            name: name.clone(),
            on_calendar: job.as_ref().map(|job| job.schedule.on_calendar()),
            backend,
            state,
            details,
            next: job.as_ref().filter(|_| backend.is_some()).map(|job| job.schedule.next_slot(self.context.now)),
        };
        if backends.is_empty() {
            return Ok(vec![report(None, State::NotInstalled, Vec::new())]);
        }
        let useless = match entry {
            None => Some("it is not in the catalogue"),
            Some(entry) if entry.state == Life::Removed => Some("it is removed"),
            Some(entry) if entry.state == Life::Inactive => Some("it is inactive"),
            Some(_) if job.is_none() => Some("it has no schedule any more"),
            Some(entry) if entry.retention.is_empty() => Some("it has no retention rules any more"),
            Some(_) => None,
        };
        let mut reports = Vec::new();
        for backend in backends.iter().copied() {
            let installed = match (&job, backend, &self.table) {
                (None, ..) => Installed::AsWanted,
                (Some(job), Backend::Systemd, _) => self.folder.status(job).map_err(|error| explained(error, backend))?,
                (Some(job), Backend::Cron, Some(table)) => {
                    table.status(job, self.offset).map_err(|error| explained(error, backend))?
                }
                (Some(_), Backend::Cron, None) => Installed::No,
            };
            let (mut state, mut details) = match installed {
                Installed::AsWanted => (State::Installed, Vec::new()),
                Installed::No => (State::NotInstalled, Vec::new()),
                Installed::Drifted(details) => (State::Drifted, details),
            };
            if let Some(useless) = useless {
                (state, details) = (State::Orphaned, vec![useless.to_owned()]);
            } else if backends.len() > 1 {
                state = State::Drifted;
                details.push("it is in systemd and in cron, so it runs twice".to_owned());
            }
            reports.push(report(Some(backend), state, details));
        }
        Ok(reports)
    }
}

fn show(reports: Vec<Report>, context: &Context) -> anyhow::Result<Exit> {
    let list = List::whole(reports);
    context.printer.report_list(&list, || table(&list.items))?;
    for report in &list.items {
        report.details.iter().for_each(|detail| context.printer.note(format!("{}: {detail}", report.name)));
        match report.state {
            State::Installed => {}
            State::NotInstalled | State::Drifted => {
                let backend = if report.backend == Some(Backend::Cron) { " --backend cron" } else { "" };
                context.printer.hint(format!("regctl schedule install {}{backend}", report.name));
            }
            State::Orphaned => context.printer.hint(format!("regctl schedule uninstall {}", report.name)),
        }
    }
    if list.items.is_empty() {
        context.printer.note("no registry has a schedule, and none is installed");
    }
    let differs = list.items.iter().any(|report| matches!(report.state, State::Drifted | State::Orphaned));
    Ok(if differs { Exit::Findings } else { Exit::Done })
}

fn table(reports: &[Report]) -> Table {
    let mut table = Table::new([
        Column::new("name"),
        Column::new("schedule"),
        Column::new("backend"),
        Column::new("state"),
        Column::new("next").expendable(1),
    ]);
    for report in reports {
        let (word, tone) = match report.state {
            State::Installed => ("installed", Tone::Good),
            State::NotInstalled => ("not installed", Tone::Dim),
            State::Drifted => ("drifted", Tone::Bad),
            State::Orphaned => ("orphaned", Tone::Bad),
        };
        let backend = match report.backend {
            Some(Backend::Systemd) => "systemd",
            Some(Backend::Cron) => "cron",
            None => "",
        };
        let name = report.name.as_str();
        let cells: [Cell; 5] = [
            name.into(),
            report.on_calendar.clone().unwrap_or_default().into(),
            backend.into(),
            Cell::from(word).tone(tone),
            report.next.map(units::date).unwrap_or_default().into(),
        ];
        table.row(name, cells);
    }
    table
}
