//! Google Artifact Registry: a list of tags that tells more, manifests that stay as long as a tag or an index needs them, and packages
//! whose deletion goes on after the answer.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use regctl::oci::Selector;
use regctl::registry::Kind;
use regctl::serve::{Auth, Behaviour};
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Map, Value, json};

use super::fake::{Call, Fake, PASSWORD, error, fixture, ok, size, status, unescaped};
use super::open;
use super::program::{program, put};
use crate::support::canned::Answer;
use crate::support::http::wait;

pub const USERNAME: &str = "oauth2accesstoken";

pub fn fake() -> Fake {
    let asked = AtomicUsize::new(0);
    Fake::start(Kind::Gar, USERNAME, Some("/api"), Behaviour::default(), move |call| answer(call, &asked))
}

fn answer(call: &Call<'_>, asked: &AtomicUsize) -> Option<Answer> {
    if let Some((repository, Selector::Digest(digest))) = call.deleted_manifest() {
        let versions = call.versions(repository.as_str())?;
        let on = versions.iter().find(|(manifest, _)| manifest.digest == digest).and_then(|(_, tags)| tags.first());
        if let Some(tag) = on {
            let message = format!("Manifest is still referenced by tag: {tag}");
            return Some(error(400, "GOOGLE_MANIFEST_DANGLING_TAG", &message));
        }
        let message = "Manifest is still referenced by a parent manifest";
        return call.storage.is_child(&repository, &digest).then(|| error(400, "GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE", message));
    }
    if let Some(repository) = call.path.strip_prefix("/v2/").and_then(|path| path.strip_suffix("/tags/list")) {
        call.header("authorization").filter(|sent| sent.starts_with("Bearer "))?;
        let versions = call.versions(repository)?;
        let tags: Vec<_> = versions.iter().flat_map(|(_, tags)| tags).collect();
        let manifests: Map<String, _> = versions
            .iter()
            .map(|(manifest, tags)| {
                let about = json!({
                    "imageSizeBytes": size(manifest).to_string(), "layerId": "", "mediaType": manifest.media_type, "tag": tags,
                    "timeCreatedMs": "315619200000", "timeUploadedMs": "1772359200000",
                });
                (manifest.digest.as_str().to_owned(), about)
            })
            .collect();
        return Some(ok(&json!({ "name": repository, "child": [], "tags": tags, "manifest": manifests })));
    }
    let path = call.path.strip_prefix("/api/v1/")?;
    if !call.is_bearer(PASSWORD) {
        let message = "Request had invalid authentication credentials.";
        return Some(status(401, &json!({ "error": { "code": 401, "message": message, "status": "UNAUTHENTICATED" } })));
    }
    let parts: Vec<&str> = path.split('/').collect();
    Some(match (call.method, parts.as_slice()) {
        ("DELETE", ["projects", project, "locations", "europe-west3", "repositories", group, "packages", package])
            if call.remove(&format!("{project}/{group}/{}", unescaped(package))) =>
        {
            ok(&json!({ "name": "projects/p/locations/europe-west3/operations/1" }))
        }
        ("GET", ["projects", project, "occurrences"]) => {
            let filter = call.query.get("filter")?;
            let (kind, url) = filter.strip_prefix("kind=\"")?.strip_suffix('"')?.split_once("\" AND resourceUrl=\"https://")?;
            let (_, image) = url.split_once('/')?;
            let (repository, digest) = image.split_once('@')?;
            let scanned = repository.starts_with(&format!("{project}/")) && call.is_scanned(repository, digest);
            match (kind, call.query.get("pageToken").map(String::as_str)) {
                _ if !scanned => ok(&json!({})),
                ("DISCOVERY", None) => ok(&fixture("gar/discovery.json")),
                // one a page
                ("VULNERABILITY", token) => {
                    let found = fixture("gar/occurrences.json")["occurrences"].as_array().cloned().unwrap_or_default();
                    match token {
                        None => ok(&json!({ "occurrences": [found[0]], "nextPageToken": "second" })),
                        Some(_) => ok(&json!({ "occurrences": [found[1]] })),
                    }
                }
                _ => status(400, &json!({ "error": { "code": 400, "message": "bad filter", "status": "INVALID_ARGUMENT" } })),
            }
        }
        ("GET", ["projects", "p", "locations", "europe-west3", "operations", "1"]) => {
            let done = asked.fetch_add(1, Ordering::Relaxed) > 0;
            ok(&json!({ "name": path, "done": done }))
        }
        // false is left out
        ("GET", ["projects", project, "locations", "europe-west3", "repositories", group]) => ok(&json!({
            "name": path, "format": "DOCKER", "mode": "STANDARD_REPOSITORY", "sizeBytes": "1234567",
            "dockerConfig": if *group == "frozen" { json!({ "immutableTags": true }) } else { json!({}) },
            "description": format!("of {project}"),
        })),
        _ => status(404, &json!({ "error": { "code": 404, "message": "Requested entity was not found.", "status": "NOT_FOUND" } })),
    })
}

