//! The order in which the places of a credential are asked (SPEC §4).

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::{Credential, Found, Source, SourceKind, Unavailable, Wallet, command, environment};

/// What has to be known of a registry to find its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainSettings {
    /// The name in the catalogue; `None` for a host that is not in it.
    pub name: Option<String>,
    /// The id in the catalogue: the account under which stores keep the secret.
    pub id: Option<String>,
    /// The user name in the catalogue.
    pub username: Option<String>,
    /// Where the catalogue says that the secret is.
    pub source: SourceKind,
    /// The program to run when `source` is [`SourceKind::Command`].
    pub command: Vec<String>,
    /// Host, with the port if it isn't the scheme's own.
    pub host: String,
    /// The prefix of all repositories that are meant, `""` for none: Podman keeps logins for parts of a host.
    pub prefix: String,
    /// Whether this is the only registry in play, so that `REGCTL_USERNAME` and `REGCTL_PASSWORD` can mean no other.
    pub alone: bool,
}

impl ChainSettings {
    /// For a host that is not in the catalogue: the user's Docker or Podman login, or anonymous.
    pub fn ad_hoc(host: impl Into<String>, prefix: impl Into<String>) -> ChainSettings {
        ChainSettings {
            name: None,
            id: None,
            username: None,
            source: SourceKind::Docker,
            command: Vec::new(),
            host: host.into(),
            prefix: prefix.into(),
            alone: true,
        }
    }
}

/// The credential of one registry, looked up when it is first asked for and then known.
pub struct Chain {
    settings: ChainSettings,
    wallet: Arc<Wallet>,
    /// What `--username` and `--password-stdin` said.
    explicit: Option<Credential>,
    outcome: OnceCell<Result<Option<Found>, Unavailable>>,
}

impl Chain {
    /// The source for one registry. `explicit` is what the command line said; it wins over all else.
    pub fn new(settings: ChainSettings, wallet: Arc<Wallet>, explicit: Option<Credential>) -> Chain {
        Chain { settings, wallet, explicit, outcome: OnceCell::new() }
    }

    async fn look_up(&self) -> Result<Option<Found>, Unavailable> {
        if let Some(credential) = &self.explicit {
            return Ok(Some(Found { credential: credential.clone(), origin: "the command line".to_owned() }));
        }
        if let Some(found) = self.environment()? {
            return Ok(Some(found));
        }
        match self.settings.source {
            SourceKind::None => Ok(None),
            SourceKind::Env => Err(self.nothing_in_environment()),
            SourceKind::Keyring | SourceKind::EncryptedFile => self.stored().await.map(Some),
            SourceKind::Command => {
                let path = (self.wallet.lookup)("PATH");
                let ChainSettings { command, name, username, .. } = &self.settings;
                command::find(command, path.as_deref(), name.as_deref(), username.as_deref()).await.map(Some)
            }
            SourceKind::Docker => Ok(self.docker_login().await),
        }
    }

    fn environment(&self) -> Result<Option<Found>, Unavailable> {
        let lookup = &*self.wallet.lookup;
        let username = self.settings.username.as_deref();
        if let Some(name) = &self.settings.name
            && let Some(found) = environment::find(lookup, Some(name), username)?
        {
            return Ok(Some(found));
        }
        if self.settings.alone { environment::find(lookup, None, username) } else { Ok(None) }
    }

    fn nothing_in_environment(&self) -> Unavailable {
        let environment::Variables { username, password } = environment::variables(self.settings.name.as_deref());
        Unavailable {
            message: format!("the secret of {} should be in the environment, and {password} is not set", self.called()),
            hints: vec![match self.settings.username {
                Some(_) => format!("set {password}"),
                None => format!("set {username} and {password}"),
            }],
        }
    }

    async fn stored(&self) -> Result<Found, Unavailable> {
        let name = self.settings.name.as_deref();
        let store = self.wallet.store(self.settings.source).expect("the kinds that reach this are stores");
        let origin = store.name();
        let (Some(id), Some(username)) = (self.settings.id.clone(), self.settings.username.as_deref()) else {
            return Err(Unavailable {
                message: format!("{} has no user name to go with the secret in {origin}", self.called()),
                hints: vec![self.sign_in()],
            });
        };
        let read = tokio::task::spawn_blocking(move || store.get(&id)).await;
        let secret = read.expect("reading a store does not panic").map_err(|error| error.unavailable(name))?;
        let secret = secret.ok_or_else(|| Unavailable {
            message: format!("{origin} has no secret for {}", self.called()),
            hints: vec![self.sign_in()],
        })?;
        Ok(Found { credential: Credential::new(username, secret), origin: origin.to_owned() })
    }

