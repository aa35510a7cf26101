//! Putting back what a run took away, as long as the server still holds the blobs: what indexes list before the indexes, and no tag
//! that has moved to something else since.

mod lost;
mod restore;

use serde::Serialize;

use super::Ticker;
use crate::oci::{Digest, Tag};
use crate::registry::{Error, Registry};

pub use lost::{Losses, Lost, LostTag};

use restore::Restorer;

/// How far to go.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whether tags that have moved since are taken back.
    pub force: bool,
    /// Whether only to look what would be done.
    pub dry_run: bool,
}

/// What became of one tag, or of a manifest without a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The tag or manifest, as a full reference.
    pub reference: String,
    /// Its digest.
    pub digest: Digest,
    /// What happened.
    pub result: Back,
    /// Why, when it isn't back.
    pub message: Option<String>,
}

/// What happened to something that was to be put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Back {
    /// It is there again.
    Restored,
    /// It was there.
    Already,
    /// It would be there again: only looked at.
    Possible,
    /// The tag is on something else by now, which was left alone.
    Moved,
    /// The server no longer holds what it needs.
    Lost,
    /// The server refused, or could not be asked.
    Failed,
}

/// How putting back went.
#[derive(Debug, Default)]
pub struct Undone {
    /// One outcome a tag, and one a manifest without tags.
    pub outcomes: Vec<Outcome>,
    /// The first error.
    pub first_error: Option<Error>,
}

impl Undone {
    /// How many ended so.
    pub fn count(&self, result: Back) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.result == result).count()
    }

    /// Takes in how another repository went.
    pub fn extend(&mut self, other: Undone) {
        self.outcomes.extend(other.outcomes);
        self.first_error = self.first_error.take().or(other.first_error);
    }
}

/// Told what was put back: a manifest, or a tag on it.
pub type Noted<'a> = &'a (dyn Fn(&Digest, Option<&Tag>) + Send + Sync);

/// Puts back what one repository lost. Stops before the next manifest when `stop` says so.
pub async fn undo(
    registry: &dyn Registry,
    losses: &Losses,
    options: Options,
    noted: Noted<'_>,
    stop: &(dyn Fn() -> bool + Sync),
    tick: Ticker<'_>,
) -> Undone {
    Restorer::new(registry, losses, options, noted).run(stop, tick).await
}

fn failed(reference: String, digest: &Digest, error: &Error) -> Outcome {
    Outcome { reference, digest: digest.clone(), result: Back::Failed, message: Some(error.to_string()) }
}
