//! A plain HTTP client for looking at servers past the program, so that its own client isn't what proves it right.

use std::future::Future;

use reqwest::{Certificate, Client, ClientBuilder, Identity};

use super::certificates::Certificates;

/// Runs `work` to its end on this thread.
pub fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn builder() -> ClientBuilder {
    // A second call finds the first one's choice in place, which is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy()
}

/// Trusts nothing, which is enough for plain HTTP.
pub fn client() -> Client {
    builder().tls_certs_only([]).build().expect("a client")
}

/// Trusts the test's own authority only, and shows the client certificate when `signed_in`.
pub fn tls_client(certificates: &Certificates, signed_in: bool) -> Client {
    let read = |path| std::fs::read(path).expect("the certificate was written");
    let mut builder = builder().tls_certs_only([Certificate::from_pem(&read(&certificates.ca)).expect("a certificate")]);
    if signed_in {
        let both = [read(&certificates.client), read(&certificates.client_key)].concat();
        builder = builder.identity(Identity::from_pem(&both).expect("a certificate and its key"));
    }
    builder.build().expect("a client")
}
