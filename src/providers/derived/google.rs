//! The access token for Google's APIs: asked of Google with an assertion that a service account's key signs (Google, "Using OAuth 2.0 for Server
//! to Server Applications"; RFC 7523), and good for an hour. The registry takes the key as it is; the API beside it doesn't.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::temporary::Temporary;
use crate::credentials::{Credential, Secret};
use crate::distribution::clean;
use crate::registry::{Error, ErrorKind, Result};
use crate::transport::{Answer, Client, Exchange, Method, rs256};

const SIGN_IN: &str = "sign in to the API of";
/// The user name that goes with a service account's key, which is the password as the file has it.
const JSON_KEY: &str = "_json_key";
/// The same, where the password is the file in base64.
const JSON_KEY_BASE64: &str = "_json_key_base64";
/// Where Google gives tokens: today's address, and those of older keys.
const TOKEN_SERVERS: [&str; 3] = [
    "https://oauth2.googleapis.com/token",
    "https://accounts.google.com/o/oauth2/token",
    "https://www.googleapis.com/oauth2/v4/token",
];
/// What a token is asked for: all that the account may. Google's registry has no narrower word that includes deleting.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// As long as Google takes an assertion, in seconds.
const ASSERTION_LIFETIME: i64 = 3600;
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Whether this user name goes with a service account's key.
pub(in crate::providers) fn is_json_key(username: &str) -> bool {
    matches!(username, JSON_KEY | JSON_KEY_BASE64)
}

pub(in crate::providers) struct GoogleToken {
    client: Client,
    /// Where the entry says that the API is, which may give tokens too.
    api: Option<Url>,
    temporary: Temporary,
}

/// The file of a key, as far as it is needed.
#[derive(Deserialize)]
struct Key {
    client_email: String,
    private_key: Secret,
    private_key_id: Option<String>,
    token_uri: Option<Url>,
}

#[derive(Deserialize)]
struct Token {
    access_token: Secret,
    /// In seconds.
    expires_in: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    error: String,
    error_description: String,
}

impl GoogleToken {
    /// The tokens for the registry that `client` is for, whose API is at `api` if the entry says so.
    pub fn new(client: &Client, api: Option<&Url>) -> GoogleToken {
        GoogleToken { client: client.anonymous(), api: api.cloned(), temporary: Temporary::default() }
    }

    fn error(&self, kind: ErrorKind, why: impl Into<String>) -> Error {
        Error::new(kind, SIGN_IN, self.client.name()).because(why)
    }

    async fn ask(&self, username: &str, password: &Secret) -> Result<(Credential, Duration)> {
        let unusable = |why: &str| {
            self.error(ErrorKind::CredentialRefused, why)
                .remedy("the password of _json_key is the whole file that `gcloud iam service-accounts keys create` writes")
        };
        let key = read(username, password).ok_or_else(|| unusable("the password is not the file of a service account's key"))?;
        let server = self.server(&key)?;
        #[expect(clippy::disallowed_methods, reason = "Google compares the time of an assertion with its own clock")]
        let now = Timestamp::now();
        let assertion = assertion(&key, &server, now).ok_or_else(|| unusable("the private key in it can't be read"))?;
        let body = Serializer::new(String::new()).append_pair("grant_type", GRANT).append_pair("assertion", &assertion).finish();
        let request = self.client.request_at(Method::POST, server.clone());
        let request = request.content("application/x-www-form-urlencoded", body.into()).repeatable();
        let answer = self.client.send(request).await.map_err(|error| error.on(SIGN_IN, self.client.name()))?;
        if !answer.status.is_success() {
            return Err(self.refusal(&key, &answer));
        }
        let token: Token = serde_json::from_slice(&answer.body)
            .map_err(|_| self.error(ErrorKind::Protocol, format!("{} answered without a token", server.authority())))?;
        let lifetime = Duration::from_secs(token.expires_in.unwrap_or(ASSERTION_LIFETIME as u64).min(ASSERTION_LIFETIME as u64));
        Ok((Credential::RegistryToken(token.access_token), lifetime))
    }

    /// Where the key says that tokens are given, if that is Google or beside the API of the entry: whoever gets an assertion can act as the
    /// account for an hour.
    fn server(&self, key: &Key) -> Result<Url> {
        let usual = || TOKEN_SERVERS[0].parse().expect("the constant is an address");
        let server = key.token_uri.clone().unwrap_or_else(usual);
        let is_known = TOKEN_SERVERS.contains(&server.as_str());
        let is_beside = self.api.as_ref().is_some_and(|api| api.origin() == server.origin());
        match is_known || is_beside {
            true => Ok(server),
            false => Err(self.error(
                ErrorKind::Unsupported,
                format!("the key says that tokens are given at {}, which is not Google", clean(server.authority())),
            )),
        }
    }

