//! How the last check of each registry went, kept in the state folder so that `get` can show it without the network.

use std::path::PathBuf;

use super::Context;
use crate::catalogue::LastCheck;
use crate::files::{self, Guarded, Place};

impl Context {
    fn check_file(&self, id: &str) -> Option<PathBuf> {
        let state = Place::State.find(&|name| self.environment.var(name).map(Into::into)).ok()?;
        Some(state.join("checks").join(format!("{id}.json")))
    }

    /// How the last check went, if anyone knows.
    pub(super) fn last_check(&self, id: &str) -> Option<LastCheck> {
        serde_json::from_str(&files::read(&self.check_file(id)?).ok()??).ok()
    }

    /// Remembers how a check went. That it can't be remembered spoils no check.
    pub(super) fn remember_check(&self, id: &str, check: &LastCheck) {
        let text = serde_json::to_string(check).expect("a check has a form in JSON");
        let written = self.check_file(id).map(|path| Guarded::open(&path)?.replace(text.as_bytes()));
        if let Some(Err(error)) = written {
            tracing::debug!("can't remember the check: {error}");
        }
    }

    /// Forgets a registry that is gone.
    pub(super) fn forget_check(&self, id: &str) {
        if let Some(path) = self.check_file(id) {
            let _ = std::fs::remove_file(path.with_extension("json.lock"));
            let _ = std::fs::remove_file(path);
        }
    }
}
