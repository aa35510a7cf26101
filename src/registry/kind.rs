//! The providers that the catalogue can name (SPEC §3).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $product:literal;)*) => {
        /// Who built the registry. What that changes lives in `providers`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $variant),* }

        impl Kind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant),*];

            /// The word in the catalogue and on the command line.
            pub fn word(self) -> &'static str {
                match self { $(Kind::$variant => $word),* }
            }

            /// The product's own name.
            pub fn product(self) -> &'static str {
                match self { $(Kind::$variant => $product),* }
            }
        }
    };
}

kinds! {
    /// Alibaba Cloud Container Registry.
    Acr = "acr", "Alibaba Cloud ACR";
    /// Tencent Container Registry.
    Tcr = "tcr", "Tencent TCR";
    /// Huawei SoftWare Repository for Container.
    Swr = "swr", "Huawei SWR";
    /// Amazon Elastic Container Registry.
    Ecr = "ecr", "Amazon ECR";
    /// Docker Hub.
    Dockerhub = "dockerhub", "Docker Hub";
    /// Harbor.
    Harbor = "harbor", "Harbor";
    /// Sonatype Nexus.
    Nexus = "nexus", "Nexus";
    /// Any v2 registry.
    Native = "native", "v2 registry";
    /// Azure Container Registry.
    Azure = "azure", "Azure ACR";
    /// GitHub Container Registry.
    Ghcr = "ghcr", "GHCR";
    /// Google Artifact Registry.
    Gar = "gar", "Google Artifact Registry";
    /// Quay.
    Quay = "quay", "Quay";
    /// GitLab's registry.
    Gitlab = "gitlab", "GitLab";
    /// Gitea and Forgejo.
    Gitea = "gitea", "Gitea";
    /// JFrog Artifactory.
    Artifactory = "artifactory", "Artifactory";
    /// zot.
    Zot = "zot", "zot";
    /// IONOS Cloud.
    Ionos = "ionos", "IONOS";
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        Kind::ALL.iter().copied().find(|kind| kind.word() == text).ok_or_else(|| {
            let all: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
            format!("`{}` is not a provider; one of {}", text.escape_debug(), all.join(", "))
        })
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
