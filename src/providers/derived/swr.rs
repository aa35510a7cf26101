//! The login at Huawei's SWR: the region and the access key as user name, and as password the access key signed with the secret key
//! ("Obtaining a Long-Term Login Command").

use async_trait::async_trait;
use data_encoding::HEXLOWER;

use crate::credentials::{Credential, Secret};
use crate::providers::sigv4::hmac_sha256;
use crate::registry::{Error, ErrorKind, Result};
use crate::transport::{Exchange, Settings};

/// The length of a login key, which is a signature in hexadecimal digits. Secret keys have 40 characters.
const LOGIN_KEY_LENGTH: usize = 64;

pub(super) struct SwrLogin {
    name: String,
    region: Option<String>,
}

impl SwrLogin {
    pub fn new(region: Option<&str>, settings: &Settings) -> SwrLogin {
        SwrLogin { name: settings.name.clone(), region: region.map(str::to_owned) }
    }

    fn login(&self, kept: &Credential) -> Result<Credential> {
        let Credential::Basic { username, password } = kept else { return Ok(kept.clone()) };
        if is_login_key(password) {
            return Ok(kept.clone());
        }
        let (username, access_key) = match (username.split_once('@'), &self.region) {
            (Some((_, access_key)), _) => (username.clone(), access_key),
            (None, Some(region)) => (format!("{region}@{username}"), username.as_str()),
            (None, None) => {
                return Err(Error::new(ErrorKind::CredentialUnavailable, "sign in to", &self.name)
                    .because("neither the entry nor its user name says the region; give it with `regctl update NAME --region`"));
            }
        };
        let signed = hmac_sha256(password.expose().as_bytes(), access_key);
        Ok(Credential::Basic { username, password: Secret::new(HEXLOWER.encode(&*signed)) })
    }
}

/// Whether this is what the login command of Huawei's console shows: then somebody signed already.
pub(in crate::providers) fn is_login_key(secret: &Secret) -> bool {
    let text = secret.expose();
    text.len() == LOGIN_KEY_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
}

#[async_trait]
impl Exchange for SwrLogin {
    async fn exchange(&self, kept: &Credential) -> Result<Credential> {
        self.login(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET_KEY: &str = "fakeSecretKeyForTestsOnly0000000000000000";
    const LOGIN_KEY: &str = "c8eace1ce437b1110cbd90af1f678a9ee9cbbda0c8a33e6135eecae9ad4bcdfc";

    fn login(region: Option<&str>, username: &str, secret: &str) -> std::result::Result<(String, String), ErrorKind> {
        let settings = Settings::new("prod", "https://swr.cn-north-4.myhuaweicloud.com".parse().unwrap());
        let kept = Credential::Basic { username: username.to_owned(), password: Secret::new(secret) };
        match SwrLogin::new(region, &settings).login(&kept) {
            Ok(Credential::Basic { username, password }) => Ok((username, password.expose().to_owned())),
            Ok(other) => panic!("unexpected {other:?}"),
            Err(error) => Err(error.kind()),
        }
    }

    #[test]
    fn logins() {
        let expected = Ok(("cn-north-4@FAKEAK0123456789ABCD".to_owned(), LOGIN_KEY.to_owned()));
        assert_eq!(login(Some("cn-north-4"), "FAKEAK0123456789ABCD", SECRET_KEY), expected);
        assert_eq!(login(None, "cn-north-4@FAKEAK0123456789ABCD", SECRET_KEY), expected);
        assert_eq!(login(Some("cn-east-3"), "cn-north-4@FAKEAK0123456789ABCD", SECRET_KEY), expected);
        assert_eq!(login(None, "cn-north-4@FAKEAK0123456789ABCD", LOGIN_KEY), expected, "a login key is sent as it is");
        assert_eq!(login(None, "FAKEAK0123456789ABCD", SECRET_KEY), Err(ErrorKind::CredentialUnavailable));
    }
}
