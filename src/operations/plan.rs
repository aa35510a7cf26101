//! What a destructive command would do: the one object that is shown, saved and carried out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::inventory::Held;
use crate::oci::{Digest, Repository, Tag};

/// Version of the saved form; another one is refused.
pub const VERSION: u32 = 1;

/// What goes and what stays, in one repository or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`VERSION`].
    pub version: u32,
    /// When it was made.
    pub made_at: Timestamp,
    /// One part a repository.
    pub repositories: Vec<RepositoryPlan>,
    /// What could not be read, so that nothing goes there.
    #[serde(default)]
    pub failed: Vec<Unread>,
}

/// A repository, or a registry, that could not be read when a plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unread {
    /// Which.
    pub name: String,
    /// Why.
    pub message: String,
}

/// What goes and what stays in one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryPlan {
    /// Name of the registry, in the catalogue or ad hoc.
    pub registry: String,
    /// Its address, so that a saved plan can't hit another server under the same name.
    pub address: String,
    /// The repository, in full.
    pub repository: PlannedRepository,
    /// What happens, in this order; steps of one stage may run side by side.
    pub steps: Vec<Step>,
    /// What stays although it was in reach, and why.
    pub keeps: Vec<Keep>,
    /// What was asked for and is not there.
    pub gone: Vec<String>,
    /// What a person should know first.
    pub warnings: Vec<String>,
    /// Bytes that nothing in the repository refers to afterwards, where that was worked out.
    #[serde(default)]
    pub bytes: Option<u64>,
}

/// A repository's name that was checked on its way in, also from a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlannedRepository(pub Repository);

impl TryFrom<String> for PlannedRepository {
    type Error = crate::oci::InvalidName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(PlannedRepository)
    }
}

impl From<PlannedRepository> for String {
    fn from(name: PlannedRepository) -> String {
        name.0.as_str().to_owned()
    }
}

/// A tag that was checked on its way in, also from a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlannedTag(pub Tag);

impl TryFrom<String> for PlannedTag {
    type Error = crate::oci::InvalidName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(PlannedTag)
    }
}

impl From<PlannedTag> for String {
    fn from(tag: PlannedTag) -> String {
        tag.0.as_str().to_owned()
    }
}

impl std::fmt::Display for PlannedTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// A tag goes; nothing else may.
    Untag {
        /// The tag.
        tag: PlannedTag,
        /// What it pointed at when the plan was made; if it has moved, the step is skipped.
        digest: Digest,
        /// Tags on the same digest that stay, and are looked at again afterwards.
        siblings: Vec<PlannedTag>,
        /// What to do where the server can't take away a tag alone.
        otherwise: Otherwise,
    },
    /// A manifest goes, and with it the tags on it.
    DeleteManifest {
        /// The manifest.
        digest: Digest,
        /// Tags that pointed at it when the plan was made; a saved plan skips the step if others have joined since.
        tags: Vec<PlannedTag>,
        /// Steps of a lower stage come first: indexes before what they list.
        stage: u32,
        /// The rule that decided, where rules did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Referrers go from the list behind a fallback tag, because they are about to be deleted and their subject is not. The list that
    /// this supersedes goes too.
    Unlist {
        /// The fallback tag.
        tag: PlannedTag,
        /// The list that it pointed at when the plan was made.
        digest: Digest,
        /// What goes from it.
        referrers: Vec<Digest>,
        /// Other tags on the same list, which is kept for them.
        siblings: Vec<PlannedTag>,
        /// As that of a manifest.
        stage: u32,
    },
    /// The whole repository goes, by the vendor's own call.
    DeleteRepository,
}

/// What to do where the server can't take away a tag alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Otherwise {
    /// Delete the manifest: nothing else needs it.
    Digest,
    /// Move the tag to a placeholder and delete that: asked for by `--via-placeholder`.
    Placeholder,
    /// Leave it: other tags or indexes would lose what they point at.
    Refuse {
        /// Indexes that list the manifest, by tag or digest.
        indexes: Vec<String>,
    },
}

