//! From an entry of the catalogue, or a bare host, to a registry that can be asked: the one place that assembles the parts.
//!
//! Assembling costs nothing: no connection is made, no keyring opened and no certificate store loaded before the first request.

mod way;

use std::num::NonZeroUsize;
use std::sync::Arc;

use url::Url;

use crate::cache::{Cache, Remembering};
use crate::catalogue::{Address, Entry, HostFacts, Name};
use crate::credentials::{Chain, ChainSettings, Credential, Secret, SourceKind, Wallet};
pub use crate::providers::detect::Sighting;
use crate::providers::{self, Place, derived, detect, realm};
use crate::registry::{Error, ErrorKind, Kind, Registry, Result};
use crate::transport::{Client, Known, Proxy, Settings, Tls};
pub use crate::transport::{PeerCertificate, Stats};
pub use way::{Met, Way, suggested_provider};

/// What all connections of one run share.
pub struct Connector {
    wallet: Arc<Wallet>,
    stats: Arc<Stats>,
    explicit: Option<Credential>,
    allow_proxy: bool,
    cache: Option<Arc<Cache>>,
    keep_tokens: bool,
}

impl Connector {
    /// `explicit` is the credential of the command line, which wins over all others.
    pub fn new(wallet: Arc<Wallet>, stats: Arc<Stats>, explicit: Option<Credential>) -> Connector {
        Connector { wallet, stats, explicit, allow_proxy: false, cache: None, keep_tokens: false }
    }

    /// Whether registries with an allow-list may be reached through a proxy, which the list can't be held against.
    pub fn allow_proxy(self, allow_proxy: bool) -> Connector {
        Connector { allow_proxy, ..self }
    }

    /// Remembers content by digest here.
    pub fn cache(self, cache: Option<Arc<Cache>>) -> Connector {
        Connector { cache, ..self }
    }

    /// Uses tokens of other runs too, as far as the cache is used and the system can keep them.
    pub fn keep_tokens(self, keep_tokens: bool) -> Connector {
        Connector { keep_tokens, ..self }
    }

    /// What other runs learnt of signing in.
    fn known(&self) -> Option<Known> {
        let known = Known::new(self.cache.as_ref()?.beside("sign-in"));
        // a credential that was given just now is to be tried, and not what another run got for it
        Some(if self.keep_tokens && self.explicit.is_none() { known.with_tokens() } else { known })
    }

    /// Forgets the tokens of other runs.
    pub fn forget_tokens(&self) {
        if let Some(cache) = &self.cache {
            Known::new(cache.beside("sign-in")).forget_tokens();
        }
    }

    fn way_to(&self, client: Client, registry: Arc<dyn Registry>) -> Way {
        let registry = match &self.cache {
            Some(cache) => Arc::new(Remembering::new(registry, Arc::clone(cache))),
            None => registry,
        };
        Way { client, registry }
    }

    /// The registry of an entry. `alone` says that no other one is in play, so that `REGCTL_USERNAME` can mean no other.
    ///
    /// # Errors
    /// When the entry names a file that can't be read, or asks for something that this program can't do.
    pub fn entry(&self, name: &Name, entry: &Entry, alone: bool) -> Result<Arc<dyn Registry>> {
        Ok(self.way(name, entry, alone)?.registry)
    }

    /// The same with the connection it stands on, for questions that aren't a registry's.
    ///
    /// # Errors
    /// As [`Connector::entry`].
    pub fn way(&self, name: &Name, entry: &Entry, alone: bool) -> Result<Way> {
        let client = self.client(name, entry, alone)?;
        let place = Place {
            client: client.clone(),
            name: name.as_str().to_owned(),
            api_address: entry.api_address.as_ref().map(url),
            namespace: entry.namespace.as_ref().map(ToString::to_string),
            region: entry.region.as_ref().map(ToString::to_string),
        };
        Ok(self.way_to(client, providers::open(entry.kind(), place)?))
    }

