//! The machine's own schedulers, which start the clean-up of a registry at its time: timers of systemd and lines of cron (SPEC §8.6).
//!
//! What is written is made from a [`Job`] alone, so that installing twice changes nothing, and what was changed by hand can be told. All of
//! it is marked as ours; what is not marked is never touched. How systemd and cron are asked is in [`systemd`] and [`cron`].

pub mod cron;
mod program;
pub mod systemd;

use std::path::PathBuf;

pub use program::ProgramError;

use crate::catalogue::{Name, Schedule};

/// What is to be run, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The registry that is cleaned up.
    pub name: Name,
    /// When.
    pub schedule: Schedule,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables that it needs to find what it finds here. None of them is a secret.
    pub environment: Vec<(&'static str, String)>,
}

/// What a scheduler does with a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installed {
    /// Nothing.
    No,
    /// What it should.
    AsWanted,
    /// Something else: each difference in one clause.
    Drifted(Vec<String>),
}

/// Why a scheduler could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// It could not be asked.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// Somebody else's file has the name that ours would have.
    #[error("{} is there and was not made by regctl", .0.display())]
    Foreign(PathBuf),
    /// A file can't be read, written or deleted.
    #[error("can't {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Something that neither format can hold.
    #[error("{what} has a character that can't stand in {place}")]
    Unwritable {
        /// Where the character is.
        what: String,
        /// Where it can't be.
        place: &'static str,
    },
    /// cron took the new table and gives back another.
    #[error("crontab did not keep the line")]
    NotKept,
}

impl Job {
    /// Every word of the command, the program first.
    ///
    /// # Errors
    /// When one has a character that would end the line.
    fn words(&self, place: &'static str) -> Result<Vec<&str>, SchedulerError> {
        let unwritable = |what: String| SchedulerError::Unwritable { what, place };
        let program = self.program.to_str().ok_or_else(|| unwritable(self.program.display().to_string()))?;
        let words: Vec<&str> = std::iter::once(program).chain(self.arguments.iter().map(String::as_str)).collect();
        let values = self.environment.iter().map(|(_, value)| value.as_str());
        match words.iter().copied().chain(values).find(|word| word.chars().any(char::is_control)) {
            Some(word) => Err(unwritable(format!("{word:?}"))),
            None => Ok(words),
        }
    }
}

#[cfg(test)]
pub(crate) fn example() -> Job {
    Job {
        name: "prod".parse().expect("a name"),
        schedule: Schedule { days: "Sat,Sun".parse().expect("days"), time: "19:30".parse().expect("a time") },
        program: "/opt/my tools/100%/regctl".into(),
        arguments: ["--catalogue", "/home/o'neill/$x \"y\".toml", "prune", "--scheduled", "prod"].map(str::to_owned).to_vec(),
        environment: vec![("REGCTL_STATE_DIR", "/var/lib/my state".to_owned())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_line_is_refused() {
        let broken = |change: fn(&mut Job)| {
            let mut job = example();
            change(&mut job);
            job.words("a unit").is_err()
        };
        assert!(!broken(|_| ()));
        assert!(broken(|job| job.arguments[1] = "/a\nExecStart=/bin/evil".to_owned()));
        assert!(broken(|job| job.program = "/a\nb".into()));
        assert!(broken(|job| job.environment[0].1 = "a\rb".to_owned()));
    }
}
