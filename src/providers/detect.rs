//! Who built a registry, told from its host name alone. What a server answers is looked at elsewhere.

use crate::registry::Kind;

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
