//! What is known of an entry beside the catalogue, without asking a server, a keyring or another program.

use super::Context;
use crate::catalogue::{CaSummary, Entry, Known, Name};
use crate::credentials::SourceKind;

impl Context {
    /// Everything that can be known of an entry from the files and variables of this machine.
    pub(super) fn known(&self, name: &Name, entry: &Entry) -> Known {
        Known {
            has_secret: self.has_secret(name, entry),
            ca: self.authority(entry),
            last_check: self.last_check(&entry.id(name).to_string()),
            ..Known::default()
        }
    }

    /// Whether there is a secret, where that can be seen: a keyring, a command and the helpers of Docker would have to be asked.
    fn has_secret(&self, name: &Name, entry: &Entry) -> Option<bool> {
        let is_set = |variable: &str| self.environment.var(variable).is_some();
        if is_set(&format!("REGCTL_{}_PASSWORD", name.variable())) {
            return Some(true);
        }
        match entry.credential_store() {
            // it counts only when no other registry is in play, which is not known here
            SourceKind::Env => (!is_set("REGCTL_PASSWORD")).then_some(false),
            SourceKind::EncryptedFile => match self.wallet().encrypted_file().look() {
                Ok(false) => Some(false),
                _ => None,
            },
            SourceKind::None => Some(false),
            SourceKind::Keyring | SourceKind::Command | SourceKind::Docker => None,
        }
    }

    /// What the entry's own authority says of itself. A file that can't be used is a warning: the rest can still be shown.
    fn authority(&self, entry: &Entry) -> Option<CaSummary> {
        let summary = match (&entry.tls.ca_pem, &entry.tls.ca_file) {
            (Some(pem), _) => CaSummary::of(pem.as_str().as_bytes()).map_err(|error| error.to_string()),
            (None, Some(file)) => std::fs::read(file.as_path())
                .map_err(|error| format!("can't read {}: {error}", file.as_path().display()))
                .and_then(|pem| CaSummary::of(&pem).map_err(|error| format!("{}: {error}", file.as_path().display()))),
            (None, None) => return None,
        };
        summary.inspect_err(|error| self.printer.warn(error)).ok()
    }
}
