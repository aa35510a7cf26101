//! The output formats and what they are called.

/// What stdout looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns, cut to the terminal
    #[default]
    Table,
    /// All columns, nothing cut
    Wide,
    /// One JSON document
    Json,
    /// One JSON value a line, as they arrive
    Jsonl,
    /// YAML
    Yaml,
    /// Comma-separated values, all columns
    Csv,
    /// Names only
    Name,
}

impl Format {
    /// Whether a program reads it.
    pub fn is_machine(self) -> bool {
        !matches!(self, Format::Table | Format::Wide)
    }
}