/// Something that stays, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// The tag or digest.
    pub name: String,
    /// The rule that kept it.
    pub reason: String,
    /// How to unlock it, when it was asked for by name and the server holds on to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlock: Option<String>,
}

impl Keep {
    /// Something that stays by a rule.
    pub fn new(name: impl Into<String>, reason: impl Into<String>) -> Keep {
        Keep { name: name.into(), reason: reason.into(), unlock: None }
    }

    /// Something that was asked for by name and stays, because the server holds on to it.
    pub fn locked(name: impl Into<String>, held: &Held) -> Keep {
        Keep { unlock: Some(held.hold.remedy.to_owned()), ..Keep::new(name, held.to_string()) }
    }
}

impl RepositoryPlan {
    /// `registry/repository`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository.0)
    }

    /// What was asked for by name and stays, because the server holds on to it.
    pub fn locked(&self) -> impl Iterator<Item = &Keep> {
        self.keeps.iter().filter(|keep| keep.unlock.is_some())
    }

    /// How many tags go, those of deleted manifests too.
    pub fn tags(&self) -> usize {
        let tags = self.steps.iter().map(|step| match step {
            Step::Untag { .. } => 1,
            Step::DeleteManifest { tags, .. } => tags.len(),
            Step::Unlist { .. } | Step::DeleteRepository => 0,
        });
        tags.sum()
    }

    /// How many manifests go for certain.
    pub fn manifests(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step, Step::DeleteManifest { .. })).count()
    }

    /// Tags that stay on each digest of the plan.
    pub fn survivors(&self) -> BTreeMap<&Digest, &[PlannedTag]> {
        let survivors = self.steps.iter().filter_map(|step| match step {
            Step::Untag { digest, siblings, .. } if !siblings.is_empty() => Some((digest, siblings.as_slice())),
            _ => None,
        });
        survivors.collect()
    }
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.repositories.iter().all(|plan| plan.steps.is_empty())
    }

    /// How many steps it has.
    pub fn steps(&self) -> usize {
        self.repositories.iter().map(|plan| plan.steps.len()).sum()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A plan of nothing.
    pub(in crate::operations) fn empty() -> RepositoryPlan {
        RepositoryPlan {
            registry: "r".into(),
            address: "https://r".into(),
            repository: PlannedRepository("app".parse().unwrap()),
            steps: vec![],
            keeps: vec![],
            gone: vec![],
            warnings: vec![],
            bytes: None,
        }
    }

    #[test]
    fn a_saved_plan_comes_back_the_same_and_checked() {
        let tag = |name: &str| PlannedTag(name.parse().unwrap());
        let plan = Plan {
            version: VERSION,
            made_at: "2026-11-20T12:00:00Z".parse().unwrap(),
            repositories: vec![RepositoryPlan {
                registry: "prod".into(),
                address: "https://registry.example.com".into(),
                repository: PlannedRepository("team/app".parse().unwrap()),
                steps: vec![
                    Step::Untag {
                        tag: tag("v1"),
                        digest: Digest::sha256(b"1"),
                        siblings: vec![tag("latest")],
                        otherwise: Otherwise::Refuse { indexes: vec![] },
                    },
                    Step::DeleteManifest { digest: Digest::sha256(b"2"), tags: vec![], stage: 1, reason: None },
                ],
                keeps: vec![],
                gone: vec![],
                warnings: vec![],
                bytes: Some(7),
            }],
            failed: vec![],
        };
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
        for (good, bad) in [("team/app", "../app"), ("\"v1\"", "\"v1/../x\""), ("untag", "explode")] {
            assert!(serde_json::from_str::<Plan>(&text.replacen(good, bad, 1)).is_err(), "{bad}");
        }
        assert_eq!((plan.repositories[0].tags(), plan.repositories[0].manifests()), (1, 1));
    }
}
