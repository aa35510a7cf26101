//! Whom a registry's TLS certificate may come from (SPEC §3, "TLS").

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use super::invalid::{Invalid, as_text};

/// TLS settings of one registry. Verification, an own CA and a pin are separate settings; plain HTTP is the address's business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// Whether certificates are verified.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub verify: bool,
    /// A file of certificates that are trusted instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<CertificateFile>,
    /// The same, in the catalogue itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<CaPem>,
    /// The one certificate that is trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_sha256: Option<Pin>,
    /// The client's own certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<CertificateFile>,
    /// The file with the key to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key: Option<CertificateFile>,
}

impl Tls {
    /// Whether the server has to prove who it is, by its certificate's signature or by the pin.
    pub fn is_verified(&self) -> bool {
        self.verify || self.pin_sha256.is_some()
    }
}

fn yes() -> bool {
    true
}

impl Default for Tls {
    fn default() -> Tls {
        Tls { verify: true, ca_file: None, ca_pem: None, pin_sha256: None, client_cert: None, client_key: None }
    }
}

/// The path of a certificate or key. Never the content: a key in the catalogue would be a secret in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct CertificateFile(PathBuf);

impl CertificateFile {
    /// Takes a path.
    pub fn new(path: impl Into<PathBuf>) -> CertificateFile {
        CertificateFile(path.into())
    }

    /// The path.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl<'de> Deserialize<'de> for CertificateFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CertificateFile, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.contains("-----BEGIN") {
            return Err(serde::de::Error::custom("this takes the path of a file, not what is in it"));
        }
        if text.is_empty() {
            return Err(serde::de::Error::custom("a path can't be empty"));
        }
        Ok(CertificateFile(text.into()))
    }
}

/// PEM text with certificates and without keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct CaPem(String);

impl CaPem {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CaPem {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<CaPem, Invalid> {
        CaSummary::of(text.as_bytes())?;
        Ok(CaPem(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for CaPem {
    /// Looks only at the outside: parsing every certificate would make each command pay for all of them.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CaPem, D::Error> {
        let text = String::deserialize(deserializer)?;
        refuse_keys(text.as_bytes()).map_err(serde::de::Error::custom)?;
        if !text.contains("-----BEGIN CERTIFICATE-----") {
            return Err(serde::de::Error::custom("there is no PEM certificate in it"));
        }
        Ok(CaPem(text))
    }
}

/// What a file of certificates says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaSummary {
    /// The subject of each certificate.
    pub subjects: Vec<String>,
    /// When the first of them expires.
    pub not_after: Timestamp,
}

impl CaSummary {
    /// Reads PEM text.
    ///
    /// # Errors
    /// When there is no certificate in it, one that can't be read, or a private key. What it holds is never repeated.
    pub fn of(pem: &[u8]) -> Result<CaSummary, Invalid> {
        refuse_keys(pem)?;
        let mut subjects = Vec::new();
        let mut not_after = Timestamp::MAX;
        for block in x509_parser::pem::Pem::iter_from_buffer(pem) {
            let block = block.map_err(|_| Invalid::new("a PEM block in the certificate file is damaged"))?;
            if block.label != "CERTIFICATE" && block.label != "TRUSTED CERTIFICATE" {
                continue;
            }
            let certificate =
                block.parse_x509().map_err(|_| Invalid::new("a certificate in the file is damaged: it is not X.509"))?;
            subjects.push(certificate.subject().to_string());
            let end = Timestamp::from_second(certificate.validity().not_after.timestamp()).unwrap_or(Timestamp::MAX);
            not_after = not_after.min(end);
        }
        if subjects.is_empty() {
            return Err(Invalid::new("there is no PEM certificate in the file")
                .hint("convert a DER file with: openssl x509 -inform der -in FILE"));
        }
        Ok(CaSummary { subjects, not_after })
    }
}

fn refuse_keys(pem: &[u8]) -> Result<(), Invalid> {
    const MARK: &[u8] = b"PRIVATE KEY-----";
    if pem.windows(MARK.len()).any(|window| window == MARK) {
        return Err(
            Invalid::new("there is a private key in the certificate file").hint("give a file with the CA's certificate only")
        );
    }
    Ok(())
}

/// The SHA-256 fingerprint of a certificate, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pin([u8; 32]);

impl Pin {
    /// A fingerprint that was computed.
    pub fn new(bytes: [u8; 32]) -> Pin {
        Pin(bytes)
    }

    /// The fingerprint's bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Pin {
    type Err = Invalid;

    /// 64 hexadecimal digits, with colons between the bytes or without.
    fn from_str(text: &str) -> Result<Pin, Invalid> {
        let error = |reason| {
            Invalid::value(text, "a SHA-256 fingerprint", reason).hint("take it from: openssl x509 -noout -fingerprint -sha256")
        };
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let digits = if digits.contains(':') {
            if digits.split(':').any(|byte| byte.len() != 2) {
                return Err(error("with colons, two digits stand between them"));
            }
            digits.replace(':', "")
        } else {
            digits.to_owned()
        };
        let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Pin).ok_or_else(|| error("it has 64 hexadecimal digits"))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

as_text!(Pin);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn authority() -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec![]).unwrap();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "Corp CA");
        parameters.not_after = rcgen::date_time_ymd(2030, 1, 2);
        (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn certificates_are_read() {
        let (certificate, _) = authority();
        let summary = CaSummary::of(certificate.as_bytes()).unwrap();
        assert_eq!(summary.subjects, ["CN=Corp CA"]);
        assert_eq!(summary.not_after.to_string(), "2030-01-02T00:00:00Z");
        assert_eq!(CaSummary::of(format!("# two\n{certificate}{certificate}").as_bytes()).unwrap().subjects.len(), 2);
        assert!(certificate.parse::<CaPem>().is_ok());
    }

    #[test]
    fn keys_and_rubbish_are_refused_and_never_repeated() {
        let (certificate, key) = authority();
        let secret = key.lines().nth(1).unwrap();
        let damaged = certificate.replace("MI", "XX");
        for text in [format!("{certificate}{key}"), key.clone(), String::new(), "no certificate at all".into(), damaged] {
            let error = text.parse::<CaPem>().unwrap_err();
            assert!(!format!("{error:?}").contains(secret), "{error}");
        }
        let error = toml_edit::de::from_str::<Tls>(&format!("ca_pem = '''{key}'''")).unwrap_err();
        assert!(!error.message().contains(secret));
        let error = toml_edit::de::from_str::<Tls>(&format!("client_key = '''{key}'''")).unwrap_err();
        assert!(!error.message().contains(secret));
    }

    #[test]
    fn pins() {
        let plain = "0011223344556677889900aabbccddeeff0011223344556677889900aabbccdd";
        let colons = plain
            .to_uppercase()
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8(pair.to_vec()).unwrap())
            .collect::<Vec<_>>()
            .join(":");
        for text in [plain, &colons, &format!("sha256:{plain}")] {
            assert_eq!(text.parse::<Pin>().unwrap().to_string(), plain, "{text}");
        }
        for bad in ["", "00", &plain[1..], &format!("{plain}0"), &plain.replace('0', "g"), &format!("0:{}", &plain[1..])] {
            assert!(bad.parse::<Pin>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,80}") {
            let _ = CaSummary::of(&bytes);
            let _ = text.parse::<Pin>();
        }
    }
}
