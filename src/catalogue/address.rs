//! Where a registry is (SPEC §3, "Address").

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::invalid::{Invalid, as_text};

/// The four spellings of Docker Hub's host. The last one is where its v2 API answers.
const DOCKER_HUB: [&str; 4] = ["docker.io", "index.docker.io", "registry.hub.docker.com", "registry-1.docker.io"];

/// How to talk to a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The word before `://`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port that needs no mention.
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// `scheme://host[:port][/path]` in its one normal form: lower-case host, no default port, no trailing `/`, no user info.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    scheme: Scheme,
    host: String,
    port: Option<u16>,
    path: String,
}

impl Address {
    /// Reads what a person typed. The notes say what was assumed or left out.
    ///
    /// # Errors
    /// When it is no address; when it has user info, a query or a fragment; when it is plain HTTP to a host that isn't loopback and
    /// `plain_http` doesn't allow that.
    pub fn read(text: &str, plain_http: bool) -> Result<(Address, Vec<String>), Invalid> {
        let mut notes = Vec::new();
        let text = text.trim();
        if text.is_empty() {
            return Err(Invalid::new("the address is empty").hint("write https://HOST[:PORT][/PATH]"));
        }
        let address = if text.contains("://") {
            Address::parse(text)?
        } else {
            let address = Address::parse(&format!("https://{text}")).map_err(|error| unbracketed(text).unwrap_or(error))?;
            let scheme = if address.is_loopback() || plain_http { Scheme::Http } else { Scheme::Https };
            // parsed again, because which port is the default depends on the scheme
            let address = Address::parse(&format!("{}://{text}", scheme.as_str()))?;
            notes.push(format!("no scheme given, taking {address}"));
            address
        };
        if address.scheme == Scheme::Http && !address.is_loopback() && !plain_http {
            return Err(Invalid::new(format!("{address} is plain http, which sends passwords readable over the network"))
                .hint("use https://, or allow it for this registry with --plain-http"));
        }
        let address = match address.path.as_str() {
            // what people copy from Docker's configuration and from documentation of the API
            "/v2" | "/v1" => {
                notes.push(format!("left out {}: the program adds /v2/ itself", address.path));
                Address { path: String::new(), ..address }
            }
            _ => address,
        };
        Ok((address, notes))
    }

    fn parse(text: &str) -> Result<Address, Invalid> {
        let bad = |reason: &str| {
            // what may be a password must not be repeated
            let shown = if text.contains('@') { "the address" } else { text };
            Invalid::value(shown, "an address", reason).hint("write https://HOST[:PORT][/PATH]")
        };
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(bad("it has a space, control character or backslash in it"));
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            _ => return Err(bad("only http:// and https:// are known")),
        };
        if rest.is_empty() || rest.starts_with(['/', '?', '#', ':']) {
            return Err(bad("the host is missing"));
        }
        if rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@')) {
            return Err(Invalid::new("an address can't hold a user name or password")
                .hint("give them with --username and --password-stdin; they don't belong in the catalogue"));
        }
        if rest.contains('%') {
            return Err(bad("percent signs (escapes and zone ids) are not allowed"));
        }
        let url = url::Url::parse(text).map_err(|error| bad(&error.to_string()))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("a query or fragment can't be part of it"));
        }
        let host = url.host_str().unwrap_or_default();
        let host = host.strip_suffix('.').unwrap_or(host);
        if host.is_empty() || host.split('.').any(str::is_empty) {
            return Err(bad("the host has an empty part"));
        }
        if !host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b)) {
            return Err(bad("the host has a character that host names can't have"));
        }
        if url.port() == Some(0) {
            return Err(bad("port 0 can't be reached"));
        }
        let path = url.path().trim_end_matches('/');
        if path.contains("//") {
            return Err(bad("the path has an empty part"));
        }
        Ok(Address { scheme, host: host.to_owned(), port: url.port(), path: path.to_owned() })
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether it is reached over TLS.
    pub fn is_ssl(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// The host in lower case; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also where it is the default.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or_else(|| self.scheme.default_port())
    }

    /// The path without a trailing `/`; empty when there is none.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same server without the path.
    pub fn without_path(&self) -> Address {
        Address { path: String::new(), ..self.clone() }
    }

    /// `host[:port]`, the port only where it isn't the default.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// Whether it is Docker Hub under any of its names.
    pub fn is_docker_hub(&self) -> bool {
        is_docker_hub(&self.host)
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        if let Ok(v4) = self.host.parse::<Ipv4Addr>() {
            return v4.is_loopback();
        }
        if let Some(v6) =
            self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).and_then(|host| host.parse::<Ipv6Addr>().ok())
        {
            return v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback());
        }
        self.host == "localhost" || self.host.ends_with(".localhost")
    }

    /// The address to send requests to: the same, but for Docker Hub the one of its hosts that answers.
    pub fn endpoint(&self) -> Address {
        if self.is_docker_hub() { Address { host: canonical_host(&self.host).to_owned(), ..self.clone() } } else { self.clone() }
    }

    /// Whether both mean the same server, whatever the path.
    pub fn same_server(&self, other: &Address) -> bool {
        canonical_host(&self.host) == canonical_host(&other.host) && self.port() == other.port()
    }
}

