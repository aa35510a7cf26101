//! Deciding what a delete takes along: reads everything first, changes nothing.

use std::collections::BTreeSet;

use super::inventory::{Depth, Held, Inventory, Role};
use super::plan::{Keep, Otherwise, PlannedRepository, PlannedTag, RepositoryPlan, Step};
use super::{Ticker, removal};
use crate::oci::{Digest, Repository, Tag};
use crate::registry::{Error, ErrorKind, Hold, Registry, Result, Support};

/// How far a delete may go.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reach {
    /// Other tags on the same digest go too.
    pub with_siblings: bool,
    /// A placeholder may be pushed to free a tag from its digest.
    pub via_placeholder: bool,
}

/// Where a plan is for.
pub struct Place<'a> {
    /// The registry.
    pub registry: &'a dyn Registry,
    /// Its address, for the plan's record.
    pub address: &'a str,
    /// The repository.
    pub repository: &'a Repository,
}

impl Place<'_> {
    /// A plan without a step.
    pub fn plan(&self) -> RepositoryPlan {
        RepositoryPlan {
            registry: self.registry.name().to_owned(),
            address: self.address.to_owned(),
            repository: PlannedRepository(self.repository.clone()),
            steps: Vec::new(),
            keeps: Vec::new(),
            gone: Vec::new(),
            warnings: Vec::new(),
            bytes: None,
        }
    }
}

/// Plans to take tags away.
pub async fn plan_tags(place: &Place<'_>, wanted: &[Tag], reach: Reach, tick: Ticker<'_>) -> Result<RepositoryPlan> {
    let inventory = Inventory::read_with_locks(place.registry, place.repository, Depth::Indexes, &[], tick).await?;
    Ok(decide_tags(place.plan(), &inventory, wanted, reach))
}

/// The decision of [`plan_tags`], on what was read.
fn decide_tags(mut plan: RepositoryPlan, inventory: &Inventory, wanted: &[Tag], reach: Reach) -> RepositoryPlan {
    let mut going: BTreeSet<&Tag> = BTreeSet::new();
    for tag in wanted {
        match inventory.tag(tag) {
            Some(found) => {
                going.insert(&found.tag);
                if reach.with_siblings {
                    going.extend(inventory.tags_on(&found.digest).map(|sibling| &sibling.tag));
                }
            }
            None if plan.gone.iter().any(|gone| gone == tag.as_str()) => {}
            None => plan.gone.push(tag.as_str().to_owned()),
        }
    }
    let locked = |tag: &Tag| Some(Held { by: None, hold: inventory.tag(tag)?.held()? });
    plan.keeps.extend(going.iter().filter_map(|tag| Some(Keep::locked(tag.as_str(), &locked(tag)?))));
    going.retain(|tag| locked(tag).is_none());
    let mut kept: BTreeSet<PlannedTag> = plan.locked().filter_map(|keep| keep.name.parse().ok().map(PlannedTag)).collect();
    for tag in &going {
        let Some(step) = untag(inventory, tag, &going, reach) else { continue };
        if let Step::Untag { digest, siblings, otherwise, .. } = &step {
            for sibling in siblings {
                if kept.insert(sibling.clone()) {
                    plan.keeps.push(Keep::new(sibling.to_string(), format!("keeps {digest}")));
                }
            }
            if *otherwise == Otherwise::Digest {
                plan.warnings.extend(left_behind(inventory, tag, digest));
            }
        }
        plan.steps.push(step);
    }
    plan
}

/// The step that takes one tag away while `going` go, or nothing if there is no such tag.
pub fn untag(inventory: &Inventory, tag: &Tag, going: &BTreeSet<&Tag>, reach: Reach) -> Option<Step> {
    let digest = &inventory.tag(tag)?.digest;
    let siblings = inventory.tags_on(digest).map(|sibling| &sibling.tag).filter(|sibling| !going.contains(*sibling));
    let siblings: Vec<PlannedTag> = siblings.cloned().map(PlannedTag).collect();
    let lists = inventory
        .subjects(digest)
        .filter_map(|subject| inventory.fallback(subject))
        .filter(|list| list.tag != *tag && inventory.manifest(&list.digest).is_some_and(|index| index.children.contains(digest)));
    let parents = inventory.parents(digest).iter().map(|parent| inventory.name_of(parent));
    let indexes: Vec<String> = parents.chain(lists.map(|list| list.tag.to_string())).collect();
    let otherwise = match () {
        () if siblings.is_empty() && indexes.is_empty() => Otherwise::Digest,
        () if reach.via_placeholder => Otherwise::Placeholder,
        () => Otherwise::Refuse { indexes },
    };
    Some(Step::Untag { tag: PlannedTag(tag.clone()), digest: digest.clone(), siblings, otherwise })
}

