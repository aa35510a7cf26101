//! What an import did, or would do.

use serde::Serialize;

use crate::catalogue::{Entry, State};
use crate::cli::Context;
use crate::output::{Cell, Column, Failed, List, Table, Tone};
use crate::systems::{Action, Plan, Sources};

/// One registry of the documents.
#[derive(Debug, Serialize)]
struct Row {
    name: Option<String>,
    id: Option<String>,
    action: &'static str,
    address: Option<String>,
    state: Option<State>,
    system: &'static str,
    source_id: Option<String>,
    changed: Vec<String>,
    reason: Option<String>,
    #[serde(skip)]
    of: usize,
}

/// What became of all of them.
pub(super) struct Report {
    list: List<Row>,
    default: Option<String>,
    /// Entries with a user name, a place for a secret, and no secret.
    without_secret: Vec<String>,
}

impl Report {
    /// What a plan does.
    pub fn new(sources: &Sources, plan: &Plan) -> Report {
        let mut list = List::whole(Vec::new());
        let mut without_secret = Vec::new();
        for step in &plan.steps {
            let imported = &sources.registries[step.of];
            let mut row = Row {
                name: Some(step.name.to_string()),
                id: Some(step.id.to_string()),
                action: "unchanged",
                address: imported.entry.address.as_ref().map(ToString::to_string),
                state: Some(imported.entry.state),
                system: imported.system.word(),
                source_id: imported.source_id.clone(),
                changed: Vec::new(),
                reason: None,
                of: step.of,
            };
            match &step.action {
                Action::Add(entry) => {
                    row.action = "added";
                    if lacks_secret(entry) && imported.secret.is_none() {
                        without_secret.push(step.name.to_string());
                    }
                }
                Action::Update { changed, .. } => {
                    row.action = "updated";
                    row.changed = changed.clone();
                }
                Action::Unchanged => {}
                Action::Skip(reason) => {
                    row.action = "skipped";
                    row.reason = Some(reason.clone());
                    if step.id.is_nil() {
                        (row.name, row.id) = (None, None);
                    }
                }
                Action::Conflict { message, .. } => {
                    list.failed.push(Failed { name: imported.title.clone(), message: message.clone() });
                    continue;
                }
            }
            list.items.push(row);
        }
        let unreadable = sources.failed.iter().map(|(name, problem)| Failed { name: name.clone(), message: problem.to_string() });
        list.failed.extend(unreadable);
        Report { list, default: plan.default.as_ref().map(ToString::to_string), without_secret }
    }

    /// What can't be imported.
    pub fn failed(&self) -> &[Failed] {
        &self.list.failed
    }

    /// Moves a registry to those that could not be imported.
    pub fn fail(&mut self, of: usize, message: &str) {
        let Some(at) = self.list.items.iter().position(|row| row.of == of) else { return };
        let name = self.list.items.remove(at).name.unwrap_or_default();
        self.without_secret.retain(|other| *other != name);
        self.list.failed.push(Failed { name, message: message.to_owned() });
    }

    fn count(&self, action: &str) -> usize {
        self.list.items.iter().filter(|row| row.action == action).count()
    }

    /// Tells it.
    pub fn show(&self, context: &Context, dry_run: bool) -> anyhow::Result<()> {
        context.printer.report_list(&self.list, || self.table())?;
        let counts =
            format!("{} added, {} updated, {} unchanged", self.count("added"), self.count("updated"), self.count("unchanged"));
        let others = [("skipped", self.count("skipped")), ("failed", self.list.failed.len())];
        let others: String =
            others.into_iter().filter(|(_, count)| *count > 0).map(|(word, count)| format!(", {count} {word}")).collect();
        let default = self.default.as_ref().map_or(String::new(), |name| format!("; {name} becomes the default"));
        if dry_run {
            context.printer.note(format!("this would be: {counts}{others}{default}"));
            return Ok(());
        }
        context.printer.done(format!("{counts}{others}{default}"));
        if let Some(first) = self.without_secret.first() {
            context.printer.note(format!("there is no password yet for {}", self.without_secret.join(", ")));
            context.printer.hint(format!("regctl login {first}"));
        }
        Ok(())
    }

    /// What is unchanged is only counted.
    fn table(&self) -> Table {
        let mut table = Table::new([
            Column::new("name"),
            Column::new("address").shrinks(),
            Column::new("state"),
            Column::new("action"),
            Column::new("changed").shrinks(),
            Column::new("source_id").wide(),
            Column::new("id").wide(),
        ]);
        for row in self.list.items.iter().filter(|row| row.action != "unchanged") {
            let name = row.name.clone().or_else(|| row.source_id.clone()).unwrap_or_default();
            let why = row.reason.clone().unwrap_or_else(|| row.changed.join(","));
            let tone = if row.action == "skipped" { Tone::Dim } else { Tone::Plain };
            table.row(
                &name,
                [
                    name.as_str().into(),
                    row.address.clone().unwrap_or_default().into(),
                    row.state.map(State::word).unwrap_or_default().into(),
                    Cell::from(row.action).tone(tone),
                    why.into(),
                    row.source_id.clone().unwrap_or_default().into(),
                    row.id.clone().unwrap_or_default().into(),
                ],
            );
        }
        table
    }
}

fn lacks_secret(entry: &Entry) -> bool {
    entry.username.is_some() && entry.credential_store().is_store()
}
