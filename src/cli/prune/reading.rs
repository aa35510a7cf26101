//! Reading what is to be pruned: one repository after the other, each wholly or not at all, and a plan for each.

use std::sync::Arc;
use std::time::Instant;

use super::rules;
use crate::catalogue::RetentionRule;
use crate::cli::destroy::Prepared;
use crate::cli::error::{exit_of_failed, explain};
use crate::cli::open::OpenedPart;
use crate::cli::{Context, Exit, Refusal};
use crate::oci::Repository;
use crate::operations::delete::Place;
use crate::operations::filter::Filter;
use crate::operations::plan::Unread;
use crate::operations::prune::{self, Exclusions, Policy};
use crate::operations::repositories::{self, Query};
use crate::registry::{ErrorKind, Registry};

/// By what is decided, and for how long there is time.
pub(super) struct Reading {
    /// The rule of the command line, which stands in for those of the entry.
    pub rule: Option<RetentionRule>,
    /// What is in use elsewhere.
    pub exclusions: Arc<Exclusions>,
    /// When to stop.
    pub until: Option<Instant>,
}

/// What is to be pruned, and what could not be read.
#[derive(Default)]
pub(super) struct Pruned {
    /// A plan for each repository that could be read whole.
    pub prepared: Vec<Prepared>,
    /// What the limits are measured by, one a plan.
    pub sizes: Vec<Size>,
    /// The repositories of which nothing is deleted, and why.
    pub failed: Vec<Unread>,
    /// How the command would end if one of these were all, in the same order.
    pub exits: Vec<Exit>,
    /// How many repositories no rule is for.
    pub without_rule: usize,
    /// Whether the rules look at anything.
    matches: bool,
}

/// How much of a repository goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// Tags, and manifests that go without one for their own sake.
    pub items: usize,
    /// More than half of its tags.
    pub most: bool,
}

impl Pruned {
    /// The plans.
    pub fn plans(&self) -> impl Iterator<Item = &crate::operations::plan::RepositoryPlan> {
        self.prepared.iter().map(|part| &part.plan)
    }

    /// The repositories in which something is to go.
    pub fn places(&self) -> Vec<(Arc<dyn Registry>, Repository)> {
        let changed = self.prepared.iter().filter(|part| !part.plan.steps.is_empty());
        changed.map(|part| (Arc::clone(&part.registry), part.plan.repository.0.clone())).collect()
    }

    /// How the command ends if all that can be done is done.
    pub fn exit(&self) -> Exit {
        exit_of_failed(&self.exits, self.prepared.len())
    }

    fn fail(&mut self, name: String, error: &anyhow::Error) {
        let (exit, message) = explain(error).in_a_line();
        self.failed.push(Unread { name, message });
        self.exits.push(exit);
    }

    fn out_of_time(&mut self, name: String) {
        let message = "the time limit was over before all of it was read; run it again to go on".to_owned();
        self.failed.push(Unread { name, message });
        self.exits.push(Exit::Partial);
    }
}

impl Reading {
    /// Reads all of it.
    ///
    /// # Errors
    /// When no rule is for anything that was named.
    pub fn read(&self, parts: Vec<OpenedPart>, context: &Context) -> anyhow::Result<Pruned> {
        if self.rule.is_none() && parts.iter().all(|part| part.retention.is_empty()) {
            return Err(super::no_rule());
        }
        let mut pruned = Pruned::default();
        for part in &parts {
            self.read_part(part, &mut pruned, context)?;
        }
        let nothing = pruned.prepared.is_empty() && pruned.failed.is_empty() && pruned.without_rule > 0;
        if nothing && parts.iter().any(|part| part.repositories.is_some()) {
            return Err(super::no_rule());
        }
        // an expression where a glob belongs cleans up nothing, for years (ARO-HCP#6147)
        let glob = self.rule.as_ref().and_then(|rule| rule.matching.as_ref());
        if let Some(glob) = glob.filter(|_| !pruned.matches && !pruned.prepared.is_empty()) {
            let message = format!("no tag fits --match '{glob}': it is a glob, and has to fit the whole tag");
            context.printer.warn(message);
        }
        Ok(pruned)
    }

