//! Tokens between runs: in the memory of the Linux kernel, which forgets them when they end, and nowhere else. Never on a disk.
//!
//! A cache like any other: where the kernel keeps no keys for us, or has no room, nothing is kept and nothing is said. What is kept is taken
//! for a token only by who would ask for the same one with the same credential, and the registry has the last word: a token that it no
//! longer takes is replaced within the request (see [`auth`](super::auth)).
//!
//! The kernel's names for keys can be read by anyone who may look at `/proc/keys`, so they say only which place of ours it is. Whom a token is
//! for is told by its content, which nobody can read but programs of the same user, and root: a keyed hash, in which the credential is.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::header::HeaderValue;
use sha2::Sha256;
use url::Url;
use zeroize::Zeroizing;

use super::Scopes;
use super::token::TokenServer;
use crate::credentials::Credential;
use crate::oci::Digest;

/// How many tokens are kept at once. A user may have 20,000 bytes of keys in all, and other programs want some of them.
const PLACES: u8 = 4;
/// The longest token that is kept; Docker Hub's have 3,000 bytes.
const LONGEST: usize = 3500;
/// The longest time. In it fall the runs of a script, and not a change of what somebody may do.
const LONGEST_TIME: Duration = Duration::from_secs(600);
/// With less left it is not worth while.
const SHORTEST_TIME: Duration = Duration::from_secs(2);

const SALT: usize = 16;
const MARK: usize = 32;
const UNTIL: usize = 8;

/// What a token was got from, and for.
#[derive(Clone, Copy)]
pub(super) struct Purpose<'a> {
    /// The registry's address: no other is shown the token.
    pub base: &'a Url,
    pub server: &'a TokenServer,
    pub scopes: &'a Scopes,
    pub credential: Option<&'a Credential>,
}

impl Purpose<'_> {
    /// All of it in bytes that nothing else has: each part with its length before it.
    fn bytes(&self) -> Zeroizing<Vec<u8>> {
        let (kind, user, secret) = match self.credential {
            None => ("none", None, ""),
            Some(Credential::Basic { username, password }) => ("basic", Some(username.as_str()), password.expose()),
            Some(Credential::IdentityToken(token)) => ("identity", None, token.expose()),
            Some(Credential::RegistryToken(token)) => ("registry", None, token.expose()),
        };
        let scopes = self.scopes.to_string();
        let parts = [
            self.base.as_str(),
            self.server.realm.as_str(),
            self.server.service.as_deref().unwrap_or_default(),
            &scopes,
            kind,
            user.unwrap_or_default(),
            secret,
        ];
        // as long as it will be, so that no half of it is left behind in memory
        let mut bytes = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum()));
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }

    fn mark(&self, salt: &[u8]) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(salt).expect("a key of any length will do").chain_update(&*self.bytes())
    }
}

/// What is written into the kernel: salt, mark, when it ends, header.
fn sealed(purpose: &Purpose<'_>, salt: [u8; SALT], header: &HeaderValue, until: i64) -> Zeroizing<Vec<u8>> {
    let mut content = Zeroizing::new(Vec::with_capacity(SALT + MARK + UNTIL + header.len()));
    content.extend_from_slice(&salt);
    content.extend_from_slice(&purpose.mark(&salt).finalize().into_bytes());
    content.extend_from_slice(&until.to_le_bytes());
    content.extend_from_slice(header.as_bytes());
    content
}

/// The header and how long it lasts, if it is for this purpose.
fn opened(purpose: &Purpose<'_>, content: &[u8], now: i64) -> Option<(HeaderValue, Duration)> {
    let (salt, rest) = content.split_first_chunk::<SALT>()?;
    let (mark, rest) = rest.split_first_chunk::<MARK>()?;
    let (until, header) = rest.split_first_chunk::<UNTIL>()?;
    purpose.mark(salt).verify_slice(mark).ok()?;
    let left = Duration::from_secs(i64::from_le_bytes(*until).checked_sub(now)?.try_into().ok()?);
    let mut header = HeaderValue::from_bytes(header).ok()?;
    header.set_sensitive(true);
    (SHORTEST_TIME..=LONGEST_TIME).contains(&left).then_some((header, left))
}

#[expect(clippy::disallowed_methods, reason = "a token ends by the real clock")]
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// The tokens that belong with one folder of what is known: two of them share none.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    name: String,
}

impl Kept {
    pub fn beside(folder: &std::path::Path) -> Kept {
        Kept { name: Digest::sha256(folder.as_os_str().as_encoded_bytes()).encoded()[..16].to_owned() }
    }

    fn place(&self, purpose: &Purpose<'_>) -> String {
        // of what is no secret
        let shown = Purpose { credential: None, ..*purpose };
        let number = shown.mark(b"place").finalize().into_bytes()[0] % PLACES;
        self.key(number)
    }

    fn key(&self, number: u8) -> String {
        format!("regctl:token:{}:{number}", self.name)
    }

    /// The token that was kept for this purpose, and how long it lasts.
    pub fn get(&self, purpose: &Purpose<'_>) -> Option<(HeaderValue, Duration)> {
        let content = kernel::read(&self.place(purpose))?;
        opened(purpose, &content, now())
    }

    /// Keeps a token in place of another.
    pub fn keep(&self, purpose: &Purpose<'_>, header: &HeaderValue, lifetime: Duration) {
        let lifetime = lifetime.min(LONGEST_TIME);
        let mut salt = [0; SALT];
        if lifetime < SHORTEST_TIME || header.len() > LONGEST || getrandom::fill(&mut salt).is_err() {
            return;
        }
        let seconds = lifetime.as_secs();
        let content = sealed(purpose, salt, header, now() + seconds as i64);
        kernel::write(&self.place(purpose), &content, seconds as usize);
    }

