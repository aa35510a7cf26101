//! Which findings are wanted, how many there are of each kind, and whether they are too many.

use std::str::FromStr;

use serde::Serialize;

use crate::registry::{Severity, Vulnerability};

/// Severities that are wanted: one word means it and all that is worse, several mean just these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Severities(Vec<Severity>);

/// What is no severity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a severity; one of critical, high, medium, low, negligible, unknown", .0.escape_debug())]
pub struct UnknownSeverity(String);

/// One severity, by its word.
///
/// # Errors
/// When there is none of that name.
pub fn severity(word: &str) -> Result<Severity, UnknownSeverity> {
    let word = word.trim();
    let known = Severity::ALL.into_iter().find(|severity| severity.word().eq_ignore_ascii_case(word));
    known.ok_or_else(|| UnknownSeverity(word.to_owned()))
}

impl FromStr for Severities {
    type Err = UnknownSeverity;

    fn from_str(text: &str) -> Result<Severities, UnknownSeverity> {
        let named = text.split(',').map(severity).collect::<Result<Vec<_>, _>>()?;
        Ok(match named.as_slice() {
            [least] => Severities(Severity::ALL.into_iter().filter(|severity| severity >= least).collect()),
            _ => Severities(named),
        })
    }
}

/// What is wanted of a report.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// How bad.
    pub severities: Option<Severities>,
    /// Only what an update fixes.
    pub fixable: bool,
    /// Also what somebody looked into and dismissed.
    pub dismissed: bool,
}

impl Wanted {
    /// Whether this finding is.
    pub fn is(&self, found: &Vulnerability) -> bool {
        self.severities.as_ref().is_none_or(|severities| severities.0.contains(&found.severity))
            && (!self.fixable || found.fixable == Some(true))
            && (self.dismissed || !found.is_dismissed())
    }
}

/// How many findings there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Of each severity.
    pub critical: usize,
    #[allow(missing_docs, reason = "as above")]
    pub high: usize,
    #[allow(missing_docs, reason = "as above")]
    pub medium: usize,
    #[allow(missing_docs, reason = "as above")]
    pub low: usize,
    #[allow(missing_docs, reason = "as above")]
    pub negligible: usize,
    #[allow(missing_docs, reason = "as above")]
    pub unknown: usize,
    /// With an update that fixes them.
    pub fixable: usize,
}

impl Summary {
    /// Counts.
    pub fn of(found: &[Vulnerability]) -> Summary {
        let mut summary = Summary::default();
        for vulnerability in found {
            *summary.slot(vulnerability.severity) += 1;
            summary.fixable += usize::from(vulnerability.fixable == Some(true));
        }
        summary
    }

    fn slot(&mut self, severity: Severity) -> &mut usize {
        match severity {
            Severity::Critical => &mut self.critical,
            Severity::High => &mut self.high,
            Severity::Medium => &mut self.medium,
            Severity::Low => &mut self.low,
            Severity::Negligible => &mut self.negligible,
            Severity::Unknown => &mut self.unknown,
        }
    }

    /// How many there are of one severity.
    pub fn count(mut self, severity: Severity) -> usize {
        *self.slot(severity)
    }

    /// How many are as bad as this, or worse.
    pub fn at_least(self, severity: Severity) -> usize {
        Severity::ALL.into_iter().filter(|other| *other >= severity).map(|severity| self.count(severity)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(severity: Severity, fixable: Option<bool>, state: Option<&str>) -> Vulnerability {
        Vulnerability { severity, fixable, state: state.map(str::to_owned), ..Vulnerability::named("CVE-1") }
    }

    #[test]
    fn one_word_and_worse_several_words_just_these() {
        use Severity::*;
        for (text, expected) in [
            ("high", vec![Critical, High]),
            ("HIGH", vec![Critical, High]),
            ("unknown", Severity::ALL.to_vec()),
            ("low,unknown", vec![Low, Unknown]),
            ("critical, high", vec![Critical, High]),
        ] {
            assert_eq!(text.parse(), Ok(Severities(expected)), "{text}");
        }
        for text in ["", "severe", "high,", "high;low"] {
            assert!(text.parse::<Severities>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_wanted() {
        let high = Wanted { severities: Some("high".parse().unwrap()), ..Wanted::default() };
        let fixable = Wanted { fixable: true, ..Wanted::default() };
        let all = Wanted { dismissed: true, ..Wanted::default() };
        for (wanted, finding, is) in [
            (&high, found(Severity::Critical, None, None), true),
            (&high, found(Severity::Medium, None, None), false),
            (&high, found(Severity::Unknown, None, None), false),
            (&fixable, found(Severity::Low, Some(true), None), true),
            (&fixable, found(Severity::Low, Some(false), None), false),
            (&fixable, found(Severity::Low, None, None), false),
            (&fixable, found(Severity::Low, Some(true), Some("not_affected")), false),
            (&all, found(Severity::Low, None, Some("not_affected")), true),
            (&high, found(Severity::High, None, Some("exploitable")), true),
        ] {
            assert_eq!(wanted.is(&finding), is, "{wanted:?} {finding:?}");
        }
    }

    #[test]
    fn counts() {
        let all: Vec<_> = Severity::ALL.into_iter().map(|severity| found(severity, Some(severity > Severity::Low), None)).collect();
        let summary = Summary::of(&all);
        assert_eq!((summary.critical, summary.unknown, summary.fixable), (1, 1, 3));
        assert_eq!((summary.at_least(Severity::High), summary.at_least(Severity::Unknown)), (2, 6));
    }
}
