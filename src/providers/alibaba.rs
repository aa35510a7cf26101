//! Alibaba Cloud's APIs of its container registries: where they are, how their calls are signed, what their answers mean, and which edition
//! and instance a registry is.
//!
//! The enterprise edition has calls with a name and parameters in the query, all at one address; the personal edition has addresses for
//! things. Hosts and signatures are the same.

use std::sync::Arc;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::Place;
use super::acs3::{Signed, Signer, content_digest};
use super::api::{Api, Fit, Keyed, undocumented};
use super::detect::{ALIBABA, alibaba_parts};
use super::provider::Pages;
use crate::credentials::Credential;
use crate::distribution::{clean, json as read_json};
use crate::registry::{Error, ErrorKind, Result};
use crate::transport::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use crate::transport::{Answer, Client, Cursor, Login, Method, Request, Sign, Unsigned};

const ACTION: HeaderName = HeaderName::from_static("x-acs-action");
const DATE: HeaderName = HeaderName::from_static("x-acs-date");
const DIGEST: HeaderName = HeaderName::from_static("x-acs-content-sha256");
const NONCE: HeaderName = HeaderName::from_static("x-acs-signature-nonce");
const VERSION: HeaderName = HeaderName::from_static("x-acs-version");
/// How the service of an Alibaba registry's tokens begins; its edition follows.
const TOKEN_SERVICE: &str = "registry.aliyuncs.com:";
/// How the names of enterprise instances begin.
const INSTANCE: &str = "cri-";
/// The most that Alibaba puts on a page.
pub(super) const PAGE: &str = "100";

/// The API, for one registry.
pub(super) struct Alibaba {
    api: Api,
    registry: Client,
    fit: Fit,
    edition: OnceCell<Edition>,
}

/// What kind of registry it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Edition {
    /// The personal edition.
    Personal,
    /// An instance of the enterprise edition, by its identifier.
    Enterprise(String),
}

/// What a host's name says of the edition.
#[derive(Debug, PartialEq, Eq)]
enum Named<'a> {
    Personal,
    /// An instance of the enterprise edition, by its name.
    Enterprise(&'a str),
}

