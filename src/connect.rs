//! The one place that assembles the parts: what the catalogue says about a registry, and what providers know.

use crate::catalogue::HostFacts;
use crate::providers::detect;

/// What a host name tells about who runs the registry, for the rules of the catalogue.
pub fn host_facts(host: &str) -> HostFacts {
    HostFacts { kind: detect::kind_of_host(host), region: detect::region_of_host(host).map(str::to_owned) }
}
