//! The log of a run: a line an event, each on the disk before the next thing happens. Many steps wait for one sync together.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use super::{Error, Event};
use crate::files::{self, Appended};

/// The name of the log in the folder of a run.
pub(super) const NAME: &str = "log.jsonl";
/// Systems take no longer command lines than a few megabytes.
const LONGEST_COMMAND: u64 = 16 * 1024 * 1024;

/// A log that is written to. Only one process writes to it.
#[derive(Debug)]
pub(super) struct Log {
    file: Appended,
    written: Mutex<u64>,
    synced: Mutex<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Log {
    /// Opens the log in the folder of a run; `None` when another process writes to it.
    pub fn open(folder: &Path) -> Result<Option<Log>, Error> {
        let file = Appended::open(&folder.join(NAME))?;
        Ok(file.map(|file| Log { file, written: Mutex::default(), synced: Mutex::default() }))
    }

    /// Adds an event, and returns when it is on the disk.
    pub fn add(&self, event: &Event) -> Result<(), Error> {
        let number = self.add_soon(event)?;
        let mut synced = lock(&self.synced);
        // whoever had the lock before may have taken this line along
        if *synced < number {
            let written = *lock(&self.written);
            self.file.sync()?;
            *synced = written;
        }
        Ok(())
    }

    /// Adds an event that the next sync takes along: what a power cut would lose of it can be found out from the server.
    pub fn add_soon(&self, event: &Event) -> Result<u64, Error> {
        let line = serde_json::to_string(event).expect("an event has a form in JSON") + "\n";
        let mut written = lock(&self.written);
        self.file.add(&line)?;
        *written += 1;
        Ok(*written)
    }
}

/// The first event of a log, if it can be read.
pub(super) fn first(folder: &Path) -> Option<Event> {
    let mut line = String::new();
    BufReader::new(File::open(folder.join(NAME)).ok()?).take(LONGEST_COMMAND).read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}

/// The events of a log. A line that was cut off, or that a newer version wrote, is left out.
pub(super) fn read(folder: &Path) -> Result<Vec<Event>, Error> {
    let text = files::read(&folder.join(NAME))?.unwrap_or_default();
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}
