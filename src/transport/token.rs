//! Bearer tokens: asking a token server, and remembering what it gave (Docker token authentication, "token" and "oauth").
//!
//! Tokens live in memory only, and in the kernel's between runs ([`kept`](super::kept)), each under realm, service, scopes and user, so that none is ever shown to another server. However many
//! requests need the same token at once, it is asked for once; a refusal is remembered too, so that a wrong password is not tried
//! until the account is locked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::Method;
use hyper::header::{ACCEPT, HeaderValue};
use tokio::time::Instant;
use url::Url;

use super::kept::Purpose;
use super::wire::Wire;
use super::{Answer, Known, Request, SMALL_LIMIT, Scopes, realm};
use crate::credentials::{Credential, Secret};
use crate::registry::{Error, ErrorKind, Result};

/// How long a token is good for when the server doesn't say, and at least (Docker token authentication: 60 s for old clients' sake).
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);
/// A new token is asked for this long before the old one ends, so that none ends on its way.
const MARGIN: Duration = Duration::from_secs(10);
/// The longest time a token is believed to last: a wrong number must not overflow a clock.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Who asks; OAuth2 requires a name.
const CLIENT_ID: &str = "regctl";

/// Who gives tokens for a registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TokenServer {
    pub realm: Url,
    pub service: Option<String>,
}

/// A token and whether it was got just now.
pub(super) struct Issued {
    pub header: HeaderValue,
    pub fresh: bool,
    /// Whether it is from another run, in which more or less may have been allowed.
    pub recalled: bool,
}

#[derive(Default)]
pub(super) struct Tokens {
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    server: TokenServer,
    scopes: Scopes,
    user: Option<String>,
}

/// One token, got when it is first needed and again before it ends.
#[derive(Default)]
pub(super) struct Slot(tokio::sync::Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Empty,
    Token {
        header: HeaderValue,
        renew_at: Instant,
        recalled: bool,
    },
    Refused(Refusal),
}

impl State {
    fn token(header: HeaderValue, lifetime: Duration, recalled: bool) -> State {
        let margin = MARGIN.min(lifetime / 2);
        State::Token { header, renew_at: Instant::now() + (lifetime - margin), recalled }
    }
}

/// A token server's "no", kept to be said again.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub kind: ErrorKind,
    pub status: u16,
    pub why: String,
}

impl Refusal {
    fn error(&self, name: &str) -> Error {
        Error::new(self.kind, "sign in to", name).answered(self.status, None).because(self.why.clone())
    }
}

