//! From a repository and rules to a plan, the same kind that every other delete makes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::Ticker;
use super::super::delete::Place;
use super::super::inventory::{Depth, Inventory, listed};
use super::super::plan::{Keep, RepositoryPlan, Step};
use super::super::removal;
use super::policy::Policy;
use super::{Decision, Reason, decide};
use crate::oci::Digest;
use crate::registry::Result;

/// A plan, and what limits are measured by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// What goes and what stays.
    pub plan: RepositoryPlan,
    /// How many tags there are.
    pub tags: usize,
    /// Whether the rules look at any of them.
    pub matches: bool,
    /// How many tags go, and manifests without one for their own sake: not those that go along with what lists them, or with what they
    /// are attached to.
    pub items: usize,
}

impl Planned {
    /// Whether more than half of the tags go.
    pub fn takes_most(&self) -> bool {
        self.plan.tags() * 2 > self.tags
    }
}

/// Reads a repository and plans what goes from it by these rules.
///
/// # Errors
/// When anything in the repository can't be read: what is not seen can't be protected.
pub async fn plan(place: &Place<'_>, policy: &Policy, now: Timestamp, tick: Ticker<'_>) -> Result<Planned> {
    let dates = policy.asks_for_dates() || policy.untagged || policy.orphaned_referrers;
    let depth = if dates { Depth::Dates } else { Depth::Manifests };
    // an image that runs somewhere by its digest, and whose tag has moved on, still needs what it lists
    let mut also = policy.exclusions.digests_in(place.repository);
    let mut plan = place.plan();
    if policy.untagged || policy.orphaned_referrers {
        match listed(place.registry, place.repository).await? {
            Ok(digests) => also.extend(digests),
            Err(why) => plan.warnings.push(format!("{why}: of these, only what tags, indexes and signatures lead to is found")),
        }
    }
    let inventory = Inventory::read_with_locks(place.registry, place.repository, depth, &also, tick).await?;
    let decision = decide(&inventory, place.repository, policy, now);
    let items = decision.deletes.iter().map(|doomed| match doomed.reason {
        Reason::Unused | Reason::WithSubject => 0,
        _ => doomed.tags.iter().filter(|tag| !tag.is_attachment()).count().max(1),
    });
    let items = items.sum();
    fill(&mut plan, &inventory, decision);
    let matches = inventory.tags().iter().any(|tag| policy.matches(tag.tag.as_str()));
    Ok(Planned { plan, tags: inventory.tags().len(), matches, items })
}

/// Writes a decision into a plan: newest first within each stage.
fn fill(plan: &mut RepositoryPlan, inventory: &Inventory, decision: Decision) {
    let keep = |kept: super::Kept| Keep::new(kept.what.name(), kept.reason.to_string());
    plan.keeps = decision.keeps.into_iter().map(keep).collect();
    plan.bytes = decision.bytes;
    let going: BTreeSet<Digest> = decision.deletes.iter().map(|doomed| doomed.digest.clone()).collect();
    plan.steps = removal::steps(inventory, &going);
    let order: BTreeMap<&Digest, usize> = decision.deletes.iter().enumerate().map(|(at, doomed)| (&doomed.digest, at)).collect();
    for step in &mut plan.steps {
        if let Step::DeleteManifest { digest, tags, reason, .. } = step
            && let Some(doomed) = order.get(digest).map(|at| &decision.deletes[*at])
        {
            *reason = Some(doomed.reason.to_string());
            tags.sort_by_key(|tag| doomed.tags.iter().position(|known| *known == tag.0));
        }
    }
    plan.steps.sort_by_key(|step| match step {
        Step::DeleteManifest { digest, stage, .. } => (*stage, order.get(digest).copied()),
        Step::Unlist { stage, .. } => (*stage, None),
        Step::Untag { .. } | Step::DeleteRepository => (u32::MAX, None),
    });
}

#[cfg(test)]
mod tests {
    use super::super::super::inventory::tests::{digest, inventory};
    use super::super::super::plan::PlannedTag;
    use super::super::super::plan::tests::empty;
    use super::super::{Doomed, Holder, Kept};
    use super::*;

    #[test]
    fn steps_are_in_the_order_of_the_server_and_then_newest_first() {
        let inventory = inventory(&[("old", 1), ("new", 4), ("newer", 4)], &[(1, &[2]), (4, &[2, 3])], &[]);
        let doomed = |number, tags: &[&str]| Doomed {
            digest: digest(number),
            tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
            reason: Reason::Unused,
        };
        let deletes = vec![doomed(4, &["newer", "new"]), doomed(1, &["old"]), doomed(3, &[]), doomed(2, &[])];
        let keeps = vec![Kept { what: Holder::Manifest(digest(9)), reason: Reason::UnknownDate }];
        let mut plan = empty();
        fill(&mut plan, &inventory, Decision { keeps, deletes, bytes: Some(5) });
        let steps: Vec<(u32, Digest, Vec<PlannedTag>)> = plan
            .steps
            .iter()
            .map(|step| match step {
                Step::DeleteManifest { digest, tags, stage, reason } => {
                    assert_eq!(reason.as_deref(), Some("listed by what goes, and nothing else uses it"));
                    (*stage, digest.clone(), tags.clone())
                }
                other => panic!("{other:?}"),
            })
            .collect();
        let tags = |names: &[&str]| names.iter().map(|name| PlannedTag(name.parse().unwrap())).collect::<Vec<_>>();
        assert_eq!(
            steps,
            [
                (0, digest(4), tags(&["newer", "new"])),
                (0, digest(1), tags(&["old"])),
                (1, digest(3), vec![]),
                (1, digest(2), vec![])
            ]
        );
        assert_eq!((plan.keeps[0].name.as_str(), plan.bytes), (digest(9).as_str(), Some(5)));
        let planned = |tags| Planned { plan: plan.clone(), tags, matches: true, items: 3 };
        assert!(planned(5).takes_most() && !planned(6).takes_most());
    }
}
