//! How much may go at once, and what a person has to type before much goes.

use clap::Args;

use super::reading::Pruned;
use crate::cli::{Exit, Refusal, prompt};
use crate::operations::plan::Plan;
use crate::output::units;

/// From so many on a `y` is too quickly typed: the name has to be. Rules that mean a day's builds stay below it.
const TYPED_FROM: usize = 100;

/// How much may go.
#[derive(Debug, Default, Args)]
pub struct LimitArgs {
    /// Refuse, exit 8, when more than N tags, and manifests without one, would go
    #[arg(long, value_name = "N")]
    pub max_delete: Option<usize>,
    /// Go ahead although more than half of a repository's tags would go
    #[arg(long)]
    pub force_large: bool,
}

impl LimitArgs {
    /// # Errors
    /// Exit 8 when more would go than may.
    pub(super) fn check(&self, pruned: &Pruned) -> Result<(), Refusal> {
        let items: usize = pruned.sizes.iter().map(|size| size.items).sum();
        if let Some(most) = self.max_delete.filter(|most| items > *most) {
            let message = format!(
                "{} would go, and --max-delete allows {}; nothing has changed",
                units::plural(items, "tag"),
                units::count(most)
            );
            return Err(Refusal::new(Exit::Refused, message).hint("look at the plan: --dry-run"));
        }
        let most: Vec<String> =
            pruned.plans().zip(&pruned.sizes).filter(|(_, size)| size.most).map(|(plan, _)| plan.name()).collect();
        if most.is_empty() || self.force_large {
            return Ok(());
        }
        let message = format!("more than half of the tags of {} would go; nothing has changed", most.join(", "));
        Err(Refusal::new(Exit::Refused, message).hint("if that is meant: --force-large"))
    }

    /// Asks the person at the terminal.
    ///
    /// # Errors
    /// Exit 8 when the answer is no, or nobody can be asked.
    pub(super) fn confirm(&self, pruned: &Pruned, plan: &Plan) -> anyhow::Result<()> {
        let items: usize = pruned.sizes.iter().map(|size| size.items).sum();
        let goes: Vec<_> = plan.repositories.iter().filter(|part| !part.steps.is_empty()).collect();
        let registries: std::collections::BTreeSet<&str> = goes.iter().map(|part| part.registry.as_str()).collect();
        let registries = registries.into_iter().collect::<Vec<_>>().join(", ");
        let question = format!("Delete {} from {registries}?", crate::cli::series::counts(plan));
        let confirmed = if items < TYPED_FROM && !self.force_large {
            prompt::confirm(&question)?
        } else {
            let name = match goes.as_slice() {
                [one] => one.repository.0.as_str(),
                _ => &registries,
            };
            prompt::confirm_by_typing(&question, name)?
        };
        if confirmed { Ok(()) } else { Err(Refusal::new(Exit::Refused, "not confirmed; nothing has changed").into()) }
    }
}