/// What a person should know before the last tag of a manifest goes, as far as the tags tell.
fn left_behind(inventory: &Inventory, tag: &Tag, digest: &Digest) -> Option<String> {
    let attached = inventory.referrers(digest).count();
    (attached > 0).then(|| {
        let what = artifacts(attached);
        format!("{what} attached to {tag} can outlive it; to delete all of it: regctl manifest delete")
    })
}

/// Plans to delete one manifest, with the tags on it, what it alone lists, and what is attached to any of that.
///
/// # Errors
/// [`ErrorKind::Refused`] when an index lists it, or when tags point at it that were not meant.
pub async fn plan_manifest(
    place: &Place<'_>,
    digest: &Digest,
    named: Option<&Tag>,
    reach: Reach,
    tick: Ticker<'_>,
) -> Result<RepositoryPlan> {
    let subject = format!("{}/{}@{digest}", place.registry.name(), place.repository);
    let mut plan = place.plan();
    match place.registry.head(place.repository, &digest.clone().into()).await {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            plan.gone.push(digest.as_str().to_owned());
            return Ok(plan);
        }
        Err(error) => return Err(error),
    }
    let also = std::slice::from_ref(digest);
    let inventory = Inventory::read_with_locks(place.registry, place.repository, Depth::Manifests, also, tick).await?;
    if let Some(held) = inventory.held(digest) {
        plan.keeps.push(Keep::locked(digest.as_str(), &held));
        return Ok(plan);
    }
    let parents = inventory.parents(digest);
    if !parents.is_empty() {
        let names: Vec<String> = parents.iter().map(|parent| inventory.name_of(parent)).collect();
        return Err(Error::new(ErrorKind::Refused, "delete", subject)
            .because(format!("{} would be broken: it lists this manifest as one of its images", names.join(", "))));
    }
    // the tags that machines make for what is attached stand and fall with it
    let names = inventory.tags_on(digest).filter(|tag| tag.role == Role::Name).map(|tag| &tag.tag);
    let others: Vec<&str> = names.filter(|tag| named != Some(*tag)).map(Tag::as_str).collect();
    if !others.is_empty() && !reach.with_siblings {
        return Err(Error::new(ErrorKind::Refused, "delete", subject)
            .because(format!("{} would go with it; --with-siblings says that they may", tags(&others))));
    }
    let going = inventory.takes_along([digest]);
    plan.keeps = keeps(&inventory, &going);
    plan.steps = removal::steps(&inventory, &going);
    Ok(plan)
}

/// What hangs on manifests that go, and stays because something else needs it.
pub fn keeps(inventory: &Inventory, going: &BTreeSet<Digest>) -> Vec<Keep> {
    let mut near: BTreeSet<&Digest> = BTreeSet::new();
    for digest in going {
        near.extend(inventory.manifest(digest).into_iter().flat_map(|node| &node.children));
        near.extend(inventory.referrers(digest));
    }
    let stays = near.into_iter().filter(|digest| !going.contains(*digest) && inventory.manifest(digest).is_some());
    let keep = |digest: &Digest| {
        if let Some(held) = inventory.held(digest) {
            return Keep::new(digest.as_str(), held.to_string());
        }
        let by_index = inventory.parents(digest).iter().find(|parent| !going.contains(*parent));
        let by_tag = inventory.tags_on(digest).find(|tag| tag.role == Role::Name);
        let reason = match (by_tag, by_index) {
            (Some(tag), _) => format!("the tag {} points at it", tag.tag),
            (None, Some(parent)) => format!("{} lists it too", inventory.name_of(parent)),
            (None, None) => "it is attached to something that stays".to_owned(),
        };
        Keep::new(digest.as_str(), reason)
    };
    stays.map(keep).collect()
}

