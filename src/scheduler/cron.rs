//! Lines in the user's table of cron. Ours end in a mark; all others stay as they are, byte for byte.

use super::program::{ProgramError, ask, tell};
use super::{Installed, Job, SchedulerError};
use crate::catalogue::Name;

/// What ends a line of ours, before the name of the registry. To the shell that runs the line it is a comment.
const MARK: &str = " # regctl schedule ";

/// The line of a job, for a cron whose clock is `offset` seconds ahead of UTC.
///
/// # Errors
/// When the command can't stand in one line.
pub fn line(job: &Job, offset: i32) -> Result<String, SchedulerError> {
    let words = job.words("a line of cron")?;
    let variables = job.environment.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
    let command: Vec<String> = variables.chain(words.into_iter().map(quoted)).collect();
    // to cron, a percent sign ends the command, in quotes too
    let command = command.join(" ").replace('%', "\\%");
    Ok(format!("{} {command}{MARK}{}", job.schedule.cron(offset), job.name))
}

/// A word as the shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// The registry that a line is for, if it is ours.
fn owner(line: &str) -> Option<&str> {
    line.rsplit_once(MARK).map(|(_, name)| name.trim_end()).filter(|_| !line.trim_start().starts_with('#'))
}

/// The table with this line for a registry, or with none.
fn with(table: &str, name: &Name, line: Option<&str>) -> String {
    let mut out = String::new();
    let mut line = line;
    for old in table.split_inclusive('\n') {
        if owner(old) != Some(name.as_str()) {
            out.push_str(old);
        } else if let Some(line) = line.take() {
            // in the place of the old one; a second one is a slip of somebody's
            out.push_str(line);
            out.push('\n');
        }
    }
    if let Some(line) = line {
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// The user's table as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crontab(String);

impl Crontab {
    /// Asks for it. No table is an empty one.
    ///
    /// # Errors
    /// When there is no cron, or it can't be asked.
    pub fn read() -> Result<Crontab, ProgramError> {
        let answer = ask("crontab", &["-l"], None)?;
        // it fails where there is no table yet, and only its words tell that from a failure after which writing would lose lines
        let none_yet = ["no crontab", "No such file"].iter().any(|words| answer.stderr.contains(words));
        match (answer.success, none_yet && answer.stdout.is_empty()) {
            (true, _) => Ok(Crontab(answer.stdout)),
            (false, true) => Ok(Crontab(String::new())),
            (false, false) => Err(ProgramError::Failed { command: "crontab -l".to_owned(), stderr: answer.stderr }),
        }
    }

    /// The registries that have a line of ours.
    pub fn names(&self) -> Vec<Name> {
        let mut names: Vec<Name> = self.0.lines().filter_map(owner).filter_map(|name| name.parse().ok()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Whether the job is there as it should be.
    ///
    /// # Errors
    /// When the command can't stand in one line.
    pub fn status(&self, job: &Job, offset: i32) -> Result<Installed, SchedulerError> {
        let wanted = line(job, offset)?;
        let ours: Vec<&str> = self.0.lines().filter(|line| owner(line) == Some(job.name.as_str())).collect();
        Ok(match ours.as_slice() {
            [] => Installed::No,
            [one] if *one == wanted => Installed::AsWanted,
            [one] => Installed::Drifted(vec![format!("the line is `{one}`, it should be `{wanted}`")]),
            many => Installed::Drifted(vec![format!("there are {} lines for it", many.len())]),
        })
    }

    /// Installs a job; says whether anything had to be changed.
    ///
    /// # Errors
    /// When cron does not take it.
    pub fn install(&self, job: &Job, offset: i32) -> Result<bool, SchedulerError> {
        self.replace(with(&self.0, &job.name, Some(&line(job, offset)?)))
    }

    /// Takes the lines of a registry away; says whether there were any.
    ///
    /// # Errors
    /// When cron does not take it.
    pub fn uninstall(&self, name: &Name) -> Result<bool, SchedulerError> {
        self.replace(with(&self.0, name, None))
    }

    fn replace(&self, table: String) -> Result<bool, SchedulerError> {
        if table == self.0 {
            return Ok(false);
        }
        tell("crontab", &["-"], Some(&table))?;
        if Crontab::read()?.0 == table { Ok(true) } else { Err(SchedulerError::NotKept) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::example;
    use proptest::prelude::*;

    #[test]
    fn a_line_survives_cron_and_shell() {
        assert_eq!(
            line(&example(), 0).unwrap(),
            "30 19 * * 6,0 REGCTL_STATE_DIR='/var/lib/my state' '/opt/my tools/100\\%/regctl' --catalogue \
             '/home/o'\\''neill/$x \"y\".toml' prune --scheduled prod # regctl schedule prod"
        );
    }

    #[test]
    fn only_our_line_changes() {
        let name: Name = "prod".parse().unwrap();
        let foreign = "MAILTO=me\n\n# regctl schedule prod\n@daily backup # regctl\n0 1 * * * x # regctl schedule production\n";
        let line = "30 19 * * 6,0 regctl # regctl schedule prod";
        let installed = with(foreign, &name, Some(line));
        assert_eq!(installed, format!("{foreign}{line}\n"));
        assert_eq!(with(&installed, &name, Some(line)), installed);
        assert_eq!(with(&installed, &name, None), foreign);
        // in its place, and doubles go
        let moved = format!("{line}\nother\n{line}\n");
        assert_eq!(with(&moved, &name, Some("new # regctl schedule prod")), "new # regctl schedule prod\nother\n");
        assert_eq!(with("last line without end", &name, Some(line)), format!("last line without end\n{line}\n"));
        assert_eq!(with("last line without end", &name, None), "last line without end");
    }

    proptest! {
        #[test]
        fn foreign_lines_stay(table in "([a-z#* %\\n]|regctl schedule |prod){0,20}") {
            let name: Name = "prod".parse().unwrap();
            let line = "0 1 * * * x # regctl schedule prod";
            let foreign = |table: &str| table.lines().filter(|line| owner(line) != Some("prod")).map(str::to_owned).collect::<Vec<_>>();
            let installed = with(&table, &name, Some(line));
            prop_assert_eq!(foreign(&installed), foreign(&table));
            prop_assert_eq!(installed.lines().filter(|line| owner(line) == Some("prod")).count(), 1);
            prop_assert_eq!(with(&installed, &name, Some(line)), installed.clone());
            prop_assert_eq!(foreign(&with(&installed, &name, None)), foreign(&table));
        }
    }
}
