//! What one repository holds, with the answers to "who lists this", "who is attached to this" and "which tags are on this" at hand: a
//! client asks them for thousands of manifests in a row.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use crate::oci::{Digest, RawManifest, Tag};

/// One repository.
#[derive(Debug, Default)]
pub(super) struct Held {
    tags: BTreeMap<Tag, Digest>,
    /// All manifests, tagged or not.
    manifests: BTreeMap<Digest, RawManifest>,
    /// Blobs, unless they are in a folder.
    pub blobs: HashMap<Digest, Bytes>,
    tagged: HashMap<Digest, BTreeSet<Tag>>,
    parents: HashMap<Digest, BTreeSet<Digest>>,
    attached: HashMap<Digest, BTreeSet<Digest>>,
}

impl Held {
    pub fn tags(&self) -> &BTreeMap<Tag, Digest> {
        &self.tags
    }

    pub fn manifests(&self) -> &BTreeMap<Digest, RawManifest> {
        &self.manifests
    }

    /// Whether an index lists the manifest.
    pub fn is_child(&self, digest: &Digest) -> bool {
        self.parents.contains_key(digest)
    }

    pub fn is_tagged(&self, digest: &Digest) -> bool {
        self.tagged.contains_key(digest)
    }

    /// Every manifest whose subject is this digest.
    pub fn attached(&self, subject: &Digest) -> Vec<RawManifest> {
        let attached = self.attached.get(subject).into_iter().flatten();
        attached.filter_map(|digest| self.manifests.get(digest)).cloned().collect()
    }

    pub fn insert(&mut self, manifest: RawManifest) {
        let (children, subject) = named_by(&manifest);
        for child in children {
            self.parents.entry(child).or_default().insert(manifest.digest.clone());
        }
        if let Some(subject) = subject {
            self.attached.entry(subject).or_default().insert(manifest.digest.clone());
        }
        self.manifests.insert(manifest.digest.clone(), manifest);
    }

    /// Takes a manifest away, with its tags; false if it was not there.
    pub fn remove(&mut self, digest: &Digest) -> bool {
        let Some(manifest) = self.manifests.remove(digest) else { return false };
        let (children, subject) = named_by(&manifest);
        for child in children {
            take(&mut self.parents, &child, digest);
        }
        if let Some(subject) = subject {
            take(&mut self.attached, &subject, digest);
        }
        for tag in self.tagged.remove(digest).into_iter().flatten() {
            self.tags.remove(&tag);
        }
        true
    }

    /// Points a tag at a manifest, from wherever it was.
    pub fn tag(&mut self, tag: Tag, digest: Digest) {
        self.untag(&tag);
        self.tagged.entry(digest.clone()).or_default().insert(tag.clone());
        self.tags.insert(tag, digest);
    }

    /// Takes a tag away; false if it was not there.
    pub fn untag(&mut self, tag: &Tag) -> bool {
        let Some(digest) = self.tags.remove(tag) else { return false };
        take(&mut self.tagged, &digest, tag);
        true
    }
}

/// What a manifest lists, and what it is attached to.
fn named_by(manifest: &RawManifest) -> (Vec<Digest>, Option<Digest>) {
    let Ok(read) = manifest.parse() else { return (Vec::new(), None) };
    let children = read.children().iter().map(|child| child.digest.clone()).filter(|child| *child != manifest.digest).collect();
    (children, read.subject().map(|subject| subject.digest.clone()))
}

/// Takes a member out of a set, and the set away when it was the last.
fn take<T: Ord>(sets: &mut HashMap<Digest, BTreeSet<T>>, key: &Digest, member: &T) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(member);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oci::media_type;

    fn tag(name: &str) -> Tag {
        name.parse().unwrap()
    }

    #[test]
    fn the_side_tables_follow_every_change() {
        let mut held = Held::default();
        let child = RawManifest::new("application/vnd.test+json", "{}");
        let entry = json!({ "mediaType": child.media_type, "digest": child.digest, "size": 2 });
        let index = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [entry], "subject": entry });
        let index = RawManifest::new(media_type::OCI_INDEX, index.to_string());
        held.insert(child.clone());
        held.insert(index.clone());
        held.tag(tag("a"), child.digest.clone());
        held.tag(tag("b"), child.digest.clone());
        held.tag(tag("a"), index.digest.clone());
        assert!(held.is_child(&child.digest) && held.is_tagged(&child.digest));
        assert_eq!(held.attached(&child.digest), std::slice::from_ref(&index));
        assert!(held.remove(&index.digest) && !held.remove(&index.digest));
        assert!(!held.is_child(&child.digest) && held.attached(&child.digest).is_empty());
        assert_eq!(held.tags().keys().map(Tag::as_str).collect::<Vec<_>>(), ["b"]);
        assert!(held.untag(&tag("b")) && !held.is_tagged(&child.digest));
    }
}
