//! ACR: two editions with an API each, a registry that lists nothing and has a password that is made of the key, and a call that deletes a
//! tag of which nobody says what becomes of others on its digest: here they go too.

use std::collections::HashSet;
use std::sync::Mutex;

use futures_util::TryStreamExt;
use regctl::oci::Repository;
use regctl::registry::{ErrorKind, Kind};
use regctl::serve::{Account, Auth, Behaviour, Catalog};
use serde_json::{Value, json};

use super::fake::{Call, Fake, PAGE, PASSWORD, empty, ok, size, status};
use super::program::{program, put};
use super::{open_as, signatures};
use crate::support::canned::Answer;
use crate::support::http::wait;

/// The key; its secret is the password of all fakes.
pub const ACCESS_KEY: &str = "LTAI5tExampleKey00000000";
const TOKEN: &str = "t0ken-canary-of-an-hour";
const INSTANCE: &str = "cri-kmsiwlxxdcvaduwb";
/// 2026-03-01T10:00:00Z in milliseconds.
const PUSHED: i64 = 1_772_359_200_000;

/// An instance of the enterprise edition.
pub fn enterprise() -> Fake {
    start(ACCESS_KEY, TOKEN, "registry.aliyuncs.com:europe-west3:china:cri-kmsiwlxxdcvaduwb", instance)
}

/// The personal edition.
pub fn personal() -> Fake {
    start(ACCESS_KEY, TOKEN, "registry.aliyuncs.com:europe-west3:26842", account)
}

/// The enterprise edition for someone who has the registry's own password and no key.
pub fn docker_login() -> Fake {
    start("alice@acme", PASSWORD, "registry.aliyuncs.com:europe-west3:china:cri-kmsiwlxxdcvaduwb", |_| panic!("it takes keys only"))
}

