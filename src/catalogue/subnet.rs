//! Which network addresses a registry may have (SPEC §9, "Allow-list").

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::invalid::{Invalid, as_text};

/// Most entries of an allow-list: as many as the strictest of the systems that lists are exchanged with accepts.
const SUBNETS_MAX: usize = 25;

/// Bits before the IPv4 address in a mapped one (`::ffff:192.0.2.1`).
const MAPPED_BITS: u8 = 96;

/// A network, or a bare address that stands for itself alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subnet {
    network: IpNet,
    bare: bool,
}

impl Subnet {
    /// Reads one entry; the note says what was changed about it.
    ///
    /// # Errors
    /// When it is neither an address nor a network, or `::/0`.
    pub fn read(text: &str) -> Result<(Subnet, Option<String>), Invalid> {
        let error = |reason| Invalid::value(text, "a subnet", reason).hint("write 198.51.100.0/24, 2001:db8::/32 or one address");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        if address.contains('%') {
            return Err(error("zone ids are not allowed"));
        }
        let address: IpAddr =
            address.parse().map_err(|_| error("it is no IP address; host names and leading zeros are not allowed"))?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => None,
            Some(bits)
                if !bits.bytes().all(|b| b.is_ascii_digit()) || bits.is_empty() || (bits.len() > 1 && bits.starts_with('0')) =>
            {
                return Err(error("the prefix length is no plain number"));
            }
            Some(bits) => Some(bits.parse::<u8>().map_err(|_| error("the prefix length is no plain number"))?),
        };
        if bits.is_some_and(|bits| bits > most) {
            return Err(error("the prefix is longer than the address"));
        }
        let (given, given_bits) = (address, bits.unwrap_or(most));
        let (address, length) = match (given, given.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(v4)) if given_bits >= MAPPED_BITS => (IpAddr::V4(v4), given_bits - MAPPED_BITS),
            _ => (given, given_bits),
        };
        if address.is_ipv6() && length == 0 {
            return Err(error("it could mean everything or nothing")
                .hint("to allow everything leave the list empty; to deny everything write 0.0.0.0/0"));
        }
        let network = IpNet::new(address, length).expect("checked against the address's length").trunc();
        let subnet = Subnet { network, bare: bits.is_none() };
        let plain = match bits {
            Some(bits) => format!("{given}/{bits}"),
            None => given.to_string(),
        };
        let note = (subnet.to_string() != plain).then(|| format!("{plain} is taken as {subnet}"));
        Ok((subnet, note))
    }

    fn denies_all(self) -> bool {
        self.network.addr().is_ipv4() && self.network.prefix_len() == 0
    }
}

impl FromStr for Subnet {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Subnet, Invalid> {
        Subnet::read(text).map(|(subnet, _)| subnet)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bare { write!(f, "{}", self.network.addr()) } else { write!(f, "{}", self.network) }
    }
}

/// What an allow-list comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// There is none.
    Unrestricted,
    /// Only what is listed.
    Restricted,
    /// `0.0.0.0/0` is listed: nothing, be it IPv4 or IPv6.
    DenyAll,
}

/// Up to 25 subnets, in the order given and each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Subnet>", into = "Vec<Subnet>")]
pub struct AllowList(Vec<Subnet>);

impl AllowList {
    /// The subnets.
    pub fn as_slice(&self) -> &[Subnet] {
        &self.0
    }

    /// Whether there is none, so that every address is allowed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The networks that connections may go to: `None` where there is no list, none of them where everything is denied.
    pub fn networks(&self) -> Option<Vec<IpNet>> {
        match self.effect() {
            Effect::Unrestricted => None,
            Effect::Restricted => Some(self.0.iter().map(|subnet| subnet.network).collect()),
            Effect::DenyAll => Some(Vec::new()),
        }
    }