/// `the tag latest`, `the tags latest, v1`.
fn tags(names: &[&str]) -> String {
    format!("the tag{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", "))
}

fn artifacts(count: usize) -> String {
    format!("{count} artifact{}", if count == 1 { "" } else { "s" })
}

/// So many of the things that are locked are named.
const NAMED: usize = 5;

/// Some servers delete what they can and stop at the first thing that is locked, which leaves half a repository (harbor#16335).
fn refuse_if_locked(place: &Place<'_>, inventory: &Inventory) -> Result<()> {
    let refusal = |hold: Hold, because: String| {
        Err(Error::new(ErrorKind::Refused, "delete the repository", format!("{}/{}", place.registry.name(), place.repository))
            .because(because)
            .remedy(hold.remedy))
    };
    if let Some(hold) = inventory.held_whole() {
        return refusal(hold, format!("it is {}", hold.why));
    }
    let tags = inventory.tags().iter().filter_map(|tag| Some((tag.tag.to_string(), tag.held()?)));
    let manifests = inventory.manifests().keys().filter_map(|digest| {
        let held = inventory.held(digest).filter(|held| held.by.is_none())?;
        Some((digest.to_string(), held.hold))
    });
    let locked: Vec<(String, Hold)> = tags.chain(manifests).collect();
    let Some((_, hold)) = locked.first() else { return Ok(()) };
    let names: Vec<&str> = locked.iter().take(NAMED).map(|(name, _)| name.as_str()).collect();
    let more = if locked.len() > NAMED { format!(" and {} more", locked.len() - NAMED) } else { String::new() };
    refusal(*hold, format!("{}{more} can't be deleted: {}", names.join(", "), hold.why))
}

/// Plans to delete everything in a repository: by the vendor's call where there is one, else every manifest that its tags lead to.
///
/// # Errors
/// [`ErrorKind::Refused`] when the server holds on to something in it.
pub async fn plan_repository(place: &Place<'_>, tick: Ticker<'_>) -> Result<RepositoryPlan> {
    let mut plan = place.plan();
    let inventory = match Inventory::read_with_locks(place.registry, place.repository, Depth::Manifests, &[], tick).await {
        Ok(inventory) => inventory,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            plan.gone.push(place.repository.as_str().to_owned());
            return Ok(plan);
        }
        Err(error) => return Err(error),
    };
    refuse_if_locked(place, &inventory)?;
    if matches!(place.registry.capabilities().delete_repository, Support::Native | Support::Api) {
        plan.steps.push(Step::DeleteRepository);
        return Ok(plan);
    }
    let all: BTreeSet<Digest> = inventory.manifests().keys().cloned().collect();
    plan.steps = removal::steps(&inventory, &all);
    if plan.steps.is_empty() {
        plan.warnings.push("it has no tags; manifests without a tag can't be listed on this server".into());
    } else {
        plan.warnings.push("this server has no call to delete a repository: its empty name may stay listed".into());
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::inventory::tests::{digest, inventory, on_tags};
    use crate::operations::plan::tests::empty;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn tag(name: &str) -> Tag {
        name.parse().unwrap()
    }

    fn graph(tags: &[(&str, u8)], children: &[(u8, &[u8])]) -> Inventory {
        inventory(tags, children, &[])
    }

    fn decided(graph: &Inventory, wanted: &[&str], reach: Reach) -> Vec<(String, Otherwise)> {
        let wanted: Vec<Tag> = wanted.iter().map(|name| tag(name)).collect();
        decide_tags(empty(), graph, &wanted, reach)
            .steps
            .into_iter()
            .map(|step| match step {
                Step::Untag { tag, otherwise, .. } => (tag.to_string(), otherwise),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn distribution_1566_a_shared_digest_is_never_deleted_for_one_tag() {
        let graph = graph(&[("v1", 1), ("stable", 1), ("v2", 2), ("multi", 3)], &[(3, &[2])]);
        let none = Reach::default();
        assert_eq!(decided(&graph, &["v1"], none), [("v1".into(), Otherwise::Refuse { indexes: vec![] })]);
        assert_eq!(decided(&graph, &["v2"], none), [("v2".into(), Otherwise::Refuse { indexes: vec!["multi".into()] })]);
        assert_eq!(decided(&graph, &["multi"], none), [("multi".into(), Otherwise::Digest)]);
        // both named: nothing else needs the digest
        assert_eq!(decided(&graph, &["v1", "stable"], none).len(), 2);
        assert!(decided(&graph, &["v1", "stable"], none).iter().all(|(_, otherwise)| *otherwise == Otherwise::Digest));
        let with = Reach { with_siblings: true, ..none };
        assert_eq!(decided(&graph, &["v1"], with).len(), 2);
        let via = Reach { via_placeholder: true, ..none };
        assert_eq!(decided(&graph, &["v1"], via), [("v1".into(), Otherwise::Placeholder)]);
    }

    #[test]
    fn harbor_16335_locked_tags_stay_and_are_named() {
        let graph = graph(&[("v1", 1), ("stable", 1), ("v2", 2)], &[]).with_locks(on_tags(&["stable"]));
        let with = Reach { with_siblings: true, ..Reach::default() };
        // a digest that a locked tag needs is never deleted for the other one
        assert_eq!(decided(&graph, &["v1"], with), [("v1".into(), Otherwise::Refuse { indexes: vec![] })]);
        let plan = decide_tags(empty(), &graph, &[tag("stable"), tag("v2")], Reach::default());
        assert_eq!((plan.tags(), plan.locked().count()), (1, 1));
        assert_eq!(
            plan.keeps,
            [Keep { name: "stable".into(), reason: "locked for a test".into(), unlock: Some("unlock it".into()) }]
        );
    }

    #[test]
    fn what_is_not_there_is_said_once() {
        let plan = decide_tags(empty(), &graph(&[], &[]), &[tag("x"), tag("x")], Reach::default());
        assert_eq!(plan.gone, ["x"]);
        assert!(plan.steps.is_empty());
    }

    #[test]
    fn what_a_list_of_referrers_names_is_needed() {
        let fallback = digest(1).fallback_tag();
        let inventory = inventory(&[("v1", 1), ("sbom", 2), (&fallback, 9)], &[(9, &[2])], &[]);
        let plan = decide_tags(empty(), &inventory, &[tag("sbom")], Reach::default());
        let [Step::Untag { otherwise: Otherwise::Refuse { indexes }, .. }] = &plan.steps[..] else { panic!("{plan:?}") };
        assert_eq!(*indexes, [fallback]);
    }

    proptest! {
        /// Whatever is asked for: no step may delete a digest that a tag outside the plan or an index needs.
        #[test]
        fn nothing_that_survives_loses_its_manifest(
            pairs in proptest::collection::vec((0u8..12, 0u8..6), 0..12),
            listed in proptest::collection::vec((0u8..6, 0u8..6), 0..6),
            wanted in proptest::collection::vec(0u8..12, 0..6),
            with_siblings: bool,
            via_placeholder: bool,
        ) {
            let names: BTreeMap<String, u8> = pairs.into_iter().map(|(name, digest)| (format!("t{name}"), digest)).collect();
            let tags: Vec<(&str, u8)> = names.iter().map(|(name, digest)| (name.as_str(), *digest)).collect();
            let children: Vec<(u8, Vec<u8>)> = listed.into_iter().filter(|(a, b)| a != b).map(|(a, b)| (a, vec![b])).collect();
            let children: Vec<(u8, &[u8])> = children.iter().map(|(a, b)| (*a, b.as_slice())).collect();
            let graph = graph(&tags, &children);
            let wanted: Vec<Tag> = wanted.into_iter().map(|name| tag(&format!("t{name}"))).collect();
            let plan = decide_tags(empty(), &graph, &wanted, Reach { with_siblings, via_placeholder });
            let going: BTreeSet<&Tag> =
                plan.steps.iter().filter_map(|step| if let Step::Untag { tag, .. } = step { Some(&tag.0) } else { None }).collect();
            for step in &plan.steps {
                let Step::Untag { tag, digest, otherwise, .. } = step else { panic!("only tags were asked for") };
                prop_assert!(with_siblings || wanted.contains(&tag.0));
                if *otherwise == Otherwise::Digest {
                    prop_assert!(graph.tags_on(digest).all(|other| going.contains(&other.tag)));
                    prop_assert!(graph.parents(digest).is_empty());
                }
                if !via_placeholder {
                    prop_assert!(*otherwise != Otherwise::Placeholder);
                }
            }
            // the same question has the same answer
            let again = decide_tags(empty(), &graph, &wanted, Reach { with_siblings, via_placeholder });
            prop_assert_eq!(plan, again);
        }
    }
}
