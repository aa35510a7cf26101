//! Zadig's OpenAPI: a list of `{registry_id, address, provider, region, namespace, is_default}`; bodies that create one also have
//! `access_key`, `secret_key`, `enable_tls` and `tls_cert`. Its internal API nests the last two and knows three more providers.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::item::{self, Map};
use super::{Dialect, Exported, Imported, Page, Problem, System};
use crate::catalogue::{Address, Entry, namespace};
use crate::registry::Kind;

/// What Zadig calls providers that it knows under a second name, with a licence.
const ENTERPRISE: [(&str, Kind); 3] = [("acr-enterprise", Kind::Acr), ("tcr-enterprise", Kind::Tcr), ("jfrog", Kind::Artifactory)];

/// The eight providers of the OpenAPI.
const PROVIDERS: [Kind; 8] = [Kind::Acr, Kind::Tcr, Kind::Swr, Kind::Ecr, Kind::Dockerhub, Kind::Harbor, Kind::Nexus, Kind::Native];

pub(super) struct Zadig;

fn is_registry(value: &Value) -> bool {
    value.get("provider").is_some() && (value.get("registry_id").is_some() || value.get("access_key").is_some())
}

impl Dialect for Zadig {
    fn recognises(&self, document: &Value) -> bool {
        match document {
            Value::Array(items) => items.iter().any(is_registry),
            one => is_registry(one),
        }
    }

    fn split(&self, document: Value) -> Result<Page, Problem> {
        match document {
            Value::Array(items) => Ok(Page { items, ..Page::default() }),
            Value::Object(_) => Ok(Page { items: vec![document], single: true, ..Page::default() }),
            _ => Err(Problem::new("expected a list of registries")),
        }
    }

    fn read(&self, item: &mut Map) -> Result<Option<Imported>, Problem> {
        let written = item::needed(item, "address")?;
        if !written.contains("://") {
            return Err(Problem::new("`address` has no protocol: Zadig's begin with https:// or http://"));
        }
        let address = item::address(written, "address")?;
        let provider = provider(item::needed(item, "provider")?)?;
        let mut imported =
            Imported::new(System::Zadig, Entry::at(address.clone()), &["address", "provider", "region", "namespace", "state"]);
        let entry = &mut imported.entry;
        entry.provider = Some(provider);
        entry.region = item::text(item, "region")?.map(str::parse).transpose()?;
        let written = item::text(item, "namespace")?.map(str::trim).filter(|text| !text.is_empty());
        entry.namespace = written.map(masked_or_namespace).transpose()?;
        if provider == Kind::Ecr && !address.path().is_empty() {
            // Amazon's registries have no path: what Zadig puts there is what repository names begin with
            entry.namespace = Some(namespace(address.path())?);
            entry.address = Some(format!("{}://{}", address.scheme().as_str(), address.authority()).parse()?);
        }
        let label = address.host().split('.').next().unwrap_or_default();
        let title = match &entry.namespace {
            Some(namespace) => format!("{label}-{}", namespace.as_str()),
            None => label.to_owned(),
        };
        imported.call(None, &title);
        imported.known_as(item::text(item, "registry_id")?);
        imported.is_default = item::flag(item, "is_default")?.unwrap_or(false);
        if let Some(seconds) = item.get("update_time").and_then(Value::as_i64) {
            imported.entry.updated_at = Timestamp::from_second(seconds).ok();
        }
        if let Some(key) = item::text(item, "access_key")?.filter(|key| *key != item::REDACTED) {
            if item::is_masked(key) {
                return Err(Problem::new("`access_key` is masked with ***"));
            }
            imported.entry.username = Some(key.parse()?);
            imported.also(&["username"]);
        }
        imported.secret = item::take_secret(item, "secret_key")?;
        tls(item, &mut imported)?;
        Ok(Some(imported))
    }

    fn write(&self, registry: &Exported<'_>) -> Result<Map, Problem> {
        let mut item = Map::new();
        item.insert("registry_id".to_owned(), registry.source_id().into());
        item.extend(five(registry)?);
        Ok(item)
    }

