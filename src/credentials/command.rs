//! `credential = "command"`: a program of the user's that prints the secret, such as `aws ecr get-login-password`.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::child::{self, Answer};
use super::{Credential, Found, Secret, Unavailable};

/// How long the command may take. Minting a cloud token is a few requests; somebody may have to touch a security key.
const DEADLINE: Duration = Duration::from_secs(60);

/// The second form of an answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pair {
    username: Option<String>,
    secret: Secret,
}

/// Runs the command. Its answer is the secret alone, which then belongs to `username`, or `{"Username":…,"Secret":…}`.
///
/// # Errors
/// When it can't be run, fails, or answers nothing. Its answer is never part of the message.
pub(super) async fn find(
    command: &[String],
    path: Option<&str>,
    name: Option<&str>,
    username: Option<&str>,
) -> Result<Found, Unavailable> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(unavailable(name, "credential is \"command\", but there is no credential_command".to_owned()));
    };
    let answer = child::run(program, arguments, path, "", DEADLINE).await.map_err(|error| unavailable(name, error.to_string()))?;
    // Only the program is named: an argument may be secret.
    let shown = Path::new(program).file_name().map_or_else(|| program.clone(), |file| file.to_string_lossy().into_owned());
    let credential = read(&answer, &shown, username).map_err(|message| unavailable(name, message))?;
    Ok(Found { credential, origin: format!("the command `{shown}`") })
}

fn read(answer: &Answer, program: &str, username: Option<&str>) -> Result<Credential, String> {
    if !answer.status.success() {
        return Err(answer.failure(program));
    }
    let text = std::str::from_utf8(&answer.stdout).map_err(|_| format!("`{program}` did not answer with text"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    let (own, secret) = match serde_json::from_str::<Pair>(text) {
        Ok(pair) => (pair.username.filter(|username| !username.is_empty()), pair.secret),
        // Such as an error report; sending it as a password would only hide that.
        Err(_) if text.starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok() => {
            return Err(format!("`{program}` answered JSON without \"Secret\""));
        }
        Err(_) => (None, Secret::new(text)),
    };
    if secret.is_empty() {
        return Err(format!("`{program}` answered nothing"));
    }
    let username = own.or_else(|| username.map(str::to_owned));
    let username = username.ok_or_else(|| format!("`{program}` gave a secret, but there is no user name to go with it"))?;
    Ok(Credential::new(username, secret))
}

fn unavailable(name: Option<&str>, message: String) -> Unavailable {
    let hints = match name {
        Some(name) => vec![
            format!("the command is `credential_command` of {name}: `regctl get {name}` shows it"),
            format!("the user name is `username` of {name}: `regctl update {name} --username USER`"),
        ],
        None => Vec::new(),
    };
    Unavailable { message, hints }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    async fn ask(script: &str, username: Option<&str>) -> Result<(String, String), String> {
        let command = ["/bin/sh", "-c", script].map(str::to_owned);
        match find(&command, None, Some("prod"), username).await {
            Ok(Found { credential: Credential::Basic { username, password }, origin }) => {
                assert_eq!(origin, "the command `sh`");
                Ok((username, password.expose().to_owned()))
            }
            Ok(Found { credential: Credential::IdentityToken(token), .. }) => Ok(("(token)".to_owned(), token.expose().to_owned())),
            Ok(other) => panic!("unexpected {other:?}"),
            Err(unavailable) => Err(unavailable.message),
        }
    }

    #[tokio::test]
    async fn answers() {
        for (script, username, expected) in [
            ("echo 'tok en '", Some("AWS"), ("AWS", "tok en ")),
            ("printf 'tok\\r\\n\\n'", Some("AWS"), ("AWS", "tok")),
            (r#"echo '{"Username":"u","Secret":"s","ServerURL":"x"}'"#, None, ("u", "s")),
            (r#"echo '{"Username":"","Secret":"s"}'"#, Some("mine"), ("mine", "s")),
            (r#"echo '{"Username":"<token>","Secret":"s"}'"#, Some("mine"), ("(token)", "s")),
            (r#"echo '{looks like json'"#, Some("u"), ("u", "{looks like json")),
        ] {
            let expected = (expected.0.to_owned(), expected.1.to_owned());
            assert_eq!(ask(script, username).await, Ok(expected), "{script}");
        }
    }

    #[tokio::test]
    async fn failures_never_show_the_answer() {
        for (script, expected) in [
            ("echo s3cr3t-canary; echo 'token has expired' >&2; exit 255", "`sh` failed with exit code 255: token has expired"),
            ("true", "`sh` answered nothing"),
            ("echo s3cr3t-canary", "`sh` gave a secret, but there is no user name to go with it"),
            (r#"echo '{"Username":"u","Secret":""}'"#, "`sh` answered nothing"),
            (r#"echo '{"error":"s3cr3t-canary"}'"#, "`sh` answered JSON without \"Secret\""),
            ("printf '\\377'", "`sh` did not answer with text"),
        ] {
            assert_eq!(ask(script, None).await, Err(expected.to_owned()), "{script}");
        }
        let none = find(&[], None, Some("prod"), None).await.unwrap_err();
        assert!(none.message.contains("credential_command"));
    }
}
