//! The logins that Docker and Podman keep for this user. Only ever read.
//!
//! Files are asked in the order in which the two programs look, and a key with a longer path wins over its host within one file. What is
//! broken (a file, an entry, a helper) is a warning and is passed over: it must not stop somebody from reading anonymously.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Credential, Found, Secret, docker_credential};

/// Configuration files have a few kilobytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The key under which Docker keeps the login of Docker Hub.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// Docker Hub's spellings; the first stands for all of them.
const HUB_HOSTS: [&str; 4] = ["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];

/// Files written by hand sometimes lack the padding.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// The parts of `config.json` and `auth.json` that are about logins.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Document {
    auths: Option<BTreeMap<String, Login>>,
    creds_store: Option<String>,
    cred_helpers: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Login {
    auth: Option<Secret>,
    username: Option<String>,
    password: Option<Secret>,
    identitytoken: Option<Secret>,
    registrytoken: Option<Secret>,
}

impl Login {
    /// The credential in it. Empty objects are usual where a helper has the secret.
    fn credential(&self) -> Result<Option<Credential>, &'static str> {
        let some = |secret: &Option<Secret>| secret.clone().filter(|secret| !secret.is_empty());
        if let Some(token) = some(&self.registrytoken) {
            return Ok(Some(Credential::RegistryToken(token)));
        }
        if let Some(token) = some(&self.identitytoken) {
            return Ok(Some(Credential::IdentityToken(token)));
        }
        if let Some(auth) = some(&self.auth) {
            return decode(&auth).map(Some);
        }
        match (&self.username, some(&self.password)) {
            (Some(username), Some(password)) if !username.is_empty() => Ok(Some(Credential::new(username, password))),
            _ => Ok(None),
        }
    }
}

fn decode(auth: &Secret) -> Result<Credential, &'static str> {
    let bytes = BASE64.decode(auth.expose().trim()).map(Zeroizing::new).map_err(|_| "`auth` is not base64")?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "`auth` is not text")?;
    let (username, password) = text.split_once(':').ok_or("`auth` has no colon")?;
    if username.is_empty() {
        return Err("`auth` has no user name");
    }
    // Old versions of Docker padded with NUL.
    Ok(Credential::new(username, Secret::new(password.trim_end_matches('\0'))))
}

/// One file, or the variable that stands for one.
struct LoginFile {
    origin: String,
    document: Document,
}

/// All logins of this user.
pub(super) struct DockerLogins {
    files: Vec<LoginFile>,
    warnings: Vec<String>,
    /// Where helpers are looked for.
    path: Option<String>,
}

impl DockerLogins {
    /// Reads the files; asks no helper.
    pub(super) fn read(lookup: &dyn Fn(&str) -> Option<String>, home: Option<&Path>) -> DockerLogins {
        let mut logins = DockerLogins { files: Vec::new(), warnings: Vec::new(), path: lookup("PATH") };
        let variable = |name: &str| lookup(name).filter(|value| !value.is_empty());
        if let Some(inline) = variable("DOCKER_AUTH_CONFIG") {
            logins.take("DOCKER_AUTH_CONFIG".to_owned(), inline.as_bytes());
        }
        let under_home = |path: &str| home.map(|home| home.join(path));
        let folder = |name: &str| variable(name).map(PathBuf::from);
        let places = [
            folder("REGISTRY_AUTH_FILE"),
            folder("DOCKER_CONFIG").or_else(|| under_home(".docker")).map(|folder| folder.join("config.json")),
            folder("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")),
            folder("XDG_CONFIG_HOME").or_else(|| under_home(".config")).map(|folder| folder.join("containers/auth.json")),
        ];
        for path in places.into_iter().flatten() {
            match read(&path) {
                Ok(Some(bytes)) => logins.take(path.display().to_string(), &bytes),
                Ok(None) => {}
                Err(error) => logins.warnings.push(format!("can't read the logins in {}: {error}", path.display())),
            }
        }
        logins
    }

    fn take(&mut self, origin: String, bytes: &[u8]) {
        match serde_json::from_slice(bytes) {
            Ok(document) => self.files.push(LoginFile { origin, document }),
            // serde's own message could quote a secret.
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                self.warnings.push(format!("passed over the logins in {origin}: not as expected at line {line}, column {column}"));
            }
        }
    }

    /// The files that were found, in their order.
    pub(super) fn origins(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.origin.as_str())
    }

    /// What was broken about the files.
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The login for a host, or for the part of it below `prefix`, and what was broken on the way.
    pub(super) async fn find(&self, host: &str, prefix: &str) -> (Option<Found>, Vec<String>) {
        let mut warnings = self.warnings.clone();
        for file in &self.files {
            if let Some(found) = file.find(host, prefix, self.path.as_deref(), &mut warnings).await {
                return (Some(found), warnings);
            }
        }
        (None, warnings)
    }
}

