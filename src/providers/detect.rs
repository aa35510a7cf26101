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
    (Ends::Is(ECR_PUBLIC[0]), Kind::Ecr, "Amazon ECR Public"),
    (Ends::Is(ECR_PUBLIC[1]), Kind::Ecr, "Amazon ECR Public"),
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
    // other regions write theirs before it: hkccr, sgccr, …
    (Ends::With("ccr.ccs.tencentyun.com"), Kind::Tcr, "ccs.tencentyun.com"),
    (Ends::Is("demo.goharbor.io"), Kind::Harbor, "goharbor.io"),
    (Ends::Is("quay.io"), Kind::Quay, "quay.io"),
    (Ends::Is("registry.gitlab.com"), Kind::Gitlab, "gitlab.com"),
    (Ends::Is("gitea.com"), Kind::Gitea, "gitea.com"),
    (Ends::Is("codeberg.org"), Kind::Gitea, "codeberg.org"),
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

/// Amazon's public registry, under both of its names.
pub(super) const ECR_PUBLIC: [&str; 2] = ["public.ecr.aws", "ecr-public.aws.com"];

/// The one region in which the API of Amazon's public registry is.
const ECR_PUBLIC_REGION: &str = "us-east-1";

/// The domains of Huawei's clouds that a registry's host ends in.
const SWR_DOMAINS: &[&str] = &["myhuaweicloud.com", "myhuaweicloud.eu"];

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
        return Some((Kind::Swr, "myhuaweicloud"));
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
    let public = ECR_PUBLIC.contains(&host).then_some(ECR_PUBLIC_REGION);
    public.or_else(|| ecr_region(host)).or_else(|| swr_region(host))
}

fn ecr_region(host: &str) -> Option<&str> {
    ecr_parts(host).map(|parts| parts.region)
}

/// What a private registry's host at Amazon is made of, besides the account.
pub(super) struct EcrParts<'a> {
    /// Whether it is one that follows the American government's rules for cryptography.
    pub fips: bool,
    /// Where it is.
    pub region: &'a str,
    /// The domain of the partition that the region belongs to.
    pub domain: &'a str,
}

/// `<12 digits>.dkr.ecr[-fips].<region>.<domain>`, or with `dkr-ecr`.
pub(super) fn ecr_parts(host: &str) -> Option<EcrParts<'_>> {
    let (account, rest) = host.split_once('.')?;
    if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let rest = rest.strip_prefix("dkr.ecr").or_else(|| rest.strip_prefix("dkr-ecr"))?;
    let after = rest.strip_prefix("-fips");
    let (fips, rest) = (after.is_some(), after.unwrap_or(rest).strip_prefix('.')?);
    let (region, domain) = rest.split_once('.')?;
    (is_region(region) && ECR_DOMAINS.contains(&domain)).then_some(EcrParts { fips, region, domain })
}

/// `swr.<region>.<domain>`
fn swr_region(host: &str) -> Option<&str> {
    let (region, domain) = host.strip_prefix("swr.")?.split_once('.')?;
    (is_region(region) && SWR_DOMAINS.contains(&domain)).then_some(region)
}

fn is_region(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) && !text.starts_with(['-', '_'])
}

/// The last part of all of Alibaba's hosts.
pub(super) const ALIBABA: &str = ".aliyuncs.com";

/// `registry[-vpc|-internal][.<region>].aliyuncs.com`, `<id>.<region>.personal.cr.aliyuncs.com` and
/// `<instance>-registry[-vpc].<region>.cr.aliyuncs.com`; other services of Alibaba share the domain.
fn is_alibaba(host: &str) -> bool {
    let Some(start) = host.strip_suffix(ALIBABA) else { return false };
    let first = start.split('.').next().unwrap_or_default();
    matches!(first, "registry" | "registry-vpc" | "registry-internal") || start.ends_with(".cr")
}

