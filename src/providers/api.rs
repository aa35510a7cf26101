//! What calls to vendors' own APIs have in common: where the API is, JSON in and out, and what its answers mean.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::{Stream, TryStreamExt};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use url::Url;

use super::Place;
use super::provider::Pages;
use crate::credentials::Credential;
use crate::distribution::{error, json};
use crate::oci::is_plausible_date;
use crate::registry::{Error, ErrorKind, Result};
use crate::transport::header::ACCEPT;
use crate::transport::{Answer, Client, Cursor, LIST_LIMIT, Login, Method, Owner, Request, paged};

/// How long a deletion may take: some vendors walk all of a repository before they answer.
const PATIENCE: Duration = Duration::from_secs(300);

/// A vendor's own API.
#[derive(Clone)]
pub(super) struct Api {
    client: Client,
    name: String,
}

/// Whether the credential was found to be one that the API takes: a registry's own password is none. Known once the API was to be asked,
/// because only then the credential is looked up.
#[derive(Clone, Default)]
pub(super) struct Fit(Arc<OnceLock<bool>>);

impl Fit {
    /// The same `takes`, whose answer is remembered.
    pub fn noting(
        &self,
        takes: impl Fn(&Credential) -> Option<Login> + Send + Sync + 'static,
    ) -> impl Fn(&Credential) -> Option<Login> + Send + Sync + 'static {
        let Fit(noted) = self.clone();
        move |credential| {
            let login = takes(credential);
            // there is one credential in a run
            let _ = noted.set(login.is_some());
            login
        }
    }

    /// Whether it is one that the API doesn't take.
    pub fn is_refused(&self) -> bool {
        self.0.get() == Some(&false)
    }
}

/// An entry of a list with the name that tells it from the others.
pub(super) struct Keyed<T> {
    pub key: String,
    pub value: T,
}

impl Api {
    /// The API at `base` of the registry that `client` is for.
    pub fn new(
        client: &Client,
        base: Url,
        takes: impl Fn(&Credential) -> Option<Login> + Send + Sync + 'static,
        owner: Owner,
    ) -> Result<Api> {
        Ok(Api { client: client.api(base, Arc::new(takes), owner)?, name: client.name().to_owned() })
    }

    /// The API where the entry says, else at `path` on the registry's own host.
    pub fn beside(place: &Place, path: &str, takes: impl Fn(&Credential) -> Option<Login> + Send + Sync + 'static) -> Result<Api> {
        let base = place.api_address.clone().unwrap_or_else(|| {
            let mut base = place.client.base().clone();
            base.set_path(path);
            base
        });
        Api::new(&place.client, base, takes, Owner::Registry)
    }

    /// The API where the entry says, else at `address` if the registry is on a host that is known to belong to it. `None` when neither:
    /// a credential goes to no host that nobody named.
    pub fn known(
        place: &Place,
        hosts: impl Fn(&str) -> bool,
        address: &str,
        takes: impl Fn(&Credential) -> Option<Login> + Send + Sync + 'static,
    ) -> Result<Option<Api>> {
        if let Some(base) = place.api_address.clone() {
            return Api::new(&place.client, base, takes, Owner::Registry).map(Some);
        }
        if !place.client.base().host_str().is_some_and(hosts) {
            return Ok(None);
        }
        let base = Url::parse(address).expect("the constant is an address");
        Api::new(&place.client, base, takes, Owner::Vendor).map(Some)
    }

    /// Refuses, and asks nobody, where there is no credential: for APIs that answer nobody without a key.
    pub async fn wants_key(&self, operation: &'static str, subject: &str) -> Result<()> {
        match self.client.username().await.map_err(|error| error.on(operation, subject))? {
            Some(_) => Ok(()),
            None => Err(Error::new(ErrorKind::CredentialMissing, operation, subject)
                .because("the vendor's own API takes a key as user name and password, and there is none")),
        }
    }

