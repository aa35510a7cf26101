//! The token for Amazon's ECR: asked of ECR's API with a request that the access key signs (`GetAuthorizationToken`), and then the
//! password of the user `AWS` for some hours.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

use super::temporary::{LIFETIME_MIN, Temporary};
use crate::credentials::{Anonymous, Credential, Secret};
use crate::providers::detect::{ECR_PUBLIC, ecr_parts};
use crate::providers::sigv4::{self, Signed, Signer};
use crate::registry::{Error, ErrorKind, Result};
use crate::transport::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use crate::transport::{Answer, Client, Exchange, Method, Settings};

/// The user of every ECR registry, whose password a token is.
pub const ECR_USER: &str = "AWS";
/// How the names of keys begin that are of no use without a session token, which is not kept.
pub(in crate::providers) const TEMPORARY: &str = "ASIA";
/// The protocol of these APIs.
pub(in crate::providers) const MEDIA_TYPE: &str = "application/x-amz-json-1.1";
/// As long as Amazon lets a token last.
const LIFETIME_MAX: Duration = Duration::from_secs(12 * 3600);
/// How much of a server's explanation is told.
const EXPLANATION_MAX: usize = 200;

pub(super) struct EcrToken {
    client: Client,
    url: Url,
    region: Option<String>,
    service: &'static Service,
    temporary: Temporary,
}

/// One of Amazon's two APIs of registries.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::providers) struct Service {
    /// As signatures name it.
    pub name: &'static str,
    /// What stands before an operation in `X-Amz-Target`.
    prefix: &'static str,
}

/// The API of private registries.
pub(in crate::providers) const PRIVATE: Service = Service { name: "ecr", prefix: "AmazonEC2ContainerRegistry_V20150921" };
/// The API of the public registry.
pub(in crate::providers) const PUBLIC: Service = Service { name: "ecr-public", prefix: "SpencerFrontendService" };

impl Service {
    /// The API of the registry at this host.
    pub fn of(host: &str) -> &'static Service {
        if ECR_PUBLIC.contains(&host) { &PUBLIC } else { &PRIVATE }
    }

    /// The value of `X-Amz-Target` for an operation.
    pub fn target(&self, operation: &str) -> String {
        format!("{}.{operation}", self.prefix)
    }
}

impl EcrToken {
    pub fn new(region: Option<&str>, settings: &Settings) -> EcrToken {
        let host = settings.base.host_str().unwrap_or_default();
        let service = Service::of(host);
        let url = settings.api.clone().unwrap_or_else(|| usual_api(host, region.unwrap_or_default()));
        // the same way there as to the registry, without what signs in to that
        let settings = Settings { credentials: Arc::new(Anonymous), exchange: None, ..settings.clone() };
        EcrToken { client: Client::new(settings), url, region: region.map(str::to_owned), service, temporary: Temporary::default() }
    }

    fn error(&self, kind: ErrorKind, why: impl Into<String>) -> Error {
        Error::new(kind, "sign in to", self.client.name()).because(why)
    }

    async fn token(&self, access_key: &str, secret_key: &Secret) -> Result<(Credential, Duration)> {
        let answer = self.ask(access_key, secret_key).await?;
        if !answer.status.is_success() {
            return Err(self.refusal(access_key, &answer));
        }
        let Some((credential, lifetime)) = read(&answer.body, now()) else {
            return Err(self.error(ErrorKind::Protocol, format!("{} answered without a token", self.api())));
        };
        tracing::debug!("{} gave a token that lasts {} min", self.api(), lifetime.as_secs() / 60);
        Ok((credential, lifetime))
    }

    async fn ask(&self, access_key: &str, secret_key: &Secret) -> Result<Answer> {
        let Some(region) = &self.region else {
            let why = "the entry doesn't say the region; give it with `regctl update NAME --region`";
            return Err(self.error(ErrorKind::CredentialUnavailable, why));
        };
        let (now, body) = (now(), "{}");
        let (date, host, target) = (sigv4::date(now), self.host(), self.service.target("GetAuthorizationToken"));
        let headers = [("content-type", MEDIA_TYPE), ("host", &host), ("x-amz-date", &date), ("x-amz-target", target.as_str())];
        let signer = Signer { access_key, secret_key, region, service: self.service.name };
        let signed = Signed { method: "POST", path: self.url.path(), headers: &headers, body: body.as_bytes() };
        let value = HeaderValue::from_str(&signer.authorization(&signed, now));
        let authorization =
            value.map_err(|_| self.error(ErrorKind::CredentialRefused, "the user name has characters that no access key has"))?;
        let date = HeaderValue::from_str(&date).expect("digits and letters fit a header");
        let own = HeaderMap::from_iter([
            (AUTHORIZATION, authorization),
            (HeaderName::from_static("x-amz-date"), date),
            (HeaderName::from_static("x-amz-target"), HeaderValue::from_str(&target).expect("letters and a dot fit a header")),
        ]);
        let request = self.client.request_at(Method::POST, self.url.clone()).content(MEDIA_TYPE, body.into()).signed(own);
        let answered = self.client.send(request.repeatable()).await;
        answered.map_err(|error| error.on("sign in to", self.client.name()))
    }

