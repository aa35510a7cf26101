//! What a repository holds and what hangs on what: tags, manifests, the indexes that list them, what is attached to them (SPEC §8.3).
//!
//! Read whole ([`Inventory::read`]) or not at all, and pure from then on: whoever decides what to delete asks here, and nothing here
//! asks a server. What a delete takes along is in `cascade`, the order of it in [`removal`](super::removal).

mod cascade;
mod held;
mod listed;
mod read;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::image::Shape;
use super::tags::ResolvedTag;
use crate::oci::{Digest, Tag};
use crate::registry::{Lock, Locks};

pub use held::Held;
pub use listed::listed;
pub use read::{Depth, Unreadable};

/// A blob that manifests name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Blob {
    /// Its digest.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

/// A manifest, as far as deciding needs it. Its bytes are not kept: a repository may have a hundred thousand.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Media type.
    pub media_type: String,
    /// What kind of thing it is.
    pub shape: Shape,
    /// The kind of artifact, when it is one.
    pub artifact_type: Option<String>,
    /// Bytes of the manifest itself.
    pub size: u64,
    /// The manifests that it lists, when it is an index.
    pub children: Vec<Digest>,
    /// What its own `subject` field says that it is attached to.
    pub subject: Option<Digest>,
    /// Config and layers that the server stores, each once. Shared by all manifests that name them.
    pub blobs: Vec<Arc<Blob>>,
    /// When it was built, where that was asked for and is known; of an index, the youngest of what it lists.
    pub created_at: Option<Timestamp>,
}

impl Node {
    /// Bytes of config and layers.
    pub fn content_size(&self) -> u64 {
        self.blobs.iter().fold(0, |sum, blob| sum.saturating_add(blob.size))
    }
}

/// What a tag is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// A person or a build named something.
    Name,
    /// `sha256-<hex>`: lists what is attached to a manifest, for servers without a referrers API (distribution-spec 1.1).
    Fallback {
        /// To what.
        subject: Digest,
    },
    /// `sha256-<hex>.sig`, `.att`, `.sbom`: what it points at is attached to a manifest, as cosign does.
    Attachment {
        /// To what.
        subject: Digest,
    },
}

impl Role {
    /// The role that a tag's name claims. A name that begins like one of the two but isn't made by their rule is a [`Role::Name`].
    pub fn claimed_by(tag: &Tag) -> Role {
        if !tag.is_attachment() {
            return Role::Name;
        }
        let (digest, suffix) = tag.as_str().split_once('.').map_or((tag.as_str(), None), |(digest, rest)| (digest, Some(rest)));
        match (digest.replacen('-', ":", 1).parse::<Digest>(), suffix) {
            (Ok(subject), None) => Role::Fallback { subject },
            (Ok(subject), Some("sig" | "att" | "sbom")) => Role::Attachment { subject },
            _ => Role::Name,
        }
    }

    /// What it is about, when it names nothing itself.
    pub fn subject(&self) -> Option<&Digest> {
        match self {
            Role::Name => None,
            Role::Fallback { subject } | Role::Attachment { subject } => Some(subject),
        }
    }
}

/// A tag with what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRecord {
    /// The tag.
    pub tag: Tag,
    /// What it points at.
    pub digest: Digest,
    /// What it is for.
    pub role: Role,
    /// When it was pushed, where the listing says so.
    pub pushed_at: Option<Timestamp>,
    /// When it was last pulled, where the listing says so.
    pub pulled_at: Option<Timestamp>,
    /// Whether it is locked, where the listing says so.
    pub lock: Option<Lock>,
}

/// Everything in one repository that tags lead to, and how it hangs together.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    tags: Vec<TagRecord>,
    nodes: BTreeMap<Digest, Node>,
    missing: BTreeSet<Digest>,
    dangling: Vec<Tag>,
    named: HashMap<Tag, usize>,
    on: BTreeMap<Digest, Vec<usize>>,
    parents: BTreeMap<Digest, Vec<Digest>>,
    referrers: BTreeMap<Digest, BTreeSet<Digest>>,
    subjects: BTreeMap<Digest, BTreeSet<Digest>>,
    locks: Locks,
}

