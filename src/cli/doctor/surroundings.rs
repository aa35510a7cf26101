//! Versions, proxies and certificates, as the environment has them.

use std::path::Path;

use super::{Check, State};

/// The variables that lead to a proxy, or past it.
const PROXIES: [&str; 8] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];

pub(super) fn version() -> Check {
    let (version, system, machine) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    Check::ok("version", format!("regctl {version} on {system} ({machine})"))
}

pub(super) fn all(variable: &dyn Fn(&str) -> Option<String>) -> Vec<Check> {
    let set = |name: &'static str| variable(name).map(|value| (name, value));
    let mut checks: Vec<Check> = PROXIES.into_iter().filter_map(set).map(|(name, value)| proxy(name, &value)).collect();
    if checks.is_empty() {
        checks.push(Check::ok("proxy", "none in the environment"));
    }
    checks.extend(["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(set).map(|(name, value)| certificates(name, &value)));
    checks
}

fn proxy(name: &str, value: &str) -> Check {
    Check::ok(name, without_login(value))
}

/// A proxy's address without user name and password.
fn without_login(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((before, host)) => {
            let scheme = before.split_once("://").map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
            format!("{scheme}…@{host}")
        }
        None => address.to_owned(),
    }
}

fn certificates(name: &str, value: &str) -> Check {
    if Path::new(value).exists() {
        Check::ok(name, value)
    } else {
        Check::new(name, State::Problem, format!("{value} is not there, so no public certificate can be trusted"))
            .hints([format!("unset {name}, or point it to what is there")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_password_is_not_shown() {
        for (address, shown) in [
            ("http://proxy.example:3128", "http://proxy.example:3128"),
            ("http://user:s3cr3t-canary@proxy.example:3128", "http://…@proxy.example:3128"),
            ("user:s3cr3t-c@n@ry@proxy.example", "…@proxy.example"),
            (".example,10.0.0.0/8", ".example,10.0.0.0/8"),
        ] {
            assert_eq!(without_login(address), shown);
        }
    }
}
