//! The password for Alibaba's registry: asked of Alibaba's API with a call that the key signs (`GetAuthorizationToken`), and good for an hour.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::temporary::Temporary;
use super::{lifetime, place};
use crate::credentials::{Credential, Secret};
use crate::providers::alibaba::{Alibaba, Edition, is_access_key, number};
use crate::registry::{Error, ErrorKind, Result};
use crate::transport::{Exchange, Method, Settings};

const SIGN_IN: &str = "sign in to";
/// How the names of keys begin that are of no use without a security token, which is not kept.
const TEMPORARY: &str = "STS.";
/// As long as a temporary password is good for.
const LIFETIME_MAX: Duration = Duration::from_secs(3600);

pub(super) struct AcrToken {
    settings: Settings,
    cloud: OnceCell<Option<Alibaba>>,
    temporary: Temporary,
}

/// The answer of either edition.
#[derive(Deserialize)]
struct Token {
    #[serde(rename = "TempUsername", alias = "tempUserName")]
    username: String,
    #[serde(rename = "AuthorizationToken", alias = "authorizationToken")]
    token: Secret,
    /// Milliseconds since 1970.
    #[serde(rename = "ExpireTime", alias = "expireDate", default, deserialize_with = "number")]
    ends: Option<i64>,
}

#[derive(Deserialize)]
struct Personal {
    data: Token,
}

impl AcrToken {
    pub fn new(settings: &Settings) -> AcrToken {
        AcrToken { settings: settings.clone(), cloud: OnceCell::new(), temporary: Temporary::default() }
    }

    fn unavailable(&self, why: &str) -> Error {
        Error::new(ErrorKind::CredentialUnavailable, SIGN_IN, &self.settings.name).because(why)
    }

    async fn ask(&self, kept: &Credential) -> Result<(Credential, Duration)> {
        let name = self.settings.name.as_str();
        let cloud = self.cloud.get_or_try_init(async || Alibaba::open(&place(&self.settings, kept))).await?;
        let Some(cloud) = cloud else {
            return Err(self
                .unavailable("an AccessKey has to be exchanged by Alibaba's API, and on this host it isn't known where that is")
                .remedy(format!(
                    "regctl update {name} --api-address https://cr.REGION.aliyuncs.com, or sign in with the registry's own password"
                )));
        };
        let token: Token = match cloud.edition(SIGN_IN, name).await? {
            Edition::Personal => {
                let request = cloud.at(Method::GET, "/tokens", "GetAuthorizationToken");
                cloud.read::<Personal>(request, SIGN_IN, name).await?.data
            }
            Edition::Enterprise(instance) => {
                cloud.read(cloud.call("GetAuthorizationToken").query("InstanceId", instance), SIGN_IN, name).await?
            }
        };
        tracing::debug!("Alibaba gave a password to {name}");
        Ok((Credential::Basic { username: token.username, password: token.token }, lifetime(token.ends, LIFETIME_MAX)))
    }
}

#[async_trait]
impl Exchange for AcrToken {
    async fn exchange(&self, kept: &Credential) -> Result<Credential> {
        match kept {
            Credential::Basic { username, .. } if username.starts_with(TEMPORARY) => Err(self.unavailable(
                "it is a temporary AccessKey, which needs its security token; use the AccessKey of a RAM user, or the registry's own password",
            )),
            Credential::Basic { username, .. } if is_access_key(username) => {
                let given = self.temporary.get(&self.settings.name, async || self.ask(kept).await).await;
                given.map_err(|error| match error.kind() {
                    ErrorKind::Denied => {
                        error.remedy("the key's user needs the RAM permissions cr:ListInstance and cr:GetAuthorizationToken")
                    }
                    _ => error,
                })
            }
            _ => Ok(kept.clone()),
        }
    }
}
