//! The places of secrets as the command line opens them: this environment, this home, questions on this terminal. And what connects with
//! them.

use std::sync::Arc;

use super::{Context, prompt};
use crate::cache::Cache;
use crate::connect::Connector;
use crate::credentials::{AskPassphrase, Credential, EncryptedFile, Keyring, Lookup, Passphrase, Secret, Wallet};
use crate::files::Place;
use crate::output::Printer;

/// The encrypted file's name in the state folder. Not beside the catalogue, which people put under version control.
const ENCRYPTED_FILE: &str = "secrets.vault";

/// How often a new passphrase is asked for until it is typed the same way twice.
const ATTEMPTS: usize = 3;

impl Context {
    /// The places of secrets of this run. Opens none of them; the same value each time, so that each is opened at most once.
    pub fn wallet(&self) -> Arc<Wallet> {
        Arc::clone(self.wallet.get_or_init(|| Arc::new(self.new_wallet())))
    }

    /// What makes connections in this run. `explicit` is a credential that wins over all others.
    pub fn connector(&self, explicit: Option<Credential>) -> Connector {
        let connector = Connector::new(self.wallet(), Arc::clone(&self.stats), explicit);
        connector.allow_proxy(self.globals.allow_proxy).cache(self.cache()).keep_tokens(self.keeps_tokens)
    }

    /// The cache of this run; none with `--no-cache`, or where there is no folder for it.
    pub fn cache(&self) -> Option<Arc<Cache>> {
        if self.globals.no_cache {
            return None;
        }
        let open = || {
            Place::Cache.find(&|name| self.environment.var(name).map(Into::into)).ok().map(|folder| Arc::new(Cache::new(folder)))
        };
        self.cache.get_or_init(open).clone()
    }

    fn new_wallet(&self) -> Wallet {
        let environment = self.environment;
        let lookup: Lookup = Arc::new(move |name| environment.var(name));
        let state = Place::State.find(&|name| environment.var(name).map(Into::into));
        let passphrase = Passphrase::new(Arc::clone(&lookup), ask_passphrase(Arc::clone(&self.printer)));
        let file = EncryptedFile::new(state.map(|folder| folder.join(ENCRYPTED_FILE)), passphrase);
        let home = directories::BaseDirs::new().map(|folders| folders.home_dir().to_owned());
        let printer = Arc::clone(&self.printer);
        Wallet::new(lookup, home, Keyring::system(), file, Arc::new(move |text| printer.warn(text)))
    }
}

fn ask_passphrase(printer: Arc<Printer>) -> AskPassphrase {
    Arc::new(move |new| {
        if !prompt::is_interactive() {
            return None;
        }
        if !new {
            return prompt::password("Passphrase of the encrypted file: ").ok();
        }
        for _ in 0..ATTEMPTS {
            let first: Secret = prompt::password("New passphrase for the encrypted file: ").ok()?;
            let second = prompt::password("Again: ").ok()?;
            if first.expose() == second.expose() {
                return Some(first);
            }
            printer.warn("the two are not the same");
        }
        None
    })
}