    /// A request for a path that stands after the API's address.
    pub fn request(&self, method: Method, path: &str) -> Request {
        self.client.request(method, path).header(ACCEPT, "application/json")
    }

    /// Sends; any status is an answer, but a web page is none: then something else answers there.
    pub async fn send(&self, request: Request, operation: &'static str, subject: &str) -> Result<Answer> {
        let answer = self.client.send(request).await.map_err(|error| error.on(operation, subject))?;
        match answer.media_type() == "text/html" && !matches!(answer.status.as_u16(), 401 | 403 | 429 | 500..) {
            false => Ok(answer),
            true => Err(Error::new(ErrorKind::Protocol, operation, subject)
                .answered(answer.status.as_u16(), None)
                .because(format!("a web page answers at {}, not the vendor's API", answer.url.path()))
                .remedy(format!("if the API is elsewhere: regctl update {} --api-address URL", self.name))),
        }
    }

    /// Reads one document.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, operation: &'static str, subject: &str) -> Result<T> {
        self.read(self.request(Method::GET, path), operation, subject).await
    }

    /// Reads one document by a request of its own kind.
    pub async fn read<T: DeserializeOwned>(&self, request: Request, operation: &'static str, subject: &str) -> Result<T> {
        let answer = self.send(request, operation, subject).await?;
        match answer.status.is_success() {
            true => json(&answer, operation, subject),
            false => Err(error(&answer, operation, subject)),
        }
    }

    /// Deletes by one call. "Not there" is `false`, unless it is the second attempt after one whose answer was lost.
    pub async fn delete(&self, request: Request, operation: &'static str, subject: &str) -> Result<bool> {
        let answer = self.send(request.repeatable().patience(PATIENCE), operation, subject).await?;
        match answer.status.as_u16() {
            200..=299 => Ok(true),
            404 | 410 => Ok(answer.repeated),
            _ => Err(error(&answer, operation, subject)),
        }
    }

    /// The same by a call that says in its answer how it went, which `read` finds out.
    pub async fn delete_by<T>(
        &self,
        request: Request,
        operation: &'static str,
        subject: &str,
        read: impl FnOnce(&Answer) -> Result<T>,
    ) -> Result<bool> {
        let answer = self.send(request, operation, subject).await?;
        match read(&answer) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(answer.repeated),
            Err(error) => Err(error),
        }
    }

    /// Waits for work that the vendor does after it has answered, until `finished` says so of what it reads at `path`.
    pub async fn wait<T: DeserializeOwned>(
        &self,
        path: &str,
        finished: impl Fn(&T) -> bool,
        operation: &'static str,
        subject: &str,
    ) -> Result<T> {
        let request = self.request(Method::GET, path);
        let done =
            |answer: &Answer| !answer.status.is_success() || json(answer, operation, subject).is_ok_and(|read| finished(&read));
        let answer = self.client.poll(request, done).await.map_err(|error| error.on(operation, subject))?;
        match answer.status.is_success() {
            true => json(&answer, operation, subject),
            false => Err(error(&answer, operation, subject)),
        }
    }

    /// Reads a list: `entries` takes a page apart, and each entry has its key.
    pub fn list<'a, P: DeserializeOwned, T: Send + 'a>(
        &'a self,
        first: Request,
        cursor: Cursor,
        operation: &'static str,
        subject: String,
        entries: impl Fn(P) -> Vec<Keyed<T>> + Send + 'a,
    ) -> Pages<'a, T> {
        self.list_or(first, cursor, operation, subject, entries, |answer, operation, subject| error(answer, operation, subject))
    }

    /// The same where `refusal` knows better than the status what is wrong.
    pub fn list_or<'a, P: DeserializeOwned, T: Send + 'a>(
        &'a self,
        first: Request,
        cursor: Cursor,
        operation: &'static str,
        subject: String,
        entries: impl Fn(P) -> Vec<Keyed<T>> + Send + 'a,
        refusal: fn(&Answer, &'static str, &str) -> Error,
    ) -> Pages<'a, T> {
        let of = subject.clone();
        let read = move |answer: &Answer| match answer.status.as_u16() {
            200..=299 => json(answer, operation, &of).map(&entries),
            _ => Err(refusal(answer, operation, &of)),
        };
        self.list_by(first, cursor, operation, subject, read)
    }

    /// The same where `read` knows better than the status whether an answer is a page.
    pub fn list_by<'a, T: Send + 'a>(
        &'a self,
        first: Request,
        cursor: Cursor,
        operation: &'static str,
        subject: String,
        read: impl Fn(&Answer) -> Result<Vec<Keyed<T>>> + Send + 'a,
    ) -> Pages<'a, T> {
        let first = first.limit(LIST_LIMIT);
        Box::pin(values(paged(&self.client, first, cursor, read, |entry: &Keyed<T>| entry.key.as_str()), operation, subject))
    }
}