    /// What it comes to.
    pub fn effect(&self) -> Effect {
        if self.0.is_empty() {
            Effect::Unrestricted
        } else if self.0.iter().any(|subnet| subnet.denies_all()) {
            Effect::DenyAll
        } else {
            Effect::Restricted
        }
    }
}

impl TryFrom<Vec<Subnet>> for AllowList {
    type Error = Invalid;

    fn try_from(subnets: Vec<Subnet>) -> Result<AllowList, Invalid> {
        if subnets.len() > SUBNETS_MAX {
            return Err(Invalid::new(format!("an allow-list has at most {SUBNETS_MAX} subnets, these are {}", subnets.len())));
        }
        let mut list = Vec::with_capacity(subnets.len());
        for subnet in subnets {
            if !list.contains(&subnet) {
                list.push(subnet);
            }
        }
        Ok(AllowList(list))
    }
}

impl From<AllowList> for Vec<Subnet> {
    fn from(list: AllowList) -> Vec<Subnet> {
        list.0
    }
}

as_text!(Subnet);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn normal_form() {
        for (text, normal, noted) in [
            ("198.51.100.0/24", "198.51.100.0/24", false),
            ("10.1.2.3/8", "10.0.0.0/8", true),
            ("203.0.113.7", "203.0.113.7", false),
            ("203.0.113.7/32", "203.0.113.7/32", false),
            ("2001:db8::1", "2001:db8::1", false),
            ("2001:db8::1/32", "2001:db8::/32", true),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24", true),
            ("0.0.0.0/0", "0.0.0.0/0", false),
            ("1.2.3.4/0", "0.0.0.0/0", true),
            ("::1/128", "::1/128", false),
        ] {
            let (subnet, note) = Subnet::read(text).unwrap();
            assert_eq!((subnet.to_string().as_str(), note.is_some()), (normal, noted), "{text}");
        }
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "::/0",
            "0::0/0",
            "1.2.3.4/33",
            "example.com",
            "fe80::1%eth0",
            "010.1.1.1",
            "1.2.3",
            "1.2.3.4/",
            "1.2.3.4/08",
            "1.2.3.4/+8",
            "1.2.3.4/8/9",
            "2001:db8::/129",
            " 1.2.3.4",
            "1.2.3.4/255.0.0.0",
        ] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }

    #[test]
    fn effects_and_limits() {
        let list = |texts: &[&str]| AllowList::try_from(texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>());
        assert_eq!(list(&[]).unwrap().effect(), Effect::Unrestricted);
        assert_eq!(list(&["10.0.0.0/8"]).unwrap().effect(), Effect::Restricted);
        assert_eq!(list(&["10.0.0.0/8", "0.0.0.0/0"]).unwrap().effect(), Effect::DenyAll);
        assert_eq!(list(&["10.0.0.0/8", "10.0.0.0/8"]).unwrap().as_slice().len(), 1);
        let networks = |texts: &[&str]| list(texts).unwrap().networks().map(|all| all.len());
        assert_eq!(networks(&[]), None);
        assert_eq!(networks(&["10.0.0.0/8", "2001:db8::1"]), Some(2));
        assert_eq!(networks(&["10.0.0.0/8", "0.0.0.0/0"]), Some(0));
        let many: Vec<String> = (0..26).map(|n| format!("10.0.0.{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(list(&many[..25]).is_ok());
        assert!(list(&many).unwrap_err().to_string().contains("26"));
    }

    proptest! {
        #[test]
        fn normal_form_is_stable(address: std::net::IpAddr, bits in 1u8..=128) {
            if let Ok((subnet, _)) = Subnet::read(&format!("{address}/{bits}")) {
                let (again, note) = Subnet::read(&subnet.to_string()).unwrap();
                prop_assert_eq!(again, subnet);
                prop_assert_eq!(note, None);
            }
        }

        #[test]
        fn any_text_is_answered(text in ".{0,40}") {
            let _ = text.parse::<Subnet>();
        }
    }
}
