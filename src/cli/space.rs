//! What frees the space of what was deleted: each server does it in its own way, and none at once (users' reports: distribution#2741,
//! hub-tool#234).

use super::Context;
use crate::operations::plan::Plan;
use crate::registry::Kind;

impl Context {
    /// One sentence a registry of the plan, each said once.
    pub(super) fn what_frees_space(&self, plan: &Plan) -> Vec<String> {
        let catalogue = self.catalogue().ok();
        let mut said: Vec<String> = Vec::new();
        for part in &plan.repositories {
            let entry = catalogue.as_ref().and_then(|catalogue| catalogue.get(&part.registry));
            let sentence = sentence(entry.map_or(Kind::Native, |entry| entry.kind())).to_owned();
            if !said.contains(&sentence) {
                said.push(sentence);
            }
        }
        said
    }
}

fn sentence(kind: Kind) -> &'static str {
    match kind {
        // garbage-collect -m takes the images of indexes with it (distribution#3178)
        Kind::Native => {
            "The space comes back when the registry's own garbage collection runs (distribution: registry garbage-collect, without -m)."
        }
        Kind::Harbor => "The space comes back when Harbor runs its garbage collection.",
        Kind::Nexus => "The space comes back when Nexus runs its tasks to delete unused manifests and to compact the blob store.",
        Kind::Quay => "The space comes back when Quay's time machine lets go of it and its garbage collection has run.",
        Kind::Gitlab => "The space comes back when the garbage collection of GitLab's registry runs.",
        Kind::Gitea => "The space comes back when the cleanup task for packages runs.",
        Kind::Artifactory => "The space comes back when Artifactory runs its garbage collection.",
        Kind::Zot => "The space comes back when zot runs its garbage collection.",
        Kind::Ionos => "The space comes back at the next garbage collection by the registry's schedule.",
        Kind::Acr | Kind::Tcr | Kind::Swr | Kind::Ecr | Kind::Dockerhub | Kind::Azure | Kind::Ghcr | Kind::Gar => {
            "The provider frees the space by itself, some time later."
        }
    }
}