    fn create(&self, registry: &Exported<'_>) -> Result<Map, Problem> {
        let mut item = five(registry)?;
        item.retain(|key, value| key != "region" || *value != "");
        if registry.entry.kind() == Kind::Ecr {
            item.shift_remove("namespace");
        }
        item.insert("access_key".to_owned(), registry.username().unwrap_or_default().into());
        item.insert("secret_key".to_owned(), registry.secret_text().unwrap_or_default().into());
        item.insert("enable_tls".to_owned(), registry.entry.tls.verify.into());
        if let Some(authority) = registry.authority() {
            item.insert("tls_cert".to_owned(), authority.into());
        }
        Ok(item)
    }

    fn patch(&self, registry: &Exported<'_>) -> Result<Map, Problem> {
        five(registry)
    }

    fn envelope(&self, _: usize) -> Map {
        Map::new()
    }

    fn join(&self, items: Vec<Map>, _: Map) -> Value {
        json!(items)
    }
}

fn provider(text: &str) -> Result<Kind, Problem> {
    if let Some((_, kind)) = ENTERPRISE.iter().find(|(word, _)| *word == text) {
        return Ok(*kind);
    }
    text.parse().ok().filter(|kind| PROVIDERS.contains(kind)).ok_or_else(|| {
        let all: Vec<&str> = PROVIDERS.iter().map(|kind| kind.word()).chain(ENTERPRISE.iter().map(|(word, _)| *word)).collect();
        Problem::new(format!("`{}` is no provider of Zadig's: {}", text.escape_debug(), all.join(", ")))
    })
}

fn masked_or_namespace(text: &str) -> Result<crate::oci::Repository, Problem> {
    if text.contains("**") {
        return Err(Problem::new("`namespace` is masked"));
    }
    Ok(namespace(text)?)
}

/// `enable_tls` and `tls_cert`, at the top or in `advanced_setting`.
fn tls(item: &Map, imported: &mut Imported) -> Result<(), Problem> {
    let advanced = item::object(item, "advanced_setting")?;
    let enabled = item::flag(item, "enable_tls")?.or(advanced.map(|map| item::flag(map, "enable_tls")).transpose()?.flatten());
    let certificate = item::text(item, "tls_cert")?.or(advanced.map(|map| item::text(map, "tls_cert")).transpose()?.flatten());
    match (enabled, certificate) {
        (None, _) => imported
            .warnings
            .push("it doesn't say `enable_tls`: certificates are verified from now on, which Zadig doesn't do then".to_owned()),
        (Some(false), _) => imported.entry.tls.verify = false,
        (Some(true), None) => {
            imported.warnings.push("it verifies certificates and names none: those of the system are trusted".to_owned());
        }
        (Some(true), Some(pem)) => {
            imported.entry.tls.ca_pem = Some(super::item::certificates(pem, "tls_cert", &mut imported.warnings)?);
        }
    }
    if enabled.is_some() {
        imported.also(&["tls"]);
    }
    Ok(())
}

/// The five fields that a list shows and that a `PUT` replaces.
fn five(registry: &Exported<'_>) -> Result<Map, Problem> {
    let entry = registry.entry;
    let mut address: Address = registry.address()?.clone();
    let kind = entry.kind();
    let provider = match kind {
        Kind::Artifactory if registry.source_id().is_some() => "jfrog",
        kind if PROVIDERS.contains(&kind) => kind.word(),
        kind => return Err(Problem::new(format!("Zadig knows no provider {kind}"))),
    };
    let mut namespace = entry.namespace.as_ref().map(|namespace| namespace.as_str()).unwrap_or_default();
    if kind == Kind::Ecr {
        if !namespace.is_empty() {
            address = format!("{address}/{namespace}").parse()?;
        }
        namespace = "";
    } else if namespace.is_empty() {
        return Err(Problem::new("Zadig needs a namespace"));
    }
    let item = json!({
        "address": address.to_string(),
        "provider": provider,
        "region": entry.region.as_ref().map(|region| region.as_str()).unwrap_or_default(),
        "namespace": namespace,
        "is_default": registry.is_default,
    });
    Ok(super::export::object(item))
}
