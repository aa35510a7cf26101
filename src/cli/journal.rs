//! The journal as commands use it: where it is, beginning and ending a run, letting go of old ones.

use std::ffi::OsString;

use super::{Context, Exit, Refusal};
use crate::catalogue::TrashRetention;
use crate::files::Place;
use crate::journal::{Beginning, Error, Run, RunId, Shelf};

impl Context {
    /// Where runs are kept.
    pub(super) fn shelf(&self) -> anyhow::Result<Shelf> {
        Ok(Shelf::new(&Place::State.find(&|name| self.environment.var(name).map(Into::into))?))
    }

    /// Begins a run of a command that deletes, and lets go of those that are too old.
    ///
    /// # Errors
    /// When there is no place to keep what goes; nothing has been deleted then.
    pub(super) fn begin_run(&self, steps: usize) -> anyhow::Result<Run> {
        let shelf = self.shelf()?;
        let beginning = Beginning { at: self.now, command: self.command_line.clone(), steps };
        let run = shelf.begin(beginning).map_err(|error| {
            Refusal::new(
                Exit::Failure,
                format!("can't keep what would be deleted in {}; nothing has been deleted", shelf.folder().display()),
            )
            .caused_by(error)
            .hint("make room there, or set REGCTL_STATE_DIR to a folder that can be written")
            .hint("to delete without a way back: --no-undo")
        })?;
        self.drop_expired(&shelf);
        Ok(run)
    }

    /// Ends a run: its name, if there is anything to undo.
    pub(super) fn end_run(&self, run: Run) -> Option<RunId> {
        let id = run.id().clone();
        if run.is_incomplete() {
            self.printer
                .warn(format!("the journal of run {id} lacks what became of some steps; regctl undo {id} looks at the server"));
        }
        match run.end(self.environment.now()) {
            Ok(kept) => kept.then_some(id),
            Err(error) => {
                self.printer.warn(format!("run {id} could not be closed: {error}"));
                Some(id)
            }
        }
    }

    /// Lets go of runs that are older than the trash is kept. It is done by the way, so that a failure stops nothing.
    fn drop_expired(&self, shelf: &Shelf) {
        // without a catalogue that can be read nobody knows how long
        let Ok(catalogue) = self.catalogue_store().and_then(|store| Ok(store.load()?)) else { return };
        let TrashRetention::For(time) = catalogue.settings.trash_retention else { return };
        match shelf.drop_before(time.before(self.now)) {
            Ok(dropped) if dropped.is_empty() => {}
            Ok(dropped) => {
                let names: Vec<&str> = dropped.iter().map(RunId::as_str).collect();
                self.printer.note(format!("let go of what was deleted more than {time} ago: {}", names.join(", ")));
            }
            Err(error) => self.printer.warn(format!("can't let go of old runs yet: {error}")),
        }
    }
}

/// The hints for an error of the journal.
pub(super) fn hints(error: &Error) -> (Exit, Vec<String>) {
    match error {
        Error::File(_) | Error::Unlisted { .. } | Error::Damaged { .. } => (Exit::Failure, Vec::new()),
        Error::NoRun(_) => (Exit::NotFound, vec!["regctl history".into()]),
        Error::Busy(_) => (Exit::Conflict, vec!["wait until it has ended, and try again".into()]),
        Error::Newer(_) => (Exit::Usage, vec!["use the version of regctl that deleted it, or a newer one".into()]),
    }
}

/// The command line as it is written down. Secrets can't be arguments, but an address may have been typed with a password in it.
pub(super) fn command_line(args: &[OsString]) -> String {
    let word = |arg: &OsString| {
        let text = without_password(&arg.to_string_lossy());
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=,+%".contains(c);
        if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
    };
    let words = args.iter().skip(1).map(word);
    std::iter::once("regctl".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// `scheme://user:password@host` without the password.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let authority = rest.find('/').map_or(rest, |end| &rest[..end]);
    match authority.rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_reads_back_and_holds_no_password() {
        let line = |args: &[&str]| command_line(&args.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(line(&["/usr/bin/regctl", "tag", "delete", "prod/web:v1", "--yes"]), "regctl tag delete prod/web:v1 --yes");
        assert_eq!(line(&["regctl", "prune", "web", "--match", "ci-*", "it's"]), r"regctl prune web --match 'ci-*' 'it'\''s'");
        assert_eq!(line(&["regctl", "x", "https://me:secret@host/path@x"]), "regctl x https://host/path@x");
    }
}
