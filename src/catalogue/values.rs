//! The small values of an entry: lines of text, labels, places, who signs in, through what (SPEC §3).

use std::fmt;
use std::str::FromStr;

use super::invalid::{Invalid, as_text};

/// Longest description.
const DESCRIPTION_MAX: usize = 1024;
/// Longest display name: still one line of a wide terminal.
const DISPLAY_NAME_MAX: usize = 256;
/// Longest value of a label, and longest user name; far above what any system uses, and short enough for a header.
const VALUE_MAX: usize = 512;
/// Longest key of a label, as in Kubernetes.
const KEY_MAX: usize = 63;

macro_rules! text_types {
    ($($(#[$doc:meta])* $name:ident = $what:literal, $check:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<$name, Invalid> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                check(text).map_err(|reason| Invalid::value(text, $what, reason))?;
                Ok($name(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        as_text!($name);
    )*};
}

text_types! {
    /// Free text about a registry.
    Description = "a description", |text| line(text, DESCRIPTION_MAX, "it is longer than 1024 characters");
    /// What people call a registry where free text is possible.
    DisplayName = "a display name", |text| {
        if text.trim().is_empty() { return Err("it is empty"); }
        line(text, DISPLAY_NAME_MAX, "it is longer than 256 characters")
    };
    /// Who signs in. HTTP's Basic scheme leaves no room for a colon.
    Username = "a user name", |text| {
        if text.is_empty() { return Err("it is empty"); }
        if text.contains(':') { return Err("it has a colon in it"); }
        line(text, VALUE_MAX, "it is longer than 512 characters")
    };
    /// A provider's region, such as `eu-west-1`.
    Region = "a region", |text| match text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        true if (1..=KEY_MAX).contains(&text.len()) && !text.starts_with('-') && !text.ends_with('-') => Ok(()),
        _ => Err("it is made of a-z, 0-9 and `-`, such as eu-west-1"),
    };
    /// Where a registry stands, `country/city` such as `de/fra`.
    Location = "a location", |text| match text.split_once('/') {
        Some((country, city)) if is_word(country) && country.len() == 2 && is_word(city) && (2..=KEY_MAX).contains(&city.len()) => Ok(()),
        _ => Err("it is COUNTRY/CITY in lower case, such as de/fra"),
    };
    /// The key of a label.
    LabelKey = "a label's key", |text| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_./".contains(&b);
        let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
        let fits = text.len() <= KEY_MAX && text.bytes().all(inner) && ends(text.bytes().next()) && ends(text.bytes().last());
        if fits { Ok(()) } else { Err("it is made of letters, digits, `-`, `_`, `.` and `/`, at most 63, a letter or digit at both ends") }
    };
    /// The value of a label.
    LabelValue = "a label's value", |text| line(text, VALUE_MAX, "it is longer than 512 characters");
    /// A proxy for one registry, or `none`.
    Proxy = "a proxy", |text| {
        if text == "none" { return Ok(()); }
        let url = url::Url::parse(text).map_err(|_| "it is none or scheme://HOST:PORT")?;
        if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") { return Err("only http, https, socks5 and socks5h are known"); }
        let plain = url.host_str().is_some_and(|host| !host.is_empty()) && matches!(url.path(), "" | "/");
        if plain && url.query().is_none() && url.fragment().is_none() { Ok(()) } else { Err("it is none or scheme://HOST:PORT") }
    };
}

impl Proxy {
    /// Reads a proxy; one with a password is refused without repeating it.
    ///
    /// # Errors
    /// When it is neither `none` nor a proxy's address.
    pub fn read(text: &str) -> Result<Proxy, Invalid> {
        if text.contains('@') {
            return Err(Invalid::new("a proxy in the catalogue can't hold a user name or password")
                .hint("give a proxy that needs a password with HTTPS_PROXY"));
        }
        text.trim_end_matches('/').parse()
    }

    /// Whether it says that no proxy is to be used.
    pub fn is_none(&self) -> bool {
        self.0 == "none"
    }
}

/// Text of one line, up to so many characters.
fn line(text: &str, max: usize, too_long: &'static str) -> Result<(), &'static str> {
    if text.chars().any(char::is_control) {
        return Err("it has control characters in it");
    }
    if text.chars().nth(max).is_some() { Err(too_long) } else { Ok(()) }
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && text.starts_with(|c: char| c.is_ascii_lowercase())
}

/// `KEY=VALUE` as on the command line.
///
/// # Errors
/// When the `=` is missing, or key or value are not allowed.
pub fn label(text: &str) -> Result<(LabelKey, LabelValue), Invalid> {
    let (key, value) = text.split_once('=').ok_or_else(|| Invalid::value(text, "a label", "it is KEY=VALUE"))?;
    Ok((key.parse()?, value.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ok<T: FromStr>(text: &str) -> bool {
        text.parse::<T>().is_ok()
    }

    #[test]
    fn grammars() {
        assert!(ok::<Description>("") && ok::<Description>(&"é".repeat(1024)) && !ok::<Description>(&"é".repeat(1025)));
        assert!(!ok::<Description>("two\nlines") && !ok::<Description>("\u{1b}[31m"));
        assert!(ok::<DisplayName>("Production (EU)") && !ok::<DisplayName>(" "));
        assert!(ok::<Username>("robot$ci") && ok::<Username>("cn-north-4@AK") && !ok::<Username>("a:b") && !ok::<Username>(""));
        assert!(ok::<Region>("eu-west-1") && !ok::<Region>("EU") && !ok::<Region>("") && !ok::<Region>("-a"));
        for (text, good) in [
            ("de/fra", true),
            ("es/vit", true),
            ("defra", false),
            ("DE/fra", false),
            ("deu/fra", false),
            ("de/", false),
            ("de/fra/1", false),
        ] {
            assert_eq!(ok::<Location>(text), good, "{text}");
        }
        assert!(label("env=prod").is_ok() && label("env=").is_ok() && label("a.b/c=x=y").is_ok());
        for bad in ["env", "=x", "-a=x", "a b=c", "a=\u{7}"] {
            assert!(label(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn proxies() {
        for good in ["none", "http://proxy.example:3128", "http://proxy.example:3128/", "socks5h://127.0.0.1:1080"] {
            assert!(Proxy::read(good).is_ok(), "{good}");
        }
        for bad in ["", "proxy.example:3128", "ftp://proxy.example", "http://proxy.example/path", "http://"] {
            assert!(Proxy::read(bad).is_err(), "{bad}");
        }
        let error = Proxy::read("http://u:s3cr3t-canary@proxy.example").unwrap_err();
        assert!(!error.to_string().contains("canary"));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,80}") {
            let _ = (label(&text), Proxy::read(&text), text.parse::<Location>(), text.parse::<Region>(), text.parse::<Username>());
        }
    }
}
