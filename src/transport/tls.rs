//! How certificates are checked, and what went wrong with one in a person's words.
//!
//! Four ways: by the system's roots, by the registry's own CA, by one pinned certificate, or not at all. The pin exists because rustls
//! refuses what Docker's documentation tells people to make: a self-signed certificate that is its own CA (reqwest#1554).

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, OnceLock};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};

use super::Tls;

/// The one set of algorithms of this process; made when the first TLS connection is.
pub(super) fn provider() -> Arc<CryptoProvider> {
    if let Some(installed) = CryptoProvider::get_default() {
        return Arc::clone(installed);
    }
    // Another thread may be first; then its provider is the one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Arc::clone(CryptoProvider::get_default().expect("a provider was just installed"))
}

/// How far a host is trusted with this registry's TLS settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The registry's own host: all settings hold.
    Home,
    /// Where it sends us, such as a storage service: the system's roots and the registry's CA, always verified, and without our certificate.
    Away,
}

/// The configuration for connections to that side.
///
/// # Errors
/// Says what is wrong with the settings.
pub(super) fn config(tls: &Tls, side: Side) -> Result<ClientConfig, String> {
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let roots = tls.ca_pem.as_deref().map(certificates).transpose()?;
    let verifier: Arc<dyn ServerCertVerifier> = match (side, tls.pin_sha256, roots) {
        (Side::Home, Some(sha256), _) => Arc::new(Pin { sha256, provider: Arc::clone(&provider) }),
        (Side::Home, None, _) if !tls.verify => Arc::new(Anything { provider: Arc::clone(&provider), shown: Shown::default() }),
        (Side::Home, None, Some(roots)) => {
            let mut store = RootCertStore::empty();
            for root in roots {
                store.add(root).map_err(|error| format!("a certificate of the CA file can't be used: {error}"))?;
            }
            rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider))
                .build()
                .map_err(|error| error.to_string())?
        }
        (_, _, extra) => system(extra.unwrap_or_default(), &provider)?,
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match &tls.identity_pem {
        Some(pem) if side == Side::Home => {
            let pem = pem.expose().as_bytes();
            let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| "the client key can't be read".to_owned())?;
            builder
                .with_client_auth_cert(certificates(pem)?, key)
                .map_err(|_| "the client certificate and its key don't fit together".to_owned())?
        }
        _ => builder.with_no_client_auth(),
    };
    config.alpn_protocols = protocols();
    Ok(config)
}

/// The first certificate that a server showed.
pub(super) type Shown = Arc<OnceLock<Vec<u8>>>;

/// A configuration that trusts anybody, and where to find the certificate that was shown: kept by the verifier, so that it is there even
/// if the server then wants to see one of ours.
pub(super) fn looking() -> Result<(ClientConfig, Shown), String> {
    let (provider, shown) = (provider(), Shown::default());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything { provider, shown: Arc::clone(&shown) }))
        .with_no_client_auth();
    config.alpn_protocols = protocols();
    Ok((config, shown))
}

/// What we offer to speak.
fn protocols() -> Vec<Vec<u8>> {
    vec![b"h2".to_vec(), b"http/1.1".to_vec()]
}

fn system(extra: Vec<CertificateDer<'static>>, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, String> {
    rustls_platform_verifier::Verifier::new_with_extra_roots(extra, Arc::clone(provider))
        .map(|verifier| Arc::new(verifier) as Arc<dyn ServerCertVerifier>)
        .map_err(|error| format!("the system's certificates can't be loaded: {error}"))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => Err("there is no certificate in the PEM text".to_owned()),
        Ok(all) => Ok(all),
        Err(_) => Err("the PEM text can't be read".to_owned()),
    }
}

/// Reads a SHA-256 fingerprint: 64 hex digits in any case, with or without colons.
pub fn parse_pin(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.trim().bytes().filter(|byte| *byte != b':').collect();
    HEXLOWER_PERMISSIVE.decode(&digits).ok()?.try_into().ok()
}

/// A fingerprint as text that [`parse_pin`] reads.
pub(super) fn fingerprint(der: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(der))
}

/// Accepts exactly one certificate.
#[derive(Debug)]
struct Pin {
    sha256: [u8; 32],
    provider: Arc<CryptoProvider>,
}

/// The server showed another certificate than the pinned one.
#[derive(Debug)]
struct PinDiffers {
    shown: String,
}

impl fmt::Display for PinDiffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its certificate is not the pinned one; it shows sha256 {}", self.shown)
    }
}

impl StdError for PinDiffers {}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if Sha256::digest(end_entity).as_slice() == self.sha256 {
            return Ok(ServerCertVerified::assertion());
        }
        let differs = PinDiffers { shown: fingerprint(end_entity) };
        Err(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(differs)))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Accepts every certificate: for `verify = false`, and for looking at a certificate before anything is trusted.
#[derive(Debug)]
struct Anything {
    provider: Arc<CryptoProvider>,
    shown: Shown,
}

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.shown.get_or_init(|| end_entity.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The TLS error beneath a network error, if there is one.
pub(super) fn cause(error: &super::connector::BoxError) -> Option<&rustls::Error> {
    super::retry::beneath(error)
}

/// What a TLS error means.
pub(super) fn explain(error: &rustls::Error) -> String {
    use rustls::Error as E;
    match error {
        E::InvalidMessage(_) => "it doesn't speak TLS; if it is a plain http registry, say so with http:// in its address".into(),
        E::InvalidCertificate(CertificateError::Other(OtherError(inner))) => match inner.downcast_ref::<PinDiffers>() {
            Some(differs) => differs.to_string(),
            None if inner.to_string().contains("CaUsedAsEndEntity") => {
                "its certificate is a self-signed one that is its own authority; pin it, no authority rule accepts it".into()
            }
            None => format!("its certificate is not valid: {inner}"),
        },
        E::InvalidCertificate(certificate) => match certificate {
            CertificateError::UnknownIssuer => "its certificate is signed by an unknown authority".into(),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired".into(),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet".into()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another host name".into()
            }
            CertificateError::Revoked => "its certificate is revoked".into(),
            other => format!("its certificate is not valid: {other}"),
        },
        E::AlertReceived(
            alert @ (AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::HandshakeFailure),
        ) => format!("it ended the TLS handshake ({alert:?}); it may want another client certificate, or one at all"),
        E::AlertReceived(alert) => format!("it ended the TLS handshake ({alert:?})"),
        other => format!("TLS failed: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins() {
        let hex = fingerprint(b"x");
        let colons: Vec<String> = hex.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).to_uppercase()).collect();
        assert_eq!(parse_pin(&hex), parse_pin(&colons.join(":")));
        assert_eq!(parse_pin(&hex).unwrap().as_slice(), Sha256::digest(b"x").as_slice());
        for bad in ["", "ab", &hex[1..], &format!("{hex}0"), &hex.replacen(|_: char| true, "g", 1), "é".repeat(32).as_str()] {
            assert_eq!(parse_pin(bad), None, "{bad}");
        }
    }

    #[test]
    fn settings_that_cannot_be_used_are_said_and_not_echoed() {
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        for (ca, identity) in [
            (Some("no certificate here".to_owned()), None),
            (Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned()), None),
            (None, Some(key.clone())),
            (None, Some("nothing".to_owned())),
        ] {
            let tls = Tls {
                ca_pem: ca.map(String::into_bytes),
                identity_pem: identity.map(crate::credentials::Secret::new),
                ..Tls::default()
            };
            let error = config(&tls, Side::Home).unwrap_err();
            assert!(!error.contains("PRIVATE") && !error.contains(&key[40..60]), "{error}");
        }
    }
}
