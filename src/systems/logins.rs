//! The logins of Docker (`config.json`) and Podman (`auth.json`): `auths` by host, `credHelpers` by host, `credsStore` for the rest.
//! Podman's keys may end in a namespace; Docker's older ones are addresses.

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::item::{self, Map};
use super::{Dialect, Exported, Imported, Page, Problem, System, no_way};
use crate::catalogue::{Address, Entry, Name, Username, namespace};
use crate::credentials::{Secret, SourceKind, TOKEN_USERNAME};

/// The key under which both keep the login of Docker Hub.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// Where the key of a login is kept while it is an item.
const KEY: &str = "key";
/// Where its helper is kept meanwhile; the other one where there is no login beside it.
const HELPER: &str = "credHelper";
const ONLY_HELPER: &str = "onlyCredHelper";

/// Fields that only Docker writes beside its logins.
const DOCKERS_OWN: [&str; 7] =
    ["credsStore", "HttpHeaders", "currentContext", "plugins", "detachKeys", "psFormat", "cliPluginsExtraDirs"];

/// Files written by hand sometimes lack the padding.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

pub(super) struct Logins {
    /// Whether keys may have paths: Podman's.
    pub paths: bool,
}

impl Dialect for Logins {
    /// The two look alike. What only one of them writes decides; where nothing does, it could be either.
    fn recognises(&self, document: &Value) -> bool {
        let logins = document.get("auths").and_then(Value::as_object);
        let helpers = document.get("credHelpers").and_then(Value::as_object);
        if logins.is_none() && helpers.is_none() {
            return false;
        }
        let dockers = DOCKERS_OWN.iter().any(|key| document.get(key).is_some());
        let podmans = !dockers && logins.into_iter().flatten().any(|(key, _)| !key.contains("://") && key.contains('/'));
        if self.paths { !dockers } else { !podmans }
    }

    fn split(&self, document: Value) -> Result<Page, Problem> {
        let Value::Object(mut map) = document else { return Err(Problem::new("expected an object with `auths`")) };
        let mut items = Vec::new();
        let mut helpers = match map.shift_remove("credHelpers") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(helpers)) => helpers,
            Some(_) => return Err(Problem::new("`credHelpers` is no object")),
        };
        let logins = match map.shift_remove("auths") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(logins)) => logins,
            Some(_) => return Err(Problem::new("`auths` is no object")),
        };
        for (key, login) in logins {
            items.push(match login {
                Value::Object(mut login) => {
                    if let Some(helper) = helpers.shift_remove(&key) {
                        login.insert(HELPER.to_owned(), helper);
                    }
                    login.insert(KEY.to_owned(), key.into());
                    login.into()
                }
                Value::Null => json!({ KEY: key }),
                other => other,
            });
        }
        items.extend(helpers.into_iter().map(|(key, helper)| json!({ KEY: key, ONLY_HELPER: helper })));
        // the rest is about the program and not about registries; it may hold headers and proxies with secrets in them
        let envelope = map.remove_entry("credsStore").into_iter().collect();
        Ok(Page { items, envelope, ..Page::default() })
    }

    fn read(&self, item: &mut Map) -> Result<Option<Imported>, Problem> {
        let key = item::needed(item, KEY)?.to_owned();
        let (address, path) = self.place(&key)?;
        let mut entry = Entry::at(address.clone());
        let mut speaks_of = vec!["address", "state"];
        if let Some(path) = &path {
            entry.namespace = Some(namespace(path)?);
            speaks_of.push("namespace");
        }
        let system = if self.paths { System::Podman } else { System::Docker };
        let mut imported = Imported::new(system, entry, &speaks_of);
        let host = if address.is_docker_hub() { "docker-hub" } else { address.host() };
        imported.call(None, &[Some(host), path.as_deref()].into_iter().flatten().collect::<Vec<_>>().join("-"));
        imported.name = imported.name.or_else(|| Name::slug(&format!("r-{host}")));
        imported.known_as(Some(&key));
        self.sign_in(item, &mut imported)?;
        Ok(Some(imported))
    }

    fn write(&self, registry: &Exported<'_>) -> Result<Map, Problem> {
        let mut item = Map::new();
        item.insert(KEY.to_owned(), self.key_of(registry)?.into());
        if let (Some(secret), Some(username)) = (registry.secret_text(), registry.username()) {
            let (field, text) = match (username, secret) {
                (TOKEN_USERNAME, token) => ("identitytoken", Zeroizing::new(token.to_owned())),
                // the user name stands in the same field as the password
                (username, item::REDACTED) => {
                    item.insert("username".to_owned(), username.into());
                    ("auth", Zeroizing::new(item::REDACTED.to_owned()))
                }
                (username, password) => ("auth", Zeroizing::new(BASE64.encode(format!("{username}:{password}")))),
            };
            item.insert(field.to_owned(), text.as_str().into());
        }
        Ok(item)
    }

    fn create(&self, _: &Exported<'_>) -> Result<Map, Problem> {
        Err(no_way("a login is made with `docker login` or `podman login`, not with a document"))
    }

    fn patch(&self, _: &Exported<'_>) -> Result<Map, Problem> {
        Err(no_way("a login is changed with `docker login` or `podman login`, not with a document"))
    }

    fn envelope(&self, _: usize) -> Map {
        Map::new()
    }

    fn join(&self, items: Vec<Map>, mut envelope: Map) -> Value {
        let (mut logins, mut helpers) = (Map::new(), Map::new());
        for mut item in items {
            let Some(Value::String(key)) = item.shift_remove(KEY) else { continue };
            let only_helper = item.shift_remove(ONLY_HELPER);
            let is_login = only_helper.is_none();
            if let Some(helper) = only_helper.or_else(|| item.shift_remove(HELPER)) {
                helpers.insert(key.clone(), helper);
            }
            if is_login {
                logins.insert(key, item.into());
            }
        }
        envelope.insert("auths".to_owned(), logins.into());
        if !helpers.is_empty() {
            envelope.insert("credHelpers".to_owned(), helpers.into());
        }
        envelope.into()
    }

    fn key<'a>(&self, item: &'a Map) -> Option<&'a str> {
        item.get(KEY).and_then(Value::as_str)
    }
}

