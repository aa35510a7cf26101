//! All runs that are kept: beginning one, finding one, reading one, and letting go of old ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::log::Log;
use super::{Beginning, Entry, Error, Event, Place, Run, RunId, Told, layout, log};
use crate::files::{self, Appended};
use crate::oci::{Digest, RawManifest, Tag};

/// Version of the log; a run of another one is listed and can't be undone.
pub(super) const VERSION: u32 = 1;
/// A free name is found at the first attempt unless hundreds of thousands are taken; after so many something else is wrong.
const ATTEMPTS: usize = 64;
/// Whoever only looks whether a run goes on holds its log for an instant; whoever works on it holds it for longer than this.
const GLANCES: usize = 5;
const GLANCE: std::time::Duration = std::time::Duration::from_millis(20);

/// The folder in which runs are.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is still going on.
    Running,
    /// It ended by itself.
    Ended,
    /// It was killed, or the machine went down.
    Killed,
}

/// A run, read.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its name.
    pub id: RunId,
    /// Its folder.
    folder: PathBuf,
    /// Tells runs of the same second apart.
    order: String,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended by itself.
    pub ended_at: Option<Timestamp>,
    /// Version of its log.
    version: u32,
    /// The command line.
    pub command: String,
    /// How many steps it meant to take.
    pub planned: usize,
    /// How it ended.
    pub state: State,
    /// What was kept, in the order in which it was about to go.
    pub entries: Vec<Entry>,
    /// What became of its steps, in the order in which they ended.
    pub outcomes: Vec<Told>,
    undone: BTreeSet<(Place, Digest, Option<Tag>)>,
}

impl Recorded {
    /// Reads a manifest that was kept.
    ///
    /// # Errors
    /// When it isn't what was kept.
    pub fn manifest(&self, entry: &Entry) -> Result<RawManifest, Error> {
        layout::read(&self.folder, &self.id, entry)
    }

    /// What became of the step for which something was kept; `None` when the run was killed in the middle of it.
    pub fn outcome(&self, entry: &Entry) -> Option<&Told> {
        self.outcomes.iter().rfind(|told| told.reference == entry.step)
    }

    /// How many steps ended in each way.
    pub fn counts(&self) -> BTreeMap<&str, usize> {
        // a step that was tried again is told again
        let last: BTreeMap<&str, &str> = self.outcomes.iter().map(|told| (told.reference.as_str(), told.result.as_str())).collect();
        let mut counts = BTreeMap::new();
        for result in last.into_values() {
            *counts.entry(result).or_default() += 1;
        }
        counts
    }

    /// How many things `undo` has put back.
    pub fn undone(&self) -> usize {
        self.undone.len()
    }
}

/// Writes down what is put back. Nobody else can, meanwhile.
#[derive(Debug)]
pub struct Undoing {
    log: Log,
}

impl Undoing {
    /// Something was put back.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn undone(&self, place: &Place, digest: &Digest, tag: Option<&Tag>) -> Result<(), Error> {
        let event = Event::Undone { place: place.clone(), digest: digest.clone(), tag: tag.cloned() };
        self.log.add_soon(&event).map(|_| ())
    }
}

impl Shelf {
    /// The runs below a state folder. Creates nothing.
    pub fn new(state: &Path) -> Shelf {
        Shelf { folder: state.join("runs") }
    }

    /// Where the runs are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Begins a run: proves that there is a place to keep things before anything is deleted.
    ///
    /// # Errors
    /// When the folder can't be made or written.
    pub fn begin(&self, beginning: Beginning) -> Result<Run, Error> {
        files::make_private_folder(&self.folder)?;
        for attempt in 0..ATTEMPTS {
            let id = RunId::random(attempt).map_err(|source| Error::Unlisted { folder: self.folder.clone(), source })?;
            let folder = self.folder.join(id.as_str());
            if files::claim_folder(&folder)? {
                return Run::begin(id, folder.clone(), beginning).inspect_err(|_| {
                    // half a run is none
                    let _ = std::fs::remove_dir_all(&folder);
                });
            }
        }
        let source = std::io::Error::other("no name is free");
        Err(Error::Unlisted { folder: self.folder.clone(), source })
    }

