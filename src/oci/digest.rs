//! A content digest, `algorithm:encoded` (image-spec 1.1, descriptor.md "Digests").

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha512};

use super::InvalidName;

/// A digest that follows the grammar, so that it can stand in a request path or a file name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    /// Shared, because whoever reads a whole repository holds each digest several times over.
    text: Arc<str>,
    colon: usize,
}

impl Digest {
    /// The SHA-256 digest of `bytes`.
    pub fn sha256(bytes: &[u8]) -> Digest {
        let mut hasher = DigestHasher::sha256();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The part before the colon, such as `sha256`.
    pub fn algorithm(&self) -> &str {
        &self.text[..self.colon]
    }

    /// The part after the colon.
    pub fn encoded(&self) -> &str {
        &self.text[self.colon + 1..]
    }

    /// The first twelve characters of the encoded part, for tables.
    pub fn short(&self) -> &str {
        let encoded = self.encoded();
        &encoded[..encoded.len().min(12)]
    }

    /// The whole digest as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A hasher for this digest's algorithm, or `None` for an algorithm that this program can't compute.
    pub fn hasher(&self) -> Option<DigestHasher> {
        match self.algorithm() {
            "sha256" => Some(DigestHasher::sha256()),
            "sha512" => Some(DigestHasher(Hasher::Sha512(Box::default()))),
            _ => None,
        }
    }

    /// Whether `bytes` have this digest; false when the algorithm is unknown, because nothing was proven then.
    pub fn verifies(&self, bytes: &[u8]) -> bool {
        let is = |hash: &[u8]| {
            let mut text = [0; 2 * 64];
            let text = &mut text[..2 * hash.len()];
            HEXLOWER.encode_mut(hash, text);
            *text == *self.encoded().as_bytes()
        };
        match self.algorithm() {
            "sha256" => is(&Sha256::digest(bytes)),
            "sha512" => is(&Sha512::digest(bytes)),
            _ => false,
        }
    }

    /// The tag of the referrers tag schema, `sha256-<hex>` (distribution-spec 1.1, "Referrers Tag Schema"): algorithm cut to
    /// 32 characters, encoded part to 64.
    pub fn fallback_tag(&self) -> String {
        let cut = |text: &str, length: usize| {
            text.chars()
                .take(length)
                .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' })
                .collect::<String>()
        };
        format!("{}-{}", cut(self.algorithm(), 32), cut(self.encoded(), 64))
    }
}

impl FromStr for Digest {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Digest, InvalidName> {
        let error = |position, reason| InvalidName::new("digest", text, position, reason);
        let colon = text.find(':').ok_or_else(|| error(text.len(), "expected `algorithm:hex`, such as `sha256:…`"))?;
        let mut previous_is_separator = true;
        for (position, c) in text[..colon].char_indices() {
            let separator = matches!(c, '+' | '.' | '_' | '-');
            if !(c.is_ascii_lowercase() || c.is_ascii_digit() || separator) || (separator && previous_is_separator) {
                return Err(error(position, "not a digest algorithm"));
            }
            previous_is_separator = separator;
        }
        if previous_is_separator {
            return Err(error(colon, "the algorithm is missing or ends in a separator"));
        }
        let encoded = &text[colon + 1..];
        let hex_length = match &text[..colon] {
            "sha256" => Some(64),
            "sha384" => Some(96),
            "sha512" => Some(128),
            _ => None,
        };
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let wrong = match hex_length {
            // all at once, which is how processors like it; where it is not, one by one
            Some(_) if encoded.bytes().fold(true, |all, byte| all & is_hex(byte)) => None,
            Some(_) => encoded.bytes().position(|byte| !is_hex(byte)),
            None => encoded.bytes().position(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'=' | b'_' | b'-')),
        };
        if let Some(position) = wrong {
            return Err(error(colon + 1 + position, "not allowed in a digest"));
        }
        match hex_length {
            Some(length) if encoded.len() != length => Err(error(text.len(), "the digest has the wrong length")),
            _ if encoded.is_empty() || encoded.len() > 256 => Err(error(text.len(), "the digest has the wrong length")),
            _ => Ok(Digest { text: text.into(), colon }),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Digest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a digest")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Digest, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Computes a digest piece by piece.
pub struct DigestHasher(Hasher);

enum Hasher {
    Sha256(Box<Sha256>),
    Sha512(Box<Sha512>),
}

impl DigestHasher {
    /// A hasher for `sha256:`, the algorithm that every registry knows.
    pub fn sha256() -> DigestHasher {
        DigestHasher(Hasher::Sha256(Box::default()))
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of all bytes taken in.
    pub fn finish(self) -> Digest {
        let written = |algorithm: &str, hash: &[u8]| {
            let mut text = String::with_capacity(algorithm.len() + 1 + 2 * hash.len());
            text.push_str(algorithm);
            text.push(':');
            HEXLOWER.encode_append(hash, &mut text);
            Digest { text: text.into(), colon: algorithm.len() }
        };
        match self.0 {
            Hasher::Sha256(hasher) => written("sha256", &hasher.finalize()),
            Hasher::Sha512(hasher) => written("sha512", &hasher.finalize()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digest() {
        assert_eq!(Digest::sha256(b"{}").as_str(), "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    }

    #[test]
    fn grammar() {
        let hex = "a".repeat(64);
        for good in [format!("sha256:{hex}"), format!("sha512:{hex}{hex}"), "multihash+base58:QmRZ".into()] {
            assert_eq!(good.parse::<Digest>().unwrap().to_string(), good);
        }
        for bad in [
            "".to_owned(),
            "sha256".into(),
            "sha256:".into(),
            ":abc".into(),
            format!("sha256:{}", "A".repeat(64)),
            format!("sha256:{}", "a".repeat(63)),
            format!("sha256:../{}", "a".repeat(61)),
            format!("SHA256:{hex}"),
            "a..b:c".into(),
            "a+:c".into(),
            "x:a/b".into(),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn verifies_only_what_it_can_compute() {
        assert!(Digest::sha256(b"x").verifies(b"x"));
        assert!(!Digest::sha256(b"x").verifies(b"y"));
        assert!(!"blake3:abc".parse::<Digest>().unwrap().verifies(b"x"));
    }
}
