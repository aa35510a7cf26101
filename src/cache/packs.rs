//! The folder of packs, and what this run adds to it.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{collections::HashMap, mem};

use uuid::Uuid;

use super::pack::{Key, Pack, Writer};
use crate::files;

/// What the cache may take on the disk, roughly: manifests and configs of some 200,000 images.
const MOST_BYTES: u64 = 512 * 1024 * 1024;
/// A pack that holds this much stays as it is: few enough of them to look into each, small enough to be gathered in memory.
const FULL: u64 = 8 * 1024 * 1024;
/// How many packs that are not full are left lying about. Each run that fetches something makes one.
const MOST_SMALL: usize = 16;
/// After this long, what is no pack will not become one: it is written in one go.
const ABANDONED: Duration = Duration::from_secs(3600);
/// The ending of a pack's name. Before it stands a number that begins with the time, so that names sort by age.
const ENDING: &str = "pack";

/// The packs. Nothing is looked at before something is looked for.
#[derive(Debug)]
pub(super) struct Packs {
    folder: PathBuf,
    /// The newest first.
    open: Option<Vec<Pack>>,
    /// What is not written yet.
    fresh: Writer<Vec<u8>>,
    fresh_at: HashMap<Key, Range<usize>>,
    /// Whether this run wrote something.
    wrote: bool,
}

impl Packs {
    pub fn new(folder: PathBuf) -> Packs {
        Packs { folder, open: None, fresh: Writer::default(), fresh_at: HashMap::new(), wrote: false }
    }

    fn open(&mut self) -> &mut Vec<Pack> {
        let folder = &self.folder;
        self.open.get_or_insert_with(|| paths(folder).iter().rev().filter_map(|path| Pack::open(path)).collect())
    }

    pub fn contains(&mut self, key: &Key) -> bool {
        self.fresh_at.contains_key(key) || self.open().iter().any(|pack| pack.contains(key))
    }

    /// What is kept under a key, unchecked.
    pub fn get(&mut self, key: &Key) -> Option<&[u8]> {
        match self.fresh_at.get(key) {
            Some(range) => Some(&self.fresh.written()[range.clone()]),
            None => self.open().iter_mut().find_map(|pack| pack.get(key)),
        }
    }

    /// Deletes the pack that a piece was found in and should not have been.
    pub fn forget(&mut self, key: &Key) {
        let gone = self.open().extract_if(.., |pack| pack.contains(key));
        // another process may have been faster
        gone.for_each(|pack| _ = fs::remove_file(pack.path()));
    }

    /// Keeps content under a key that is not known yet.
    pub fn add(&mut self, key: Key, parts: &[&[u8]]) {
        if self.contains(&key) {
            return;
        }
        let start = self.fresh.length();
        if self.fresh.add(key, parts).is_ok() {
            self.fresh_at.insert(key, start..self.fresh.length());
        }
        if self.fresh.length() as u64 >= FULL {
            self.write();
        }
    }

    fn write(&mut self) {
        self.fresh_at.clear();
        let fresh = mem::take(&mut self.fresh);
        let written = fresh.end().and_then(|bytes| write(&self.folder, |file| file.write_all(&bytes)));
        if let Some(pack) = written.ok().and_then(|path| Pack::open(&path)) {
            self.wrote = true;
            self.open().insert(0, pack);
        }
    }

    /// Writes what is not written yet, and tidies up if this run made a mess.
    pub fn finish(&mut self) {
        if !self.fresh.is_empty() {
            self.write();
        }
        if mem::take(&mut self.wrote) {
            // that it can't is no failure
            let _ = tidy(&self.folder, MOST_BYTES);
        }
    }
}

/// The packs of a folder, and what looks like one, the oldest first.
fn paths(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|it| it == ENDING)).collect();
    paths.sort();
    paths
}

/// A new pack. Written under its own name, neither synced nor renamed: what was not written to its end is none.
fn write(folder: &Path, content: impl FnOnce(&mut fs::File) -> io::Result<()>) -> io::Result<PathBuf> {
    files::make_private_folder(folder).map_err(io::Error::other)?;
    let path = folder.join(Uuid::now_v7().to_string()).with_extension(ENDING);
    let mut options = fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    content(&mut options.open(&path)?)?;
    Ok(path)
}

