//! Docker Cloud: `{meta, objects}` of `{resource_uri, name, host, port, is_ssl, is_docker_registry}`, read-only there.

use serde_json::{Value, json};

use super::item::{self, Map};
use super::{Dialect, Exported, Imported, Page, Problem, System, no_way};
use crate::catalogue::{Address, Entry};

/// Where registries are in the API, in its texts and in its examples, which differ.
const PREFIXES: [&str; 2] = ["/api/repo/v1/", "/api/v1/"];

/// Registries on a page, unless asked for more.
const LIMIT: usize = 25;

pub(super) struct Dockercloud;

fn is_registry(value: &Value) -> bool {
    value.get("host").is_some() && value.get("is_ssl").is_some()
}

impl Dialect for Dockercloud {
    fn recognises(&self, document: &Value) -> bool {
        let listed = document
            .get("objects")
            .and_then(Value::as_array)
            .is_some_and(|items| document.get("meta").is_some() && items.iter().all(|item| item.get("host").is_some()));
        listed || is_registry(document)
    }

    fn split(&self, document: Value) -> Result<Page, Problem> {
        let Value::Object(mut map) = document else { return Err(Problem::new("expected an object with `objects`")) };
        let items = match map.shift_remove("objects") {
            Some(Value::Array(items)) => items,
            Some(_) => return Err(Problem::new("`objects` is no list")),
            None => return Ok(Page { items: vec![map.into()], single: true, ..Page::default() }),
        };
        let meta = map.get("meta").cloned().unwrap_or_default();
        Ok(Page {
            more: meta.get("next").is_some_and(|next| !next.is_null()),
            before: meta.get("offset").and_then(Value::as_u64).is_some_and(|offset| offset > 0),
            total: meta.get("total_count").and_then(Value::as_u64),
            items,
            envelope: map,
            ..Page::default()
        })
    }

    fn read(&self, item: &mut Map) -> Result<Option<Imported>, Problem> {
        let host = item::needed(item, "host")?;
        if host.contains("://") || host.contains('/') {
            return Err(Problem::new("`host` is more than a host name"));
        }
        let scheme = if item::flag(item, "is_ssl")?.unwrap_or(true) { "https" } else { "http" };
        let port = item::port(item, "port")?.map(|port| format!(":{port}")).unwrap_or_default();
        let address = item::address(&format!("{scheme}://{host}{port}"), "host")?;
        let mut imported = Imported::new(System::Dockercloud, Entry::at(address.clone()), &["address", "display_name", "state"]);
        imported.call(item::text(item, "name")?, host);
        let uri = item::text(item, "resource_uri")?.map(str::to_owned).unwrap_or_else(|| resource_uri(&address));
        imported.known_as(Some(&uri));
        imported.uuid = item::text(item, "uuid")?.and_then(|uuid| uuid.parse().ok());
        Ok(Some(imported))
    }

    fn write(&self, registry: &Exported<'_>) -> Result<Map, Problem> {
        let address = registry.address()?;
        let here = |uri: &&str| uri.trim_end_matches('/').ends_with(&format!("/{}", address.host()));
        let uri = registry.source_id().filter(here).map_or_else(|| resource_uri(address), str::to_owned);
        let item = json!({
            "host": address.host(),
            "is_docker_registry": address.is_docker_hub(),
            "is_ssl": address.is_ssl(),
            "name": registry.title(),
            "port": address.port(),
            "resource_uri": uri,
        });
        Ok(super::export::object(item))
    }

    fn create(&self, _: &Exported<'_>) -> Result<Map, Problem> {
        Err(no_way("Docker Cloud can't create a registry: it appears when a repository on it is added"))
    }

    fn patch(&self, _: &Exported<'_>) -> Result<Map, Problem> {
        Err(no_way("Docker Cloud can't change a registry: they are read-only there"))
    }

    fn envelope(&self, count: usize) -> Map {
        let meta = json!({ "limit": LIMIT.max(count), "next": null, "offset": 0, "previous": null, "total_count": count });
        super::export::object(json!({ "meta": meta }))
    }

    fn join(&self, items: Vec<Map>, mut envelope: Map) -> Value {
        envelope.insert("objects".to_owned(), json!(items));
        envelope.into()
    }

    fn identity<'a>(&self, id: &'a str) -> &'a str {
        PREFIXES.iter().find_map(|prefix| id.strip_prefix(prefix)).unwrap_or(id)
    }
}

fn resource_uri(address: &Address) -> String {
    format!("/api/repo/v1/registry/{}/", address.host())
}
