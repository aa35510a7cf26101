//! From an error to what the person sees and the exit code: the kind alone decides, never the text.

use std::error::Error as StdError;

use serde_json::json;

use super::Exit;
use super::hints;
use crate::catalogue;
use crate::credentials::{StoreError, Unavailable};
use crate::duration::InvalidDuration;
use crate::files::NoHome;
use crate::journal;
use crate::oci::InvalidName;
use crate::output::{Printer, ReportError};
use crate::registry::{self, ErrorKind};

/// An error that a command itself raises: it knows its exit code and what to try next.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    exit: Exit,
    message: String,
    hints: Vec<String>,
    #[source]
    source: Option<anyhow::Error>,
}

impl Refusal {
    /// A refusal with this exit code; the message says what could not be done and why.
    pub fn new(exit: Exit, message: impl Into<String>) -> Refusal {
        Refusal { exit, message: message.into(), hints: Vec::new(), source: None }
    }

    /// Wrong usage or an invalid value.
    pub fn usage(message: impl Into<String>) -> Refusal {
        Refusal::new(Exit::Usage, message)
    }

    /// How it ends the program.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Adds something to try next.
    pub fn hint(mut self, hint: impl Into<String>) -> Refusal {
        self.hints.push(hint.into());
        self
    }

    /// Adds what lies beneath.
    pub fn caused_by(mut self, error: impl Into<anyhow::Error>) -> Refusal {
        self.source = Some(error.into());
        self
    }
}

/// An error, ready to be shown.
pub(super) struct Explained {
    pub exit: Exit,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    status: Option<u16>,
}

/// Finds out how an error ends the program and what helps against it.
pub(super) fn explain(error: &anyhow::Error) -> Explained {
    let mut chain = error.chain().map(ToString::to_string);
    let message = chain.next().unwrap_or_default();
    let mut causes: Vec<String> = Vec::new();
    for cause in chain {
        // wrappers often repeat what they wrap
        let known = causes.last().unwrap_or(&message);
        if !known.ends_with(&cause) {
            causes.push(cause);
        }
    }
    let mut explained = Explained { exit: Exit::Failure, message, causes, hints: Vec::new(), status: None };
    for cause in error.chain() {
        if classify(cause, &mut explained) {
            break;
        }
    }
    explained
}

/// Whether this error decides the exit code.
fn classify(error: &(dyn StdError + 'static), explained: &mut Explained) -> bool {
    if let Some(refusal) = error.downcast_ref::<Refusal>() {
        explained.exit = refusal.exit;
        explained.hints = refusal.hints.clone();
    } else if let Some(error) = error.downcast_ref::<registry::Error>() {
        explained.exit = exit_of(error.kind());
        explained.status = error.status();
        explained.hints = match error.source().and_then(|source| source.downcast_ref::<Unavailable>()) {
            // who could not get at the secret knows better what helps
            Some(unavailable) => unavailable.hints.clone(),
            None => hints::for_registry(error),
        };
    } else if let Some(error) = error.downcast_ref::<Unavailable>() {
        explained.exit = Exit::Credential;
        explained.hints = error.hints.clone();
    } else if let Some(error) = error.downcast_ref::<catalogue::Error>() {
        explained.exit = exit_of_catalogue(error);
        explained.hints = error.hints();
    } else if let Some(error) = error.downcast_ref::<catalogue::Invalid>() {
        explained.exit = Exit::Usage;
        explained.hints = error.hint.iter().cloned().collect();
    } else if let Some(error) = error.downcast_ref::<journal::Error>() {
        (explained.exit, explained.hints) = super::journal::hints(error);
    } else if let Some(error) = error.downcast_ref::<StoreError>() {
        explained.exit = Exit::Credential;
        explained.hints = error.hints(None);
    } else if error.is::<InvalidName>() || error.is::<InvalidDuration>() || error.is::<NoHome>() {
        explained.exit = Exit::Usage;
    } else if let Some(error) = error.downcast_ref::<ReportError>() {
        explained.exit = match error {
            ReportError::Column(_) | ReportError::Template(_) | ReportError::Encode { .. } => Exit::Usage,
            ReportError::Write(_) => Exit::Failure,
        };
    } else {
        return false;
    }
    true
}

/// The exit code of each kind of registry error.
pub fn exit_of(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::NotFound => Exit::NotFound,
        ErrorKind::Conflict => Exit::Conflict,
        ErrorKind::CredentialRefused | ErrorKind::CredentialMissing | ErrorKind::Denied | ErrorKind::CredentialUnavailable => {
            Exit::Credential
        }
        ErrorKind::Unreachable | ErrorKind::Tls | ErrorKind::RateLimited => Exit::Unreachable,
        ErrorKind::Unsupported => Exit::Unsupported,
        ErrorKind::Refused => Exit::Refused,
        ErrorKind::Corrupt | ErrorKind::Protocol | ErrorKind::Invalid | ErrorKind::Local => Exit::Failure,
    }
}

