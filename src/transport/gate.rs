//! Which addresses may be dialled (SPEC §9, "Allow-list").
//!
//! We follow redirects ourselves, so each connection is one to the host of an address that passes through [`Pool`](super::pool::Pool).
//! A host that is a number is looked at there. A name is resolved here, and the HTTP library gets to see only those of its addresses that
//! may be dialled: what was checked is what is dialled, whatever the name server says the next time. This holds for whoever a
//! registry sends us to as well, its token server and its storage: an address outside the list is outside, however we got there.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::dns::Name;
use ipnet::IpNet;
use tower_service::Service;
use url::{Host, Url};

use super::Settings;
use super::origin::{self, Reach};

/// The rules of one registry. Clones are the same rules.
#[derive(Clone)]
pub(super) struct Gate {
    rules: Arc<Rules>,
    /// Whether it stands open, because the names are those of proxies, which the person gave us and not a server.
    is_open: bool,
}

struct Rules {
    /// Where connections may go; `None` is anywhere.
    only: Option<Vec<IpNet>>,
    /// The names that the person gave us. Where they lead is the person's own business.
    given: Vec<String>,
    /// How far away the registry is as far as its address tells.
    reach: Reach,
}

/// An address that may not be dialled, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Forbidden(String);

/// Why a name gives no address to dial.
#[derive(Debug)]
pub(super) enum Closed {
    /// It has none.
    Unknown(io::Error),
    /// It has some, and none of them may be dialled.
    Forbidden(Forbidden),
}

impl Gate {
    pub fn new(settings: &Settings) -> Gate {
        let name = |url: &Url| url.domain().map(str::to_ascii_lowercase);
        let given =
            [Some(&settings.base), settings.realm.as_ref(), settings.api.as_ref()].into_iter().flatten().filter_map(name).collect();
        let rules = Rules { only: settings.only.clone(), given, reach: origin::reach(&settings.base) };
        Gate { rules: Arc::new(rules), is_open: false }
    }

    /// The same gate, open.
    pub fn opened(&self) -> Gate {
        Gate { is_open: true, ..self.clone() }
    }

    /// Whether there is an allow-list.
    pub fn is_closed(&self) -> bool {
        self.rules.only.is_some()
    }

    /// Checks a host that is an address. Names are checked when they are resolved, which is when they are dialled.
    pub fn check_number(&self, url: &Url) -> Result<(), Forbidden> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        if self.rules.includes(address) { Ok(()) } else { Err(self.rules.outside(&address.to_canonical().to_string(), &[])) }
    }

    /// Checks the host of `url` as far as that can be done without dialling it.
    pub async fn check(&self, url: &Url) -> Result<(), Closed> {
        match url.host() {
            Some(Host::Domain(name)) => self.addresses(name).await.map(drop),
            _ => self.check_number(url).map_err(Closed::Forbidden),
        }
    }

    /// The addresses of `name` that may be dialled, in the order in which they should be tried.
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Closed> {
        let found = look_up(name).await.map_err(Closed::Unknown)?;
        if self.is_open {
            return Ok(found);
        }
        let own = match found.iter().any(|address| is_near(*address)) && !self.is_given(name) {
            true => self.own_reaches().await,
            false => Vec::new(),
        };
        self.permitted(name, found, &own).map_err(Closed::Forbidden)
    }

    /// Those of a name's addresses that may be dialled. `own` says how far away the registry itself is: whoever is no nearer to us than
    /// that may be where it sends us, but a registry far away has no business with this machine or link, under whatever name.
    fn permitted(&self, name: &str, found: Vec<IpAddr>, own: &[Reach]) -> Result<Vec<IpAddr>, Forbidden> {
        let inside: Vec<IpAddr> = found.iter().copied().filter(|address| self.rules.includes(*address)).collect();
        if inside.is_empty() {
            return Err(self.rules.outside(name, &found));
        }
        let expected = |address: &IpAddr| !is_near(*address) || self.is_given(name) || own.contains(&origin::reach_of(*address));
        let expected: Vec<IpAddr> = inside.iter().copied().filter(expected).collect();
        if expected.is_empty() {
            return Err(Forbidden(format!("{name} leads to {}, an address of this machine or link", listed(&inside))));
        }
        Ok(expected)
    }

    fn is_given(&self, name: &str) -> bool {
        self.rules.given.iter().any(|given| given.eq_ignore_ascii_case(name))
    }

    /// How far away the registry is, as its address says or its name is resolved.
    async fn own_reaches(&self) -> Vec<Reach> {
        let mut all = vec![self.rules.reach];
        for name in &self.rules.given {
            all.extend(look_up(name).await.unwrap_or_default().into_iter().map(origin::reach_of));
        }
        all
    }
}

