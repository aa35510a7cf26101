//! Who may do what: nobody is asked, user and password, or tokens from a token server of our own at `/token` (distribution's token
//! specification, GET and OAuth2 POST).

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Method, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use url::form_urlencoded;

use super::answer::{self, Answer};
use super::route::Route;
use crate::oci::Digest;

/// Name of this service in challenges.
const SERVICE: &str = "regctl-serve";
/// How long a token lives unless a behaviour says otherwise: what distribution's clients assume when nothing is said is 60 s, most
/// servers say 300.
pub(super) const TOKEN_LIFETIME: Duration = Duration::from_secs(300);
/// Tokens that are remembered; the expired go first, and a sandbox never has more.
const MOST_TOKENS: usize = 10_000;

/// Whom the registry lets in.
#[derive(Clone, Default)]
pub enum Auth {
    /// Everybody.
    #[default]
    Open,
    /// Whoever sends user and password with each request.
    Basic(Account),
    /// Whoever has a token from `/token`, which gives them to this account.
    Token(Account),
    /// The same, and anonymous tokens for pulling.
    PublicToken(Account),
}

/// The one account of the sandbox.
#[derive(Clone)]
pub struct Account {
    username: String,
    password: String,
}

impl Account {
    /// An account with this name and password.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Account {
        Account { username: username.into(), password: password.into() }
    }

    /// Compares digests, so that the time it takes tells nothing of the password.
    fn is(&self, username: &str, password: &str) -> bool {
        Digest::sha256(self.password.as_bytes()) == Digest::sha256(password.as_bytes()) && self.username == username
    }

    fn signed_in(&self, headers: &HeaderMap) -> bool {
        let basic = value_of(headers, "Basic").and_then(|value| STANDARD.decode(value).ok());
        let text = basic.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        text.split_once(':').is_some_and(|(username, password)| self.is(username, password))
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("username", &self.username).finish_non_exhaustive()
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Auth::Open => f.write_str("Open"),
            Auth::Basic(account) => f.debug_tuple("Basic").field(account).finish(),
            Auth::Token(account) => f.debug_tuple("Token").field(account).finish(),
            Auth::PublicToken(account) => f.debug_tuple("PublicToken").field(account).finish(),
        }
    }
}

/// What an access token allows, and until when.
struct Granted {
    scopes: Vec<String>,
    until: Instant,
}

/// What was given out.
#[derive(Default)]
pub(super) struct Tokens {
    access: Mutex<HashMap<String, Granted>>,
    refresh: Mutex<Vec<String>>,
}

/// The gate in front of every endpoint.
pub(super) struct Gate {
    pub auth: Auth,
    /// The token server that challenges name, instead of our own.
    pub realm: Option<String>,
    pub lifetime: Duration,
    pub tokens: Tokens,
}

impl Gate {
    /// The challenge that answers a request, unless it may go through.
    pub fn challenge(&self, method: &Method, headers: &HeaderMap, route: &Route) -> Option<Answer> {
        match &self.auth {
            Auth::Open => None,
            Auth::Basic(account) => (!account.signed_in(headers)).then(|| challenge(&format!("Basic realm=\"{SERVICE}\""))),
            Auth::Token(_) | Auth::PublicToken(_) => {
                let needed = scope(method, route);
                if self.allowed(headers, needed.as_deref()) {
                    return None;
                }
                let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
                let realm = self.realm.clone().unwrap_or_else(|| format!("http://{host}/token"));
                let scope = needed.map(|scope| format!(",scope=\"{scope}\"")).unwrap_or_default();
                Some(challenge(&format!("Bearer realm=\"{realm}\",service=\"{SERVICE}\"{scope}")))
            }
        }
    }

    fn allowed(&self, headers: &HeaderMap, needed: Option<&str>) -> bool {
        let Some(token) = value_of(headers, "Bearer") else { return false };
        let tokens = self.tokens.access.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let Some(granted) = tokens.get(token).filter(|granted| granted.until > Instant::now()) else { return false };
        needed.is_none_or(|needed| covers(&granted.scopes, needed))
    }

