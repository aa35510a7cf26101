//! The files of regctl: whether they can be used, and who else can.

use std::fs;
use std::io;
use std::path::Path;

use super::super::Context;
use super::{Check, State};
use crate::catalogue::Catalogue;
use crate::files::Place;

/// The catalogue and what is to be said of its file. A broken one is a finding here, and the rest is looked at without it.
pub(super) fn catalogue(context: &Context) -> (Catalogue, Check) {
    const CHECK: &str = "catalogue";
    let store = match context.catalogue_store() {
        Ok(store) => store,
        Err(error) => return (Catalogue::default(), Check::new(CHECK, State::Problem, error.to_string())),
    };
    let path = store.path();
    let shown = path.display();
    let catalogue = match store.load() {
        Ok(catalogue) => catalogue,
        Err(error) => {
            let check = Check::new(CHECK, State::Problem, error.to_string()).hints(error.hints());
            return (Catalogue::default(), check);
        }
    };
    let entries = count(catalogue.entries().count());
    let check = if !path.exists() {
        Check::ok(CHECK, format!("{shown} (not there yet; made by the first `regctl add`)"))
    } else if let Some(warning) = catalogue.warnings().first() {
        Check::new(CHECK, State::Note, format!("{shown}: {warning}"))
    } else if open_to_others(path) == Some(true) {
        Check::new(CHECK, State::Note, format!("{shown} ({entries}) can be read by others; it holds no secrets"))
            .hints([format!("chmod 600 {shown}")])
    } else {
        Check::ok(CHECK, format!("{shown} ({entries})"))
    };
    (catalogue, check)
}

/// The folders for what regctl itself writes.
pub(super) fn folders(context: &Context) -> Vec<Check> {
    let look = |(check, place): (&'static str, Place)| match place.find(&|name| context.environment.var(name).map(Into::into)) {
        Ok(path) => folder(check, &path),
        Err(no_home) => Check::new(check, State::Problem, no_home.to_string()),
    };
    [("state", Place::State), ("cache", Place::Cache)].into_iter().map(look).collect()
}

/// Whether something can be written below a folder, which need not be there yet.
fn folder(check: &str, path: &Path) -> Check {
    let shown = path.display();
    let Some(existing) = path.ancestors().find(|ancestor| ancestor.exists()) else {
        return Check::new(check, State::Problem, format!("{shown} is not there, and nothing above it is"));
    };
    match try_to_write(existing) {
        Ok(()) if existing == path => Check::ok(check, shown.to_string()),
        Ok(()) => Check::ok(check, format!("{shown} (not there yet; made when needed)")),
        Err(error) => Check::new(check, State::Problem, format!("{shown} can't be written: {error}"))
            .hints(["reading works all the same; to change something, make it writable or set another folder"]),
    }
}

/// Makes a file without a name, which leaves nothing behind.
fn try_to_write(folder: &Path) -> io::Result<()> {
    tempfile::tempfile_in(folder).map(drop)
}

/// Whether others than the owner may read a file. `None` where the system has no such thing, or there is no file.
pub(super) fn open_to_others(path: &Path) -> Option<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).ok().map(|metadata| metadata.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

fn count(registries: usize) -> String {
    if registries == 1 { "1 registry".to_owned() } else { format!("{registries} registries") }
}
