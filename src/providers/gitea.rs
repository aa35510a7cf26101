//! Gitea and Forgejo: each tag and each digest is a version of a package, so that `/v2/` takes a tag away alone. Newer ones delete a whole
//! package by `/api/v1`.
//!
//! Written from Gitea's source and API description, tried against a fake only.

use async_trait::async_trait;

use super::Place;
use super::api::{Api, escaped};
use super::provider::{Provider, Vendor};
use crate::credentials::Credential;
use crate::distribution::{Quirks, V2};
use crate::oci::Repository;
use crate::registry::{Capabilities, Error, ErrorKind, Result, Support};
use crate::transport::{Login, Method};

const DELETE_REPOSITORY: &str = "delete the repository";

pub(super) fn vendor() -> Vendor {
    let quirks = Quirks {
        page_size: 100,
        list: Support::Native,
        untag: Support::Native,
        delete: Support::Native,
        probe_tells: false,
        ..Quirks::default()
    };
    Vendor { quirks, open }
}

fn open(place: &Place) -> Result<Box<dyn Provider>> {
    let takes = |credential: &Credential| matches!(credential, Credential::Basic { .. }).then_some(Login::Basic);
    Ok(Box::new(Gitea { api: Api::beside(place, "/api", takes)? }))
}

struct Gitea {
    api: Api,
}

#[async_trait]
impl Provider for Gitea {
    fn capabilities(&self, v2: Capabilities) -> Capabilities {
        Capabilities { delete_repository: Support::Api, ..v2 }
    }

    async fn delete_repository(&self, v2: &V2, repository: &Repository) -> Result<bool> {
        let subject = v2.subject(repository, "");
        let Some((owner, name)) = repository.as_str().split_once('/') else {
            return Err(Error::new(ErrorKind::NotFound, DELETE_REPOSITORY, subject)
                .because("in Gitea every repository belongs to a user or organisation: OWNER/NAME"));
        };
        let path = format!("/v1/packages/{owner}/container/{}", escaped(name));
        self.api.delete(self.api.request(Method::DELETE, &path), DELETE_REPOSITORY, &subject).await
    }

    fn judge(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Denied | ErrorKind::CredentialRefused => {
                error.remedy("the access token needs the scopes read:package and write:package, of someone who may write to the owner's packages")
            }
            ErrorKind::Unsupported => {
                error.remedy("this Gitea is too old to delete a whole package; take its tags away: regctl tag delete")
            }
            _ => error,
        }
    }
}
