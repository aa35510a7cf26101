//! TCR and ACR: what is known of their registry parts.

use regctl::registry::Kind;
use regctl::serve::{Behaviour, Catalog, TagDelete};

use super::fake::Fake;
use super::program::{program, put};

/// Like Harbor.
pub fn fake() -> Fake {
    let behaviour = Behaviour { tag_delete: TagDelete::BadRequest, ..Behaviour::default() };
    Fake::start(Kind::Tcr, "100012345678", None, behaviour, |_| None)
}

/// Without a catalogue.
pub fn alibaba() -> Fake {
    let behaviour = Behaviour { catalog: Catalog::Denied, ..Behaviour::default() };
    Fake::start(Kind::Acr, "alice@acme", None, behaviour, |_| None)
}

#[test]
fn what_only_their_own_tools_do_is_said() {
    let tencent = fake();
    put(tencent.front.storage(), "acme/app", &["a", "b"], "one");
    program(&tencent, None).run(["tag", "delete", "v//acme/app:a", "--yes"]).exits(7).says("tccli tcr DeleteRepositoryTags");
    let alibaba = alibaba();
    put(alibaba.front.storage(), "acme/app", &["a"], "one");
    program(&alibaba, None).run(["repo", "list", "v"]).exits(7).says("name them in the entry");
}
