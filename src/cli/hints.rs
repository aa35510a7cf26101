//! What a person should try next, for each kind of registry error. One file decides all of them, and names every kind, so that a
//! new one can't forget to ask.

use crate::registry::{Error, ErrorKind};

/// The hints for a registry error, most useful first.
pub(super) fn for_registry(error: &Error) -> Vec<String> {
    // who knows the vendor knows better
    if let Some(remedy) = error.remedies() {
        return vec![remedy.to_owned()];
    }
    let name = error.subject().split('/').next().unwrap_or_default();
    let hint = match error.kind() {
        ErrorKind::NotFound => return Vec::new(),
        ErrorKind::CredentialMissing => format!("sign in: regctl login {name}"),
        ErrorKind::CredentialRefused => format!("the user name or password is wrong or has expired: regctl login {name}"),
        ErrorKind::Denied => {
            format!("sign in as someone who may: regctl login {name}; regctl check {name} shows as whom you are signed in")
        }
        ErrorKind::Unreachable => format!("see what is wrong on the way there: regctl check {name}"),
        ErrorKind::Tls => format!(
            "for a certificate of your own authority: regctl update {name} --tls-cert ca.pem; for a self-signed one: regctl update {name} --tls-pin ask"
        ),
        ErrorKind::RateLimited => format!("slow down: regctl update {name} --requests-per-second 5, or try again later"),
        ErrorKind::Unsupported => format!("regctl check {name} shows what this registry can do"),
        ErrorKind::Protocol => format!("is that a registry? regctl check {name} shows what answers there"),
        ErrorKind::Corrupt => "the content was changed or cut on the way; try again, and check proxies in between".into(),
        ErrorKind::Conflict | ErrorKind::CredentialUnavailable | ErrorKind::Refused | ErrorKind::Invalid | ErrorKind::Local => {
            return Vec::new();
        }
    };
    vec![hint]
}

/// The three ways to a report on an image on which there is none.
pub(super) fn for_an_unscanned_image() -> [&'static str; 3] {
    [
        "let the registry scan: Harbor, Quay, ECR, Artifact Registry and IONOS do, when that is switched on there",
        "attach a report: oras attach --artifact-type application/sarif+json IMAGE report.sarif, or cosign attest --type vuln --predicate FILE IMAGE",
        "install trivy or grype on this machine, somewhere on PATH",
    ]
}
