//! When a registry is to be cleaned up: days of the week and a time (SPEC §3, §8).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::invalid::{Invalid, as_text};
use crate::near_miss::nearest;

/// Shortest abbreviation: the fewest letters that tell all seven days apart and that cron and systemd use too.
const ABBREVIATION_MIN: usize = 3;

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "they are what they say")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Day {
    /// The week, Monday first.
    pub const ALL: [Day; 7] = [Day::Monday, Day::Tuesday, Day::Wednesday, Day::Thursday, Day::Friday, Day::Saturday, Day::Sunday];

    /// The English name in full.
    pub fn as_str(self) -> &'static str {
        match self {
            Day::Monday => "Monday",
            Day::Tuesday => "Tuesday",
            Day::Wednesday => "Wednesday",
            Day::Thursday => "Thursday",
            Day::Friday => "Friday",
            Day::Saturday => "Saturday",
            Day::Sunday => "Sunday",
        }
    }
}

impl FromStr for Day {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Day, Invalid> {
        let text = text.trim();
        let fits = |day: &&Day| {
            text.len() >= ABBREVIATION_MIN && day.as_str().get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
        };
        Day::ALL.iter().find(fits).copied().ok_or_else(|| {
            let error = Invalid::value(text, "a day", "write Monday to Sunday, or at least their first three letters");
            match nearest(text, Day::ALL.iter().map(|day| day.as_str())) {
                Some(day) => error.hint(format!("did you mean {day}?")),
                None => error,
            }
        })
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A time of day with its offset from UTC, shown as `19:30:00+00:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeOfDay {
    hour: u8,
    minute: u8,
    second: u8,
    offset_minutes: i16,
}

impl TimeOfDay {
    /// Seconds since midnight in UTC; less than none or more than a day where the offset leads to another day.
    pub(super) fn second_of_day(self) -> i64 {
        let TimeOfDay { hour, minute, second, offset_minutes } = self;
        (i64::from(hour) * 60 + i64::from(minute) - i64::from(offset_minutes)) * 60 + i64::from(second)
    }
}

impl FromStr for TimeOfDay {
    type Err = Invalid;

    /// `HH:MM[:SS][Z|±HH:MM]`; without an offset it is UTC.
    fn from_str(text: &str) -> Result<TimeOfDay, Invalid> {
        let text = text.trim();
        let error = |reason| Invalid::value(text, "a time", reason).hint("write HH:MM, HH:MM:SS or HH:MM:SS+HH:MM");
        let (clock, offset_minutes) = if let Some(clock) = text.strip_suffix(['Z', 'z']) {
            (clock, 0)
        } else if let Some(at) = text.find(['+', '-']) {
            let (clock, offset) = text.split_at(at);
            let (hours, minutes) = offset[1..].split_once(':').ok_or_else(|| error("the offset is ±HH:MM"))?;
            let hours = two_digits(hours, 23).ok_or_else(|| error("the offset's hours go from 00 to 23"))?;
            let minutes = two_digits(minutes, 59).ok_or_else(|| error("the offset's minutes go from 00 to 59"))?;
            let total = i16::from(hours) * 60 + i16::from(minutes);
            (clock, if offset.starts_with('-') { -total } else { total })
        } else {
            (text, 0)
        };
        let mut parts = clock.split(':');
        let mut part = |max, reason| parts.next().map(|part| two_digits(part, max).ok_or_else(|| error(reason))).transpose();
        let hour = part(23, "hours go from 00 to 23")?.expect("splitting gives at least one part");
        let minute = part(59, "minutes go from 00 to 59")?.ok_or_else(|| error("the minutes are missing"))?;
        let second = part(59, "seconds go from 00 to 59")?.unwrap_or(0);
        if parts.next().is_some() {
            return Err(error("there is something after the seconds"));
        }
        Ok(TimeOfDay { hour, minute, second, offset_minutes })
    }
}

fn two_digits(text: &str, max: u8) -> Option<u8> {
    let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|number| *number <= max)
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TimeOfDay { hour, minute, second, offset_minutes } = self;
        let (sign, offset) = (if *offset_minutes < 0 { '-' } else { '+' }, offset_minutes.unsigned_abs());
        write!(f, "{hour:02}:{minute:02}:{second:02}{sign}{:02}:{:02}", offset / 60, offset % 60)
    }
}

/// Days, Monday first and each once, and the time on them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// On which days.
    pub days: Days,
    /// When.
    pub time: TimeOfDay,
}

/// At least one day, Monday first, each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Day>", into = "Vec<Day>")]
pub struct Days(Vec<Day>);

impl Days {
    /// The days.
    pub fn as_slice(&self) -> &[Day] {
        &self.0
    }
}

impl TryFrom<Vec<Day>> for Days {
    type Error = Invalid;

    fn try_from(mut days: Vec<Day>) -> Result<Days, Invalid> {
        days.sort_unstable();
        days.dedup();
        if days.is_empty() { Err(Invalid::new("a schedule needs at least one day")) } else { Ok(Days(days)) }
    }
}

impl From<Days> for Vec<Day> {
    fn from(days: Days) -> Vec<Day> {
        days.0
    }
}

impl FromStr for Days {
    type Err = Invalid;

    /// Days with commas between: `Sat,sunday`.
    fn from_str(text: &str) -> Result<Days, Invalid> {
        let days: Vec<Day> = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
        days.try_into()
    }
}

as_text!(Day, TimeOfDay);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn days() {
        for (text, days) in [
            ("Sat,sunday", vec![Day::Saturday, Day::Sunday]),
            ("SUN, mon ,Monday", vec![Day::Monday, Day::Sunday]),
            ("Wednes", vec![Day::Wednesday]),
            ("thu", vec![Day::Thursday]),
        ] {
            assert_eq!(text.parse::<Days>().unwrap().as_slice(), days, "{text}");
        }
        for bad in ["", "Sa", "Mondayy", "Sat,,Sun", "day", "Mo", "monéay"] {
            assert!(bad.parse::<Days>().is_err(), "{bad}");
        }
        assert_eq!("Modnday".parse::<Day>().unwrap_err().hint.as_deref(), Some("did you mean Monday?"));
        assert!(Days::try_from(vec![]).is_err());
    }

    #[test]
    fn times() {
        for (text, normal) in [
            ("19:30", "19:30:00+00:00"),
            ("19:30:00+00:00", "19:30:00+00:00"),
            ("16:00:00Z", "16:00:00+00:00"),
            ("01:00:00", "01:00:00+00:00"),
            ("01:00:00+02:00", "01:00:00+02:00"),
            ("23:30:00-01:00", "23:30:00-01:00"),
            ("23:30-00:30", "23:30:00-00:30"),
        ] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), normal, "{text}");
        }
        for bad in [
            "",
            "24:00",
            "12:60",
            "12:00:60",
            "7:30",
            "12",
            "12:00:00.5",
            "12:00+2",
            "12:00+24:00",
            "12:00:00:00",
            "noon",
            "１２:00",
        ] {
            assert!(bad.parse::<TimeOfDay>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,30}") {
            let _ = text.parse::<Days>();
            if let Ok(time) = text.parse::<TimeOfDay>() {
                prop_assert_eq!(time.to_string().parse::<TimeOfDay>().unwrap(), time);
            }
        }
    }
}
