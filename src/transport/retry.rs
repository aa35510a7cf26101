//! What is tried again, and when.
//!
//! Only what may be repeated is: reading, and deleting by digest. Two exceptions hold for every request, because the server did nothing
//! with it: it never arrived (no connection), or it was turned away unread (429).

use std::error::Error as StdError;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderMap, RETRY_AFTER};
use jiff::Timestamp;

use super::connector::{BoxError, ThroughProxy};
use super::gate::{Closed, Forbidden};
use crate::registry::{Error, ErrorKind};

/// How often a request is sent at most. Four repeats with growing pauses bridge a restart of a registry behind a balancer.
pub(super) const MAX_ATTEMPTS: u32 = 5;
/// How often a connection is tried at most: a host that isn't there should be told soon.
const MAX_CONNECT_ATTEMPTS: u32 = 3;
/// The longest pause that a server may impose: a hostile one could stall us for ever.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);
/// The first pause of our own; doubled each time, with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause of our own.
const MAX_PAUSE: Duration = Duration::from_secs(8);

/// How far a request had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// There was no connection yet.
    Connecting,
    /// It was sent, perhaps in part, and there was no answer yet.
    Asking,
    /// The answer had begun.
    Reading,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection failed.
    Network(Stage, BoxError),
    /// Nothing came within this time.
    Slow(Duration),
    /// The body stood still for this long.
    Stalled(Duration),
    /// The body is longer than allowed.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// A rule of ours, or an answer that can't be used.
    Final(Error),
}

impl Failure {
    /// Whether another attempt makes sense after `attempts` of them.
    pub fn may_repeat(&self, repeatable: bool, attempts: u32) -> bool {
        match self {
            Failure::Network(_, error) if super::tls::cause(error).is_some() || beneath::<Forbidden>(error).is_some() => false,
            Failure::Network(Stage::Connecting, _) => attempts < MAX_CONNECT_ATTEMPTS,
            Failure::Network(..) | Failure::Slow(_) | Failure::Stalled(_) => {
                (repeatable || self.never_arrived()) && attempts < MAX_ATTEMPTS
            }
            Failure::TooLarge { .. } | Failure::Final(_) => false,
        }
    }

    /// Whether the server can't have seen the request, or says that it has not looked at it.
    pub fn never_arrived(&self) -> bool {
        match self {
            Failure::Network(Stage::Connecting, _) => true,
            Failure::Network(_, error) => beneath::<h2::Error>(error).is_some_and(was_turned_away),
            _ => false,
        }
    }

    /// What is wrong, in one clause.
    pub fn clause(&self) -> String {
        match self {
            Failure::Network(stage, error) => format!("{}{}", network_clause(*stage, error), through_proxy(error)),
            Failure::Slow(time) => format!("no answer within {} s", time.as_secs()),
            Failure::Stalled(time) => format!("the answer stood still for {} s", time.as_secs()),
            Failure::TooLarge { limit } => format!("the answer is longer than {limit} bytes"),
            Failure::Final(error) => error.to_string(),
        }
    }

    /// The error for callers; `host` is who was asked.
    pub fn into_error(self, host: &str) -> Error {
        let clause = format!("{host}: {}", self.clause());
        match self {
            Failure::Final(error) => error,
            Failure::TooLarge { .. } => Error::new(ErrorKind::Protocol, "read from", host).because(clause),
            Failure::Slow(_) | Failure::Stalled(_) => Error::new(ErrorKind::Unreachable, "reach", host).because(clause),
            Failure::Network(_, error) if beneath::<Forbidden>(&error).is_some() => {
                Error::new(ErrorKind::Refused, "reach", host).because(clause)
            }
            Failure::Network(stage, error) => match super::tls::cause(&error).map(super::tls::explain) {
                Some(why) => Error::new(ErrorKind::Tls, "reach", host).because(format!("{host}: {why}")),
                None => {
                    let (plain, exact) = (network_clause(stage, &error), innermost(&error));
                    let unreachable = Error::new(ErrorKind::Unreachable, "reach", host).because(clause);
                    // `Connection refused (os error 111)` says no more than `connection refused`
                    if exact.to_lowercase().starts_with(&plain) { unreachable } else { unreachable.caused_by(exact) }
                }
            },
        }
    }
}

