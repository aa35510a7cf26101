//! How often a registry may be asked, read from the headers that tell (IETF draft "RateLimit header fields", as Docker Hub and others
//! write them).

use crate::registry::RateLimit;
use crate::transport::header::HeaderMap;

/// What these headers say; `None` when they say nothing. `100;w=21600` is a hundred in six hours.
pub fn rate_limit(headers: &HeaderMap) -> Option<RateLimit> {
    let text = |name: &str| {
        let names = [format!("ratelimit-{name}"), format!("x-ratelimit-{name}")];
        names.iter().find_map(|name| headers.get(name)?.to_str().ok()).unwrap_or_default().to_owned()
    };
    let (limit, remaining) = (text("limit"), text("remaining"));
    let number = |text: &str| text.split([';', ',']).next().and_then(|number| number.trim().parse().ok());
    let window = limit.split(';').find_map(|part| part.trim().strip_prefix("w=")?.parse().ok());
    let read = RateLimit { limit: number(&limit), remaining: number(&remaining), window_seconds: window };
    (read.limit.is_some() || read.remaining.is_some()).then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_servers_write_it() {
        let read = |headers: &[(&'static str, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            rate_limit(&headers.collect()).map(|limit| (limit.limit, limit.remaining, limit.window_seconds))
        };
        for (headers, expected) in [
            (
                &[("ratelimit-limit", "100;w=21600"), ("ratelimit-remaining", "76;w=21600")][..],
                Some((Some(100), Some(76), Some(21600))),
            ),
            (&[("x-ratelimit-limit", "600"), ("x-ratelimit-remaining", "0")], Some((Some(600), Some(0), None))),
            (&[("ratelimit-remaining", "7")], Some((None, Some(7), None))),
            (&[("ratelimit-limit", "many")], None),
            (&[("date", "now")], None),
        ] {
            assert_eq!(read(headers), expected, "{headers:?}");
        }
    }
}
