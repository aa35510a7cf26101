//! What a registry shows to someone it doesn't know: the answer to its root without a credential.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::HeaderMap;

use super::Answer;
use super::auth;

/// The answer to a `GET /v2/` that carried no credential.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// The status: 200 where everyone may come in, 401 where not.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// `realm` of the challenge, with what it should be signed in to by.
    pub realm: Option<String>,
    /// `service` of the challenge.
    pub service: Option<String>,
    /// From the first lookup of the name to the answer, TLS included.
    pub took: Duration,
}

impl Greeting {
    pub(super) fn new(answer: Answer, took: Duration) -> Greeting {
        let (realm, service) = auth::shown_challenge(&answer);
        Greeting { status: answer.status, headers: answer.headers, realm, service, took }
    }

    /// A header that is plain text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Who the registry knows us as, once it was signed in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user name; an identity token has none.
    pub username: Option<String>,
    /// Where the credential was found, such as `the system keyring`.
    pub origin: String,
}