impl Rules {
    fn includes(&self, address: IpAddr) -> bool {
        // An IPv4 address is one however it is written: connecting to the mapped form connects to it.
        let address = address.to_canonical();
        self.only.as_ref().is_none_or(|only| only.iter().any(|network| network.contains(&address)))
    }

    fn outside(&self, host: &str, found: &[IpAddr]) -> Forbidden {
        if self.only.as_ref().is_some_and(Vec::is_empty) {
            return Forbidden("the allow-list has 0.0.0.0/0, which denies every address".to_owned());
        }
        Forbidden(match found {
            [] => format!("{host} is outside the allow-list"),
            found => format!("{host} leads to {}, outside the allow-list", listed(found)),
        })
    }
}

/// Whether an address is one of this machine or link.
fn is_near(address: IpAddr) -> bool {
    origin::reach_of(address) <= Reach::LinkLocal
}

fn listed(addresses: &[IpAddr]) -> String {
    addresses.iter().map(|address| address.to_canonical().to_string()).collect::<Vec<_>>().join(", ")
}

/// All addresses of a name, by the system's rules. The HTTP library puts the port where there is none.
async fn look_up(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
}

impl Service<Name> for Gate {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Closed;
    type Future = BoxFuture<'static, Result<Self::Response, Closed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let gate = self.clone();
        Box::pin(async move {
            let found = gate.addresses(name.as_str()).await?;
            Ok(found.into_iter().map(|address| SocketAddr::new(address, 0)).collect::<Vec<_>>().into_iter())
        })
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Closed::Unknown(error) => error.fmt(f),
            Closed::Forbidden(forbidden) => forbidden.fmt(f),
        }
    }
}