    /// The connection to an entry, for questions that aren't a registry's: its certificate.
    ///
    /// # Errors
    /// As [`Connector::entry`].
    pub fn client(&self, name: &Name, entry: &Entry, alone: bool) -> Result<Client> {
        let Some(address) = &entry.address else {
            return Err(Error::new(ErrorKind::Conflict, "connect to", name.as_str()).because("it has no hostname yet"));
        };
        if matches!(entry.kind(), Kind::Ecr | Kind::Swr) && !address.path().is_empty() {
            // only in an entry that was written by hand
            let why = format!(
                "its address has a path, where {} has none; if that is the namespace: regctl update {name} --namespace {}",
                entry.kind().product(),
                address.path().trim_start_matches('/')
            );
            return Err(Error::new(ErrorKind::Local, "connect to", name.as_str()).because(why));
        }
        let endpoint = address.endpoint();
        let mut settings = Settings::new(name.as_str(), url(&endpoint));
        settings.tls = tls(name, entry)?;
        settings.proxy = match &entry.proxy {
            None => Proxy::System,
            Some(proxy) if proxy.is_none() => Proxy::None,
            Some(proxy) => Proxy::Url(Url::parse(proxy.as_str()).expect("a proxy in the catalogue was checked")),
        };
        settings.only = entry.allow_subnets.networks();
        settings.allow_proxy = self.allow_proxy;
        settings.realm = entry.realm.as_ref().map(url);
        settings.trusted_realms = known_realms(&endpoint);
        settings.api = entry.api_address.as_ref().map(url);
        settings.requests_per_second = entry.requests_per_second;
        settings.concurrency = entry.concurrency.and_then(|limit| NonZeroUsize::try_from(limit).ok());
        settings.stats = Arc::clone(&self.stats);
        settings.known = self.known();
        let chain = chain_settings(name, entry, alone);
        settings.credentials = Arc::new(Chain::new(chain, Arc::clone(&self.wallet), self.explicit.clone()));
        let region = entry.region.as_ref().map(|region| region.as_str()).or_else(|| detect::region_of_host(address.host()));
        settings.exchange = derived::exchange(entry.kind(), region, &settings);
        Ok(Client::new(settings))
    }

    /// The way to a registry that is not in the catalogue, with the user's Docker or Podman login for it.
    ///
    /// # Errors
    /// When the address of its vendor's API is one that the credential must not be sent to.
    pub fn ad_hoc_way(&self, address: &Address) -> Result<Way> {
        let endpoint = address.endpoint();
        let name = endpoint.authority();
        let mut settings = Settings::new(&name, url(&endpoint));
        settings.trusted_realms = known_realms(&endpoint);
        settings.stats = Arc::clone(&self.stats);
        settings.known = self.known();
        let chain = ChainSettings::ad_hoc(name.clone(), "");
        settings.credentials = Arc::new(Chain::new(chain, Arc::clone(&self.wallet), self.explicit.clone()));
        let kind = detect::kind_of_host(address.host()).map_or(Kind::Native, |(kind, _)| kind);
        let region = detect::region_of_host(address.host());
        settings.exchange = derived::exchange(kind, region, &settings);
        let client = Client::new(settings);
        let place = Place { client: client.clone(), name, api_address: None, namespace: None, region: region.map(str::to_owned) };
        Ok(self.way_to(client, providers::open(kind, place)?))
    }

    /// Where this run keeps and finds secrets.
    pub fn wallet(&self) -> &Arc<Wallet> {
        &self.wallet
    }
}

/// What has to be known of an entry to find its credential. `alone` says that no other registry is in play.
pub fn chain_settings(name: &Name, entry: &Entry, alone: bool) -> ChainSettings {
    let authority = entry.address.as_ref().map(|address| address.endpoint().authority()).unwrap_or_default();
    let source = entry.credential_store();
    // what `aws ecr get-login-password` prints is this user's, and there is no other
    let implied = (entry.kind() == Kind::Ecr && source == SourceKind::Command).then(|| derived::ECR_USER.to_owned());
    ChainSettings {
        name: Some(name.as_str().to_owned()),
        id: Some(entry.id(name).to_string()),
        username: entry.username.as_ref().map(|username| username.as_str().to_owned()).or(implied),
        source,
        command: entry.credential_command.clone(),
        host: authority,
        prefix: entry.namespace.as_ref().map(|namespace| namespace.as_str().to_owned()).unwrap_or_default(),
        alone,
    }
}

fn known_realms(endpoint: &Address) -> Vec<(String, String)> {
    realm::known(endpoint.host()).into_iter().map(|realm| (endpoint.host().to_owned(), realm)).collect()
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