/// Makes one of many small packs, and deletes the oldest until what is left fits, with room for more. One process at a time is enough.
fn tidy(folder: &Path, most: u64) -> io::Result<()> {
    let lock = fs::File::create(folder.join("tidy.lock"))?;
    if lock.try_lock().is_err() {
        return Ok(());
    }
    let mut packs = Vec::new();
    for path in paths(folder) {
        match Pack::open(&path) {
            Some(pack) => packs.push(pack),
            None if is_abandoned(&path) => fs::remove_file(path)?,
            None => {}
        }
    }
    let mut total: u64 = packs.iter().map(Pack::length).sum();
    if total > most {
        for pack in &packs {
            if total <= most / 4 * 3 {
                break;
            }
            fs::remove_file(pack.path())?;
            total -= pack.length();
        }
        return Ok(());
    }
    packs.retain(|pack| pack.length() < FULL);
    if packs.len() > MOST_SMALL {
        merge(folder, &packs)?;
    }
    Ok(())
}

/// Makes one pack of the oldest of these, up to a full one.
fn merge(folder: &Path, packs: &[Pack]) -> io::Result<()> {
    let mut merged = 0;
    write(folder, |file| {
        let mut writer = Writer::new(BufWriter::new(file));
        for pack in packs {
            pack.copy_to(&mut writer)?;
            merged += 1;
            if writer.length() as u64 >= FULL {
                break;
            }
        }
        writer.end().map(drop)
    })?;
    // a process that has them open goes on reading them; one that is about to open them does without
    packs[..merged].iter().try_for_each(|pack| fs::remove_file(pack.path()))
}

fn is_abandoned(path: &Path) -> bool {
    let age = fs::metadata(path).and_then(|metadata| metadata.modified()).ok().and_then(|time| time.elapsed().ok());
    age.is_some_and(|age| age > ABANDONED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        let mut key = Key::default();
        key[..8].copy_from_slice(&number.to_le_bytes());
        key
    }

    /// A run that keeps one piece.
    fn run(folder: &Path, number: usize, content: &[u8]) {
        let mut packs = Packs::new(folder.to_owned());
        packs.add(key(number), &[content]);
        packs.finish();
    }

    #[test]
    fn many_small_ones_become_one() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..=MOST_SMALL {
            assert_eq!(paths(folder.path()).len(), number);
            run(folder.path(), number, format!("{number}").as_bytes());
        }
        assert_eq!(paths(folder.path()).len(), 1);
        let mut packs = Packs::new(folder.path().to_owned());
        for number in 0..=MOST_SMALL {
            assert_eq!(packs.get(&key(number)).unwrap(), format!("{number}").as_bytes());
        }
    }

    #[test]
    fn full_ones_are_written_at_once_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut packs = Packs::new(folder.path().to_owned());
        let content = vec![7; FULL as usize / 2];
        for number in 0..5 {
            packs.add(key(number), &[&content]);
        }
        assert_eq!(paths(folder.path()).len(), 2, "the fifth half is not written yet");
        let before = paths(folder.path());
        packs.finish();
        for number in 0..5 {
            assert_eq!(packs.get(&key(number)).unwrap().len(), content.len());
        }
        for number in 10..=10 + MOST_SMALL {
            run(folder.path(), number, b"");
        }
        assert!(paths(folder.path()).starts_with(&before), "the small ones alone were merged");
    }

    #[test]
    fn the_oldest_go_first() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..4 {
            run(folder.path(), number, &[0; 100]);
        }
        tidy(folder.path(), 400).unwrap();
        assert_eq!(paths(folder.path()).len(), 4, "it fits");
        tidy(folder.path(), 300).unwrap();
        let mut packs = Packs::new(folder.path().to_owned());
        assert_eq!([0, 1, 2, 3].map(|number| packs.contains(&key(number))), [false, false, true, true]);
    }

    #[test]
    fn what_was_never_finished_goes_when_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let parts = ["old.pack", "new.pack"].map(|name| folder.path().join(name));
        for part in &parts {
            fs::write(part, "half of a").unwrap();
        }
        let then = std::time::SystemTime::now() - 2 * ABANDONED;
        fs::File::options().write(true).open(&parts[0]).unwrap().set_modified(then).unwrap();
        run(folder.path(), 1, b"one");
        assert_eq!(parts.map(|part| part.exists()), [false, true]);
    }
}