fn start(username: &'static str, password: &str, service: &'static str, api: fn(&Call<'_>) -> Option<Answer>) -> Fake {
    let behaviour = Behaviour { catalog: Catalog::Denied, ..Behaviour::default() };
    let known_as = if username == ACCESS_KEY { "cr_temp_user" } else { username };
    let auth = Auth::PublicToken(Account::new(known_as, password));
    let nonces = Mutex::new(HashSet::new());
    Fake::with(Kind::Acr, username, Some("/alibaba"), auth, behaviour, move |call| {
        if call.path == "/v2/" && call.header("authorization").is_none() {
            let challenge = format!("Bearer realm=\"http://{}/token\",service=\"{service}\"", call.header("host").unwrap());
            return Some(empty(401).header("WWW-Authenticate", &challenge));
        }
        call.path.strip_prefix("/alibaba")?;
        if !signatures::alibaba(call, ACCESS_KEY, PASSWORD) {
            return Some(refused(400, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation."));
        }
        let nonce = call.header("x-acs-signature-nonce").unwrap().to_owned();
        if !nonces.lock().unwrap().insert(nonce) {
            return Some(refused(400, "SignatureNonceUsed", "Specified signature nonce was used already."));
        }
        Some(api(call).unwrap_or_else(|| refused(404, "InvalidAction.NotFound", "Specified api is not found.")))
    })
}

fn refused(code: u16, name: &str, message: &str) -> Answer {
    status(code, &json!({ "RequestId": "031572FA", "Code": name, "Message": message }))
}

/// Deletes a tag, and with it the manifest and every tag on that.
fn delete_tag(call: &Call<'_>, name: &str, tag: &str) -> bool {
    let repository: Repository = name.parse().unwrap();
    let Some(digest) = tag.parse().ok().and_then(|tag| call.storage.resolve(&repository, &tag)) else { return false };
    call.storage.delete_manifest(&repository, &digest).expect("it is in memory")
}

fn instance(call: &Call<'_>) -> Option<Answer> {
    if (call.method, call.path) != ("POST", "/alibaba/") || call.header("x-acs-version") != Some("2018-12-01") {
        return None;
    }
    let said = |mut document: Value| {
        document["IsSuccess"] = json!(true);
        document["Code"] = json!("success");
        ok(&document)
    };
    let asked = |key: &str| call.query.get(key).map(String::as_str);
    if asked("InstanceId") != Some(INSTANCE) {
        return Some(refused(404, "INSTANCE_NOT_EXIST", "The instance does not exist."));
    }
    let page = |name: &str, entries: Vec<Value>| {
        let total = entries.len().to_string();
        let begin = (call.number("PageNo", 1) - 1) * PAGE;
        let shown: Vec<Value> = entries.into_iter().skip(begin).take(PAGE).collect();
        said(json!({ name: shown, "TotalCount": total, "PageNo": 1, "PageSize": PAGE }))
    };
    let id = |name: &str| format!("crr-{}", name.replace('/', "|"));
    let unknown = || refused(404, "REPO_NOT_EXIST", "The repository does not exist.");
    Some(match call.header("x-acs-action")? {
        "GetAuthorizationToken" => {
            said(json!({ "TempUsername": "cr_temp_user", "AuthorizationToken": TOKEN, "ExpireTime": 4_102_444_800_000_i64 }))
        }
        "ListRepository" => {
            let names = call.repositories(asked("RepoNamespaceName"));
            let described = |name: &Repository| {
                let (namespace, rest) = name.as_str().split_once('/')?;
                Some(json!({ "RepoId": id(name.as_str()), "RepoNamespaceName": namespace, "RepoName": rest }))
            };
            page("Repositories", names.iter().filter_map(described).collect())
        }
        "GetRepository" => {
            let name = format!("{}/{}", asked("RepoNamespaceName")?, asked("RepoName")?);
            match call.versions(&name) {
                Some(_) => said(json!({ "RepoId": id(&name) })),
                // some of its calls say so with 200
                None => ok(&json!({ "IsSuccess": false, "Code": "REPO_NOT_EXIST" })),
            }
        }
        action => {
            let name = asked("RepoId")?.strip_prefix("crr-")?.replace('|', "/");
            let Some(versions) = call.versions(&name) else { return Some(unknown()) };
            match action {
                "ListRepoTag" => page(
                    "Images",
                    versions
                        .iter()
                        .flat_map(|(manifest, tags)| {
                            tags.iter().map(move |tag| {
                                json!({
                                    "Tag": tag, "Digest": manifest.digest.encoded(), "ImageSize": size(manifest), "Status": "NORMAL",
                                    "ImageCreate": PUSHED.to_string(), "ImageUpdate": PUSHED.to_string(),
                                })
                            })
                        })
                        .collect(),
                ),
                "DeleteRepoTag" if delete_tag(call, &name, asked("Tag")?) => said(json!({})),
                "DeleteRepoTag" => refused(404, "REPO_TAG_NOT_EXIST", "The tag does not exist."),
                "DeleteRepository" if call.remove(&name) => said(json!({})),
                _ => return None,
            }
        }
    })
}

fn account(call: &Call<'_>) -> Option<Answer> {
    if call.header("x-acs-version") != Some("2016-06-07") {
        return None;
    }
    let page = |name: &str, entries: Vec<Value>| {
        let (number, total) = (call.number("Page", 1), entries.len());
        let shown: Vec<Value> = entries.into_iter().skip((number - 1) * PAGE).take(PAGE).collect();
        ok(&json!({ "data": { name: shown, "page": number, "pageSize": PAGE, "total": total }, "requestId": "x" }))
    };
    let unknown = |code: &str| status(404, &json!({ "requestId": "x", "code": code, "message": "it does not exist" }));
    let parts: Vec<&str> = call.path.strip_prefix("/alibaba/")?.split('/').collect();
    let repositories = |namespace: Option<&str>| {
        let names = call.repositories(namespace);
        let described = |name: &Repository| {
            let (namespace, rest) = name.as_str().split_once('/')?;
            Some(json!({ "repoNamespace": namespace, "repoName": rest, "repoId": 42 }))
        };
        page("repos", names.iter().filter_map(described).collect())
    };
    Some(match (call.method, parts.as_slice()) {
        ("GET", ["tokens"]) => ok(&json!({
            "data": { "tempUserName": "cr_temp_user", "authorizationToken": TOKEN, "expireDate": 4_102_444_800_000_i64 }, "requestId": "x",
        })),
        ("GET", ["repos"]) => repositories(None),
        ("GET", ["repos", namespace]) => repositories(Some(namespace)),
        (method, ["repos", namespace, name, rest @ ..]) => {
            let repository = format!("{namespace}/{name}");
            let Some(versions) = call.versions(&repository) else { return Some(unknown("REPO_NOT_EXIST")) };
            match (method, rest) {
                ("GET", ["tags"]) => page(
                    "tags",
                    versions
                        .iter()
                        .flat_map(|(manifest, tags)| {
                            tags.iter().map(move |tag| {
                                json!({
                                    "tag": tag, "digest": manifest.digest.encoded(), "imageSize": size(manifest), "status": "NORMAL",
                                    "imageCreate": PUSHED, "imageUpdate": PUSHED,
                                })
                            })
                        })
                        .collect(),
                ),
                ("DELETE", ["tags", tag]) if delete_tag(call, &repository, tag) => ok(&json!({ "data": {}, "requestId": "x" })),
                ("DELETE", ["tags", _]) => unknown("REPO_TAG_NOT_EXIST"),
                ("DELETE", []) if call.remove(&repository) => ok(&json!({ "data": {}, "requestId": "x" })),
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// The calls that were made, in order.
fn actions(fake: &Fake) -> Vec<String> {
    fake.front.received().into_iter().filter_map(|mut request| request.headers.remove("x-acs-action")).collect()
}

#[test]
fn a_key_is_made_a_password_once_and_shown_to_nobody() {
    for fake in [enterprise(), personal()] {
        put(fake.front.storage(), "acme/app", &["a"], "one");
        let run = program(&fake, None).run(["inspect", "v//acme/app:a", "-vv"]).succeeds();
        run.hides(PASSWORD).hides(TOKEN).hides("Signature=");
        let made = actions(&fake).into_iter().filter(|action| action == "GetAuthorizationToken").count();
        assert_eq!(made, 1);
        for request in fake.front.received().iter().filter(|request| !request.target.starts_with("/alibaba/")) {
            assert!(!String::from_utf8_lossy(&request.bytes).contains(ACCESS_KEY), "the registry saw the key");
        }
    }
}

#[test]
fn a_wrong_key_is_said() {
    for fake in [enterprise(), personal()] {
        let mut program = program(&fake, None);
        program.set("REGCTL_V_PASSWORD", "wrong-canary");
        program.run(["tag", "list", "v//acme/app"]).exits(5).says("SignatureDoesNotMatch").hides("wrong-canary");
    }
}

/// The API's call would have taken `b` along.
#[test]
fn a_tag_is_deleted_only_where_it_is_alone() {
    for fake in [enterprise(), personal()] {
        let storage = fake.front.storage();
        put(storage, "acme/app", &["alone"], "one");
        put(storage, "acme/app", &["a", "b"], "two");
        program(&fake, None).run(["tag", "delete", "v//acme/app:a", "--yes"]).exits(7).says("b").says("aliyun cr DeleteRepoTag");
        program(&fake, None).run(["tag", "delete", "v//acme/app:alone", "--yes"]).succeeds();
        let left = storage.tags(&"acme/app".parse().unwrap()).unwrap();
        assert_eq!(left.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a", "b"]);
        program(&fake, None).run(["tag", "delete", "v//acme/app:a", "--yes", "--with-siblings"]).succeeds();
        assert!(storage.tags(&"acme/app".parse().unwrap()).is_none_or(|tags| tags.is_empty()));
        let by_v2: Vec<String> = fake.front.requests().into_iter().filter(|request| request.starts_with("DELETE /v2/")).collect();
        assert_eq!(by_v2, [] as [String; 0], "{:?}", fake.front.requests());
    }
}

/// Deletes tags and nothing below them, and nothing by `/v2/`.
#[test]
fn a_manifest_that_outlives_its_tags_is_no_failure() {
    let service = "registry.aliyuncs.com:europe-west3:china:cri-kmsiwlxxdcvaduwb";
    let fake = start(ACCESS_KEY, TOKEN, service, |call| match (call.header("x-acs-action"), call.query.get("Tag")) {
        (Some("DeleteRepoTag"), Some(tag)) if call.untag("acme/app", tag) => {
            Some(ok(&json!({ "IsSuccess": true, "Code": "success" })))
        }
        _ => instance(call),
    });
    let storage = fake.front.storage();
    put(storage, "acme/app", &["a", "b", "c"], "one");
    program(&fake, None).run(["tag", "delete", "v//acme/app:a", "--yes", "--with-siblings"]).succeeds();
    let app: Repository = "acme/app".parse().unwrap();
    assert!(storage.tags(&app).is_none_or(|tags| tags.is_empty()));
    assert_eq!(storage.manifests(&app).len(), 1, "it is left to Alibaba");
    let by_v2 = fake.front.requests().into_iter().filter(|request| request.starts_with("DELETE /v2/")).count();
    assert_eq!(by_v2, 0);
}

#[test]
fn one_of_two_tags_is_freed_by_a_placeholder() {
    let fake = enterprise();
    let storage = fake.front.storage();
    let digest = put(storage, "acme/app", &["a", "b"], "one");
    program(&fake, None).run(["tag", "delete", "v//acme/app:a", "--yes", "--via-placeholder"]).succeeds();
    let app: Repository = "acme/app".parse().unwrap();
    assert_eq!(storage.tags(&app).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>(), ["b"]);
    assert_eq!(storage.resolve(&app, &"b".parse().unwrap()), Some(digest));
}

/// Names have two parts here.
#[test]
fn the_personal_edition_is_listed_and_emptied() {
    let fake = personal();
    let storage = fake.front.storage();
    for number in 0..5 {
        put(storage, &format!("acme/r{number}"), &["v1", "v2"], "one");
    }
    put(storage, "other/app", &["v1"], "one");
    let all = program(&fake, None).run(["repo", "list", "v", "-q"]).succeeds();
    assert_eq!(all.stdout.lines().count(), 6, "{all}");
    let listed = program(&fake, Some("acme")).run(["repo", "list", "v", "-q"]).succeeds();
    assert_eq!(listed.stdout.lines().collect::<Vec<_>>(), ["v/acme/r0", "v/acme/r1", "v/acme/r2", "v/acme/r3", "v/acme/r4"]);
    let tags = program(&fake, None).run(["tag", "list", "v//acme/r0", "--details", "-o", "json"]).succeeds().json();
    assert_eq!(tags["items"][1]["pushed_at"], "2026-03-01T10:00:00Z", "{tags}");
    program(&fake, None).run(["repo", "delete", "v//acme/r0", "--yes"]).succeeds();
    assert!(!storage.has(&"acme/r0".parse().unwrap()));
    assert!(actions(&fake).contains(&"DeleteRepo".to_owned()));
    program(&fake, None).run(["repo", "delete", "v//acme/r0", "--yes"]).succeeds();
    program(&fake, None).run(["tag", "list", "v//acme/tools/r0"]).exits(3);
}

#[test]
fn what_a_docker_login_can_not_do_is_said() {
    let fake = docker_login();
    put(fake.front.storage(), "acme/app", &["a"], "one");
    put(fake.front.storage(), "acme/app", &["b", "c"], "two");
    program(&fake, None).run(["repo", "list", "v"]).exits(7).says("AccessKey ID").says("name them in the entry");
    program(&fake, None).run(["tag", "delete", "v//acme/app:b", "--yes"]).exits(7).says("aliyun cr DeleteRepoTag");
    program(&fake, None).run(["tag", "list", "v//acme/app", "-q"]).succeeds();
    assert_eq!(actions(&fake), [] as [String; 0]);
}

/// Alibaba takes each signature once, so a second attempt has its own.
#[test]
fn a_second_attempt_is_signed_anew() {
    let busy = Mutex::new(true);
    let nonces = Mutex::new(Vec::new());
    let behaviour = Behaviour { catalog: Catalog::Denied, ..Behaviour::default() };
    let fake = Fake::start(Kind::Acr, ACCESS_KEY, Some("/alibaba"), behaviour, move |call| {
        if call.path == "/v2/" {
            let challenge =
                format!("Bearer realm=\"http://{}/token\",service=\"registry.aliyuncs.com:r:cri-x\"", call.header("host")?);
            return Some(empty(401).header("WWW-Authenticate", &challenge));
        }
        call.path.strip_prefix("/alibaba")?;
        assert!(signatures::alibaba(call, ACCESS_KEY, PASSWORD));
        let nonce = call.header("x-acs-signature-nonce")?.to_owned();
        assert!(!nonces.lock().unwrap().contains(&nonce), "a signature was used twice");
        nonces.lock().unwrap().push(nonce);
        if std::mem::take(&mut *busy.lock().unwrap()) {
            return Some(empty(503).header("Retry-After", "0"));
        }
        let shown =
            if call.number("PageNo", 1) == 1 { json!([{ "RepoNamespaceName": "acme", "RepoName": "app" }]) } else { json!([]) };
        Some(ok(&json!({ "IsSuccess": true, "Repositories": shown })))
    });
    let listed = program(&fake, None).run(["repo", "list", "v", "-q"]).succeeds();
    assert_eq!(listed.stdout.trim(), "v/acme/app");
    assert_eq!(actions(&fake).len(), 3, "one again, and one past the end");
}

#[test]
fn who_is_nobody_reads_by_v2() {
    let fake = enterprise();
    put(fake.front.storage(), "acme/app", &["a"], "one");
    let registry = open_as(&fake, None, None);
    let tags = wait(registry.tags(&"acme/app".parse().unwrap()).try_collect::<Vec<_>>()).unwrap().concat();
    assert_eq!(tags.iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>(), ["a"]);
    let refused = wait(registry.delete_repository(&"acme/app".parse().unwrap())).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::CredentialMissing, "{refused}");
}
