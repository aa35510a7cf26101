//! How often a registry may be asked, where that is no part of every answer.

use crate::distribution;
use crate::registry::{Kind, RateLimit};
use crate::transport::header::ACCEPT;
use crate::transport::{Client, Method, Scope};

/// The repository that Docker Hub keeps for this question. Looking a manifest up by HEAD is not counted as a pull
/// (Docker's documentation, "Pull rate limit").
const HUB_PREVIEW: &str = "ratelimitpreview/test";

/// Asks Docker Hub, which tells only those who ask for a manifest. Other registries are not asked.
pub async fn ask(client: &Client, kind: Kind) -> Option<RateLimit> {
    if kind != Kind::Dockerhub {
        return None;
    }
    let request = client.request(Method::HEAD, &format!("/v2/{HUB_PREVIEW}/manifests/latest"));
    let request = request.header(ACCEPT, crate::oci::media_type::ACCEPT_MANIFEST).scope(Scope::repository(HUB_PREVIEW, &["pull"]));
    distribution::rate_limit(&client.send(request).await.ok()?.headers)
}
