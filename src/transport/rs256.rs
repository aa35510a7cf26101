//! Signatures with an RSA key, by what TLS is signed with: no other package is needed for them.

use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use crate::credentials::Secret;

/// Signs with RSASSA-PKCS1-v1_5 and SHA-256 ("RS256" in RFC 7518); `None` where the PEM is no RSA key.
pub fn rs256(private_key: &Secret, text: &[u8]) -> Option<Vec<u8>> {
    let key = PrivateKeyDer::from_pem_slice(private_key.expose().as_bytes()).ok()?;
    let key = any_supported_type(&key).ok()?;
    key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])?.sign(text).ok()
}