    /// The `Host` header as it will be sent.
    fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    fn api(&self) -> String {
        format!("{}://{}", self.url.scheme(), self.host())
    }

    /// What an answer that is no success means.
    fn refusal(&self, access_key: &str, answer: &Answer) -> Error {
        let status = answer.status.as_u16();
        let (code, explanation) = explanation(answer);
        let said = match explanation.is_empty() {
            true => code.clone(),
            false => format!("{code}: {explanation}"),
        };
        let (kind, why) = match code.as_str() {
            "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "IncompleteSignatureException"
            | "ExpiredTokenException" => {
                (ErrorKind::CredentialRefused, format!("{} refused the access key {access_key} ({said})", self.api()))
            }
            "AccessDeniedException" | "AccessDenied" => {
                (ErrorKind::Denied, format!("the access key {access_key} may not ask for a token ({said})"))
            }
            "ThrottlingException" => (ErrorKind::RateLimited, format!("{} is asked for too many tokens", self.api())),
            _ if status >= 500 => (ErrorKind::Unreachable, format!("{} answered {status} ({said})", self.api())),
            _ => (ErrorKind::Protocol, format!("{} answered {status} ({said})", self.api())),
        };
        self.error(kind, why).answered(status, Some(code).filter(|code| !code.is_empty()))
    }
}

