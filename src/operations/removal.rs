//! The order in which manifests go: what is attached before what it is attached to, indexes before what they list (users' reports:
//! gcr-cleaner#118, containers-roadmap#1567), and lists of referrers mended before a referrer goes whose subject stays (oras#1228).

use std::collections::{BTreeMap, BTreeSet};

use super::inventory::Inventory;
use super::plan::{PlannedTag, Step};
use crate::oci::{Digest, Tag};

/// The steps that delete these manifests. What has to go along is for the caller to add ([`Inventory::takes_along`]).
pub fn steps(inventory: &Inventory, going: &BTreeSet<Digest>) -> Vec<Step> {
    let mut steps = unlisted(inventory, going);
    let first = u32::from(!steps.is_empty());
    let mut staged: Vec<(u32, &Digest)> = stages(inventory, going).into_iter().map(|(digest, stage)| (stage, digest)).collect();
    staged.sort_unstable();
    steps.extend(staged.into_iter().map(|(stage, digest)| Step::DeleteManifest {
        digest: digest.clone(),
        tags: inventory.tags_on(digest).map(|tag| PlannedTag(tag.tag.clone())).collect(),
        stage: first + stage,
        reason: None,
    }));
    steps
}

/// Fallback tags that stay and list something that goes.
fn unlisted(inventory: &Inventory, going: &BTreeSet<Digest>) -> Vec<Step> {
    let mut lists: BTreeMap<&Tag, (&Digest, BTreeSet<&Digest>)> = BTreeMap::new();
    for referrer in going {
        for subject in inventory.subjects(referrer) {
            if let Some(list) = inventory.fallback(subject).filter(|list| !going.contains(&list.digest))
                && inventory.manifest(&list.digest).is_some_and(|index| index.children.contains(referrer))
            {
                lists.entry(&list.tag).or_insert((&list.digest, BTreeSet::new())).1.insert(referrer);
            }
        }
    }
    let step = |(tag, (digest, referrers)): (&Tag, (&Digest, BTreeSet<&Digest>))| Step::Unlist {
        tag: PlannedTag(tag.clone()),
        digest: digest.clone(),
        referrers: referrers.into_iter().cloned().collect(),
        siblings: inventory.tags_on(digest).filter(|other| other.tag != *tag).map(|other| PlannedTag(other.tag.clone())).collect(),
        stage: 0,
    };
    lists.into_iter().map(step).collect()
}

/// Each manifest with the number of rounds that have to come before it.
fn stages<'a>(inventory: &'a Inventory, going: &'a BTreeSet<Digest>) -> BTreeMap<&'a Digest, u32> {
    // what must have gone before each, and the other way round
    let mut after: BTreeMap<&Digest, BTreeSet<&Digest>> = BTreeMap::new();
    let mut waiting: BTreeMap<&Digest, usize> = going.iter().map(|digest| (digest, 0)).collect();
    for digest in going {
        let children = inventory.manifest(digest).into_iter().flat_map(|node| &node.children);
        for later in children.chain(inventory.subjects(digest)) {
            if let Some(later) = going.get(later).filter(|later| *later != digest)
                && after.entry(digest).or_default().insert(later)
            {
                *waiting.get_mut(later).expect("all that go are counted") += 1;
            }
        }
    }
    let mut stages = BTreeMap::new();
    let mut ready: Vec<&Digest> = waiting.iter().filter(|(_, count)| **count == 0).map(|(digest, _)| *digest).collect();
    let mut stage = 0;
    while !ready.is_empty() {
        let mut next = Vec::new();
        for digest in ready {
            stages.insert(digest, stage);
            for later in after.remove(digest).unwrap_or_default() {
                let count = waiting.get_mut(later).expect("all that go are counted");
                *count -= 1;
                if *count == 0 {
                    next.push(later);
                }
            }
        }
        ready = next;
        stage += 1;
    }
    // only a lying server has two manifests that wait for each other; they come last, together
    for digest in going {
        stages.entry(digest).or_insert(stage);
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::super::inventory::tests::{digest, inventory};
    use super::*;

    fn shown(steps: &[Step]) -> Vec<String> {
        let number = |digest_: &Digest| (0..50).find(|number| digest(*number) == *digest_).unwrap();
        let show = |step: &Step| match step {
            Step::Unlist { referrers, stage, .. } => {
                format!("{stage}: unlist {:?}", referrers.iter().map(number).collect::<Vec<_>>())
            }
            Step::DeleteManifest { digest, tags, stage, .. } => {
                format!("{stage}: delete {} {tags:?}", number(digest)).replace(" []", "")
            }
            other => panic!("{other:?}"),
        };
        steps.iter().map(show).collect()
    }

    #[test]
    fn indexes_go_before_what_they_list_and_signatures_before_what_they_sign() {
        // 1 lists 2, 2 lists 3; 4 signs 1, 5 signs 4
        let inventory = inventory(&[("top", 1)], &[(1, &[2]), (2, &[3])], &[(4, 1), (5, 4)]);
        let going = inventory.takes_along([&digest(1)]);
        let shown: BTreeSet<String> = shown(&steps(&inventory, &going)).into_iter().map(|line| line[..11].to_owned()).collect();
        let expected = ["0: delete 5", "1: delete 4", "2: delete 1", "3: delete 2", "4: delete 3"];
        assert_eq!(shown, expected.map(str::to_owned).into());
    }

    #[test]
    fn oras_1228_the_list_of_referrers_is_mended_when_one_goes() {
        let fallback = digest(1).fallback_tag();
        let inventory = inventory(&[("v1", 1), (&fallback, 9)], &[(9, &[2, 3])], &[(2, 1), (3, 1)]);
        let going = inventory.takes_along([&digest(2)]);
        assert_eq!(shown(&steps(&inventory, &going)), ["0: unlist [2]", "1: delete 2"]);
        // with the subject the whole list goes, and before what it lists
        let going = inventory.takes_along([&digest(1)]);
        let steps = steps(&inventory, &going);
        let stage = |number| {
            let of = |step: &Step| matches!(step, Step::DeleteManifest { digest: of, .. } if *of == digest(number));
            steps.iter().find(|step| of(step)).map(|step| if let Step::DeleteManifest { stage, .. } = step { *stage } else { 0 })
        };
        assert_eq!((stage(9), stage(2), stage(1)), (Some(0), Some(1), Some(2)));
    }

    #[test]
    fn manifests_that_wait_for_each_other_go_all_the_same() {
        let inventory = inventory(&[("a", 1)], &[(1, &[2]), (2, &[1])], &[]);
        assert_eq!(steps(&inventory, &BTreeSet::from([digest(1), digest(2)])).len(), 2);
    }
}
