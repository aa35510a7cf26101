//! One request and its answer.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LINK};
use hyper::{Method, StatusCode};
use url::Url;

use super::body::Incoming;
use super::login::Signing;
use super::{SMALL_LIMIT, Scope, Scopes};

/// How long a server may take to begin its answer: long enough for a slow one, short enough to notice a dead one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// What is asked of the server. Made by [`Client::request`](super::Client::request).
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) scopes: Scopes,
    pub(super) limit: usize,
    pub(super) patience: Duration,
    pub(super) repeatable: bool,
    pub(super) streamed: bool,
    pub(super) stays: bool,
    pub(super) signing: Option<Signing>,
}

impl Request {
    pub(super) fn new(method: Method, url: Url) -> Request {
        let repeatable = matches!(method, Method::GET | Method::HEAD);
        Request {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            scopes: Scopes::default(),
            limit: SMALL_LIMIT,
            patience: HEAD_TIMEOUT,
            repeatable,
            streamed: false,
            stays: false,
            signing: None,
        }
    }

    /// Adds a parameter to the query.
    pub fn query(mut self, key: &str, value: &str) -> Request {
        self.url.query_pairs_mut().append_pair(key, value);
        self
    }

    /// Sets a parameter of the query, in the place of the one of that name.
    pub(super) fn set_query(mut self, key: &str, value: &str) -> Request {
        let others: Vec<(String, String)> = self.url.query_pairs().filter(|(name, _)| name != key).map(owned).collect();
        self.url.query_pairs_mut().clear().extend_pairs(others).append_pair(key, value);
        self
    }

    /// Replaces the query by one that a server wrote, such as that of a `Link`.
    pub fn raw_query(mut self, query: &str) -> Request {
        self.url.set_query(Some(query));
        self
    }

    /// Adds a header. Credentials are not set here: they belong to the client.
    pub fn header(mut self, name: HeaderName, value: &'static str) -> Request {
        debug_assert_ne!(name, AUTHORIZATION);
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// Says which media types the answer may have.
    pub fn accept(mut self, types: &HeaderValue) -> Request {
        self.headers.insert(ACCEPT, types.clone());
        self
    }

    /// Adds a header whose value is known when it is sent only. One that can't stand in a header is left out, and the server says what it
    /// thinks of that.
    pub fn text_header(mut self, name: HeaderName, value: &str) -> Request {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Adds headers that sign this one request, which are of no use to whoever sees them afterwards.
    pub fn signed(mut self, headers: HeaderMap) -> Request {
        self.headers.extend(headers);
        self
    }

    /// Sends content of this type. A type that can't stand in a header is left out, and the server says what it thinks of that.
    pub fn content(mut self, media_type: &str, body: Bytes) -> Request {
        if let Ok(value) = HeaderValue::from_str(media_type) {
            self.headers.insert(hyper::header::CONTENT_TYPE, value);
        }
        self.body = body;
        self
    }

    /// Sends a JSON document.
    pub fn json(self, document: &serde_json::Value) -> Request {
        self.content("application/json", Bytes::from(document.to_string()))
    }

    /// Says what a token has to be good for.
    pub fn scope(mut self, scope: Scope) -> Request {
        self.scopes = self.scopes.with(scope);
        self
    }

    /// Reads at most this much of the answer; more is an error.
    pub fn limit(mut self, bytes: usize) -> Request {
        self.limit = bytes;
        self
    }

    /// Waits this long for the answer to begin: some work takes servers minutes (distribution#3678).
    pub fn patience(mut self, patience: Duration) -> Request {
        self.patience = patience;
        self
    }

    /// Says that sending it twice does what sending it once does.
    pub fn repeatable(mut self) -> Request {
        self.repeatable = true;
        self
    }

    /// Leaves the content of a good answer to be read piece by piece.
    pub fn streamed(mut self) -> Request {
        self.streamed = true;
        self
    }

    /// Adds what proves who sends this.
    pub(super) fn with_headers(mut self, headers: &HeaderMap) -> Request {
        self.headers.extend(headers.clone());
        self
    }

    /// Has each attempt signed anew: servers compare the time of a signature with their own, and some take each only once.
    pub(super) fn signed_by(mut self, signing: Option<Signing>) -> Request {
        self.signing = signing;
        self
    }

    /// What one attempt sends, if each is to be signed anew.
    ///
    /// # Errors
    /// Why it can't be signed.
    pub(super) fn signed_anew(&self) -> Result<Option<Box<Request>>, String> {
        let Some(signing) = &self.signing else { return Ok(None) };
        Ok(Some(Box::new(self.clone().with_headers(&signing.headers(self)?))))
    }

    /// Refuses to be redirected to another origin.
    pub(super) fn stays(mut self) -> Request {
        self.stays = true;
        self
    }
}

fn owned((name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)) -> (String, String) {
    (name.into_owned(), value.into_owned())
}

/// What the server said, whatever its status.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The content; empty when the request was [streamed](Request::streamed) and went well.
    pub body: Bytes,
    /// The content of a streamed request that went well.
    pub incoming: Option<Incoming>,
    /// Where the answer came from, after redirects.
    pub url: Url,
    /// Whether the request carried a credential, or a token got with one.
    pub signed_in: bool,
    /// The scope that the server found missing in a token that it otherwise took.
    pub missing: Option<Scopes>,
    /// Whether the request arrived more than once, as far as can be known, so that an earlier attempt may have done the work.
    pub repeated: bool,
}

impl Answer {
    /// A header that is plain text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The media type without parameters, in lower case; empty when the server didn't say.
    pub fn media_type(&self) -> String {
        crate::oci::media_type::essence(self.header("content-type").unwrap_or_default())
    }

