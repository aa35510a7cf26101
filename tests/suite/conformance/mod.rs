//! One suite for everything that is a [`Registry`](regctl::registry::Registry): the same questions to every implementation and every
//! kind of server, chosen by what the server can do.

mod docker_registry;
mod serve;
mod suite;

use regctl::registry::Support;

/// What is true of a server, as its makers say. The suite holds the client's findings against it.
pub struct Truth {
    /// Taking one tag away.
    pub untag: Support,
    /// Deleting by digest.
    pub delete: Support,
    /// The referrers API.
    pub referrers: bool,
    /// How it wants to be signed in to.
    pub auth: &'static str,
}
