//! Options that every command takes, each with a variable.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{ArgAction, Args, ColorChoice};

use super::{Environment, Refusal};
use crate::output::{Format, Printer, PrinterSettings, Template};

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// How results are written
    #[arg(
        long,
        short,
        global = true,
        env = "REGCTL_OUTPUT",
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        hide_env = true
    )]
    #[arg(help = "How results are written: table, wide, json, jsonl, yaml, csv or name")]
    pub output: Format,

    /// Fill a template with each result, such as '{{ name }} {{ size | size }}'
    #[arg(long, global = true, env = "REGCTL_FORMAT", value_name = "TEMPLATE", hide_env = true, conflicts_with = "output")]
    pub format: Option<String>,

    /// Show these columns only, in this order
    #[arg(long, global = true, env = "REGCTL_COLUMNS", value_name = "A,B", value_delimiter = ',', hide_env = true)]
    pub columns: Vec<String>,

    /// Leave the header line of tables out
    #[arg(long, global = true, env = "REGCTL_NO_HEADERS", hide_env = true)]
    pub no_headers: bool,

    /// Print names only, and no status
    #[arg(long, short, global = true, env = "REGCTL_QUIET", hide_env = true)]
    pub quiet: bool,

    /// Show requests on stderr; twice for more
    #[arg(long, short, global = true, action = ArgAction::Count, env = "REGCTL_VERBOSE", hide_env = true)]
    pub verbose: u8,

    /// Count requests, bytes, waits and what was remembered on stderr at the end
    #[arg(long, global = true, env = "REGCTL_STATS", hide_env = true)]
    pub stats: bool,

    /// Fetch manifests and configs anew, and remember none
    #[arg(long, global = true, env = "REGCTL_NO_CACHE", hide_env = true)]
    pub no_cache: bool,

    /// Use colours: auto, always or never
    #[arg(
        long,
        global = true,
        env = "REGCTL_COLOR",
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        hide_default_value = true,
        hide_env = true
    )]
    pub color: ColorChoice,

    /// Use this catalogue file
    #[arg(long, global = true, env = "REGCTL_CATALOGUE", value_name = "FILE", hide_env = true, value_hint = clap::ValueHint::FilePath)]
    pub catalogue: Option<PathBuf>,

    /// Reach registries that have an allow-list through a proxy too, where it can't be enforced
    #[arg(long, global = true, env = "REGCTL_ALLOW_PROXY", hide_env = true)]
    pub allow_proxy: bool,
}

impl Globals {
    /// The printer that these options ask for.
    pub(super) fn printer(&self, environment: &Environment) -> Result<Printer, Refusal> {
        let template = self.format.as_deref().map(Template::compile).transpose();
        let template = template.map_err(|message| Refusal::usage(format!("--format: {message}")))?;
        let colour = |terminal: bool| match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                terminal && environment.var("NO_COLOR").is_none() && environment.var("TERM").as_deref() != Some("dumb")
            }
        };
        let terminal = std::io::stdout().is_terminal();
        let asked_width = environment.var("COLUMNS").and_then(|columns| columns.parse().ok());
        let terminal_width = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Ok(Printer::new(PrinterSettings {
            format: if self.quiet && !self.output.is_machine() { Format::Name } else { self.output },
            template,
            columns: self.columns.clone(),
            headers: !self.no_headers,
            quiet: self.quiet,
            colour: colour(terminal),
            colour_errors: colour(std::io::stderr().is_terminal()),
            // a pipe gets everything, unless someone says how wide it is
            width: asked_width.or_else(|| terminal.then(terminal_width).flatten()),
        }))
    }
}