impl LoginFile {
    async fn find(&self, host: &str, prefix: &str, path: Option<&str>, warnings: &mut Vec<String>) -> Option<Found> {
        let host = canonical_host(host);
        for wanted in most_specific_first(&host, prefix) {
            let own_helper = self.document.cred_helpers.iter().flatten().find(|(key, _)| canonical_key(key) == wanted);
            let store = self.document.creds_store.as_ref().filter(|_| wanted == host);
            for helper in own_helper.map(|(_, helper)| helper).into_iter().chain(store).filter(|helper| !helper.is_empty()) {
                let server = if wanted == HUB_HOSTS[0] { HUB_KEY } else { &wanted };
                match docker_credential::get(helper, server, path).await {
                    Ok(Some(credential)) => {
                        let origin = format!("the credential helper {helper} of {}", self.origin);
                        return Some(Found { credential, origin });
                    }
                    Ok(None) => {}
                    Err(why) => warnings.push(format!("passed over a credential helper of {}: {why}", self.origin)),
                }
            }
            for (key, login) in self.document.auths.iter().flatten().filter(|(key, _)| canonical_key(key) == wanted) {
                match login.credential() {
                    Ok(Some(credential)) => return Some(Found { credential, origin: self.origin.clone() }),
                    Ok(None) => {}
                    Err(why) => warnings.push(format!("passed over the login for {key} in {}: {why}", self.origin)),
                }
            }
        }
        None
    }
}

fn read(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other("far too large"));
    }
    // Podman's file may be there and empty.
    Ok(Some(bytes).filter(|bytes| !bytes.trim_ascii().is_empty()))
}

/// `host/a/b`, `host/a`, `host`.
fn most_specific_first(host: &str, prefix: &str) -> Vec<String> {
    let parts: Vec<&str> = prefix.split('/').filter(|part| !part.is_empty()).collect();
    (0..=parts.len())
        .rev()
        .map(|length| parts[..length].iter().fold(host.to_owned(), |key, part| format!("{key}/{part}")))
        .collect()
}

/// Lower case, without the port that https has anyway, one name for Docker Hub.
fn canonical_host(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(":443").unwrap_or(&host);
    if HUB_HOSTS.contains(&host) { HUB_HOSTS[0].to_owned() } else { host.to_owned() }
}

