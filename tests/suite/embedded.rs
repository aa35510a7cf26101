//! The embedded registry, asked by a plain HTTP client: what distribution-spec 1.1 wants of a server, beyond what our own client uses.

use regctl::oci::{Digest, media_type};
use regctl::serve::{Account, Auth, Behaviour, Running, Settings, Storage, sample};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::http::{client, wait};

fn start() -> Running {
    Running::start(Settings::new(Storage::memory())).expect("a free port")
}

struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Sends a request to the path that the server named, or to ours.
fn ask(server: &Running, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
    wait(async {
        let mut request = client().request(method, format!("{}{path}", server.url())).body(body.into());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response: Response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.bytes().await.expect("a body").to_vec() }
    })
}

#[test]
fn a_blob_in_chunks() {
    let server = start();
    let digest = Digest::sha256(b"hello world");
    let begun = ask(&server, Method::POST, "/v2/app/blobs/uploads/", &[], "");
    assert_eq!(begun.status, 202);
    let upload = begun.header("location").to_owned();
    let first = ask(&server, Method::PATCH, &upload, &[("content-range", "0-5")], "hello ");
    assert_eq!((first.status, first.header("range")), (202, "0-5"));
    // out of order
    let wrong = ask(&server, Method::PATCH, &upload, &[("content-range", "9-12")], "rld");
    assert_eq!((wrong.status, wrong.header("range")), (416, "0-5"));
    let state = ask(&server, Method::GET, &upload, &[], "");
    assert_eq!((state.status, state.header("range")), (204, "0-5"));
    let done = ask(&server, Method::PUT, &format!("{upload}?digest={digest}"), &[("content-range", "6-10")], "world");
    assert_eq!((done.status, done.header("docker-content-digest")), (201, digest.as_str()));
    assert_eq!(ask(&server, Method::GET, &upload, &[], "").code(), "BLOB_UPLOAD_UNKNOWN");

    let blob = format!("/v2/app/blobs/{digest}");
    assert_eq!(ask(&server, Method::GET, &blob, &[], "").body, b"hello world");
    let part = ask(&server, Method::GET, &blob, &[("range", "bytes=6-8")], "");
    assert_eq!((part.status, part.body.as_slice(), part.header("content-range")), (206, &b"wor"[..], "bytes 6-8/11"));
    assert_eq!(ask(&server, Method::GET, &blob, &[("range", "bytes=11-")], "").status, 416);
}

#[test]
fn uploads_that_are_wrong_given_up_or_mounted() {
    let server = start();
    let digest = Digest::sha256(b"content");
    let upload = |path: &str| ask(&server, Method::POST, path, &[], "content");
    let other = Digest::sha256(b"something else");
    assert_eq!(upload(&format!("/v2/app/blobs/uploads/?digest={other}")).code(), "DIGEST_INVALID");
    assert_eq!(upload("/v2/app/blobs/uploads/?digest=sha256:short").code(), "DIGEST_INVALID");
    assert_eq!(upload(&format!("/v2/app/blobs/uploads/?digest={digest}")).status, 201);
    assert_eq!(upload(&format!("/v2/new/blobs/uploads/?mount={digest}&from=app")).status, 201);
    assert_eq!(ask(&server, Method::HEAD, &format!("/v2/new/blobs/{digest}"), &[], "").header("content-length"), "7");
    // what can't be mounted is uploaded
    assert_eq!(upload(&format!("/v2/new/blobs/uploads/?mount={other}&from=app")).status, 202);
    let begun = upload("/v2/app/blobs/uploads/").header("location").to_owned();
    assert_eq!(ask(&server, Method::DELETE, &begun, &[], "").status, 204);
    assert_eq!(ask(&server, Method::PUT, &format!("{begun}?digest={digest}"), &[], "").status, 404);
    // an upload belongs to its repository
    let begun = upload("/v2/app/blobs/uploads/").header("location").replace("/app/", "/other/");
    assert_eq!(ask(&server, Method::PATCH, &begun, &[], "x").status, 404);
}

