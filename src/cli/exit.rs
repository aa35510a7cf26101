//! Exit codes: a promise to scripts (SPEC §7).

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; also: already so, already gone.
    Done = 0,
    /// A failure that has no code of its own.
    Failure = 1,
    /// Wrong usage or an invalid value.
    Usage = 2,
    /// Not found.
    NotFound = 3,
    /// It exists, is in the wrong state, or is ambiguous.
    Conflict = 4,
    /// No or refused credential, missing scope, keyring.
    Credential = 5,
    /// DNS, connect, TLS, timeout, 5xx after retries.
    Unreachable = 6,
    /// This registry can't do that.
    Unsupported = 7,
    /// Refused by a safeguard: not confirmed, over a limit.
    Refused = 8,
    /// Partly done; what failed is listed.
    Partial = 9,
    /// Differences, findings or pending changes.
    Findings = 10,
    /// Interrupted; what was done is told.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}
