//! What can be done with any registry: each operation sees a [`Registry`](crate::registry::Registry), typed names and plain options,
//! and gives back a value that serialises. No HTTP, no vendors, no catalogue, no terminal.
//!
//! Deciding is apart from doing: [`delete`] reads and makes a [`plan`], [`apply`] carries a plan out and is the only thing that
//! deletes.

mod ahead;
pub mod apply;
pub mod attached;
pub mod check;
mod content;
pub mod delete;
mod fallback;
pub mod filter;
pub mod image;
pub mod inspect;
pub mod inventory;
pub mod live;
mod placeholder;
pub mod plan;
pub mod prune;
pub mod removal;
pub mod repositories;
pub mod search;
pub mod tags;
pub mod undo;
pub mod usage;
pub mod verify;
pub mod vulnerabilities;

pub use content::Content;

/// Told how far the work is: done, and of how many when that is known.
pub type Ticker<'a> = &'a (dyn Fn(u64, Option<u64>) + Send + Sync);

/// What could not be had, while the rest went on.
#[derive(Debug)]
pub struct Failure {
    /// What, as a full reference.
    pub name: String,
    /// Why.
    pub error: crate::registry::Error,
}
