//! Tencent Cloud's API of its container registries: where it is, how its calls are signed, what its answers mean, and which instance a
//! registry is.
//!
//! Every call is a JSON document posted to one address, and every answer comes with 200: what it means is in it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::Place;
use super::api::{Api, Fit, Keyed, lenient, undocumented};
use super::provider::Pages;
use super::tc3::{Signed, Signer};
use crate::credentials::Credential;
use crate::distribution::{clean, error, json as read_json};
use crate::oci::null_as_default;
use crate::registry::{Error, ErrorKind, Result};
use crate::transport::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use crate::transport::{Answer, Cursor, Login, Method, Request, Sign, Unsigned};

/// Where the API is; accounts of the international site have another address, which the entry has to say.
const ADDRESS: &str = "https://tcr.tencentcloudapi.com";
/// The product, as signatures name it.
const SERVICE: &str = "tcr";
const ACTION: HeaderName = HeaderName::from_static("x-tc-action");
const VERSION: HeaderName = HeaderName::from_static("x-tc-version");
const REGION: HeaderName = HeaderName::from_static("x-tc-region");
const TIMESTAMP: HeaderName = HeaderName::from_static("x-tc-timestamp");
/// The last part of the names of instances.
const ENTERPRISE: &str = ".tencentcloudcr.com";
/// The last part of the names of the personal edition, which has no instances.
const PERSONAL: &str = "ccr.ccs.tencentyun.com";
/// The region that is asked for the instances of all regions: each call needs one, and Tencent's own programs take this.
const HOME: &str = "ap-guangzhou";
/// The most that Tencent puts on a page.
pub(super) const PAGE: u32 = 100;

/// The API, for one registry.
pub(super) struct Tencent {
    api: Api,
    host: String,
    fit: Fit,
    instance: OnceCell<Instance>,
}

/// An instance of the enterprise edition.
pub(super) struct Instance {
    pub id: String,
    pub region: String,
}

