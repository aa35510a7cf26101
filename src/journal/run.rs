//! A run that is going on.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use jiff::Timestamp;

use super::log::Log;
use super::{Entry, Error, Event, Journal, Kept, RunId, Told, layout};
use crate::registry::{self, ErrorKind, Result};

/// What is known of a run before it begins.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// When.
    pub at: Timestamp,
    /// The command line, without secrets.
    pub command: String,
    /// How many steps it means to take.
    pub steps: usize,
}

/// A run that is going on. What was kept stays, however it ends; a run that changed nothing leaves nothing behind when it ends by itself.
#[derive(Debug)]
pub struct Run {
    id: RunId,
    open: Arc<Open>,
}

#[derive(Debug)]
struct Open {
    folder: PathBuf,
    log: Log,
    entries: Mutex<Vec<Entry>>,
    files: AtomicU64,
    /// Steps for which something was kept and of which nothing was told that says that nothing changed.
    changed: Mutex<BTreeSet<String>>,
    failed: AtomicBool,
}

impl Run {
    /// Begins a run in a new folder, whose name is the run's.
    pub(super) fn begin(id: RunId, folder: PathBuf, beginning: Beginning) -> std::result::Result<Run, Error> {
        layout::begin(&folder)?;
        let log = Log::open(&folder)?.ok_or_else(|| Error::Busy(id.clone()))?;
        let Beginning { at, command, steps } = beginning;
        log.add(&Event::Began { version: super::shelf::VERSION, order: uuid::Uuid::now_v7().to_string(), at, command, steps })?;
        crate::files::sync(&folder)?;
        let open = Open {
            folder,
            log,
            entries: Mutex::default(),
            files: AtomicU64::new(0),
            changed: Mutex::default(),
            failed: AtomicBool::new(false),
        };
        Ok(Run { id, open: Arc::new(open) })
    }

    /// Its name.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// Ends it: says whether there is anything that can be undone.
    ///
    /// # Errors
    /// When the layout's index can't be written. Nothing is lost by that.
    pub fn end(self, at: Timestamp) -> std::result::Result<bool, Error> {
        let entries = std::mem::take(&mut *lock(&self.open.entries));
        if lock(&self.open.changed).is_empty() {
            // the folder is this run's own, and nobody was told its name
            let _ = std::fs::remove_dir_all(&self.open.folder);
            return Ok(false);
        }
        self.open.log.add(&Event::Ended { at })?;
        layout::finish(&self.open.folder, &entries)?;
        Ok(true)
    }

    /// Whether something that became of a step could not be written down.
    pub fn is_incomplete(&self) -> bool {
        self.open.failed.load(Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Open {
    fn keep(&self, kept: &Kept) -> std::result::Result<(), Error> {
        let unique = self.files.fetch_add(1, Ordering::Relaxed).to_string();
        layout::write(&self.folder, &kept.manifest, &unique)?;
        let entry = Entry::of(kept);
        self.log.add(&Event::Kept(entry.clone()))?;
        lock(&self.changed).insert(entry.step.clone());
        lock(&self.entries).push(entry);
        Ok(())
    }
}

#[async_trait]
impl Journal for Run {
    async fn keep(&self, kept: Kept) -> Result<()> {
        let open = Arc::clone(&self.open);
        let subject = format!("{}/{}@{}", kept.place.registry, kept.place.repository, kept.manifest.digest);
        let local = |error: Error| {
            registry::Error::new(ErrorKind::Local, "keep a copy of", subject)
                .because("nothing is deleted that can't be put back")
                .caused_by(error)
        };
        // waiting for the disk is no reason for other requests to wait
        match tokio::task::spawn_blocking(move || open.keep(&kept)).await {
            Ok(done) => done.map_err(local),
            Err(_) => Err(registry::Error::new(ErrorKind::Local, "keep a copy of", "what would be deleted")),
        }
    }

    async fn tell(&self, told: Told) {
        if told.changed_nothing() {
            lock(&self.open.changed).remove(&told.reference);
        }
        if let Err(error) = self.open.log.add_soon(&Event::Done(told)) {
            tracing::debug!("can't write to the journal: {error}");
            self.open.failed.store(true, Ordering::Relaxed);
        }
    }

    fn keeps(&self) -> bool {
        true
    }
}
