//! A pack: pieces of content one after another, where each is to be found, and a mark that all of it was written.
//!
//! ```text
//! content, content, …
//! entry, entry, …         24 bytes each, sorted: key (16), offset (4), length (4), little-endian
//! number of entries       8 bytes
//! END                     8 bytes
//! ```
//!
//! Nothing here vouches for content: who reads a piece checks it against its digest. A pack that was cut has no end and is none; one that
//! was damaged gives a piece that fails its check, or none.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::mem;
use std::path::{Path, PathBuf};

/// What a piece is found by.
pub(super) type Key = [u8; 16];

/// The last bytes of a pack that is whole; the number is the format's.
const END: &[u8; 8] = b"regpack1";
const ENTRY: usize = 24;
/// How much is read at once where one piece after another is wanted: some two hundred of them. A full cache has seventy packs.
const WINDOW: u64 = 256 * 1024;
/// How far back a window begins. What is fetched side by side is written in the order of its coming, the configs of one round after the
/// manifests of the next; that round has to be in the window as well.
const BACK: u64 = WINDOW / 2;
const FOOTER: usize = 16;

/// Where a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    key: Key,
    offset: u32,
    length: u32,
}

impl Entry {
    fn read(bytes: &[u8]) -> Entry {
        let (key, rest) = bytes.split_first_chunk().expect("an entry's bytes");
        let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
        Entry { key: *key, offset: number(&rest[..4]), length: number(&rest[4..8]) }
    }
}

/// A pack in the making.
#[derive(Debug, Default)]
pub(super) struct Writer<W> {
    to: W,
    entries: Vec<Entry>,
    length: usize,
}

impl<W: Write> Writer<W> {
    pub fn new(to: W) -> Writer<W> {
        Writer { to, entries: Vec::new(), length: 0 }
    }

    /// Adds a piece.
    ///
    /// # Errors
    /// When it can't be written, or the pack grows beyond what an entry can say.
    pub fn add(&mut self, key: Key, parts: &[&[u8]]) -> io::Result<()> {
        let length = parts.iter().map(|part| part.len()).sum();
        let number = |number: usize| u32::try_from(number).map_err(io::Error::other);
        let entry = Entry { key, offset: number(self.length)?, length: number(length)? };
        parts.iter().try_for_each(|part| self.to.write_all(part))?;
        self.length += length;
        self.entries.push(entry);
        Ok(())
    }

    /// Bytes of content so far.
    pub fn length(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Ends the pack.
    pub fn end(mut self) -> io::Result<W> {
        self.entries.sort_unstable();
        self.entries.dedup_by_key(|entry| entry.key);
        let mut tail = Vec::with_capacity(self.entries.len() * ENTRY + FOOTER);
        for Entry { key, offset, length } in &self.entries {
            tail.extend_from_slice(key);
            tail.extend_from_slice(&offset.to_le_bytes());
            tail.extend_from_slice(&length.to_le_bytes());
        }
        tail.extend_from_slice(&(self.entries.len() as u64).to_le_bytes());
        tail.extend_from_slice(END);
        self.to.write_all(&tail)?;
        self.to.flush()?;
        Ok(self.to)
    }
}

impl Writer<Vec<u8>> {
    /// The content so far.
    pub fn written(&self) -> &[u8] {
        &self.to
    }
}

/// A pack on the disk. It stays readable when another process deletes it.
#[derive(Debug)]
pub(super) struct Pack {
    path: PathBuf,
    file: File,
    /// The entries as they stand in the file.
    index: Vec<u8>,
    /// Bytes of content.
    content: u64,
    /// Where the piece that was read last begins.
    last: u64,
    /// A part of the content, and where it begins.
    window: (u64, Vec<u8>),
}

impl Pack {
    /// `None`: it is not one, or not whole.
    pub fn open(path: &Path) -> Option<Pack> {
        let mut file = File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        let mut footer = [0; FOOTER];
        file.seek(SeekFrom::Start(length.checked_sub(FOOTER as u64)?)).ok()?;
        file.read_exact(&mut footer).ok()?;
        let (count, end) = footer.split_first_chunk()?;
        let entries = u64::from_le_bytes(*count).checked_mul(ENTRY as u64)?;
        let content = length.checked_sub(FOOTER as u64 + entries)?;
        if end != END {
            return None;
        }
        let mut index = vec![0; usize::try_from(entries).ok()?];
        file.seek(SeekFrom::Start(content)).ok()?;
        file.read_exact(&mut index).ok()?;
        Some(Pack { path: path.to_owned(), file, index, content, last: u64::MAX, window: (0, Vec::new()) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of content.
    pub fn length(&self) -> u64 {
        self.content
    }

    fn entries(&self) -> impl ExactSizeIterator<Item = Entry> + '_ {
        self.index.chunks_exact(ENTRY).map(Entry::read)
    }

    fn find(&self, key: &Key) -> Option<Entry> {
        let (entries, _) = self.index.as_chunks::<ENTRY>();
        let position = entries.binary_search_by(|entry| entry[..key.len()].cmp(key)).ok()?;
        Some(Entry::read(&entries[position])).filter(|entry| self.holds(entry))
    }

    fn holds(&self, entry: &Entry) -> bool {
        u64::from(entry.offset) + u64::from(entry.length) <= self.content
    }

    pub fn contains(&self, key: &Key) -> bool {
        self.find(key).is_some()
    }

    /// A piece.
    pub fn get(&mut self, key: &Key) -> Option<&[u8]> {
        let entry = self.find(key)?;
        let (offset, length) = (u64::from(entry.offset), u64::from(entry.length));
        let follows = self.last.abs_diff(offset) <= WINDOW;
        self.last = offset;
        if self.in_window(entry).is_none() {
            let (start, end) = if follows && length <= WINDOW - BACK {
                let start = offset.saturating_sub(BACK);
                (start, (start + WINDOW).min(self.content))
            } else {
                (offset, offset + length)
            };
            let (_, mut window) = mem::take(&mut self.window);
            window.clear();
            self.window = (start, self.read(start, end - start, window)?);
        }
        self.in_window(entry)
    }

    fn in_window(&self, entry: Entry) -> Option<&[u8]> {
        let (start, bytes) = &self.window;
        let from = usize::try_from(u64::from(entry.offset).checked_sub(*start)?).ok()?;
        bytes.get(from..)?.get(..entry.length as usize)
    }

    /// Reads into an empty `content`.
    fn read(&self, offset: u64, length: u64, mut content: Vec<u8>) -> Option<Vec<u8>> {
        content.reserve_exact(usize::try_from(length).ok()?);
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset)).ok()?;
        let read = file.take(length).read_to_end(&mut content).ok()?;
        (read as u64 == length).then_some(content)
    }

