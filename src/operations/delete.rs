//! Deciding what a delete takes along: reads everything first, changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::Graph;
use super::plan::{Keep, Otherwise, PlannedRepository, PlannedTag, RepositoryPlan, Step};
use super::{Content, Ticker};
use crate::oci::{Digest, Repository, Tag};
use crate::registry::{Error, ErrorKind, Registry, Result, Support};

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
    fn plan(&self) -> RepositoryPlan {
        RepositoryPlan {
            registry: self.registry.name().to_owned(),
            address: self.address.to_owned(),
            repository: PlannedRepository(self.repository.clone()),
            steps: Vec::new(),
            keeps: Vec::new(),
            gone: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// Plans to take tags away.
pub async fn plan_tags(place: &Place<'_>, wanted: &[Tag], reach: Reach, tick: Ticker<'_>) -> Result<RepositoryPlan> {
    let content = Content::new(place.registry, place.repository);
    let graph = Graph::read(&content, tick).await?;
    Ok(decide_tags(place.plan(), &graph, wanted, reach))
}

/// The decision of [`plan_tags`], on what was read.
fn decide_tags(mut plan: RepositoryPlan, graph: &Graph, wanted: &[Tag], reach: Reach) -> RepositoryPlan {
    let there: BTreeMap<&Tag, &Digest> = graph.tags.iter().map(|tag| (&tag.tag, &tag.digest)).collect();
    let mut going: BTreeSet<&Tag> = BTreeSet::new();
    for tag in wanted {
        match there.get_key_value(tag) {
            Some((tag, digest)) => {
                going.insert(*tag);
                if reach.with_siblings {
                    going.extend(graph.tags_on(digest));
                }
            }
            None if plan.gone.iter().any(|gone| gone == tag.as_str()) => {}
            None => plan.gone.push(tag.as_str().to_owned()),
        }
    }
    let mut kept: BTreeSet<&Tag> = BTreeSet::new();
    for tag in &going {
        let digest = there[*tag];
        let siblings: Vec<&Tag> = graph.tags_on(digest).filter(|sibling| !going.contains(*sibling)).collect();
        let indexes: Vec<String> = graph.parents(digest).iter().map(|parent| graph.name_of(parent)).collect();
        let otherwise = match () {
            () if siblings.is_empty() && indexes.is_empty() => Otherwise::Digest,
            () if reach.via_placeholder => Otherwise::Placeholder,
            () => Otherwise::Refuse { indexes },
        };
        for sibling in &siblings {
            if kept.insert(sibling) {
                plan.keeps.push(Keep { name: sibling.as_str().to_owned(), reason: format!("keeps {digest}") });
            }
        }
        plan.steps.push(Step::Untag {
            tag: PlannedTag((*tag).clone()),
            digest: digest.clone(),
            siblings: siblings.into_iter().cloned().map(PlannedTag).collect(),
            otherwise,
        });
    }
    plan
}

/// Plans to delete one manifest with the tags on it.
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
    let content = Content::new(place.registry, place.repository);
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
    let graph = Graph::read(&content, tick).await?;
    let parents = graph.parents(digest);
    if !parents.is_empty() {
        let names: Vec<String> = parents.iter().map(|parent| graph.name_of(parent)).collect();
        return Err(Error::new(ErrorKind::Refused, "delete", subject)
            .because(format!("{} would be broken: it lists this manifest as one of its images", names.join(", "))));
    }
    let tags: Vec<&Tag> = graph.tags_on(digest).collect();
    let others: Vec<&str> = tags.iter().filter(|tag| named != Some(**tag)).map(|tag| tag.as_str()).collect();
    if !others.is_empty() && !reach.with_siblings {
        return Err(Error::new(ErrorKind::Refused, "delete", subject)
            .because(format!("the tags {} would go with it; --with-siblings says that they may", others.join(", "))));
    }
    if let Ok(referrers) = place.registry.referrers(place.repository, digest).await
        && !referrers.items.is_empty()
    {
        plan.warnings.push(format!("{} attached to it stay behind without their subject", artifacts(referrers.items.len())));
    }
    if graph.children.get(digest).is_some_and(|children| !children.is_empty()) {
        plan.warnings.push("the images that this index lists stay behind untagged".into());
    }
    plan.steps.push(Step::DeleteManifest {
        digest: digest.clone(),
        tags: tags.into_iter().cloned().map(PlannedTag).collect(),
        stage: 0,
    });
    Ok(plan)
}

fn artifacts(count: usize) -> String {
    format!("{count} artifact{}", if count == 1 { "" } else { "s" })
}

/// Plans to delete everything in a repository: by the vendor's call where there is one, else every manifest that its tags lead to,
/// indexes before what they list.
pub async fn plan_repository(place: &Place<'_>, tick: Ticker<'_>) -> Result<RepositoryPlan> {
    let mut plan = place.plan();
    let content = Content::new(place.registry, place.repository);
    let graph = match Graph::read(&content, tick).await {
        Ok(graph) => graph,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            plan.gone.push(place.repository.as_str().to_owned());
            return Ok(plan);
        }
        Err(error) => return Err(error),
    };
    if matches!(place.registry.capabilities().delete_repository, Support::Native | Support::Api) {
        plan.steps.push(Step::DeleteRepository);
        return Ok(plan);
    }
    let mut stages = stages(&graph);
    // what is attached goes before its subject
    let mut attached: BTreeSet<Digest> = BTreeSet::new();
    for digest in stages.keys() {
        let referrers = place.registry.referrers(place.repository, digest).await?;
        attached.extend(referrers.items.into_iter().map(|item| item.digest));
    }
    for stage in stages.values_mut() {
        *stage += 1;
    }
    for digest in attached {
        stages.entry(digest).or_insert(0);
    }
    let mut steps: Vec<Step> = stages
        .into_iter()
        .map(|(digest, stage)| Step::DeleteManifest {
            tags: graph.tags_on(&digest).cloned().map(PlannedTag).collect(),
            digest,
            stage,
        })
        .collect();
    steps.sort_by_key(|step| if let Step::DeleteManifest { stage, .. } = step { *stage } else { 0 });
    plan.steps = steps;
    if plan.steps.is_empty() {
        plan.warnings.push("it has no tags; manifests without a tag can't be listed on this server".into());
    } else {
        plan.warnings.push("this server has no call to delete a repository: its empty name may stay listed".into());
    }
    Ok(plan)
}