    /// Answers `/token`.
    pub fn token(&self, method: &Method, headers: &HeaderMap, parameters: Option<&str>, body: &[u8]) -> Answer {
        let (account, public) = match &self.auth {
            Auth::Token(account) => (account, false),
            Auth::PublicToken(account) => (account, true),
            Auth::Open | Auth::Basic(_) => return answer::empty(StatusCode::NOT_FOUND),
        };
        let text = if method == Method::POST { body } else { parameters.unwrap_or_default().as_bytes() };
        let fields: Vec<(String, String)> = form_urlencoded::parse(text).into_owned().collect();
        let field = |name: &str| fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
        let signed_in = match (method, field("grant_type")) {
            (&Method::GET, _) if headers.contains_key(header::AUTHORIZATION) => account.signed_in(headers),
            (&Method::GET, _) if public => false,
            (&Method::POST, "password") => account.is(field("username"), field("password")),
            (&Method::POST, "refresh_token") => self.knows(field("refresh_token")),
            _ => return refused(),
        };
        let anonymous = method == Method::GET && !headers.contains_key(header::AUTHORIZATION);
        if !signed_in && !anonymous {
            return refused();
        }
        let asked = fields.iter().filter(|(key, _)| key == "scope").flat_map(|(_, value)| value.split_whitespace());
        let scopes: Vec<String> = asked.filter_map(|scope| grant(scope, signed_in)).collect();
        let token = uuid::Uuid::now_v7().simple().to_string();
        let mut tokens = self.tokens.access.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if tokens.len() >= MOST_TOKENS {
            let now = Instant::now();
            tokens.retain(|_, granted| granted.until > now);
        }
        tokens.insert(token.clone(), Granted { scopes, until: Instant::now() + self.lifetime });
        drop(tokens);
        let mut document = json!({ "token": token, "access_token": token, "expires_in": self.lifetime.as_secs() });
        let offline = field("offline_token") == "true" || field("access_type") == "offline";
        if signed_in && offline {
            let refresh = uuid::Uuid::now_v7().simple().to_string();
            document["refresh_token"] = json!(refresh);
            self.tokens.refresh.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(refresh);
        }
        answer::json_body(StatusCode::OK, &document)
    }

    fn knows(&self, refresh: &str) -> bool {
        let known = self.tokens.refresh.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        known.iter().any(|known| known == refresh)
    }
}

/// The value after a scheme in the `Authorization` header.
fn value_of<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (sent, value) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    sent.eq_ignore_ascii_case(scheme).then_some(value.trim())
}

fn challenge(header_value: &str) -> Answer {
    let mut answer = answer::error(401, "UNAUTHORIZED", "authentication required");
    answer::set(&mut answer, header::WWW_AUTHENTICATE, header_value);
    answer
}

fn refused() -> Answer {
    answer::error(401, "UNAUTHORIZED", "incorrect username or password")
}

/// What a request needs.
fn scope(method: &Method, route: &Route) -> Option<String> {
    if *route == Route::Catalog {
        return Some("registry:catalog:*".into());
    }
    let actions = match *method {
        Method::GET | Method::HEAD => "pull",
        Method::DELETE => "delete",
        _ => "pull,push",
    };
    route.repository().map(|repository| format!("repository:{repository}:{actions}"))
}

/// What is granted of a scope that was asked for: everything to the account, pulling to others.
fn grant(scope: &str, signed_in: bool) -> Option<String> {
    if signed_in {
        return Some(scope.to_owned());
    }
    let (resource, actions) = scope.rsplit_once(':')?;
    (resource.starts_with("repository:") && actions.split(',').any(|action| action == "pull")).then(|| format!("{resource}:pull"))
}

/// Whether the granted scopes have all actions of the needed one.
fn covers(granted: &[String], needed: &str) -> bool {
    let Some((resource, actions)) = needed.rsplit_once(':') else { return false };
    let has = |action: &str| {
        let matching = granted.iter().filter_map(|scope| scope.rsplit_once(':')).filter(|(of, _)| *of == resource);
        matching.into_iter().any(|(_, given)| given.split(',').any(|given| given == action || given == "*"))
    };
    actions.split(',').all(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_covered_by_as_much_or_more() {
        for (granted, needed, covered) in [
            (&["repository:a/b:pull,push"][..], "repository:a/b:pull", true),
            (&["repository:a/b:pull"], "repository:a/b:pull,push", false),
            (&["repository:a/b:pull", "repository:a/b:push"], "repository:a/b:pull,push", true),
            (&["repository:a:*"], "repository:a:delete", true),
            (&["repository:a:pull"], "repository:b:pull", false),
            (&["registry:catalog:*"], "registry:catalog:*", true),
            (&[], "registry:catalog:*", false),
        ] {
            let granted: Vec<String> = granted.iter().map(ToString::to_string).collect();
            assert_eq!(covers(&granted, needed), covered, "{granted:?} {needed}");
        }
        assert_eq!(grant("repository:a:pull,push", false).as_deref(), Some("repository:a:pull"));
        assert_eq!(grant("registry:catalog:*", false), None);
    }

    #[test]
    fn a_password_is_never_shown() {
        let auth = Auth::Token(Account::new("alice", "hidden-canary"));
        assert!(!format!("{auth:?}").contains("hidden-canary"));
        assert!(format!("{auth:?}").contains("alice"));
    }
}
