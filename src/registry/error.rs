//! What can go wrong with a registry: which operation, on what, and of which kind.

use std::error::Error as StdError;
use std::fmt;

/// A result of asking a registry.
pub type Result<T> = std::result::Result<T, Error>;

/// The kinds that callers choose by. Each has one exit code (SPEC §7) and its hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// 404, `NAME_UNKNOWN`, `MANIFEST_UNKNOWN`, `BLOB_UNKNOWN`.
    NotFound,
    /// 409, 412: something else stands in the way.
    Conflict,
    /// 401 although a credential was sent, or the token server refused it.
    CredentialRefused,
    /// 401 and there is no credential to send.
    CredentialMissing,
    /// 403, `DENIED`, `insufficient_scope`: signed in, but not allowed to.
    Denied,
    /// The secret could not be had: keyring locked, helper broken.
    CredentialUnavailable,
    /// DNS, connect, timeout, 5xx after retries, connection lost.
    Unreachable,
    /// TLS failed: unknown authority, wrong name, expired, pin differs.
    Tls,
    /// 429 after waiting as often as is sensible.
    RateLimited,
    /// This registry can't do that: 405, `UNSUPPORTED`.
    Unsupported,
    /// A safeguard of ours refused: a realm on another host, an address outside the allow-list.
    Refused,
    /// Content doesn't have its digest.
    Corrupt,
    /// The answer isn't what the specification says: HTML, cut short, endless pages, too large.
    Protocol,
    /// The server found the request invalid: 400 and the like.
    Invalid,
    /// Something of this machine failed: a file, a setting.
    Local,
}

/// What could not be done, to what, and why.
pub struct Error {
    kind: ErrorKind,
    operation: &'static str,
    subject: String,
    status: Option<u16>,
    code: Option<Box<str>>,
    detail: Option<Box<str>>,
    remedy: Option<Box<str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind: "can't `operation` `subject`", such as "list the tags of" "prod/web".
    pub fn new(kind: ErrorKind, operation: &'static str, subject: impl Into<String>) -> Error {
        Error { kind, operation, subject: subject.into(), status: None, code: None, detail: None, remedy: None, source: None }
    }

    /// Adds why, in one clause without a full stop.
    pub fn because(mut self, detail: impl Into<String>) -> Error {
        self.detail = Some(detail.into().into());
        self
    }

    /// Adds what helps on this kind of registry: a thing to do, which stands before what helps in general.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Error {
        self.remedy = Some(remedy.into().into());
        self
    }

    /// Says that it is an error of another kind, when it is known what this server means by its answer.
    pub fn means(mut self, kind: ErrorKind) -> Error {
        self.kind = kind;
        self
    }

    /// Adds the HTTP status and the server's error code, such as `MANIFEST_UNKNOWN`.
    pub fn answered(mut self, status: u16, code: Option<String>) -> Error {
        self.status = Some(status);
        self.code = code.map(Into::into);
        self
    }

    /// Adds what lies beneath.
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// Says on what it happened, when a lower layer did not know.
    pub fn on(mut self, operation: &'static str, subject: impl Into<String>) -> Error {
        self.operation = operation;
        self.subject = subject.into();
        self
    }

    /// Its kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The HTTP status, if a server answered.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The server's error code, if it gave one.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// What helps on this kind of registry.
    pub fn remedies(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// Why, in one clause, if that is known.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// On what it happened.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether the rest of a batch would fail in the same way.
    pub fn stops_a_batch(&self) -> bool {
        use ErrorKind::*;
        matches!(self.kind, CredentialRefused | CredentialMissing | CredentialUnavailable | Denied | Refused | Tls | Local)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "can't {} {}", self.operation, self.subject)?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind)
            .field("operation", &self.operation)
            .field("subject", &self.subject)
            .field("status", &self.status)
            .field("code", &self.code)
            .field("detail", &self.detail)
            .field("remedy", &self.remedy)
            .field("source", &self.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
