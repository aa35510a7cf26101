//! Signing in: which header a request carries, and what follows from a 401.
//!
//! The server's challenge is learnt once and remembered, so that later requests carry their header from the start. When there is a
//! credential, the challenge is asked for before the first request: some registries answer anonymous requests with 200 and show
//! less (regclient#748), and would never ask for the credential on their own. What was learnt in another run saves that question
//! ([`Known`](super::Known)); it holds until the registry or the token server contradicts it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::header::{HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, StatusCode};
use tokio::sync::OnceCell;
use url::Url;

use super::challenge::Challenge;
use super::token::{self, TokenServer, Tokens};
use super::wire::Wire;
use super::{Account, Answer, Request, Scopes, origin};
use crate::credentials::{Credential, Found, Secret, Unavailable};
use crate::registry::{Error, ErrorKind, Result};

/// How the registry wants to be signed in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scheme {
    /// It asked for nothing.
    Open,
    /// User name and password with each request.
    Basic,
    /// A token from this server.
    Bearer(TokenServer),
}

impl Scheme {
    pub fn word(&self) -> &'static str {
        match self {
            Scheme::Open => "none",
            Scheme::Basic => "basic",
            Scheme::Bearer(_) => "bearer",
        }
    }
}

/// What a request carries.
#[derive(Default)]
pub(super) struct Authorization {
    pub header: Option<HeaderValue>,
    /// Whether the credential is in it, or was used to get it.
    pub signed_in: bool,
    /// Whether it is the user name and password themselves.
    basic: bool,
    /// Whether it is a token that a token server gave for [`scopes`](Authorization::scopes).
    issued: bool,
    /// What the token was asked for.
    scopes: Scopes,
    /// Whether its token was got for this request.
    fresh: bool,
    /// Whether its token was got in another run, since when what it is good for may have changed.
    pub recalled: bool,
}

impl Authorization {
    fn basic(username: &str, password: &Secret) -> Authorization {
        Authorization { header: Some(token::basic(username, password)), signed_in: true, basic: true, ..Authorization::default() }
    }
}

#[derive(Default)]
pub(super) struct Auth {
    credential: OnceCell<std::result::Result<Option<Found>, Unavailable>>,
    learning: OnceCell<()>,
    learnt: Mutex<Learnt>,
    tokens: Tokens,
}

#[derive(Default)]
struct Learnt {
    scheme: Option<Scheme>,
    /// Whether it was looked for among what other runs learnt.
    looked_up: bool,
    /// Whether the scheme is from another run, and the registry has not said so in this one.
    recalled: bool,
    /// What the server asked for where we would have asked for something else.
    scopes: HashMap<Scopes, Scopes>,
}

impl Auth {
    fn learnt(&self) -> MutexGuard<'_, Learnt> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the registry wants to be signed in to, if that is known.
    pub fn scheme(&self) -> Option<Scheme> {
        self.learnt().scheme.clone()
    }

    /// The token server that the registry names, if it may be told the credential.
    pub async fn token_server(&self, wire: &Wire, root: &Url) -> Result<Option<Url>> {
        self.learning.get_or_try_init(|| self.learn(wire, root)).await?;
        match self.scheme() {
            Some(Scheme::Bearer(server)) => super::realm::check(&wire.settings, &server.realm, true).map(|()| Some(server.realm)),
            _ => Ok(None),
        }
    }

    /// Takes what another run learnt, once and as long as this one has learnt nothing.
    fn recall(&self, wire: &Wire) {
        let Some(known) = &wire.settings.known else { return };
        let mut learnt = self.learnt();
        if !std::mem::replace(&mut learnt.looked_up, true) && learnt.scheme.is_none() {
            learnt.scheme = known.get(&wire.settings.base);
            learnt.recalled = learnt.scheme.is_some();
        }
    }

    /// Drops what another run learnt, if that is all there is.
    fn drop_recalled(&self, wire: &Wire) {
        let mut learnt = self.learnt();
        if std::mem::take(&mut learnt.recalled) {
            learnt.scheme = None;
            if let Some(known) = &wire.settings.known {
                known.forget(&wire.settings.base);
            }
        }
    }

    /// Learns what the registry said; gives whether it is something new.
    fn learns(&self, wire: &Wire, scheme: Scheme) -> bool {
        let mut learnt = self.learnt();
        learnt.recalled = false;
        let new = learnt.scheme.as_ref() != Some(&scheme);
        if new {
            if let Some(known) = &wire.settings.known {
                known.keep(&wire.settings.base, &scheme);
            }
            learnt.scheme = Some(scheme);
        }
        new
    }

