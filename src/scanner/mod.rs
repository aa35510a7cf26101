//! Trivy and Grype: scanners that are installed on this machine. They are found on `PATH`, run without a shell, pull the image themselves,
//! and are told the credential in their environment and never as an argument, which every user of the machine could read.
//!
//! Trivy shows the credential that it is given to every registry that it talks to (`authOptions` in its `pkg/remote`), those of its databases
//! included. So its database is brought up to date by a run without one, and the run that has it is told to leave the databases alone.

mod run;

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::credentials::Credential;
use crate::oci::{Digest, Repository};
use crate::operations::vulnerabilities::Scanner;
use crate::registry::{Error, ErrorKind, Result};

use run::Run;

/// What is done, as errors name it.
const SCAN: &str = "scan";

/// A scanner's make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// Aqua Security's.
    Trivy,
    /// Anchore's.
    Grype,
}

impl Make {
    /// In the order in which they are looked for.
    pub const ALL: [Make; 2] = [Make::Trivy, Make::Grype];

    /// What its program is called.
    pub fn program(self) -> &'static str {
        match self {
            Make::Trivy => "trivy",
            Make::Grype => "grype",
        }
    }
}

/// A scanner that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Which.
    pub make: Make,
    /// Where.
    pub program: PathBuf,
}

/// Finds one in a list of folders as `PATH` has them. Folders that are relative are left out: what lies in the working directory by chance is
/// not what somebody installed.
pub fn installed(path: &str) -> Option<Installed> {
    let folders: Vec<PathBuf> = std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect();
    Make::ALL.into_iter().find_map(|make| {
        let program = folders.iter().map(|folder| folder.join(make.program())).find(|file| is_executable(file))?;
        Some(Installed { make, program })
    })
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.with_extension("exe").is_file()
}

/// The registry that the scanner pulls from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// What people call it.
    pub name: String,
    /// Its host, and its port where it has another than the usual.
    pub authority: String,
    /// The repository.
    pub repository: Repository,
    /// What signs in to it.
    pub credential: Option<Credential>,
    /// Whether it is reached over TLS.
    pub is_tls: bool,
    /// Whether its certificate is verified.
    pub verify: bool,
    /// Whose certificates are trusted, where that isn't the system's.
    pub ca_file: Option<PathBuf>,
}

/// A scanner for the images of one repository.
pub struct LocalScanner {
    installed: Installed,
    origin: Origin,
}

impl LocalScanner {
    /// Runs nothing yet.
    pub fn new(installed: Installed, origin: Origin) -> LocalScanner {
        LocalScanner { installed, origin }
    }

    /// What is run to bring its database up to date, where that is a run of its own.
    fn update(&self) -> Option<Run> {
        let is_apart = self.installed.make == Make::Trivy && self.origin.credential.is_some();
        is_apart.then(|| Run::new(&self.installed.program, ["image", "--download-db-only", "--quiet"]))
    }

    fn run(&self, digest: &Digest) -> Run {
        let Origin { authority, repository, credential, is_tls, verify, ca_file, .. } = &self.origin;
        let image = format!("{authority}/{repository}@{digest}");
        match self.installed.make {
            Make::Trivy => {
                let mut run = Run::new(&self.installed.program, ["image", "--format", "json", "--quiet", &image]);
                // findings are no failure, and no daemon has to be asked for what the registry has
                run.set("TRIVY_EXIT_CODE", "0").set("TRIVY_SCANNERS", "vuln").set("TRIVY_IMAGE_SRC", "remote");
                if !is_tls {
                    run.set("TRIVY_NON_SSL", "true");
                }
                if *is_tls && !verify {
                    run.set("TRIVY_INSECURE", "true");
                }
                match credential {
                    Some(Credential::Basic { username, password }) => {
                        run.set("TRIVY_USERNAME", username).secret("TRIVY_PASSWORD", password);
                    }
                    Some(Credential::RegistryToken(token) | Credential::IdentityToken(token)) => {
                        run.secret("TRIVY_REGISTRY_TOKEN", token);
                    }
                    None => {}
                }
                if credential.is_some() {
                    run.set("TRIVY_SKIP_DB_UPDATE", "true").set("TRIVY_SKIP_JAVA_DB_UPDATE", "true");
                }
                run
            }
            Make::Grype => {
                // from the registry, whatever daemons there are
                let image = format!("registry:{image}");
                let mut run = Run::new(&self.installed.program, ["--output", "json", "--quiet", &image]);
                if !is_tls {
                    run.set("GRYPE_REGISTRY_INSECURE_USE_HTTP", "true");
                }
                if *is_tls && !verify {
                    run.set("GRYPE_REGISTRY_INSECURE_SKIP_TLS_VERIFY", "true");
                }
                if let Some(file) = ca_file {
                    run.set("GRYPE_REGISTRY_CA_CERT", file);
                }
                if credential.is_some() {
                    run.set("GRYPE_REGISTRY_AUTH_AUTHORITY", authority);
                }
                match credential {
                    Some(Credential::Basic { username, password }) => {
                        run.set("GRYPE_REGISTRY_AUTH_USERNAME", username).secret("GRYPE_REGISTRY_AUTH_PASSWORD", password);
                    }
                    Some(Credential::RegistryToken(token) | Credential::IdentityToken(token)) => {
                        run.secret("GRYPE_REGISTRY_AUTH_TOKEN", token);
                    }
                    None => {}
                }
                run
            }
        }
    }
}

