//! A certificate authority of our own, with one certificate for a server on this machine and one for a client.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// PEM files, all made for one test.
pub struct Certificates {
    /// The authority.
    pub ca: PathBuf,
    /// For `localhost`, `127.0.0.1` and `::1`, signed by the authority.
    pub server: PathBuf,
    pub server_key: PathBuf,
    /// For a client that signs in with a certificate.
    pub client: PathBuf,
    pub client_key: PathBuf,
}

impl Certificates {
    /// Makes them all and writes them into `folder`.
    pub fn make(folder: &Path) -> Certificates {
        let authority = authority("regctl test authority");
        let (server, server_key) = leaf(&authority, "localhost", ExtendedKeyUsagePurpose::ServerAuth);
        let (client, client_key) = leaf(&authority, "regctl-test-client", ExtendedKeyUsagePurpose::ClientAuth);
        let file = |name: &str, content: String| {
            let path = folder.join(name);
            std::fs::write(&path, content).expect("the test's folder can be written");
            path
        };
        Certificates {
            ca: file("ca.pem", authority.pem()),
            server: file("server.pem", server),
            server_key: file("server.key", server_key),
            client: file("client.pem", client),
            client_key: file("client.key", client_key),
        }
    }
}

fn params(common_name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("the names are valid");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

/// An authority that may sign certificates and nothing else.
pub fn authority(common_name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = params(common_name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

/// A certificate and its key as PEM.
fn leaf(authority: &CertifiedIssuer<'_, KeyPair>, common_name: &str, usage: ExtendedKeyUsagePurpose) -> (String, String) {
    let mut params = params(common_name, &["localhost", "127.0.0.1", "::1"]);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}