/// What was read, before it is known how it hangs together.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// Every tag that leads to something.
    pub tags: Vec<ResolvedTag>,
    /// Every manifest that was read.
    pub nodes: BTreeMap<Digest, Node>,
    /// What something names and the server doesn't have.
    pub missing: BTreeSet<Digest>,
    /// Tags that the server lists and doesn't have.
    pub dangling: Vec<Tag>,
    /// Pairs of subject and referrer that the server's API told.
    pub attached: Vec<(Digest, Digest)>,
}

impl From<Parts> for Inventory {
    fn from(parts: Parts) -> Inventory {
        let Parts { tags, nodes, missing, dangling, attached } = parts;
        let mut inventory = Inventory { nodes, missing, dangling, ..Inventory::default() };
        let mut long: HashMap<String, Digest> = HashMap::new();
        for digest in inventory.nodes.keys().filter(|digest| digest.algorithm() != "sha256") {
            long.insert(digest.fallback_tag(), digest.clone());
        }
        for tag in tags {
            // a server may list a tag twice
            let position = inventory.tags.len();
            if let Entry::Vacant(vacant) = inventory.named.entry(tag.tag.clone()) {
                vacant.insert(position);
                inventory.on.entry(tag.digest.clone()).or_default().push(position);
                let record = inventory.record(tag, &long);
                inventory.tags.push(record);
            }
        }
        let mut attached: BTreeSet<(Digest, Digest)> = attached.into_iter().collect();
        for (digest, node) in &inventory.nodes {
            attached.extend(node.subject.iter().map(|subject| (subject.clone(), digest.clone())));
            if inventory.is_fallback(digest) {
                continue;
            }
            for child in node.children.iter().collect::<BTreeSet<_>>() {
                inventory.parents.entry(child.clone()).or_default().push(digest.clone());
            }
        }
        for tag in &inventory.tags {
            match &tag.role {
                Role::Name => {}
                Role::Attachment { subject } => attached.extend([(subject.clone(), tag.digest.clone())]),
                Role::Fallback { subject } => {
                    let listed = inventory.nodes.get(&tag.digest).into_iter().flat_map(|index| &index.children);
                    attached.extend(listed.map(|child| (subject.clone(), child.clone())));
                }
            }
        }
        // nothing is attached to itself, whatever a server says
        for (subject, referrer) in attached.into_iter().filter(|(subject, referrer)| subject != referrer) {
            inventory.subjects.entry(referrer.clone()).or_default().insert(subject.clone());
            inventory.referrers.entry(subject).or_default().insert(referrer);
        }
        inventory
    }
}

impl Inventory {
    /// `long` has the fallback tags of digests that don't fit into one.
    fn record(&self, tag: ResolvedTag, long: &HashMap<String, Digest>) -> TagRecord {
        let claimed = match long.get(tag.tag.as_str()) {
            Some(subject) => Role::Fallback { subject: subject.clone() },
            None => Role::claimed_by(&tag.tag),
        };
        let role = match claimed {
            // the name alone proves nothing: an image may be called so
            Role::Fallback { .. } if self.nodes.get(&tag.digest).is_none_or(|node| node.shape != Shape::Index) => Role::Name,
            role => role,
        };
        TagRecord { tag: tag.tag, digest: tag.digest, role, pushed_at: tag.pushed_at, pulled_at: tag.pulled_at, lock: tag.lock }
    }

    /// Every tag that leads to something, in the server's order.
    pub fn tags(&self) -> &[TagRecord] {
        &self.tags
    }

    /// Every manifest that was read.
    pub fn manifests(&self) -> &BTreeMap<Digest, Node> {
        &self.nodes
    }

    /// One manifest, if it was read and is there.
    pub fn manifest(&self, digest: &Digest) -> Option<&Node> {
        self.nodes.get(digest)
    }

    /// What something names and the server doesn't have.
    pub fn missing(&self) -> &BTreeSet<Digest> {
        &self.missing
    }

    /// Tags that the server lists and doesn't have.
    pub fn dangling(&self) -> &[Tag] {
        &self.dangling
    }

