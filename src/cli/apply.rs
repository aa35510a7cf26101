//! `regctl apply`: makes the catalogue what a file says.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use serde::Serialize;
use serde_json::Value;

use super::{Context, Exit, Refusal, catalogue};
use crate::catalogue::{Applied, Applying, CaSummary, Change, Declaration, Form, Move};
use crate::output::{Cell, Column, List, Table, View, units};

/// Largest file: ten thousand registries with all their fields.
const FILE_MAX: u64 = 16 << 20;

/// Longest value that a difference shows whole.
const VALUE_MAX: usize = 60;

/// Make the catalogue what a file says
///
/// Creates or replaces every registry in the file, all of them or none. The file is TOML as the catalogue itself, or the same as JSON or
/// YAML; a list of registries with names, or a single one, will do too. Fields that it does not name go away; user name, place of the
/// secret, provider, source, state and id stay as they are here, so that each of a team can sign in in their own way. Secrets are no part of
/// the file. No server is asked.
///
/// With --dry-run, ends with exit code 10 if something would change, and with 0 if not.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl apply -f registries.toml --dry-run
  regctl apply -f registries.toml --prune && regctl login --all
  git show main:registries.yaml | regctl apply -f -

A file:
  default = \"prod\"

  [registry.prod]
  address = \"https://harbor.example.com\"
  namespace = \"team-a\"")]
pub struct Args {
    /// The file, - for standard input
    #[arg(long, short, value_name = "FILE|-", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// Show the difference and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove what is not in the file, as `regctl remove` does
    #[arg(long)]
    prune: bool,
    /// Use credentials at new hosts and ports too
    #[arg(long)]
    keep_credentials: bool,
    /// Also when an entry is the same account in the same place as another
    #[arg(long)]
    allow_duplicate: bool,
}

/// What programs see.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    list: List<Change>,
    /// The default, if it changes.
    default: Option<Transition>,
    /// The trash retention, if it changes.
    trash_retention: Option<Transition>,
}

#[derive(Serialize)]
struct Transition {
    before: Option<String>,
    after: Option<String>,
}

/// Applies it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let declaration = read(args)?;
    let how = Applying { prune: args.prune, keep_credentials: args.keep_credentials, allow_duplicate: args.allow_duplicate };
    let planned = context.catalogue()?.apply(&declaration, how, catalogue::host_rules, context.now)?;
    let unchanged = planned.is_unchanged();
    if args.dry_run {
        planned.changes.iter().for_each(|change| notes(change, context));
        report(planned, context, true)?;
        return Ok(if unchanged { Exit::Done } else { Exit::Findings });
    }
    if unchanged {
        report(planned, context, false)?;
        return Ok(Exit::Done);
    }
    // a secret that would be taken for the new host's is deleted first: if that fails, nothing has changed
    for change in planned.changes.iter().filter(|change| change.orphan_is_in_the_way) {
        forget(change, context)?;
    }
    let edited = context.edit_catalogue(|catalogue| catalogue.apply(&declaration, how, catalogue::host_rules, context.now))?;
    for change in &edited.value.changes {
        tell(change, context);
    }
    report(edited.value, context, false)?;
    Ok(Exit::Done)
}

fn read(args: &Args) -> anyhow::Result<Declaration> {
    let (name, path) = match args.file.as_path() {
        path if path == Path::new("-") => ("standard input".to_owned(), None),
        path => (path.display().to_string(), Some(path)),
    };
    let unreadable = |error: std::io::Error| Refusal::usage(format!("can't read {name}")).caused_by(error);
    let mut bytes = Vec::new();
    match path {
        Some(path) => std::fs::File::open(path).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes)),
        None => std::io::stdin().lock().take(FILE_MAX + 1).read_to_end(&mut bytes),
    }
    .map_err(unreadable)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(Refusal::usage(format!("{name} is too large: more than {}", units::size(FILE_MAX))).into());
    }
    let text = String::from_utf8(bytes).map_err(|_| Refusal::usage(format!("{name} is not UTF-8 text")))?;
    let folder =
        std::path::absolute(path.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    let declaration = Declaration::read(&text, Form::of(path, &text), &name, &folder)?;
    for authority in declaration.authorities() {
        let shown = authority.path.display();
        let pem =
            std::fs::read(authority.path).map_err(|error| declaration.about(&authority, format!("can't read {shown}: {error}")))?;
        CaSummary::of(&pem).map_err(|error| declaration.about(&authority, format!("{shown}: {error}")))?;
    }
    Ok(declaration)
}

/// Says what happened to one entry, and clears up after it.
fn tell(change: &Change, context: &Context) {
    let name = &change.name;
    notes(change, context);
    let printer = &context.printer;
    match change.action {
        Move::Unchanged => return,
        Move::Add => printer.done(format!("added {name}")),
        Move::Restore => printer.done(format!("restored {name}")),
        Move::Remove => {
            printer.done(format!("removed {name}"));
            printer.hint(format!("regctl restore {name}"));
        }
        Move::Update => {
            let fields = change.fields.iter().map(|difference| difference.field.as_str());
            let renamed = change.renamed_from.as_ref().map(|old| format!("name (it was {old})"));
            let fields: Vec<String> = renamed.into_iter().chain(fields.map(str::to_owned)).collect();
            printer.done(format!("updated {name}: {}", fields.join(", ")));
        }
    }
    if change.credential_left_behind {
        printer.warn(format!("{name} is at another host now, so its credential was left behind"));
        printer.hint(format!("regctl login {name}"));
    }
    if !change.orphan_is_in_the_way
        && let Err(error) = forget(change, context)
    {
        printer.warn(format!("{error:#}"));
    }
}

