//! Environment variables, read in one place so that everything else can be tested with made-up ones.

use jiff::Timestamp;

/// The process's environment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Environment;

impl Environment {
    /// A variable's value; empty counts as not set, as shells and CI systems often can't unset.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the process")]
    pub fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    /// The current time; `REGCTL_NOW` (RFC 3339) fixes it, for tests and reproducible reports.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the clock")]
    pub fn now(&self) -> Timestamp {
        self.var("REGCTL_NOW").and_then(|text| text.parse().ok()).unwrap_or_else(Timestamp::now)
    }
}
