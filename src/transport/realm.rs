//! Whether a token server that a registry names may be asked, and whether it may be told the credential.
//!
//! A registry decides by its challenge where our password goes next. So the realm has to be on the registry's own host, or be known to
//! belong to it: by the catalogue entry, or as a pair of registry and realm (oras-dotnet#393). Nothing a server says can add to that.

use url::Url;

use super::Settings;
use super::origin::{self, Reach};
use crate::registry::{Error, ErrorKind, Result};

/// Checks `realm`. With `credential`, it has to be one that may be told a credential; without, only one that may be spoken to.
pub(super) fn check(settings: &Settings, realm: &Url, credential: bool) -> Result<()> {
    let base = &settings.base;
    let refused = |why: String| Err(Error::new(ErrorKind::Refused, "sign in to", &settings.name).because(why));
    let shown = origin::shown(realm);
    if !matches!(realm.scheme(), "http" | "https") {
        return refused("the address of its token server is no web address".into());
    }
    if base.scheme() == "https" && realm.scheme() != "https" {
        return refused(format!("its token server {shown} is not protected by https"));
    }
    if origin::same_host(base, realm) || settings.realm.as_ref().is_some_and(|own| origin::same_origin(own, realm)) {
        return Ok(());
    }
    if origin::reach(realm) < Reach::Elsewhere && origin::reach(realm) != origin::reach(base) {
        return refused(format!("its token server {shown} is an address of a private network"));
    }
    let known = settings.trusted_realms.iter().any(|(registry, host)| {
        base.host_str() == Some(registry.as_str()) && realm.host_str() == Some(host.as_str()) && realm.scheme() == "https"
    });
    if credential && !known {
        return refused(format!(
            "its token server {shown} is on another host and would be told the credential; if that is right, set the entry's realm to it"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_credential_may_go() {
        // (registry, realm, the entry's realm, spoken to, told the credential)
        for (base, realm, own, spoken, told) in [
            ("https://r.example.com", "https://r.example.com/token", None, true, true),
            ("https://r.example.com", "https://r.example.com:8443/token", None, true, true),
            ("https://r.example.com", "http://r.example.com/token", None, false, false),
            ("https://r.example.com", "https://auth.example.com/token", None, true, false),
            ("https://r.example.com", "https://auth.example.com/token", Some("https://auth.example.com/"), true, true),
            ("https://r.example.com", "https://auth.example.com:444/token", Some("https://auth.example.com/"), true, false),
            ("https://r.example.com", "http://auth.example.com/token", Some("http://auth.example.com/"), false, false),
            ("https://hub.example.com", "https://auth.hub.example/token", None, true, true),
            ("http://hub.example.com", "http://auth.hub.example/token", None, true, false),
            ("https://r.example.com", "https://auth.hub.example/token", None, true, false),
            ("https://r.example.com", "https://127.0.0.1/token", None, false, false),
            ("http://r.example.com", "http://169.254.169.254/token", None, false, false),
            ("http://r.example.com", "http://10.0.0.5/token", None, false, false),
            ("http://r.example.com", "http://10.0.0.5/token", Some("http://10.0.0.5"), true, true),
            ("https://r.example.com", "https://localhost/token", None, false, false),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", None, true, true),
            ("http://127.0.0.1:5000", "http://localhost:5001/token", None, true, false),
            ("http://127.0.0.1:5000", "http://10.0.0.5/token", None, false, false),
            ("https://r.example.com", "file:///etc/passwd", None, false, false),
        ] {
            let mut settings = Settings::new("prod", base.parse().unwrap());
            settings.realm = own.map(|own| own.parse().unwrap());
            settings.trusted_realms = vec![("hub.example.com".into(), "auth.hub.example".into())];
            let realm: Url = realm.parse().unwrap();
            assert_eq!(check(&settings, &realm, false).is_ok(), spoken, "{base} {realm} spoken to");
            assert_eq!(check(&settings, &realm, true).is_ok(), told, "{base} {realm} told");
        }
    }
}