/// Refused as long as a tag is on it: the tags go first. What an index lists is kept, and said so.
#[test]
fn tags_go_before_their_manifest_and_indexes_before_what_they_list() {
    let fake = fake();
    let storage = fake.front.storage();
    let digest = put(storage, "p/g/app", &["a", "b"], "one");
    let child = put(storage, "p/g/app", &["child"], "two");
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": child, "size": 1 }],
    });
    let index = regctl::oci::RawManifest::new("application/vnd.oci.image.index.v1+json", index.to_string());
    let app = "p/g/app".parse().unwrap();
    storage.put_manifest(&app, index, Some(&"v1".parse().unwrap())).unwrap();
    let registry = open(&fake, "p");
    assert!(wait(registry.delete_manifest(&app, &digest)).unwrap());
    let refused = wait(registry.delete_manifest(&app, &child)).unwrap_err();
    assert_eq!(
        (refused.kind(), refused.code()),
        (regctl::registry::ErrorKind::Conflict, Some("GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE"))
    );
}

/// Work that goes on after the answer is waited for.
#[test]
fn a_package_is_gone_when_the_operation_is_done() {
    let fake = fake();
    put(fake.front.storage(), "p/g/app/web", &["v1"], "one");
    assert!(wait(open(&fake, "p").delete_repository(&"p/g/app/web".parse().unwrap())).unwrap());
    let asked = fake.front.requests().iter().filter(|request| request.contains("/operations/1")).count();
    assert_eq!(asked, 2);
}

/// Made for these tests; no account has it.
const KEY: &str = include_str!("../../fixtures/gar/service-account.json");

/// Gives tokens to who shows an assertion that the key signed.
fn token_server(call: &Call<'_>) -> Answer {
    let form: std::collections::HashMap<String, String> =
        url::form_urlencoded::parse(call.request.body.as_bytes()).into_owned().collect();
    let key: Value = serde_json::from_str(KEY).unwrap();
    let pem: String = key["private_key"].as_str().unwrap().lines().filter(|line| !line.starts_with('-')).collect();
    let pair = RsaKeyPair::from_pkcs8(&BASE64_STANDARD.decode(pem).unwrap()).unwrap();
    let (text, signature) = form["assertion"].rsplit_once('.').unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text.split_once('.').unwrap().1).unwrap()).unwrap();
    let right = public.verify(text.as_bytes(), &signature).is_ok()
        && form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        && claims["iss"] == key["client_email"]
        && claims["aud"] == format!("http://{}/google/token", call.header("host").unwrap())
        && claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() == 3600;
    match right {
        true => ok(&json!({ "access_token": PASSWORD, "expires_in": 3599, "token_type": "Bearer" })),
        false => status(400, &json!({ "error": "invalid_grant", "error_description": "Invalid JWT Signature." })),
    }
}

/// A registry for everyone, and the API for who has a token.
fn with_token_server() -> Fake {
    let asked = AtomicUsize::new(0);
    Fake::with(Kind::Gar, "_json_key", Some("/api"), Auth::Open, Behaviour::default(), move |call| match call.path {
        "/google/token" => Some(token_server(call)),
        _ => answer(call, &asked),
    })
}

#[test]
fn the_key_of_a_service_account_is_made_a_token_for_the_api() {
    let fake = with_token_server();
    put(fake.front.storage(), "p/g/app", &["a"], "one");
    put(fake.front.storage(), "p/g/web", &["a"], "one");
    let mut program = program(&fake, None);
    let mut key: Value = serde_json::from_str(KEY).unwrap();
    key["token_uri"] = json!(format!("{}/google/token", fake.front.url()));
    program.set("REGCTL_V_PASSWORD", key.to_string());
    let run = program.run(["repo", "delete", "v//p/g/app", "--yes", "-vv"]).succeeds();
    run.hides(PASSWORD).hides("PRIVATE KEY").hides("assertion");
    assert!(!fake.front.storage().has(&"p/g/app".parse().unwrap()));
    assert_eq!(fake.front.requests().iter().filter(|request| request.ends_with("/google/token")).count(), 1);
    // an account that Google doesn't know
    key["client_email"] = json!("other@acme.iam.example");
    program.set("REGCTL_V_PASSWORD", key.to_string());
    program.run(["repo", "delete", "v//p/g/web", "--yes"]).exits(5).says("gives other@acme.iam.example no token (invalid_grant");
}

#[test]
fn an_assertion_goes_to_google_and_to_nobody_else() {
    let fake = with_token_server();
    put(fake.front.storage(), "p/g/app", &["a"], "one");
    let mut program = program(&fake, None);
    let mut key: Value = serde_json::from_str(KEY).unwrap();
    key["token_uri"] = json!("https://evil.example/token");
    program.set("REGCTL_V_PASSWORD", key.to_string());
    let refused = program.run(["repo", "delete", "v//p/g/app", "--yes"]).exits(7);
    refused.says("tokens are given at evil.example, which is not Google").hides("PRIVATE KEY");
    program.set("REGCTL_V_PASSWORD", "{}");
    program.run(["repo", "delete", "v//p/g/app", "--yes"]).exits(5).says("gcloud iam service-accounts keys create");
    assert!(fake.front.storage().has(&"p/g/app".parse().unwrap()));
}
