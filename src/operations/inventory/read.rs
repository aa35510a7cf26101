//! Reading a repository: every tag, every manifest that they lead to, everything that is attached to it. Each manifest is fetched once,
//! as many at a time as the server likes, and only what deciding needs is kept of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;

use super::super::content::{image_config, manifest, reference};
use super::super::image::Shape;
use super::super::{Content, Ticker, tags};
use super::{Blob, Inventory, Node, Parts, Role};
use crate::oci::{Descriptor, Digest, ImageConfig, Manifest, RawManifest, Repository, media_type};
use crate::registry::{Error, ErrorKind, Registry, Result, Support};

/// Indexes of indexes and signatures of signatures deeper than this are not real; a hostile server could go on for ever.
const DEEPEST: usize = 16;
/// More manifests than this are no repository's: a hundred times those of the largest known ones, and a gigabyte of memory here.
const MOST: usize = 4_000_000;

/// How much of a repository to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Tags, and the indexes that they lead to: what shares a digest, and what lists it.
    Indexes,
    /// Every manifest, and what is attached to it.
    Manifests,
    /// All that, and when each image was built, which costs a request for each config.
    Dates,
}

impl Inventory {
    /// Reads a repository, and what `also` names in it although no tag may lead there. What something names and the server doesn't have is
    /// noted, not an error: there is nothing left to protect below it.
    ///
    /// # Errors
    /// When anything else can't be read, which the error names: nobody may delete by an inventory with holes.
    pub async fn read(
        registry: &dyn Registry,
        repository: &Repository,
        depth: Depth,
        also: &[Digest],
        tick: Ticker<'_>,
    ) -> Result<Inventory> {
        let reader = Reader { registry, repository, depth, unreadable: None };
        reader.read(also, tick).await.map(Inventory::from)
    }

    /// Reads as much of a repository as can be read, and what could not be, with why. Nobody may delete by it.
    ///
    /// # Errors
    /// When the server can't be asked.
    pub async fn survey(
        registry: &dyn Registry,
        repository: &Repository,
        tick: Ticker<'_>,
    ) -> Result<(Inventory, Vec<Unreadable>)> {
        let reader = Reader { registry, repository, depth: Depth::Manifests, unreadable: Some(Mutex::default()) };
        let parts = reader.read(&[], tick).await?;
        let unreadable = reader.unreadable.and_then(|list| list.into_inner().ok()).unwrap_or_default();
        Ok((parts.into(), unreadable))
    }
}

/// A manifest that the server has and that can't be read.
#[derive(Debug)]
pub struct Unreadable {
    /// Which.
    pub digest: Digest,
    /// Why.
    pub error: Error,
}

struct Reader<'a> {
    registry: &'a dyn Registry,
    repository: &'a Repository,
    depth: Depth,
    /// Where manifests go that can't be read, when that is no reason to stop.
    unreadable: Option<Mutex<Vec<Unreadable>>>,
}

/// What came of asking for a manifest.
enum Fetched {
    There(Box<Read>),
    Missing,
    Unreadable,
}

/// One manifest, read.
struct Read {
    manifest: RawManifest,
    parsed: Manifest,
    attached: Vec<Descriptor>,
}

