//! Runs another program that knows a secret: without a shell, for a bounded time, reading a bounded answer.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use zeroize::Zeroizing;

/// How much a program may answer. Cloud tokens have a few kilobytes.
const MAX_ANSWER: usize = 64 * 1024;

/// How much of its complaints is kept.
const MAX_COMPLAINT: usize = 4 * 1024;

/// How many lines of its complaints are shown: the last ones say what failed.
const SHOWN_LINES: usize = 3;

/// What a program answered.
pub(super) struct Answer {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output, which may be the secret.
    pub stdout: Zeroizing<Vec<u8>>,
    /// The last lines of its standard error, fit to be shown.
    pub complaint: String,
}

impl Answer {
    /// How it failed, with what it said itself.
    pub(super) fn failure(&self, program: &str) -> String {
        let status = match self.status.code() {
            Some(code) => format!("`{program}` failed with exit code {code}"),
            None => format!("`{program}` was killed"),
        };
        if self.complaint.is_empty() { status } else { format!("{status}: {}", self.complaint) }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChildError {
    #[error("`{program}` is not installed or not on PATH")]
    NotFound { program: String },
    #[error("can't run `{program}`: {source}")]
    Run { program: String, source: io::Error },
    #[error("`{program}` did not finish within {} s", .deadline.as_secs())]
    TimedOut { program: String, deadline: Duration },
    #[error("`{program}` answered more than {MAX_ANSWER} bytes")]
    TooMuch { program: String },
}

/// Runs `program` with `input` on its standard input. `path` is where it is looked for, as in `PATH`.
pub(super) async fn run(
    program: &str,
    arguments: &[String],
    path: Option<&str>,
    input: &str,
    deadline: Duration,
) -> Result<Answer, ChildError> {
    let failed = |source: io::Error| ChildError::Run { program: program.to_owned(), source };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let mut child = command.spawn().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ChildError::NotFound { program: program.to_owned() },
        _ => failed(source),
    })?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let stdout = child.stdout.take().expect("stdout is piped");
    let stderr = child.stderr.take().expect("stderr is piped");
    let conversation = async {
        let say = async {
            // A program that needs no input may be gone before it is written.
            let _ = stdin.write_all(input.as_bytes()).await;
            drop(stdin);
        };
        let ((), stdout, stderr) = tokio::join!(say, up_to(stdout, MAX_ANSWER), up_to(stderr, MAX_COMPLAINT));
        Ok((stdout?, stderr?, child.wait().await?))
    };
    let ((stdout, more), (stderr, _), status) = match tokio::time::timeout(deadline, conversation).await {
        Ok(ended) => ended.map_err(failed)?,
        Err(_) => return Err(ChildError::TimedOut { program: program.to_owned(), deadline }),
    };
    if more {
        return Err(ChildError::TooMuch { program: program.to_owned() });
    }
    Ok(Answer { status, stdout, complaint: last_lines(&String::from_utf8_lossy(&stderr)) })
}

/// Reads to the end and keeps the first `limit` bytes, so that a talkative program does not block. Says whether there was more.
async fn up_to(mut from: impl AsyncRead + Unpin, limit: usize) -> io::Result<(Zeroizing<Vec<u8>>, bool)> {
    let mut kept = Zeroizing::new(Vec::with_capacity(limit));
    let mut buffer = Zeroizing::new([0; 4096]);
    let mut more = false;
    loop {
        let read = from.read(&mut buffer[..]).await?;
        if read == 0 {
            return Ok((kept, more));
        }
        let fits = read.min(limit - kept.len());
        kept.extend_from_slice(&buffer[..fits]);
        more |= fits < read;
    }
}

/// The last lines with something in them, on one line, without control characters.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let shown = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("; ");
    shown.chars().filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sh(script: &str, deadline: Duration) -> Result<Answer, ChildError> {
        run("/bin/sh", &["-c".to_owned(), script.to_owned()], None, "the input\n", deadline).await
    }

    const LONG: Duration = Duration::from_secs(60);

    #[cfg(unix)]
    #[tokio::test]
    async fn answers_and_complaints() {
        let answer =
            sh("read line; echo \"got $line\"; echo a >&2; printf 'b\\033[31m\\n\\nc\\nd\\n' >&2; exit 3", LONG).await.unwrap();
        assert_eq!(&answer.stdout[..], b"got the input\n");
        assert_eq!(answer.failure("sh"), "`sh` failed with exit code 3: b[31m; c; d");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn limits() {
        let forever = "while :; do echo 0123456789012345678901234567890123456789; done";
        assert!(matches!(sh(forever, Duration::from_millis(100)).await, Err(ChildError::TimedOut { .. })));
        let much = "head -c 70000 /dev/zero";
        assert!(matches!(sh(much, LONG).await, Err(ChildError::TooMuch { .. })));
        let missing = run("regctl-test-no-such-program", &[], None, "", LONG).await;
        assert!(matches!(missing, Err(ChildError::NotFound { .. })));
    }
}
