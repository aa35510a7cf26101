//! Signatures for Tencent Cloud's APIs: "TC3-HMAC-SHA256" (Tencent Cloud, "Signature v3"), as far as calls that are JSON documents need it.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::sigv4::hmac_sha256;
use crate::credentials::Secret;

/// The name of the procedure, at the beginning of what is signed and of what is sent.
const ALGORITHM: &str = "TC3-HMAC-SHA256";
/// The last part of what a signature is good for.
const TERMINATOR: &str = "tc3_request";
/// The headers that are signed.
const HEADERS: &str = "content-type;host;x-tc-action";

/// Who signs, and for which product.
pub(super) struct Signer<'a> {
    pub secret_id: &'a str,
    pub secret_key: &'a Secret,
    pub service: &'a str,
}

/// What is signed: a `POST`, whose path is always `/` to Tencent.
pub(super) struct Signed<'a> {
    pub content_type: &'a str,
    pub host: &'a str,
    pub action: &'a str,
    pub body: &'a [u8],
}

impl Signer<'_> {
    /// The value of the `Authorization` header.
    pub fn authorization(&self, request: &Signed<'_>, now: Timestamp) -> String {
        let Signed { content_type, host, action, body } = request;
        let headers = format!("content-type:{content_type}\nhost:{host}\nx-tc-action:{action}\n").to_ascii_lowercase();
        let canonical = format!("POST\n/\n\n{headers}\n{HEADERS}\n{}", HEXLOWER.encode(&Sha256::digest(body)));
        let scope = format!("{}/{}/{TERMINATOR}", day(now), self.service);
        let text = format!("{ALGORITHM}\n{}\n{scope}\n{}", now.as_second(), HEXLOWER.encode(&Sha256::digest(canonical)));
        let signature = HEXLOWER.encode(&*hmac_sha256(&*self.key(now), &text));
        format!("{ALGORITHM} Credential={}/{scope}, SignedHeaders={HEADERS}, Signature={signature}", self.secret_id)
    }

    /// The key for one day and product.
    fn key(&self, now: Timestamp) -> Zeroizing<[u8; 32]> {
        let secret = Zeroizing::new(format!("TC3{}", self.secret_key.expose()));
        let of_day = hmac_sha256(secret.as_bytes(), &day(now));
        let of_service = hmac_sha256(&*of_day, self.service);
        hmac_sha256(&*of_service, TERMINATOR)
    }
}

/// The day in UTC, wherever the product runs.
fn day(now: Timestamp) -> String {
    now.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;

    fn authorization(secret_key: &str) -> String {
        let secret_key = &Secret::new(secret_key);
        let signer = Signer { secret_id: "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", secret_key, service: "cvm" };
        let signed = Signed {
            content_type: "application/json; charset=utf-8",
            host: "cvm.tencentcloudapi.com",
            action: "DescribeInstances",
            body: BODY.as_bytes(),
        };
        signer.authorization(&signed, Timestamp::from_second(1_551_113_065).unwrap())
    }

    /// From Tencent's "Signature v3", whose keys are masked, and the signature made with the mask: 32 asterisks. The keys in between are
    /// published too.
    #[test]
    fn the_published_signature() {
        const SECRET_KEY: &str = "********************************";
        assert_eq!(
            authorization(SECRET_KEY),
            "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, \
             SignedHeaders=content-type;host;x-tc-action, \
             Signature=10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"
        );
        let secret_key = &Secret::new(SECRET_KEY);
        let signer = Signer { secret_id: "", secret_key, service: "cvm" };
        let key = signer.key(Timestamp::from_second(1_551_113_065).unwrap());
        assert_eq!(HEXLOWER.encode(&*key), "b596b923aad85185e2d1f6659d2a062e0a86731226e021e61bfe06f7ed05f5af");
    }

    /// From an earlier edition of the same page, in which fewer letters are masked.
    #[test]
    fn the_signature_of_an_earlier_edition() {
        let signed = authorization("Gu5t9xGARNpq86cd98joQYCN3*******");
        assert!(signed.ends_with("Signature=be4f67d323c78ab9acb7395e43c0dbcf822a9cfac32fea2449a7bc7726b770a3"), "{signed}");
    }

    #[test]
    fn another_body_has_another_signature() {
        let secret_key = &Secret::new("key");
        let signer = Signer { secret_id: "AKID", secret_key, service: "tcr" };
        let sign = |body: &[u8]| {
            let signed = Signed { content_type: "application/json", host: "h", action: "a", body };
            signer.authorization(&signed, Timestamp::UNIX_EPOCH)
        };
        assert_ne!(sign(b"{}"), sign(b"{ }"));
    }
}
