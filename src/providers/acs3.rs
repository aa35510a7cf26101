//! Signatures for Alibaba Cloud's APIs: "ACS3-HMAC-SHA256" (Alibaba Cloud, "Request syntax and signature method V3"), which is the same for
//! calls that have their parameters in the query and for those that have them in the path.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::sigv4::{hmac_sha256, strict};
use crate::credentials::Secret;

/// The name of the procedure, at the beginning of what is signed and of what is sent.
const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// Who signs.
pub(super) struct Signer<'a> {
    pub access_key: &'a str,
    pub secret_key: &'a Secret,
}

/// What is signed. Header names are in lower case and in order.
pub(super) struct Signed<'a> {
    pub method: &'a str,
    pub url: &'a Url,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

impl Signer<'_> {
    /// The value of the `Authorization` header.
    pub fn authorization(&self, request: &Signed<'_>) -> String {
        let Signed { method, url, headers, body } = request;
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let headers: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let mut query: Vec<(String, String)> = url.query_pairs().map(|(key, value)| (strict(&key), strict(&value))).collect();
        query.sort();
        let query = query.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&");
        let canonical = format!("{method}\n{}\n{query}\n{headers}\n{names}\n{}", url.path(), content_digest(body));
        let text = format!("{ALGORITHM}\n{}", HEXLOWER.encode(&Sha256::digest(canonical)));
        let signature = HEXLOWER.encode(&*hmac_sha256(self.secret_key.expose().as_bytes(), &text));
        format!("{ALGORITHM} Credential={},SignedHeaders={names},Signature={signature}", self.access_key)
    }
}

/// The value of the `x-acs-content-sha256` header, which has to be signed.
pub(super) fn content_digest(body: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Alibaba's "Request syntax and signature method V3", where parameters are fixed so that everyone gets the same signature.
    #[test]
    fn the_published_signature() {
        let url: Url = "https://ecs.cn-shanghai.aliyuncs.com/?RegionId=cn-shanghai&ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"
            .parse()
            .unwrap();
        let digest = content_digest(b"");
        let headers = [
            ("host", "ecs.cn-shanghai.aliyuncs.com"),
            ("x-acs-action", "RunInstances"),
            ("x-acs-content-sha256", &digest),
            ("x-acs-date", "2023-10-26T10:22:32Z"),
            ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
            ("x-acs-version", "2014-05-26"),
        ];
        let secret_key = &Secret::new("YourAccessKeySecret");
        let signer = Signer { access_key: "YourAccessKeyId", secret_key };
        assert_eq!(
            signer.authorization(&Signed { method: "POST", url: &url, headers: &headers, body: b"" }),
            "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,\
             SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,\
             Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        );
    }

    #[test]
    fn what_is_escaped_in_the_address_is_signed_as_rfc_3986_has_it() {
        let secret_key = &Secret::new("key");
        let signer = Signer { access_key: "LTAI", secret_key };
        let sign = |url: &str| signer.authorization(&Signed { method: "GET", url: &url.parse().unwrap(), headers: &[], body: b"" });
        assert_eq!(sign("https://h/?b=a+b&a=1"), sign("https://h/?a=1&b=a%20b"));
        assert_ne!(sign("https://h/?a=1"), sign("https://h/?a=2"));
        assert_ne!(sign("https://h/repos/a"), sign("https://h/repos/b"));
    }
}
