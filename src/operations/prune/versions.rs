//! `--keep-semver N`: the newest N versions of each line.
//!
//! A tag is a version when it is `MAJOR.MINOR.PATCH` by semver.org, with or without `v` before it; `1.4` and `latest` are none. A
//! *line* is a major and minor number together with the word that follows the version, if one does: `1.4.2`, `1.4.2-alpine3.19` and
//! `1.4.2-rc.1` are three lines, so that a release candidate never takes the place of a release, nor one variant that of another.
//! Of each line the N highest versions stay; `v1.4.2` and `1.4.2` are one version and stay together.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use semver::Version;

/// Major, minor, and the word that follows the version.
type Line = (u64, u64, String);

/// The version that a tag stands for.
fn version(tag: &str) -> Option<Version> {
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

fn line(version: &Version) -> Line {
    let word = version.pre.as_str().chars().take_while(|c| !c.is_ascii_digit() && *c != '.').collect();
    (version.major, version.minor, word)
}

/// Whether a tag is a version.
pub(super) fn is_version(tag: &str) -> bool {
    version(tag).is_some()
}

/// Those of the tags that are among the newest `count` versions of their line.
pub(super) fn newest<'a>(tags: impl Iterator<Item = &'a str>, count: NonZeroU32) -> BTreeSet<&'a str> {
    let count = usize::try_from(count.get()).unwrap_or(usize::MAX);
    let mut lines: BTreeMap<Line, BTreeMap<Version, Vec<&str>>> = BTreeMap::new();
    for tag in tags {
        if let Some(version) = version(tag) {
            lines.entry(line(&version)).or_default().entry(version).or_default().push(tag);
        }
    }
    lines.into_values().flat_map(|versions| versions.into_values().rev().take(count).flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_keeps_its_newest() {
        let tags = [
            "v1.4.0",
            "1.4.1",
            "v1.4.2",
            "1.4.2",
            "1.4.10",
            "1.5.0",
            "2.0.0-rc.1",
            "2.0.0-rc.2",
            "2.0.0",
            "1.4.9-alpine3.18",
            "1.4.10-alpine",
            "1.4.3-alpine",
            "latest",
            "1.4",
            "v2",
            "1.4.2.1",
            "01.4.2",
        ];
        let kept = |count| newest(tags.iter().copied(), NonZeroU32::new(count).unwrap()).into_iter().collect::<Vec<_>>();
        assert_eq!(kept(1), ["1.4.10", "1.4.10-alpine", "1.5.0", "2.0.0", "2.0.0-rc.2"]);
        assert_eq!(
            kept(2),
            ["1.4.10", "1.4.10-alpine", "1.4.2", "1.4.9-alpine3.18", "1.5.0", "2.0.0", "2.0.0-rc.1", "2.0.0-rc.2", "v1.4.2"]
        );
        assert!(is_version("v1.4.2") && !is_version("1.4") && !is_version("latest") && !is_version("01.4.2"));
    }
}
