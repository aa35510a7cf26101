//! Signing in to a vendor's own API, which doesn't challenge as `/v2/` does: how it is done is known beforehand, and is data.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::token::{self, Fetched, Refusal, Slot};
use super::wire::Wire;
use super::{Exchange, Request, SMALL_LIMIT};
use crate::credentials::{Credential, Found, Secret};
use crate::registry::{Error, ErrorKind, Result};

/// How an API is signed in to.
#[derive(Clone)]
pub enum Login {
    /// User name and password with each request.
    Basic,
    /// The password, which is a token, as it is.
    Bearer,
    /// The password, which is a token, in a header of the vendor's.
    Header(HeaderName),
    /// A token that user name and password are exchanged for.
    Call(LoginCall),
    /// A token that something makes of the credential.
    Made(Arc<dyn Exchange>),
    /// Each request is signed with the password.
    Signed(Arc<dyn Sign>),
}

/// How user name and password become a token.
#[derive(Debug, Clone, Copy)]
pub struct LoginCall {
    /// Where, after the API's address.
    pub path: &'static str,
    /// What is posted, as JSON.
    pub document: fn(&str, &Secret) -> serde_json::Value,
    /// How long the token is good for, where the answer doesn't say.
    pub lifetime: Duration,
}

/// Signs requests.
pub trait Sign: Send + Sync {
    /// The headers that prove who sends this.
    ///
    /// # Errors
    /// Why there is no signature, in one clause: the credential isn't of the kind that signs.
    fn sign(&self, credential: &Credential, request: &Unsigned<'_>) -> std::result::Result<HeaderMap, String>;
}

/// What is signed.
pub struct Unsigned<'a> {
    /// The method.
    pub method: &'a str,
    /// The address.
    pub url: &'a url::Url,
    /// The headers so far.
    pub headers: &'a HeaderMap,
    /// The content.
    pub body: &'a [u8],
}

/// A signature that is still to be made.
#[derive(Clone)]
pub(super) struct Signing {
    signer: Arc<dyn Sign>,
    credential: Credential,
}

impl Signing {
    /// The headers that sign `request`.
    pub fn headers(&self, request: &Request) -> std::result::Result<HeaderMap, String> {
        let unsigned =
            Unsigned { method: request.method.as_str(), url: &request.url, headers: &request.headers, body: &request.body };
        self.signer.sign(&self.credential, &unsigned)
    }
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signing")
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Login::Basic => "Basic",
            Login::Bearer => "Bearer",
            Login::Header(_) => "Header",
            Login::Call(_) => "Call",
            Login::Made(_) => "Made",
            Login::Signed(_) => "Signed",
        })
    }
}

/// Which credentials an API takes. Registries know kinds that their makers' APIs don't: robots, deploy tokens.
pub type Takes = Arc<dyn Fn(&Credential) -> Option<Login> + Send + Sync>;

/// The signing in of one client.
pub(super) struct Desk {
    takes: Takes,
    token: Slot,
}

/// What a request carries.
pub(super) struct Pass {
    pub headers: HeaderMap,
    /// For those that are signed.
    pub signing: Option<Signing>,
    pub signed_in: bool,
    /// The exchanged token in it, unless it was got just now.
    pub used: Option<HeaderValue>,
}

impl Desk {
    pub fn new(takes: Takes) -> Desk {
        Desk { takes, token: Slot::default() }
    }

    /// What a request has to carry. `spent` is a token that the API has refused.
    pub async fn pass(&self, wire: &Wire, found: Option<&Found>, spent: Option<&HeaderValue>) -> Result<Pass> {
        let Some(Found { credential, .. }) = found else {
            return Ok(Pass { headers: HeaderMap::new(), signing: None, signed_in: false, used: None });
        };
        let refused = |kind, why: &str| Error::new(kind, "sign in to the API of", &wire.settings.name).because(why.to_owned());
        let login = (self.takes)(credential)
            .ok_or_else(|| refused(ErrorKind::Unsupported, "the vendor's own API doesn't take this kind of credential"))?;
        if let Login::Signed(signer) = login {
            let signing = Signing { signer, credential: credential.clone() };
            return Ok(Pass { headers: HeaderMap::new(), signing: Some(signing), signed_in: true, used: None });
        }
        let mut used = None;
        let headers = match (&login, credential) {
            (Login::Bearer, Credential::RegistryToken(secret) | Credential::IdentityToken(secret))
            | (Login::Bearer, Credential::Basic { password: secret, .. }) => one(AUTHORIZATION, token::bearer(secret)),
            (Login::Made(exchange), credential) => match exchange.exchange(credential).await? {
                Credential::RegistryToken(secret)
                | Credential::IdentityToken(secret)
                | Credential::Basic { password: secret, .. } => one(AUTHORIZATION, token::bearer(&secret)),
            },
            (Login::Basic, Credential::Basic { username, password }) => one(AUTHORIZATION, Some(token::basic(username, password))),
            (Login::Header(name), Credential::Basic { password, .. }) => one(name.clone(), token::sensitive(password.clone())),
            (Login::Call(call), Credential::Basic { username, password }) => {
                let fetch = async || fetch(wire, call, username, password).await;
                let issued = self.token.get(&wire.settings.name, spent, || None, fetch).await?;
                used = (!issued.fresh).then(|| issued.header.clone());
                one(AUTHORIZATION, Some(issued.header))
            }
            _ => return Err(refused(ErrorKind::Unsupported, "the vendor's own API wants a user name and a password or token")),
        };
        if headers.is_empty() {
            return Err(refused(ErrorKind::CredentialRefused, "the stored token has characters that no token has"));
        }
        Ok(Pass { headers, signing: None, signed_in: true, used })
    }
}

fn one(name: HeaderName, value: Option<HeaderValue>) -> HeaderMap {
    value.map(|value| (name, value)).into_iter().collect()
}

async fn fetch(wire: &Wire, call: &LoginCall, username: &str, password: &Secret) -> Result<Fetched> {
    wire.settings.stats.token();
    let url = super::client::under(&wire.settings.base, call.path);
    let host = super::origin::shown(&url);
    let body = Bytes::from((call.document)(username, password).to_string());
    let request = Request::new(Method::POST, url).content("application/json", body).limit(SMALL_LIMIT).stays();
    let answer = wire.send(&request, None).await.map_err(|error| error.on("sign in to the API of", &wire.settings.name))?;
    let status = answer.status.as_u16();
    let failed =
        |kind, why: String| Err(Error::new(kind, "sign in to the API of", &wire.settings.name).answered(status, None).because(why));
    match status {
        200..=299 => match token::token_of(&answer.body, call.lifetime) {
            Some(token) => Ok(Ok(token)),
            None => failed(ErrorKind::Protocol, format!("{host} answered without a token")),
        },
        429 => failed(ErrorKind::RateLimited, format!("{host} is asked for too many tokens")),
        500..=599 => failed(ErrorKind::Unreachable, format!("{host} answered {status}")),
        _ => Ok(Err(Refusal { kind: ErrorKind::CredentialRefused, status, why: format!("{host} refused the credential") })),
    }
}