/// Every manifest that the tags lead to, with its depth: an index is always shallower than what it lists.
fn stages(graph: &Graph) -> BTreeMap<Digest, u32> {
    let mut stages: BTreeMap<Digest, u32> = BTreeMap::new();
    let mut level: BTreeSet<Digest> = graph.tags.iter().map(|tag| tag.digest.clone()).collect();
    let mut depth = 0;
    // an index can't list itself through others without breaking SHA-256, but a hostile server can say so: no deeper than there are indexes
    while !level.is_empty() && depth as usize <= graph.children.len() + 1 {
        let next = level.iter().filter_map(|digest| graph.children.get(digest)).flatten().cloned().collect();
        for digest in level {
            stages.insert(digest, depth);
        }
        level = next;
        depth += 1;
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::tags::ResolvedTag;
    use proptest::prelude::*;

    fn digest(number: u8) -> Digest {
        Digest::sha256(&[number])
    }

    fn tag(name: &str) -> Tag {
        name.parse().unwrap()
    }

    fn graph(tags: &[(&str, u8)], children: &[(u8, &[u8])]) -> Graph {
        Graph {
            tags: tags
                .iter()
                .map(|(name, number)| ResolvedTag { tag: tag(name), digest: digest(*number), media_type: String::new() })
                .collect(),
            children: children
                .iter()
                .map(|(parent, children)| (digest(*parent), children.iter().map(|child| digest(*child)).collect()))
                .collect(),
        }
    }

    fn empty() -> RepositoryPlan {
        RepositoryPlan {
            registry: "r".into(),
            address: "https://r".into(),
            repository: PlannedRepository("app".parse().unwrap()),
            steps: vec![],
            keeps: vec![],
            gone: vec![],
            warnings: vec![],
        }
    }

    fn decided(graph: &Graph, wanted: &[&str], reach: Reach) -> Vec<(String, Otherwise)> {
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
    fn what_is_not_there_is_said_once() {
        let plan = decide_tags(empty(), &graph(&[], &[]), &[tag("x"), tag("x")], Reach::default());
        assert_eq!(plan.gone, ["x"]);
        assert!(plan.steps.is_empty());
    }

    #[test]
    fn indexes_go_before_what_they_list() {
        let stages = stages(&graph(&[("top", 1), ("inner", 2), ("leaf", 3)], &[(1, &[2]), (2, &[3])]));
        assert_eq!((stages[&digest(1)], stages[&digest(2)], stages[&digest(3)]), (0, 1, 2));
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
                    prop_assert!(graph.tags_on(digest).all(|other| going.contains(other)));
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