    /// Where the next page is (RFC 8288 `Link` with `rel=next`), resolved against the address of this one.
    pub fn next_link(&self) -> Option<Url> {
        let headers = self.headers.get_all(LINK).into_iter();
        headers.map(|value| String::from_utf8_lossy(value.as_bytes())).find_map(|text| next_link(&text, &self.url))
    }
}

/// The `rel=next` target of one `Link` header. Servers leave out quotes, list several links, and write characters that a URL may not have.
fn next_link(text: &str, base: &Url) -> Option<Url> {
    let mut rest = text;
    loop {
        let (_, after) = rest.split_once('<')?;
        let (target, after) = after.split_once('>')?;
        let params_end = after.find('<').unwrap_or(after.len());
        let (params, after) = after.split_at(params_end);
        let is_next = params.split([';', ',']).filter_map(|param| param.split_once('=')).any(|(key, value)| {
            key.trim().eq_ignore_ascii_case("rel")
                && value.trim().trim_matches('"').split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return base.join(target.trim()).ok();
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn links() {
        let base: Url = "https://r.example.com/prefix/v2/_catalog?n=2".parse().unwrap();
        let next = |text: &str| next_link(text, &base).map(|url| url.to_string());
        let expected = Some("https://r.example.com/v2/_catalog?last=r1&n=2".to_owned());
        for text in [
            r#"</v2/_catalog?last=r1&n=2>; rel="next""#,
            "</v2/_catalog?last=r1&n=2>;rel=next",
            r#"<https://r.example.com/v2/_catalog?last=r1&n=2>; title="a; b"; REL="prev next""#,
            r#"</v2/x>; rel="prev", </v2/_catalog?last=r1&n=2>; rel="next""#,
        ] {
            assert_eq!(next(text), expected, "{text}");
        }
        assert_eq!(next("<?last=b>; rel=next").as_deref(), Some("https://r.example.com/prefix/v2/_catalog?last=b"));
        for text in ["", "nonsense", "<", "</v2/x", r#"</v2/x>; rel="prev""#, "</v2/x>", "<http://[>; rel=next"] {
            assert_eq!(next(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn links_never_panic(text in r#"[<>;,="a-z/?&: ]{0,60}|.{0,60}"#) {
            let base: Url = "https://r.example.com/v2/_catalog".parse().unwrap();
            let _ = next_link(&text, &base);
        }
    }
}