    /// Adds all that can be read to another pack.
    pub fn copy_to(&self, other: &mut Writer<impl Write>) -> io::Result<()> {
        for entry in self.entries().filter(|entry| self.holds(entry)) {
            if let Some(content) = self.read(entry.offset.into(), entry.length.into(), Vec::new()) {
                other.add(entry.key, &[&content])?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(number: u8) -> Key {
        [number; 16]
    }

    fn written(pieces: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for (number, content) in pieces {
            writer.add(key(*number), &[content]).unwrap();
        }
        writer.end().unwrap()
    }

    fn opened(bytes: &[u8]) -> (tempfile::NamedTempFile, Option<Pack>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let pack = Pack::open(file.path());
        (file, pack)
    }

    #[test]
    fn the_first_of_a_key_counts_and_an_empty_piece_is_one() {
        let (_file, pack) = opened(&written(&[(2, b"two".to_vec()), (1, Vec::new()), (2, b"deux".to_vec())]));
        let mut pack = pack.unwrap();
        assert_eq!(pack.get(&key(1)), Some(&b""[..]));
        assert_eq!(pack.get(&key(2)), Some(&b"two"[..]));
        assert_eq!(pack.get(&key(3)), None);
        assert_eq!((pack.entries().len(), pack.length()), (2, 7));
        let mut merged = Writer::new(Vec::new());
        pack.copy_to(&mut merged).unwrap();
        assert_eq!(merged.length(), 3, "what nobody finds is left behind");
    }

    /// More than a window holds, in the order in which it was written, almost so, and not at all.
    #[test]
    fn pieces_are_the_same_in_any_order() {
        let number = |number: usize| u16::try_from(number).unwrap().to_be_bytes();
        let key = |piece: usize| [number(piece); 8].concat().try_into().unwrap();
        let content = |piece: usize| number(piece).repeat(40 + piece % 7);
        let pieces = 4000;
        let mut writer = Writer::new(Vec::new());
        (0..pieces).for_each(|piece| writer.add(key(piece), &[&content(piece)]).unwrap());
        writer.add([255; 16], &[&[7; 3 * WINDOW as usize]]).unwrap();
        let (_file, pack) = opened(&writer.end().unwrap());
        let mut pack = pack.unwrap();
        let orders: [&dyn Fn(usize) -> usize; 4] =
            [&|at| at, &|at| (at ^ 13).min(pieces - 1), &|at| pieces - 1 - at, &|at| at * 1237 % pieces];
        for order in orders {
            for piece in (0..pieces).map(order) {
                assert_eq!(pack.get(&key(piece)).unwrap(), content(piece));
            }
            assert_eq!(pack.get(&[255; 16]).unwrap().len(), 3 * WINDOW as usize);
        }
    }

    proptest! {
        #[test]
        fn what_is_put_in_comes_out(pieces in proptest::collection::btree_map(any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let pieces: Vec<(u8, Vec<u8>)> = pieces.into_iter().collect();
            let (_file, pack) = opened(&written(&pieces));
            let mut pack = pack.unwrap();
            for (number, content) in &pieces {
                prop_assert_eq!(pack.get(&key(*number)), Some(&content[..]));
            }
            prop_assert_eq!(pack.entries().len(), pieces.len());
        }

        #[test]
        fn a_part_is_none(pieces in proptest::collection::vec((any::<u8>(), proptest::collection::vec(0..9u8, 0..9)), 0..9), cut in 1..100usize) {
            let bytes = written(&pieces);
            prop_assert!(opened(&bytes[..bytes.len().saturating_sub(cut)]).1.is_none());
        }

        #[test]
        fn anything_can_be_looked_into(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), end in any::<bool>(), count in 0..9u64) {
            if end {
                bytes.extend(count.to_le_bytes());
                bytes.extend(END);
            }
            if let Some(mut pack) = opened(&bytes).1 {
                for number in 0..=255 {
                    prop_assert!(pack.get(&key(number)).is_none_or(|content| content.len() <= bytes.len()));
                }
                pack.copy_to(&mut Writer::new(io::sink())).unwrap();
            }
        }
    }
}
