//! The suite on Debian's `docker-registry` (distribution 2.8), which takes no tag away alone and knows no referrers.

use std::sync::Arc;

use async_trait::async_trait;
use regctl::credentials::{Credential, Found, Secret, Source, Unavailable};
use regctl::distribution::{Quirks, V2};
use regctl::registry::{ErrorKind, Registry, Support};
use regctl::transport::{Client, Settings, Tls};

use super::{Truth, suite};
use crate::support::docker_registry::{DockerRegistry, PASSWORD, Setup, USERNAME};
use crate::support::http::wait;

struct Account(&'static str);

#[async_trait]
impl Source for Account {
    async fn credential(&self) -> Result<Option<Found>, Unavailable> {
        let credential = Credential::Basic { username: USERNAME.into(), password: Secret::new(self.0) };
        Ok(Some(Found { credential, origin: "the test".into() }))
    }
}

fn settings(registry: &DockerRegistry, setup: Setup) -> Settings {
    let mut settings = Settings::new("real", registry.address().parse().unwrap());
    if matches!(setup, Setup::Password | Setup::Token) {
        settings.credentials = Arc::new(Account(PASSWORD));
    }
    if matches!(setup, Setup::Tls | Setup::ClientCertificate) {
        let read = |path| std::fs::read_to_string(path).unwrap();
        let certificates = registry.certificates();
        let identity = Secret::new(read(&certificates.client) + &read(&certificates.client_key));
        settings.tls = Tls {
            ca_pem: Some(read(&certificates.ca).into_bytes()),
            identity_pem: (setup == Setup::ClientCertificate).then_some(identity),
            ..Tls::default()
        };
    }
    settings
}

fn run(setup: Setup, quirks: Quirks) {
    let Some(registry) = DockerRegistry::start(setup) else { return };
    let truth = Truth {
        untag: Support::Unsupported,
        delete: if setup == Setup::DeleteOff { Support::Unsupported } else { Support::Native },
        referrers: false,
        auth: match setup {
            Setup::Password => "basic",
            Setup::Token => "bearer",
            _ => "none",
        },
    };
    let v2 = V2::new(Client::new(settings(&registry, setup)), "real".into(), quirks);
    wait(suite::all(&v2, &truth));
}

#[test]
fn plain() {
    run(Setup::Plain, Quirks::default());
}

#[test]
fn plain_in_small_pages() {
    run(Setup::Plain, Quirks { page_size: 3, ..Quirks::default() });
}

#[test]
fn delete_off() {
    run(Setup::DeleteOff, Quirks::default());
}

#[test]
fn password() {
    run(Setup::Password, Quirks::default());
}

#[test]
fn tls() {
    run(Setup::Tls, Quirks::default());
}

#[test]
fn client_certificate() {
    run(Setup::ClientCertificate, Quirks::default());
}

#[test]
fn token() {
    run(Setup::Token, Quirks::default());
}

#[test]
fn tokens_are_asked_for_with_the_least_that_does() {
    let Some(registry) = DockerRegistry::start(Setup::Token) else { return };
    let v2 = V2::new(Client::new(settings(&registry, Setup::Token)), "real".into(), Quirks::default());
    let app = "app".parse().unwrap();
    wait(async {
        let missing = v2.head(&app, &regctl::oci::Selector::Tag("v1".parse().unwrap())).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert_eq!(v2.probe_delete(&app).await.unwrap(), Support::Native);
    });
    let scopes: Vec<_> = registry.token_server().requests().into_iter().map(|request| request.scopes.join(" ")).collect();
    assert_eq!(scopes, ["repository:app:pull", "repository:app:delete,pull"]);
}

#[test]
fn a_wrong_password_is_refused_by_both_kinds() {
    for setup in [Setup::Password, Setup::Token] {
        let Some(registry) = DockerRegistry::start(setup) else { return };
        let settings = Settings { credentials: Arc::new(Account("wrong")), ..settings(&registry, setup) };
        let error = wait(V2::new(Client::new(settings), "real".into(), Quirks::default()).ping()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialRefused, "{error}");
        let anonymous = Settings { credentials: Arc::new(regctl::credentials::Anonymous), ..self::settings(&registry, setup) };
        let error = wait(V2::new(Client::new(anonymous), "real".into(), Quirks::default()).ping()).err();
        let kind = error.map(|error| error.kind());
        assert_eq!(kind, (setup == Setup::Password).then_some(ErrorKind::CredentialMissing), "an anonymous token is one");
    }
}