    fn read_part(&self, part: &OpenedPart, pruned: &mut Pruned, context: &Context) -> anyhow::Result<()> {
        let name = part.opened.registry.name();
        let repositories = match &part.repositories {
            Some(named) => named.clone(),
            None => match list(part, context) {
                Ok(repositories) => repositories,
                Err(error) if is_interrupted(&error) => return Err(error),
                Err(error) => {
                    pruned.fail(name.to_owned(), &error);
                    return Ok(());
                }
            },
        };
        let started = Instant::now();
        for repository in repositories {
            let Some(policy) = self.policy(part, &repository) else {
                pruned.without_rule += 1;
                continue;
            };
            let reference = format!("{name}/{repository}");
            if self.is_half_over(started) {
                pruned.out_of_time(reference);
                continue;
            }
            match self.plan(part, &repository, &policy, context) {
                Ok(Some(planned)) => {
                    pruned.matches |= planned.matches || planned.tags == 0;
                    pruned.sizes.push(Size { items: planned.items, most: planned.takes_most() });
                    pruned.prepared.push(Prepared { registry: Arc::clone(&part.opened.registry), plan: planned.plan });
                }
                Ok(None) => pruned.out_of_time(reference),
                Err(error) if is_interrupted(&error) => return Err(error),
                Err(error) => {
                    let hopeless = error.downcast_ref::<crate::registry::Error>().is_some_and(fails_everywhere);
                    pruned.fail(reference, &error);
                    if hopeless {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// The rules for a repository: the flags, else the first rule of the entry that is for it.
    fn policy(&self, part: &OpenedPart, repository: &Repository) -> Option<Policy> {
        let rule = self.rule.as_ref().or_else(|| part.retention.iter().find(|rule| rule.is_for(repository.as_str())))?;
        Some(rules::policy(rule, &self.exclusions))
    }

    /// Reading gets half of the time, so that the other half is there to delete in: a listing that eats all of it never deletes
    /// anything, however often it is tried (users' reports: acr-cli#457).
    fn is_half_over(&self, started: Instant) -> bool {
        self.until.is_some_and(|until| {
            let now = Instant::now();
            now >= until || now - started > until - now
        })
    }

    /// `None`: the time was over before all of it was read.
    fn plan(
        &self,
        part: &OpenedPart,
        repository: &Repository,
        policy: &Policy,
        context: &Context,
    ) -> anyhow::Result<Option<prune::Planned>> {
        let progress = context.printer.progress("reading");
        let tick = |done, total| progress.tick(done, total);
        let place = Place { registry: &*part.opened.registry, address: &part.opened.address, repository };
        context.block_on(async {
            let work = prune::plan(&place, policy, context.now, &tick);
            let planned = match self.until {
                None => work.await,
                Some(until) => match tokio::time::timeout_at(until.into(), work).await {
                    Ok(planned) => planned,
                    Err(_) => return Ok(None),
                },
            };
            Ok(Some(planned?))
        })
    }
}

fn list(part: &OpenedPart, context: &Context) -> anyhow::Result<Vec<Repository>> {
    let query = Query {
        namespace: part.opened.namespace.clone(),
        filter: Filter::default(),
        details: false,
        limit: None,
        configured: part.opened.configured.clone(),
    };
    let progress = context.printer.progress("listing repositories");
    let tick = |done, total| progress.tick(done, total);
    let listing = context.block_on(async { Ok(repositories::list(&*part.opened.registry, &query, &tick).await?) })?;
    Ok(listing.repositories.iter().map(|listed| listed.name.parse()).collect::<Result<_, _>>()?)
}

/// Whether the next repository of this registry would fail in the same way. A 403 may be for one repository only.
fn fails_everywhere(error: &crate::registry::Error) -> bool {
    error.stops_a_batch() && error.kind() != ErrorKind::Denied
}

fn is_interrupted(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.exit() == Exit::Interrupted)
}
