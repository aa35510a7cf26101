//! Signatures for Amazon's APIs: "Signature Version 4", as far as a request without a query needs it; and what other vendors' signatures are
//! made of as well.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::credentials::Secret;

/// The name of the procedure, at the beginning of what is signed and of what is sent.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Who signs, and what the signature is good for.
pub(super) struct Signer<'a> {
    pub access_key: &'a str,
    pub secret_key: &'a Secret,
    pub region: &'a str,
    pub service: &'a str,
}

/// What is signed. Header names are in lower case and in order.
pub(super) struct Signed<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

impl Signer<'_> {
    /// The value of the `Authorization` header.
    pub fn authorization(&self, request: &Signed<'_>, now: Timestamp) -> String {
        let names = request.headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let headers: String = request.headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let Signed { method, path, body, .. } = request;
        let canonical = format!("{method}\n{path}\n\n{headers}\n{names}\n{}", HEXLOWER.encode(&Sha256::digest(body)));
        let scope = format!("{}/{}/{}/aws4_request", now.strftime("%Y%m%d"), self.region, self.service);
        let text = format!("{ALGORITHM}\n{}\n{scope}\n{}", date(now), HEXLOWER.encode(&Sha256::digest(canonical)));
        let signature = HEXLOWER.encode(&*hmac_sha256(&*self.key(now), &text));
        format!("{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", self.access_key)
    }

    /// The key for one day, region and service.
    fn key(&self, now: Timestamp) -> Zeroizing<[u8; 32]> {
        let secret = Zeroizing::new(format!("AWS4{}", self.secret_key.expose()));
        let day = now.strftime("%Y%m%d").to_string();
        let parts = [day.as_str(), self.region, self.service, "aws4_request"];
        let mut key = hmac_sha256(secret.as_bytes(), parts[0]);
        for part in &parts[1..] {
            key = hmac_sha256(&*key, part);
        }
        key
    }
}

/// The value of the `X-Amz-Date` header, which has to be signed.
pub(super) fn date(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// HMAC with SHA-256.
pub(super) fn hmac_sha256(key: &[u8], text: &str) -> Zeroizing<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// Everything escaped but letters, digits and `-_.~` (RFC 3986 "Unreserved Characters"). Names have nothing that is escaped already.
pub(super) fn strict(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of Amazon's own examples.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn at() -> Timestamp {
        "2015-08-30T12:36:00Z".parse().unwrap()
    }

    /// From Amazon's test suite for Signature Version 4: `get-vanilla`, `post-vanilla`, `post-x-www-form-urlencoded`.
    #[test]
    fn published_signatures() {
        let host = ("host", "example.amazonaws.com");
        let date = ("x-amz-date", "20150830T123600Z");
        let form = ("content-type", "application/x-www-form-urlencoded");
        for (method, headers, body, signature) in [
            ("GET", vec![host, date], "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", vec![host, date], "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            ("POST", vec![form, host, date], "Param1=value1", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
        ] {
            let secret_key = &Secret::new(SECRET);
            let signer = Signer { access_key: "AKIDEXAMPLE", secret_key, region: "us-east-1", service: "service" };
            let signed = Signed { method, path: "/", headers: &headers, body: body.as_bytes() };
            let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={}, Signature={signature}",
                names.join(";")
            );
            assert_eq!(signer.authorization(&signed, at()), expected);
        }
    }

    /// From Amazon's "Create a signed AWS API request".
    #[test]
    fn the_published_signing_key() {
        let secret_key = &Secret::new(SECRET);
        let signer = Signer { access_key: "", secret_key, region: "us-east-1", service: "iam" };
        assert_eq!(HEXLOWER.encode(&*signer.key(at())), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }
}
