//! Which token servers on other hosts are known to be a registry's own (vendors' documentation).
//!
//! A registry names its token server itself, and would be told the password there. Most have it on their own host, which needs no rule;
//! for an entry that is nobody's known product, its `realm` says it.

use super::detect::{ALIBABA, alibaba_parts};

/// Pairs of a registry's host and its token server's.
const KNOWN: &[(&str, &str)] = &[
    ("registry-1.docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
    // the other name of the same registry
    ("ecr-public.aws.com", "public.ecr.aws"),
];

/// The region whose token server Alibaba's registries also name.
const ALIBABA_HOME: &str = "cn-hangzhou";

/// The hosts besides its own on which the registry at this lower-case host may have its token server.
pub fn known(host: &str) -> Vec<String> {
    let pairs = KNOWN.iter().filter(|(registry, _)| *registry == host).map(|(_, realm)| (*realm).to_owned());
    pairs.chain(alibaba(host)).collect()
}

/// `dockerauth[-ee][-vpc].<region>.aliyuncs.com`; in one region the first dot is a hyphen. Whole names and no pattern: anyone can have a
/// storage bucket called `dockerauth` below that domain.
fn alibaba(host: &str) -> Vec<String> {
    let Some((region, network)) = alibaba_parts(host) else { return Vec::new() };
    let mut all = vec![format!("dockerauth{ALIBABA}")];
    for region in [region.unwrap_or(ALIBABA_HOME), ALIBABA_HOME] {
        for edition in ["", "-ee"] {
            all.push(format!("dockerauth{edition}{network}.{region}{ALIBABA}"));
            all.push(format!("dockerauth{edition}{network}-{region}{ALIBABA}"));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each with where it is written, or was seen, that it is so.
    #[test]
    fn realms() {
        const DOCKER: &str = "Docker, \"Registry authentication\"";
        const GITLAB: &str = "GitLab, \"GitLab container registry administration\": the realm is GitLab's own host";
        const AMAZON: &str = "the challenge of public.ecr.aws";
        const ALIBABA: &str = "Alibaba Cloud, \"Domain names a registered cluster needs\"; kubernetes/minikube#13782";
        const NO_RULE: &str = "";
        for (host, realm, source) in [
            ("registry-1.docker.io", "auth.docker.io", DOCKER),
            ("registry-1.docker.io", "auth.docker.io.evil.example", NO_RULE),
            ("registry.example.com", "auth.docker.io", NO_RULE),
            ("registry.gitlab.com", "gitlab.com", GITLAB),
            ("ecr-public.aws.com", "public.ecr.aws", AMAZON),
            ("registry.cn-hangzhou.aliyuncs.com", "dockerauth.cn-hangzhou.aliyuncs.com", ALIBABA),
            ("registry.aliyuncs.com", "dockerauth.cn-hangzhou.aliyuncs.com", ALIBABA),
            ("crpi-x.cn-beijing.personal.cr.aliyuncs.com", "dockerauth.cn-hangzhou.aliyuncs.com", ALIBABA),
            ("acme-registry.ap-southeast-1.cr.aliyuncs.com", "dockerauth-ee.ap-southeast-1.aliyuncs.com", ALIBABA),
            ("acme-registry-vpc.cn-hangzhou.cr.aliyuncs.com", "dockerauth-ee-vpc.cn-hangzhou.aliyuncs.com", ALIBABA),
            ("registry.cn-zhangjiakou.aliyuncs.com", "dockerauth-cn-zhangjiakou.aliyuncs.com", ALIBABA),
            ("registry.cn-hangzhou.aliyuncs.com", "dockerauth.oss-cn-hangzhou.aliyuncs.com", NO_RULE),
            ("registry.cn-hangzhou.aliyuncs.com", "dockerauth.cn-beijing.aliyuncs.com", NO_RULE),
            ("bucket.oss-cn-hangzhou.aliyuncs.com", "dockerauth.cn-hangzhou.aliyuncs.com", NO_RULE),
            ("quay.io", "quay.example.com", NO_RULE),
        ] {
            assert_eq!(known(host).iter().any(|known| known == realm), !source.is_empty(), "{host} {realm}");
        }
    }
}
