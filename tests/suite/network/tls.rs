//! Certificates: own authorities, pins, client certificates, and what goes wrong with them (users' reports A10 to A13).

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use regctl::credentials::Secret;
use regctl::registry::{ErrorKind, Ping, Registry, Result};
use regctl::transport::{Client, Settings, Tls, parse_pin};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::responder::{Reply, Responder};
use super::*;
use crate::support::certificates::authority;

/// A certificate with its key, as PEM.
pub struct Pair {
    certificate: String,
    key: String,
}

pub fn leaf(issuer: &CertifiedIssuer<'_, KeyPair>, change: impl Fn(&mut CertificateParams)) -> Pair {
    let mut params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    Pair { certificate: params.signed_by(&key, issuer).unwrap().pem(), key: key.serialize_pem() }
}

/// What `openssl req -x509` makes, as Docker's documentation says: its own authority, used as a server's certificate.
fn self_signed() -> Pair {
    let mut params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    Pair { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

pub async fn serve(pair: &Pair, clients: Option<&str>) -> Responder {
    Responder::start_tls(acceptor(pair, clients, &[]), |_| Reply::json("{}")).await
}

/// What speaks TLS as that server; `protocols` are those that it offers to speak in it.
pub fn acceptor(pair: &Pair, clients: Option<&str>, protocols: &[&str]) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // With TLS 1.3 a refused client learns it after the handshake, and may find the connection closed before it reads why.
    let versions = if clients.is_some() { &[&rustls::version::TLS12][..] } else { rustls::ALL_VERSIONS };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions).unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
            builder.with_client_cert_verifier(
                rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap(),
            )
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

async fn ping(server: &Responder, tls: Tls) -> Result<Ping> {
    v2(Settings { tls, ..settings(server) }).ping().await
}

pub fn trusting(pem: &str) -> Tls {
    Tls { ca_pem: Some(pem.as_bytes().to_vec()), ..Tls::default() }
}

fn refused(result: Result<Ping>, why: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert!(error.to_string().contains(why), "{error}");
}

#[tokio::test]
async fn ggcr_1246_an_own_authority_is_trusted_and_no_other() {
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let server = serve(&leaf(&ours, |_| ()), None).await;
    ping(&server, trusting(&ours.pem())).await.unwrap();
    refused(ping(&server, trusting(&theirs.pem())).await, "unknown authority");
    ping(&server, Tls { verify: false, ..Tls::default() }).await.unwrap();
    assert!(server.seen().iter().all(|seen| seen.path() == "/v2/"));
}

#[tokio::test]
async fn a_certificate_for_another_name_or_time_is_told() {
    let ours = authority("ours");
    let other = serve(&leaf(&ours, |params| params.subject_alt_names.clear()), None).await;
    refused(ping(&other, trusting(&ours.pem())).await, "another host name");
    let old = serve(&leaf(&ours, |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1)), None).await;
    refused(ping(&old, trusting(&ours.pem())).await, "expired");
    let early = serve(&leaf(&ours, |params| params.not_before = rcgen::date_time_ymd(2090, 1, 1)), None).await;
    refused(ping(&early, trusting(&ours.pem())).await, "not valid yet");
}

#[tokio::test]
async fn reqwest_1554_a_self_signed_certificate_is_accepted_by_its_pin() {
    let pair = self_signed();
    let server = serve(&pair, None).await;
    refused(ping(&server, trusting(&pair.certificate)).await, "pin it");
    let shown = Client::new(settings(&server)).peer_certificate().await.unwrap();
    assert_eq!(shown.names, ["127.0.0.1"]);
    ping(&server, Tls { pin_sha256: parse_pin(&shown.sha256), ..Tls::default() }).await.unwrap();
    let wrong = Tls { pin_sha256: Some([7; 32]), ..Tls::default() };
    refused(ping(&server, wrong.clone()).await, &shown.sha256);
    refused(ping(&server, Tls { verify: false, ..wrong }).await, "not the pinned one");
}

#[tokio::test]
async fn a_mismatch_is_not_tried_again() {
    let server = serve(&self_signed(), None).await;
    let registry = v2(Settings { tls: trusting(&authority("other").pem()), ..settings(&server) });
    registry.ping().await.unwrap_err();
    assert_eq!(registry.client().stats().snapshot().requests, 1);
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_wanted() {
    let ours = authority("ours");
    let client = leaf(&ours, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    let server = serve(&leaf(&ours, |_| ()), Some(&ours.pem())).await;
    let identity = Secret::new(format!("{}{}", client.certificate, client.key));
    ping(&server, Tls { identity_pem: Some(identity), ..trusting(&ours.pem()) }).await.unwrap();
    refused(ping(&server, trusting(&ours.pem())).await, "client certificate");
    let shown = Client::new(settings(&server)).peer_certificate().await.unwrap();
    assert_eq!(shown.names, ["127.0.0.1"], "looking needs no certificate of ours");
}

#[tokio::test]
async fn regclient_268_a_plain_server_is_told_from_a_broken_one() {
    let plain = Responder::in_turn(vec![Reply::json("{}")]).await;
    let https = plain.url().replace("http://", "https://");
    let settings = Settings { tls: Tls { verify: false, ..Tls::default() }, ..Settings::new("prod", https.parse().unwrap()) };
    refused(v2(settings.clone()).ping().await, "http://");
    assert_eq!(Client::new(settings).peer_certificate().await.unwrap_err().kind(), ErrorKind::Tls);
    let error = Client::new(super::settings(&plain)).peer_certificate().await.unwrap_err();
    assert!(error.to_string().contains("without TLS"), "{error}");
}

#[tokio::test]
async fn settings_that_cannot_be_used_fail_before_the_network() {
    let server = serve(&self_signed(), None).await;
    let error = ping(&server, trusting("no certificate")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local);
    assert_eq!(server.seen().len(), 0);
}
