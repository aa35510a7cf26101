//! regclient's `config.json`: `hosts` by name, each with `tls`, `hostname`, `user`, `pass`, `regcert`, `pathPrefix` and what concerns
//! regclient alone. Every field may be missing; the key stands for the host.

use std::num::NonZeroU32;

use serde_json::{Value, json};

use super::item::{self, Map};
use super::{Dialect, Exported, Imported, Page, Problem, System, no_way};
use crate::catalogue::{Entry, namespace};
use crate::credentials::TOKEN_USERNAME;

/// Where the key of a host is kept while it is an item.
const KEY: &str = "key";

/// The key of Docker Hub.
const HUB_KEY: &str = "docker.io";

/// Certificates and keys of the client, which are whole files in this configuration.
const CLIENT: [&str; 2] = ["clientCert", "clientcert"];
const CLIENT_KEY: [&str; 2] = ["clientKey", "clientkey"];

pub(super) struct Regclient;

impl Dialect for Regclient {
    fn recognises(&self, document: &Value) -> bool {
        document.get("hosts").and_then(Value::as_object).is_some_and(|hosts| hosts.values().all(Value::is_object))
    }

    fn split(&self, document: Value) -> Result<Page, Problem> {
        let Value::Object(mut map) = document else { return Err(Problem::new("expected an object with `hosts`")) };
        let Some(Value::Object(hosts)) = map.shift_remove("hosts") else { return Err(Problem::new("`hosts` is no object")) };
        let items = hosts.into_iter().map(|(key, host)| match host {
            Value::Object(mut host) => {
                host.insert(KEY.to_owned(), key.into());
                host.into()
            }
            Value::Null => json!({ KEY: key }),
            other => other,
        });
        Ok(Page { items: items.collect(), envelope: map, ..Page::default() })
    }

    fn read(&self, item: &mut Map) -> Result<Option<Imported>, Problem> {
        let key = item::needed(item, KEY)?.to_owned();
        let host = item::text(item, "hostname")?.unwrap_or(&key);
        let tls = item::text(item, "tls")?.unwrap_or("enabled").to_owned();
        let scheme = match tls.to_ascii_lowercase().as_str() {
            "enabled" | "insecure" => "https",
            "disabled" => "http",
            _ => return Err(Problem::new("`tls` is none of enabled, insecure and disabled")),
        };
        let address = item::address(&format!("{scheme}://{host}"), "hostname")?;
        let mut imported = Imported::new(System::Regclient, Entry::at(address.clone()), &["address", "state", "tls", "namespace"]);
        imported.entry.tls.verify = !tls.eq_ignore_ascii_case("insecure");
        imported.entry.namespace = item::text(item, "pathPrefix")?.map(namespace).transpose()?;
        if let Some(pem) = item::text(item, "regcert")? {
            imported.entry.tls.ca_pem = Some(item::certificates(pem, "regcert", &mut imported.warnings)?);
        }
        for (field, to) in [("reqPerSec", 0), ("reqConcurrent", 1)] {
            let number = item.get(field).and_then(Value::as_f64).filter(|number| *number >= 1.0 && number.fract() == 0.0);
            let number = number.and_then(|number| NonZeroU32::new(number as u32));
            match to {
                0 => imported.entry.requests_per_second = number,
                _ => imported.entry.concurrency = number,
            }
        }
        imported.also(&["requests_per_second", "concurrency"]);
        imported.call(None, if key == HUB_KEY { "docker-hub" } else { &key });
        imported.known_as(Some(&key));
        sign_in(item, &mut imported)?;
        if CLIENT.iter().chain(&CLIENT_KEY).any(|field| item.contains_key(*field)) {
            imported.warnings.push(
                "its client certificate is not taken: put certificate and key into files, and name them with --client-cert and --client-key"
                    .to_owned(),
            );
        }
        CLIENT_KEY.iter().for_each(|field| drop(item.shift_remove(*field)));
        Ok(Some(imported))
    }

    fn write(&self, registry: &Exported<'_>) -> Result<Map, Problem> {
        let entry = registry.entry;
        let address = registry.address()?;
        let key = if address.is_docker_hub() { HUB_KEY.to_owned() } else { address.authority() };
        let tls = match (address.is_ssl(), entry.tls.verify) {
            (false, _) => "disabled",
            (true, false) => "insecure",
            (true, true) => "enabled",
        };
        let mut item = super::export::object(json!({ KEY: key, "tls": tls, "hostname": address.endpoint().authority() }));
        let mut put = |field: &str, value: Option<Value>| drop(value.map(|value| item.insert(field.to_owned(), value)));
        put("regcert", registry.authority().map(Value::from));
        put("pathPrefix", entry.namespace.as_ref().map(|namespace| namespace.as_str().into()));
        put("reqPerSec", entry.requests_per_second.map(|number| number.get().into()));
        put("reqConcurrent", entry.concurrency.map(|number| number.get().into()));
        match entry.username.as_ref().map(|username| username.as_str()) {
            Some(TOKEN_USERNAME) => put("token", registry.secret_text().map(Value::from)),
            Some(username) => {
                put("user", Some(username.into()));
                put("pass", registry.secret_text().map(Value::from));
            }
            None => {}
        }
        Ok(item)
    }

    fn create(&self, _: &Exported<'_>) -> Result<Map, Problem> {
        Err(no_way("regclient has a file of hosts and no bodies to send"))
    }

    fn patch(&self, _: &Exported<'_>) -> Result<Map, Problem> {
        Err(no_way("regclient has a file of hosts and no bodies to send"))
    }

    fn envelope(&self, _: usize) -> Map {
        super::export::object(json!({ "version": 1 }))
    }

    fn join(&self, items: Vec<Map>, mut envelope: Map) -> Value {
        let mut hosts = Map::new();
        for mut item in items {
            if let Some(Value::String(key)) = item.shift_remove(KEY) {
                hosts.insert(key, item.into());
            }
        }
        envelope.insert("hosts".to_owned(), hosts.into());
        envelope.into()
    }

    fn key<'a>(&self, item: &'a Map) -> Option<&'a str> {
        item.get(KEY).and_then(Value::as_str)
    }
}

fn sign_in(item: &mut Map, imported: &mut Imported) -> Result<(), Problem> {
    let user = item::text(item, "user")?.map(str::to_owned);
    let token_there = item::text(item, "token")?.is_some();
    let (password, token) = (item::take_secret(item, "pass")?, item::take_secret(item, "token")?);
    let username = if token_there && user.is_none() { Some(TOKEN_USERNAME.to_owned()) } else { user };
    if let Some(username) = username {
        imported.entry.username = Some(username.parse()?);
        imported.also(&["username"]);
    }
    imported.secret = password.or(token);
    if let Some(helper) = item::text(item, "credHelper")?.filter(|_| imported.secret.is_none()) {
        let helper = helper.escape_debug();
        imported
            .warnings
            .push(format!("its secret is with the helper {helper}, which has to be named anew: --credential docker or command"));
    }
    Ok(())
}
