//! In what a server differs from the specification, as data. The default is any v2 server of which nothing is known.

use crate::registry::Support;

/// Differences of a vendor, and what is known of its abilities before it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quirks {
    /// How many entries of a list to ask for at once. Never more than 1000: distribution and ECR refuse it.
    pub page_size: usize,
    /// The actions asked for to delete. `pull` belongs to it, because what is deleted is looked at first.
    pub delete_actions: &'static [&'static str],
    /// Listing repositories by `_catalog`.
    pub list: Support,
    /// `DELETE manifests/<tag>` taking away one tag and nothing else. A server on which it takes more must say `Unsupported` here.
    pub untag: Support,
    /// `DELETE manifests/<digest>`.
    pub delete: Support,
    /// The referrers API: `Native`, `Emulated` (the fallback tag) or `Unknown`.
    pub referrers: Support,
    /// Why nothing is deleted where the server refuses to, and who can change that.
    pub no_delete: &'static str,
    /// Whether deleting a random digest tells if deleting is enabled. True of distribution; elsewhere 404 may come first.
    pub probe_tells: bool,
}

impl Default for Quirks {
    fn default() -> Quirks {
        Quirks {
            page_size: 1000,
            delete_actions: &["pull", "delete"],
            list: Support::Unknown,
            untag: Support::Unknown,
            delete: Support::Unknown,
            referrers: Support::Unknown,
            no_delete: "this registry doesn't delete; distribution does with `storage.delete.enabled: true` or \
                        REGISTRY_STORAGE_DELETE_ENABLED=true, unless it is read-only or a pull-through cache",
            probe_tells: true,
        }
    }
}