    /// Whose credential is used; `None` when there is none, or nobody has asked for it yet.
    pub fn account(&self) -> Option<Account> {
        let found = self.credential.get()?.as_ref().ok()?.as_ref()?;
        Some(Account { username: found.credential.username().map(str::to_owned), origin: found.origin.clone() })
    }

    pub async fn credential(&self, wire: &Wire) -> Result<Option<&Found>> {
        if !self.credential.initialized() {
            // A registry outside its allow-list is no reason to open a keyring.
            wire.pool.admit(&wire.settings, &wire.settings.base).await?;
        }
        let found = self
            .credential
            .get_or_init(|| async {
                let found = wire.settings.credentials.credential().await;
                match &found {
                    Ok(Some(found)) => tracing::info!("credential for {} from {}", wire.settings.name, found.origin),
                    Ok(None) => tracing::info!("no credential for {}, asking as anyone", wire.settings.name),
                    Err(_) => {}
                }
                found
            })
            .await;
        match found {
            Ok(found) => Ok(found.as_ref()),
            Err(unavailable) => Err(Error::new(ErrorKind::CredentialUnavailable, "sign in to", &wire.settings.name)
                .because(unavailable.message.clone())
                .caused_by(unavailable.clone())),
        }
    }

    /// The credential to send, which for some registries is made of the one that is kept.
    pub async fn usable(&self, wire: &Wire) -> Result<Option<Credential>> {
        match (self.credential(wire).await?, &wire.settings.exchange) {
            (None, _) => Ok(None),
            (Some(found), None) => Ok(Some(found.credential.clone())),
            (Some(found), Some(exchange)) => exchange.exchange(&found.credential).await.map(Some),
        }
    }

    /// What `request` should carry, as far as is known.
    pub async fn authorize(&self, wire: &Wire, request: &Request, root: &Url) -> Result<Authorization> {
        let usable = self.usable(wire).await?;
        let found = usable.as_ref();
        self.recall(wire);
        if found.is_some() && request.url != *root {
            self.learning.get_or_try_init(|| self.learn(wire, root)).await?;
        }
        if let Some(Credential::RegistryToken(token)) = found {
            return self.ready_token(wire, token);
        }
        let recalled = self.learnt().recalled;
        match self.as_learnt(wire, request, found).await {
            // the token server may be another by now
            Err(_) if recalled => {
                self.drop_recalled(wire);
                self.learn(wire, root).await?;
                self.as_learnt(wire, request, found).await
            }
            result => result,
        }
    }

    /// What `request` should carry by what was learnt.
    async fn as_learnt(&self, wire: &Wire, request: &Request, found: Option<&Credential>) -> Result<Authorization> {
        let (scheme, mapped) = {
            let learnt = self.learnt();
            (learnt.scheme.clone(), learnt.scopes.get(&request.scopes).cloned())
        };
        match scheme {
            None => Ok(Authorization::default()),
            // A server that asks nobody may still show more to those who say who they are.
            Some(Scheme::Open | Scheme::Basic) => match found {
                Some(Credential::Basic { username, password }) => Ok(Authorization::basic(username, password)),
                _ => Ok(Authorization::default()),
            },
            Some(Scheme::Bearer(server)) => {
                let scopes = mapped.unwrap_or_else(|| request.scopes.clone());
                self.token(wire, &server, scopes, found, None).await
            }
        }
    }

    /// What to send instead after a 401, or after a 403 to a token of another run; `None` when there is nothing better to send.
    pub async fn renew(
        &self,
        wire: &Wire,
        request: &Request,
        sent: &Authorization,
        answer: &Answer,
    ) -> Result<Option<Authorization>> {
        let usable = self.usable(wire).await?;
        let found = usable.as_ref();
        if matches!(found, Some(Credential::RegistryToken(_))) {
            return Ok(None);
        }
        let Some((scheme, asked)) = read_challenge(wire, answer) else {
            return match self.scheme() {
                Some(Scheme::Bearer(server)) if sent.recalled => {
                    self.token(wire, &server, sent.scopes.clone(), found, sent.header.as_ref()).await.map(Some)
                }
                _ => Ok(None),
            };
        };
        let new = self.learns(wire, scheme.clone());
        let server = match scheme {
            Scheme::Bearer(server) => server,
            Scheme::Open | Scheme::Basic => {
                return match found {
                    // The same header again would get the same answer.
                    Some(Credential::Basic { username, password }) if !sent.basic => {
                        Ok(Some(Authorization::basic(username, password)))
                    }
                    Some(Credential::IdentityToken(_)) => {
                        Err(Error::new(ErrorKind::CredentialRefused, "sign in to", &wire.settings.name)
                            .because("it wants a user name and a password, and there is only an identity token"))
                    }
                    _ => Ok(None),
                };
            }
        };
        let scopes = if asked.is_empty() { request.scopes.clone() } else { asked };
        if scopes != request.scopes {
            self.learnt().scopes.insert(request.scopes.clone(), scopes.clone());
        }
        if sent.fresh && sent.scopes == scopes && !new {
            return Ok(None);
        }
        self.token(wire, &server, scopes, found, sent.header.as_ref()).await.map(Some)
    }