/// The exit code of each kind of error about the catalogue.
fn exit_of_catalogue(error: &catalogue::Error) -> Exit {
    match error {
        catalogue::Error::File(_) | catalogue::Error::Unfaithful { .. } => Exit::Failure,
        catalogue::Error::Broken { .. }
        | catalogue::Error::NewerSchema { .. }
        | catalogue::Error::Declaration { .. }
        | catalogue::Error::Invalid(_)
        | catalogue::Error::Name(_)
        | catalogue::Error::Duration(_)
        | catalogue::Error::NoDefault => Exit::Usage,
        catalogue::Error::NotFound { .. } | catalogue::Error::GhostDefault { .. } => Exit::NotFound,
        catalogue::Error::Ambiguous { .. } | catalogue::Error::Conflict { .. } => Exit::Conflict,
        catalogue::Error::Layout => Exit::Unsupported,
    }
}

/// The word for an exit code in JSON errors.
fn code(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "done",
        Exit::Failure => "failure",
        Exit::Usage => "usage",
        Exit::NotFound => "not_found",
        Exit::Conflict => "conflict",
        Exit::Credential => "credential",
        Exit::Unreachable => "unreachable",
        Exit::Unsupported => "unsupported",
        Exit::Refused => "refused",
        Exit::Partial => "partial",
        Exit::Findings => "findings",
        Exit::Interrupted => "interrupted",
    }
}

/// How a command on several things ends: 9 when some failed, or all in different ways; as they did when all failed in the same way.
pub(super) fn exit_of_failed(failed: &[Exit], done: usize) -> Exit {
    match failed {
        [] => Exit::Done,
        [first, rest @ ..] if done == 0 && rest.iter().all(|exit| exit == first) => *first,
        _ => Exit::Partial,
    }
}

impl Explained {
    /// What helps.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// The exit code, and the error with its causes as one line for a list of what failed.
    pub fn in_a_line(self) -> (Exit, String) {
        let message = match self.exit {
            // the name stands before it already
            Exit::NotFound => "not found".to_owned(),
            _ => std::iter::once(self.message).chain(self.causes).collect::<Vec<_>>().join(": "),
        };
        (self.exit, message)
    }

    /// Shows the error: as lines for a person, as an object for a program.
    pub fn show(&self, printer: &Printer, as_json: bool) {
        if as_json {
            printer.error_json(&json!({ "error": {
                "code": code(self.exit),
                "message": self.message,
                "hint": self.hints.first(),
                "status": self.status,
                "causes": self.causes,
            }}));
            return;
        }
        let causes = self.causes.iter().map(|cause| ("caused by", cause.clone()));
        let hints = self.hints.iter().map(|hint| ("hint", hint.clone()));
        let lines: Vec<_> = std::iter::once(("error", self.message.clone())).chain(causes).chain(hints).collect();
        printer.error(&lines);
    }
}

/// Whether the error is only that nobody reads our output any more (`regctl … | head`).
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
            || matches!(cause.downcast_ref::<ReportError>(), Some(ReportError::Write(error)) if error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn the_kind_decides() {
        let error: anyhow::Error = registry::Error::new(ErrorKind::Tls, "reach", "prod").into();
        let explained = explain(&error.context("can't list"));
        assert_eq!(explained.exit, Exit::Unreachable);
        assert_eq!(explained.causes, ["can't reach prod"]);

        let error = anyhow::Error::from(Refusal::new(Exit::Conflict, "x is inactive").hint("regctl activate x"));
        assert_eq!(explain(&error).exit, Exit::Conflict);

        let unavailable = Unavailable { message: "the keyring is locked".into(), hints: vec!["unlock it".into()] };
        let error =
            registry::Error::new(ErrorKind::CredentialUnavailable, "sign in to", "prod").because(unavailable.message.clone());
        let explained = explain(&error.caused_by(unavailable).into());
        assert_eq!((explained.exit, explained.hints), (Exit::Credential, vec!["unlock it".to_owned()]));
        assert!(explained.causes.is_empty(), "{:?}", explained.causes);

        assert_eq!(explain(&StoreError::TimedOut(3).into()).exit, Exit::Credential);

        let error = Err::<(), _>(std::io::Error::other("boom")).context("can't do it").unwrap_err();
        assert_eq!(explain(&error).exit, Exit::Failure);
    }
}