/// The region in the name of one of Alibaba's registries, if there is one, and which of their own networks the name is for.
pub(super) fn alibaba_parts(host: &str) -> Option<(Option<&str>, &'static str)> {
    let start = host.strip_suffix(ALIBABA).filter(|_| is_alibaba(host))?;
    let mut labels = start.split('.');
    let first = labels.next()?;
    let network = ["-vpc", "-internal"].into_iter().find(|network| first.ends_with(network)).unwrap_or_default();
    Some((labels.next(), network))
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

    /// Each with where it is written that it is so.
    #[test]
    fn hosts() {
        const AMAZON: &str = "awslabs/amazon-ecr-credential-helper, ecr-login/api/client.go";
        const GITHUB: &str = "GitHub, \"Working with the Container registry\"";
        const AZURE: &str = "goharbor/harbor, src/pkg/reg/adapter/azurecr; Azure/acr-cli";
        const GOOGLE: &str = "google/go-containerregistry, pkg/v1/google";
        const DOCKER: &str = "Docker, \"Docker Hub registry API\"; distribution/reference";
        const TENCENT: &str = "goharbor/harbor, src/pkg/reg/adapter/tencentcr";
        const TENCENT_PERSONAL: &str = "Tencent Cloud, \"TCR Personal Edition\"";
        const HUAWEI: &str = "Huawei Cloud, SWR API reference, \"Endpoints\"";
        const ALIBABA: &str = "goharbor/harbor, src/pkg/reg/adapter/aliacr";
        const ALIBABA_PERSONAL: &str = "Alibaba Cloud, \"Container Registry Personal Edition instances\"";
        const QUAY: &str = "Quay, \"Getting started\"";
        const GITLAB: &str = "GitLab, \"Container registry\"";
        const GITEA: &str = "Gitea, \"Container registry\"; Codeberg, \"Using the package registry\"";
        const JFROG: &str = "JFrog, \"Get started with JFrog Cloud\"";
        const IONOS: &str = "IONOS Cloud, Container Registry, `hostname` in the answers of its API";
        const HARBOR: &str = "Harbor, \"Test Harbor with the demo server\"";
        const NO_RULE: &str = "";
        for (host, kind, source) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", Some(Kind::Ecr), AMAZON),
            ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", Some(Kind::Ecr), AMAZON),
            ("123456789012.dkr-ecr.eu-west-1.on.aws", Some(Kind::Ecr), AMAZON),
            ("123456789012.dkr-ecr-fips.us-east-1.on.aws", Some(Kind::Ecr), AMAZON),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", Some(Kind::Ecr), AMAZON),
            ("123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", Some(Kind::Ecr), AMAZON),
            ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", Some(Kind::Ecr), AMAZON),
            ("123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", Some(Kind::Ecr), AMAZON),
            ("123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", Some(Kind::Ecr), AMAZON),
            ("123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", Some(Kind::Ecr), AMAZON),
            ("123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov", Some(Kind::Ecr), AMAZON),
            ("public.ecr.aws", Some(Kind::Ecr), AMAZON),
            ("ecr-public.aws.com", Some(Kind::Ecr), AMAZON),
            ("12345.dkr.ecr.eu-west-1.amazonaws.com", None, NO_RULE),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example", None, NO_RULE),
            ("123456789012.dkr.ecr..amazonaws.com", None, NO_RULE),
            ("x.public.ecr.aws", None, NO_RULE),
            ("acme.azurecr.io", Some(Kind::Azure), AZURE),
            ("acme.azurecr.cn", Some(Kind::Azure), AZURE),
            ("acme.azurecr.us", Some(Kind::Azure), AZURE),
            (".azurecr.io", None, NO_RULE),
            ("ghcr.io", Some(Kind::Ghcr), GITHUB),
            ("europe-west3-docker.pkg.dev", Some(Kind::Gar), GOOGLE),
            ("gcr.io", Some(Kind::Gar), GOOGLE),
            ("us.gcr.io", Some(Kind::Gar), GOOGLE),
            ("eu.gcr.io", Some(Kind::Gar), GOOGLE),
            ("asia.gcr.io", Some(Kind::Gar), GOOGLE),
            ("mirror.gcr.io", None, NO_RULE),
            ("docker.io", Some(Kind::Dockerhub), DOCKER),
            ("index.docker.io", Some(Kind::Dockerhub), DOCKER),
            ("registry-1.docker.io", Some(Kind::Dockerhub), DOCKER),
            ("registry.hub.docker.com", Some(Kind::Dockerhub), DOCKER),
            ("acme.tencentcloudcr.com", Some(Kind::Tcr), TENCENT),
            ("acme-vpc.tencentcloudcr.com", Some(Kind::Tcr), TENCENT),
            ("ccr.ccs.tencentyun.com", Some(Kind::Tcr), TENCENT_PERSONAL),
            ("hkccr.ccs.tencentyun.com", Some(Kind::Tcr), TENCENT_PERSONAL),
            ("swr.cn-north-4.myhuaweicloud.com", Some(Kind::Swr), HUAWEI),
            ("swr.eu-west-101.myhuaweicloud.eu", Some(Kind::Swr), HUAWEI),
            ("swr-api.cn-north-4.myhuaweicloud.com", None, NO_RULE),
            ("registry.aliyuncs.com", Some(Kind::Acr), ALIBABA),
            ("registry.cn-hangzhou.aliyuncs.com", Some(Kind::Acr), ALIBABA),
            ("registry-vpc.cn-hangzhou.aliyuncs.com", Some(Kind::Acr), ALIBABA),
            ("registry-internal.cn-hangzhou.aliyuncs.com", Some(Kind::Acr), ALIBABA),
            ("crpi-x.cn-beijing.personal.cr.aliyuncs.com", Some(Kind::Acr), ALIBABA_PERSONAL),
            ("acme-registry.eu-central-1.cr.aliyuncs.com", Some(Kind::Acr), ALIBABA),
            ("acme-registry-vpc.eu-central-1.cr.aliyuncs.com", Some(Kind::Acr), ALIBABA),
            ("bucket.oss-cn-hangzhou.aliyuncs.com", None, NO_RULE),
            ("quay.io", Some(Kind::Quay), QUAY),
            ("registry.gitlab.com", Some(Kind::Gitlab), GITLAB),
            ("gitea.com", Some(Kind::Gitea), GITEA),
            ("codeberg.org", Some(Kind::Gitea), GITEA),
            ("acme.jfrog.io", Some(Kind::Artifactory), JFROG),
            ("acme.cr.de-fra.ionos.com", Some(Kind::Ionos), IONOS),
            ("acme.cr.ionos.com", Some(Kind::Ionos), IONOS),
            ("www.ionos.com", None, NO_RULE),
            ("demo.goharbor.io", Some(Kind::Harbor), HARBOR),
            ("registry.example.com", None, NO_RULE),
            ("localhost", None, NO_RULE),
        ] {
            assert_eq!(kind_of_host(host).map(|(kind, _)| kind), kind, "{host}");
            assert_eq!(kind.is_some(), !source.is_empty(), "{host}");
        }
        // people run these on hosts of their own, so only the server's answer tells
        let anywhere = [Kind::Native, Kind::Nexus, Kind::Zot];
        let named = |kind: &Kind| {
            RULES.iter().any(|(_, known, _)| known == kind) || [Kind::Ecr, Kind::Swr, Kind::Acr, Kind::Ionos].contains(kind)
        };
        for kind in Kind::ALL {
            assert_ne!(named(kind), anywhere.contains(kind), "{kind}");
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
            ("public.ecr.aws", Some("us-east-1")),
            ("swr.cn-north-4.myhuaweicloud.com", Some("cn-north-4")),
            ("swr.eu-west-101.myhuaweicloud.eu", Some("eu-west-101")),
            ("swr..myhuaweicloud.com", None),
            ("registry.example.com", None),
        ] {
            assert_eq!(region_of_host(host), region, "{host}");
        }
    }
}
