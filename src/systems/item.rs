//! One registry in a document: reading its fields, each of which may be missing, `null` or of a wrong type.

use jiff::Timestamp;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::StrDeserializer;
use serde_json::Value;

use super::Problem;
use crate::catalogue::{Address, CaPem, CaSummary, DisplayName, Name};
use crate::credentials::Secret;

/// A JSON object.
pub(super) type Map = serde_json::Map<String, Value>;

/// What stands in place of a secret, in what is exported and in what is read.
pub(super) const REDACTED: &str = "REDACTED";

/// What systems and their documentation put in place of characters that they hide.
const MASK: &str = "***";

/// Whether a text hides something.
pub(super) fn is_masked(text: &str) -> bool {
    text.contains(MASK)
}

fn wrong(key: &str, value: &Value, expected: &str) -> Problem {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Problem::new(format!("`{key}` is {found}, expected {expected}"))
}

/// A text that says something; missing, `null` and empty are nothing.
pub(super) fn text<'a>(item: &'a Map, key: &str) -> Result<Option<&'a str>, Problem> {
    match item.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(other) => Err(wrong(key, other, "text")),
    }
}

/// A text that has to be there.
pub(super) fn needed<'a>(item: &'a Map, key: &str) -> Result<&'a str, Problem> {
    text(item, key)?.ok_or_else(|| Problem::new(format!("`{key}` is missing")))
}

/// Yes or no.
pub(super) fn flag(item: &Map, key: &str) -> Result<Option<bool>, Problem> {
    match item.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => Err(wrong(key, other, "true or false")),
    }
}

/// An object.
pub(super) fn object<'a>(item: &'a Map, key: &str) -> Result<Option<&'a Map>, Problem> {
    match item.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(other) => Err(wrong(key, other, "an object")),
    }
}

/// A list of texts.
pub(super) fn texts<'a>(item: &'a Map, key: &str) -> Result<Vec<&'a str>, Problem> {
    match item.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(|one| one.as_str().ok_or_else(|| wrong(key, one, "a list of texts"))).collect(),
        Some(other) => Err(wrong(key, other, "a list of texts")),
    }
}

/// A port.
pub(super) fn port(item: &Map, key: &str) -> Result<Option<u16>, Problem> {
    match item.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().and_then(|port| u16::try_from(port).ok()) {
            Some(port) if port > 0 => Ok(Some(port)),
            _ => Err(wrong(key, value, "a port from 1 to 65535")),
        },
    }
}

/// An instant, to the second.
pub(super) fn instant(item: &Map, key: &str) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text(item, key)? else { return Ok(None) };
    let instant: Timestamp = text.parse().map_err(|_| Problem::new(format!("`{key}` is no time such as 2022-09-05T17:44:52Z")))?;
    Ok(Timestamp::from_second(instant.as_second()).ok())
}

/// Takes a secret out of the item and leaves [`REDACTED`] in its place.
///
/// What is redacted already is no secret, and one that is masked is an error: it would not work.
pub(super) fn take_secret(item: &mut Map, key: &str) -> Result<Option<Secret>, Problem> {
    if text(item, key)?.is_none_or(|secret| secret == REDACTED) {
        return Ok(None);
    }
    let taken = item.insert(key.to_owned(), Value::from(REDACTED));
    let Some(Value::String(secret)) = taken else { return Ok(None) };
    let secret = Secret::new(secret);
    if is_masked(secret.expose()) {
        return Err(Problem::new(format!("`{key}` is masked with {MASK}")));
    }
    Ok(Some(secret))
}

/// An address as some system gives it: without a scheme it is `https://`, and what is masked is an error.
pub(super) fn address(text: &str, key: &str) -> Result<Address, Problem> {
    if is_masked(text) {
        return Err(Problem::new(format!("`{key}` is masked with {MASK}")));
    }
    // plain http is what the system has been using, so nothing gets worse by keeping it
    let (address, _) = Address::read(text, text.contains("://"))?;
    Ok(address)
}

/// Certificates in PEM. One that can't be read is taken with a warning, as the system did; a private key never is.
pub(super) fn certificates(pem: &str, key: &str, warnings: &mut Vec<String>) -> Result<CaPem, Problem> {
    if CaSummary::of(pem.as_bytes()).is_err() {
        warnings.push(format!("the certificate in `{key}` can't be read, so no connection will be trusted with it"));
    }
    let deserializer: StrDeserializer<'_, serde::de::value::Error> = pem.into_deserializer();
    CaPem::deserialize(deserializer).map_err(|error| Problem::new(format!("`{key}`: {error}")))
}

/// The entry's name for what a system calls it, and the text itself where that is no name.
pub(super) fn naming(text: Option<&str>, otherwise: &str) -> (Option<Name>, Option<DisplayName>) {
    let slug = text.and_then(Name::slug).or_else(|| Name::slug(otherwise));
    let is_name = |text: &str| slug.as_ref().is_some_and(|slug| slug.as_str() == text);
    let display = text.filter(|text| !is_name(text)).and_then(|text| text.parse().ok());
    (slug, display)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn wrong_types_are_named_without_their_values() {
        let item = map(json!({"a": 4711, "b": "x", "c": [1], "d": {"e": 1}, "p": 70000, "q": 0, "t": "yesterday"}));
        for (problem, words) in [
            (text(&item, "a").unwrap_err(), "`a` is a number, expected text"),
            (flag(&item, "b").unwrap_err(), "`b` is text, expected true or false"),
            (texts(&item, "c").unwrap_err(), "`c` is a number, expected a list of texts"),
            (object(&item, "c").unwrap_err(), "`c` is a list, expected an object"),
            (port(&item, "p").unwrap_err(), "`p` is a number, expected a port from 1 to 65535"),
            (port(&item, "q").unwrap_err(), "`q` is a number, expected a port from 1 to 65535"),
            (instant(&item, "t").unwrap_err(), "`t` is no time such as 2022-09-05T17:44:52Z"),
            (needed(&item, "z").unwrap_err(), "`z` is missing"),
        ] {
            assert_eq!(problem.to_string(), words);
        }
    }

    #[test]
    fn a_secret_is_taken_once_and_never_repeated() {
        let mut item = map(json!({"password": "s3cr3t-canary", "masked": "s3cr3t-***", "none": null}));
        assert_eq!(take_secret(&mut item, "password").unwrap().unwrap().expose(), "s3cr3t-canary");
        assert!(take_secret(&mut item, "password").unwrap().is_none());
        assert!(take_secret(&mut item, "none").unwrap().is_none());
        assert_eq!(take_secret(&mut item, "masked").unwrap_err().to_string(), "`masked` is masked with ***");
        assert!(!serde_json::to_string(&item).unwrap().contains("s3cr3t"));
    }

    #[test]
    fn names_and_what_they_stand_for() {
        for (text, otherwise, name, display) in [
            (Some("Docker Hub"), "x", "docker-hub", Some("Docker Hub")),
            (Some("prod"), "x", "prod", None),
            (None, "quay.example", "quay-example", None),
            (Some("日本"), "quay.example", "quay-example", Some("日本")),
        ] {
            let (slug, shown) = naming(text, otherwise);
            assert_eq!((slug.unwrap().as_str(), shown.as_ref().map(DisplayName::as_str)), (name, display));
        }
        assert!(naming(None, "10.0.0.1").0.is_none());
    }
}
