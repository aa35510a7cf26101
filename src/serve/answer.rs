//! Answers: the specification's error bodies, and the usual headers.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::oci::Digest;

/// An answer of the server.
pub(super) type Answer = Response<Body>;

/// An answer with this body.
pub(super) fn with_body(status: StatusCode, media_type: &str, body: impl Into<Body>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    set(&mut answer, header::CONTENT_TYPE, media_type);
    answer
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

/// An answer of JSON.
pub(super) fn json_body(status: StatusCode, value: &Value) -> Answer {
    with_body(status, "application/json", value.to_string())
}

/// An error as the specification has it (distribution-spec 1.1, "Error Codes").
pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json_body(status, &json!({ "errors": [{ "code": code, "message": message, "detail": null }] }))
}

/// A failure of our own storage.
pub(super) fn broken(failure: &std::io::Error) -> Answer {
    error(500, "UNKNOWN", &failure.to_string())
}

/// Sets a header whose value is ours or was checked; one that can't be a header value is left out.
pub(super) fn set(answer: &mut Answer, name: header::HeaderName, value: impl AsRef<str>) {
    if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
        answer.headers_mut().insert(name, value);
    }
}

/// Says which content the answer is about.
pub(super) fn set_digest(answer: &mut Answer, digest: &Digest) {
    set(answer, header::HeaderName::from_static("docker-content-digest"), digest.as_str());
}
