//! Which entries `list` shows, in which order, and how many at a time (SPEC §6).

use std::cmp::Ordering;
use std::num::NonZeroUsize;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest as _, Sha256};

use super::address::canonical_host;
use super::error::Result;
use super::invalid::Invalid;
use super::lookup::{fits_id, split_host};
use super::{Catalogue, Entry, Glob, LabelKey, LabelValue, Location, Name, State};
use crate::near_miss::nearest;
use crate::registry::Kind;

/// Bytes of the checksum at the beginning of a page token: enough to notice a change, not a secret.
const CHECK_BYTES: usize = 8;

/// What an entry has to be like. Everything that is set has to fit.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The name fits this.
    pub name: Option<Glob>,
    /// It is at this `host[:port]`.
    pub host: Option<String>,
    /// Its id, the beginning of it, or the id it had where it came from.
    pub id: Option<String>,
    /// Its provider.
    pub provider: Option<Kind>,
    /// Its state.
    pub state: Option<State>,
    /// Whether it is Docker Hub.
    pub docker_registry: Option<bool>,
    /// Its location.
    pub location: Option<Location>,
    /// Its labels; without a value the label only has to be there.
    pub labels: Vec<(LabelKey, Option<LabelValue>)>,
    /// Whether removed entries are shown too.
    pub all: bool,
}

impl Filter {
    fn fits(&self, name: &Name, entry: &Entry) -> bool {
        let shown = self.all || self.state == Some(State::Removed) || entry.state != State::Removed;
        shown
            && self.name.as_ref().is_none_or(|glob| glob.matcher().is_match(name.as_str()))
            && self.host.as_ref().is_none_or(|host| is_at(entry, host))
            && self.id.as_ref().is_none_or(|id| {
                fits_id(&id.to_ascii_lowercase(), name, entry)
                    || entry.source.as_ref().is_some_and(|source| source.id.as_ref() == Some(id))
            })
            && self.provider.is_none_or(|kind| entry.kind() == kind)
            && self.state.is_none_or(|state| entry.state == state)
            && self.docker_registry.is_none_or(|wanted| entry.is_docker_registry() == wanted)
            && self.location.as_ref().is_none_or(|location| entry.location.as_ref() == Some(location))
            && self.labels.iter().all(|(key, wanted)| {
                entry.labels.get(key).is_some_and(|value| wanted.as_ref().is_none_or(|wanted| wanted == value))
            })
    }
}

fn is_at(entry: &Entry, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let (host, port) = split_host(&host);
    entry.address.as_ref().is_some_and(|address| {
        canonical_host(address.host()) == canonical_host(host) && port.is_none_or(|port| port.parse() == Ok(address.port()))
    })
}

/// By what entries are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SortKey {
    /// Name.
    #[default]
    Name,
    /// Address.
    Address,
    /// Provider.
    Provider,
    /// Namespace.
    Namespace,
    /// Location.
    Location,
    /// State.
    State,
    /// When it was added.
    Created,
    /// When it was last changed.
    Updated,
}

const KEYS: &[(&str, SortKey)] = &[
    ("name", SortKey::Name),
    ("address", SortKey::Address),
    ("provider", SortKey::Provider),
    ("namespace", SortKey::Namespace),
    ("location", SortKey::Location),
    ("state", SortKey::State),
    ("created", SortKey::Created),
    ("updated", SortKey::Updated),
];

impl SortKey {
    /// Text that sorts as the field does.
    fn of(self, name: &Name, entry: &Entry) -> String {
        let text = |field: Option<String>| field.unwrap_or_default();
        match self {
            SortKey::Name => name.to_string(),
            SortKey::Address => text(entry.address.as_ref().map(ToString::to_string)),
            SortKey::Provider => entry.kind().to_string(),
            SortKey::Namespace => text(entry.namespace.as_ref().map(ToString::to_string)),
            SortKey::Location => text(entry.location.as_ref().map(ToString::to_string)),
            SortKey::State => entry.state.to_string(),
            SortKey::Created => text(entry.created_at.as_ref().map(ToString::to_string)),
            SortKey::Updated => text(entry.updated_at.as_ref().map(ToString::to_string)),
        }
    }
}

/// A key and a direction: `created`, or `-created` for the newest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub key: SortKey,
    /// Whether the largest comes first.
    pub descending: bool,
}

impl FromStr for Order {
    type Err = Invalid;

