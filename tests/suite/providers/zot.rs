//! zot: `/v2/` only.

use regctl::registry::Kind;
use regctl::serve::Behaviour;

use super::fake::Fake;

pub fn fake() -> Fake {
    let behaviour = Behaviour { protect_children: true, ..Behaviour::default() };
    Fake::start(Kind::Zot, "alice", None, behaviour, |_| None)
}