fn is_docker_hub(host: &str) -> bool {
    DOCKER_HUB.contains(&host)
}

/// The one name for hosts that have several.
pub(super) fn canonical_host(host: &str) -> &str {
    if is_docker_hub(host) { DOCKER_HUB[3] } else { host }
}

/// A better message for `::1` and `fe80::1:5000`.
fn unbracketed(text: &str) -> Option<Invalid> {
    let host = text.split('/').next().unwrap_or_default();
    (host.parse::<Ipv6Addr>().is_ok())
        .then(|| Invalid::value(text, "an address", "an IPv6 address needs brackets").hint(format!("write [{host}]")))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}://{}{}", self.scheme.as_str(), self.authority(), self.path))
    }
}

impl FromStr for Address {
    type Err = Invalid;

    /// Reads an address as it stands in the catalogue: with a scheme, and plain HTTP because somebody put it there.
    fn from_str(text: &str) -> Result<Address, Invalid> {
        Address::parse(text)
    }
}

as_text!(Address);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<String, Invalid> {
        Address::read(text, false).map(|(address, _)| address.to_string())
    }

    #[test]
    fn normal_form() {
        for (text, normal) in [
            ("registry.example.com", "https://registry.example.com"),
            ("HTTPS://Registry.EXAMPLE.com:443/", "https://registry.example.com"),
            ("https://registry.example.com:8443/path/", "https://registry.example.com:8443/path"),
            ("registry.example.com:443", "https://registry.example.com"),
            ("registry.example.com:80", "https://registry.example.com:80"),
            ("registry.example.com.", "https://registry.example.com"),
            ("localhost:5000", "http://localhost:5000"),
            ("localhost:80", "http://localhost"),
            ("localhost:443", "http://localhost:443"),
            ("reg.localhost", "http://reg.localhost"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("[::1]:5000", "http://[::1]:5000"),
            ("[::ffff:127.0.0.1]:5000", "http://[::ffff:7f00:1]:5000"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("https://localhost:5000", "https://localhost:5000"),
            ("[2001:DB8::1]:5000", "https://[2001:db8::1]:5000"),
            ("https://index.docker.io/v1/", "https://index.docker.io"),
            ("https://registry.example.com/v2/", "https://registry.example.com"),
            ("https://registry.example.com/api/v2", "https://registry.example.com/api/v2"),
            ("10.0.0.7:5000", "https://10.0.0.7:5000"),
            (" registry.example.com ", "https://registry.example.com"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(normal), "{text}");
        }
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "https://",
            "https:///path",
            "ftp://registry.example.com",
            "https://registry.example.com?x=1",
            "https://registry.example.com#x",
            "https://reg istry.example.com",
            "https://registry.example.com:0",
            "https://registry.example.com:99999",
            "https://registry..example.com",
            "https://registry.example.com/a//b",
            "https://[fe80::1%25eth0]:5000",
            "::1",
            "http://10.0.0.7:5000",
            "http://registry.example.com",
            "https://a\u{1b}[31m.example.com",
            "https://reg\\istry.example.com",
            "https://a,b",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn passwords_are_never_repeated() {
        for text in ["https://bob:s3cr3t-canary@registry.example.com", "bob:s3cr3t-canary@host", "https://b:s3cr3t-canary@h/ x"] {
            let error = read(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{text}");
        }
    }

    #[test]
    fn says_what_it_assumed() {
        let notes = |text| Address::read(text, true).unwrap().1;
        assert_eq!(notes("localhost:5000"), ["no scheme given, taking http://localhost:5000"]);
        assert_eq!(notes("http://10.0.0.7"), [""; 0]);
        assert_eq!(Address::read("10.0.0.7:5000", true).unwrap().0.to_string(), "http://10.0.0.7:5000");
        assert!(notes("https://index.docker.io/v1/")[0].contains("/v1"));
    }

    #[test]
    fn docker_hub_has_four_names() {
        let first: Address = "https://docker.io".parse().unwrap();
        for host in DOCKER_HUB {
            let address: Address = format!("https://{host}").parse().unwrap();
            assert!(address.is_docker_hub() && address.same_server(&first));
            assert_eq!(address.endpoint().to_string(), "https://registry-1.docker.io");
        }
        assert!(!"https://notdocker.io".parse::<Address>().unwrap().is_docker_hub());
    }

    proptest! {
        #[test]
        fn normal_form_is_stable(text in "(https?://)?[a-zA-Z0-9.\\[\\]:-]{1,30}(/[a-z0-9./]{0,10})?") {
            if let Ok((address, _)) = Address::read(&text, true) {
                let again: Address = address.to_string().parse().unwrap();
                prop_assert_eq!(again, address);
            }
        }

        #[test]
        fn any_text_is_answered(text in ".{0,60}") {
            let _ = Address::read(&text, true);
        }
    }
}