#[async_trait]
impl Scanner for LocalScanner {
    async fn scan(&self, digest: &Digest) -> Result<Vec<u8>> {
        let subject = format!("{}/{}@{digest}", self.origin.name, self.origin.repository);
        let failed = |why: String| Error::new(ErrorKind::Local, SCAN, subject.clone()).because(why);
        let mut earlier = None;
        if let Some(update) = self.update() {
            // what is there already may do; if not, this is why
            earlier = update.output().await.err();
        }
        self.run(digest).output().await.map_err(|why| match earlier {
            Some(earlier) => failed(format!("{why}; before that, {earlier}")),
            None => failed(why),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Secret;

    fn scanner(make: Make, origin: Origin) -> LocalScanner {
        LocalScanner::new(Installed { make, program: make.program().into() }, origin)
    }

    fn origin() -> Origin {
        Origin {
            name: "prod".into(),
            authority: "registry.example.com:8443".into(),
            repository: "team/app".parse().unwrap(),
            credential: Some(Credential::Basic { username: "alice".into(), password: Secret::new("s3cr3t-canary") }),
            is_tls: true,
            verify: true,
            ca_file: None,
        }
    }

    #[test]
    fn the_credential_is_no_argument() {
        let digest = Digest::sha256(b"image");
        for (make, credential, expected) in [
            (Make::Trivy, origin().credential, "TRIVY_PASSWORD"),
            (Make::Trivy, Some(Credential::RegistryToken(Secret::new("s3cr3t-canary"))), "TRIVY_REGISTRY_TOKEN"),
            (Make::Grype, origin().credential, "GRYPE_REGISTRY_AUTH_PASSWORD"),
            (Make::Grype, Some(Credential::RegistryToken(Secret::new("s3cr3t-canary"))), "GRYPE_REGISTRY_AUTH_TOKEN"),
        ] {
            let run = scanner(make, Origin { credential, ..origin() }).run(&digest);
            assert!(!run.arguments().any(|argument| argument.contains("canary")), "{make:?}");
            assert!(run.arguments().any(|argument| argument.ends_with(&format!("registry.example.com:8443/team/app@{digest}"))));
            assert_eq!(run.variable(expected).as_deref(), Some("s3cr3t-canary"), "{make:?}");
            assert!(!format!("{run:?}").contains("canary"));
        }
    }

    /// Trivy would show the credential to the registries of its databases.
    #[test]
    fn trivy_updates_its_database_without_the_credential() {
        let update = scanner(Make::Trivy, origin()).update().unwrap();
        assert_eq!(update.variable("TRIVY_PASSWORD"), None);
        let run = scanner(Make::Trivy, origin()).run(&Digest::sha256(b"image"));
        for variable in ["TRIVY_SKIP_DB_UPDATE", "TRIVY_SKIP_JAVA_DB_UPDATE"] {
            assert_eq!(run.variable(variable).as_deref(), Some("true"));
        }
        let anonymous = scanner(Make::Trivy, Origin { credential: None, ..origin() });
        assert!(anonymous.update().is_none());
        assert_eq!(anonymous.run(&Digest::sha256(b"image")).variable("TRIVY_SKIP_DB_UPDATE"), None);
        assert!(scanner(Make::Grype, origin()).update().is_none());
    }

    #[test]
    fn how_the_registry_is_reached() {
        let digest = Digest::sha256(b"image");
        let plain = Origin { is_tls: false, verify: true, ..origin() };
        let unverified = Origin { verify: false, ca_file: Some("/ca.pem".into()), ..origin() };
        for (make, origin, set) in [
            (Make::Trivy, plain.clone(), "TRIVY_NON_SSL"),
            (Make::Trivy, unverified.clone(), "TRIVY_INSECURE"),
            (Make::Grype, plain, "GRYPE_REGISTRY_INSECURE_USE_HTTP"),
            (Make::Grype, unverified.clone(), "GRYPE_REGISTRY_INSECURE_SKIP_TLS_VERIFY"),
            (Make::Grype, unverified, "GRYPE_REGISTRY_CA_CERT"),
        ] {
            assert!(scanner(make, origin).run(&digest).variable(set).is_some(), "{set}");
        }
        let usual = scanner(Make::Trivy, origin()).run(&digest);
        assert_eq!((usual.variable("TRIVY_NON_SSL"), usual.variable("TRIVY_INSECURE")), (None, None));
    }

    #[cfg(unix)]
    #[test]
    fn where_scanners_are_looked_for() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["a", "b"] {
            std::fs::create_dir(path(name)).unwrap();
        }
        let at = |folders: &[&str]| {
            let folders = folders.iter().map(|name| path(name));
            std::env::join_paths(folders).unwrap().into_string().unwrap()
        };
        std::fs::write(path("a/trivy"), "").unwrap();
        std::fs::write(path("b/grype"), "").unwrap();
        let mode = |file: &str, mode| std::fs::set_permissions(path(file), std::fs::Permissions::from_mode(mode)).unwrap();
        mode("b/grype", 0o755);
        assert_eq!(
            installed(&at(&["a", "b"])),
            Some(Installed { make: Make::Grype, program: path("b/grype") }),
            "trivy can't be run"
        );
        mode("a/trivy", 0o755);
        assert_eq!(installed(&at(&["b", "a"])), Some(Installed { make: Make::Trivy, program: path("a/trivy") }));
        assert_eq!(installed(".:bin:"), None);
        assert_eq!(installed(""), None);
    }
}
