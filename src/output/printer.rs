//! The one place that writes to stdout and stderr.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::Value;

use super::{Document, Format, Layout, Progress, Table, Template, UnknownColumn, json, text};

/// Items of a list that are made into lines before they are written: few enough to cost no memory.
const PIECE: usize = 256;

/// How output was asked for.
pub struct PrinterSettings {
    /// The format.
    pub format: Format,
    /// A template, instead of a format.
    pub template: Option<Template>,
    /// Columns by name; empty shows the usual ones.
    pub columns: Vec<String>,
    /// Whether tables have a header.
    pub headers: bool,
    /// Whether status lines are left out (`-q`).
    pub quiet: bool,
    /// Colour on stdout.
    pub colour: bool,
    /// Colour on stderr.
    pub colour_errors: bool,
    /// Columns to cut to; `None` doesn't cut.
    pub width: Option<usize>,
}

/// How a value looks to a person.
pub enum View {
    /// Many things.
    Table(Table),
    /// One thing.
    Document(Document),
    /// Free text, whole lines.
    Text(String),
}

impl From<Table> for View {
    fn from(table: Table) -> View {
        View::Table(table)
    }
}

impl From<Document> for View {
    fn from(document: Document) -> View {
        View::Document(document)
    }
}

/// Why a result could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// `--columns` named one that isn't there.
    #[error(transparent)]
    Column(#[from] UnknownColumn),
    /// The template failed.
    #[error("--format: {0}")]
    Template(String),
    /// The value can't be written in this format.
    #[error("can't write this as {format}: {message}")]
    Encode {
        /// The format.
        format: &'static str,
        /// Why.
        message: String,
    },
    /// stdout can't be written to; a closed pipe is [`io::ErrorKind::BrokenPipe`].
    #[error("can't write to standard output")]
    Write(#[from] io::Error),
}

/// Writes results and messages.
pub struct Printer {
    settings: PrinterSettings,
    stderr_is_terminal: bool,
}

impl Printer {
    /// A printer.
    pub fn new(settings: PrinterSettings) -> Printer {
        Printer { settings, stderr_is_terminal: io::stderr().is_terminal() }
    }

    /// The format asked for.
    pub fn format(&self) -> Format {
        self.settings.format
    }

    /// Whether each item should be handed over with [`Printer::items`] as soon as it is known.
    pub fn streams(&self) -> bool {
        self.settings.template.is_none() && self.settings.format == Format::Jsonl
    }

    /// Reports a list: `items` is the field of the value that holds what `jsonl` and `--format` show one by one.
    pub fn report_list<T: Serialize>(&self, value: &super::List<T>, view: impl FnOnce() -> Table) -> Result<(), ReportError> {
        self.report_items(&value.items, value, view)
    }

    /// The same where the document says more than a list does: `items` are those of its field of that name.
    pub fn report_items<T: Serialize>(
        &self,
        items: &[T],
        value: &impl Serialize,
        view: impl FnOnce() -> Table,
    ) -> Result<(), ReportError> {
        if let Some(template) = &self.settings.template {
            let mut out = String::new();
            for item in items {
                out.push_str(&template.render(item).map_err(ReportError::Template)?);
                out.push('\n');
            }
            return self.write(text::clean_lines(&out).as_bytes());
        }
        if self.settings.format == Format::Jsonl {
            return items.chunks(PIECE).try_for_each(|items| self.items(items));
        }
        self.show(value, || view().into())
    }

    /// Reports one value.
    pub fn report<T: Serialize>(&self, value: &T, view: impl FnOnce() -> View) -> Result<(), ReportError> {
        if let Some(template) = &self.settings.template {
            let out = template.render(value).map_err(ReportError::Template)?;
            return self.write(format!("{}\n", text::clean_lines(&out)).as_bytes());
        }
        self.show(value, view)
    }

    /// Writes items of a stream, each as a line of JSON, all at once: a call of the system for each line would take longer than the lines.
    pub fn items<T: Serialize>(&self, items: &[T]) -> Result<(), ReportError> {
        self.write(json::lines(items).map_err(|error| encode("JSON", error))?.as_bytes())
    }

    fn show<T: Serialize>(&self, value: &T, view: impl FnOnce() -> View) -> Result<(), ReportError> {
        let format = self.settings.format;
        let out = match format {
            Format::Json => json::to_string(value, true).map_err(|error| encode("JSON", error))? + "\n",
            Format::Jsonl => json::to_string(value, false).map_err(|error| encode("JSON", error))? + "\n",
            Format::Yaml => {
                // through a JSON value, so that both formats show the same field for field
                let value: Value = serde_json::to_value(value).map_err(|error| encode("YAML", error))?;
                let text = serde_saphyr::to_string(&value).map_err(|error| encode("YAML", error))?;
                text::clean_lines(&text).into_owned()
            }
            Format::Table | Format::Wide | Format::Csv | Format::Name => return self.view(view()),
        };
        self.write(out.as_bytes())
    }

    /// How many columns a line may have; `None` where lines are not cut.
    pub fn width(&self) -> Option<usize> {
        self.settings.width.filter(|_| self.settings.format != Format::Wide)
    }

    /// Shows a view to a person, or as CSV or names.
    pub fn view(&self, view: View) -> Result<(), ReportError> {
        let wide = self.settings.format == Format::Wide;
        let layout = Layout { width: self.width(), headers: self.settings.headers, colour: self.settings.colour };
        let out = match (self.settings.format, view) {
            (Format::Csv, View::Table(table)) => self.csv_table(&table)?,
            (Format::Csv, View::Document(document)) => {
                let header = self.settings.headers.then(|| vec!["field".to_owned(), "value".to_owned()]);
                csv(header.into_iter().chain(document.pairs().map(|(label, value)| vec![label.to_owned(), value])))?
            }
            (Format::Name, View::Table(table)) => table.rows.iter().map(|row| format!("{}\n", text::clean(&row.name))).collect(),
            (Format::Name, View::Document(document)) => format!("{}\n", text::clean(document.title())),
            (_, View::Table(table)) => {
                let selection = table.selection(&self.settings.columns, wide)?;
                if table.rows.is_empty() { String::new() } else { table.render(selection, layout) }
            }
            (_, View::Document(document)) => document.render(layout),
            (_, View::Text(text)) => text::clean_lines(&text).into_owned(),
        };
        self.write(out.as_bytes())
    }

    fn csv_table(&self, table: &Table) -> Result<String, ReportError> {
        let selection = table.selection(&self.settings.columns, true)?;
        let header = self.settings.headers.then(|| selection.iter().map(|at| table.columns[*at].key.to_owned()).collect());
        let rows =
            table.rows.iter().map(|row| selection.iter().map(|at| text::clean(row.cells[*at].value()).into_owned()).collect());
        csv(header.into_iter().chain(rows))
    }

    /// Writes bytes to stdout as they are: blobs, raw manifests, generated files.
    pub fn write(&self, bytes: &[u8]) -> Result<(), ReportError> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()?;
        Ok(())
    }

    /// Whether stdout is a terminal, where raw bytes could do harm.
    pub fn stdout_is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Says what was done.
    pub fn done(&self, message: impl AsRef<str>) {
        self.say(AnsiColor::Green, "✓ ", message.as_ref());
    }

    /// Says something by the way.
    pub fn note(&self, message: impl AsRef<str>) {
        if !self.settings.quiet {
            self.line(text::clean(message.as_ref()).as_ref());
        }
    }

    /// Says what to try next.
    pub fn hint(&self, message: impl AsRef<str>) {
        if !self.settings.quiet {
            self.line(&format!("  try: {}", text::clean(message.as_ref())));
        }
    }

    /// Says what a person should know before it hurts; shown even with `-q`.
    pub fn warn(&self, message: impl AsRef<str>) {
        self.mark(AnsiColor::Yellow, "! ", "warning: ", message.as_ref());
    }

    /// Says what failed while the rest went on; shown even with `-q`.
    pub fn failed(&self, message: impl AsRef<str>) {
        self.mark(AnsiColor::Red, "✗ ", "failed: ", message.as_ref());
    }

    fn say(&self, colour: AnsiColor, mark: &str, message: &str) {
        if !self.settings.quiet {
            self.mark(colour, mark, "", message);
        }
    }

    fn mark(&self, colour: AnsiColor, mark: &str, word: &str, message: &str) {
        let style = Style::new().fg_color(Some(colour.into()));
        let message = text::clean(message);
        if self.settings.colour_errors {
            self.line(&format!("{style}{mark}{style:#}{word}{message}"));
        } else {
            self.line(&format!("{mark}{word}{message}"));
        }
    }

    /// Writes an error that ends the command: its lines are ours, what they quote is cleaned.
    pub fn error(&self, lines: &[(&str, String)]) {
        let style = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
        for (number, (label, message)) in lines.iter().enumerate() {
            let message = text::clean(message);
            match (number, self.settings.colour_errors) {
                (0, true) => self.line(&format!("{style}{label}:{style:#} {message}")),
                (0, false) => self.line(&format!("{label}: {message}")),
                _ => self.line(&format!("  {label}: {message}")),
            }
        }
    }

    /// Writes an error as JSON on stderr.
    pub fn error_json(&self, value: &Value) {
        if let Ok(text) = json::to_string(value, false) {
            self.line(&text);
        }
    }

    fn line(&self, line: &str) {
        // nobody is left to be told when stderr is closed
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// Progress of one piece of work, on a terminal only.
    pub fn progress(&self, what: &'static str) -> Progress {
        Progress::new(what, self.stderr_is_terminal && !self.settings.quiet)
    }
}

fn encode(format: &'static str, error: impl ToString) -> ReportError {
    ReportError::Encode { format, message: error.to_string() }
}

fn csv(rows: impl Iterator<Item = Vec<String>>) -> Result<String, ReportError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(&row).map_err(|error| encode("CSV", error))?;
    }
    let bytes = writer.into_inner().map_err(|error| encode("CSV", error))?;
    String::from_utf8(bytes).map_err(|error| encode("CSV", error))
}
