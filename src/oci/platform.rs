//! What an image runs on (image-spec 1.1 "image-index.md", platform).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::null_as_default;

/// `os/architecture[/variant]`, and the version that Windows images need.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Platform {
    /// Operating system, `linux`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub os: String,
    /// Processor, `amd64`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub architecture: String,
    /// Processor's variant, `v7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Operating system's version, for Windows.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
}

impl Platform {
    /// Whether anything is known of it; BuildKit writes `unknown/unknown` for attestations.
    pub fn is_known(&self) -> bool {
        let known = |text: &str| !text.is_empty() && text != "unknown";
        known(&self.os) && known(&self.architecture)
    }

    /// The short form for tables: `amd64` on Linux, else `os/arch`, with the variant.
    pub fn short(&self) -> String {
        let full = self.to_string();
        full.strip_prefix("linux/").map(str::to_owned).unwrap_or(full)
    }

    /// Whether an image for `self` is what someone means who asks for `wanted`: parts not asked for don't matter.
    pub fn satisfies(&self, wanted: &Platform) -> bool {
        let part = |have: &Option<String>, want: &Option<String>| want.is_none() || have == want;
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (part(&self.variant, &wanted.variant)
                // arm64 means arm64/v8: the only variant there has ever been
                || (self.architecture == "arm64" && self.variant.is_none() && wanted.variant.as_deref() == Some("v8")))
            && part(&self.os_version, &wanted.os_version)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if let Some(variant) = self.variant.as_deref().filter(|variant| !variant.is_empty()) {
            write!(f, "/{variant}")?;
        }
        Ok(())
    }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Platform, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts[..] {
            [architecture] => ("linux", architecture, None),
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant.to_owned())),
            _ => return Err(format!("`{text}` is not a platform: expected os/architecture[/variant]")),
        };
        if parts.iter().any(|part| part.is_empty()) {
            return Err(format!("`{text}` is not a platform: a part is empty"));
        }
        Ok(Platform { os: os.into(), architecture: architecture.into(), variant, os_version: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asked_and_had() {
        let platform = |text: &str| text.parse::<Platform>().unwrap();
        for (have, want, fits) in [
            ("linux/amd64", "amd64", true),
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm/v7", "linux/arm", true),
            ("linux/arm/v6", "linux/arm/v7", false),
            ("windows/amd64", "amd64", false),
        ] {
            assert_eq!(platform(have).satisfies(&platform(want)), fits, "{have} for {want}");
        }
        assert!("a/b/c/d".parse::<Platform>().is_err());
        assert!("linux/".parse::<Platform>().is_err());
    }
}
