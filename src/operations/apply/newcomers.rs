//! Who came to need something after the plan was made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::lock::Mutex;

use super::super::Ticker;
use super::super::inventory::{Depth, Inventory};
use super::super::plan::{RepositoryPlan, Step};
use super::{Conditions, Done};
use crate::oci::Digest;
use crate::registry::{ErrorKind, Registry, Result};

/// A look at a big repository takes long: no more than this part of the time goes into looking.
const LOOKING: u32 = 10;

/// Digests of a plan that something needs which the plan doesn't know, and what that is.
#[derive(Debug, Clone, Default)]
pub struct Newcomers(BTreeMap<Digest, String>);

impl Newcomers {
    /// Looks at the tags and indexes again, for a plan that was made a while ago (users' report: distribution#3525).
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn read(registry: &dyn Registry, plan: &RepositoryPlan, tick: Ticker<'_>) -> Result<Newcomers> {
        let mut known: BTreeMap<&Digest, Vec<&str>> = BTreeMap::new();
        let mut going = BTreeSet::new();
        for step in &plan.steps {
            match step {
                Step::Untag { tag, digest, siblings, .. } => {
                    known.entry(digest).or_default().extend(siblings.iter().chain([tag]).map(|tag| tag.0.as_str()));
                }
                Step::DeleteManifest { digest, tags, .. } => {
                    known.entry(digest).or_default().extend(tags.iter().map(|tag| tag.0.as_str()));
                    going.insert(digest);
                }
                Step::Unlist { .. } | Step::DeleteRepository => {}
            }
        }
        let now = match Inventory::read(registry, &plan.repository.0, Depth::Indexes, &[], tick).await {
            Ok(now) => now,
            // nothing there, nobody new
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Newcomers::default()),
            Err(error) => return Err(error),
        };
        let mut newcomers = BTreeMap::new();
        for (digest, tags) in &known {
            let joined = now.tags_on(digest).find(|tag| !tags.contains(&tag.tag.as_str()));
            let lists = now.parents(digest).iter().find(|parent| !going.contains(parent));
            match (joined, lists) {
                (Some(tag), _) => newcomers.insert((*digest).clone(), format!("the tag {} points at it", tag.tag)),
                // a tag that goes alone leaves its manifest to the index
                (None, Some(index)) if going.contains(digest) => {
                    newcomers.insert((*digest).clone(), format!("the index {} lists it", now.name_of(index)))
                }
                (None, _) => None,
            };
        }
        Ok(Newcomers(newcomers))
    }

    pub(super) fn on(&self, digest: &Digest) -> Option<(Done, Option<String>)> {
        let why = self.0.get(digest)?;
        Some((Done::Skipped, Some(format!("{why} since the plan was made"))))
    }
}

/// The newest look at who came.
pub(super) struct Watch<'a> {
    registry: &'a dyn Registry,
    plan: &'a RepositoryPlan,
    fresh_for: Duration,
    look: Mutex<Look>,
}

struct Look {
    newcomers: Arc<Newcomers>,
    fresh_until: Instant,
}

impl<'a> Watch<'a> {
    pub fn new(
        registry: &'a dyn Registry,
        plan: &'a RepositoryPlan,
        newcomers: Newcomers,
        conditions: &Conditions<'_>,
    ) -> Watch<'a> {
        let fresh_for = conditions.fresh_for;
        let look = Look { newcomers: Arc::new(newcomers), fresh_until: Instant::now() + fresh_for };
        Watch { registry, plan, fresh_for, look: Mutex::new(look) }
    }

    /// Who came, as seen lately.
    ///
    /// # Errors
    /// When it is time for another look, and the tags and indexes can't be read.
    pub async fn newcomers(&self) -> Result<Arc<Newcomers>> {
        let mut look = self.look.lock().await;
        let began = Instant::now();
        if began >= look.fresh_until {
            let newcomers = Newcomers::read(self.registry, self.plan, &|_, _| ()).await?;
            let ended = Instant::now();
            // who was seen once stays seen
            let all = look.newcomers.0.iter().map(|(digest, why)| (digest.clone(), why.clone())).chain(newcomers.0).collect();
            let fresh_for = if self.fresh_for.is_zero() { Duration::ZERO } else { self.fresh_for.max((ended - began) * LOOKING) };
            *look = Look { newcomers: Arc::new(Newcomers(all)), fresh_until: ended + fresh_for };
        }
        Ok(Arc::clone(&look.newcomers))
    }
}