/// Whether this is the name of a key for Alibaba's APIs. User names of its registries are those of accounts, often with an `@`.
pub(super) fn is_access_key(username: &str) -> bool {
    username.starts_with("LTAI") && username.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Signs with the key of the credential.
struct Key;

impl Sign for Key {
    fn sign(&self, credential: &Credential, request: &Unsigned<'_>) -> std::result::Result<HeaderMap, String> {
        let Credential::Basic { username: access_key, password: secret_key } = credential else {
            return Err("its API takes an AccessKey".into());
        };
        #[expect(clippy::disallowed_methods, reason = "Alibaba compares the time of a signature with its own clock")]
        let date = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        // each is taken once
        let nonce = uuid::Uuid::now_v7().simple().to_string();
        let digest = content_digest(request.body);
        let host = request.url.host_str().unwrap_or_default();
        let host = request.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let text = |name: &HeaderName| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let headers = [
            ("host", host.as_str()),
            ("x-acs-action", text(&ACTION)),
            ("x-acs-content-sha256", &digest),
            ("x-acs-date", &date),
            ("x-acs-signature-nonce", &nonce),
            ("x-acs-version", text(&VERSION)),
        ];
        let signed = Signed { method: request.method, url: request.url, headers: &headers, body: request.body };
        let value = |text: &str| HeaderValue::from_str(text).expect("letters, digits and signs fit a header");
        let authorization = Signer { access_key, secret_key }.authorization(&signed);
        let own = [(AUTHORIZATION, value(&authorization)), (DIGEST, value(&digest)), (DATE, value(&date)), (NONCE, value(&nonce))];
        Ok(HeaderMap::from_iter(own))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Instance {
    instance_id: String,
    instance_name: String,
}

impl Alibaba {
    /// The API of the registry at this place; `None` where it isn't known.
    pub fn open(place: &Place) -> Result<Option<Alibaba>> {
        let signer: Arc<dyn Sign> = Arc::new(Key);
        let takes = move |credential: &Credential| match credential {
            Credential::Basic { username, .. } if is_access_key(username) => Some(Login::Signed(Arc::clone(&signer))),
            _ => None,
        };
        let fit = Fit::default();
        let host = place.client.base().host_str().unwrap_or_default();
        let region = alibaba_parts(host).filter(|_| named(host).is_some()).and_then(|(region, _)| region);
        let usual = region.map_or_else(|| format!("https://cr{ALIBABA}"), |region| format!("https://cr.{region}{ALIBABA}"));
        let api = Api::known(place, |_| region.is_some(), &usual, fit.noting(takes))?;
        Ok(api.map(|api| Alibaba { api, registry: place.client.clone(), fit, edition: OnceCell::new() }))
    }

    /// Whether the credential was found to be no key.
    pub fn is_refused(&self) -> bool {
        self.fit.is_refused()
    }

    /// What kind of registry this is: as its name says, or else the challenge that it sends to those it doesn't know.
    pub async fn edition(&self, operation: &'static str, subject: &str) -> Result<&Edition> {
        self.edition.get_or_try_init(|| self.find(operation, subject)).await
    }

    async fn find(&self, operation: &'static str, subject: &str) -> Result<Edition> {
        self.api.wants_key(operation, subject).await?;
        match named(self.registry.base().host_str().unwrap_or_default()) {
            Some(Named::Personal) => Ok(Edition::Personal),
            Some(Named::Enterprise(name)) => self.instance(name, operation, subject).await.map(Edition::Enterprise),
            None => {
                let greeting = self.registry.greet().await.map_err(|error| error.on(operation, subject))?;
                greeting.service.as_deref().and_then(edition).ok_or_else(|| {
                    Error::new(ErrorKind::Unsupported, operation, subject)
                        .because("it doesn't say which edition of Alibaba's registry it is, so it isn't known which API is its own")
                })
            }
        }
    }

    /// The identifier of the instance of this name.
    async fn instance(&self, name: &str, operation: &'static str, subject: &str) -> Result<String> {
        use futures_util::TryStreamExt;
        let request = self.call("ListInstance").query("PageSize", PAGE);
        let entries = |instances: Vec<Instance>| {
            instances.into_iter().map(|value| Keyed { key: value.instance_id.clone(), value }).collect::<Vec<_>>()
        };
        let mut pages = self.list(request, (NUMBER, "/Instances"), operation, subject.to_owned(), entries);
        while let Some(page) = pages.try_next().await? {
            if let Some(found) = page.into_iter().find(|instance| instance.instance_name == name) {
                return Ok(found.instance_id);
            }
        }
        let why = format!("this key sees no instance of the name {name} in this region");
        Err(Error::new(ErrorKind::Denied, operation, subject).because(why))
    }

    /// A call of the enterprise edition.
    pub fn call(&self, action: &'static str) -> Request {
        let request = self.api.request(Method::POST, "/").header(ACTION, action).header(VERSION, "2018-12-01");
        // the same call twice does what it does once: none of ours makes anything that lasts
        request.repeatable()
    }

    /// A request of the personal edition.
    pub fn at(&self, method: Method, path: &str, action: &'static str) -> Request {
        self.api.request(method, path).header(ACTION, action).header(VERSION, "2016-06-07").repeatable()
    }

    /// Sends, and reads what is answered.
    pub async fn read<T: DeserializeOwned>(&self, request: Request, operation: &'static str, subject: &str) -> Result<T> {
        read(&self.api.send(request, operation, subject).await?, operation, subject)
    }

    /// Deletes by one call. "Not there" is `false`, unless it is the second attempt after one whose answer was lost.
    pub async fn delete(&self, request: Request, operation: &'static str, subject: &str) -> Result<bool> {
        self.api.delete_by(request, operation, subject, |answer| read::<Value>(answer, operation, subject)).await
    }

    /// Reads a list, which stands in each answer where the JSON pointer says.
    pub fn list<'a, P: DeserializeOwned, T: Send + 'a>(
        &'a self,
        first: Request,
        (cursor, at): (Cursor, &'static str),
        operation: &'static str,
        subject: String,
        entries: impl Fn(Vec<P>) -> Vec<Keyed<T>> + Send + 'a,
    ) -> Pages<'a, T> {
        let of = subject.clone();
        let page = move |answer: &Answer| {
            let mut document: Value = read(answer, operation, &of)?;
            let list = document.pointer_mut(at).map(Value::take).filter(|list| !list.is_null());
            let list = list.map_or_else(|| Ok(Vec::new()), serde_json::from_value);
            list.map(&entries).map_err(|why| undocumented(answer, operation, &of, "Alibaba", why))
        };
        self.api.list_by(first, cursor, operation, subject, page)
    }
}

/// How lists of the enterprise edition go on.
pub(super) const NUMBER: Cursor = Cursor::Number { parameter: "PageNo", more: None };

/// What the host's name says. Newer registries of the personal edition (`….personal.cr.aliyuncs.com`) have an API that nobody documents.
fn named(host: &str) -> Option<Named<'_>> {
    let start = host.strip_suffix(ALIBABA)?;
    match start.strip_suffix(".cr") {
        None => {
            matches!(start.split('.').next(), Some("registry" | "registry-vpc" | "registry-internal")).then_some(Named::Personal)
        }
        Some(start) => {
            let (first, region) = start.split_once('.')?;
            let name = first.strip_suffix("-registry").or_else(|| first.strip_suffix("-registry-vpc"))?;
            (!name.is_empty() && !region.contains('.')).then_some(Named::Enterprise(name))
        }
    }
}

/// What the service of its tokens says: `registry.aliyuncs.com:REGION:cri-…` is an instance, any other number an account.
fn edition(service: &str) -> Option<Edition> {
    let last = service.strip_prefix(TOKEN_SERVICE)?.rsplit(':').next()?;
    Some(match last.starts_with(INSTANCE) {
        true => Edition::Enterprise(last.to_owned()),
        false => Edition::Personal,
    })
}

/// What is in an answer: a result, or what is wrong.
fn read<T: DeserializeOwned>(answer: &Answer, operation: &'static str, subject: &str) -> Result<T> {
    let document: Value = match answer.status.is_success() {
        true => read_json(answer, operation, subject)?,
        false => serde_json::from_slice(&answer.body).unwrap_or_default(),
    };
    if !answer.status.is_success() || document.get("IsSuccess") == Some(&Value::Bool(false)) {
        return Err(refused(&document, answer, operation, subject));
    }
    serde_json::from_value(document).map_err(|why| undocumented(answer, operation, subject, "Alibaba", why))
}

fn refused(document: &Value, answer: &Answer, operation: &'static str, subject: &str) -> Error {
    let text = |names: [&str; 2]| names.iter().find_map(|name| document.get(name)?.as_str()).map(clean).unwrap_or_default();
    let (status, code, message) = (answer.status.as_u16(), text(["Code", "code"]), text(["Message", "message"]));
    let why = match (code.is_empty(), message.is_empty()) {
        (false, false) => format!("{code}: {message}"),
        (false, true) => format!("Alibaba answered {code}"),
        (true, _) => format!("Alibaba answered {status}"),
    };
    Error::new(meaning(&code, status), operation, subject).answered(status, Some(code).filter(|code| !code.is_empty())).because(why)
}

/// What the code of an error means (Alibaba Cloud, "Service error codes" and the errors of each call). A status of 404 is no "not there": an
/// unknown key has it too.
fn meaning(code: &str, status: u16) -> ErrorKind {
    let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| code.starts_with(beginning));
    match status {
        _ if code.ends_with("_NOT_EXIST") || code.ends_with("NotExist") => ErrorKind::NotFound,
        _ if begins(&[
            "InvalidAccessKey",
            "SignatureDoesNotMatch",
            "IncompleteSignature",
            "InvalidTimeStamp",
            "InvalidSecurityToken",
        ]) =>
        {
            ErrorKind::CredentialRefused
        }
        _ if begins(&["NoPrivilege", "NoPermission", "Forbidden"]) => ErrorKind::Denied,
        _ if begins(&["Throttling"]) => ErrorKind::RateLimited,
        401 => ErrorKind::CredentialRefused,
        403 => ErrorKind::Denied,
        429 => ErrorKind::RateLimited,
        500..=599 => ErrorKind::Unreachable,
        _ => ErrorKind::Invalid,
    }
}

/// Reads a number that Alibaba writes as a number in one edition and as text in the other.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<i64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_i64().or_else(|| value.as_str()?.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_says() {
        for (host, expected) in [
            ("registry.cn-hangzhou.aliyuncs.com", Some(Named::Personal)),
            ("registry-vpc.cn-hangzhou.aliyuncs.com", Some(Named::Personal)),
            ("registry-internal.cn-hangzhou.aliyuncs.com", Some(Named::Personal)),
            ("acme-registry.eu-central-1.cr.aliyuncs.com", Some(Named::Enterprise("acme"))),
            ("acme-registry-vpc.eu-central-1.cr.aliyuncs.com", Some(Named::Enterprise("acme"))),
            ("my-registry-registry.eu-central-1.cr.aliyuncs.com", Some(Named::Enterprise("my-registry"))),
            ("crpi-x.cn-beijing.personal.cr.aliyuncs.com", None),
            ("bucket.oss-cn-hangzhou.aliyuncs.com", None),
            ("registry.example.com", None),
        ] {
            assert_eq!(named(host), expected, "{host}");
        }
    }

    #[test]
    fn what_a_challenge_says() {
        for (service, expected) in [
            ("registry.aliyuncs.com:cn-hangzhou:26842", Some(Edition::Personal)),
            ("registry.aliyuncs.com:cn-hangzhou:china:cri-abc", Some(Edition::Enterprise("cri-abc".into()))),
            ("harbor-registry", None),
            ("", None),
        ] {
            assert_eq!(edition(service), expected, "{service}");
        }
    }

    #[test]
    fn codes() {
        for (code, status, kind) in [
            ("REPO_NOT_EXIST", 404, ErrorKind::NotFound),
            ("REPO_TAG_NOT_EXIST", 200, ErrorKind::NotFound),
            ("InvalidAccessKeyId.NotFound", 404, ErrorKind::CredentialRefused),
            ("SignatureDoesNotMatch", 400, ErrorKind::CredentialRefused),
            ("InvalidAction.NotFound", 404, ErrorKind::Invalid),
            ("", 404, ErrorKind::Invalid),
            ("NoPrivilege", 403, ErrorKind::Denied),
            ("Forbidden.RAM", 403, ErrorKind::Denied),
            ("Throttling.User", 400, ErrorKind::RateLimited),
            ("SystemError", 500, ErrorKind::Unreachable),
        ] {
            assert_eq!(meaning(code, status), kind, "{code}");
        }
    }

    #[test]
    fn which_user_names_are_keys() {
        for (username, is) in [("LTAI5tExampleKey00000000", true), ("alice@acme", false), ("LTAI@acme", false), ("", false)] {
            assert_eq!(is_access_key(username), is, "{username}");
        }
    }
}
