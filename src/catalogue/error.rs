//! What can go wrong with the catalogue.

use std::path::PathBuf;

use super::invalid::Invalid;
use crate::duration::InvalidDuration;
use crate::files;
use crate::oci::InvalidName;

/// A result of working with the catalogue.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong; the variant decides the exit code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The file is not what a catalogue looks like.
    #[error("can't read the catalogue {}: line {line}, column {column}: {message}", .path.display())]
    Broken {
        /// Which file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong there, and what was expected.
        message: String,
        /// What to write instead.
        hint: Option<String>,
    },
    /// A newer program wrote it. It is left alone.
    #[error("the catalogue {} has schema {found}, and this program knows schemas up to {known}", .path.display())]
    NewerSchema {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// A change would make a file that doesn't read back as what was meant: a mistake in this program.
    #[error("the changed catalogue {} does not read back as it should; nothing was written", .path.display())]
    Unfaithful {
        /// Which file.
        path: PathBuf,
    },
    /// A file that says what the catalogue should hold says something that can't be.
    #[error("can't apply {file}: line {line}, column {column}: {message}")]
    Declaration {
        /// What the file is called.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
        /// What to write instead.
        hint: Option<String>,
    },
    /// A value that a field can't have.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A name that breaks its grammar.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A length of time that breaks its grammar.
    #[error(transparent)]
    Duration(#[from] InvalidDuration),
    /// No entry fits.
    #[error("no registry called {}", super::invalid::shown(.given))]
    NotFound {
        /// What was looked for.
        given: String,
        /// The name that was probably meant.
        suggestion: Option<String>,
    },
    /// More than one entry fits.
    #[error("{} fits more than one registry: {}", super::invalid::shown(.given), .candidates.join(", "))]
    Ambiguous {
        /// What was looked for.
        given: String,
        /// The names that fit.
        candidates: Vec<String>,
    },
    /// It exists already, or is in the wrong state.
    #[error("{message}")]
    Conflict {
        /// What stands in the way.
        message: String,
        /// The command to run instead.
        hint: String,
    },
    /// A registry was needed, none was named, and there is no default.
    #[error("no registry given, and there is no default")]
    NoDefault,
    /// An image layout folder where a registry is needed.
    #[error("image layout folders (oci:PATH) can't be used as a registry by this version")]
    Layout,
    /// The default is not in the catalogue.
    #[error("the default registry {} is not in the catalogue", super::invalid::shown(.name))]
    GhostDefault {
        /// What stands in the file or in `REGCTL_REGISTRY`.
        name: String,
    },
}

impl Error {
    pub(super) fn conflict(message: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::Conflict { message: message.into(), hint: hint.into() }
    }

    /// What to try next.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Error::File(error) => match error.problem() {
                files::Problem::Denied => vec!["check who owns it: ls -l, or use another file with --catalogue".into()],
                files::Problem::ReadOnly => vec!["use a file that can be written, with --catalogue or REGCTL_CATALOGUE".into()],
                files::Problem::Full => vec!["make room on that file system; the old content is untouched".into()],
                files::Problem::NotAFile => vec!["name a regular file with --catalogue or REGCTL_CATALOGUE".into()],
                files::Problem::Other => Vec::new(),
            },
            Error::Broken { hint, .. } | Error::Declaration { hint, .. } => hint.iter().cloned().collect(),
            Error::NewerSchema { .. } => vec!["use a newer regctl; the file was not touched".into()],
            Error::Invalid(error) => error.hint.iter().cloned().collect(),
            Error::NotFound { suggestion: Some(name), .. } => vec![format!("did you mean {name}? `regctl list` shows all")],
            Error::NotFound { suggestion: None, .. } => vec!["`regctl list --all` shows what there is".into()],
            Error::Ambiguous { .. } => vec!["use one of these names".into()],
            Error::Conflict { hint, .. } => vec![hint.clone()],
            Error::Layout => vec!["serve the folder and use it as a registry: regctl serve PATH".into()],
            Error::NoDefault => vec!["name one, or choose a default: regctl set-default NAME".into()],
            Error::GhostDefault { .. } => vec!["choose another: regctl set-default NAME, or regctl set-default --clear".into()],
            Error::Unfaithful { .. } | Error::Name(_) | Error::Duration(_) => Vec::new(),
        }
    }
}
