//! Debian's `docker-registry` (distribution 2.8), set up as administrators set it up.
//!
//! It picks its port itself and tells it in its log, so no two tests can fight over one.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::certificates::Certificates;
use super::left_out::{executable, left_out};
use super::token_server::{ISSUER, SERVICE, TokenServer};

/// The account of [`Setup::Password`] and [`Setup::Token`].
pub use super::token_server::{PASSWORD, USERNAME};

/// bcrypt of [`PASSWORD`] at the lowest cost, because every request pays for it.
const PASSWORD_FILE: &str = "alice:$2b$04$.O0jiqscEdxvqOL56tI4pOwtO7zLOj6jbAKhHiUP2R38AHVPwBpnq\n";

/// How long a start may take before the test gives up: starting takes milliseconds, a loaded machine needs more.
const PATIENCE: Duration = Duration::from_secs(30);

/// The ways in which the registry can be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// Open to everyone; manifests can be deleted.
    Plain,
    /// Open to everyone; deleting is switched off, as it is by default.
    DeleteOff,
    /// Basic login against a password file.
    Password,
    /// TLS with a certificate from the test's own authority.
    Tls,
    /// The same, and clients need a certificate of that authority too.
    ClientCertificate,
    /// Bearer tokens from a token server on another port.
    Token,
}

/// A running registry; ends with the value.
pub struct DockerRegistry {
    process: Child,
    folder: TempDir,
    port: u16,
    setup: Setup,
    certificates: Option<Certificates>,
    token_server: Option<TokenServer>,
}

impl DockerRegistry {
    /// Starts one, or records that the test is left out.
    pub fn start(setup: Setup) -> Option<DockerRegistry> {
        let Some(program) = executable("docker-registry") else {
            left_out("docker-registry", "not installed; tests/run installs it");
            return None;
        };
        let folder = TempDir::new().expect("a temporary folder");
        let with_tls = matches!(setup, Setup::Tls | Setup::ClientCertificate);
        let certificates = with_tls.then(|| Certificates::make(folder.path()));
        let token_server = (setup == Setup::Token).then(|| TokenServer::start(folder.path()));
        let configuration = configuration(setup, folder.path(), certificates.as_ref(), token_server.as_ref());
        let file = folder.path().join("config.yml");
        std::fs::write(&file, configuration).expect("the test's folder can be written");
        let log = folder.path().join("log");
        let process = Command::new(program)
            .arg("serve")
            .arg(&file)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(File::create(folder.path().join("stdout")).expect("a file"))
            .stderr(File::create(&log).expect("a file"))
            .spawn()
            .expect("docker-registry starts");
        let mut registry = DockerRegistry { process, folder, port: 0, setup, certificates, token_server };
        registry.port = registry.wait_for_port(&log);
        Some(registry)
    }

    /// Reads the log until it names the port.
    fn wait_for_port(&mut self, log: &Path) -> u16 {
        let started = Instant::now();
        loop {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            if let Some((_, after)) = text.split_once("listening on 127.0.0.1:")
                && let Some(end) = after.find(|character: char| !character.is_ascii_digit())
            {
                return after[..end].parse().expect("a port number");
            }
            let ended = self.process.try_wait().expect("our own child");
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "docker-registry did not start ({ended:?}):\n{text}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// `scheme://host:port`, as `regctl add` takes it.
    pub fn address(&self) -> String {
        match self.certificates {
            Some(_) => format!("https://localhost:{}", self.port),
            None => format!("http://127.0.0.1:{}", self.port),
        }
    }

    /// The certificates of a setup with TLS.
    pub fn certificates(&self) -> &Certificates {
        self.certificates.as_ref().unwrap_or_else(|| panic!("{:?} has no certificates", self.setup))
    }

    /// The token server of [`Setup::Token`].
    pub fn token_server(&self) -> &TokenServer {
        self.token_server.as_ref().unwrap_or_else(|| panic!("{:?} has no token server", self.setup))
    }

    /// The folder in which the registry keeps what was pushed.
    pub fn storage(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The configuration file: JSON, which is YAML too and needs no care with quoting.
fn configuration(setup: Setup, folder: &Path, certificates: Option<&Certificates>, token_server: Option<&TokenServer>) -> String {
    let mut http = serde_json::json!({"addr": "127.0.0.1:0", "secret": "for tests only", "relativeurls": true});
    if let Some(certificates) = certificates {
        http["tls"] = serde_json::json!({"certificate": certificates.server, "key": certificates.server_key});
        if setup == Setup::ClientCertificate {
            http["tls"]["clientcas"] = serde_json::json!([certificates.ca]);
        }
    }
    let mut auth = serde_json::json!({});
    if setup == Setup::Password {
        let file = folder.join("password-file");
        std::fs::write(&file, PASSWORD_FILE).expect("the test's folder can be written");
        auth["htpasswd"] = serde_json::json!({"realm": "regctl-test", "path": file});
    }
    if let Some(server) = token_server {
        auth["token"] = serde_json::json!({
            "realm": server.realm(), "service": SERVICE, "issuer": ISSUER, "rootcertbundle": server.certificate(),
        });
    }
    let mut configuration = serde_json::json!({
        "version": "0.1",
        "log": {"level": "info", "formatter": "json", "accesslog": {"disabled": true}},
        "storage": {
            "filesystem": {"rootdirectory": folder.join("data")},
            "delete": {"enabled": setup != Setup::DeleteOff},
            "maintenance": {"uploadpurging": {"enabled": false}},
        },
        "http": http,
    });
    // An empty `auth` is an error to the registry.
    if auth.as_object().is_some_and(|map| !map.is_empty()) {
        configuration["auth"] = auth;
    }
    configuration.to_string()
}
