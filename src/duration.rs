//! The one grammar of durations (SPEC §8): `30d`, `12h`, `1y2d`.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Seconds of each unit, largest first. A year has 365 days: retention counts days, not birthdays. There are no months, because `m`
/// already means minutes.
const UNITS: [(char, u64); 6] = [('y', 365 * 86_400), ('w', 7 * 86_400), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Longest duration, a thousand years: keeps every sum with a timestamp in range.
const MAX_SECONDS: u64 = 1_000 * 365 * 86_400;

/// A length of time as people write it in rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Duration(u64);

/// Text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a duration: {reason}; write it as in 30d, 12h or 1y2d (units y, w, d, h, m, s)", .input.escape_debug())]
pub struct InvalidDuration {
    input: String,
    reason: &'static str,
}

impl Duration {
    /// This many seconds.
    pub fn from_seconds(seconds: u64) -> Duration {
        Duration(seconds.min(MAX_SECONDS))
    }

    /// Its length in seconds.
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// The instant this long after `start`; the end of time when there is no such instant.
    pub fn after(self, start: Timestamp) -> Timestamp {
        start.saturating_add(self.signed()).expect("durations of seconds always add up")
    }

    /// The instant this long before `end`; the beginning of time when there is no such instant.
    pub fn before(self, end: Timestamp) -> Timestamp {
        end.saturating_sub(self.signed()).expect("durations of seconds always add up")
    }

    fn signed(self) -> SignedDuration {
        SignedDuration::from_secs(i64::try_from(self.0).expect("capped far below"))
    }
}

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Duration, InvalidDuration> {
        let error = |reason| InvalidDuration { input: text.chars().take(100).collect(), reason };
        if text.is_empty() {
            return Err(error("it is empty"));
        }
        let mut seconds: u64 = 0;
        let mut smallest = usize::MAX;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return Err(error("each unit needs a whole number before it"));
            }
            let number: u64 = rest[..digits].parse().map_err(|_| error("it is longer than a thousand years"))?;
            let unit = rest[digits..].chars().next().ok_or_else(|| error("the unit is missing"))?;
            let at = UNITS.iter().position(|(letter, _)| *letter == unit).ok_or_else(|| error("the unit is unknown"))?;
            if smallest != usize::MAX && at <= smallest {
                return Err(error("units go from large to small, each once"));
            }
            smallest = at;
            seconds = number
                .checked_mul(UNITS[at].1)
                .and_then(|part| seconds.checked_add(part))
                .filter(|sum| *sum <= MAX_SECONDS)
                .ok_or_else(|| error("it is longer than a thousand years"))?;
            rest = &rest[digits + unit.len_utf8()..];
        }
        Ok(Duration(seconds))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut text = String::new();
        for (letter, length) in UNITS {
            // weeks can be written, but 30d should not come back as 4w2d
            if letter != 'w' && rest >= length {
                text.push_str(&format!("{}{letter}", rest / length));
                rest %= length;
            }
        }
        f.pad(if text.is_empty() { "0s" } else { &text })
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grammar() {
        for (text, seconds, shown) in [
            ("30d", 30 * 86_400, "30d"),
            ("12h", 12 * 3_600, "12h"),
            ("1y2d", 367 * 86_400, "1y2d"),
            ("2w", 14 * 86_400, "14d"),
            ("90m", 5_400, "1h30m"),
            ("0s", 0, "0s"),
            ("1h0m5s", 3_605, "1h5s"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!((duration.seconds(), duration.to_string().as_str()), (seconds, shown), "{text}");
        }
        for bad in [
            "",
            "30",
            "d",
            "30 d",
            "-1d",
            "+1d",
            "1.5h",
            "1d1d",
            "2d1y",
            "1mo",
            "1D",
            "30days",
            "9999y",
            "99999999999999999999d",
            "1d ",
        ] {
            assert!(bad.parse::<Duration>().is_err(), "{bad}");
        }
    }

    #[test]
    fn reaches_back_and_forth() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let month: Duration = "30d".parse().unwrap();
        assert_eq!(month.after(now).to_string(), "2026-12-20T12:00:00Z");
        assert_eq!(month.before(month.after(now)), now);
        assert_eq!("1000y".parse::<Duration>().unwrap().after(Timestamp::MAX), Timestamp::MAX);
    }

    proptest! {
        #[test]
        fn normal_form_reads_back(seconds in 0..=MAX_SECONDS) {
            let duration = Duration::from_seconds(seconds);
            prop_assert_eq!(duration.to_string().parse::<Duration>().unwrap(), duration);
        }

        #[test]
        fn any_text_is_answered(text in ".{0,40}") {
            let _ = text.parse::<Duration>();
        }
    }
}