    async fn docker_login(&self) -> Option<Found> {
        let logins = self.wallet.docker();
        let (found, warnings) = logins.find(&self.settings.host, &self.settings.prefix).await;
        for warning in &warnings {
            self.wallet.warn(warning);
        }
        // An entry of the catalogue promised a login; for a host that was only named, none is usual.
        if found.is_none() && self.settings.name.is_some() {
            let files: Vec<&str> = logins.origins().collect();
            let files = if files.is_empty() { "no login file of Docker or Podman".to_owned() } else { files.join(", ") };
            self.wallet.warn(&format!("going on without credentials: no login for {} in {files}", self.settings.host));
        }
        found
    }

    fn called(&self) -> &str {
        self.settings.name.as_deref().unwrap_or(&self.settings.host)
    }

    fn sign_in(&self) -> String {
        format!("sign in: regctl login {}", self.called())
    }
}

#[async_trait]
impl Source for Chain {
    async fn credential(&self) -> Result<Option<Found>, Unavailable> {
        self.outcome.get_or_init(|| self.look_up()).await.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::Path;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::credentials::{EncryptedFile, Keyring, Passphrase, Secret};

    /// A wallet in a temporary home, whose environment and warnings the test sees.
    struct World {
        home: tempfile::TempDir,
        set: Arc<Mutex<HashMap<&'static str, String>>>,
        lookups: Arc<AtomicUsize>,
        warnings: Arc<Mutex<Vec<String>>>,
        wallet: Arc<Wallet>,
    }

    impl World {
        fn new() -> World {
            let home = tempfile::tempdir().unwrap();
            let set = Arc::new(Mutex::new(HashMap::from([("PATH", "/usr/bin:/bin".to_owned())])));
            let lookups = Arc::new(AtomicUsize::new(0));
            let warnings = Arc::new(Mutex::new(Vec::new()));
            let lookup: crate::credentials::Lookup = {
                let (set, lookups) = (Arc::clone(&set), Arc::clone(&lookups));
                Arc::new(move |name: &str| {
                    lookups.fetch_add(1, Ordering::SeqCst);
                    set.lock().unwrap().get(name).cloned()
                })
            };
            let passphrase = Passphrase::new(Arc::clone(&lookup), Arc::new(|_| None));
            let vault = EncryptedFile::new(Ok(home.path().join("secrets.vault")), passphrase);
            let told = Arc::clone(&warnings);
            let warn: crate::credentials::Warn = Arc::new(move |text: &str| told.lock().unwrap().push(text.to_owned()));
            let wallet = Arc::new(Wallet::new(lookup, Some(home.path().to_owned()), Keyring::system(), vault, warn));
            World { home, set, lookups, warnings, wallet }
        }

        fn set(&self, name: &'static str, value: &str) {
            self.set.lock().unwrap().insert(name, value.to_owned());
        }

        fn docker(&self, host: &str) {
            let folder = self.home.path().join(".docker");
            std::fs::create_dir_all(&folder).unwrap();
            let document = format!(r#"{{"auths":{{"{host}":{{"username":"docker","password":"d"}}}}}}"#);
            std::fs::write(folder.join("config.json"), document).unwrap();
        }

        async fn ask(&self, settings: ChainSettings, explicit: Option<Credential>) -> Result<String, Unavailable> {
            let found = Chain::new(settings, Arc::clone(&self.wallet), explicit).credential().await?;
            Ok(match found {
                None => "anonymous".to_owned(),
                Some(Found { credential: Credential::Basic { username, password }, origin }) => {
                    format!("{username}:{} from {}", password.expose(), short(&origin, self.home.path()))
                }
                Some(other) => panic!("unexpected {other:?}"),
            })
        }
    }

    fn short(origin: &str, home: &Path) -> String {
        origin.replace(&home.display().to_string(), "~")
    }

    fn prod(source: SourceKind) -> ChainSettings {
        ChainSettings {
            name: Some("prod-eu".into()),
            id: Some("0198c0de".into()),
            username: Some("robot".into()),
            source,
            command: ["/bin/echo", "c"].map(str::to_owned).to_vec(),
            alone: true,
            ..ChainSettings::ad_hoc("r.example", "team")
        }
    }

    #[tokio::test]
    async fn order() {
        let world = World::new();
        world.docker("r.example");
        let ask = async |settings: ChainSettings| world.ask(settings, None).await.unwrap();
        assert_eq!(ask(prod(SourceKind::None)).await, "anonymous");
        assert_eq!(ask(prod(SourceKind::Command)).await, "robot:c from the command `echo`");
        assert_eq!(ask(prod(SourceKind::Docker)).await, "docker:d from ~/.docker/config.json");
        world.set("REGCTL_PASSWORD", "g");
        for source in SourceKind::ALL {
            assert_eq!(ask(prod(source)).await, "robot:g from REGCTL_PASSWORD", "{source}");
        }
        let among_others = ChainSettings { alone: false, ..prod(SourceKind::None) };
        assert_eq!(ask(among_others.clone()).await, "anonymous", "the general variables could mean another registry");
        world.set("REGCTL_PROD_EU_USERNAME", "n");
        world.set("REGCTL_PROD_EU_PASSWORD", "p");
        assert_eq!(ask(prod(SourceKind::Keyring)).await, "n:p from REGCTL_PROD_EU_PASSWORD");
        assert_eq!(ask(among_others).await, "n:p from REGCTL_PROD_EU_PASSWORD");
        let explicit = Credential::new("me", Secret::new("x"));
        assert_eq!(world.ask(prod(SourceKind::Keyring), Some(explicit)).await.unwrap(), "me:x from the command line");
    }

    #[tokio::test]
    async fn an_encrypted_file_is_asked_by_id() {
        let world = World::new();
        world.set("REGCTL_PASSPHRASE", "p");
        let missing = world.ask(prod(SourceKind::EncryptedFile), None).await.unwrap_err();
        assert_eq!(missing.message, "the encrypted file has no secret for prod-eu");
        assert_eq!(missing.hints, ["sign in: regctl login prod-eu"]);
        let wallet = Arc::clone(&world.wallet);
        tokio::task::spawn_blocking(move || wallet.keep(SourceKind::EncryptedFile, "0198c0de", &Secret::new("v")))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(world.ask(prod(SourceKind::EncryptedFile), None).await.unwrap(), "robot:v from the encrypted file");
        let nobody = ChainSettings { username: None, ..prod(SourceKind::EncryptedFile) };
        assert!(world.ask(nobody, None).await.unwrap_err().message.contains("no user name"));
    }

    #[tokio::test]
    async fn what_is_promised_and_not_there_is_an_error() {
        let world = World::new();
        let env = world.ask(prod(SourceKind::Env), None).await.unwrap_err();
        assert_eq!(env.message, "the secret of prod-eu should be in the environment, and REGCTL_PROD_EU_PASSWORD is not set");
        assert_eq!(env.hints, ["set REGCTL_PROD_EU_PASSWORD"]);
        let failing = ChainSettings { command: vec!["false".into()], ..prod(SourceKind::Command) };
        assert_eq!(world.ask(failing, None).await.unwrap_err().message, "`false` failed with exit code 1");
    }

    #[tokio::test]
    async fn a_host_that_is_not_in_the_catalogue_uses_the_docker_login() {
        let world = World::new();
        assert_eq!(world.ask(ChainSettings::ad_hoc("other.example", ""), None).await.unwrap(), "anonymous");
        assert!(world.warnings.lock().unwrap().is_empty());
        let world = World::new();
        world.docker("r.example");
        assert_eq!(world.ask(ChainSettings::ad_hoc("r.example", ""), None).await.unwrap(), "docker:d from ~/.docker/config.json");
    }

    /// users C8.
    #[tokio::test]
    async fn a_broken_docker_file_is_one_warning_and_does_not_stop() {
        let world = World::new();
        world.docker("r.example\"");
        for _ in 0..3 {
            assert_eq!(world.ask(prod(SourceKind::Docker), None).await.unwrap(), "anonymous");
        }
        let warnings = world.warnings.lock().unwrap();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("config.json"), "{warnings:?}");
        assert!(warnings[1].contains("without credentials"), "{warnings:?}");
    }

    #[tokio::test]
    async fn looks_up_once_and_only_when_asked() {
        let world = World::new();
        let chain = Chain::new(prod(SourceKind::Env), Arc::clone(&world.wallet), None);
        assert_eq!(world.lookups.load(Ordering::SeqCst), 0);
        assert!(chain.credential().await.is_err());
        let after_the_first = world.lookups.load(Ordering::SeqCst);
        assert!(chain.credential().await.is_err());
        assert_eq!(world.lookups.load(Ordering::SeqCst), after_the_first);
    }
}