/// A key as a host with the path that Podman allows. Docker's older keys are URLs, whose path means nothing.
fn canonical_key(key: &str) -> String {
    let (address, is_url) = match key.split_once("://") {
        Some((_, address)) => (address, true),
        None => (key, false),
    };
    let (host, path) = address.split_once('/').unwrap_or((address, ""));
    let path = path.trim_end_matches('/');
    let host = canonical_host(host);
    if is_url || matches!(path, "" | "v1" | "v2") { host } else { format!("{host}/{path}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins(set: &[(&str, &str)], home: Option<&Path>) -> DockerLogins {
        DockerLogins::read(&|wanted| set.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned()), home)
    }

    fn show(found: Option<Found>) -> String {
        match found.map(|found| found.credential) {
            None => "nothing".to_owned(),
            Some(Credential::Basic { username, password }) => format!("{username}:{}", password.expose()),
            Some(Credential::IdentityToken(token)) => format!("identity {}", token.expose()),
            Some(Credential::RegistryToken(token)) => format!("registry {}", token.expose()),
        }
    }

    async fn inline(document: &str, host: &str, prefix: &str) -> (String, Vec<String>) {
        let (found, warnings) = logins(&[("DOCKER_AUTH_CONFIG", document)], None).find(host, prefix).await;
        (show(found), warnings)
    }

    /// `user:pass` is `dXNlcjpwYXNz`, `user:pa:ss` is `dXNlcjpwYTpzcw==`.
    #[tokio::test]
    async fn entries() {
        for (entry, expected) in [
            (r#"{"auth":"dXNlcjpwYXNz"}"#, "user:pass"),
            (r#"{"auth":"dXNlcjpwYTpzcw=="}"#, "user:pa:ss"),
            (r#"{"auth":"dXNlcjpwYTpzcw"}"#, "user:pa:ss"),
            (r#"{"auth":"dXNlcjpwYXNzAAA="}"#, "user:pass"),
            (r#"{"auth":"PHRva2VuPjpyZWZyZXNo"}"#, "identity refresh"),
            (r#"{"username":"u","password":"p"}"#, "u:p"),
            (r#"{"auth":"dXNlcjpwYXNz","identitytoken":"it"}"#, "identity it"),
            (r#"{"auth":"dXNlcjpwYXNz","identitytoken":"it","registrytoken":"rt"}"#, "registry rt"),
            (r#"{"auth":"dXNlcjpwYXNz","email":"a@example","other":[1]}"#, "user:pass"),
            ("{}", "nothing"),
            (r#"{"auth":""}"#, "nothing"),
        ] {
            let document = format!(r#"{{"auths":{{"r.example":{entry}}}}}"#);
            assert_eq!(inline(&document, "r.example", "").await, (expected.to_owned(), vec![]), "{entry}");
        }
        for (entry, why) in [
            (r#"{"auth":"s3cr3t-canary!"}"#, "`auth` is not base64"),
            (r#"{"auth":"dXNlcg=="}"#, "`auth` has no colon"),
            (r#"{"auth":"OnBhc3M="}"#, "`auth` has no user name"),
            (r#"{"auth":"//8="}"#, "`auth` is not text"),
        ] {
            let document = format!(r#"{{"auths":{{"r.example":{entry}}}}}"#);
            let warning = format!("passed over the login for r.example in DOCKER_AUTH_CONFIG: {why}");
            assert_eq!(inline(&document, "r.example", "").await, ("nothing".to_owned(), vec![warning]));
        }
    }

    #[tokio::test]
    async fn keys() {
        for (key, host, hit) in [
            ("r.example", "r.example", true),
            ("R.example", "r.EXAMPLE", true),
            ("https://r.example", "r.example", true),
            ("https://r.example/v1/", "r.example", true),
            ("http://r.example:5000/v2/", "r.example:5000", true),
            ("r.example:443", "r.example", true),
            ("r.example", "r.example:443", true),
            ("r.example:5000", "r.example", false),
            ("r.example", "r.example:5000", false),
            ("example", "r.example", false),
            ("r.example/team", "r.example", false),
        ] {
            let document = format!(r#"{{"auths":{{"{key}":{{"auth":"dXNlcjpwYXNz"}}}}}}"#);
            let expected = if hit { "user:pass" } else { "nothing" };
            assert_eq!(inline(&document, host, "").await.0, expected, "{key} for {host}");
        }
    }

    /// jib 586, regclient 245: the login of Docker Hub was not found under its odd key.
    #[tokio::test]
    async fn docker_hub_has_one_login_under_all_its_names() {
        for key in [HUB_KEY, "docker.io", "index.docker.io", "https://registry-1.docker.io/v2/"] {
            for host in HUB_HOSTS {
                let document = format!(r#"{{"auths":{{"{key}":{{"auth":"dXNlcjpwYXNz"}}}}}}"#);
                assert_eq!(inline(&document, host, "acme").await.0, "user:pass", "{key} for {host}");
            }
        }
    }

    /// users C9: one credential per namespace on one host.
    #[tokio::test]
    async fn the_longest_path_wins() {
        let document = r#"{"auths":{
            "r.example":{"username":"host","password":"p"},
            "r.example/team":{"username":"team","password":"p"},
            "r.example/team/app":{"username":"app","password":"p"}}}"#;
        for (prefix, expected) in
            [("", "host:p"), ("team", "team:p"), ("team/app/x", "app:p"), ("team/application", "team:p"), ("other", "host:p")]
        {
            assert_eq!(inline(document, "r.example", prefix).await.0, expected, "{prefix}");
        }
    }

    #[tokio::test]
    async fn files_in_order_and_broken_ones_passed_over() {
        let home = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = home.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let entry = |user: &str| format!(r#"{{"auths":{{"r.example":{{"username":"{user}","password":"p"}}}}}}"#);
        assert_eq!(show(logins(&[], Some(home.path())).find("r.example", "").await.0), "nothing");
        let podman = write(".config/containers/auth.json", &entry("podman"));
        let (found, _) = logins(&[], Some(home.path())).find("r.example", "").await;
        assert_eq!(found.as_ref().unwrap().origin, podman);
        assert_eq!(show(found), "podman:p");
        let docker = write(".docker/config.json", &entry("docker"));
        assert_eq!(show(logins(&[], Some(home.path())).find("r.example", "").await.0), "docker:p");
        write("elsewhere/config.json", &entry("elsewhere"));
        let elsewhere = home.path().join("elsewhere").display().to_string();
        assert_eq!(show(logins(&[("DOCKER_CONFIG", &elsewhere)], Some(home.path())).find("r.example", "").await.0), "elsewhere:p");
        let file = write("file.json", &entry("file"));
        assert_eq!(show(logins(&[("REGISTRY_AUTH_FILE", &file)], Some(home.path())).find("r.example", "").await.0), "file:p");

        write(".docker/config.json", "{\"auths\":{\"r.example\":\n{\"auth\": [\"s3cr3t-canary\"]}}}");
        let (found, warnings) = logins(&[], Some(home.path())).find("r.example", "").await;
        assert_eq!(show(found), "podman:p");
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains(&docker) && warnings[0].contains("line 2") && !warnings[0].contains("canary"), "{warnings:?}");
        write(".docker/config.json", " \n");
        assert_eq!(logins(&[], Some(home.path())).find("r.example", "").await.1, Vec::<String>::new());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn helpers() {
        let (_folder, path) = docker_credential::tests::install(
            "fake",
            r#"read server; case $server in
                r.example) echo '{"Username":"u","Secret":"from the helper"}';;
                https://index.docker.io/v1/) echo '{"Username":"<token>","Secret":"hub"}';;
                *) echo credentials not found in native keychain; exit 1;; esac"#,
        );
        let ask = async |document: &str, host: &str| {
            let (found, warnings) = logins(&[("DOCKER_AUTH_CONFIG", document), ("PATH", &path)], None).find(host, "team").await;
            (show(found), warnings)
        };
        let none = Vec::<String>::new();
        assert_eq!(
            ask(r#"{"credHelpers":{"r.example":"fake"}}"#, "r.example").await,
            ("u:from the helper".to_owned(), none.clone())
        );
        assert_eq!(ask(r#"{"credsStore":"fake"}"#, "registry-1.docker.io").await, ("identity hub".to_owned(), none.clone()));
        assert_eq!(ask(r#"{"credsStore":"fake"}"#, "other.example").await, ("nothing".to_owned(), none.clone()));
        let fallen_back = r#"{"credsStore":"fake","auths":{"other.example":{"auth":"dXNlcjpwYXNz"}}}"#;
        assert_eq!(ask(fallen_back, "other.example").await, ("user:pass".to_owned(), none));
    }

    /// users C8: Docker Desktop's helper is configured and missing in WSL; public images were out of reach.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_broken_helper_is_a_warning_that_names_it() {
        let (_folder, path) = docker_credential::tests::install("broken", "echo 'exec format error' >&2; exit 1");
        for (document, named) in [
            (r#"{"credsStore":"desktop.exe"}"#, "docker-credential-desktop.exe"),
            (r#"{"credHelpers":{"r.example":"broken"}}"#, "docker-credential-broken"),
            (r#"{"credsStore":"../../bin/sh"}"#, "../../bin/sh"),
        ] {
            let (found, warnings) = logins(&[("DOCKER_AUTH_CONFIG", document), ("PATH", &path)], None).find("r.example", "").await;
            assert!(found.is_none());
            assert!(warnings.len() == 1 && warnings[0].contains(named), "{warnings:?}");
        }
    }
}