    fn refusal(&self, key: &Key, answer: &Answer) -> Error {
        let status = answer.status.as_u16();
        let said: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
        let kind = match (said.error.as_str(), status) {
            ("invalid_grant" | "invalid_client" | "unauthorized_client", _) => ErrorKind::CredentialRefused,
            (_, 429) => ErrorKind::RateLimited,
            (_, 500..) => ErrorKind::Unreachable,
            _ => ErrorKind::Protocol,
        };
        let account = clean(&key.client_email);
        let why = format!("Google gives {account} no token ({}: {})", clean(&said.error), clean(&said.error_description));
        self.error(kind, why).answered(status, Some(clean(&said.error)).filter(|code| !code.is_empty()))
    }
}

#[async_trait]
impl Exchange for GoogleToken {
    async fn exchange(&self, kept: &Credential) -> Result<Credential> {
        match kept {
            Credential::Basic { username, password } if is_json_key(username) => {
                self.temporary.get(self.client.name(), async || self.ask(username, password).await).await
            }
            _ => Ok(kept.clone()),
        }
    }
}

fn read(username: &str, password: &Secret) -> Option<Key> {
    let text = match username {
        JSON_KEY_BASE64 => Zeroizing::new(STANDARD.decode(password.expose().trim()).ok()?),
        _ => Zeroizing::new(password.expose().as_bytes().to_vec()),
    };
    serde_json::from_slice(&text).ok()
}

/// What the key signs, with the signature (RFC 7519, RS256).
fn assertion(key: &Key, server: &Url, now: Timestamp) -> Option<String> {
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": key.private_key_id });
    let claims = json!({
        "iss": key.client_email, "scope": SCOPE, "aud": server.as_str(),
        "iat": now.as_second(), "exp": now.as_second() + ASSERTION_LIFETIME,
    });
    let encoded = |document: serde_json::Value| URL_SAFE_NO_PAD.encode(document.to_string());
    let text = format!("{}.{}", encoded(header), encoded(claims));
    let signature = rs256(&key.private_key, text.as_bytes())?;
    Some(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Settings;
    use data_encoding::HEXLOWER;
    use sha2::{Digest as _, Sha256};

    /// Made for these tests; no account has it.
    const FILE: &str = include_str!("../../../tests/fixtures/gar/service-account.json");

    fn key() -> Key {
        read(JSON_KEY, &Secret::new(FILE)).unwrap()
    }

    /// What `printf regctl | openssl dgst -sha256 -sign KEY | sha256sum` says.
    #[test]
    fn signatures_are_those_of_openssl() {
        let signature = rs256(&key().private_key, b"regctl").unwrap();
        assert_eq!(HEXLOWER.encode(&Sha256::digest(signature)), "74929e8925cdba5e0d58e823a7e1879752cc7bb0ff0e3e9f91232837f803d957");
    }

    #[test]
    fn what_is_asserted() {
        let server: Url = TOKEN_SERVERS[0].parse().unwrap();
        let text = assertion(&key(), &server, "2026-11-21T00:00:00Z".parse().unwrap()).unwrap();
        let parts: Vec<Vec<u8>> = text.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
        assert_eq!(
            String::from_utf8_lossy(&parts[0]),
            r#"{"alg":"RS256","typ":"JWT","kid":"0000000000000000000000000000000000000000"}"#
        );
        assert_eq!(
            String::from_utf8_lossy(&parts[1]),
            r#"{"iss":"ci@acme.iam.example","scope":"https://www.googleapis.com/auth/cloud-platform","aud":"https://oauth2.googleapis.com/token","iat":1795219200,"exp":1795222800}"#
        );
        assert_eq!(parts[2].len(), 256);
    }

    #[test]
    fn what_is_no_key() {
        assert!(read(JSON_KEY_BASE64, &Secret::new(STANDARD.encode(FILE))).is_some());
        for (username, password) in [(JSON_KEY, "password"), (JSON_KEY, "{}"), (JSON_KEY_BASE64, FILE), (JSON_KEY_BASE64, "")] {
            assert!(read(username, &Secret::new(password)).is_none(), "{username}");
        }
        for text in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "nonsense"] {
            assert!(rs256(&Secret::new(text), b"x").is_none(), "{text}");
        }
    }

    /// Whoever gets an assertion can act as the account.
    #[test]
    fn where_tokens_are_asked_for() {
        let client = Client::new(Settings::new("prod", "https://europe-docker.pkg.dev".parse().unwrap()));
        for (api, uri, asked) in [
            (None, "https://oauth2.googleapis.com/token", true),
            (None, "https://accounts.google.com/o/oauth2/token", true),
            (None, "https://oauth2.googleapis.com.evil.example/token", false),
            (None, "http://oauth2.googleapis.com/token", false),
            (None, "https://oauth2.googleapis.com/other", false),
            (Some("https://google.example/api"), "https://google.example/token", true),
            (Some("https://google.example/api"), "http://google.example/token", false),
            (Some("https://google.example/api"), "https://evil.example/token", false),
        ] {
            let api: Option<Url> = api.map(|api| api.parse().unwrap());
            let token = GoogleToken::new(&client, api.as_ref());
            let key = Key { token_uri: Some(uri.parse().unwrap()), ..key() };
            assert_eq!(token.server(&key).is_ok(), asked, "{api:?} {uri}");
        }
    }
}
