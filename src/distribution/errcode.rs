//! What an answer that is not a success means (distribution-spec 1.1 "Error Codes").
//!
//! Bodies may be in any format. Codes are free words, because every vendor adds its own. Nothing that a server writes reaches a message
//! before control characters are gone and it is cut to a length.

use serde_json::Value;

use crate::registry::{Error, ErrorKind};
use crate::transport::Answer;

/// How much of a server's own words is repeated.
const SHOWN: usize = 300;

/// Where gateways and vendors' own APIs have an error's code: Harbor and Alibaba, Google, IONOS, Quay, Amazon, Tencent.
const CODES: &[&str] =
    &["/code", "/Code", "/error/status", "/messages/0/errorCode", "/error_type", "/__type", "/Response/Error/Code", "/error_code"];
/// Where they have its words.
const MESSAGES: &[&str] = &[
    "/message",
    "/Message",
    "/details",
    "/error_message",
    "/detail",
    "/error/message",
    "/error_description",
    "/messages/0/message",
    "/Response/Error/Message",
    "/error_msg",
    "/error",
];

/// What a server says of an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerError {
    /// The code, such as `MANIFEST_UNKNOWN`; of several errors that of the first.
    pub code: Option<String>,
    /// The server's words, cleaned.
    pub message: Option<String>,
}

impl ServerError {
    /// Reads an answer's body.
    pub fn read(answer: &Answer) -> ServerError {
        ServerError::of(&answer.media_type(), &answer.body)
    }

    fn of(media_type: &str, body: &[u8]) -> ServerError {
        let looks_like_json = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        if let Some(value) = looks_like_json.then(|| serde_json::from_slice::<Value>(body).ok()).flatten() {
            return ServerError::of_json(&value);
        }
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start();
        if media_type == "text/html" || text.starts_with('<') || text.is_empty() {
            return ServerError::default();
        }
        ServerError { code: None, message: Some(clean(text)) }
    }

    fn of_json(value: &Value) -> ServerError {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(clean);
        let Some(first) = value.get("errors").and_then(Value::as_array).and_then(|errors| errors.first()) else {
            let find = |places: &[&str]| {
                let texts = places.iter().filter_map(|place| value.pointer(place)).filter_map(Value::as_str);
                texts.filter(|text| !text.is_empty()).map(clean).next()
            };
            return ServerError { code: find(CODES), message: find(MESSAGES) };
        };
        // Huawei writes the names in its own way
        let message = text(first, "message").or_else(|| text(first, "errorMessage"));
        let detail = first.get("detail").and_then(Value::as_str).filter(|text| !text.is_empty()).map(clean);
        ServerError {
            code: text(first, "code").or_else(|| text(first, "errorCode")),
            message: match (message, detail) {
                (Some(message), Some(detail)) if message != detail => Some(format!("{message} ({detail})")),
                (message, detail) => message.or(detail),
            },
        }
    }

    /// Whether the code is one of these.
    pub fn is(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }
}

/// The codes of what is not there.
pub(super) const UNKNOWN: &[&str] =
    &["NAME_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN", "BLOB_UPLOAD_UNKNOWN", "TAG_EXPIRED", "TAG_UNKNOWN", "NOT_FOUND"];
/// The codes of a deletion that the server doesn't do: switched off, or not for tags.
pub(super) const CANNOT_DELETE: &[&str] = &["UNSUPPORTED", "DIGEST_INVALID"];

/// The error that an answer amounts to. Also for vendors' own APIs, which answer with the same statuses.
pub fn error(answer: &Answer, operation: &'static str, subject: impl Into<String>) -> Error {
    let said = ServerError::read(answer);
    let kind = kind(answer, &said);
    let detail = detail(answer, kind, &said);
    Error::new(kind, operation, subject).answered(answer.status.as_u16(), said.code).because(detail)
}

