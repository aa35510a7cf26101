//! What holds for all registries (SPEC §3, `[settings]`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::invalid::as_text;
use crate::duration::{Duration, InvalidDuration};

/// What holds for all registries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How long what was removed stays restorable.
    #[serde(default)]
    pub trash_retention: TrashRetention,
}

/// How long what was removed stays restorable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrashRetention {
    /// Until someone purges it.
    Forever,
    /// This long.
    For(Duration),
}

impl Default for TrashRetention {
    /// Thirty days: long enough to notice that something is missing after a month's end.
    fn default() -> TrashRetention {
        TrashRetention::For(Duration::from_seconds(30 * 86_400))
    }
}

impl FromStr for TrashRetention {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<TrashRetention, InvalidDuration> {
        if text == "never" { Ok(TrashRetention::Forever) } else { text.parse().map(TrashRetention::For) }
    }
}

impl fmt::Display for TrashRetention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrashRetention::Forever => f.pad("never"),
            TrashRetention::For(duration) => duration.fmt(f),
        }
    }
}

as_text!(TrashRetention);
