//! Where files live (SPEC §2), and how one is replaced so that nobody ever sees half of it.
//!
//! Finding a place is a pure function of the environment; reading creates nothing. Writing goes through [`Guarded`]: an advisory lock on
//! a sibling file, then a complete new file that takes the old one's name. What the files hold is the business of others.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How many symbolic links are followed from a file to what it stands for; as many as Linux itself follows.
const LINKS_MAX: usize = 40;

/// A variable of the environment by name. Tests pass a table.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The catalogue, a file.
    Catalogue,
    /// The folder of the journal, the trash and run records.
    State,
    /// The folder of what may be deleted at any time.
    Cache,
}

/// No place can be named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("can't tell where the {what} is: there is no home directory (set HOME or {variable})")]
pub struct NoHome {
    what: &'static str,
    variable: &'static str,
}

impl Place {
    fn variable(self) -> &'static str {
        match self {
            Place::Catalogue => "REGCTL_CATALOGUE",
            Place::State => "REGCTL_STATE_DIR",
            Place::Cache => "REGCTL_CACHE_DIR",
        }
    }

    /// Where it is: the variable that overrides it, else the user's folder for such things.
    ///
    /// # Errors
    /// [`NoHome`] when neither is known.
    pub fn find(self, variable: Lookup<'_>) -> Result<PathBuf, NoHome> {
        if let Some(path) = set(variable, self.variable()) {
            return Ok(path.into());
        }
        let what = match self {
            Place::Catalogue => "catalogue",
            Place::State => "state folder",
            Place::Cache => "cache",
        };
        let folder = self.folder(variable).ok_or(NoHome { what, variable: self.variable() })?;
        Ok(if self == Place::Catalogue { folder.join("catalogue.toml") } else { folder })
    }

    /// The program's own folder by the XDG base directory specification, which ignores relative paths.
    #[cfg(target_os = "linux")]
    fn folder(self, variable: Lookup<'_>) -> Option<PathBuf> {
        let (name, below_home) = match self {
            Place::Catalogue => ("XDG_CONFIG_HOME", ".config"),
            Place::State => ("XDG_STATE_HOME", ".local/state"),
            Place::Cache => ("XDG_CACHE_HOME", ".cache"),
        };
        let base = set(variable, name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| set(variable, "HOME").map(|home| Path::new(&home).join(below_home)))?;
        Some(base.join("regctl"))
    }

    #[cfg(not(target_os = "linux"))]
    fn folder(self, _: Lookup<'_>) -> Option<PathBuf> {
        let folders = directories::ProjectDirs::from("", "", "regctl")?;
        Some(match self {
            Place::Catalogue => folders.config_dir().to_owned(),
            Place::State => folders.state_dir().unwrap_or_else(|| folders.data_local_dir()).to_owned(),
            Place::Cache => folders.cache_dir().to_owned(),
        })
    }
}

/// A variable that says something.
fn set(variable: Lookup<'_>, name: &str) -> Option<OsString> {
    variable(name).filter(|value| !value.is_empty())
}

/// Something that could not be done to a file.
#[derive(Debug, thiserror::Error)]
#[error("can't {action} {}", .path.display())]
pub struct Error {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Why a file could not be used, as far as it changes what a person can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// No permission.
    Denied,
    /// The file system can't be written.
    ReadOnly,
    /// No room left, or over a quota.
    Full,
    /// There is something else than a file.
    NotAFile,
    /// Anything else.
    Other,
}

impl Error {
    fn new(action: &'static str, path: &Path, source: io::Error) -> Error {
        Error { action, path: path.to_owned(), source }
    }

    /// Why it failed.
    pub fn problem(&self) -> Problem {
        match self.source.kind() {
            io::ErrorKind::PermissionDenied => Problem::Denied,
            io::ErrorKind::ReadOnlyFilesystem => Problem::ReadOnly,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Problem::Full,
            io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput => Problem::NotAFile,
            _ => Problem::Other,
        }
    }

    /// Which file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The text of a file, or `None` when it isn't there. Creates nothing and takes no lock: a replaced file is always whole.
///
/// # Errors
/// When it is there and can't be read, or isn't a regular file.
pub fn read(path: &Path) -> Result<Option<String>, Error> {
    let error = |source| Error::new("read", path, source);
    match fs::metadata(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(error(cause)),
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(error(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))),
    }
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(error(cause)),
    }
}

