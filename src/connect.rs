//! From an entry of the catalogue, or a bare host, to a registry that can be asked: the one place that assembles the parts.
//!
//! Assembling costs nothing: no connection is made, no keyring opened and no certificate store loaded before the first request.

use std::num::NonZeroUsize;
use std::sync::Arc;

use url::Url;

use crate::catalogue::{Address, Entry, HostFacts, Name};
use crate::credentials::{Chain, ChainSettings, Credential, Secret, Wallet};
use crate::distribution::{Quirks, V2};
use crate::providers::detect;
use crate::registry::{Error, ErrorKind, Registry, Result};
pub use crate::transport::Stats;
use crate::transport::{Client, Proxy, Settings, Tls};

/// Registries and the token servers on other hosts that are known to be theirs (vendors' documentation).
const KNOWN_REALMS: &[(&str, &str)] =
    &[("registry-1.docker.io", "auth.docker.io"), ("registry.gitlab.com", "gitlab.com"), ("public.ecr.aws", "public.ecr.aws")];

/// What all connections of one run share.
pub struct Connector {
    wallet: Arc<Wallet>,
    stats: Arc<Stats>,
    explicit: Option<Credential>,
}

impl Connector {
    /// `explicit` is the credential of the command line, which wins over all others.
    pub fn new(wallet: Arc<Wallet>, stats: Arc<Stats>, explicit: Option<Credential>) -> Connector {
        Connector { wallet, stats, explicit }
    }

    /// The registry of an entry. `alone` says that no other one is in play, so that `REGCTL_USERNAME` can mean no other.
    ///
    /// # Errors
    /// When the entry names a file that can't be read, or asks for something that this program can't do.
    pub fn entry(&self, name: &Name, entry: &Entry, alone: bool) -> Result<Arc<dyn Registry>> {
        let client = self.client(name, entry, alone)?;
        Ok(Arc::new(V2::new(client, name.as_str().to_owned(), Quirks::default())))
    }

    /// The connection to an entry, for questions that aren't a registry's: its certificate.
    ///
    /// # Errors
    /// As [`Connector::entry`].
    pub fn client(&self, name: &Name, entry: &Entry, alone: bool) -> Result<Client> {
        let refused = |detail: &str| Error::new(ErrorKind::Refused, "connect to", name.as_str()).because(detail);
        let Some(address) = &entry.address else {
            return Err(Error::new(ErrorKind::Conflict, "connect to", name.as_str()).because("it has no hostname yet"));
        };
        if !entry.allow_subnets.is_empty() {
            // better no connection than one that the list may forbid
            return Err(refused("it has an allow-list, and this version can't hold connections to one yet"));
        }
        let endpoint = address.endpoint();
        let mut settings = Settings::new(name.as_str(), url(&endpoint));
        settings.tls = tls(name, entry)?;
        settings.proxy = match &entry.proxy {
            None => Proxy::System,
            Some(proxy) if proxy.is_none() => Proxy::None,
            Some(proxy) => Proxy::Url(Url::parse(proxy.as_str()).expect("a proxy in the catalogue was checked")),
        };
        settings.realm = entry.realm.as_ref().map(url);
        settings.trusted_realms = known_realms();
        settings.requests_per_second = entry.requests_per_second;
        settings.concurrency = entry.concurrency.and_then(|limit| NonZeroUsize::try_from(limit).ok());
        settings.stats = Arc::clone(&self.stats);
        let chain = chain_settings(name, entry, alone);
        settings.credentials = Arc::new(Chain::new(chain, Arc::clone(&self.wallet), self.explicit.clone()));
        Ok(Client::new(settings))
    }

    /// A registry that is not in the catalogue, with the user's Docker or Podman login for it.
    pub fn ad_hoc(&self, address: &Address) -> Arc<dyn Registry> {
        let endpoint = address.endpoint();
        let name = endpoint.authority();
        let mut settings = Settings::new(&name, url(&endpoint));
        settings.trusted_realms = known_realms();
        settings.stats = Arc::clone(&self.stats);
        let chain = ChainSettings::ad_hoc(name.clone(), "");
        settings.credentials = Arc::new(Chain::new(chain, Arc::clone(&self.wallet), self.explicit.clone()));
        Arc::new(V2::new(Client::new(settings), name, Quirks::default()))
    }

    /// Where this run keeps and finds secrets.
    pub fn wallet(&self) -> &Arc<Wallet> {
        &self.wallet
    }
}

/// What has to be known of an entry to find its credential. `alone` says that no other registry is in play.
pub fn chain_settings(name: &Name, entry: &Entry, alone: bool) -> ChainSettings {
    let authority = entry.address.as_ref().map(|address| address.endpoint().authority()).unwrap_or_default();
    ChainSettings {
        name: Some(name.as_str().to_owned()),
        id: Some(entry.id(name).to_string()),
        username: entry.username.as_ref().map(|username| username.as_str().to_owned()),
        source: entry.credential_store(),
        command: entry.credential_command.clone(),
        host: authority,
        prefix: entry.namespace.as_ref().map(|namespace| namespace.as_str().to_owned()).unwrap_or_default(),
        alone,
    }
}

fn known_realms() -> Vec<(String, String)> {
    KNOWN_REALMS.iter().map(|(registry, realm)| ((*registry).to_owned(), (*realm).to_owned())).collect()
}

fn url(address: &Address) -> Url {
    Url::parse(&address.to_string()).expect("an address in its normal form is a URL")
}

fn tls(name: &Name, entry: &Entry) -> Result<Tls> {
    let read = |path: &std::path::Path| {
        std::fs::read(path).map_err(|error| {
            Error::new(ErrorKind::Local, "connect to", name.as_str())
                .because(format!("can't read {}", path.display()))
                .caused_by(error)
        })
    };
    let ca_pem = match (&entry.tls.ca_pem, &entry.tls.ca_file) {
        (Some(pem), _) => Some(pem.as_str().as_bytes().to_vec()),
        (None, Some(file)) => Some(read(file.as_path())?),
        (None, None) => None,
    };
    let identity_pem = match (&entry.tls.client_cert, &entry.tls.client_key) {
        (Some(certificate), Some(key)) => {
            let mut pem = read(certificate.as_path())?;
            pem.push(b'\n');
            pem.extend(read(key.as_path())?);
            let invalid =
                |_| Error::new(ErrorKind::Local, "connect to", name.as_str()).because("the client certificate or key is not PEM");
            Some(Secret::new(String::from_utf8(pem).map_err(invalid)?))
        }
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            return Err(
                Error::new(ErrorKind::Local, "connect to", name.as_str()).because("it has only one of client_cert and client_key")
            );
        }
    };
    Ok(Tls { verify: entry.tls.verify, ca_pem, pin_sha256: entry.tls.pin_sha256.as_ref().map(|pin| *pin.bytes()), identity_pem })
}

/// What a host name tells about who runs the registry, for the rules of the catalogue.
pub fn host_facts(host: &str) -> HostFacts {
    HostFacts { kind: detect::kind_of_host(host), region: detect::region_of_host(host).map(str::to_owned) }
}
