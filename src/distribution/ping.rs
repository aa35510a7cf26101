//! `GET /v2/`: whether it is a registry (end-1).

use crate::transport::Method;
use jiff::Timestamp;

use super::V2;
use super::errcode::error;
use crate::registry::{Error, ErrorKind, Ping, Result};
use crate::transport::{Answer, http_date};

pub(super) async fn ping(v2: &V2) -> Result<Ping> {
    let operation = "reach";
    let answer = v2.client.send(v2.client.request(Method::GET, "/v2/")).await.map_err(|error| error.on(operation, &v2.name))?;
    let no_registry = |why: &str| {
        Error::new(ErrorKind::Protocol, operation, &v2.name).answered(answer.status.as_u16(), None).because(why.to_owned())
    };
    match answer.status.as_u16() {
        200..=299 if answer.media_type() == "text/html" => return Err(no_registry("a web page answers there, not a registry")),
        200..=299 => {}
        404 => return Err(no_registry("something answers there, but it has no /v2/: not a registry, or not its address")),
        300..=399 => return Err(no_registry("it answers with a redirect that leads nowhere")),
        _ => return Err(error(&answer, operation, &v2.name)),
    }
    let scheme = v2.client.auth_scheme().unwrap_or("none");
    Ok(Ping {
        version: version(&answer),
        auth: scheme.to_owned(),
        signed_in: (answer.signed_in && scheme != "none").then_some(true),
        #[expect(clippy::disallowed_methods, reason = "the server's clock is compared with the real one")]
        clock_offset: clock_offset(&answer, Timestamp::now()),
        rate_limit: super::rate_limit(&answer.headers),
    })
}

/// What stands before registries and says its own name.
const WEB_SERVERS: &[&str] =
    &["nginx", "openresty", "apache", "envoy", "istio-envoy", "caddy", "cloudflare", "haproxy", "traefik", "gunicorn"];

/// What the server says of itself in `Server`, unless that is the web server before it.
fn version(answer: &Answer) -> Option<String> {
    let (product, rest) = answer.header("server")?.split_once('/')?;
    let version = rest.split_ascii_whitespace().next()?;
    (!WEB_SERVERS.contains(&product.to_ascii_lowercase().as_str())).then(|| format!("{product} {version}"))
}

fn clock_offset(answer: &Answer, now: Timestamp) -> Option<i64> {
    Some(http_date(answer.header("date")?)?.as_second() - now.as_second())
}
