//! What goes along when manifests go: what they list and what is attached to them, as far as nothing that stays needs it.

use std::collections::BTreeSet;

use super::{Inventory, Role};
use crate::oci::{Digest, Tag};

impl Inventory {
    /// The manifests that go when `roots` go, they themselves included: children after their last parent, referrers with their last
    /// subject, and the lists of fallback tags. A manifest that a person's tag points at goes only as a root.
    pub fn takes_along<'a>(&self, roots: impl IntoIterator<Item = &'a Digest>) -> BTreeSet<Digest> {
        let mut going: BTreeSet<Digest> = BTreeSet::new();
        let mut left: Vec<Digest> = roots.into_iter().cloned().collect();
        while let Some(digest) = left.pop() {
            if !going.insert(digest.clone()) {
                continue;
            }
            let children = self.manifest(&digest).into_iter().flat_map(|node| &node.children);
            let near = children.chain(self.referrers(&digest)).chain(self.fallback(&digest).map(|tag| &tag.digest));
            left.extend(near.filter(|near| !going.contains(*near) && self.only_for(near, &going)).cloned());
        }
        going
    }

    /// Whether a manifest is there for the sake of `going` alone, and may go.
    fn only_for(&self, digest: &Digest, going: &BTreeSet<Digest>) -> bool {
        let held_by_tag = self.tags_on(digest).any(|tag| match &tag.role {
            Role::Name => true,
            Role::Fallback { subject } | Role::Attachment { subject } => self.is_there(subject) && !going.contains(subject),
        });
        // a subject that isn't there any more holds nothing
        let held_by_subject = self.subjects(digest).any(|subject| self.is_there(subject) && !going.contains(subject));
        let held_by_index = self.parents(digest).iter().any(|parent| !going.contains(parent));
        self.is_there(digest) && self.held(digest).is_none() && !held_by_tag && !held_by_subject && !held_by_index
    }

    fn is_there(&self, digest: &Digest) -> bool {
        self.manifest(digest).is_some()
    }

    /// Tags of persons on these manifests.
    pub fn names_on<'a>(&'a self, digests: &'a BTreeSet<Digest>) -> impl Iterator<Item = &'a Tag> {
        let tags = digests.iter().flat_map(|digest| self.tags_on(digest));
        tags.filter(|tag| tag.role == Role::Name).map(|tag| &tag.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HELD, digest, inventory};
    use super::*;
    use crate::registry::Locks;
    use proptest::prelude::*;

    fn numbers(going: &BTreeSet<Digest>) -> Vec<u8> {
        (0..50).filter(|number| going.contains(&digest(*number))).collect()
    }

    #[test]
    fn skopeo_2497_children_go_with_their_last_parent() {
        // two indexes share image 3; image 5 has a tag of its own
        let inventory = inventory(&[("a", 1), ("b", 2), ("five", 5)], &[(1, &[3, 4, 5]), (2, &[3])], &[]);
        assert_eq!(numbers(&inventory.takes_along([&digest(1)])), [1, 4]);
        assert_eq!(numbers(&inventory.takes_along([&digest(1), &digest(2)])), [1, 2, 3, 4]);
    }

    #[test]
    fn acr_cli_462_nested_indexes_are_followed() {
        let inventory = inventory(&[("a", 1), ("b", 6)], &[(1, &[2]), (2, &[3, 4]), (6, &[4])], &[]);
        assert_eq!(numbers(&inventory.takes_along([&digest(1)])), [1, 2, 3]);
    }

    #[test]
    fn ghca_104_referrers_go_with_their_subject_and_not_before() {
        let signature = format!("{}.sig", digest(1).fallback_tag());
        let fallback = digest(1).fallback_tag();
        // 2 signs 1, 3 signs 2; 4 is cosign's, 9 the list behind the fallback tag, 7 has a tag of its own
        let inventory =
            inventory(&[("v1", 1), (&signature, 4), (&fallback, 9), ("mine", 7)], &[(9, &[2, 7])], &[(2, 1), (3, 2), (7, 1)]);
        assert_eq!(numbers(&inventory.takes_along([&digest(1)])), [1, 2, 3, 4, 9]);
        assert_eq!(numbers(&inventory.takes_along([&digest(2)])), [2, 3], "the subject and the list stay");
    }

    #[test]
    fn acr_cli_134_what_is_locked_does_not_go_along() {
        let locks = Locks { manifests: [(digest(2), HELD), (digest(4), HELD)].into(), ..Locks::default() };
        let inventory = inventory(&[("a", 1)], &[(1, &[2, 3])], &[(4, 1), (5, 1)]).with_locks(locks);
        assert_eq!(numbers(&inventory.takes_along([&digest(1)])), [1, 3, 5]);
    }

    #[test]
    fn what_two_images_share_stays_with_the_other() {
        // one SBOM for two images, as cosign attaches it
        let [first, second] = [1, 2].map(|number| format!("{}.sbom", digest(number).fallback_tag()));
        let inventory = inventory(&[("a", 1), ("b", 2), (&first, 3), (&second, 3)], &[], &[]);
        assert_eq!(numbers(&inventory.takes_along([&digest(1)])), [1]);
        assert_eq!(numbers(&inventory.takes_along([&digest(1), &digest(2)])), [1, 2, 3]);
    }

    proptest! {
        /// Whatever the graph: nothing goes along that a survivor lists, that a survivor is the subject of, or that a person's tag holds.
        #[test]
        fn nothing_that_a_survivor_needs_goes_along(
            tags in proptest::collection::btree_map(0u8..12, 0u8..12, 0..8),
            listed in proptest::collection::vec((0u8..12, 0u8..12), 0..12),
            attached in proptest::collection::vec((0u8..12, 0u8..12), 0..8),
            roots in proptest::collection::btree_set(0u8..12, 0..4),
        ) {
            let names: Vec<(String, u8)> = tags.into_iter().map(|(name, number)| (format!("t{name}"), number)).collect();
            let tags: Vec<(&str, u8)> = names.iter().map(|(name, number)| (name.as_str(), *number)).collect();
            let mut lists = std::collections::BTreeMap::<u8, Vec<u8>>::new();
            for (parent, child) in listed.into_iter().filter(|(parent, child)| parent < child) {
                lists.entry(parent).or_default().push(child);
            }
            let lists: Vec<(u8, &[u8])> = lists.iter().map(|(parent, children)| (*parent, children.as_slice())).collect();
            let attached: Vec<(u8, u8)> = attached.into_iter().filter(|(referrer, subject)| referrer > subject).collect();
            let inventory = inventory(&tags, &lists, &attached);
            let roots: Vec<Digest> = roots.into_iter().map(digest).collect();
            let going = inventory.takes_along(&roots);
            for along in going.iter().filter(|along| !roots.contains(along)) {
                prop_assert!(inventory.parents(along).iter().all(|parent| going.contains(parent)));
                prop_assert!(inventory.subjects(along).all(|subject| going.contains(subject)));
                prop_assert!(inventory.tags_on(along).next().is_none());
            }
        }
    }
}
