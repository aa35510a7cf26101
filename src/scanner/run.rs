//! One run of a scanner: to its end, or to the end of our patience.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::credentials::Secret;
use crate::operations::vulnerabilities::REPORT_MAX;

/// How long a scanner may take: it downloads a database of some hundred megabytes, and then the image.
const PATIENCE: Duration = Duration::from_secs(1800);
/// How much of what it complains about is kept, and shown.
const COMPLAINT_MAX: u64 = 64 * 1024;
const SHOWN_MAX: usize = 300;

/// A program with its arguments and what is added to its environment. Can't be shown with its secrets.
pub(super) struct Run {
    command: Command,
    program: String,
    secrets: Vec<Secret>,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("program", &self.program).finish_non_exhaustive()
    }
}

impl Run {
    pub fn new<'a>(program: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let program = program.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Run { command, program, secrets: Vec::new() }
    }

    pub fn set(&mut self, variable: &str, value: impl AsRef<OsStr>) -> &mut Run {
        self.command.env(variable, value);
        self
    }

    pub fn secret(&mut self, variable: &str, value: &Secret) -> &mut Run {
        self.secrets.push(value.clone());
        self.set(variable, value.expose())
    }

    /// What it prints; or, in a line, why it printed nothing of use.
    pub async fn output(mut self) -> Result<Vec<u8>, String> {
        let program = self.program.clone();
        tracing::info!("running {program}");
        let failed = |error: io::Error| format!("`{program}` can't be run: {error}");
        let mut child = self.command.spawn().map_err(failed)?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let conversation = async {
            let (printed, complaint) = tokio::join!(up_to(stdout, REPORT_MAX), up_to(stderr, COMPLAINT_MAX));
            Ok((printed?, complaint?, child.wait().await?))
        };
        let ended = tokio::time::timeout(PATIENCE, conversation).await;
        let ended = ended.map_err(|_| format!("`{program}` did not finish within {} min", PATIENCE.as_secs() / 60))?;
        let ((printed, more), (complaint, _), status) = ended.map_err(failed)?;
        if !status.success() {
            let end = status.code().map_or("was killed".to_owned(), |code| format!("failed with exit code {code}"));
            let complaint = self.shown(&complaint);
            return Err(if complaint.is_empty() {
                format!("`{program}` {end}")
            } else {
                format!("`{program}` {end}: {complaint}")
            });
        }
        if more {
            return Err(format!("`{program}` printed more than {} MiB", REPORT_MAX >> 20));
        }
        Ok(printed)
    }

    /// The last line of a complaint, without secrets and control characters.
    fn shown(&self, complaint: &[u8]) -> String {
        let text = String::from_utf8_lossy(complaint);
        let mut line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned();
        for secret in self.secrets.iter().filter(|secret| !secret.is_empty()) {
            line = line.replace(secret.expose(), "…");
        }
        line.chars().filter(|character| !character.is_control()).take(SHOWN_MAX).collect()
    }
}

#[cfg(test)]
impl Run {
    pub fn arguments(&self) -> impl Iterator<Item = String> {
        self.command.as_std().get_args().map(|argument| argument.to_string_lossy().into_owned())
    }

    pub fn variable(&self, name: &str) -> Option<String> {
        let mut all = self.command.as_std().get_envs();
        all.find(|(key, _)| *key == name).and_then(|(_, value)| value.map(|value| value.to_string_lossy().into_owned()))
    }
}

/// Reads to the end, so that a talkative program does not block, and keeps the beginning. Says whether there was more.
async fn up_to(mut from: impl AsyncRead + Unpin, most: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut kept = Vec::new();
    (&mut from).take(most).read_to_end(&mut kept).await?;
    let more = tokio::io::copy(&mut from, &mut tokio::io::sink()).await? > 0;
    Ok((kept, more))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    async fn run(script: &str) -> Result<Vec<u8>, String> {
        let mut run = Run::new(Path::new("/bin/sh"), ["-c", script]);
        run.secret("PASSWORD", &Secret::new("s3cr3t-canary"));
        run.output().await
    }

    #[tokio::test]
    async fn how_it_ends() {
        assert_eq!(run("echo '{}'").await, Ok(b"{}\n".to_vec()));
        assert_eq!(run("exit 3").await, Err("`sh` failed with exit code 3".into()));
        assert_eq!(
            run("echo first >&2; printf 'last \\033[31mline\\n\\n' >&2; exit 1").await,
            Err("`sh` failed with exit code 1: last [31mline".into())
        );
        assert_eq!(
            run("echo \"wrong password $PASSWORD\" >&2; exit 1").await,
            Err("`sh` failed with exit code 1: wrong password …".into())
        );
        assert_eq!(run("kill -9 $$").await, Err("`sh` was killed".into()));
        let missing = Run::new(Path::new("/nowhere/trivy"), []).output().await.unwrap_err();
        assert!(missing.starts_with("`trivy` can't be run: "), "{missing}");
    }

    #[tokio::test]
    async fn what_is_too_much_is_read_and_dropped() {
        let (kept, more) = up_to(&b"0123456789"[..], 4).await.unwrap();
        assert_eq!((kept.as_slice(), more), (&b"0123"[..], true));
        let (kept, more) = up_to(&b"0123"[..], 4).await.unwrap();
        assert_eq!((kept.as_slice(), more), (&b"0123"[..], false));
    }
}
