//! The envelope that every list has in JSON and YAML.

use serde::Serialize;

/// Items, what failed on the way, and where the next page begins.
#[derive(Debug, Clone, Serialize)]
pub struct List<T> {
    /// What was found.
    pub items: Vec<T>,
    /// What could not be had; the exit code is 9 when there are any.
    pub failed: Vec<Failed>,
    /// Opaque token of the next page, when the list was cut by `--limit`.
    pub next_page: Option<String>,
}

impl<T> List<T> {
    /// A whole list.
    pub fn whole(items: Vec<T>) -> List<T> {
        List { items, failed: Vec::new(), next_page: None }
    }
}

/// One thing that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// What.
    pub name: String,
    /// Why.
    pub message: String,
}