fn values<'a, T: Send + 'a>(
    pages: impl Stream<Item = Result<Vec<Keyed<T>>>> + Send + 'a,
    operation: &'static str,
    subject: String,
) -> impl Stream<Item = Result<Vec<T>>> + Send + 'a {
    pages
        .map_ok(|page| page.into_iter().map(|entry| entry.value).collect())
        .map_err(move |error| if error.status().is_some() { error } else { error.on(operation, &subject) })
}

/// A name as one part of a path, with its slashes escaped.
pub(super) fn escaped(name: &str) -> String {
    name.replace('/', "%2F")
}

/// Reads what is only told along the way: of another type than documented it is as good as missing, and no reason to fail a whole list.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> std::result::Result<Option<T>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// A date as a vendor writes it; `None` for "never", for what is made up, and for what is no date: that is no reason to fail.
pub(super) fn date(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok().filter(|date| is_plausible_date(*date))
}

/// The error of an answer that doesn't have what the vendor documents.
pub(super) fn undocumented(answer: &Answer, operation: &'static str, subject: &str, vendor: &str, why: serde_json::Error) -> Error {
    Error::new(ErrorKind::Protocol, operation, subject)
        .answered(answer.status.as_u16(), None)
        .because(format!("it answered with something that is not what {vendor} documents"))
        .caused_by(why)
}

/// Why a vendor's API is not asked: it isn't known where it is.
pub(super) fn nowhere(operation: &'static str, subject: &str, name: &str) -> Error {
    Error::new(ErrorKind::Unsupported, operation, subject)
        .because("only the vendor's own API can do that, and on this host it isn't known where that is")
        .remedy(format!("regctl update {name} --api-address URL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_along_the_way_may_be_anything() {
        #[derive(Deserialize)]
        struct Told {
            #[serde(default, deserialize_with = "lenient")]
            size: Option<u64>,
        }
        for (text, size) in [("5", Some(5)), ("-5", None), ("5.5", None), ("\"5\"", None), ("null", None), ("{}", None)] {
            let told: Told = serde_json::from_str(&format!("{{\"size\":{text}}}")).unwrap();
            assert_eq!(told.size, size, "{text}");
        }
        assert_eq!(serde_json::from_str::<Told>("{}").unwrap().size, None);
    }

    #[test]
    fn never_is_no_date() {
        for (text, is) in [
            ("0001-01-01T00:00:00.000Z", false),
            ("1970-01-01T00:00:00Z", false),
            ("1980-01-02T00:00:00Z", false),
            ("1980-01-03T00:00:00Z", true),
            ("2026-11-20T12:00:00.123456Z", true),
            ("2026-11-20T12:00:00+02:00", true),
            ("yesterday", false),
            ("", false),
        ] {
            assert_eq!(date(Some(text)).is_some(), is, "{text}");
        }
        assert_eq!(date(None), None);
    }
}
