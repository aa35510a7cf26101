//! What a person or a script sees. Results go to stdout; status, progress, warnings and hints to stderr.
//!
//! Knows nothing of registries: commands hand over a value that serialises (machine formats show it whole) and a way to view it as
//! a [`Table`] or [`Document`] (people see that). Text from outside is cleaned of control characters on its way out, here and only
//! here.

mod document;
mod format;
mod json;
mod list;
mod printer;
mod progress;
mod table;
mod template;
pub mod text;
pub mod units;

pub use document::Document;
pub use format::Format;
pub use json::to_string as json_string;
pub use list::{Failed, List};
pub use printer::{Printer, PrinterSettings, ReportError, View};
pub use progress::Progress;
pub use table::{Cell, Column, Row, Table, Tone, UnknownColumn};
pub use template::Template;

use table::Layout;
