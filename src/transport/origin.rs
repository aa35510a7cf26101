//! Which address belongs to whom: origins, hosts, and where a server may send us.
//!
//! A server names other addresses in redirects, challenges and `Location` headers. None of them is followed blindly: credentials would
//! follow along (GHSA-qvqc-4c52-x6qp), or the request would reach services that only this machine can see.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Position, Url};

/// How far away a host is, as far as its name or address tells. Names are resolved elsewhere: see [`Gate`](super::gate::Gate).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// This machine: `localhost`, `127.0.0.0/8`, `::1`, and the unspecified addresses that lead there.
    Loopback,
    /// This link: `169.254.0.0/16` (clouds serve instance secrets there), `fe80::/10`.
    LinkLocal,
    /// A private network's address, written as a number.
    Private,
    /// Anything else, each name included.
    Elsewhere,
}

/// How far away the host of `url` is.
pub(super) fn reach(url: &Url) -> Reach {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            if name == "localhost" || name.ends_with(".localhost") { Reach::Loopback } else { Reach::Elsewhere }
        }
        Some(Host::Ipv4(address)) => reach_v4(address),
        Some(Host::Ipv6(address)) => reach_of(IpAddr::V6(address)),
        None => Reach::Loopback,
    }
}

/// How far away an address is.
pub(super) fn reach_of(address: IpAddr) -> Reach {
    match address.to_canonical() {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let shared = address.octets()[0] == 100 && address.octets()[1] & 0xc0 == 64;
    if address.is_loopback() || address.octets()[0] == 0 {
        Reach::Loopback
    } else if address.is_link_local() {
        Reach::LinkLocal
    } else if address.is_private() || shared {
        Reach::Private
    } else {
        Reach::Elsewhere
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    if address.is_loopback() || address.is_unspecified() {
        Reach::Loopback
    } else if address.is_unicast_link_local() {
        Reach::LinkLocal
    } else if address.is_unique_local() {
        Reach::Private
    } else {
        Reach::Elsewhere
    }
}

/// Whether both have the same scheme, host and port.
pub(super) fn same_origin(a: &Url, b: &Url) -> bool {
    // mostly one was made of the other
    a[..Position::BeforePath] == b[..Position::BeforePath]
        || a.scheme() == b.scheme() && same_host(a, b) && a.port_or_known_default() == b.port_or_known_default()
}

/// Whether both are on the same host, whatever scheme and port.
pub(super) fn same_host(a: &Url, b: &Url) -> bool {
    a.host() == b.host()
}

/// Takes user name and password out of an address: they would turn up in headers and messages.
pub(super) fn forget_user(url: &mut Url) {
    // Fails only for addresses that can't have any.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
}

/// `scheme://host:port` for messages.
pub(super) fn shown(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Why a redirect from `from` to `to` is not followed; `None` when it may be.
pub(super) fn redirect_refusal(from: &Url, to: &Url) -> Option<String> {
    let target = shown(to);
    if !matches!(to.scheme(), "http" | "https") {
        return Some(format!("it redirects to `{}:`, which is no web address", to.scheme()));
    }
    if from.scheme() == "https" && to.scheme() != "https" {
        return Some(format!("it redirects from https to {target}, without protection"));
    }
    if reach(to) <= Reach::LinkLocal && reach(from) != reach(to) {
        return Some(format!("it redirects to {target}, an address of this machine or link"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn reaches() {
        for (address, expected) in [
            ("http://localhost:5000", Reach::Loopback),
            ("http://LOCALHOST.", Reach::Loopback),
            ("http://a.localhost", Reach::Loopback),
            ("http://127.8.9.1", Reach::Loopback),
            ("http://0.0.0.0", Reach::Loopback),
            ("http://[::1]", Reach::Loopback),
            ("http://[::]", Reach::Loopback),
            ("http://[::ffff:127.0.0.1]", Reach::Loopback),
            ("http://2130706433", Reach::Loopback),
            ("http://169.254.169.254", Reach::LinkLocal),
            ("http://[fe80::1]", Reach::LinkLocal),
            ("http://10.1.2.3", Reach::Private),
            ("http://192.168.1.1", Reach::Private),
            ("http://100.64.0.1", Reach::Private),
            ("http://[fd00::1]", Reach::Private),
            ("http://203.0.113.5", Reach::Elsewhere),
            ("http://registry.example.com", Reach::Elsewhere),
        ] {
            assert_eq!(reach(&url(address)), expected, "{address}");
        }
    }

    #[test]
    fn redirects() {
        for (from, to, allowed) in [
            ("https://r.example.com/v2/", "https://cdn.example.net/blob?sig=1", true),
            ("http://r.example.com/v2/", "https://r.example.com/v2/", true),
            ("https://r.example.com/v2/", "http://r.example.com/v2/", false),
            ("https://r.example.com/v2/", "file:///etc/passwd", false),
            ("http://r.example.com/v2/", "http://127.0.0.1:2375/", false),
            ("http://r.example.com/v2/", "http://169.254.169.254/latest/meta-data/", false),
            ("http://r.example.com/v2/", "http://localhost/", false),
            ("http://10.0.0.5:5000/v2/", "http://127.0.0.1/", false),
            ("https://r.example.com/v2/", "https://10.0.0.9:9000/bucket", true),
            ("http://127.0.0.1:5000/v2/", "http://127.0.0.1:9000/bucket", true),
            ("http://127.0.0.1:5000/v2/", "http://169.254.169.254/", false),
        ] {
            assert_eq!(redirect_refusal(&url(from), &url(to)).is_none(), allowed, "{from} -> {to}");
        }
    }

    #[test]
    fn origins() {
        assert!(same_origin(&url("https://a.example:443/x"), &url("https://A.example/y")));
        for other in ["http://a.example/", "https://b.example/", "https://a.example:8443/"] {
            assert!(!same_origin(&url("https://a.example/"), &url(other)), "{other}");
        }
    }
}
