//! Reading a list page by page, to its end and not beyond.
//!
//! Servers differ in every detail (users' reports L3 to L6): links with foreign paths, links missing after a full page, the last page
//! repeated for ever. So of a link only the query is used, a full page without a link is asked for more, and a page that brings
//! nothing new is the last.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use futures_util::Stream;

use super::{Answer, Client, Request, origin};
use crate::registry::{Error, ErrorKind, Result};

/// The most pages of one list. At a hundred entries a page, the least that is common, this is a million entries.
pub(super) const MAX_PAGES: usize = 10_000;

/// A list to be read.
pub struct Listing {
    /// The request for the first page, without `n` and `last`.
    pub request: Request,
    /// How many entries to ask for in one page; `None` for lists that don't take `n`.
    pub page_size: Option<usize>,
}

/// Reads the list. `read` makes entries of an answer, or says what is wrong with it; `key` names an entry among all of the list.
pub fn pages<'a, T: Send + 'a>(
    client: &'a Client,
    listing: Listing,
    read: impl Fn(&Answer) -> Result<Vec<T>> + Send + 'a,
    key: impl Fn(&T) -> &str + Send + 'a,
) -> impl Stream<Item = Result<Vec<T>>> + Send + 'a {
    async_stream::try_stream! {
        let Listing { request, mut page_size } = listing;
        let mut cursors = HashSet::new();
        let mut seen = Seen::default();
        let mut next = with_size(&request, page_size);
        let mut probing = false;
        for number in 0.. {
            if number == MAX_PAGES {
                Err(Error::new(ErrorKind::Protocol, "list", client.name()).because(format!("the list has more than {MAX_PAGES} pages")))?;
            }
            let mut answer = client.send(next).await?;
            if number == 0 && page_size.is_some() && answer.status == 400 {
                // Servers have different ideas of the largest page; their own is always right.
                page_size = None;
                answer = client.send(request.clone()).await?;
            }
            if probing && matches!(answer.status.as_u16(), 400 | 404 | 405 | 416 | 422) {
                // It doesn't know `last`: the page before was the last one.
                break;
            }
            let mut entries = read(&answer)?;
            let full = page_size == Some(entries.len());
            let last = entries.last().map(|entry| key(entry).to_owned());
            entries.retain(|entry| seen.is_new(key(entry)));
            if entries.is_empty() {
                break;
            }
            yield entries;
            (next, probing) = match (next_query(client, &answer)?, last) {
                (Some(query), _) => {
                    if !cursors.insert(query.clone()) {
                        break;
                    }
                    (request.clone().raw_query(&query), false)
                }
                (None, Some(last)) if full => (with_size(&request, page_size).query("last", &last), true),
                (None, _) => break,
            };
        }
    }
}

fn with_size(request: &Request, page_size: Option<usize>) -> Request {
    match page_size {
        Some(size) => request.clone().query("n", &size.to_string()),
        None => request.clone(),
    }
}

/// The query of the next page. A link to another host is refused rather than overlooked: the list would end too early, and what
/// is missing from a list might be taken for gone.
pub(super) fn next_query(client: &Client, answer: &Answer) -> Result<Option<String>> {
    let Some(next) = answer.next_link() else { return Ok(None) };
    if !origin::same_host(&next, client.base()) {
        return Err(Error::new(ErrorKind::Refused, "list", client.name())
            .because(format!("its next page is on another host, {}", origin::shown(&next))));
    }
    Ok(next.query().map(str::to_owned))
}

/// Which entries were there already. Keeps two independent hashes of each, 16 bytes for a name of any length, so that a list
/// of any size stays small in memory; that two names share both is not a thing that happens.
#[derive(Default)]
pub(super) struct Seen {
    hashers: (RandomState, RandomState),
    hashes: HashSet<(u64, u64)>,
}

impl Seen {
    pub fn is_new(&mut self, key: &str) -> bool {
        self.hashes.insert((self.hashers.0.hash_one(key), self.hashers.1.hash_one(key)))
    }
}
