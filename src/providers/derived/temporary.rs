//! A credential that a vendor's API gives for some hours, kept as long as it lasts.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::credentials::Credential;
use crate::registry::{Error, ErrorKind, Result};

/// A new one is asked for this long before the old one ends, so that none ends on its way.
const MARGIN: Duration = Duration::from_secs(300);
/// One is taken to last at least this long, whatever it says: a wrong clock must not make us ask before every request.
pub(super) const LIFETIME_MIN: Duration = Duration::from_secs(600);

/// The one that was given last.
#[derive(Default)]
pub(super) struct Temporary(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Empty,
    Given {
        credential: Credential,
        renew_at: Instant,
    },
    /// What it is asked for with was refused, and will be the next time: why, and what helps.
    Refused(String, Option<String>),
}

impl Temporary {
    /// The credential, which `ask` gives with the time that it lasts. `name` is the registry that it is for.
    pub async fn get(&self, name: &str, ask: impl AsyncFnOnce() -> Result<(Credential, Duration)>) -> Result<Credential> {
        let mut state = self.0.lock().await;
        match &*state {
            State::Given { credential, renew_at } if Instant::now() < *renew_at => return Ok(credential.clone()),
            State::Refused(why, remedy) => {
                let refused = Error::new(ErrorKind::CredentialRefused, "sign in to", name).because(why.clone());
                return Err(match remedy {
                    Some(remedy) => refused.remedy(remedy.clone()),
                    None => refused,
                });
            }
            State::Given { .. } | State::Empty => {}
        }
        match ask().await {
            Ok((credential, lifetime)) => {
                let renew_at = Instant::now() + lifetime.max(LIFETIME_MIN) - MARGIN;
                *state = State::Given { credential: credential.clone(), renew_at };
                Ok(credential)
            }
            Err(error) => {
                if let (ErrorKind::CredentialRefused, Some(why)) = (error.kind(), error.detail()) {
                    *state = State::Refused(why.to_owned(), error.remedies().map(str::to_owned));
                }
                Err(error)
            }
        }
    }
}
