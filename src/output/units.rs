//! Sizes, ages and dates in words.

use jiff::Timestamp;

/// Bytes in decimal units, as registries bill them: `71.2 MB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    // 999.95 would round up to 1000.0 of the smaller unit
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ if value >= 99.95 => format!("{value:.0} {}", UNITS[unit]),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// How long ago, in the largest unit that gives at least one: `2 hours ago`, `in 9 days`.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - then.as_second();
    let words = |seconds: i64| {
        const UNITS: [(i64, &str); 6] =
            [(365 * 86_400, "year"), (30 * 86_400, "month"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
        let (length, name) = UNITS.into_iter().find(|(length, _)| seconds >= *length).unwrap_or((1, "second"));
        let count = seconds / length;
        format!("{count} {name}{}", if count == 1 { "" } else { "s" })
    };
    match seconds {
        0 => "now".into(),
        1.. => format!("{} ago", words(seconds)),
        _ => format!("in {}", words(-seconds)),
    }
}

/// Date and minute in UTC: `2026-11-20 14:02 UTC`.
pub fn date(then: Timestamp) -> String {
    then.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The day in UTC: `2026-11-20`.
pub fn day(then: Timestamp) -> String {
    then.strftime("%Y-%m-%d").to_string()
}

/// Many digits, readable: `1,158`.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 tag`, `2 tags`, `2 repositories`.
pub fn plural(number: usize, one: &str) -> String {
    let many = match one.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{one}s"),
    };
    format!("{} {}", count(number), if number == 1 { one } else { &many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (1_234, "1.2 kB"),
            (71_200_000, "71.2 MB"),
            (348_000, "348 kB"),
            (999_960, "1.0 MB"),
            (u64::MAX, "18447 PB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn ages() {
        let now: Timestamp = "2026-11-20T16:02:00Z".parse().unwrap();
        for (then, text) in [
            ("2026-11-20T14:02:00Z", "2 hours ago"),
            ("2026-11-20T15:02:00Z", "1 hour ago"),
            ("2026-11-14T16:02:00Z", "6 days ago"),
            ("2026-11-29T17:00:00Z", "in 9 days"),
            ("2026-11-20T16:02:00Z", "now"),
            ("2023-11-20T16:02:00Z", "3 years ago"),
        ] {
            assert_eq!(age(then.parse().unwrap(), now), text);
        }
    }

    #[test]
    fn numbers() {
        assert_eq!((count(7), count(1158), count(1234567)), ("7".into(), "1,158".into(), "1,234,567".into()));
        assert_eq!((plural(1, "tag"), plural(2, "repository")), ("1 tag".into(), "2 repositories".into()));
    }
}