    /// Forgets them all.
    pub fn forget(&self) {
        (0..PLACES).for_each(|number| kernel::forget(&self.key(number)));
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    use linux_keyutils::{Key, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};
    use zeroize::Zeroizing;

    /// The keyring that all of the user's processes share.
    fn ring() -> Option<KeyRing> {
        // Who has come in by cron, su or a container can find the user's keys and not read them, until they are linked to something of
        // the process's own. That ends with the process and is not handed on to programs that it starts.
        let own = KeyRing::from_special_id(KeyRingIdentifier::Process, true).ok()?;
        own.link_keyring_id(KeyRingIdentifier::User).ok()?;
        KeyRing::from_special_id(KeyRingIdentifier::User, true).ok()
    }

    fn content(key: Key) -> Option<Zeroizing<Vec<u8>>> {
        key.read_to_vec().ok().map(Zeroizing::new)
    }

    pub fn read(name: &str) -> Option<Zeroizing<Vec<u8>>> {
        content(ring()?.search(name).ok()?)
    }

    pub fn write(name: &str, content: &[u8], seconds: usize) {
        let Some(key) = ring().and_then(|ring| ring.add_key(name, content).ok()) else { return };
        let only_ours = KeyPermissionsBuilder::builder().posessor(Permission::ALL).build();
        let done = key.set_timeout(seconds).is_ok() && key.set_perms(only_ours).is_ok();
        if !done || self::content(key).is_none_or(|kept| *kept != content) {
            // nothing is left behind that does not end, or that can't be read
            let _ = key.invalidate();
        }
    }

    pub fn forget(name: &str) {
        if let Some(key) = ring().and_then(|ring| ring.search(name).ok()) {
            let _ = key.invalidate();
        }
    }
}

/// Elsewhere nothing is kept.
#[cfg(not(target_os = "linux"))]
mod kernel {
    use zeroize::Zeroizing;

    pub fn read(_name: &str) -> Option<Zeroizing<Vec<u8>>> {
        None
    }

    pub fn write(_name: &str, _content: &[u8], _seconds: usize) {}

    pub fn forget(_name: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Secret;
    use proptest::prelude::*;

    fn server() -> TokenServer {
        TokenServer { realm: "https://auth.example.com/token".parse().unwrap(), service: Some("r".into()) }
    }

    fn base() -> Url {
        "https://r.example.com".parse().unwrap()
    }

    fn basic(password: &str) -> Credential {
        Credential::new("alice", Secret::new(password))
    }

    const HEADER: HeaderValue = HeaderValue::from_static("Bearer abc");

    #[test]
    fn only_the_same_purpose_opens_it() {
        let (server, scopes, alice) = (server(), Scopes::parse("repository:a:pull"), basic("secret"));
        let base = base();
        let purpose = Purpose { base: &base, server: &server, scopes: &scopes, credential: Some(&alice) };
        let content = sealed(&purpose, [7; SALT], &HEADER, 1100);
        let (header, left) = opened(&purpose, &content, 1000).unwrap();
        assert_eq!((header, left.as_secs()), (HEADER, 100));
        let (moved, more, changed) = (
            TokenServer { realm: "https://auth.example.com/tokens".parse().unwrap(), ..server.clone() },
            Scopes::parse("repository:a:pull,push"),
            basic("changed"),
        );
        let identity = Credential::IdentityToken(Secret::new("secret"));
        let elsewhere: Url = "https://other.example.com".parse().unwrap();
        for other in [
            Purpose { base: &elsewhere, ..purpose },
            Purpose { server: &moved, ..purpose },
            Purpose { scopes: &more, ..purpose },
            Purpose { credential: Some(&changed), ..purpose },
            Purpose { credential: Some(&identity), ..purpose },
            Purpose { credential: None, ..purpose },
        ] {
            assert_eq!(opened(&other, &content, 1000), None);
        }
    }

    #[test]
    fn time_ends_it() {
        let (server, scopes) = (server(), Scopes::default());
        let base = base();
        let purpose = Purpose { base: &base, server: &server, scopes: &scopes, credential: None };
        let content = sealed(&purpose, [7; SALT], &HEADER, 1100);
        for (now, good) in [(1000, true), (1098, true), (1099, false), (1100, false), (9999, false), (0, false), (i64::MIN, false)]
        {
            assert_eq!(opened(&purpose, &content, now).is_some(), good, "{now}");
        }
    }

    #[test]
    fn nothing_readable_is_in_it_but_the_token() {
        let (server, scopes, alice) = (server(), Scopes::parse("repository:a:pull"), basic("canary-of-a-secret"));
        let base = base();
        let purpose = Purpose { base: &base, server: &server, scopes: &scopes, credential: Some(&alice) };
        let content = sealed(&purpose, [7; SALT], &HEADER, 1100);
        assert_eq!(content.len(), SALT + MARK + UNTIL + HEADER.len());
        let kept = Kept::beside(std::path::Path::new("/home/alice/.cache/regctl/sign-in"));
        let place = kept.place(&purpose);
        assert!(place.starts_with("regctl:token:") && place.len() == "regctl:token:".len() + 18, "{place}");
        let other = basic("another");
        assert_eq!(kept.place(&Purpose { credential: Some(&other), ..purpose }), place, "the name tells nothing of the credential");
    }

    proptest! {
        #[test]
        fn anything_may_be_found(content in proptest::collection::vec(any::<u8>(), 0..100), now in any::<i64>()) {
            let (base, server, scopes) = (base(), server(), Scopes::default());
            prop_assert_eq!(opened(&Purpose { base: &base, server: &server, scopes: &scopes, credential: None }, &content, now), None);
        }
    }
}