fn notes(change: &Change, context: &Context) {
    change.notes.iter().for_each(|note| context.printer.note(format!("{}: {note}", change.name)));
}

/// Deletes a secret that does not belong to an entry any more.
fn forget(change: &Change, context: &Context) -> anyhow::Result<()> {
    let Some(place) = change.orphaned else { return Ok(()) };
    context.wallet().forget(place, &change.id.to_string()).map(drop).map_err(|error| {
        Refusal::new(Exit::Credential, format!("the old secret of {} could not be deleted", change.name))
            .hint("if the secret may go to the new host, give --keep-credentials")
            .caused_by(error)
            .into()
    })
}

/// The difference for a dry run; for programs always; else how it ended.
fn report(applied: Applied, context: &Context, dry_run: bool) -> anyhow::Result<()> {
    let printer = &context.printer;
    let summary = summary(&applied, dry_run);
    let text = difference(&applied);
    let transitions = (
        applied.default.clone().map(|(before, after)| Transition { before, after }),
        applied
            .trash_retention
            .map(|(before, after)| Transition { before: Some(before.to_string()), after: Some(after.to_string()) }),
    );
    if !dry_run {
        match &applied.default {
            Some((Some(old), Some(new))) => printer.done(format!("the default is now {new}; it was {old}")),
            Some((None, Some(new))) => printer.done(format!("the default is now {new}")),
            Some((_, None)) => printer.warn("there is no default now"),
            None => {}
        }
    }
    if printer.format().is_machine() || context.shows_fields() {
        let (default, trash_retention) = transitions;
        let result = Report { list: List::whole(applied.changes), default, trash_retention };
        if printer.format() == crate::output::Format::Json || printer.format() == crate::output::Format::Yaml {
            printer.report(&result, || View::Text(String::new()))?;
        } else {
            printer.report_list(&result.list, || table(&result.list.items))?;
        }
    } else if dry_run {
        printer.view(View::Text(text))?;
    }
    printer.note(match dry_run {
        true if !summary.is_empty() => format!("{summary}; nothing was changed"),
        _ if summary.is_empty() => "unchanged".to_owned(),
        _ => summary,
    });
    Ok(())
}

/// `1 added, 2 updated, 3 unchanged`; empty when nothing changes.
fn summary(applied: &Applied, dry_run: bool) -> String {
    if applied.is_unchanged() {
        return String::new();
    }
    let words = [
        (Move::Add, "to add", "added"),
        (Move::Update, "to update", "updated"),
        (Move::Restore, "to restore", "restored"),
        (Move::Remove, "to remove", "removed"),
        (Move::Unchanged, "unchanged", "unchanged"),
    ];
    let counts = words.into_iter().map(|(action, then, now)| (applied.count(action), if dry_run { then } else { now }));
    let shown: Vec<String> = counts.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    if shown.is_empty() { "the settings differ".to_owned() } else { shown.join(", ") }
}

/// The difference as lines: `+` comes, `-` goes, `~` changes.
fn difference(applied: &Applied) -> String {
    let mut lines = Vec::new();
    for change in &applied.changes {
        let name = &change.name;
        let detail = match (change.action, &change.renamed_from) {
            (Move::Unchanged, _) => continue,
            (Move::Add, _) => format!("+ {name}"),
            (Move::Restore, _) => format!("+ {name} (restored)"),
            (Move::Remove, _) => format!("- {name}"),
            (Move::Update, Some(old)) => format!("~ {name} (it was {old})"),
            (Move::Update, None) => format!("~ {name}"),
        };
        lines.push(detail);
        let width = change.fields.iter().map(|difference| difference.field.len()).max().unwrap_or_default();
        for difference in &change.fields {
            let values = match (&difference.before, &difference.after) {
                (Value::Null, after) => shown(after),
                (before, Value::Null) => format!("{} -> (none)", shown(before)),
                (before, after) => format!("{} -> {}", shown(before), shown(after)),
            };
            lines.push(format!("    {:width$}  {values}", difference.field));
        }
        if change.credential_left_behind {
            lines.push("    the credential is left behind: it is another host".to_owned());
        }
    }
    let transition = |what: &str, before: Option<String>, after: Option<String>| {
        let shown = |value: Option<String>| value.unwrap_or_else(|| "(none)".to_owned());
        format!("~ {what}: {} -> {}", shown(before), shown(after))
    };
    if let Some((before, after)) = &applied.default {
        lines.push(transition("default", before.clone(), after.clone()));
    }
    if let Some((before, after)) = applied.trash_retention {
        lines.push(transition("settings.trash_retention", Some(before.to_string()), Some(after.to_string())));
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

/// A value in one line, as it would stand in the file.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.lines().next().unwrap_or_default().to_owned(),
        value => value.to_string(),
    };
    match text.char_indices().nth(VALUE_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None if value.as_str().is_some_and(|whole| whole.len() > text.len()) => format!("{text}…"),
        None => text,
    }
}

fn table(changes: &[Change]) -> Table {
    let mut table = Table::new([Column::new("name"), Column::new("action"), Column::new("fields")]);
    for change in changes {
        let action = serde_json::to_value(change.action).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
        let fields: Vec<&str> = change.fields.iter().map(|difference| difference.field.as_str()).collect();
        table.row(change.name.as_str(), [change.name.as_str().into(), Cell::from(action), fields.join(",").into()]);
    }
    table
}