    /// One tag.
    pub fn tag(&self, name: &Tag) -> Option<&TagRecord> {
        self.named.get(name).map(|position| &self.tags[*position])
    }

    /// The tags on a digest.
    pub fn tags_on(&self, digest: &Digest) -> impl Iterator<Item = &TagRecord> {
        self.on.get(digest).into_iter().flatten().map(|position| &self.tags[*position])
    }

    /// The indexes that list a manifest directly; those that only list what is attached to something are no parents.
    pub fn parents(&self, digest: &Digest) -> &[Digest] {
        self.parents.get(digest).map_or(&[], Vec::as_slice)
    }

    /// What is attached to a manifest, by whichever way.
    pub fn referrers(&self, subject: &Digest) -> impl Iterator<Item = &Digest> {
        self.referrers.get(subject).into_iter().flatten()
    }

    /// What a manifest is attached to, by whichever way.
    pub fn subjects(&self, referrer: &Digest) -> impl Iterator<Item = &Digest> {
        self.subjects.get(referrer).into_iter().flatten()
    }

    /// Whether a manifest is nothing but the list behind a fallback tag.
    pub fn is_fallback(&self, digest: &Digest) -> bool {
        let mut tags = self.tags_on(digest).peekable();
        tags.peek().is_some() && tags.all(|tag| matches!(tag.role, Role::Fallback { .. }))
    }

    /// The tag that lists what is attached to a manifest, where there is one.
    pub fn fallback(&self, subject: &Digest) -> Option<&TagRecord> {
        let name: Tag = subject.fallback_tag().parse().expect("a fallback tag is made to be a tag");
        self.tag(&name).filter(|tag| matches!(&tag.role, Role::Fallback { subject: about } if about == subject))
    }

    /// What must stay for these manifests to stay whole: they themselves, what they list, and what is attached to any of it.
    pub fn reach<'a>(&'a self, roots: impl IntoIterator<Item = &'a Digest>) -> BTreeSet<&'a Digest> {
        let mut reached = BTreeSet::new();
        let mut left: Vec<&Digest> = roots.into_iter().collect();
        while let Some(digest) = left.pop() {
            if reached.insert(digest) {
                left.extend(self.nodes.get(digest).into_iter().flat_map(|node| &node.children));
                left.extend(self.referrers(digest));
            }
        }
        reached
    }

    /// Bytes that nothing in this repository names any more when these manifests are gone. Blobs that other repositories share are
    /// counted too, because only the server knows them.
    pub fn freed(&self, going: &BTreeSet<Digest>) -> u64 {
        let (goes, stays): (Vec<_>, Vec<_>) = self.nodes.iter().partition(|(digest, _)| going.contains(*digest));
        let kept: HashSet<&Blob> = stays.iter().flat_map(|(_, node)| &node.blobs).map(Arc::as_ref).collect();
        let lost: HashSet<&Blob> =
            goes.iter().flat_map(|(_, node)| &node.blobs).map(Arc::as_ref).filter(|blob| !kept.contains(blob)).collect();
        let blobs = lost.into_iter().fold(0, |sum: u64, blob| sum.saturating_add(blob.size));
        goes.iter().fold(blobs, |sum, (_, node)| sum.saturating_add(node.size))
    }

