//! How the server differs from an honest, complete one: data, each switch named after what clients see.

use std::time::Duration;

/// How the server behaves. The default is an honest, complete OCI 1.1 registry.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// What deleting by tag does.
    pub tag_delete: TagDelete,
    /// Whether anything can be deleted; `false` answers 405 as distribution does by default.
    pub delete: bool,
    /// Whether a manifest that an index lists can't be deleted (zot, Harbor, ECR).
    pub protect_children: bool,
    /// So many deletions are done, then 405 is answered: somebody switched deletion off half way.
    pub deletes_allowed: Option<u64>,
    /// How long a deletion takes at least.
    pub delete_latency: Duration,
    /// Who may list repositories.
    pub catalog: Catalog,
    /// Whether there is a referrers API.
    pub referrers: bool,
    /// Pages are no longer than this, whatever is asked for.
    pub page_size: Option<usize>,
    /// Tags come unsorted and all at once (distribution 2.8).
    pub unpaged_tags: bool,
    /// A repository without tags says `"tags": null` (distribution 2.8).
    pub null_tags: bool,
    /// What `Link` headers say.
    pub links: Links,
    /// When 429 is answered.
    pub too_many: Option<TooMany>,
    /// How long a 429 asks to wait, in whole seconds.
    pub retry_after: Duration,
    /// How long each request takes at least.
    pub latency: Duration,
    /// Bodies of manifests and blobs end in the middle.
    pub cut_bodies: bool,
    /// Whether `Docker-Content-Digest` is sent.
    pub digest_header: bool,
    /// Manifests have other content than their digest says.
    pub wrong_content: bool,
    /// HEAD of a manifest answers 404 although GET works (Nexus).
    pub head_not_found: bool,
    /// Everything is answered with a web page: a proxy, a login page.
    pub html: bool,
    /// This repository answers 500.
    pub broken_repository: Option<String>,
    /// Names that are added to every list of tags, valid or not.
    pub extra_tags: Vec<String>,
    /// Blobs are redirected to this address, with the path added.
    pub blob_redirect: Option<String>,
    /// The token server that challenges name, instead of our own.
    pub realm: Option<String>,
    /// How long tokens live, when not the usual 300 s.
    pub token_lifetime: Option<Duration>,
}

/// What deleting by tag does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagDelete {
    /// The tag goes, its manifest stays (OCI 1.1, distribution 3, zot)
    Untags,
    /// Refused with 400 (distribution 2.8, Harbor)
    BadRequest,
    /// Refused with 405 (Docker Hub)
    NotAllowed,
    /// The manifest goes with all its tags, as users of some servers found out
    TakesSiblings,
}

/// Who may list repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Catalog {
    /// Everybody
    Open,
    /// Nobody: 401, as where only administrators may
    Denied,
    /// There is no such endpoint: 404
    Absent,
}

/// What `Link` headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// Where the next page is.
    Right,
    /// Nothing, although there is a next page (Nexus groups).
    Missing,
    /// An address on another host.
    OtherHost,
    /// The page that was just read.
    Loop,
}

/// When 429 is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooMany {
    /// To the first so many requests.
    First(u64),
    /// To every request whose number is a multiple of this.
    Every(u64),
}

impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour {
            tag_delete: TagDelete::Untags,
            delete: true,
            protect_children: false,
            deletes_allowed: None,
            delete_latency: Duration::ZERO,
            catalog: Catalog::Open,
            referrers: true,
            page_size: None,
            unpaged_tags: false,
            null_tags: false,
            links: Links::Right,
            too_many: None,
            retry_after: Duration::from_secs(1),
            latency: Duration::ZERO,
            cut_bodies: false,
            digest_header: true,
            wrong_content: false,
            head_not_found: false,
            html: false,
            broken_repository: None,
            extra_tags: Vec::new(),
            blob_redirect: None,
            realm: None,
            token_lifetime: None,
        }
    }
}

impl Behaviour {
    /// Like distribution 2.8 with deletion switched on: the registry that most people run.
    pub fn distribution_2_8() -> Behaviour {
        Behaviour {
            tag_delete: TagDelete::BadRequest,
            referrers: false,
            unpaged_tags: true,
            null_tags: true,
            ..Behaviour::default()
        }
    }
}
