//! The names of runs: short, because people type them.

use std::fmt;
use std::str::FromStr;

/// Without `0`, `1`, `i`, `l`, `o` and `u`: nothing to misread, and hardly a word to be made of it.
const LETTERS: &[u8] = b"23456789abcdefghjkmnpqrstvwxyz";
/// Four letters are 810,000 names, and few runs are kept at once.
const SHORTEST: usize = 4;
/// Longer than this no name ever gets.
const LONGEST: usize = 12;

/// The name of a run, such as `7k2f`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(String);

impl RunId {
    /// A random name; a longer one after many attempts whose names were taken.
    pub(super) fn random(attempt: usize) -> std::io::Result<RunId> {
        let mut random = [0; LONGEST];
        getrandom::fill(&mut random)?;
        let length = (SHORTEST + attempt / 8).min(LONGEST);
        Ok(RunId(random[..length].iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for RunId {
    type Err = String;

    /// Only what a new id looks like, so that a name can stand in a path.
    fn from_str(text: &str) -> Result<RunId, String> {
        let text = text.to_ascii_lowercase();
        let fits = (SHORTEST..=LONGEST).contains(&text.len()) && text.bytes().all(|letter| LETTERS.contains(&letter));
        if fits { Ok(RunId(text)) } else { Err("it is not the name of a run, such as 7k2f; `regctl history` lists them".into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_are_safe_in_a_path() {
        for attempt in [0, 7, 8, 1000] {
            let id = RunId::random(attempt).unwrap();
            assert_eq!(id.as_str().parse::<RunId>().unwrap(), id);
        }
        assert_eq!(RunId::random(0).unwrap().as_str().len(), 4);
        assert_eq!("7K2F".parse::<RunId>().unwrap().as_str(), "7k2f");
        for bad in ["", "7k2", "../x", "7k2o", "7k2f/..", "7k2f.", "2222222222222"] {
            assert!(bad.parse::<RunId>().is_err(), "{bad}");
        }
    }
}