impl std::error::Error for Closed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Closed::Unknown(error) => Some(error),
            Closed::Forbidden(forbidden) => Some(forbidden),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(base: &str, only: Option<&[&str]>) -> Gate {
        let mut settings = Settings::new("prod", base.parse().unwrap());
        settings.only = only.map(|only| only.iter().map(|network| network.parse().unwrap()).collect());
        settings.realm = Some("https://auth.example.com".parse().unwrap());
        Gate::new(&settings)
    }

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn numbers() {
        for (only, url, allowed) in [
            (None, "http://127.0.0.1:5000", true),
            (Some(&["192.0.2.0/24"][..]), "http://192.0.2.7:5000", true),
            (Some(&["192.0.2.0/24"]), "http://[::ffff:192.0.2.7]", true),
            (Some(&["192.0.2.0/24"]), "http://0xc0000207", true),
            (Some(&["192.0.2.0/24"]), "http://127.0.0.1:5000", false),
            (Some(&["192.0.2.0/24"]), "http://[::ffff:127.0.0.1]", false),
            (Some(&["192.0.2.0/24"]), "http://[::1]", false),
            (Some(&["192.0.2.0/24"]), "http://2130706433", false),
            (Some(&["2001:db8::/32"]), "http://[2001:db8::1]", true),
            (Some(&["2001:db8::/32"]), "http://192.0.2.7", false),
            // a network of IPv6 is none of IPv4, even if the mapped addresses lie in it
            (Some(&["::/1"]), "http://[::ffff:192.0.2.7]", false),
            (Some(&[]), "http://192.0.2.7", false),
            (Some(&[]), "http://[2001:db8::1]", false),
            // a name is nothing to look at until it is resolved
            (Some(&[]), "http://registry.example.com", true),
        ] {
            let checked = gate("https://r.example.com", only).check_number(&url.parse().unwrap());
            assert_eq!(checked.is_ok(), allowed, "{only:?} {url}");
        }
    }

    #[test]
    fn of_several_addresses_those_inside_are_dialled() {
        let some = gate("https://r.example.com", Some(&["192.0.2.0/24", "2001:db8::1/128"]));
        let found = addresses(&["203.0.113.5", "192.0.2.1", "2001:db8::2", "::ffff:192.0.2.9", "2001:db8::1"]);
        let expected = addresses(&["192.0.2.1", "::ffff:192.0.2.9", "2001:db8::1"]);
        assert_eq!(some.permitted("r.example.com", found, &[]), Ok(expected));
        let outside = some.permitted("r.example.com", addresses(&["203.0.113.5", "::ffff:203.0.113.6"]), &[]);
        let said = outside.unwrap_err().to_string();
        assert_eq!(said, "r.example.com leads to 203.0.113.5, 203.0.113.6, outside the allow-list");
        let none = gate("https://r.example.com", Some(&[]));
        for address in ["192.0.2.1", "2001:db8::1", "::1"] {
            let denied = none.permitted("r.example.com", addresses(&[address]), &[]).unwrap_err();
            assert!(denied.to_string().contains("denies every address"), "{denied}");
        }
    }

    /// A redirect or realm to a name that the server's owner lets lead to our own machine.
    #[test]
    fn names_that_a_server_gives_lead_no_nearer_than_the_server() {
        let far = [Reach::Elsewhere];
        for (base, name, found, own, allowed) in [
            ("https://r.example.com", "cdn.example.net", "203.0.113.5", &far[..], true),
            ("https://r.example.com", "cdn.example.net", "10.0.0.5", &far, true),
            ("https://r.example.com", "cdn.example.net", "127.0.0.1", &far, false),
            ("https://r.example.com", "cdn.example.net", "::ffff:127.0.0.1", &far, false),
            ("https://r.example.com", "cdn.example.net", "::1", &far, false),
            ("https://r.example.com", "cdn.example.net", "169.254.169.254", &far, false),
            ("https://r.example.com", "cdn.example.net", "127.0.0.1", &[Reach::Elsewhere, Reach::Loopback], true),
            ("https://r.example.com", "cdn.example.net", "169.254.169.254", &[Reach::Loopback], false),
            ("http://r.local.test:5000", "R.local.test", "127.0.0.1", &[], true),
            ("https://r.example.com", "auth.example.com", "127.0.0.1", &[], true),
        ] {
            let permitted = gate(base, None).permitted(name, addresses(&[found]), own);
            assert_eq!(permitted.is_ok(), allowed, "{base} {name} {found}");
        }
        let both = gate("https://r.example.com", None).permitted("cdn.example.net", addresses(&["127.0.0.1", "203.0.113.5"]), &far);
        assert_eq!(both, Ok(addresses(&["203.0.113.5"])));
    }

    #[tokio::test]
    async fn this_machine_is_no_nearer_to_itself() {
        for base in ["http://127.0.0.1:5000", "http://localhost:5000"] {
            assert!(gate(base, None).addresses("localhost").await.is_ok(), "{base}");
        }
        let denied = gate("http://localhost:5000", Some(&["192.0.2.0/24"])).addresses("localhost").await;
        assert!(matches!(denied, Err(Closed::Forbidden(_))), "{denied:?}");
        let unknown = gate("http://registry.invalid", Some(&["192.0.2.0/24"])).addresses("registry.invalid").await;
        assert!(matches!(unknown, Err(Closed::Unknown(_))), "{unknown:?}");
    }
}
