//! Asking `systemctl` and `crontab`.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

/// How much of what a program complains about is shown.
const COMPLAINT_MAX: usize = 300;

/// What a program answered.
pub(super) struct Answer {
    /// Whether it ended with 0.
    pub success: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Why a program gave no answer, or not the one that was needed.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It is not there.
    #[error("`{0}` is not installed or not on PATH")]
    Missing(String),
    /// It can't be started or spoken to.
    #[error("can't run `{program}`")]
    Run {
        /// Which.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It failed.
    #[error("`{command}` failed{}", complaint(.stderr))]
    Failed {
        /// The command line.
        command: String,
        /// What it said.
        stderr: String,
    },
    /// It gave something that is no text.
    #[error("`{0}` answered something that is not UTF-8 text")]
    NoText(String),
}

fn complaint(stderr: &str) -> String {
    let line: String = stderr.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(COMPLAINT_MAX).collect();
    if line.is_empty() { String::new() } else { format!(": {line}") }
}

/// Runs a program to its end, in English, with this to read.
pub(super) fn ask(program: &str, arguments: &[&str], input: Option<&str>) -> Result<Answer, ProgramError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ProgramError::Missing(program.to_owned()),
        _ => ProgramError::Run { program: program.to_owned(), source },
    };
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C").stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn().map_err(failed)?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        // a program that ends without reading says itself what is wrong
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    let stdout = String::from_utf8(output.stdout).map_err(|_| ProgramError::NoText(program.to_owned()))?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Answer { success: output.status.success(), stdout, stderr })
}

/// The same, where anything but success is an error.
pub(super) fn tell(program: &str, arguments: &[&str], input: Option<&str>) -> Result<(), ProgramError> {
    let answer = ask(program, arguments, input)?;
    match answer.success {
        true => Ok(()),
        false => Err(ProgramError::Failed { command: format!("{program} {}", arguments.join(" ")), stderr: answer.stderr }),
    }
}