    fn from_str(text: &str) -> std::result::Result<Order, Invalid> {
        let (word, descending) = match text.strip_prefix('-') {
            Some(word) => (word, true),
            None => (text, false),
        };
        let words = || KEYS.iter().map(|(word, _)| *word);
        match KEYS.iter().find(|(known, _)| *known == word) {
            Some((_, key)) => Ok(Order { key: *key, descending }),
            None => {
                let error = Invalid::value(
                    text,
                    "an order",
                    &format!("one of {}, with `-` before it for the other way round", words().collect::<Vec<_>>().join(", ")),
                );
                Err(match nearest(word, words()) {
                    Some(word) => error.hint(format!("did you mean {word}?")),
                    None => error,
                })
            }
        }
    }
}

impl Order {
    fn compare(self, (key, name): (&str, &str), (other_key, other_name): (&str, &str)) -> Ordering {
        let by_key = key.cmp(other_key);
        let by_key = if self.descending { by_key.reverse() } else { by_key };
        by_key.then_with(|| name.cmp(other_name))
    }
}

/// One page of entries.
#[derive(Debug)]
pub struct Page<'a> {
    /// The entries.
    pub items: Vec<(&'a Name, &'a Entry)>,
    /// What asks for the next page; `None` after the last.
    pub next: Option<String>,
}

impl Catalogue {
    /// The entries that fit, in order, after the page that `token` ended and no more than `limit`.
    ///
    /// # Errors
    /// When the token was changed, or belongs to another filter or order.
    pub fn page(&self, filter: &Filter, order: Order, limit: Option<NonZeroUsize>, token: Option<&str>) -> Result<Page<'_>> {
        let after = token.map(|token| open_token(token, filter, order)).transpose()?;
        let mut items: Vec<(String, &Name, &Entry)> = self
            .entries
            .iter()
            .filter(|(name, entry)| filter.fits(name, entry))
            .map(|(name, entry)| (order.key.of(name, entry), name, entry))
            .filter(|(key, name, _)| {
                after.as_ref().is_none_or(|(last_key, last_name)| {
                    order.compare((key, name.as_str()), (last_key, last_name)) == Ordering::Greater
                })
            })
            .collect();
        items.sort_by(|(key, name, _), (other_key, other_name, _)| {
            order.compare((key, name.as_str()), (other_key, other_name.as_str()))
        });
        let limit = limit.map_or(usize::MAX, NonZeroUsize::get);
        let next = if items.len() > limit {
            items.truncate(limit);
            items.last().map(|(key, name, _)| seal_token(key, name, filter, order))
        } else {
            None
        };
        Ok(Page { items: items.into_iter().map(|(_, name, entry)| (name, entry)).collect(), next })
    }
}

/// Ties a position to what was asked, so that a token can't continue another list.
fn check(body: &str, filter: &Filter, order: Order) -> [u8; CHECK_BYTES] {
    let hash = Sha256::digest(format!("{filter:?}\n{order:?}\n{body}"));
    hash[..CHECK_BYTES].try_into().expect("a hash has 32 bytes")
}

fn seal_token(key: &str, name: &Name, filter: &Filter, order: Order) -> String {
    let body = serde_json::to_string(&(key, name.as_str())).expect("two texts have a form in JSON");
    BASE64.encode([check(&body, filter, order).as_slice(), body.as_bytes()].concat())
}