impl Logins {
    /// The address of a key, and the namespace behind it.
    fn place(&self, key: &str) -> Result<(Address, Option<String>), Problem> {
        let (plain, is_address) = match key.split_once("://") {
            Some((_, rest)) => (rest, true),
            None => (key, false),
        };
        let (host, path) = plain.split_once('/').unwrap_or((plain, ""));
        let scheme = key.split_once("://").map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
        let address = item::address(&format!("{scheme}{host}"), KEY)?;
        let path = path.trim_matches('/');
        let means_nothing = is_address || !self.paths || matches!(path, "" | "v1" | "v2");
        Ok((address, (!means_nothing).then(|| path.to_owned())))
    }

    /// The key under which both programs look for this registry.
    fn key_of(&self, registry: &Exported<'_>) -> Result<String, Problem> {
        let address = registry.address()?;
        if address.is_docker_hub() && registry.entry.namespace.is_none() {
            return Ok(HUB_KEY.to_owned());
        }
        let host = if address.is_docker_hub() { "docker.io".to_owned() } else { address.authority() };
        Ok(match &registry.entry.namespace {
            Some(namespace) if self.paths => format!("{host}/{}", namespace.as_str()),
            _ => host,
        })
    }

    /// Who signs in, from what is in the login; a helper keeps being asked.
    fn sign_in(&self, item: &mut Map, imported: &mut Imported) -> Result<(), Problem> {
        let hidden_token = item.get("identitytoken").and_then(Value::as_str) == Some(item::REDACTED);
        let auth = item::take_secret(item, "auth")?;
        let (token, password) = (item::take_secret(item, "identitytoken")?, item::take_secret(item, "password")?);
        if item::take_secret(item, "registrytoken")?.is_some() {
            imported.warnings.push("its registry token is not taken: such tokens last minutes".to_owned());
        }
        let username = if hidden_token { Some(TOKEN_USERNAME) } else { item::text(item, "username")? }.map(str::to_owned);
        let (username, secret): (Option<String>, Option<Secret>) = match (token, auth, password) {
            (Some(token), ..) => (Some(TOKEN_USERNAME.to_owned()), Some(token)),
            (None, Some(auth), _) => {
                let (username, password) = decode(&auth)?;
                // without its password the field doesn't say it any more
                item.insert("username".to_owned(), username.as_str().into());
                (Some(username), Some(password))
            }
            (None, None, password) => (username, password),
        };
        if let Some(username) = username {
            imported.entry.username = Some(username.parse::<Username>()?);
            imported.also(&["username"]);
        }
        imported.secret = secret;
        if imported.entry.username.is_none() {
            // the login is with a helper, which is asked when the secret is needed
            imported.entry.credential = Some(SourceKind::Docker);
            imported.also(&["credential"]);
        }
        Ok(())
    }
}

fn decode(auth: &Secret) -> Result<(String, Secret), Problem> {
    let bytes = BASE64.decode(auth.expose().trim()).map(Zeroizing::new).map_err(|_| Problem::new("`auth` is not base64"))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Problem::new("`auth` is not text"))?;
    let (username, password) = text.split_once(':').ok_or_else(|| Problem::new("`auth` has no colon"))?;
    if username.is_empty() || password.is_empty() {
        return Err(Problem::new("`auth` lacks the user name or the password"));
    }
    // old versions of Docker padded with NUL
    Ok((username.to_owned(), Secret::new(password.trim_end_matches('\0'))))
}
