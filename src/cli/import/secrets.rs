//! The secrets of an import: kept before the entries are written, taken back when that fails.

use crate::catalogue::Entry;
use crate::cli::{Context, Refusal};
use crate::credentials::{Secret, SourceKind, StoreError};
use crate::systems::{Action, Deciding, OnConflict, Plan, Sources, Step};

/// What was kept in this run, and what could not be.
#[derive(Default)]
pub(super) struct Kept {
    /// Where, under which id, and what was there before.
    done: Vec<(SourceKind, String, Option<Secret>)>,
    /// The registries whose secrets could not be kept.
    pub failed: Vec<(usize, String)>,
    /// The first error, as it is.
    error: Option<anyhow::Error>,
}

/// Keeps the secrets of what is added and changed, and those that are missing of what is unchanged.
pub(super) fn keep(context: &Context, sources: &Sources, plan: &Plan, how: Deciding) -> anyhow::Result<Kept> {
    let mut kept = Kept::default();
    let catalogue = context.catalogue_store()?.load()?;
    for step in &plan.steps {
        let Some(secret) = &sources.registries[step.of].secret else { continue };
        let entry: &Entry = match &step.action {
            Action::Add(entry) | Action::Update { entry, .. } => entry,
            Action::Unchanged => match catalogue.get(step.name.as_str()) {
                Some(entry) => entry,
                None => continue,
            },
            Action::Skip(_) | Action::Conflict { .. } => continue,
        };
        let place = entry.credential_store();
        if !place.is_store() {
            context.printer.warn(format!("{}: its secret is not kept, because credential = {place}", step.name));
            continue;
        }
        if let Err(error) = kept.one(context, step, place, secret, how) {
            kept.failed.push((step.of, error.to_string()));
            kept.error.get_or_insert(error.unavailable(Some(step.name.as_str())).into());
        }
    }
    Ok(kept)
}

impl Kept {
    fn one(&mut self, context: &Context, step: &Step, place: SourceKind, secret: &Secret, how: Deciding) -> Result<(), StoreError> {
        let wallet = context.wallet();
        let id = step.id.to_string();
        let before = wallet.store(place).map(|store| store.get(&id)).transpose()?.flatten();
        match &before {
            Some(before) if before.expose() == secret.expose() => return Ok(()),
            // it may have been renewed since the document was written
            Some(_) if step.action == Action::Unchanged && how.on_conflict != OnConflict::Update => {
                let text = "its secret here is another one, and stays unless --on-conflict update is given";
                context.printer.warn(format!("{}: {text}", step.name));
                return Ok(());
            }
            _ => {}
        }
        wallet.keep(place, &id, secret)?;
        self.done.push((place, id, before));
        Ok(())
    }

    /// Gives up when a secret could not be kept, unless the others are wanted all the same.
    pub fn or_refuse(mut self, keep_going: bool, context: &Context) -> anyhow::Result<Kept> {
        match self.error.take() {
            Some(error) if !keep_going => {
                self.take_back(context);
                let refusal = Refusal::new(crate::cli::Exit::Credential, "nothing was imported: a secret can't be kept");
                let hints = super::explain(&error).hints().to_vec();
                let refusal = hints.into_iter().fold(refusal, Refusal::hint);
                Err(refusal.hint("or import without the secrets: --credential none").caused_by(error).into())
            }
            Some(error) => {
                context.printer.failed(super::in_a_line(&error));
                Ok(self)
            }
            None => Ok(self),
        }
    }

    /// Makes every place what it was before.
    pub fn take_back(self, context: &Context) {
        let wallet = context.wallet();
        for (place, id, before) in self.done {
            let undone = match &before {
                Some(secret) => wallet.keep(place, &id, secret).map(|_| ()),
                None => wallet.forget(place, &id).map(|_| ()),
            };
            if let Err(error) = undone {
                context.printer.warn(format!("a secret that is not needed any more is left behind: {error}"));
            }
        }
    }
}

/// Deletes the secrets of entries that are at another host now and got no new one.
pub(super) fn forget_detached(context: &Context, plan: &Plan) {
    for step in &plan.steps {
        let Action::Update { detached: Some(place), .. } = &step.action else { continue };
        context.printer.warn(format!("{} is at another host now, so its credential was left behind", step.name));
        context.printer.hint(format!("regctl login {}", step.name));
        if let Err(error) = context.wallet().forget(*place, &step.id.to_string()) {
            context.printer.warn(format!("the old secret of {} could not be deleted: {error}", step.name));
        }
    }
}
