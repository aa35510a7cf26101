//! Looking at a server more closely, when its first answer doesn't tell who built it or which version it is. Asks only what a server
//! tells everyone; that it doesn't is no failure.

use serde_json::Value;

use super::detect::{Sighting, kind_of_answer, version};
use crate::registry::Kind;
use crate::transport::{Client, Greeting};

/// Where a server tells its version to everyone, and in which field.
const VERSIONS: &[(Kind, &str, &str)] =
    &[(Kind::Harbor, "/api/v2.0/systeminfo", "harbor_version"), (Kind::Gitea, "/api/v1/version", "version")];

/// The extensions of a registry (distribution-spec, "Extensions"); zot's own begin with `_zot`.
const EXTENSIONS: &str = "/v2/_oci/ext/discover";

/// Who built the server behind `client`, which greeted so.
pub async fn look(client: &Client, greeting: &Greeting) -> Option<Sighting> {
    match kind_of_answer(greeting) {
        Some(seen) if seen.version.is_none() => {
            let version = told_version(client, seen.kind).await;
            Some(Sighting { version, ..seen })
        }
        Some(seen) => Some(seen),
        None if greeting.status.is_success() || greeting.status == 401 => zot(client).await,
        None => None,
    }
}

async fn told_version(client: &Client, kind: Kind) -> Option<String> {
    let (_, path, field) = VERSIONS.iter().find(|(known, ..)| *known == kind)?;
    let answer = client.peek(path).await.ok().filter(|answer| answer.status.is_success())?;
    version(serde_json::from_slice::<Value>(&answer.body).ok()?.get(field)?.as_str()?)
}

async fn zot(client: &Client) -> Option<Sighting> {
    let answer = client.peek(EXTENSIONS).await.ok().filter(|answer| answer.status.is_success())?;
    let extensions: Value = serde_json::from_slice(&answer.body).ok()?;
    let names = extensions.get("extensions")?.as_array()?.iter().filter_map(|extension| extension.get("name")?.as_str());
    let zot = Sighting { kind: Kind::Zot, why: "the extensions it lists", version: None };
    names.into_iter().any(|name| name.starts_with("_zot")).then_some(zot)
}
