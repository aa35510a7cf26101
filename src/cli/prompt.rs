//! Questions to the person at the terminal. Without one there is no question: a script says `--yes` or nothing happens.

use std::io::{self, BufRead, IsTerminal, Write};

use super::{Exit, Refusal};
use crate::credentials::Secret;

/// Whether someone can be asked.
pub fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a yes-or-no question; anything but yes is no.
///
/// # Errors
/// Exit 8 when nobody can be asked.
pub fn confirm(question: &str) -> anyhow::Result<bool> {
    if !is_interactive() {
        return Err(nobody());
    }
    Ok(matches!(ask(&format!("{question} [y/N] "))?.to_lowercase().as_str(), "y" | "yes"))
}

/// Asks to type a name; anything but that name is no.
///
/// # Errors
/// Exit 8 when nobody can be asked.
pub fn confirm_by_typing(question: &str, name: &str) -> anyhow::Result<bool> {
    if !is_interactive() {
        return Err(nobody());
    }
    Ok(ask(&format!("{question} Type {name} to go ahead: "))? == name)
}

fn nobody() -> anyhow::Error {
    Refusal::new(Exit::Refused, "not confirmed: nobody can be asked here")
        .hint("add --yes to go ahead, or --dry-run to see the plan")
        .into()
}

/// Asks for a line of text.
pub fn ask(question: &str) -> anyhow::Result<String> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "{}", crate::output::text::clean(question))?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

/// Asks for a password, unseen.
///
/// # Errors
/// Exit 5 when there is no terminal.
pub fn password(question: &str) -> anyhow::Result<Secret> {
    if !io::stdin().is_terminal() {
        return Err(Refusal::new(Exit::Credential, "a password is needed, and there is no terminal to ask on")
            .hint("pipe it in with --password-stdin, or set REGCTL_USERNAME and REGCTL_PASSWORD")
            .into());
    }
    let answer = rpassword::prompt_password(crate::output::text::clean(question))?;
    Ok(Secret::new(answer))
}

/// Reads a password from standard input: all of it, less one line ending.
pub fn password_from_stdin() -> anyhow::Result<Secret> {
    /// No password or token is longer; a whole file piped in by mistake is.
    const LONGEST: u64 = 64 * 1024;
    let mut text = String::new();
    io::Read::take(io::stdin().lock(), LONGEST + 1).read_to_string_checked(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(Refusal::usage("what stands on standard input is too long for a password").into());
    }
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Refusal::usage("--password-stdin: standard input is empty").into());
    }
    Ok(Secret::new(text))
}

trait ReadChecked {
    fn read_to_string_checked(self, text: &mut String) -> anyhow::Result<()>;
}

impl<R: io::Read> ReadChecked for R {
    fn read_to_string_checked(mut self, text: &mut String) -> anyhow::Result<()> {
        match io::Read::read_to_string(&mut self, text) {
            Ok(_) => Ok(()),
            // the bytes themselves are never shown
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(Refusal::usage("--password-stdin: standard input is not UTF-8 text").into())
            }
            Err(error) => Err(error.into()),
        }
    }
}