/// Whether this is the name of a key for Tencent's APIs. User names of its registries are numbers, or people's own words after a `$`.
pub(super) fn is_secret_id(username: &str) -> bool {
    let known = username.starts_with("AKID") || username.starts_with("IKID");
    known && username.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Signs with the key of the credential.
struct Key;

impl Sign for Key {
    fn sign(&self, credential: &Credential, request: &Unsigned<'_>) -> std::result::Result<HeaderMap, String> {
        let Credential::Basic { username: secret_id, password: secret_key } = credential else {
            return Err("its API takes a SecretId and a SecretKey".into());
        };
        #[expect(clippy::disallowed_methods, reason = "Tencent compares the time of a signature with its own clock")]
        let now = Timestamp::now();
        let host = request.url.host_str().unwrap_or_default();
        let host = request.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let text = |name: &HeaderName| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let signed = Signed { content_type: text(&CONTENT_TYPE), host: &host, action: text(&ACTION), body: request.body };
        let signer = Signer { secret_id, secret_key, service: SERVICE };
        let authorization =
            HeaderValue::from_str(&signer.authorization(&signed, now)).expect("a SecretId has letters and digits only");
        Ok(HeaderMap::from_iter([(AUTHORIZATION, authorization), (TIMESTAMP, HeaderValue::from(now.as_second()))]))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    response: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refusal {
    #[serde(default, deserialize_with = "lenient")]
    code: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Instances {
    #[serde(default, deserialize_with = "null_as_default")]
    registries: Vec<Described>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    registry_id: String,
    #[serde(default, deserialize_with = "lenient")]
    registry_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    region_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    public_domain: Option<String>,
}

impl Tencent {
    /// The API of the registry at this place; `None` where it isn't known.
    pub fn open(place: &Place) -> Result<Option<Tencent>> {
        let signer: Arc<dyn Sign> = Arc::new(Key);
        let takes = move |credential: &Credential| match credential {
            Credential::Basic { username, .. } if is_secret_id(username) => Some(Login::Signed(Arc::clone(&signer))),
            _ => None,
        };
        let fit = Fit::default();
        let ours = |host: &str| host.ends_with(ENTERPRISE) || host.ends_with(PERSONAL);
        let api = Api::known(place, ours, ADDRESS, fit.noting(takes))?;
        let host = place.client.base().host_str().unwrap_or_default().to_owned();
        Ok(api.map(|api| Tencent { api, host, fit, instance: OnceCell::new() }))
    }

    /// Whether the registry is one of the personal edition, which has other calls and no passwords that are made of keys.
    pub fn is_personal(&self) -> bool {
        self.host.ends_with(PERSONAL)
    }

    /// Whether the credential was found to be no key.
    pub fn is_refused(&self) -> bool {
        self.fit.is_refused()
    }

    /// The instance that this registry is, which is looked for among all of the account's.
    pub async fn instance(&self, operation: &'static str, subject: &str) -> Result<&Instance> {
        self.instance.get_or_try_init(|| self.find(operation, subject)).await
    }

    async fn find(&self, operation: &'static str, subject: &str) -> Result<Instance> {
        let names = names(&self.host);
        let mut document = json!({ "AllRegion": true, "Limit": PAGE, "Offset": 0 });
        if !names.is_empty() {
            document["Filters"] = json!([{ "Name": "RegistryName", "Values": names }]);
        }
        let found: Instances = self.call("DescribeInstances", &document, HOME, operation, subject).await?;
        let is_here = |described: &&Described| {
            described.public_domain.as_deref().is_some_and(|domain| domain.eq_ignore_ascii_case(&self.host))
        };
        let is_named = |described: &&Described| described.registry_name.as_deref().is_some_and(|name| names.contains(&name));
        let all = &found.registries;
        let Some(described) = all.iter().find(is_here).or_else(|| all.iter().find(is_named)) else {
            let why = format!("this key sees no instance of TCR at {}", self.host);
            return Err(Error::new(ErrorKind::Denied, operation, subject).because(why));
        };
        let region = described.region_name.clone().unwrap_or_else(|| HOME.to_owned());
        Ok(Instance { id: described.registry_id.clone(), region })
    }

    fn request(&self, action: &'static str, document: &Value, region: &str) -> Request {
        let request = self.api.request(Method::POST, "/").json(document).header(ACTION, action).header(VERSION, "2019-09-24");
        // the same call twice does what it does once: none of ours makes anything that lasts
        request.text_header(REGION, region).repeatable()
    }

    /// Calls in this region.
    pub async fn call<T: DeserializeOwned>(
        &self,
        action: &'static str,
        document: &Value,
        region: &str,
        operation: &'static str,
        subject: &str,
    ) -> Result<T> {
        self.api.wants_key(operation, subject).await?;
        let answer = self.api.send(self.request(action, document, region), operation, subject).await?;
        read(&answer, operation, subject)
    }

    /// Deletes by one call in this region. "Not there" is `false`, unless it is the second attempt after one whose answer was lost.
    pub async fn delete(
        &self,
        action: &'static str,
        document: &Value,
        region: &str,
        operation: &'static str,
        subject: &str,
    ) -> Result<bool> {
        let request = self.request(action, document, region);
        self.api.delete_by(request, operation, subject, |answer| read::<Value>(answer, operation, subject)).await
    }

    /// Reads a list. `document` asks for the first page, and `entries` takes a page apart.
    pub fn list<'a, P: DeserializeOwned, T: Send + 'a>(
        &'a self,
        action: &'static str,
        document: &Value,
        (region, cursor): (&str, Cursor),
        operation: &'static str,
        subject: String,
        entries: impl Fn(P) -> Vec<Keyed<T>> + Send + 'a,
    ) -> Pages<'a, T> {
        let (first, of) = (self.request(action, document, region), subject.clone());
        let page = move |answer: &Answer| read(answer, operation, &of).map(&entries);
        Box::pin(async_stream::try_stream! {
            self.api.wants_key(operation, &subject).await?;
            for await page in self.api.list_by(first, cursor, operation, subject, page) {
                yield page?;
            }
        })
    }
}

/// What an instance at this host may be called. In Tencent's own networks `-vpc` stands after the name.
fn names(host: &str) -> Vec<&str> {
    let Some(name) = host.strip_suffix(ENTERPRISE) else { return Vec::new() };
    std::iter::once(name).chain(name.strip_suffix("-vpc")).collect()
}

/// What is in an answer: a result, or what is wrong.
fn read<T: DeserializeOwned>(answer: &Answer, operation: &'static str, subject: &str) -> Result<T> {
    if !answer.status.is_success() {
        return Err(error(answer, operation, subject));
    }
    let Envelope { response } = read_json(answer, operation, subject)?;
    match response.get("Error") {
        Some(refusal) => Err(refused(refusal, answer, operation, subject)),
        None => serde_json::from_value(response).map_err(|why| undocumented(answer, operation, subject, "Tencent", why)),
    }
}

fn refused(refusal: &Value, answer: &Answer, operation: &'static str, subject: &str) -> Error {
    let refusal: Refusal = serde_json::from_value(refusal.clone()).unwrap_or(Refusal { code: None, message: None });
    let code = clean(&refusal.code.unwrap_or_default());
    let message = refusal.message.map(|message| clean(&message)).filter(|message| !message.is_empty());
    let why = message.map_or_else(|| format!("Tencent answered {code}"), |message| format!("{code}: {message}"));
    Error::new(meaning(&code), operation, subject).answered(answer.status.as_u16(), Some(code)).because(why)
}

/// What the code of an error means: words with dots between, from the general to the special (Tencent Cloud, "Error Codes").
fn meaning(code: &str) -> ErrorKind {
    match code.split('.').next().unwrap_or_default() {
        "AuthFailure" if code.ends_with(".UnauthorizedOperation") => ErrorKind::Denied,
        "AuthFailure" => ErrorKind::CredentialRefused,
        "UnauthorizedOperation" | "OperationDenied" => ErrorKind::Denied,
        "ResourceNotFound" => ErrorKind::NotFound,
        "ResourceInUse" => ErrorKind::Conflict,
        "RequestLimitExceeded" => ErrorKind::RateLimited,
        "UnsupportedOperation" | "UnsupportedRegion" => ErrorKind::Unsupported,
        "InternalError" => ErrorKind::Unreachable,
        _ => ErrorKind::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_user_names_are_keys() {
        for (username, is) in [
            ("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", true),
            ("IKID0123456789abcdef", true),
            ("100012345678", false),
            ("tcr$robot", false),
            ("AKID with spaces", false),
            ("AKIAIOSFODNN7EXAMPLE", false),
            ("", false),
        ] {
            assert_eq!(is_secret_id(username), is, "{username}");
        }
    }

    #[test]
    fn codes() {
        for (code, kind) in [
            ("AuthFailure.SecretIdNotFound", ErrorKind::CredentialRefused),
            ("AuthFailure.SignatureExpire", ErrorKind::CredentialRefused),
            ("AuthFailure.UnauthorizedOperation", ErrorKind::Denied),
            ("UnauthorizedOperation", ErrorKind::Denied),
            ("UnauthorizedOperation.CamNoAuth", ErrorKind::Denied),
            ("ResourceNotFound", ErrorKind::NotFound),
            ("ResourceNotFound.ErrNoRepo", ErrorKind::NotFound),
            ("RequestLimitExceeded.IPLimitExceeded", ErrorKind::RateLimited),
            ("InternalError.DbError", ErrorKind::Unreachable),
            ("InvalidParameterValue", ErrorKind::Invalid),
            ("", ErrorKind::Invalid),
        ] {
            assert_eq!(meaning(code), kind, "{code}");
        }
    }

    #[test]
    fn what_instances_may_be_called() {
        for (host, expected) in [
            ("acme.tencentcloudcr.com", vec!["acme"]),
            ("acme-vpc.tencentcloudcr.com", vec!["acme-vpc", "acme"]),
            ("registry.example.com", vec![]),
        ] {
            assert_eq!(names(host), expected, "{host}");
        }
    }
}
