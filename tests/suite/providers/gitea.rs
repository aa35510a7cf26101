//! Gitea: `Link` on every page, even the last, and packages below their owners.

use regctl::registry::Kind;
use regctl::serve::Behaviour;
use serde_json::json;

use super::fake::{Call, Fake, PAGE, empty, ok, status, unescaped};
use crate::support::canned::Answer;

pub const USERNAME: &str = "alice";

pub fn fake() -> Fake {
    Fake::start(Kind::Gitea, USERNAME, None, Behaviour::default(), answer)
}

fn answer(call: &Call<'_>) -> Option<Answer> {
    if let Some(repository) = call.path.strip_prefix("/v2/").and_then(|path| path.strip_suffix("/tags/list")) {
        call.header("authorization").filter(|sent| sent.starts_with("Bearer "))?;
        let mut tags: Vec<_> = call.versions(repository)?.into_iter().flat_map(|(_, tags)| tags).collect();
        tags.sort();
        let last = call.query.get("last").cloned().unwrap_or_default();
        let shown: Vec<_> = tags.iter().filter(|tag| tag.as_str() > last.as_str()).take(PAGE).collect();
        let answer = ok(&json!({ "name": repository, "tags": shown }));
        return Some(match shown.last() {
            Some(last) => answer.header("Link", &format!("</v2/{repository}/tags/list?last={last}>; rel=\"next\"")),
            None => answer,
        });
    }
    let path = call.path.strip_prefix("/api/v1/packages/")?;
    if !call.is_basic(USERNAME) {
        return Some(status(401, &json!({ "message": "token is required", "url": "/api/swagger" })));
    }
    let [owner, "container", name] = path.split('/').collect::<Vec<_>>()[..] else { return Some(empty(404)) };
    let repository = format!("{owner}/{}", unescaped(name));
    Some(match call.method == "DELETE" && call.remove(&repository) {
        true => empty(204),
        false => status(404, &json!({ "message": "package does not exist" })),
    })
}
