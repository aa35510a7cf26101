//! The suite on the embedded registry, honest and behaving like others.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use regctl::credentials::{Credential, Found, Secret, Source, Unavailable};
use regctl::distribution::{Quirks, V2};
use regctl::registry::Support;
use regctl::serve::{Account, Auth, Behaviour, Catalog, Links, Running, Settings, Storage, TagDelete, TooMany};
use regctl::transport::{self, Client};

use super::{Truth, suite};
use crate::support::http::wait;

const USERNAME: &str = "alice";
const PASSWORD: &str = "correct horse";

struct Alice;

#[async_trait]
impl Source for Alice {
    async fn credential(&self) -> Result<Option<Found>, Unavailable> {
        let credential = Credential::Basic { username: USERNAME.into(), password: Secret::new(PASSWORD) };
        Ok(Some(Found { credential, origin: "the test".into() }))
    }
}

fn account() -> Account {
    Account::new(USERNAME, PASSWORD)
}

const HONEST: Truth = Truth { untag: Support::Native, delete: Support::Native, referrers: true, auth: "none" };

fn run_on(settings: Settings, truth: &Truth) -> Running {
    run_with(Quirks::default(), settings, truth)
}

fn run_with(quirks: Quirks, settings: Settings, truth: &Truth) -> Running {
    let server = Running::start(settings).expect("a free port");
    let mut client = transport::Settings::new("embedded", server.url().parse().unwrap());
    if truth.auth != "none" {
        client.credentials = Arc::new(Alice);
    }
    let v2 = V2::new(Client::new(client), "embedded".into(), quirks);
    wait(suite::all(&v2, truth));
    server
}

fn run(behaviour: Behaviour, truth: &Truth) -> Running {
    run_on(Settings { behaviour, ..Settings::new(Storage::memory()) }, truth)
}

#[test]
fn honest() {
    run(Behaviour::default(), &HONEST);
}

#[test]
fn on_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    run_on(Settings::new(Storage::folder(folder.path()).unwrap()), &HONEST);
    let again = Storage::folder(folder.path()).unwrap();
    assert!(again.resolve(&"conformance/types".parse().unwrap(), &"oci".parse().unwrap()).is_some(), "it is on disk");
}

#[test]
fn with_a_password() {
    let server =
        run_on(Settings { auth: Auth::Basic(account()), ..Settings::new(Storage::memory()) }, &Truth { auth: "basic", ..HONEST });
    let refused = server.requests().iter().filter(|request| request.status == 401).count();
    assert_eq!(refused, 1, "one challenge is enough");
}

#[test]
fn with_tokens() {
    run_on(Settings { auth: Auth::Token(account()), ..Settings::new(Storage::memory()) }, &Truth { auth: "bearer", ..HONEST });
}

#[test]
fn with_tokens_that_die_young() {
    let behaviour = Behaviour { token_lifetime: Some(Duration::from_secs(1)), ..Behaviour::default() };
    let settings = Settings { auth: Auth::PublicToken(account()), behaviour, ..Settings::new(Storage::memory()) };
    run_on(settings, &Truth { auth: "bearer", ..HONEST });
}

#[test]
fn like_distribution_2_8() {
    run(Behaviour::distribution_2_8(), &Truth { untag: Support::Unsupported, referrers: false, ..HONEST });
}

#[test]
fn where_tags_can_not_be_deleted() {
    run(Behaviour { tag_delete: TagDelete::NotAllowed, ..Behaviour::default() }, &Truth { untag: Support::Unsupported, ..HONEST });
}

#[test]
fn where_nothing_can_be_deleted() {
    let truth = Truth { untag: Support::Unsupported, delete: Support::Unsupported, ..HONEST };
    run(Behaviour { delete: false, ..Behaviour::default() }, &truth);
}

#[test]
fn without_digest_headers() {
    run(Behaviour { digest_header: false, ..Behaviour::default() }, &HONEST);
}

#[test]
fn without_an_answer_to_head() {
    run(Behaviour { head_not_found: true, ..Behaviour::default() }, &HONEST);
}

#[test]
fn in_short_pages() {
    run(Behaviour { page_size: Some(2), ..Behaviour::default() }, &HONEST);
}

#[test]
fn without_links_to_the_next_page() {
    let behaviour = Behaviour { links: Links::Missing, ..Behaviour::default() };
    let quirks = Quirks { page_size: 3, ..Quirks::default() };
    run_with(quirks, Settings { behaviour, ..Settings::new(Storage::memory()) }, &HONEST);
}

#[test]
fn under_too_many_requests() {
    let behaviour = Behaviour { too_many: Some(TooMany::Every(5)), retry_after: Duration::ZERO, ..Behaviour::default() };
    let server = run(behaviour, &HONEST);
    assert!(server.requests().iter().any(|request| request.status == 429));
}

/// A catalogue that can't be listed is told as what it is, and nothing else fails.
#[test]
fn without_a_catalog() {
    use futures_util::TryStreamExt;
    use regctl::registry::{ErrorKind, Registry};

    for (catalog, kind) in [(Catalog::Absent, ErrorKind::Unsupported), (Catalog::Denied, ErrorKind::CredentialMissing)] {
        let server = Running::start(Settings {
            behaviour: Behaviour { catalog, ..Behaviour::default() },
            ..Settings::new(Storage::memory())
        });
        let client = Client::new(transport::Settings::new("embedded", server.as_ref().unwrap().url().parse().unwrap()));
        let v2 = V2::new(client, "embedded".into(), Quirks::default());
        let listed = wait(v2.repositories().try_collect::<Vec<_>>());
        assert_eq!(listed.unwrap_err().kind(), kind, "{catalog:?}");
    }
}