    fn ids(&self) -> Result<Vec<RunId>, Error> {
        let unlisted = |source| Error::Unlisted { folder: self.folder.clone(), source };
        let entries = match std::fs::read_dir(&self.folder) {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(unlisted)?,
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry.map_err(unlisted)?.file_name();
            // anything else that lies there is none of ours
            ids.extend(name.to_str().and_then(|name| name.parse::<RunId>().ok().filter(|id| id.as_str() == name)));
        }
        Ok(ids)
    }

    /// Every run that kept something, youngest first.
    ///
    /// # Errors
    /// When the folder is there and can't be read.
    pub fn runs(&self) -> Result<Vec<Recorded>, Error> {
        let mut runs = Vec::new();
        for id in self.ids()? {
            runs.extend(self.read(&id)?.filter(|run| !run.entries.is_empty() || run.state == State::Running));
        }
        runs.sort_by(|a, b| (b.began_at, &b.order).cmp(&(a.began_at, &a.order)));
        Ok(runs)
    }

    /// One run, or the youngest.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, id: Option<&RunId>) -> Result<Recorded, Error> {
        match id {
            Some(id) => self.read(id)?.ok_or_else(|| Error::NoRun(id.to_string())),
            None => self.runs()?.into_iter().next().ok_or_else(|| Error::NoRun("to undo".into())),
        }
    }

    /// `None`: there is no such run, or it never came to say what it is.
    fn read(&self, id: &RunId) -> Result<Option<Recorded>, Error> {
        let folder = self.folder.join(id.as_str());
        let mut events = log::read(&folder)?.into_iter();
        let Some(Event::Began { version, order, at, command, steps }) = events.next() else { return Ok(None) };
        let mut run = Recorded {
            id: id.clone(),
            version,
            order,
            began_at: at,
            ended_at: None,
            command,
            planned: steps,
            state: State::Killed,
            entries: Vec::new(),
            outcomes: Vec::new(),
            undone: BTreeSet::new(),
            folder,
        };
        for event in events {
            match event {
                Event::Began { .. } => {}
                Event::Kept(entry) => run.entries.push(entry),
                Event::Done(told) => run.outcomes.push(told),
                Event::Ended { at } => run.ended_at = Some(at),
                Event::Undone { place, digest, tag } => {
                    run.undone.insert((place, digest, tag));
                }
            }
        }
        run.state = match run.ended_at {
            Some(_) => State::Ended,
            None if Appended::is_held(&run.folder.join(log::NAME)) => State::Running,
            None => State::Killed,
        };
        Ok(Some(run))
    }

    /// Begins to put back what a run took away.
    ///
    /// # Errors
    /// [`Error::Newer`] when this version may misread it; [`Error::Busy`] while the run, or another undo of it, is going on.
    pub fn undo(&self, run: &Recorded) -> Result<Undoing, Error> {
        if run.version > VERSION {
            return Err(Error::Newer(run.id.clone()));
        }
        for _ in 0..GLANCES {
            if let Some(log) = Log::open(&run.folder)? {
                return Ok(Undoing { log });
            }
            std::thread::sleep(GLANCE);
        }
        Err(Error::Busy(run.id.clone()))
    }

    /// Lets go of runs that began before this, and says which. What can't be removed is tried again by the next one.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn drop_before(&self, oldest: Timestamp) -> Result<Vec<RunId>, Error> {
        let mut dropped = Vec::new();
        for id in self.ids()? {
            let folder = self.folder.join(id.as_str());
            let old = matches!(log::first(&folder), Some(Event::Began { at, .. }) if at < oldest);
            if old && !Appended::is_held(&folder.join(log::NAME)) && std::fs::remove_dir_all(&folder).is_ok() {
                dropped.push(id);
            }
        }
        Ok(dropped)
    }
}