impl Tokens {
    /// A token for these scopes. `spent` is one that the server has refused meanwhile.
    pub async fn get(
        &self,
        wire: &Wire,
        server: &TokenServer,
        scopes: &Scopes,
        credential: Option<&Credential>,
        spent: Option<&HeaderValue>,
    ) -> Result<Issued> {
        realm::check(&wire.settings, &server.realm, credential.is_some())?;
        let user = credential.map(|credential| credential.username().unwrap_or("<token>").to_owned());
        let key = Key { server: server.clone(), scopes: scopes.clone(), user };
        let slot = Arc::clone(self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        let kept = wire.settings.known.as_ref().and_then(Known::tokens);
        let purpose = Purpose { base: &wire.settings.base, server, scopes, credential };
        let recall = || kept?.get(&purpose);
        let fetch = async || {
            let fetched = fetch(wire, server, scopes, credential).await;
            if let (Some(kept), Ok(Ok((header, lifetime)))) = (kept, &fetched) {
                kept.keep(&purpose, header, *lifetime);
            }
            fetched
        };
        slot.get(&wire.settings.name, spent, recall, fetch).await
    }
}

impl Slot {
    /// The token: the one that is there, or that `recall` finds, or else that `fetch` gets. `spent` is one that the server has refused
    /// meanwhile; then what was kept is not looked at either.
    pub async fn get(
        &self,
        name: &str,
        spent: Option<&HeaderValue>,
        recall: impl FnOnce() -> Option<(HeaderValue, Duration)>,
        fetch: impl AsyncFnOnce() -> Result<Fetched>,
    ) -> Result<Issued> {
        let mut state = self.0.lock().await;
        match &*state {
            State::Token { header, renew_at, recalled } if Instant::now() < *renew_at && spent != Some(header) => {
                return Ok(Issued { header: header.clone(), fresh: false, recalled: *recalled });
            }
            State::Refused(refusal) => return Err(refusal.error(name)),
            State::Empty if spent.is_none() => {
                if let Some((header, lifetime)) = recall() {
                    *state = State::token(header.clone(), lifetime, true);
                    return Ok(Issued { header, fresh: false, recalled: true });
                }
            }
            State::Token { .. } | State::Empty => {}
        }
        *state = State::Empty;
        // rare, and large: in a box it makes each request lighter
        match Box::pin(fetch()).await? {
            Ok((header, lifetime)) => {
                *state = State::token(header.clone(), lifetime, false);
                Ok(Issued { header, fresh: true, recalled: false })
            }
            Err(refusal) => {
                let error = refusal.error(name);
                *state = State::Refused(refusal);
                Err(error)
            }
        }
    }
}

/// What asking for a token came to, unless nothing came of it.
pub(super) type Fetched = std::result::Result<(HeaderValue, Duration), Refusal>;

/// Asks the token server, in the ways that servers differ in. The outer error is one that another time may not have.
async fn fetch(wire: &Wire, server: &TokenServer, scopes: &Scopes, credential: Option<&Credential>) -> Result<Fetched> {
    let identity = matches!(credential, Some(Credential::IdentityToken(_)));
    let first = ask(wire, server, scopes, credential, identity).await?;
    if !matches!(first.status.as_u16(), 400 | 404 | 405) {
        return read(wire, &first, scopes, credential);
    }
    // Quay refuses with 400 a token for `delete`, and one for anything that is not a repository.
    if first.status == 400
        && let Some(other) = scopes.delete_as_wildcard().or_else(|| scopes.repositories_only())
    {
        let answer = ask(wire, server, &other, credential, identity).await?;
        if answer.status.is_success() {
            return read(wire, &answer, &other, credential);
        }
    }
    // The other way of asking (ggcr#1740); its failure is not what is reported.
    if credential.is_some()
        && let Ok(answer) = ask(wire, server, scopes, credential, !identity).await
        && answer.status.is_success()
    {
        return read(wire, &answer, scopes, credential);
    }
    read(wire, &first, scopes, credential)
}

/// One question to the token server: OAuth2 by POST, or the older GET.
async fn ask(wire: &Wire, server: &TokenServer, scopes: &Scopes, credential: Option<&Credential>, oauth2: bool) -> Result<Answer> {
    wire.settings.stats.token();
    let (request, header) = match (oauth2, credential) {
        (true, Some(credential)) => (by_post(server, scopes, credential), None),
        _ => by_get(server, scopes, credential),
    };
    tracing::debug!("asking {} for a token for `{scopes}`", super::origin::shown(&server.realm));
    wire.send(&request, header.as_ref()).await.map_err(|error| error.on("sign in to", &wire.settings.name))
}

fn by_get(server: &TokenServer, scopes: &Scopes, credential: Option<&Credential>) -> (Request, Option<HeaderValue>) {
    let mut request = new_request(Method::GET, server);
    if let Some(service) = &server.service {
        request = request.query("service", service);
    }
    for scope in scopes.iter() {
        request = request.query("scope", &scope.to_string());
    }
    request = request.query("client_id", CLIENT_ID);
    match credential {
        None | Some(Credential::RegistryToken(_)) => (request, None),
        Some(Credential::Basic { username, password }) => (request.query("account", username), Some(basic(username, password))),
        // How Docker stores and sends an identity token where a user name is needed.
        Some(Credential::IdentityToken(token)) => (request, Some(basic("<token>", token))),
    }
}

fn by_post(server: &TokenServer, scopes: &Scopes, credential: &Credential) -> Request {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    match credential {
        Credential::IdentityToken(token) | Credential::RegistryToken(token) => {
            form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", token.expose());
        }
        Credential::Basic { username, password } => {
            form.append_pair("grant_type", "password").append_pair("username", username).append_pair("password", password.expose());
        }
    }
    if let Some(service) = &server.service {
        form.append_pair("service", service);
    }
    form.append_pair("client_id", CLIENT_ID);
    if !scopes.is_empty() {
        form.append_pair("scope", &scopes.to_string());
    }
    new_request(Method::POST, server).content("application/x-www-form-urlencoded", Bytes::from(form.finish()))
}

fn new_request(method: Method, server: &TokenServer) -> Request {
    Request::new(method, server.realm.clone()).header(ACCEPT, "application/json").limit(SMALL_LIMIT).stays()
}

/// What the token server's answer means.
fn read(wire: &Wire, answer: &Answer, scopes: &Scopes, credential: Option<&Credential>) -> Result<Fetched> {
    let host = super::origin::shown(&answer.url);
    let status = answer.status.as_u16();
    let refused = |kind, why: String| Ok(Err(Refusal { kind, status, why }));
    let failed = |kind, why: String| Err(Error::new(kind, "sign in to", &wire.settings.name).answered(status, None).because(why));
    match status {
        200..=299 => {}
        401 if credential.is_some() => return refused(ErrorKind::CredentialRefused, format!("{host} refused the credential")),
        401 => return refused(ErrorKind::CredentialMissing, format!("{host} gives no token without a credential")),
        403 => return refused(ErrorKind::Denied, format!("{host} gives no token for `{scopes}`")),
        // OAuth2 says "this refresh token is no good" with 400.
        400 if oauth2_error(&answer.body).as_deref() == Some("invalid_grant") => {
            return refused(ErrorKind::CredentialRefused, format!("{host} refused the credential"));
        }
        429 => return failed(ErrorKind::RateLimited, format!("{host} is asked for too many tokens")),
        500..=599 => return failed(ErrorKind::Unreachable, format!("the token server {host} answered {status}")),
        _ => return refused(ErrorKind::Protocol, format!("the token server {host} answered {status} for `{scopes}`")),
    }
    match token_of(&answer.body, DEFAULT_LIFETIME) {
        Some(token) => Ok(Ok(token)),
        None => failed(ErrorKind::Protocol, format!("{host} answered without a token")),
    }
}

fn oauth2_error(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(value.get("error")?.as_str()?.to_owned())
}

/// The header made of the token in an answer, and how long it lasts; `otherwise` when the answer doesn't say.
pub(super) fn token_of(body: &[u8], otherwise: Duration) -> Option<(HeaderValue, Duration)> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = |key: &str| value.get(key).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty());
    let header = bearer(&Secret::new(text("token").or_else(|| text("access_token"))?))?;
    let seconds = value.get("expires_in").and_then(|number| number.as_u64().or_else(|| number.as_str()?.parse().ok()));
    let lifetime = seconds.map_or(otherwise, Duration::from_secs).clamp(DEFAULT_LIFETIME, MAX_LIFETIME);
    Some((header, lifetime))
}

