//! Credentials in environment variables.

use super::{Credential, Found, Secret, Unavailable};

/// The pair of variables that speaks for a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variables {
    /// Holds the user name.
    pub username: String,
    /// Holds the password.
    pub password: String,
}

/// The variables for a catalogue name: upper case, `-` as `_`. Without a name, those for whichever registry is meant.
pub fn variables(name: Option<&str>) -> Variables {
    let prefix = match name {
        Some(name) => format!("REGCTL_{}", name.to_uppercase().replace('-', "_")),
        None => "REGCTL".to_owned(),
    };
    Variables { username: format!("{prefix}_USERNAME"), password: format!("{prefix}_PASSWORD") }
}

/// Looks for the pair for `name`, or the general one. A missing user name is filled with `fallback`, the one of the catalogue.
/// Empty counts as unset.
///
/// # Errors
/// When only one half is there: a pipeline whose masked variable is missing must not go on as somebody else or as nobody.
pub fn find(
    lookup: &dyn Fn(&str) -> Option<String>,
    name: Option<&str>,
    fallback: Option<&str>,
) -> Result<Option<Found>, Unavailable> {
    let variables = variables(name);
    let value = |variable: &str| lookup(variable).filter(|value| !value.is_empty());
    match (value(&variables.username), value(&variables.password)) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(half(&variables.username, &variables.password)),
        (username, Some(password)) => {
            let username =
                username.or_else(|| fallback.map(str::to_owned)).ok_or_else(|| half(&variables.password, &variables.username))?;
            let credential = Credential::new(username, Secret::new(password));
            Ok(Some(Found { credential, origin: variables.password }))
        }
    }
}

fn half(given: &str, missing: &str) -> Unavailable {
    Unavailable {
        message: format!("{given} is set, but {missing} is not"),
        hints: vec![format!("set {missing}, or unset {given}")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(set: &[(&str, &str)], name: Option<&str>, fallback: Option<&str>) -> Result<Option<(String, String)>, String> {
        let lookup = |wanted: &str| set.iter().find(|(variable, _)| *variable == wanted).map(|(_, value)| (*value).to_owned());
        match find(&lookup, name, fallback) {
            Ok(Some(Found { credential: Credential::Basic { username, password }, .. })) => {
                Ok(Some((username, password.expose().to_owned())))
            }
            Ok(Some(other)) => panic!("unexpected {other:?}"),
            Ok(None) => Ok(None),
            Err(unavailable) => Err(unavailable.message),
        }
    }

    #[test]
    fn names() {
        for (name, username) in
            [(Some("prod"), "REGCTL_PROD_USERNAME"), (Some("prod-eu-1"), "REGCTL_PROD_EU_1_USERNAME"), (None, "REGCTL_USERNAME")]
        {
            assert_eq!(variables(name).username, username);
        }
        assert_eq!(variables(Some("a-b")).password, "REGCTL_A_B_PASSWORD");
    }

    #[test]
    fn pairs() {
        let both = [("REGCTL_PROD_USERNAME", "u"), ("REGCTL_PROD_PASSWORD", "p:w ")];
        assert_eq!(ask(&both, Some("prod"), None), Ok(Some(("u".into(), "p:w ".into()))));
        assert_eq!(ask(&both, Some("prod"), Some("other")), Ok(Some(("u".into(), "p:w ".into()))));
        assert_eq!(ask(&both, None, None), Ok(None));
        assert_eq!(ask(&both, Some("pro"), None), Ok(None));
        let password = [("REGCTL_PROD_PASSWORD", "pw")];
        assert_eq!(ask(&password, Some("prod"), Some("robot$ci")), Ok(Some(("robot$ci".into(), "pw".into()))));
        assert_eq!(ask(&password, Some("prod"), None), Err("REGCTL_PROD_PASSWORD is set, but REGCTL_PROD_USERNAME is not".into()));
    }

    /// A fork's pipeline has the user name, and an empty password.
    #[test]
    fn an_empty_password_is_not_anonymous() {
        let set = [("REGCTL_USERNAME", "bot"), ("REGCTL_PASSWORD", "")];
        assert_eq!(ask(&set, None, None), Err("REGCTL_USERNAME is set, but REGCTL_PASSWORD is not".into()));
        assert_eq!(ask(&[("REGCTL_USERNAME", ""), ("REGCTL_PASSWORD", "")], None, None), Ok(None));
    }

    #[test]
    fn a_token_user_is_an_identity_token() {
        let lookup =
            |variable: &str| Some(if variable.ends_with("USERNAME") { "<token>".to_owned() } else { "refresh".to_owned() });
        let found = find(&lookup, None, None).unwrap().unwrap();
        assert!(matches!(found.credential, Credential::IdentityToken(_)));
        assert_eq!(found.origin, "REGCTL_PASSWORD");
    }
}