#[test]
fn manifests_that_are_refused() {
    let server = start();
    let put = |kind: &str, name: &str, body: String| {
        ask(&server, Method::PUT, &format!("/v2/app/manifests/{name}"), &[("content-type", kind)], body)
    };
    let missing = Digest::sha256(b"not here");
    let blob = json!({ "mediaType": media_type::OCI_CONFIG, "digest": missing, "size": 8 });
    let image = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": blob, "layers": [] }).to_string();
    assert_eq!(put(media_type::OCI_MANIFEST, "v1", image.clone()).code(), "MANIFEST_BLOB_UNKNOWN");
    let child = json!({ "mediaType": media_type::OCI_MANIFEST, "digest": missing, "size": 8 });
    let index = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [child] }).to_string();
    assert_eq!(put(media_type::OCI_INDEX, "v1", index).code(), "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(put(media_type::OCI_MANIFEST, "v1", "{".into()).code(), "MANIFEST_INVALID");
    assert_eq!(put(media_type::OCI_MANIFEST, missing.as_str(), image).code(), "DIGEST_INVALID");
    let large = format!("\"{}\"", "x".repeat(4 * 1024 * 1024));
    assert_eq!(put("application/vnd.test+json", "v1", large).status, 413);
    assert_eq!(ask(&server, Method::GET, "/v2/app/tags/list", &[], "").code(), "NAME_UNKNOWN", "nothing came of it");
    assert_eq!(ask(&server, Method::GET, "/v2/Upper/tags/list", &[], "").code(), "NAME_INVALID");
    assert_eq!(ask(&server, Method::GET, "/v2/_catalog?n=100000", &[], "").code(), "PAGINATION_NUMBER_INVALID");
    assert_eq!(ask(&server, Method::POST, "/v2/_catalog", &[], "").status, 405);
}

#[test]
fn pages_and_their_links() {
    let server = start();
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    sample::many_tags(server.storage(), &"app".parse().unwrap(), 5, now).unwrap();
    let mut path = "/v2/app/tags/list?n=2".to_owned();
    let mut pages = Vec::new();
    loop {
        let page = ask(&server, Method::GET, &path, &[], "");
        let body: Value = serde_json::from_slice(&page.body).unwrap();
        pages.push(body["tags"].as_array().unwrap().len());
        let Some((next, _)) = page.header("link").strip_prefix('<').and_then(|link| link.split_once('>')) else { break };
        path = next.to_owned();
    }
    assert_eq!(pages, [2, 2, 1]);
    let after = ask(&server, Method::GET, "/v2/app/tags/list?last=t00002x", &[], "");
    assert_eq!(
        serde_json::from_slice::<Value>(&after.body).unwrap()["tags"],
        json!(["t00003", "t00004"]),
        "after what isn't there"
    );
}

#[test]
fn referrers_by_type() {
    let server = start();
    sample::fill(server.storage(), "2026-11-20T12:00:00Z".parse().unwrap()).unwrap();
    let web = "team/web".parse().unwrap();
    let subject = server.storage().resolve(&web, &"latest".parse().unwrap()).unwrap();
    let list = |query: &str| ask(&server, Method::GET, &format!("/v2/team/web/referrers/{subject}{query}"), &[], "");
    let count = |answer: &Answer| serde_json::from_slice::<Value>(&answer.body).unwrap()["manifests"].as_array().unwrap().len();
    let all = list("");
    assert_eq!((count(&all), all.header("content-type"), all.header("oci-filters-applied")), (2, media_type::OCI_INDEX, ""));
    let one = list("?artifactType=application/vnd.cyclonedx%2Bjson");
    assert_eq!((count(&one), one.header("oci-filters-applied")), (1, "artifactType"));
}

#[test]
fn tokens_are_for_what_was_asked_and_for_a_while() {
    let behaviour = Behaviour { token_lifetime: Some(std::time::Duration::ZERO), ..Behaviour::default() };
    for (expired, behaviour) in [(false, Behaviour::default()), (true, behaviour)] {
        let auth = Auth::PublicToken(Account::new("alice", "secret"));
        let server = Running::start(Settings { auth, behaviour, ..Settings::new(Storage::memory()) }).expect("a free port");
        sample::many_tags(server.storage(), &"app".parse().unwrap(), 1, "2026-11-20T12:00:00Z".parse().unwrap()).unwrap();
        let challenge = ask(&server, Method::GET, "/v2/app/tags/list", &[], "");
        assert_eq!(challenge.status, 401);
        assert!(
            challenge.header("www-authenticate").ends_with("scope=\"repository:app:pull\""),
            "{}",
            challenge.header("www-authenticate")
        );
        let form = |password: &str| {
            format!("grant_type=password&username=alice&password={password}&scope=repository:app:pull&access_type=offline")
        };
        assert_eq!(ask(&server, Method::POST, "/token", &[], form("wrong")).status, StatusCode::UNAUTHORIZED);
        let granted: Value = serde_json::from_slice(&ask(&server, Method::POST, "/token", &[], form("secret")).body).unwrap();
        let bearer = format!("Bearer {}", granted["access_token"].as_str().unwrap());
        let with = [("authorization", bearer.as_str())];
        assert_eq!(ask(&server, Method::GET, "/v2/app/tags/list", &with, "").status, if expired { 401 } else { 200 });
        assert_eq!(ask(&server, Method::DELETE, "/v2/app/manifests/t00000", &with, "").status, 401, "only pull was asked for");
        let refresh = granted["refresh_token"].as_str().unwrap();
        let again = format!("grant_type=refresh_token&refresh_token={refresh}&scope=repository:app:delete");
        assert_eq!(ask(&server, Method::POST, "/token", &[], again).status, 200);
        let anonymous: Value =
            serde_json::from_slice(&ask(&server, Method::GET, "/token?scope=repository:app:pull,delete", &[], "").body).unwrap();
        let bearer = format!("Bearer {}", anonymous["token"].as_str().unwrap());
        let with = [("authorization", bearer.as_str())];
        assert_eq!(ask(&server, Method::GET, "/v2/app/tags/list", &with, "").status, if expired { 401 } else { 200 });
        assert_eq!(ask(&server, Method::DELETE, "/v2/app/manifests/t00000", &with, "").status, 401, "anonymous");
    }
}