/// `Bearer …`; `None` when the token can't stand in a header.
pub(super) fn bearer(token: &Secret) -> Option<HeaderValue> {
    sensitive(Secret::new(format!("Bearer {}", token.expose())))
}

/// `Basic …`
pub(super) fn basic(username: &str, password: &Secret) -> HeaderValue {
    let pair = Secret::new(format!("{username}:{}", password.expose()));
    sensitive(Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))).expect("base64 fits a header")
}

/// A header that `Debug` doesn't show.
pub(super) fn sensitive(text: Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text.expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn answers_of_token_servers() {
        for (body, expected) in [
            (r#"{"token":"abc"}"#, Some(("Bearer abc", 60))),
            (r#"{"access_token":"abc","expires_in":300}"#, Some(("Bearer abc", 300))),
            (r#"{"token":"","access_token":"abc","expires_in":5}"#, Some(("Bearer abc", 60))),
            (r#"{"token":"abc","access_token":"def","expires_in":"900"}"#, Some(("Bearer abc", 900))),
            (r#"{"token":"abc","expires_in":-1,"issued_at":"2015-01-01T00:00:00Z"}"#, Some(("Bearer abc", 60))),
            (r#"{"token":"abc","expires_in":18446744073709551615}"#, Some(("Bearer abc", 86400))),
            (r#"{"token":"a\nb"}"#, None),
            (r#"{"token":7}"#, None),
            (r#"{}"#, None),
            ("<html>", None),
        ] {
            let read = token_of(body.as_bytes(), DEFAULT_LIFETIME);
            let read = read.as_ref().map(|(header, lifetime)| (header.to_str().unwrap(), lifetime.as_secs()));
            assert_eq!(read, expected, "{body}");
        }
    }

    #[test]
    fn questions() {
        let server = TokenServer { realm: "https://a/t?x=1".parse().unwrap(), service: Some("r".into()) };
        let scopes = Scopes::parse("repository:a:pull repository:b:pull,push");
        let credential = Credential::Basic { username: "alice".into(), password: Secret::new("pa:ss&") };
        let (get, header) = by_get(&server, &scopes, Some(&credential));
        assert_eq!(
            get.url.as_str(),
            "https://a/t?x=1&service=r&scope=repository%3Aa%3Apull&scope=repository%3Ab%3Apull%2Cpush&client_id=regctl&account=alice"
        );
        assert_eq!(header.unwrap().to_str().unwrap(), format!("Basic {}", STANDARD.encode("alice:pa:ss&")));
        let post = by_post(&server, &scopes, &Credential::IdentityToken(Secret::new("id&tok")));
        assert_eq!(
            post.body,
            "grant_type=refresh_token&refresh_token=id%26tok&service=r&client_id=regctl&scope=repository%3Aa%3Apull+repository%3Ab%3Apull%2Cpush"
        );
    }

    #[test]
    fn headers_hide_their_value() {
        let header = basic("alice", &Secret::new("s3cr3t-canary"));
        assert_eq!(format!("{header:?}"), "Sensitive");
    }

    proptest! {
        #[test]
        fn answers_never_panic(token in ".{0,20}", expires in any::<i64>(), bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let answer = serde_json::json!({ "token": token, "expires_in": expires }).to_string();
            if let Some((header, lifetime)) = token_of(answer.as_bytes(), DEFAULT_LIFETIME) {
                prop_assert!(header.as_bytes().starts_with(b"Bearer ") && lifetime >= DEFAULT_LIFETIME && lifetime <= MAX_LIFETIME);
            }
            token_of(&bytes, DEFAULT_LIFETIME);
        }
    }
}