fn open_token(token: &str, filter: &Filter, order: Order) -> std::result::Result<(String, String), Invalid> {
    let open = || {
        let bytes = BASE64.decode(token).ok()?;
        let (sealed, body) = bytes.split_at_checked(CHECK_BYTES)?;
        let body = std::str::from_utf8(body).ok()?;
        (check(body, filter, order) == sealed).then(|| serde_json::from_str(body).ok()).flatten()
    };
    open().ok_or_else(|| {
        Invalid::new("the page token does not belong to this list")
            .hint("repeat the filters and the order of the first page, and change nothing in the token")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Adding;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue::default();
        for (number, (name, address, provider, label)) in [
            ("prod", "https://harbor.example.com", Some(Kind::Harbor), Some("prod")),
            ("hub", "https://index.docker.io", Some(Kind::Dockerhub), None),
            ("lab", "http://localhost:5000", None, Some("lab")),
            ("old", "https://old.example", None, None),
        ]
        .into_iter()
        .enumerate()
        {
            let mut entry = Entry { provider, ..Entry::at(address.parse().unwrap()) };
            entry.labels.extend(label.map(|value| ("env".parse().unwrap(), value.parse().unwrap())));
            let now = Timestamp::from_second(number as i64).unwrap();
            catalogue.add(name.parse().unwrap(), entry, Adding::default(), now).unwrap();
        }
        catalogue.remove(&"old".parse().unwrap(), Timestamp::UNIX_EPOCH).unwrap();
        catalogue
    }

    fn names(catalogue: &Catalogue, filter: &Filter, order: &str) -> Vec<String> {
        let page = catalogue.page(filter, order.parse().unwrap(), None, None).unwrap();
        page.items.iter().map(|(name, _)| name.to_string()).collect()
    }

    #[test]
    fn filters() {
        let catalogue = catalogue();
        let none = Filter::default();
        let id = catalogue.get("lab").unwrap().id(&"lab".parse().unwrap()).to_string();
        for (filter, expected) in [
            (none.clone(), vec!["hub", "lab", "prod"]),
            (Filter { all: true, ..none.clone() }, vec!["hub", "lab", "old", "prod"]),
            (Filter { state: Some(State::Removed), ..none.clone() }, vec!["old"]),
            (Filter { state: Some(State::Inactive), ..none.clone() }, vec![]),
            (Filter { name: Some("*a*".parse().unwrap()), ..none.clone() }, vec!["lab"]),
            (Filter { host: Some("docker.io".into()), ..none.clone() }, vec!["hub"]),
            (Filter { host: Some("LOCALHOST:5000".into()), ..none.clone() }, vec!["lab"]),
            (Filter { host: Some("localhost:1".into()), ..none.clone() }, vec![]),
            (Filter { id: Some(id), ..none.clone() }, vec!["lab"]),
            (Filter { provider: Some(Kind::Native), ..none.clone() }, vec!["lab"]),
            (Filter { docker_registry: Some(true), ..none.clone() }, vec!["hub"]),
            (Filter { docker_registry: Some(false), ..none.clone() }, vec!["lab", "prod"]),
            (Filter { location: Some("de/fra".parse().unwrap()), ..none.clone() }, vec![]),
            (Filter { labels: vec![("env".parse().unwrap(), None)], ..none.clone() }, vec!["lab", "prod"]),
            (Filter { labels: vec![("env".parse().unwrap(), Some("lab".parse().unwrap()))], ..none.clone() }, vec!["lab"]),
        ] {
            assert_eq!(names(&catalogue, &filter, "name"), expected, "{filter:?}");
        }
    }

    #[test]
    fn orders() {
        let catalogue = catalogue();
        for (order, expected) in [
            ("name", ["hub", "lab", "prod"]),
            ("-name", ["prod", "lab", "hub"]),
            ("created", ["prod", "hub", "lab"]),
            ("-created", ["lab", "hub", "prod"]),
            ("address", ["lab", "prod", "hub"]),
            ("provider", ["hub", "prod", "lab"]),
            ("-state", ["hub", "lab", "prod"]),
        ] {
            assert_eq!(names(&catalogue, &Filter::default(), order), expected, "{order}");
        }
        assert_eq!("nmae".parse::<Order>().unwrap_err().hint.as_deref(), Some("did you mean name?"));
        assert!("".parse::<Order>().is_err() && "--name".parse::<Order>().is_err());
    }

    #[test]
    fn a_token_belongs_to_one_list() {
        let catalogue = catalogue();
        let one = NonZeroUsize::new(1);
        let token = catalogue.page(&Filter::default(), Order::default(), one, None).unwrap().next.unwrap();
        let open =
            |filter: &Filter, order: &str, token: &str| catalogue.page(filter, order.parse().unwrap(), one, Some(token)).map(drop);
        assert!(open(&Filter::default(), "name", &token).is_ok());
        assert!(open(&Filter::default(), "-name", &token).is_err());
        assert!(open(&Filter { all: true, ..Filter::default() }, "name", &token).is_err());
        for changed in [format!("{token}A"), token[1..].to_owned(), String::new(), "x".into(), token.to_uppercase()] {
            assert!(open(&Filter::default(), "name", &changed).is_err(), "{changed}");
        }
    }

    proptest! {
        #[test]
        fn pages_give_everything_once(order in proptest::sample::select(vec!["name", "-name", "created", "-state", "provider"]), limit in 1usize..6) {
            let catalogue = catalogue();
            let (filter, limit) = (Filter { all: true, ..Filter::default() }, NonZeroUsize::new(limit));
            let (mut seen, mut token) = (Vec::new(), None);
            loop {
                let page = catalogue.page(&filter, order.parse().unwrap(), limit, token.as_deref()).unwrap();
                seen.extend(page.items.iter().map(|(name, _)| name.to_string()));
                token = page.next;
                if token.is_none() {
                    break;
                }
            }
            prop_assert_eq!(seen, names(&catalogue, &filter, order));
        }

        #[test]
        fn any_token_is_answered(token in ".{0,60}") {
            let _ = catalogue().page(&Filter::default(), Order::default(), None, Some(&token));
        }
    }
}