/// A file that nobody else changes while this value lives.
///
/// The lock is advisory and on a sibling, `<file>.lock`, which stays: taking away a lock file that another process is about to lock would
/// let two of them in. The system releases the lock when the process ends, however it ends.
#[derive(Debug)]
pub struct Guarded {
    real: PathBuf,
    _lock: File,
}

impl Guarded {
    /// Waits until nobody else changes the file. Makes the folder when it is missing. A symbolic link is followed, so that the file it
    /// stands for is locked and replaced, and the link stays.
    ///
    /// # Errors
    /// When the folder or the lock can't be made.
    pub fn open(path: &Path) -> Result<Guarded, Error> {
        let real = behind_links(path)?;
        if fs::metadata(&real).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(Error::new("write", &real, io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")));
        }
        let folder = folder_of(&real);
        make_folder(folder).map_err(|cause| Error::new("create the folder", folder, cause))?;
        let sibling = with_suffix(&real, ".lock");
        let lock = private(OpenOptions::new().create(true).truncate(false).write(true))
            .open(&sibling)
            .map_err(|cause| Error::new("create the lock", &sibling, cause))?;
        lock.lock().map_err(|cause| Error::new("lock", &sibling, cause))?;
        Ok(Guarded { real, _lock: lock })
    }

    /// The text as it is now, or `None` when there is no file.
    ///
    /// # Errors
    /// As [`read`].
    pub fn read(&self) -> Result<Option<String>, Error> {
        read(&self.real)
    }

    /// Puts a new file with mode 0600 in the old one's place. Ended at any instant, it leaves the old or the new content.
    ///
    /// # Errors
    /// When the new file can't be written; the old one is untouched then.
    pub fn replace(&self, content: &[u8]) -> Result<(), Error> {
        let error = |source| Error::new("write", &self.real, source);
        // Only the holder of the lock writes it, so the name can be fixed, and one left behind by a killed process doesn't stay.
        let new = with_suffix(&self.real, ".new");
        let written = write_new(&new, content).and_then(|()| fs::rename(&new, &self.real));
        if let Err(cause) = written {
            let _ = fs::remove_file(&new);
            return Err(error(cause));
        }
        sync_folder(folder_of(&self.real)).map_err(error)
    }
}

/// Makes a folder that only the owner can look into, with those above it; one that is there already is left as it is.
///
/// # Errors
/// When it can't be made.
pub fn make_private_folder(path: &Path) -> Result<(), Error> {
    make_folder(path).map_err(|cause| Error::new("create the folder", path, cause))
}

/// Makes a new folder that only the owner can look into, in one that is there; false when something of this name is there already.
///
/// # Errors
/// When it can't be made.
pub fn claim_folder(path: &Path) -> Result<bool, Error> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Ok(()) => sync_folder(folder_of(path)).map(|()| true).map_err(|cause| Error::new("create the folder", path, cause)),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(cause) => Err(Error::new("create the folder", path, cause)),
    }
}

/// Writes a file of mode 0600 that is whole and on the disk when this returns; its name is when [`sync`] was called for the folder.
/// `unique` tells apart those who write the same file at the same time.
///
/// # Errors
/// When it can't be written; nothing of that name is left behind then.
pub fn write_whole(path: &Path, unique: &str, content: &[u8]) -> Result<(), Error> {
    let new = with_suffix(path, &format!(".{unique}.new"));
    let written = write_new(&new, content).and_then(|()| fs::rename(&new, path));
    written.map_err(|cause| {
        let _ = fs::remove_file(&new);
        Error::new("write", path, cause)
    })
}

/// Makes the names in a folder survive a power cut.
///
/// # Errors
/// When the system says so.
pub fn sync(folder: &Path) -> Result<(), Error> {
    sync_folder(folder).map_err(|cause| Error::new("write", folder, cause))
}

/// Adds lines to the end of a file of mode 0600, which nobody else adds to meanwhile.
#[derive(Debug)]
pub struct Appended {
    path: PathBuf,
    file: File,
}