/// What lies beneath all that the libraries put around it: the operating system's own words, mostly.
fn innermost(error: &BoxError) -> String {
    let mut cause: &(dyn StdError + 'static) = &**error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// The error of one type beneath a network error, if there is one.
pub(super) fn beneath<E: StdError + 'static>(error: &BoxError) -> Option<&E> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(&**error);
    while let Some(inner) = next {
        if let Some(found) = inner.downcast_ref::<E>() {
            return Some(found);
        }
        // An io::Error passes over what it holds when asked for its source.
        let held = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match held {
            Some(held) => Some(held as &(dyn StdError + 'static)),
            None => inner.source(),
        };
    }
    None
}

/// Through whom it failed, where that may be the reason.
fn through_proxy(error: &BoxError) -> String {
    beneath(error).map(|ThroughProxy { proxy, .. }| format!(" through the proxy {proxy}")).unwrap_or_default()
}

/// A connection's failure in a person's words; the exact ones stay in the error's source.
fn network_clause(stage: Stage, error: &BoxError) -> String {
    if let Some(tls) = super::tls::cause(error) {
        return super::tls::explain(tls);
    }
    if let Some(forbidden) = beneath::<Forbidden>(error) {
        return forbidden.to_string();
    }
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&**error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind::*;
            match io.kind() {
                ConnectionRefused => return "connection refused".into(),
                ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => return "the connection was lost".into(),
                HostUnreachable | NetworkUnreachable | NetworkDown => return "there is no route to it".into(),
                TimedOut => return "connecting took too long".into(),
                _ => {}
            }
        }
        cause = inner.source();
    }
    match stage {
        Stage::Connecting if beneath::<Closed>(error).is_some() => "its name has no address",
        Stage::Connecting => "no connection",
        Stage::Asking => "the connection was lost",
        Stage::Reading => "the answer was cut short",
    }
    .into()
}

/// Whether an HTTP/2 server ended a request without having looked at it (RFC 9113 §6.8, §8.7).
fn was_turned_away(error: &h2::Error) -> bool {
    let for_this = |reason| error.reason() == Some(reason);
    error.is_remote()
        && (error.is_go_away() && for_this(h2::Reason::NO_ERROR) || error.is_reset() && for_this(h2::Reason::REFUSED_STREAM))
}

/// Whether an answer asks for another attempt.
pub(super) fn status_may_repeat(status: StatusCode, repeatable: bool, attempts: u32) -> bool {
    attempts < MAX_ATTEMPTS
        && match status.as_u16() {
            429 => true,
            502..=504 => repeatable,
            _ => false,
        }
}

/// What the server says about when to come again: in so many seconds, at a date, or at a second since 1970 (Docker Hub's API).
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let until = |time: Timestamp| Duration::try_from(time.duration_since(now)).unwrap_or(Duration::ZERO);
    let wait = match text(RETRY_AFTER.as_str()) {
        Some(text) => match text.parse::<u64>() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => until(http_date(text)?),
        },
        None => until(Timestamp::from_second(text("x-retry-after")?.parse().ok()?).ok()?),
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// Reads a date as HTTP headers write it (RFC 9110 §5.6.7).
pub fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text.trim()).ok()
}

/// Our own pause after `attempts` attempts: between half and all of a time that doubles, so that many clients don't come back at once.
pub(super) fn pause(attempts: u32, random: u64) -> Duration {
    let full = FIRST_PAUSE.saturating_mul(1 << (attempts.saturating_sub(1)).min(16)).min(MAX_PAUSE);
    let half = full / 2;
    half + Duration::from_nanos(random % (half.as_nanos() as u64 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after(text: &str) -> Option<Duration> {
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
        retry_after(&headers, now)
    }

    #[test]
    fn retry_after_in_both_forms() {
        for (text, seconds) in [
            ("0", Some(0)),
            (" 7 ", Some(7)),
            ("999999999", Some(300)),
            ("Fri, 20 Nov 2026 12:00:30 GMT", Some(30)),
            ("Thu, 19 Nov 2026 12:00:00 GMT", Some(0)),
            ("Fri, 20 Nov 2099 12:00:00 GMT", Some(300)),
            ("soon", None),
            ("-5", None),
        ] {
            assert_eq!(after(text), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn retry_after_of_docker_hub_is_a_time() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        for (text, seconds) in [
            ((now.as_second() + 30).to_string(), Some(30)),
            ((now.as_second() - 30).to_string(), Some(0)),
            ((now.as_second() + 99_999).to_string(), Some(300)),
            (u64::MAX.to_string(), None),
        ] {
            let headers = HeaderMap::from_iter([("x-retry-after".parse().unwrap(), text.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn what_is_tried_again() {
        for (status, repeatable, expected) in
            [(429, false, true), (503, true, true), (503, false, false), (500, true, false), (401, true, false), (403, true, false)]
        {
            assert_eq!(status_may_repeat(StatusCode::from_u16(status).unwrap(), repeatable, 1), expected, "{status}");
        }
        assert!(!status_may_repeat(StatusCode::TOO_MANY_REQUESTS, true, MAX_ATTEMPTS), "attempts are bounded");
    }

    proptest! {
        #[test]
        fn pauses_grow_within_bounds(attempts in 0u32..100, random: u64) {
            let pause = pause(attempts, random);
            prop_assert!(pause >= FIRST_PAUSE / 2 && pause <= MAX_PAUSE);
        }

        #[test]
        fn dates_never_panic(text in ".{0,40}") {
            let _ = http_date(&text);
        }
    }
}
