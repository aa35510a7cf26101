//! The bytes of the encrypted file: pure functions between a map of secrets and JSON.

use std::collections::BTreeMap;
use std::io;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Secrets;
use crate::credentials::Secret;

/// What `format` says.
const FORMAT: &str = "regctl-vault";

/// The format version that is written, and the highest that is read.
pub(super) const VERSION: u64 = 1;

const ALGORITHM: &str = "argon2id";
const SALT: usize = 16;
const NONCE: usize = 24;
const KEY: usize = 32;
const CHECK: usize = 16;

/// What is wrong with a file.
#[derive(Debug)]
pub(super) enum Flaw {
    Damaged(&'static str),
    Newer(u64),
    WrongPassphrase,
}

/// What guessing a passphrase costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// 64 MiB and three passes: the second recommendation of RFC 9106, with one lane; about a tenth of a second.
    pub(super) const DEFAULT: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 1 };

    /// The most that a file may ask for: a changed one must not exhaust the machine.
    const MAX: Cost = Cost { memory_kib: 256 * 1024, passes: 16, lanes: 4 };

    /// For tests of anything but the cost.
    #[cfg(test)]
    pub(super) const CHEAPEST: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

    fn is_bearable(self) -> bool {
        self.memory_kib <= Cost::MAX.memory_kib && self.passes <= Cost::MAX.passes && self.lanes <= Cost::MAX.lanes
    }
}

#[derive(Serialize, Deserialize)]
struct Kdf {
    algorithm: String,
    #[serde(flatten)]
    cost: Cost,
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: String,
    version: u64,
    kdf: Kdf,
    salt: String,
    nonce: String,
    check: String,
    content: String,
}

/// What every version has.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u64,
}

/// A file that has the right form.
pub(super) struct Sealed {
    cost: Cost,
    salt: [u8; SALT],
    nonce: [u8; NONCE],
    check: [u8; CHECK],
    content: Vec<u8>,
}

/// Reads the form of a file; needs no passphrase.
pub(super) fn parse(bytes: &[u8]) -> Result<Sealed, Flaw> {
    let head: Head = serde_json::from_slice(bytes).map_err(|_| Flaw::Damaged("it is cut short or not one of ours"))?;
    if head.format != FORMAT {
        return Err(Flaw::Damaged("it is not one of ours"));
    }
    if head.version > VERSION {
        return Err(Flaw::Newer(head.version));
    }
    let document: Document = serde_json::from_slice(bytes).map_err(|_| Flaw::Damaged("a field is missing"))?;
    if document.kdf.algorithm != ALGORITHM || !document.kdf.cost.is_bearable() {
        return Err(Flaw::Damaged("its cost settings are out of range"));
    }
    Ok(Sealed {
        cost: document.kdf.cost,
        salt: exactly(&document.salt)?,
        nonce: exactly(&document.nonce)?,
        check: exactly(&document.check)?,
        content: decode(&document.content)?,
    })
}

impl Sealed {
    /// Decrypts.
    pub(super) fn open(&self, passphrase: &Secret) -> Result<Secrets, Flaw> {
        let derived =
            Derived::new(passphrase, &self.salt, self.cost).map_err(|_| Flaw::Damaged("its cost settings are out of range"))?;
        if derived.check() != self.check {
            return Err(Flaw::WrongPassphrase);
        }
        let aad = covered(self.cost);
        let payload = Payload { msg: &self.content, aad: aad.as_bytes() };
        let plain = derived.cipher().decrypt(&XNonce::from(self.nonce), payload).map(Zeroizing::new);
        let plain = plain.map_err(|_| Flaw::Damaged("its content was changed"))?;
        serde_json::from_slice(&plain).map_err(|_| Flaw::Damaged("its content has another form"))
    }
}

/// Encrypts, with a new salt and nonce.
pub(super) fn seal(secrets: &Secrets, passphrase: &Secret, cost: Cost) -> io::Result<Vec<u8>> {
    let (mut salt, mut nonce) = ([0; SALT], [0; NONCE]);
    getrandom::fill(&mut salt)?;
    getrandom::fill(&mut nonce)?;
    let derived = Derived::new(passphrase, &salt, cost).map_err(|error| io::Error::other(error.to_string()))?;
    let exposed: BTreeMap<&str, &str> = secrets.iter().map(|(account, secret)| (account.as_str(), secret.expose())).collect();
    let plain = Zeroizing::new(serde_json::to_vec(&exposed)?);
    let aad = covered(cost);
    let payload = Payload { msg: &plain, aad: aad.as_bytes() };
    let content = derived.cipher().encrypt(&XNonce::from(nonce), payload).map_err(|_| io::Error::other("too much to encrypt"))?;
    let document = Document {
        format: FORMAT.to_owned(),
        version: VERSION,
        kdf: Kdf { algorithm: ALGORITHM.to_owned(), cost },
        salt: BASE64.encode(salt),
        nonce: BASE64.encode(nonce),
        check: BASE64.encode(derived.check()),
        content: BASE64.encode(content),
    };
    let mut bytes = serde_json::to_vec_pretty(&document)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// What is protected from change without being secret.
fn covered(cost: Cost) -> String {
    format!("{FORMAT} {VERSION} {ALGORITHM} {} {} {}", cost.memory_kib, cost.passes, cost.lanes)
}

/// What comes of a passphrase: the key, and behind it the check value. Neither tells anything of the other.
struct Derived(Zeroizing<[u8; KEY + CHECK]>);

impl Derived {
    fn new(passphrase: &Secret, salt: &[u8; SALT], cost: Cost) -> Result<Derived, argon2::Error> {
        let mut derived = Derived(Zeroizing::new([0; KEY + CHECK]));
        let parameters = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(KEY + CHECK))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
        argon2.hash_password_into(passphrase.expose().as_bytes(), salt, &mut derived.0[..])?;
        Ok(derived)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new_from_slice(&self.0[..KEY]).expect("the key has the right length")
    }

    fn check(&self) -> [u8; CHECK] {
        self.0[KEY..].try_into().expect("the check value has the right length")
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Flaw> {
    BASE64.decode(text).map_err(|_| Flaw::Damaged("a field is not base64"))
}

fn exactly<const N: usize>(text: &str) -> Result<[u8; N], Flaw> {
    decode(text)?.try_into().map_err(|_| Flaw::Damaged("a field has the wrong length"))
}
