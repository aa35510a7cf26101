//! Docker's credential helpers: `docker-credential-NAME get` is given a server and prints `{"ServerURL","Username","Secret"}`.

use std::time::Duration;

use serde::Deserialize;

use super::child;
use super::{Credential, Secret};

/// How long a helper may take; some fetch a token from a cloud.
const DEADLINE: Duration = Duration::from_secs(30);

/// What helpers print when they know nothing of a server. The protocol has no other sign.
const NOT_FOUND: &str = "credentials not found in native keychain";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pair {
    username: String,
    secret: Secret,
}

/// Asks a helper for a server's credential. `Ok(None)` when it has none.
///
/// # Errors
/// A sentence that names the helper and holds nothing of what it printed on success.
pub(super) async fn get(name: &str, server: &str, path: Option<&str>) -> Result<Option<Credential>, String> {
    if !is_valid(name) {
        return Err(format!("{name:?} is no name of a credential helper"));
    }
    let program = format!("docker-credential-{name}");
    let answer = child::run(&program, &["get".to_owned()], path, server, DEADLINE).await.map_err(|error| error.to_string())?;
    let text = std::str::from_utf8(&answer.stdout).map_err(|_| format!("`{program}` did not answer with text"))?.trim();
    if !answer.status.success() {
        if text.eq_ignore_ascii_case(NOT_FOUND) {
            return Ok(None);
        }
        // The protocol puts the reason on standard output. Anything that looks like an answer stays unsaid.
        let said = if text.contains('{') { String::new() } else { child::last_lines(text) };
        return Err(match said.as_str() {
            "" => answer.failure(&program),
            said => format!("`{program}` failed: {said}"),
        });
    }
    // serde's own message would quote the value.
    let pair: Pair =
        serde_json::from_str(text).map_err(|_| format!("`{program}` did not answer in the form of a credential helper"))?;
    if pair.secret.is_empty() {
        return Ok(None);
    }
    Ok(Some(Credential::new(pair.username, pair.secret)))
}

/// Whether this may become part of a program's name.
fn is_valid(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|character| character.is_ascii_alphanumeric() || "_.-".contains(character))
}

#[cfg(all(test, unix))]
pub(super) mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use tempfile::TempDir;

    use super::*;

    /// Puts a helper into a folder of its own; gives the folder and a `PATH` that has it first.
    pub(in super::super) fn install(name: &str, script: &str) -> (TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(format!("docker-credential-{name}"));
        // Written by another process: a file that a thread of this one has open for writing may not be run ("text file busy") while
        // a neighbouring test starts its own child and passes the descriptor on.
        let mut shell = Command::new("/bin/sh");
        let mut shell = shell.args(["-c", "cat > \"$0\" && chmod 755 \"$0\""]).arg(&file).stdin(Stdio::piped()).spawn().unwrap();
        write!(shell.stdin.take().unwrap(), "#!/bin/sh\n{script}\n").unwrap();
        assert!(shell.wait().unwrap().success());
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        (folder, path)
    }

    async fn ask(script: &str) -> Result<Option<(String, String)>, String> {
        let (_folder, path) = install("test.one", script);
        Ok(match get("test.one", "registry.example:5000", Some(&path)).await? {
            Some(Credential::Basic { username, password }) => Some((username, password.expose().to_owned())),
            Some(Credential::IdentityToken(token)) => Some(("(token)".to_owned(), token.expose().to_owned())),
            Some(Credential::RegistryToken(_)) => panic!("helpers have none"),
            None => None,
        })
    }

    #[tokio::test]
    async fn protocol() {
        let some = |username: &str, secret: &str| Ok(Some((username.to_owned(), secret.to_owned())));
        let echo = r#"[ "$1" = get ] && server=$(cat) && printf '{"ServerURL":"%s","Username":"u","Secret":"for %s"}\n' "$server" "$server""#;
        assert_eq!(ask(echo).await, some("u", "for registry.example:5000"));
        assert_eq!(ask(r#"echo '{"Username":"<token>","Secret":"refresh"}'"#).await, some("(token)", "refresh"));
        assert_eq!(ask("echo credentials not found in native keychain; exit 1").await, Ok(None));
        assert_eq!(ask(r#"echo '{"Username":"","Secret":""}'"#).await, Ok(None));
    }

    #[tokio::test]
    async fn failures_name_the_helper_and_not_the_secret() {
        let program = "`docker-credential-test.one`";
        for (script, expected) in [
            ("echo pass is not initialized; exit 1", format!("{program} failed: pass is not initialized")),
            ("echo no display >&2; exit 2", format!("{program} failed with exit code 2: no display")),
            (r#"echo '{"Username":"u","Secret":"s3cr3t-canary"}'; exit 1"#, format!("{program} failed with exit code 1")),
            (
                r#"echo '{"Username":7,"Secret":"s3cr3t-canary"}'"#,
                format!("{program} did not answer in the form of a credential helper"),
            ),
            ("echo s3cr3t-canary", format!("{program} did not answer in the form of a credential helper")),
        ] {
            assert_eq!(ask(script).await, Err(expected), "{script}");
        }
    }

    /// users C8: Docker Desktop leaves `credsStore: desktop.exe` behind in WSL.
    #[tokio::test]
    async fn a_missing_helper_and_a_bad_name() {
        let missing = get("desktop.exe", "r.example", Some("/nonexistent")).await.unwrap_err();
        assert_eq!(missing, "`docker-credential-desktop.exe` is not installed or not on PATH");
        for name in ["", "a/../b", "a b", "x;y", "ä"] {
            assert!(get(name, "r.example", None).await.unwrap_err().contains("is no name"), "{name}");
        }
    }
}
