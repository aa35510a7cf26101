//! Rows and columns: aligned for a person, cut to the terminal, whole for a pipe.

use comfy_table::{Attribute, Cell as Laid, CellAlignment, Color, ContentArrangement, Row as LaidRow, presets};

use super::text;

/// No column is cut below this, it would say nothing any more.
const NARROWEST: usize = 8;

/// One column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name for `--columns` and CSV, in snake_case.
    pub key: &'static str,
    /// Shown only with `-o wide`, in CSV, or when asked for by name.
    pub wide: bool,
    /// Numbers stand at the right.
    pub right: bool,
    /// May be cut when the terminal is narrow.
    pub shrinks: bool,
    /// The higher, the sooner it is left out of a terminal that is too narrow; 0 stays always.
    pub expendable: u8,
}

impl Column {
    /// A column that stays whole.
    pub fn new(key: &'static str) -> Column {
        Column { key, wide: false, right: false, shrinks: false, expendable: 0 }
    }

    /// Shown only in wide tables.
    pub fn wide(mut self) -> Column {
        self.wide = true;
        self
    }

    /// Aligned to the right.
    pub fn right(mut self) -> Column {
        self.right = true;
        self
    }

    /// May be cut.
    pub fn shrinks(mut self) -> Column {
        self.shrinks = true;
        self
    }

    /// May be left out; the highest goes first.
    pub fn expendable(mut self, rank: u8) -> Column {
        self.expendable = rank;
        self
    }
}

/// What a cell means, for colour; words say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// To be looked at.
    Warn,
    /// Broken.
    Bad,
    /// Of lesser interest.
    Dim,
}

/// One cell: what a person reads, and what a program reads when that is another text.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    value: Option<String>,
    tone: Tone,
}

impl Cell {
    /// A cell that a program reads differently, such as bytes beside `71.2 MB`.
    pub fn with_value(text: impl Into<String>, value: impl ToString) -> Cell {
        Cell { text: text.into(), value: Some(value.to_string()), tone: Tone::Plain }
    }

    /// Gives it a meaning.
    pub fn tone(mut self, tone: Tone) -> Cell {
        self.tone = tone;
        self
    }

    /// What a program reads.
    pub fn value(&self) -> &str {
        self.value.as_deref().unwrap_or(&self.text)
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell { text: text.into(), value: None, tone: Tone::Plain }
    }
}

/// A row: the name that `-q` prints, and its cells.
#[derive(Debug, Clone)]
pub struct Row {
    /// What `-q` and `-o name` print, such as a full reference.
    pub name: String,
    /// One cell a column.
    pub cells: Vec<Cell>,
}

