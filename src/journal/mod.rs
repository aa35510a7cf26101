//! What was deleted, so that it can be told and put back (SPEC §8.4).
//!
//! Each destructive command is a [`Run`] with a folder of its own below the state folder: an image layout with the manifests that
//! it took away, and a log of what it was about to do and what became of it. Nothing is asked of a server before what it will lose
//! is on the disk; ended at any instant, the log tells how far it came. Folders of different runs have nothing in common, so that any
//! number of processes can delete at once. Knows no server: what to keep is decided in `operations`, which sees a [`Journal`].

mod id;
mod layout;
mod log;
mod run;
mod shelf;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::oci::{Digest, RawManifest, Repository, Tag};
use crate::registry::Result;

pub use id::RunId;
pub use run::{Beginning, Run};
pub use shelf::{Recorded, Shelf, State, Undoing};

/// Something that went wrong with the journal's files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder.
    #[error(transparent)]
    File(#[from] crate::files::Error),
    /// The state folder can't be listed.
    #[error("can't read {}", folder.display())]
    Unlisted {
        /// Which folder.
        folder: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no such run.
    #[error("there is no run {0}")]
    NoRun(String),
    /// Another process is working on this run.
    #[error("run {0} is still going on")]
    Busy(RunId),
    /// A newer version of the program wrote it.
    #[error("run {0} was written by a newer version of this program")]
    Newer(RunId),
    /// What was saved can't be read any more.
    #[error("what run {run} kept of {digest} is damaged")]
    Damaged {
        /// Which run.
        run: RunId,
        /// Which manifest.
        digest: Digest,
    },
}

/// A repository on a server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// What people call the registry.
    pub registry: String,
    /// Its address.
    pub address: String,
    /// The repository, in full.
    #[serde(with = "as_text")]
    pub repository: Repository,
}

/// What is about to be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Where.
    pub place: Place,
    /// The step that takes it, as [`Told::reference`] names it.
    pub step: String,
    /// The manifest.
    pub manifest: RawManifest,
    /// Tags that will no longer point at it.
    pub tags: Vec<Tag>,
    /// Tags that should stay, and that a server may take along.
    pub at_risk: Vec<Tag>,
    /// What the tags will point at instead, until that is deleted too: a placeholder, or a list of referrers without some of them.
    pub becomes: Option<Digest>,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The tag or manifest, as a full reference.
    pub reference: String,
    /// `untagged`, `deleted`, `updated`, `gone`, `skipped`, `failed`, `refused`, `interrupted`.
    pub result: String,
    /// Why, when it isn't what was planned.
    pub message: Option<String>,
}

impl Told {
    /// Whether this certainly changed nothing on the server.
    fn changed_nothing(&self) -> bool {
        matches!(self.result.as_str(), "gone" | "skipped" | "refused" | "interrupted")
    }
}

/// Where those who delete write down what they do.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Keeps what a request is about to take away. When this returns, it is on the disk; when it fails, nothing may be deleted.
    async fn keep(&self, kept: Kept) -> Result<()>;

    /// Writes down what became of a step. That it can't be written stops nothing: what was done was done.
    async fn tell(&self, told: Told);

    /// Whether anything is kept at all. Where nothing is, nothing has to be fetched for it.
    fn keeps(&self) -> bool;
}

/// Keeps nothing: `--no-undo`.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

#[async_trait]
impl Journal for Nothing {
    async fn keep(&self, _: Kept) -> Result<()> {
        Ok(())
    }

    async fn tell(&self, _: Told) {}

    fn keeps(&self) -> bool {
        false
    }
}

/// A manifest that was kept, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it was.
    #[serde(flatten)]
    pub place: Place,
    /// See [`Kept::step`].
    pub step: String,
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// See [`Kept::tags`].
    #[serde(with = "as_texts")]
    pub tags: Vec<Tag>,
    /// See [`Kept::at_risk`].
    #[serde(default, with = "as_texts", skip_serializing_if = "Vec::is_empty")]
    pub at_risk: Vec<Tag>,
    /// See [`Kept::becomes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub becomes: Option<Digest>,
}

impl Entry {
    fn of(kept: &Kept) -> Entry {
        let Kept { place, step, manifest, tags, at_risk, becomes } = kept;
        Entry {
            place: place.clone(),
            step: step.clone(),
            digest: manifest.digest.clone(),
            media_type: manifest.media_type.clone(),
            size: manifest.bytes.len() as u64,
            tags: tags.clone(),
            at_risk: at_risk.clone(),
            becomes: becomes.clone(),
        }
    }

    fn manifest(&self, bytes: Bytes) -> RawManifest {
        RawManifest { media_type: self.media_type.clone(), digest: self.digest.clone(), bytes }
    }
}

/// One line of a run's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    /// The first line.
    Began {
        version: u32,
        /// Tells runs of the same second apart, and orders them.
        order: String,
        at: Timestamp,
        command: String,
        steps: usize,
    },
    /// A manifest is on the disk; its step comes next.
    Kept(Entry),
    /// What became of a step.
    Done(Told),
    /// The command ended by itself.
    Ended { at: Timestamp },
    /// `undo` put something back.
    Undone {
        #[serde(flatten)]
        place: Place,
        digest: Digest,
        #[serde(default, with = "as_optional_text", skip_serializing_if = "Option::is_none")]
        tag: Option<Tag>,
    },
}

/// Names in text, checked on their way in: a log is a file that anybody may have edited.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::fmt::Display;
    use std::str::FromStr;

    pub fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

mod as_texts {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::oci::Tag;

    pub fn serialize<S: Serializer>(tags: &[Tag], serializer: S) -> Result<S::Ok, S::Error> {
        tags.iter().map(Tag::as_str).collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Tag>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
    }
}

mod as_optional_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::oci::Tag;

    pub fn serialize<S: Serializer>(tag: &Option<Tag>, serializer: S) -> Result<S::Ok, S::Error> {
        tag.as_ref().map(Tag::as_str).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Tag>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
    }
}