impl Appended {
    /// Opens a file, makes it if it isn't there, and locks it; `None` when another process holds it. The system lets go of it when the
    /// process ends, however it ends.
    ///
    /// # Errors
    /// When it can't be opened or made.
    pub fn open(path: &Path) -> Result<Option<Appended>, Error> {
        let file = private(OpenOptions::new().create(true).append(true)).open(path);
        let file = file.map_err(|cause| Error::new("write", path, cause))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Appended { path: path.to_owned(), file })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(cause)) => Err(Error::new("lock", path, cause)),
        }
    }

    /// Whether another process holds it at this moment.
    pub fn is_held(path: &Path) -> bool {
        File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
    }

    /// Adds to its end, in one piece.
    ///
    /// # Errors
    /// When there is no room, for example.
    pub fn add(&self, text: &str) -> Result<(), Error> {
        (&self.file).write_all(text.as_bytes()).map_err(|cause| Error::new("write", &self.path, cause))
    }

    /// Returns when all of it is on the disk.
    ///
    /// # Errors
    /// When the system says so.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(|cause| Error::new("write", &self.path, cause))
    }
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    let mut file = private(OpenOptions::new().create_new(true).write(true)).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Readable and writable for the owner alone.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes the new name itself survive a power cut.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The file that a chain of symbolic links ends in, whether or not it exists.
fn behind_links(path: &Path) -> Result<PathBuf, Error> {
    let mut real = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&real) {
            Ok(target) => real = folder_of(&real).join(target),
            Err(_) => return Ok(real),
        }
    }
    Err(Error::new("follow", path, io::Error::other("too many symbolic links")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn find(place: Place, variables: &[(&str, &str)]) -> Result<PathBuf, NoHome> {
        let table: HashMap<String, OsString> = variables.iter().map(|(k, v)| ((*k).to_owned(), OsString::from(v))).collect();
        place.find(&|name| table.get(name).cloned())
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn places() {
        let home = ("HOME", "/home/u");
        for (place, variables, expected) in [
            (Place::Catalogue, vec![home], "/home/u/.config/regctl/catalogue.toml"),
            (Place::State, vec![home], "/home/u/.local/state/regctl"),
            (Place::Cache, vec![home], "/home/u/.cache/regctl"),
            (Place::Catalogue, vec![home, ("XDG_CONFIG_HOME", "/x")], "/x/regctl/catalogue.toml"),
            (Place::Catalogue, vec![home, ("XDG_CONFIG_HOME", "relative")], "/home/u/.config/regctl/catalogue.toml"),
            (Place::Catalogue, vec![home, ("REGCTL_CATALOGUE", "mine.toml")], "mine.toml"),
            (Place::Catalogue, vec![home, ("REGCTL_CATALOGUE", "")], "/home/u/.config/regctl/catalogue.toml"),
            (Place::State, vec![("REGCTL_STATE_DIR", "/s")], "/s"),
            (Place::Cache, vec![("REGCTL_CACHE_DIR", "/c")], "/c"),
        ] {
            assert_eq!(find(place, &variables).unwrap(), Path::new(expected));
        }
        assert!(find(Place::Catalogue, &[("HOME", "")]).unwrap_err().to_string().contains("REGCTL_CATALOGUE"));
        // owned by another program of the same name
        assert!(find(Place::Catalogue, &[home, ("REGCTL_CONFIG", "/other")]).unwrap().starts_with("/home/u/.config"));
    }

    #[test]
    fn replaces_whole_files_and_cleans_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/file.toml");
        assert_eq!(read(&path).unwrap(), None);
        assert!(!folder.path().join("deep").exists(), "reading creates nothing");
        let guarded = Guarded::open(&path).unwrap();
        assert_eq!(guarded.read().unwrap(), None);
        fs::write(with_suffix(&path, ".new"), "left by a killed process").unwrap();
        guarded.replace(b"one").unwrap();
        guarded.replace(b"two").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("two"));
        assert!(!with_suffix(&path, ".new").exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_symbolic_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("catalogue.toml"), folder.path().join("dotfiles/catalogue.toml"));
        fs::create_dir(folder.path().join("dotfiles")).unwrap();
        std::os::unix::fs::symlink("dotfiles/catalogue.toml", &link).unwrap();
        Guarded::open(&link).unwrap().replace(b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        let looped = folder.path().join("loop");
        std::os::unix::fs::symlink("loop", &looped).unwrap();
        assert!(Guarded::open(&looped).is_err());
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap_err().problem(), Problem::NotAFile);
        let below_a_file = folder.path().join("file");
        fs::write(&below_a_file, "").unwrap();
        assert!(Guarded::open(&below_a_file.join("catalogue.toml")).is_err());
        assert_eq!(Guarded::open(folder.path()).unwrap_err().problem(), Problem::NotAFile);
    }
}
