//! `regctl doctor`: whether this machine gives regctl what it needs. Asks no registry; `regctl check` does that.

mod files;
mod secrets;
mod surroundings;

use clap::Args as ClapArgs;
use serde::Serialize;

use super::{Context, Exit};
use crate::output::{Cell, Column, List, Table, Tone};

/// Look whether this machine gives regctl what it needs
///
/// Looks at files and their permissions, the keyring (a test entry is written, read and deleted), the encrypted file, Docker and Podman
/// logins, proxies, and whether every registry that should have a secret has one. Ends with exit code 10 if something needs attention.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl doctor
  regctl doctor -o json | jq '.items[] | select(.state == \"problem\")'")]
pub struct Args {}

/// How a thing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// As it should be.
    Ok,
    /// Not as usual, and no harm.
    Note,
    /// Needs attention.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    check: String,
    state: State,
    detail: String,
    /// What to do about it.
    hints: Vec<String>,
}

impl Check {
    fn new(check: impl Into<String>, state: State, detail: impl Into<String>) -> Check {
        Check { check: check.into(), state, detail: detail.into(), hints: Vec::new() }
    }

    fn ok(check: impl Into<String>, detail: impl Into<String>) -> Check {
        Check::new(check, State::Ok, detail)
    }

    fn hints(mut self, hints: impl IntoIterator<Item = impl Into<String>>) -> Check {
        self.hints.extend(hints.into_iter().map(Into::into));
        self
    }
}

/// Looks at everything and reports.
pub fn run(_: &Args, context: &Context) -> anyhow::Result<Exit> {
    let mut checks = vec![surroundings::version()];
    let (catalogue, check) = files::catalogue(context);
    checks.push(check);
    checks.extend(files::folders(context));
    checks.extend(secrets::places(context, &catalogue));
    checks.extend(secrets::registries(context, &catalogue)?);
    checks.extend(surroundings::all(&|name| context.environment.var(name)));
    let problems = checks.iter().filter(|check| check.state == State::Problem).count();
    let report = List::whole(checks);
    context.printer.report_list(&report, || view(&report.items))?;
    if !context.printer.format().is_machine() {
        for check in &report.items {
            for hint in &check.hints {
                context.printer.note(format!("{}: {hint}", check.check));
            }
        }
    }
    if problems > 0 {
        context.printer.failed(format!("{problems} of {} checks need attention", report.items.len()));
        return Ok(Exit::Findings);
    }
    context.printer.done("nothing needs attention");
    Ok(Exit::Done)
}

fn view(checks: &[Check]) -> Table {
    let mut table = Table::new([Column::new("check"), Column::new("state"), Column::new("detail")]);
    for check in checks {
        let (word, tone) = match check.state {
            State::Ok => ("ok", Tone::Good),
            State::Note => ("note", Tone::Dim),
            State::Problem => ("problem", Tone::Bad),
        };
        let state = Cell::from(word).tone(tone);
        table.row(check.check.clone(), [check.check.as_str().into(), state, check.detail.as_str().into()]);
    }
    table
}
