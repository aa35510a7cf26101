//! What a registry can do, and how: by itself, by other requests, or not at all.

use serde::Serialize;

/// How something is supported. Users see the difference, because an emulated answer may be slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// The server does it itself.
    Native,
    /// The vendor's own API does it.
    Api,
    /// Composed from other, harmless requests.
    Emulated,
    /// Refused by the server, or by us because it would do something else.
    Unsupported,
    /// Not known before it is tried.
    Unknown,
}

impl Support {
    /// The word for tables.
    pub fn word(self) -> &'static str {
        match self {
            Support::Native => "yes",
            Support::Api => "api",
            Support::Emulated => "emulated",
            Support::Unsupported => "no",
            Support::Unknown => "?",
        }
    }
}

/// The abilities that differ between registries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// Listing repositories.
    pub list: Support,
    /// Taking one tag away and nothing else.
    pub untag: Support,
    /// Deleting a manifest by digest.
    pub delete: Support,
    /// Deleting a whole repository in one call.
    pub delete_repository: Support,
    /// Listing what is attached to a manifest.
    pub referrers: Support,
}

impl Capabilities {
    /// Nothing known yet: what is true of a plain v2 server before it was asked.
    pub const UNKNOWN: Capabilities = Capabilities {
        list: Support::Unknown,
        untag: Support::Unknown,
        delete: Support::Unknown,
        delete_repository: Support::Unsupported,
        referrers: Support::Unknown,
    };
}
