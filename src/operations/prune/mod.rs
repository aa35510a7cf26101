//! Pruning: which tags and manifests of a repository go by rules (SPEC §8.6).
//!
//! [`decide()`] is a pure function of an `Inventory`, a [`Policy`] and the time; [`plan()`] makes of it the same kind of plan that every
//! other delete makes.

mod bonds;
mod decide;
mod exclusions;
mod judge;
mod order;
mod plan;
mod policy;
#[cfg(test)]
mod properties;
mod reason;
#[cfg(test)]
mod rules;
pub mod versions;

pub use decide::{Decision, Doomed, Kept, decide};
pub use exclusions::{Exclusions, InvalidExclusions};
pub use order::{natural, shape};
pub use plan::{Planned, plan};
pub use policy::Policy;
pub use reason::{Counted, Holder, Judges, Reason};
