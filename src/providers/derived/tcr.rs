//! The password for Tencent's TCR: asked of Tencent's API with a call that the key signs (`CreateInstanceToken`), and good for an hour. The
//! kind that lasts is not asked for: nobody would take it away again.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OnceCell;

use super::temporary::Temporary;
use super::{lifetime, place};
use crate::credentials::{Credential, Secret};
use crate::providers::tencent::{Tencent, is_secret_id};
use crate::registry::{Error, ErrorKind, Result};
use crate::transport::{Exchange, Settings};

const SIGN_IN: &str = "sign in to";
/// As long as a temporary password is good for.
const LIFETIME_MAX: Duration = Duration::from_secs(3600);

pub(super) struct TcrToken {
    settings: Settings,
    cloud: OnceCell<Option<Tencent>>,
    temporary: Temporary,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Token {
    username: String,
    token: Secret,
    /// Milliseconds since 1970.
    exp_time: Option<i64>,
}

impl TcrToken {
    pub fn new(settings: &Settings) -> TcrToken {
        TcrToken { settings: settings.clone(), cloud: OnceCell::new(), temporary: Temporary::default() }
    }

    async fn ask(&self, kept: &Credential) -> Result<(Credential, Duration)> {
        let name = self.settings.name.as_str();
        let unavailable = |why: &str| Error::new(ErrorKind::CredentialUnavailable, SIGN_IN, name).because(why);
        let cloud = self.cloud.get_or_try_init(async || Tencent::open(&place(&self.settings, kept))).await?;
        let Some(cloud) = cloud else {
            return Err(unavailable(
                "a SecretId has to be exchanged by Tencent's API, and on this host it isn't known where that is",
            )
            .remedy(format!("regctl update {name} --api-address https://tcr.tencentcloudapi.com")));
        };
        if cloud.is_personal() {
            return Err(unavailable("Tencent makes no password for the personal edition of a SecretId")
                .remedy("sign in with the account's number and the password of the personal edition (regctl login)"));
        }
        let instance = cloud.instance(SIGN_IN, name).await?;
        let document = json!({ "RegistryId": instance.id, "TokenType": "temp" });
        let token: Token = cloud.call("CreateInstanceToken", &document, &instance.region, SIGN_IN, name).await?;
        tracing::debug!("Tencent gave a password for {} to {name}", instance.id);
        Ok((Credential::Basic { username: token.username, password: token.token }, lifetime(token.exp_time, LIFETIME_MAX)))
    }
}

#[async_trait]
impl Exchange for TcrToken {
    async fn exchange(&self, kept: &Credential) -> Result<Credential> {
        match kept {
            Credential::Basic { username, .. } if is_secret_id(username) => {
                let given = self.temporary.get(&self.settings.name, async || self.ask(kept).await).await;
                given.map_err(|error| match error.kind() {
                    ErrorKind::Denied => {
                        error.remedy("the key's user needs the CAM permissions tcr:DescribeInstances and tcr:CreateInstanceToken")
                    }
                    _ => error,
                })
            }
            _ => Ok(kept.clone()),
        }
    }
}
