//! Who built a registry: told from its host name, else from the first answer of the server.
//!
//! Both are tables of facts. Nothing here asks; [`look`](super::look) does.

use crate::registry::Kind;
use crate::transport::Greeting;

/// How a host name is compared.
#[derive(Clone, Copy)]
enum Ends {
    /// The host is exactly this.
    Is(&'static str),
    /// The host ends in this, with something before it.
    With(&'static str),
}

/// Hosts that say whose they are. First match counts, so the special stands before the general.
const RULES: &[(Ends, Kind, &str)] = &[
    (Ends::Is("public.ecr.aws"), Kind::Native, "Amazon ECR Public"),
    (Ends::Is("ecr-public.aws.com"), Kind::Native, "Amazon ECR Public"),
    (Ends::With(".azurecr.io"), Kind::Azure, "azurecr.io"),
    (Ends::With(".azurecr.cn"), Kind::Azure, "azurecr.cn"),
    (Ends::With(".azurecr.us"), Kind::Azure, "azurecr.us"),
    (Ends::Is("ghcr.io"), Kind::Ghcr, "ghcr.io"),
    (Ends::With("-docker.pkg.dev"), Kind::Gar, "docker.pkg.dev"),
    (Ends::Is("gcr.io"), Kind::Gar, "gcr.io"),
    (Ends::Is("us.gcr.io"), Kind::Gar, "gcr.io"),
    (Ends::Is("eu.gcr.io"), Kind::Gar, "gcr.io"),
    (Ends::Is("asia.gcr.io"), Kind::Gar, "gcr.io"),
    (Ends::Is("docker.io"), Kind::Dockerhub, "Docker Hub"),
    (Ends::Is("index.docker.io"), Kind::Dockerhub, "Docker Hub"),
    (Ends::Is("registry-1.docker.io"), Kind::Dockerhub, "Docker Hub"),
    (Ends::Is("registry.hub.docker.com"), Kind::Dockerhub, "Docker Hub"),
    // answers like Harbor, so the name has to decide
    (Ends::With(".tencentcloudcr.com"), Kind::Tcr, "tencentcloudcr.com"),
    (Ends::Is("ccr.ccs.tencentyun.com"), Kind::Tcr, "ccs.tencentyun.com"),
    (Ends::Is("quay.io"), Kind::Quay, "quay.io"),
    (Ends::Is("registry.gitlab.com"), Kind::Gitlab, "gitlab.com"),
    (Ends::With(".jfrog.io"), Kind::Artifactory, "jfrog.io"),
    (Ends::With(".cr.ionos.com"), Kind::Ionos, "cr.ionos.com"),
];

/// What a part of the first answer is compared with.
#[derive(Clone, Copy)]
enum Shows {
    /// The challenge's `service` is this.
    Service(&'static str),
    /// The challenge's `service` begins with this.
    ServiceFrom(&'static str),
    /// The challenge's `service` is this, and its realm ends in that.
    ServiceAndRealm(&'static str, &'static str),
    /// The path of the challenge's realm is this.
    RealmPath(&'static str),
    /// The challenge's realm has this in it.
    RealmWith(&'static str),
    /// This header is there; what it says after `/` is the version.
    Header(&'static str),
    /// `Server` names this product; what it says after `/` is the version.
    Server(&'static str),
}

/// First answers that say whose they are. First match counts.
const ANSWERS: &[(Shows, Kind, &str)] = &[
    // these two name the version
    (Shows::Header("x-jfrog-version"), Kind::Artifactory, "its header X-JFrog-Version"),
    (Shows::Server("Nexus"), Kind::Nexus, "its header Server"),
    (Shows::Header("x-artifactory-id"), Kind::Artifactory, "its header X-Artifactory-Id"),
    (Shows::RealmWith("/artifactory/"), Kind::Artifactory, "where it gives tokens"),
    (Shows::Service("harbor-registry"), Kind::Harbor, "the service of its tokens"),
    (Shows::ServiceAndRealm("container_registry", "/jwt/auth"), Kind::Gitlab, "the service of its tokens"),
    (Shows::ServiceAndRealm("container_registry", "/v2/token"), Kind::Gitea, "the service of its tokens"),
    (Shows::ServiceFrom("registry.aliyuncs.com:"), Kind::Acr, "the service of its tokens"),
    (Shows::RealmPath("/v2/auth"), Kind::Quay, "where it gives tokens"),
    (Shows::RealmPath("/zot/auth/token"), Kind::Zot, "where it gives tokens"),
    (Shows::RealmWith("Sonatype Nexus"), Kind::Nexus, "the name of its login"),
];

/// What the first answer says of who built the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Who built it.
    pub kind: Kind,
    /// What it was told from.
    pub why: &'static str,
    /// The version, where the server says it.
    pub version: Option<String>,
}

/// Who built the server that answered so, as far as the answer tells.
pub fn kind_of_answer(greeting: &Greeting) -> Option<Sighting> {
    let realm = greeting.realm.as_deref().unwrap_or_default();
    let service = greeting.service.as_deref().unwrap_or_default();
    let realm_path = realm.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or_default();
    // `Some` fits, with the version if that is there too
    let fits = |shows: Shows| match shows {
        Shows::Service(word) => (service == word).then_some(None),
        Shows::ServiceFrom(start) => service.starts_with(start).then_some(None),
        Shows::ServiceAndRealm(word, end) => (service == word && realm.ends_with(end)).then_some(None),
        Shows::RealmPath(path) => (realm_path == path).then_some(None),
        Shows::RealmWith(part) => realm.contains(part).then_some(None),
        Shows::Header(name) => greeting.header(name).map(|value| value.split_once('/').map(|(_, rest)| rest)),
        Shows::Server(product) => {
            let (name, rest) = greeting.header("server")?.split_once('/')?;
            name.eq_ignore_ascii_case(product).then_some(Some(rest))
        }
    };
    ANSWERS.iter().find_map(|(shows, kind, why)| {
        let version = fits(*shows)?.and_then(version);
        Some(Sighting { kind: *kind, why, version })
    })
}

/// The first word, if it looks like a version: servers write anything.
pub(super) fn version(text: &str) -> Option<String> {
    let word = text.split_ascii_whitespace().next()?;
    let word = word.strip_prefix('v').unwrap_or(word);
    let plain = word.len() <= VERSION_MAX && word.bytes().all(|b| b.is_ascii_alphanumeric() || b".-+_".contains(&b));
    (plain && word.starts_with(|c: char| c.is_ascii_digit())).then(|| word.to_owned())
}

/// Longer than any version: what is longer is something else.
const VERSION_MAX: usize = 40;

/// The domains of Amazon's partitions that a private registry's host ends in.
const ECR_DOMAINS: &[&str] = &[
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "on.aws",
    "on.amazonwebservices.com.cn",
    "sc2s.sgov.gov",
    "c2s.ic.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
];

/// The provider that a lower-case host name stands for, and the part of it that tells.
pub fn kind_of_host(host: &str) -> Option<(Kind, &'static str)> {
    if ecr_region(host).is_some() {
        return Some((Kind::Ecr, "dkr.ecr"));
    }
    if swr_region(host).is_some() {
        return Some((Kind::Swr, "myhuaweicloud.com"));
    }
    if is_alibaba(host) {
        return Some((Kind::Acr, "aliyuncs.com"));
    }
    if is_ionos(host) {
        return Some((Kind::Ionos, "ionos.com"));
    }
    let fits = |rule: Ends| match rule {
        Ends::Is(name) => host == name,
        Ends::With(end) => host.strip_suffix(end).is_some_and(|start| !start.is_empty()),
    };
    RULES.iter().find(|(rule, ..)| fits(*rule)).map(|(_, kind, why)| (*kind, *why))
}

/// The region that the host names, where the provider writes it there.
pub fn region_of_host(host: &str) -> Option<&str> {
    ecr_region(host).or_else(|| swr_region(host))
}

/// `<12 digits>.dkr.ecr[-fips].<region>.<domain>`, or with `dkr-ecr`.
fn ecr_region(host: &str) -> Option<&str> {
    let (account, rest) = host.split_once('.')?;
    if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let rest = rest.strip_prefix("dkr.ecr").or_else(|| rest.strip_prefix("dkr-ecr"))?;
    let rest = rest.strip_prefix("-fips").unwrap_or(rest).strip_prefix('.')?;
    let (region, domain) = rest.split_once('.')?;
    (is_region(region) && ECR_DOMAINS.contains(&domain)).then_some(region)
}

/// `swr.<region>.myhuaweicloud.com`
fn swr_region(host: &str) -> Option<&str> {
    let region = host.strip_prefix("swr.")?.strip_suffix(".myhuaweicloud.com")?;
    is_region(region).then_some(region)
}

fn is_region(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) && !text.starts_with(['-', '_'])
}

/// `registry[-vpc|-internal].<region>.aliyuncs.com` and everything below `cr.aliyuncs.com`; other Alibaba services share the domain.
fn is_alibaba(host: &str) -> bool {
    let Some(start) = host.strip_suffix(".aliyuncs.com") else { return false };
    let first = start.split('.').next().unwrap_or_default();
    let personal = matches!(first, "registry" | "registry-vpc" | "registry-internal") && start.contains('.');
    personal || start.ends_with(".cr")
}

/// `<name>.cr.<location>.ionos.com`
fn is_ionos(host: &str) -> bool {
    let Some(start) = host.strip_suffix(".ionos.com") else { return false };
    let labels: Vec<&str> = start.split('.').collect();
    labels.len() == 3 && labels[1] == "cr" && !labels[0].is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (host, kind) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", Some(Kind::Ecr)),
            ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", Some(Kind::Ecr)),
            ("123456789012.dkr-ecr.eu-west-1.on.aws", Some(Kind::Ecr)),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", Some(Kind::Ecr)),
            ("12345.dkr.ecr.eu-west-1.amazonaws.com", None),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example", None),
            ("public.ecr.aws", Some(Kind::Native)),
            ("acme.azurecr.io", Some(Kind::Azure)),
            (".azurecr.io", None),
            ("ghcr.io", Some(Kind::Ghcr)),
            ("europe-west3-docker.pkg.dev", Some(Kind::Gar)),
            ("eu.gcr.io", Some(Kind::Gar)),
            ("docker.io", Some(Kind::Dockerhub)),
            ("registry.hub.docker.com", Some(Kind::Dockerhub)),
            ("acme.tencentcloudcr.com", Some(Kind::Tcr)),
            ("ccr.ccs.tencentyun.com", Some(Kind::Tcr)),
            ("swr.cn-north-4.myhuaweicloud.com", Some(Kind::Swr)),
            ("registry.cn-hangzhou.aliyuncs.com", Some(Kind::Acr)),
            ("registry-vpc.cn-hangzhou.aliyuncs.com", Some(Kind::Acr)),
            ("crpi-x.cn-beijing.personal.cr.aliyuncs.com", Some(Kind::Acr)),
            ("acme-registry.eu-central-1.cr.aliyuncs.com", Some(Kind::Acr)),
            ("bucket.oss-cn-hangzhou.aliyuncs.com", None),
            ("quay.io", Some(Kind::Quay)),
            ("registry.gitlab.com", Some(Kind::Gitlab)),
            ("acme.jfrog.io", Some(Kind::Artifactory)),
            ("acme.cr.de-fra.ionos.com", Some(Kind::Ionos)),
            ("acme.cr.ionos.com", Some(Kind::Ionos)),
            ("www.ionos.com", None),
            ("registry.example.com", None),
            ("localhost", None),
        ] {
            assert_eq!(kind_of_host(host).map(|(kind, _)| kind), kind, "{host}");
        }
    }

    #[test]
    fn answers() {
        let tell = |headers: &[(&'static str, &str)], challenge: Option<(&str, &str)>| {
            let mut map = crate::transport::header::HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, value.parse().unwrap());
            }
            let (realm, service) = challenge.map(|(realm, service)| (realm.to_owned(), service.to_owned())).unzip();
            let greeting = Greeting {
                status: crate::transport::StatusCode::UNAUTHORIZED,
                headers: map,
                realm,
                service,
                took: std::time::Duration::ZERO,
            };
            kind_of_answer(&greeting).map(|seen| (seen.kind, seen.version))
        };
        let version = |text: &str| Some(text.to_owned());
        for (headers, challenge, expected) in [
            (&[][..], Some(("https://r.example/service/token", "harbor-registry")), Some((Kind::Harbor, None))),
            (&[], Some(("https://git.example/jwt/auth", "container_registry")), Some((Kind::Gitlab, None))),
            (&[], Some(("https://git.example/v2/token", "container_registry")), Some((Kind::Gitea, None))),
            (&[], Some(("https://r.example/token", "container_registry")), None),
            (&[], Some(("https://r.example/v2/auth", "r.example")), Some((Kind::Quay, None))),
            (&[], Some(("https://r.example/x/v2/auth", "r.example")), None),
            (
                &[],
                Some(("https://dockerauth.cn-hangzhou.aliyuncs.com/auth", "registry.aliyuncs.com:cn-hangzhou:26842")),
                Some((Kind::Acr, None)),
            ),
            (&[], Some(("https://r.example/artifactory/api/docker/x/v2/token", "r.example")), Some((Kind::Artifactory, None))),
            (&[("x-jfrog-version", "Artifactory/7.90.10 79010900")], None, Some((Kind::Artifactory, version("7.90.10")))),
            (&[("x-artifactory-id", "abc")], Some(("Artifactory Realm", "")), Some((Kind::Artifactory, None))),
            (&[("server", "Nexus/3.60.0-02 (OSS)")], None, Some((Kind::Nexus, version("3.60.0-02")))),
            (&[], Some(("Sonatype Nexus Repository Manager", "")), Some((Kind::Nexus, None))),
            (&[("server", "nginx/1.25")], Some(("basic-realm", "")), None),
            (&[("docker-distribution-api-version", "registry/2.0")], None, None),
        ] {
            assert_eq!(tell(headers, challenge), expected, "{headers:?} {challenge:?}");
        }
    }

    #[test]
    fn versions() {
        for (text, expected) in [
            ("v2.12.0-6f1d9c1e", Some("2.12.0-6f1d9c1e")),
            ("7.90.10 79010900", Some("7.90.10")),
            ("", None),
            ("latest", None),
            ("1\u{1b}[2J", None),
        ] {
            assert_eq!(version(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn regions() {
        for (host, region) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("swr.cn-north-4.myhuaweicloud.com", Some("cn-north-4")),
            ("swr..myhuaweicloud.com", None),
            ("registry.example.com", None),
        ] {
            assert_eq!(region_of_host(host), region, "{host}");
        }
    }
}
