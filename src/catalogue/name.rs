//! What a registry is called in the catalogue (SPEC §3, "Name").

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use super::invalid::as_text;
use crate::oci::InvalidName;

/// A name by the grammar `^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Longest name: a DNS label, so that it can stand in host names, variables and file names.
    pub const LONGEST: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest name to some free text: "Docker Hub" becomes `docker-hub`. `None` when nothing is left of it.
    pub fn slug(text: &str) -> Option<Name> {
        let mut slug = String::new();
        for c in text.chars().flat_map(char::to_lowercase) {
            match c {
                'a'..='z' => slug.push(c),
                '0'..='9' if !slug.is_empty() => slug.push(c),
                _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
                _ => {}
            }
        }
        slug.truncate(Name::LONGEST);
        slug.trim_end_matches('-').parse().ok()
    }

    /// The middle of this registry's variables: `my-hub` reads `REGCTL_MY_HUB_USERNAME`.
    pub fn variable(&self) -> String {
        self.0.to_ascii_uppercase().replace('-', "_")
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Name, InvalidName> {
        let error = |position, reason| InvalidName::new("registry name", text, position, reason);
        if text.is_empty() {
            return Err(error(0, "it is empty"));
        }
        for (position, c) in text.char_indices() {
            match c {
                'a'..='z' => {}
                'A'..='Z' => return Err(error(position, "upper-case letters are not allowed")),
                _ if position == 0 => return Err(error(0, "it must start with a letter a-z")),
                '0'..='9' | '-' => {}
                _ => return Err(error(position, "only a-z, 0-9 and `-` are allowed; free text goes to the display name")),
            }
        }
        if text.len() > Name::LONGEST {
            return Err(error(Name::LONGEST, "it is longer than 63 characters"));
        }
        if text.ends_with('-') {
            return Err(error(text.len() - 1, "it must end in a letter or digit"));
        }
        Ok(Name(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

as_text!(Name);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grammar() {
        let long = "a".repeat(63);
        for good in ["a", "prod", "a-1", "a--b", "docker-hub", &long] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        let too_long = "a".repeat(64);
        for (bad, at) in
            [("", 0), ("1a", 0), ("-a", 0), ("a-", 1), ("aB", 1), ("a_b", 1), ("a b", 1), ("é", 0), ("a.b", 1), (&too_long, 63)]
        {
            assert_eq!(bad.parse::<Name>().unwrap_err().position, at, "{bad}");
        }
    }

    #[test]
    fn slugs() {
        for (text, slug) in [
            ("Docker Hub", Some("docker-hub")),
            ("registry.local.test", Some("registry-local-test")),
            ("  42 -- Prod!! ", Some("prod")),
            ("日本", None),
            ("", None),
        ] {
            assert_eq!(Name::slug(text).map(|name| name.to_string()).as_deref(), slug, "{text}");
        }
    }

    #[test]
    fn variables() {
        assert_eq!("my-hub2".parse::<Name>().unwrap().variable(), "MY_HUB2");
    }

    proptest! {
        #[test]
        fn a_slug_is_a_name(text in ".{0,200}") {
            if let Some(name) = Name::slug(&text) {
                prop_assert!(name.as_str().parse::<Name>().is_ok());
            }
        }

        #[test]
        fn what_parses_fits_the_pattern(text in "[-a-z0-9A-Z_.]{0,70}") {
            let pattern = regex::Regex::new("^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$").unwrap();
            prop_assert_eq!(text.parse::<Name>().is_ok(), pattern.is_match(&text));
        }
    }
}