/// Columns and rows.
#[derive(Debug, Clone)]
pub struct Table {
    /// All columns, wide ones too.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// How a table is to be laid out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Columns of the terminal; `None` doesn't cut.
    pub width: Option<usize>,
    /// Whether the header line is shown.
    pub headers: bool,
    /// Whether colours are used.
    pub colour: bool,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Table {
        Table { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, name: impl Into<String>, cells: impl IntoIterator<Item = Cell>) {
        let row = Row { name: name.into(), cells: cells.into_iter().collect() };
        debug_assert_eq!(row.cells.len(), self.columns.len(), "a row has a cell for each column");
        self.rows.push(row);
    }

    /// The columns to show: those asked for, else all that are not wide, or all.
    pub(super) fn selection(&self, asked: &[String], all: bool) -> Result<Vec<usize>, UnknownColumn> {
        if asked.is_empty() {
            return Ok((0..self.columns.len()).filter(|at| all || !self.columns[*at].wide).collect());
        }
        asked
            .iter()
            .map(|name| {
                self.columns.iter().position(|column| column.key == name.to_lowercase()).ok_or_else(|| UnknownColumn {
                    name: name.clone(),
                    known: self.columns.iter().map(|column| column.key).collect::<Vec<_>>().join(", "),
                })
            })
            .collect()
    }

    /// The lines of the table.
    pub(super) fn render(&self, mut selection: Vec<usize>, layout: Layout) -> String {
        if let Some(width) = layout.width {
            while selection.len() > 1 && self.narrowest(&selection, layout.headers) > width {
                let Some(at) = (0..selection.len())
                    .filter(|at| self.columns[selection[*at]].expendable > 0)
                    .max_by_key(|at| self.columns[selection[*at]].expendable)
                else {
                    break;
                };
                selection.remove(at);
            }
        }
        let mut widths: Vec<usize> = selection.iter().map(|column| self.natural(*column, layout.headers)).collect();
        if let Some(width) = layout.width {
            shrink(&mut widths, &selection.iter().map(|column| self.columns[*column].shrinks).collect::<Vec<_>>(), width);
        }
        let mut laid = comfy_table::Table::new();
        laid.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if layout.colour {
            laid.enforce_styling();
        } else {
            laid.force_no_tty();
        }
        if layout.headers {
            laid.set_header(LaidRow::from(
                selection
                    .iter()
                    .map(|column| {
                        let cell = Laid::new(header(self.columns[*column].key));
                        if layout.colour { cell.add_attribute(Attribute::Bold) } else { cell }
                    })
                    .collect::<Vec<_>>(),
            ));
        }
        for row in &self.rows {
            let cells = selection.iter().zip(&widths).map(|(column, width)| {
                let cell = &row.cells[*column];
                let shown = text::clean(&cell.text);
                let laid = Laid::new(text::truncate(&shown, *width));
                match cell.tone {
                    _ if !layout.colour => laid,
                    Tone::Plain => laid,
                    Tone::Good => laid.fg(Color::Green),
                    Tone::Warn => laid.fg(Color::Yellow),
                    Tone::Bad => laid.fg(Color::Red),
                    Tone::Dim => laid.add_attribute(Attribute::Dim),
                }
            });
            laid.add_row(LaidRow::from(cells.collect::<Vec<_>>()));
        }
        for (at, column) in selection.iter().enumerate() {
            if let Some(laid) = laid.column_mut(at) {
                laid.set_padding((0, 2));
                if self.columns[*column].right {
                    laid.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        laid.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    fn natural(&self, column: usize, headers: bool) -> usize {
        let header = if headers { text::width(&header(self.columns[column].key)) } else { 0 };
        self.rows.iter().map(|row| text::width(&text::clean(&row.cells[column].text))).max().unwrap_or(0).max(header)
    }

    fn narrowest(&self, selection: &[usize], headers: bool) -> usize {
        let columns = selection.iter().map(|column| {
            let natural = self.natural(*column, headers);
            if self.columns[*column].shrinks {
                natural.min(NARROWEST.max(header(self.columns[*column].key).len()))
            } else {
                natural
            }
        });
        columns.sum::<usize>() + 2 * selection.len().saturating_sub(1)
    }
}

/// `created_at` → `CREATED AT`.
fn header(key: &str) -> String {
    key.replace('_', " ").to_uppercase()
}

/// Takes from the widest column that may be cut until all fit.
fn shrink(widths: &mut [usize], may: &[bool], total: usize) {
    let room = total.saturating_sub(2 * widths.len().saturating_sub(1));
    while widths.iter().sum::<usize>() > room {
        let Some(widest) = (0..widths.len()).filter(|at| may[*at] && widths[*at] > NARROWEST).max_by_key(|at| widths[*at]) else {
            break;
        };
        widths[widest] -= 1;
    }
}

/// `--columns` named one that isn't there.
#[derive(Debug, thiserror::Error)]
#[error("there is no column `{}`; this command has {known}", name.escape_debug())]
pub struct UnknownColumn {
    /// As asked for.
    pub name: String,
    /// What there is.
    pub known: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([
            Column::new("name"),
            Column::new("address").shrinks(),
            Column::new("size").right(),
            Column::new("state").expendable(1),
            Column::new("id").wide(),
        ]);
        table.row(
            "prod",
            ["prod".into(), "https://registry-1.docker.io".into(), Cell::with_value("1.0 kB", 1000), "active".into(), "x".into()],
        );
        table.row("b", ["b".into(), "http://b".into(), "20.0 MB".into(), "inactive".into(), "y\u{1b}[1m".into()]);
        table
    }

    fn lines(width: Option<usize>, wide: bool) -> Vec<String> {
        let table = table();
        let selection = table.selection(&[], wide).unwrap();
        table.render(selection, Layout { width, headers: true, colour: false }).lines().map(str::to_owned).collect()
    }

    #[test]
    fn layout() {
        assert_eq!(
            lines(None, false),
            [
                "NAME  ADDRESS                          SIZE  STATE",
                "prod  https://registry-1.docker.io   1.0 kB  active",
                "b     http://b                      20.0 MB  inactive",
            ]
        );
        assert_eq!(lines(None, true)[2], "b     http://b                      20.0 MB  inactive  y\\u{1b}[1m");
    }

    #[test]
    fn narrow_terminals_cut_then_drop() {
        for line in lines(Some(40), false) {
            assert!(text::width(&line) <= 40, "{line}");
        }
        assert!(lines(Some(40), false)[1].contains('…'));
        assert!(!lines(Some(26), false)[0].contains("STATE"));
    }

    #[test]
    fn columns_by_name() {
        let table = table();
        assert_eq!(table.selection(&["ID".into(), "name".into()], false).unwrap(), [4, 0]);
        assert!(table.selection(&["nope".into()], false).unwrap_err().to_string().contains("address"));
    }
}
