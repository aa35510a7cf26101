//! `regctl schedule uninstall`: no more clean-ups by themselves.

use std::collections::BTreeSet;

use clap::Args as ClapArgs;

use super::{Backend, Context, Exit, explained, find, unit_folder};
use crate::catalogue::Name;
use crate::output::{Column, List, Table};
use crate::scheduler::ProgramError;
use crate::scheduler::cron::Crontab;

/// Stop the clean-up of registries at their times
///
/// Takes away what `regctl schedule install` made and nothing else. Schedule and retention rules stay in the catalogue.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl schedule uninstall prod
  regctl schedule uninstall --backend cron")]
pub struct Args {
    /// The registry: name, id or host; all if not given
    #[arg(value_name = "NAME", add = clap_complete::ArgValueCandidates::new(crate::cli::complete::registries))]
    name: Option<String>,
    /// Take it from systemd or from cron only
    #[arg(long, value_name = "BACKEND", value_enum, hide_possible_values = true)]
    backend: Option<Backend>,
}

/// Uninstalls them.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let uses = |backend| args.backend.is_none_or(|only| only == backend);
    let folder = unit_folder(context)?;
    let mut in_cron = match uses(Backend::Cron).then(Crontab::read).transpose() {
        Ok(table) => table.iter().flat_map(Crontab::names).collect(),
        Err(ProgramError::Missing(_)) if args.backend.is_none() => Vec::new(),
        Err(error) => return Err(explained(error, Backend::Cron)),
    };
    let mut in_systemd = if uses(Backend::Systemd) { folder.names() } else { Vec::new() };
    if let Some(given) = &args.name {
        let name = meant(given, in_cron.iter().chain(&in_systemd), context)?;
        in_cron.retain(|other| *other == name);
        in_systemd.retain(|other| *other == name);
        if in_cron.is_empty() && in_systemd.is_empty() {
            context.printer.note(format!("nothing is installed for {name}"));
        }
    } else if in_cron.is_empty() && in_systemd.is_empty() {
        context.printer.note("nothing is installed");
    }
    for name in &in_systemd {
        let complaints = folder.uninstall(name).map_err(|error| explained(error, Backend::Systemd))?;
        for complaint in complaints.into_iter().flatten() {
            context.printer.warn(format!("the units of {name} are deleted, but systemd was not told: {complaint}"));
        }
    }
    for name in &in_cron {
        let table = Crontab::read().map_err(|error| explained(error, Backend::Cron))?;
        table.uninstall(name).map_err(|error| explained(error, Backend::Cron))?;
    }
    let names: BTreeSet<Name> = in_systemd.into_iter().chain(in_cron).collect();
    names.iter().for_each(|name| context.printer.done(format!("{name} is no longer cleaned up by schedule")));
    if context.printer.format().is_machine() {
        let list = List::whole(names.iter().map(|name| serde_json::json!({ "name": name })).collect());
        context.printer.report_list(&list, || {
            let mut table = Table::new([Column::new("name")]);
            names.iter().for_each(|name| table.row(name.as_str(), [name.as_str().into()]));
            table
        })?;
    }
    Ok(Exit::Done)
}

/// The name that was meant: one that is installed, even if the catalogue doesn't know it any more.
fn meant<'a>(given: &str, mut installed: impl Iterator<Item = &'a Name>, context: &Context) -> anyhow::Result<Name> {
    match installed.find(|name| name.as_str() == given) {
        Some(name) => Ok(name.clone()),
        None => Ok(find(&context.catalogue()?, given)?.0.clone()),
    }
}