impl Reader<'_> {
    async fn read(&self, also: &[Digest], tick: Ticker<'_>) -> Result<Parts> {
        let mut parts = Parts::default();
        let content = Content::new(self.registry, self.repository);
        // a manifest that came along is found again among what is remembered; one that can't be read must not end a survey
        let along = self.depth >= Depth::Manifests && self.registry.remembered().is_some() && self.unreadable.is_none();
        let mut resolved = std::pin::pin!(tags::resolve_each(&content, along, tick));
        while let Some(tag) = resolved.try_next().await? {
            match tag {
                Ok(tag) => parts.tags.push(tag),
                Err(tag) => parts.dangling.push(tag),
            }
        }
        let deep = self.depth >= Depth::Manifests;
        let mut level: BTreeSet<Digest> =
            parts.tags.iter().filter(|tag| deep || may_list_others(&tag.media_type)).map(|tag| tag.digest.clone()).collect();
        level.extend(also.iter().cloned());
        if deep {
            level.extend(parts.tags.iter().filter_map(|tag| Role::claimed_by(&tag.tag).subject().cloned()));
            self.learn_about_referrers(&level).await?;
        }
        let mut configs: BTreeMap<Digest, Vec<Digest>> = BTreeMap::new();
        let mut sizes: HashMap<Digest, u64> = HashMap::new();
        let mut blobs: HashSet<Arc<Blob>> = HashSet::new();
        let mut passed: BTreeSet<Digest> = BTreeSet::new();
        let mut steps = 0;
        let mut done = parts.tags.len() as u64;
        while let Some(first) = level.first() {
            if steps > DEEPEST || parts.nodes.len() > MOST {
                return Err(self.unreadable(first, ErrorKind::Protocol).because("there is no end to what hangs on it"));
            }
            steps += 1;
            let mut next = BTreeSet::new();
            let unread = stream::iter(std::mem::take(&mut level)).map(|digest| async move {
                let fetched = match (self.fetch(&digest).await, &self.unreadable) {
                    (Err(error), Some(list)) if matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Corrupt) => {
                        let unreadable = Unreadable { digest: digest.clone(), error };
                        list.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(unreadable);
                        Fetched::Unreadable
                    }
                    (fetched, _) => fetched?,
                };
                Ok::<_, Error>((digest, fetched))
            });
            let mut fetched = unread.buffer_unordered(self.registry.concurrency().max(1));
            while let Some((digest, fetched)) = fetched.try_next().await? {
                done += 1;
                tick(done, None);
                let fetched = match fetched {
                    Fetched::There(fetched) => fetched,
                    Fetched::Missing => {
                        parts.missing.insert(digest);
                        continue;
                    }
                    Fetched::Unreadable => {
                        passed.insert(digest);
                        continue;
                    }
                };
                if self.depth == Depth::Dates
                    && let Manifest::Image(image) = &fetched.parsed
                    && media_type::is_image_config(&image.config.media_type)
                {
                    configs.entry(image.config.digest.clone()).or_default().push(digest.clone());
                    sizes.insert(image.config.digest.clone(), image.config.size);
                }
                let below = fetched.parsed.children().iter().filter(|child| deep || may_list_others(&child.media_type));
                next.extend(below.map(|child| child.digest.clone()));
                let node = node(&fetched, &mut blobs);
                if deep {
                    next.extend(node.subject.clone());
                    next.extend(fetched.attached.iter().map(|item| item.digest.clone()));
                    parts.attached.extend(fetched.attached.into_iter().map(|item| (digest.clone(), item.digest)));
                }
                parts.nodes.insert(digest, node);
            }
            next.retain(|digest| !parts.nodes.contains_key(digest) && !parts.missing.contains(digest) && !passed.contains(digest));
            level = next;
        }
        if self.depth == Depth::Dates {
            self.date(&mut parts, configs, &sizes, tick).await?;
        }
        Ok(parts)
    }

    /// Asks once whether there is a referrers API, so that a server without one isn't asked for every manifest: what it has instead is
    /// among the tags.
    async fn learn_about_referrers(&self, level: &BTreeSet<Digest>) -> Result<()> {
        if self.registry.capabilities().referrers == Support::Unknown
            && let Some(first) = level.first()
        {
            self.registry.referrers(self.repository, first).await?;
        }
        Ok(())
    }

    fn unreadable(&self, digest: &Digest, kind: ErrorKind) -> Error {
        Error::new(kind, "read the manifest", reference(self.registry, self.repository, &digest.clone().into()))
    }

    async fn fetch(&self, digest: &Digest) -> Result<Fetched> {
        let manifest = match manifest(self.registry, self.repository, digest).await {
            Ok(manifest) => manifest,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Fetched::Missing),
            Err(error) => return Err(error),
        };
        let parsed = manifest.parse().map_err(|error| self.unreadable(digest, ErrorKind::Protocol).because(error.to_string()))?;
        let by_api = !matches!(self.registry.capabilities().referrers, Support::Emulated | Support::Unsupported);
        let attached = match self.depth {
            Depth::Manifests | Depth::Dates if by_api => self.registry.referrers(self.repository, digest).await?.items,
            Depth::Indexes | Depth::Manifests | Depth::Dates => Vec::new(),
        };
        Ok(Fetched::There(Box::new(Read { manifest, parsed, attached })))
    }

    /// Fills in when images were built, each config fetched once.
    async fn date(
        &self,
        parts: &mut Parts,
        configs: BTreeMap<Digest, Vec<Digest>>,
        sizes: &HashMap<Digest, u64>,
        tick: Ticker<'_>,
    ) -> Result<()> {
        let mut done = (parts.tags.len() + parts.nodes.len()) as u64;
        let asked = stream::iter(configs).map(|(config, images)| async move {
            let size = sizes.get(&config).copied().unwrap_or_default();
            let descriptor = Descriptor::new(media_type::OCI_CONFIG, config, size);
            let read: Result<ImageConfig> = image_config(self.registry, self.repository, &descriptor).await;
            match read {
                Ok(config) => Ok((config.created, images)),
                // a config that is gone or is nonsense has no date; an image without a date is never old
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Protocol | ErrorKind::Corrupt) => {
                    Ok((None, images))
                }
                Err(error) => Err(error),
            }
        });
        let mut dated = asked.buffer_unordered(self.registry.concurrency().max(1));
        while let Some((created, images)) = dated.try_next().await? {
            done += 1;
            tick(done, None);
            for image in images {
                if let (Some(node), Some(created)) = (parts.nodes.get_mut(&image), created) {
                    node.created_at = Some(created);
                }
            }
        }
        // an index is as young as the youngest that it lists; one that lists indexes takes as many rounds as they are deep
        let indexes: Vec<Digest> =
            parts.nodes.iter().filter(|(_, node)| node.shape == Shape::Index).map(|(digest, _)| digest.clone()).collect();
        for _ in 0..DEEPEST {
            let mut changed = false;
            for index in &indexes {
                let of_child = |child: &Digest| parts.nodes.get(child).and_then(|child| child.created_at);
                let youngest: Option<Timestamp> = parts.nodes[index].children.iter().filter_map(of_child).max();
                if let (Some(youngest), Some(node)) = (youngest, parts.nodes.get_mut(index))
                    && node.created_at.is_none_or(|known| known < youngest)
                {
                    node.created_at = Some(youngest);
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        Ok(())
    }
}

/// Whether a manifest of this type could list others; a type that says nothing could.
fn may_list_others(kind: &str) -> bool {
    !(media_type::is_image(kind) || media_type::is_schema1(kind))
}

/// What is kept of a manifest. Blobs that other manifests name as well are shared with them.
fn node(read: &Read, known: &mut HashSet<Arc<Blob>>) -> Node {
    /// What types that this program doesn't know may have all the same, such as the artifact manifest that OCI 1.1 took back.
    #[derive(Deserialize, Default)]
    struct Unnamed {
        #[serde(default)]
        subject: Option<Descriptor>,
        #[serde(default)]
        blobs: Vec<Descriptor>,
    }
    let Read { manifest, parsed, .. } = read;
    let mut subject = parsed.subject().map(|subject| subject.digest.clone());
    let mut artifact_type = None;
    let annotated = |annotations: &BTreeMap<String, String>| {
        let date = annotations.get("org.opencontainers.image.created")?.parse::<Timestamp>().ok()?;
        crate::oci::is_plausible_date(date).then_some(date)
    };
    let mut created_at = None;
    let mut named: BTreeMap<&Digest, u64> = BTreeMap::new();
    let unnamed;
    match parsed {
        Manifest::Image(image) => {
            artifact_type = image.artifact_kind().map(str::to_owned);
            created_at = annotated(&image.annotations);
            let stored = image.layers.iter().filter(|layer| !layer.is_stored_elsewhere()).chain([&image.config]);
            named.extend(stored.map(|blob| (&blob.digest, blob.size)));
        }
        Manifest::Index(index) => {
            artifact_type.clone_from(&index.artifact_type);
            created_at = annotated(&index.annotations);
        }
        Manifest::Schema1(old) => {
            created_at = old.config().and_then(|config| config.created);
            named.extend(old.fs_layers.iter().map(|layer| (&layer.blob_sum, 0)));
        }
        Manifest::Unknown(document) => {
            unnamed = Unnamed::deserialize(document).unwrap_or_default();
            subject = unnamed.subject.as_ref().map(|subject| subject.digest.clone());
            named.extend(unnamed.blobs.iter().map(|blob| (&blob.digest, blob.size)));
        }
    }
    let mut shared = |(digest, size): (&Digest, u64)| {
        let blob = Blob { digest: digest.clone(), size };
        match known.get(&blob) {
            Some(known) => Arc::clone(known),
            None => {
                let blob = Arc::new(blob);
                known.insert(Arc::clone(&blob));
                blob
            }
        }
    };
    Node {
        media_type: manifest.media_type.clone(),
        shape: Shape::of(parsed),
        artifact_type,
        size: manifest.bytes.len() as u64,
        children: parsed.children().iter().map(|child| child.digest.clone()).collect(),
        subject,
        blobs: named.into_iter().map(&mut shared).collect(),
        created_at,
    }
}