#[async_trait]
impl Exchange for EcrToken {
    async fn exchange(&self, kept: &Credential) -> Result<Credential> {
        match kept {
            // a token already: of `credential_command`, or a Docker login
            Credential::Basic { username, .. } if username == ECR_USER => Ok(kept.clone()),
            Credential::Basic { username, .. } if username.starts_with(TEMPORARY) => Err(self.error(
                ErrorKind::CredentialUnavailable,
                format!("{username} is a temporary access key, which needs its session token; use credential_command, such as `aws ecr get-login-password`"),
            )),
            Credential::Basic { username, password } => {
                self.temporary.get(self.client.name(), async || self.token(username, password).await).await
            }
            Credential::IdentityToken(_) | Credential::RegistryToken(_) => Ok(kept.clone()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "Amazon compares the time of a signature with its own clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// Where the API of the registry at this host is (Amazon ECR endpoints and quotas).
pub(in crate::providers) fn usual_api(host: &str, region: &str) -> Url {
    let text = match ecr_parts(host) {
        _ if ECR_PUBLIC.contains(&host) => format!("https://api.ecr-public.{region}.amazonaws.com"),
        Some(parts) => {
            let fips = if parts.fips { "-fips" } else { "" };
            match parts.domain {
                // reached by IPv6 too
                "on.aws" => format!("https://ecr{fips}.{region}.api.aws"),
                "on.amazonwebservices.com.cn" => format!("https://ecr{fips}.{region}.api.amazonwebservices.com.cn"),
                domain if parts.fips => format!("https://ecr-fips.{region}.{domain}"),
                domain => format!("https://api.ecr.{region}.{domain}"),
            }
        }
        None if region.starts_with("cn-") => format!("https://api.ecr.{region}.amazonaws.com.cn"),
        None => format!("https://api.ecr.{region}.amazonaws.com"),
    };
    // A region that a host name can't have leads nowhere, and is said so when it is asked.
    text.parse().unwrap_or_else(|_| "https://api.ecr.invalid".parse().expect("the constant is an address"))
}

/// The answer of either API: one has a list where the other has the thing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    authorization_data: OneOrMany,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Data>),
    One(Data),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    authorization_token: Secret,
    /// Seconds since 1970.
    expires_at: Option<f64>,
}

/// The credential in an answer, and how long it lasts.
fn read(body: &[u8], now: Timestamp) -> Option<(Credential, Duration)> {
    let data = match serde_json::from_slice::<Tokens>(body).ok()?.authorization_data {
        OneOrMany::Many(all) => all.into_iter().next()?,
        OneOrMany::One(data) => data,
    };
    let pair = STANDARD.decode(data.authorization_token.expose()).ok().and_then(|pair| String::from_utf8(pair).ok())?;
    let pair = Secret::new(pair);
    let (username, password) = pair.expose().split_once(':').filter(|(_, password)| !password.is_empty())?;
    let credential = Credential::Basic { username: username.to_owned(), password: Secret::new(password) };
    let left = data.expires_at.map_or(LIFETIME_MAX.as_secs_f64(), |until| until - now.as_second() as f64);
    let lifetime = Duration::try_from_secs_f64(left).unwrap_or(LIFETIME_MIN).clamp(LIFETIME_MIN, LIFETIME_MAX);
    Some((credential, lifetime))
}

/// The name of the error and what it says. The name stands in the body as `prefix#Name`, in a header, or in XML.
fn explanation(answer: &Answer) -> (String, String) {
    let text = String::from_utf8_lossy(&answer.body);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let field = |names: &[&str]| names.iter().find_map(|name| value.get(name)?.as_str().map(str::to_owned));
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text.to_owned())
    };
    let code =
        field(&["__type", "code"]).or_else(|| answer.header("x-amzn-errortype").map(str::to_owned)).or_else(|| element("Code"));
    let code = code.unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default().trim();
    let message = field(&["message", "Message"]).or_else(|| element("Message")).unwrap_or_default();
    let message: String = message.lines().next().unwrap_or_default().chars().take(EXPLANATION_MAX).collect();
    (code.to_owned(), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From "Amazon Elastic Container Registry endpoints and quotas" and its page on dual-stack endpoints.
    #[test]
    fn where_the_api_is() {
        for (host, region, api) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1", "https://api.ecr.eu-west-1.amazonaws.com/"),
            ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", "us-east-1", "https://ecr-fips.us-east-1.amazonaws.com/"),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", "https://api.ecr.cn-north-1.amazonaws.com.cn/"),
            ("123456789012.dkr-ecr.eu-west-1.on.aws", "eu-west-1", "https://ecr.eu-west-1.api.aws/"),
            ("public.ecr.aws", "us-east-1", "https://api.ecr-public.us-east-1.amazonaws.com/"),
            ("registry.example.com", "eu-west-1", "https://api.ecr.eu-west-1.amazonaws.com/"),
            ("registry.example.com", "cn-north-1", "https://api.ecr.cn-north-1.amazonaws.com.cn/"),
            ("registry.example.com", "no region", "https://api.ecr.invalid/"),
        ] {
            assert_eq!(usual_api(host, region).as_str(), api, "{host}");
        }
    }

    #[test]
    fn answers() {
        let now: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
        let seconds = now.as_second();
        let token = STANDARD.encode("AWS:pa:ss");
        for (body, expected) in [
            (
                format!(r#"{{"authorizationData":[{{"authorizationToken":"{token}","expiresAt":{}.5}}]}}"#, seconds + 3600),
                Some(3600),
            ),
            (format!(r#"{{"authorizationData":{{"authorizationToken":"{token}","expiresAt":{}}}}}"#, seconds + 7200), Some(7200)),
            (format!(r#"{{"authorizationData":[{{"authorizationToken":"{token}"}}]}}"#), Some(43200)),
            // moto's tokens ended in 2015
            (format!(r#"{{"authorizationData":[{{"authorizationToken":"{token}","expiresAt":1420070400}}]}}"#), Some(600)),
            (format!(r#"{{"authorizationData":[{{"authorizationToken":"{token}","expiresAt":1e300}}]}}"#), Some(600)),
            (r#"{"authorizationData":[]}"#.to_owned(), None),
            (r#"{"authorizationData":[{"authorizationToken":"%%%"}]}"#.to_owned(), None),
            (format!(r#"{{"authorizationData":[{{"authorizationToken":"{}"}}]}}"#, STANDARD.encode("AWS:")), None),
            ("<html>".to_owned(), None),
        ] {
            let read = read(body.as_bytes(), now).map(|(credential, lifetime)| match credential {
                Credential::Basic { username, password } => {
                    assert_eq!((username.as_str(), password.expose()), ("AWS", "pa:ss"));
                    lifetime.as_secs()
                }
                other => panic!("unexpected {other:?}"),
            });
            assert_eq!(read, expected, "{body}");
        }
    }

    proptest! {
        #[test]
        fn answers_never_panic(until: f64, bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let now: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
            let body = serde_json::json!({ "authorizationData": [{ "authorizationToken": "QVdTOng=", "expiresAt": until }] });
            let (_, lifetime) = read(body.to_string().as_bytes(), now).expect("it has a token");
            prop_assert!(lifetime >= LIFETIME_MIN && lifetime <= LIFETIME_MAX);
            read(&bytes, now);
        }
    }
}
