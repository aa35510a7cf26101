//! What the digest of a signed schema 1 manifest is of (Docker image manifest version 2, schema 1, "Signed Manifests").
//!
//! The signatures stand inside the document; the digest is of the document without them, whose exact bytes each signature describes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

#[derive(Deserialize)]
struct Signed {
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    protected: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Protected {
    format_length: usize,
    format_tail: String,
}

/// The bytes that were signed; `None` when `bytes` are not a signed manifest.
pub(super) fn payload(bytes: &[u8]) -> Option<Vec<u8>> {
    let signed: Signed = serde_json::from_slice(bytes).ok()?;
    let protected = decode(&signed.signatures.first()?.protected)?;
    let protected: Protected = serde_json::from_slice(&protected).ok()?;
    let mut payload = bytes.get(..protected.format_length)?.to_vec();
    payload.extend(decode(&protected.format_tail)?);
    Some(payload)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A manifest of schema 1 and its signed form.
    fn signed() -> (Vec<u8>, Vec<u8>) {
        let plain = "{\n   \"schemaVersion\": 1,\n   \"name\": \"a\"\n}".to_owned();
        let cut = plain.len() - 2;
        let protected = format!(r#"{{"formatLength":{cut},"formatTail":"{}","time":"x"}}"#, URL_SAFE_NO_PAD.encode(&plain[cut..]));
        let signature = format!(r#","signatures":[{{"protected":"{}"}}]"#, URL_SAFE_NO_PAD.encode(protected));
        (plain.clone().into_bytes(), format!("{}{signature}{}", &plain[..cut], &plain[cut..]).into_bytes())
    }

    #[test]
    fn the_payload_is_the_document_without_signatures() {
        let (plain, signed) = signed();
        assert_eq!(payload(&signed).as_deref(), Some(plain.as_slice()));
        assert_eq!(payload(&plain), None);
    }

    #[test]
    fn lengths_outside_the_document_are_nothing() {
        let protected = URL_SAFE_NO_PAD.encode(r#"{"formatLength":99999,"formatTail":"fQ"}"#);
        assert_eq!(payload(format!(r#"{{"signatures":[{{"protected":"{protected}"}}]}}"#).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn reading_never_panics(length in any::<u64>(), tail in ".{0,9}", bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let protected = URL_SAFE_NO_PAD.encode(serde_json::json!({ "formatLength": length, "formatTail": tail }).to_string());
            payload(serde_json::json!({ "signatures": [{ "protected": protected }] }).to_string().as_bytes());
            payload(&bytes);
        }
    }
}