    async fn token(
        &self,
        wire: &Wire,
        server: &TokenServer,
        scopes: Scopes,
        found: Option<&Credential>,
        spent: Option<&HeaderValue>,
    ) -> Result<Authorization> {
        let issued = self.tokens.get(wire, server, &scopes, found, spent).await?;
        Ok(Authorization {
            header: Some(issued.header),
            signed_in: found.is_some(),
            basic: false,
            issued: true,
            scopes,
            fresh: issued.fresh,
            recalled: issued.recalled,
        })
    }

    fn ready_token(&self, wire: &Wire, token: &Secret) -> Result<Authorization> {
        let header = token::bearer(token).ok_or_else(|| {
            Error::new(ErrorKind::CredentialRefused, "sign in to", &wire.settings.name)
                .because("the stored token has characters that no token has")
        })?;
        Ok(Authorization { header: Some(header), signed_in: true, ..Authorization::default() })
    }

    /// Asks the registry's root how it wants to be signed in to.
    async fn learn(&self, wire: &Wire, root: &Url) -> Result<()> {
        if self.learnt().scheme.is_some() {
            return Ok(());
        }
        // rare, and large: in a box it makes each request lighter
        let answer = Box::pin(wire.send(&Request::new(Method::GET, root.clone()), None)).await?;
        self.saw(wire, &answer);
        Ok(())
    }

    /// Remembers what the answer to an unsigned request for the root says of signing in. Whoever it was redirected to has no say.
    pub fn saw(&self, wire: &Wire, answer: &Answer) {
        if !origin::same_origin(&wire.settings.base, &answer.url) {
            return;
        }
        let scheme = match answer.status {
            StatusCode::UNAUTHORIZED => read_challenge(wire, answer).map(|(scheme, _)| scheme),
            status if status.is_success() => Some(Scheme::Open),
            _ => None,
        };
        let unknown = {
            let learnt = self.learnt();
            learnt.scheme.is_none() || learnt.recalled
        };
        if let Some(scheme) = scheme.filter(|_| unknown) {
            self.learns(wire, scheme);
        }
    }
}

/// The challenge to follow: Bearer before Basic, because a token is worth less than a password.
fn read_challenge(wire: &Wire, answer: &Answer) -> Option<(Scheme, Scopes)> {
    let all = challenges(answer);
    let bearer = all.iter().filter(|challenge| challenge.scheme == "bearer").find_map(|challenge| {
        let mut realm = wire.settings.base.join(challenge.param("realm")?).ok()?;
        origin::forget_user(&mut realm);
        let service = challenge.param("service").filter(|service| !service.is_empty()).map(str::to_owned);
        let scopes = Scopes::parse(challenge.param("scope").unwrap_or_default());
        Some((Scheme::Bearer(TokenServer { realm, service }), scopes))
    });
    bearer.or_else(|| all.iter().any(|challenge| challenge.scheme == "basic").then(|| (Scheme::Basic, Scopes::default())))
}

/// Realm and service of the challenge that would be followed, as the server wrote them.
pub(super) fn shown_challenge(answer: &Answer) -> (Option<String>, Option<String>) {
    let all = challenges(answer);
    let of = |scheme: &str| all.iter().find(|challenge| challenge.scheme == scheme);
    let param = |name: &str| of("bearer").or_else(|| of("basic")).and_then(|challenge| challenge.param(name)).map(str::to_owned);
    (param("realm"), param("service"))
}

/// The scopes that are missing, if that is why the request was refused. A server may say so; and where the token server took the
/// credential and the registry still says 401, it can't be anything else (hub-feedback#2094, docker_auth#201).
pub(super) fn missing_scopes(answer: &Answer, sent: &Authorization, request: &Request) -> Option<Scopes> {
    let all = challenges(answer);
    let error = all.iter().find_map(|challenge| challenge.param("error"));
    let by_exclusion = answer.status == StatusCode::UNAUTHORIZED && sent.issued && sent.signed_in && error.is_none();
    if error != Some("insufficient_scope") && !by_exclusion {
        return None;
    }
    let named = all.iter().find_map(|challenge| challenge.param("scope")).map(Scopes::parse).unwrap_or_default();
    Some(if named.is_empty() { request.scopes.clone() } else { named })
}

fn challenges(answer: &Answer) -> Vec<Challenge> {
    Challenge::read(answer.headers.get_all(WWW_AUTHENTICATE).iter().map(HeaderValue::as_bytes))
}