    /// How a person knows a manifest: by a tag that leads to it, else by its digest.
    pub fn name_of(&self, digest: &Digest) -> String {
        match self.tags_on(digest).next() {
            Some(tag) => tag.tag.as_str().to_owned(),
            None => digest.as_str().to_owned(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::registry::Hold;

    pub(crate) const HELD: Lock = Lock::Held(Hold { why: "locked for a test", remedy: "unlock it" });

    /// Locks on these tags.
    pub(crate) fn on_tags(names: &[&str]) -> Locks {
        let rule = |name: &&str| (Some(regex::Regex::new(&format!("^{name}$")).unwrap()), HELD);
        Locks { tags: names.iter().map(rule).collect(), ..Locks::default() }
    }

    pub(crate) fn digest(number: u8) -> Digest {
        Digest::sha256(&[number])
    }

    /// An inventory of manifests by number: tags, what indexes list, what is attached to what.
    pub(crate) fn inventory(tags: &[(&str, u8)], children: &[(u8, &[u8])], subjects: &[(u8, u8)]) -> Inventory {
        let node = |shape, children: &[u8]| Node {
            media_type: String::new(),
            shape,
            artifact_type: None,
            size: 1,
            children: children.iter().map(|number| digest(*number)).collect(),
            subject: None,
            blobs: Vec::new(),
            created_at: None,
        };
        let mut nodes = BTreeMap::new();
        for (_, number) in tags {
            nodes.entry(digest(*number)).or_insert_with(|| node(Shape::Image, &[]));
        }
        for (parent, listed) in children {
            for number in *listed {
                nodes.entry(digest(*number)).or_insert_with(|| node(Shape::Image, &[]));
            }
            nodes.insert(digest(*parent), node(Shape::Index, listed));
        }
        for (referrer, subject) in subjects {
            nodes.entry(digest(*subject)).or_insert_with(|| node(Shape::Image, &[]));
            nodes.entry(digest(*referrer)).or_insert_with(|| node(Shape::Artifact, &[])).subject = Some(digest(*subject));
        }
        let tags = tags.iter().map(|(name, number)| ResolvedTag {
            tag: name.parse().unwrap(),
            digest: digest(*number),
            media_type: String::new(),
            pushed_at: None,
            pulled_at: None,
            lock: None,
        });
        Parts { tags: tags.collect(), nodes, ..Parts::default() }.into()
    }

    #[test]
    fn what_a_tag_is_for() {
        let hex = digest(1).encoded().to_owned();
        for (tag, role) in [
            ("latest".to_owned(), Role::Name),
            (format!("sha256-{hex}"), Role::Fallback { subject: digest(1) }),
            (format!("sha256-{hex}.sig"), Role::Attachment { subject: digest(1) }),
            (format!("sha256-{hex}.sbom"), Role::Attachment { subject: digest(1) }),
            (format!("sha256-{hex}.tar"), Role::Name),
            (format!("sha256-{}", &hex[..40]), Role::Name),
        ] {
            assert_eq!(Role::claimed_by(&tag.parse().unwrap()), role, "{tag}");
        }
        // an image that is called like a fallback tag is an image
        let tag = digest(1).fallback_tag();
        assert_eq!(inventory(&[(&tag, 2)], &[], &[]).tags()[0].role, Role::Name);
        assert_eq!(inventory(&[(&tag, 2)], &[(2, &[3])], &[]).tags()[0].role, Role::Fallback { subject: digest(1) });
    }

    #[test]
    fn the_list_behind_a_fallback_tag_is_no_parent() {
        let fallback = digest(1).fallback_tag();
        let inventory = inventory(&[("v1", 1), (&fallback, 9), ("multi", 5)], &[(9, &[2, 3]), (5, &[1, 6])], &[(2, 1)]);
        assert_eq!(inventory.parents(&digest(2)), []);
        assert_eq!(inventory.parents(&digest(1)), [digest(5)]);
        assert_eq!(inventory.referrers(&digest(1)).collect::<BTreeSet<_>>(), BTreeSet::from([&digest(2), &digest(3)]));
        assert_eq!(inventory.reach([&digest(5)]).len(), 5, "both images and both referrers");
    }

    #[test]
    fn only_what_nothing_else_names_is_freed() {
        let mut parts = Parts::default();
        let blob = |number: u8, size| Arc::new(Blob { digest: digest(number), size });
        for (number, blobs) in [(1, vec![blob(10, 100), blob(11, 7)]), (2, vec![blob(10, 100), blob(12, 50)])] {
            let node = inventory(&[("x", number)], &[], &[]).nodes.remove(&digest(number)).unwrap();
            parts.nodes.insert(digest(number), Node { blobs, ..node });
        }
        let inventory = Inventory::from(parts);
        assert_eq!(inventory.freed(&BTreeSet::from([digest(1)])), 7 + 1);
        assert_eq!(inventory.freed(&BTreeSet::from([digest(1), digest(2)])), 157 + 2);
    }
}
