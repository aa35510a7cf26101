//! Reading a list of a vendor's own API, whose pages are not those of `/v2/`: each vendor says in its own way where the next page is,
//! and all of them are data here.

use futures_util::Stream;
use serde_json::Value;

use super::pages::{MAX_PAGES, Seen, next_query};
use super::{Answer, Client, Request};
use crate::registry::{Error, ErrorKind, Result};

/// How a list goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// Pages have numbers from 1, and this parameter takes one. How many entries a page has is the server's own idea, so a short page
    /// proves nothing: the last page is the one of which the server says so (`Link`, `X-Next-Page`, or nothing at `more` in the
    /// answer), else the first that brings nothing new.
    Number {
        /// The parameter.
        parameter: &'static str,
        /// Where the answer says whether there is more (JSON pointer), if it does.
        more: Option<&'static str>,
    },
    /// This parameter takes the number of entries to leave out.
    Offset(&'static str),
    /// The answer names the next page (JSON pointer `at`), and this parameter takes the name.
    Token {
        /// Where the answer has it.
        at: &'static str,
        /// The parameter.
        parameter: &'static str,
    },
    /// The same, where the request is a JSON document and takes the name as a field of it.
    Field {
        /// Where the answer has it.
        at: &'static str,
        /// The field.
        field: &'static str,
    },
    /// The request is a JSON document, and this field of it takes the number of the page, from 1. The last page is the first that brings
    /// nothing new.
    FieldNumber(&'static str),
    /// The same, where the field takes the number of entries to leave out.
    FieldOffset(&'static str),
}

/// Where the next page is.
enum Next {
    Nowhere,
    /// There may be one.
    Perhaps(Request),
    /// There is one.
    Certainly(String, Request),
}

/// Reads the list. `read` makes entries of an answer, or says what is wrong with it; `key` names an entry among all of the list.
pub fn paged<'a, T: Send + 'a>(
    client: &'a Client,
    first: Request,
    cursor: Cursor,
    read: impl Fn(&Answer) -> Result<Vec<T>> + Send + 'a,
    key: impl Fn(&T) -> &str + Send + 'a,
) -> impl Stream<Item = Result<Vec<T>>> + Send + 'a {
    async_stream::try_stream! {
        let mut names = std::collections::HashSet::new();
        let mut seen = Seen::default();
        let mut read_so_far = 0;
        let mut request = first.clone();
        let mut probing = false;
        for number in 1.. {
            if number > MAX_PAGES {
                Err(Error::new(ErrorKind::Protocol, "list", client.name()).because(format!("the list has more than {MAX_PAGES} pages")))?;
            }
            let answer = client.send(request).await?;
            // Docker Hub has no page after the last one.
            if probing && answer.status == 404 {
                break;
            }
            let mut entries = read(&answer)?;
            read_so_far += entries.len();
            entries.retain(|entry| seen.is_new(key(entry)));
            let nothing_new = entries.is_empty();
            if !nothing_new {
                yield entries;
            }
            (request, probing) = match next(client, &answer, &first, cursor, number, read_so_far)? {
                Next::Perhaps(request) if !nothing_new => (request, true),
                // An empty page with a name for the next one is no end (Amazon's filters make such).
                Next::Certainly(name, request) if names.insert(name.clone()) => (request, false),
                Next::Nowhere | Next::Perhaps(_) | Next::Certainly(..) => break,
            };
        }
    }
}

fn next(client: &Client, answer: &Answer, first: &Request, cursor: Cursor, number: usize, read_so_far: usize) -> Result<Next> {
    let document = || serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
    let name = |at: &str| match document().pointer(at) {
        Some(Value::String(name)) if !name.is_empty() => Some(name.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    Ok(match cursor {
        Cursor::Number { parameter, more } => {
            let says_last = match more {
                Some(at) => !document().pointer(at).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false))),
                None if answer.header("link").is_some() => next_query(client, answer)?.is_none(),
                None => answer.header("x-next-page").is_some_and(|next| next.trim().is_empty()),
            };
            match says_last {
                true => Next::Nowhere,
                false => Next::Perhaps(first.clone().set_query(parameter, &(number + 1).to_string())),
            }
        }
        Cursor::Offset(parameter) => Next::Perhaps(first.clone().set_query(parameter, &read_so_far.to_string())),
        Cursor::Token { at, parameter } => match name(at) {
            Some(name) => {
                let request = first.clone().set_query(parameter, &name);
                Next::Certainly(name, request)
            }
            None => Next::Nowhere,
        },
        Cursor::Field { at, field } => match name(at) {
            Some(name) => {
                let request = with_field(first, field, Value::String(name.clone()));
                Next::Certainly(name, request)
            }
            None => Next::Nowhere,
        },
        Cursor::FieldNumber(field) => Next::Perhaps(with_field(first, field, Value::from(number + 1))),
        Cursor::FieldOffset(field) => Next::Perhaps(with_field(first, field, Value::from(read_so_far))),
    })
}

fn with_field(first: &Request, field: &str, value: Value) -> Request {
    let mut document: Value = serde_json::from_slice(&first.body).unwrap_or_default();
    document[field] = value;
    let mut request = first.clone();
    request.body = document.to_string().into();
    request
}
