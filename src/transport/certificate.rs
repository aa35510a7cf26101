//! What a server's certificate says, for people to look at before they trust it.

use jiff::Timestamp;
use serde::Serialize;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::tls;

/// A certificate as the server showed it. Nothing about it has been verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeerCertificate {
    /// SHA-256 of the whole certificate in hex: what a pin is.
    pub sha256: String,
    /// Whom it is for; `None` when the certificate can't be read.
    pub subject: Option<String>,
    /// Who signed it.
    pub issuer: Option<String>,
    /// The host names and addresses that it is valid for.
    pub names: Vec<String>,
    /// From when it is valid.
    pub not_before: Option<Timestamp>,
    /// Until when it is valid.
    pub not_after: Option<Timestamp>,
}

impl PeerCertificate {
    pub(super) fn read(der: &[u8]) -> PeerCertificate {
        let mut shown = PeerCertificate {
            sha256: tls::fingerprint(der),
            subject: None,
            issuer: None,
            names: Vec::new(),
            not_before: None,
            not_after: None,
        };
        let Ok((_, certificate)) = X509Certificate::from_der(der) else { return shown };
        shown.subject = Some(clean(&certificate.subject().to_string()));
        shown.issuer = Some(clean(&certificate.issuer().to_string()));
        if let Ok(Some(names)) = certificate.subject_alternative_name() {
            shown.names = names.value.general_names.iter().filter_map(name).collect();
        }
        shown.not_before = Timestamp::from_second(certificate.validity().not_before.timestamp()).ok();
        shown.not_after = Timestamp::from_second(certificate.validity().not_after.timestamp()).ok();
        shown
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(clean(name)),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|octets| std::net::Ipv4Addr::from(octets).to_string()),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|octets| std::net::Ipv6Addr::from(octets).to_string()),
            _ => None,
        },
        _ => None,
    }
}

fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_matters() {
        let mut params = rcgen::CertificateParams::new(vec!["registry.example.com".into(), "127.0.0.1".into()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2030, 1, 2);
        params.distinguished_name.push(rcgen::DnType::CommonName, "a registry");
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let read = PeerCertificate::read(certificate.der());
        assert_eq!(read.subject.as_deref(), Some("CN=a registry"));
        assert_eq!(read.names, ["registry.example.com", "127.0.0.1"]);
        assert_eq!(read.not_after.unwrap().to_string(), "2030-01-02T00:00:00Z");
        assert_eq!(read.sha256.len(), 64);
    }

    #[test]
    fn what_cannot_be_read_still_has_a_fingerprint() {
        let read = PeerCertificate::read(b"not a certificate");
        assert_eq!((read.subject, read.sha256.len()), (None, 64));
    }
}