fn kind(answer: &Answer, said: &ServerError) -> ErrorKind {
    match answer.status.as_u16() {
        // A token that the token server gave and the registry doesn't take is one that doesn't reach far enough.
        401 if answer.missing.is_some() && answer.signed_in => ErrorKind::Denied,
        401 if answer.signed_in => ErrorKind::CredentialRefused,
        401 => ErrorKind::CredentialMissing,
        403 => ErrorKind::Denied,
        404 | 410 => ErrorKind::NotFound,
        405 | 501 => ErrorKind::Unsupported,
        409 | 412 | 423 => ErrorKind::Conflict,
        429 => ErrorKind::RateLimited,
        400..=499 if said.is(&["UNSUPPORTED"]) => ErrorKind::Unsupported,
        400..=499 if said.is(&["DENIED"]) => ErrorKind::Denied,
        400..=499 if said.is(UNKNOWN) => ErrorKind::NotFound,
        400..=499 if said.is(&["TOOMANYREQUESTS"]) => ErrorKind::RateLimited,
        400..=499 => ErrorKind::Invalid,
        500..=599 => ErrorKind::Unreachable,
        _ => ErrorKind::Protocol,
    }
}

fn detail(answer: &Answer, kind: ErrorKind, said: &ServerError) -> String {
    let status = answer.status.as_u16();
    let words = match (&said.message, &said.code) {
        (Some(message), _) => message.clone(),
        (None, Some(code)) => code.clone(),
        (None, None) if answer.media_type() == "text/html" => format!("it answered {status} with a web page"),
        (None, None) => format!("it answered {status}"),
    };
    let missing = answer.missing.as_ref().filter(|missing| !missing.is_empty());
    match (kind, missing) {
        (ErrorKind::Denied, Some(missing)) => format!("the credential lacks the permission `{missing}`; {words}"),
        (ErrorKind::CredentialMissing, Some(missing)) => format!("it wants a credential with the permission `{missing}`; {words}"),
        (ErrorKind::CredentialRefused, _) => format!("it refused the credential; {words}"),
        (ErrorKind::CredentialMissing, _) => format!("it wants a credential; {words}"),
        _ => words,
    }
}

/// A server's words without anything that a terminal would obey or that hides what is written, and cut to a length.
pub fn clean(text: &str) -> String {
    let mut clean = String::new();
    for (position, c) in text.chars().enumerate() {
        if position == SHOWN {
            clean.push('…');
            break;
        }
        let hides = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        clean.push(if c.is_control() || hides { ' ' } else { c });
    }
    clean.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bodies() {
        for (media_type, body, code, message) in [
            (
                "application/json",
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"x"}}]}"#,
                Some("MANIFEST_UNKNOWN"),
                Some("manifest unknown"),
            ),
            (
                "text/plain",
                r#" {"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid","detail":"http: request body too large"}]}"#,
                Some("MANIFEST_INVALID"),
                Some("manifest invalid (http: request body too large)"),
            ),
            ("application/json", r#"{"errors":[{"code":"QUOTA","message":null},{"code":"B"}]}"#, Some("QUOTA"), None),
            ("application/json", r#"{"errors":[]}"#, None, None),
            ("application/json", r#"{"errors":null,"message":"no route"}"#, None, Some("no route")),
            ("application/json", r#"{"details":"incorrect username or password"}"#, None, Some("incorrect username or password")),
            ("application/json", "{broken", None, Some("{broken")),
            ("text/plain; charset=utf-8", "404 page not found\n", None, Some("404 page not found")),
            ("text/plain", "bad\u{1b}[2J\u{7}\r\nthing\u{202e}x", None, Some("bad [2J   thing x")),
            ("text/html", "<html>big page</html>", None, None),
            ("", "<!DOCTYPE html>", None, None),
            ("", "", None, None),
        ] {
            let read = ServerError::of(media_type, body.as_bytes());
            assert_eq!((read.code.as_deref(), read.message.as_deref()), (code, message), "{body}");
        }
    }

    proptest! {
        #[test]
        fn nothing_a_terminal_obeys_gets_through(body in proptest::collection::vec(any::<u8>(), 0..400), json: bool) {
            let body = match json {
                true => serde_json::json!({ "errors": [{ "code": String::from_utf8_lossy(&body), "message": String::from_utf8_lossy(&body) }] }).to_string().into_bytes(),
                false => body,
            };
            let read = ServerError::of("text/plain", &body);
            for text in read.code.into_iter().chain(read.message) {
                prop_assert!(!text.chars().any(char::is_control) && text.chars().count() <= SHOWN + 1);
            }
        }
    }
}
