//! TCR: one address for calls that are documents, errors with 200, pages that are called offsets, and a registry with a password that is
//! made of the key.

use futures_util::TryStreamExt;
use regctl::registry::{ErrorKind, Kind};
use regctl::serve::{Account, Auth, Behaviour, Catalog, TagDelete};
use serde_json::{Value, json};

use super::fake::{Call, Fake, PAGE, PASSWORD, ok, size};
use super::program::{program, put};
use super::{open_as, signatures};
use crate::support::canned::{Answer, Canned};
use crate::support::http::wait;
use crate::support::program::Program;

/// The key; its secret is the password of all fakes.
pub const SECRET_ID: &str = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE";
const TOKEN: &str = "t0ken-canary-of-an-hour";
const INSTANCE: &str = "tcr-dg284imq";
const REGION: &str = "ap-singapore";

/// Like Harbor, with the API at its side.
pub fn fake() -> Fake {
    let behaviour = Behaviour { tag_delete: TagDelete::BadRequest, catalog: Catalog::Denied, ..Behaviour::default() };
    let auth = Auth::PublicToken(Account::new("100012345678", TOKEN));
    Fake::with(Kind::Tcr, SECRET_ID, Some("/tencent"), auth, behaviour, enterprise)
}

/// The same for someone who has the registry's own password and no key.
pub fn docker_login() -> Fake {
    let behaviour = Behaviour { tag_delete: TagDelete::BadRequest, ..Behaviour::default() };
    Fake::start(Kind::Tcr, "100012345678", Some("/tencent"), behaviour, enterprise)
}

fn said(mut response: Value) -> Answer {
    response["RequestId"] = json!("76e69894-670f-4440-8773-075763fbdb80");
    ok(&json!({ "Response": response }))
}

fn refused(code: &str, message: &str) -> Answer {
    said(json!({ "Error": { "Code": code, "Message": message } }))
}

/// What was asked, if it was asked well; else what is wrong with it.
fn asked<'a>(call: &'a Call<'_>) -> Result<(&'a str, Value), Answer> {
    if !signatures::tencent(call, SECRET_ID, PASSWORD) {
        return Err(refused("AuthFailure.SignatureFailure", "The provided credentials could not be validated."));
    }
    if call.header("x-tc-version") != Some("2019-09-24") {
        return Err(refused("InvalidAction", "The version doesn't exist."));
    }
    let document = serde_json::from_str(&call.request.body).map_err(|_| refused("InvalidRequest", "It is not JSON."))?;
    Ok((call.header("x-tc-action").unwrap_or_default(), document))
}

fn enterprise(call: &Call<'_>) -> Option<Answer> {
    if call.path != "/tencent/" {
        return None;
    }
    let (action, asked) = match asked(call) {
        Ok(asked) => asked,
        Err(answer) => return Some(answer),
    };
    if action == "DescribeInstances" {
        let other = json!({ "RegistryId": "tcr-other", "RegistryName": "other", "RegionName": "ap-beijing", "PublicDomain": "other.tencentcloudcr.com" });
        let ours = json!({ "RegistryId": INSTANCE, "RegistryName": "ours", "RegionName": REGION, "PublicDomain": "127.0.0.1" });
        return Some(said(json!({ "TotalCount": 2, "Registries": [other, ours] })));
    }
    if asked["RegistryId"] != INSTANCE || call.header("x-tc-region") != Some(REGION) {
        return Some(refused("ResourceNotFound.TcrResourceNotFound", "The instance doesn't exist in this region."));
    }
    let page = |name: &str, entries: Vec<Value>| {
        // called an offset, and the number of a page
        let begin = (asked["Offset"].as_u64().unwrap_or(1).max(1) as usize - 1) * PAGE;
        let shown: Vec<&Value> = entries.iter().skip(begin).take(PAGE).collect();
        said(json!({ name: shown, "TotalCount": entries.len() }))
    };
    if action == "CreateInstanceToken" {
        let lasting = asked["TokenType"] == "longterm";
        assert!(!lasting, "nobody would take it away again");
        return Some(said(
            json!({ "Username": "100012345678", "Token": TOKEN, "ExpTime": 4_102_444_800_000_i64, "TokenId": null }),
        ));
    }
    if action == "DescribeRepositories" {
        let names = call.repositories(asked["NamespaceName"].as_str()).into_iter();
        return Some(page("RepositoryList", names.map(|name| json!({ "Name": name, "Public": false })).collect()));
    }
    let name = format!("{}/{}", asked["NamespaceName"].as_str()?, asked["RepositoryName"].as_str()?);
    let Some(versions) = call.versions(&name) else {
        return Some(refused("ResourceNotFound.ErrNoRepo", "The repository doesn't exist."));
    };
    Some(match action {
        "DescribeImages" => page(
            "ImageInfoList",
            versions
                .iter()
                .flat_map(|(manifest, tags)| {
                    tags.iter().map(move |tag| {
                        json!({
                            "Digest": manifest.digest, "Size": size(manifest), "ImageVersion": tag, "Kind": "image",
                            "UpdateTime": "2026-03-01 10:00:00.915755 +0000 UTC",
                        })
                    })
                })
                .collect(),
        ),
        "DeleteRepository" => {
            call.remove(&name);
            said(json!({}))
        }
        other => panic!("nobody should call {other}"),
    })
}

/// The calls that were made, in order.
fn actions(fake: &Fake) -> Vec<String> {
    fake.front.received().into_iter().filter_map(|mut request| request.headers.remove("x-tc-action")).collect()
}

#[test]
fn a_key_is_made_a_password_once_and_shown_to_nobody() {
    let fake = fake();
    put(fake.front.storage(), "acme/app", &["a"], "one");
    let run = program(&fake, None).run(["inspect", "v//acme/app:a", "-vv"]).succeeds();
    run.hides(PASSWORD).hides(TOKEN).hides("Signature=");
    let made = actions(&fake).into_iter().filter(|action| action == "CreateInstanceToken").count();
    assert_eq!(made, 1);
    for request in fake.front.received().iter().filter(|request| !request.target.starts_with("/tencent/")) {
        assert!(!String::from_utf8_lossy(&request.bytes).contains(SECRET_ID), "the registry saw the key");
    }
}

#[test]
fn a_wrong_key_is_said_and_nothing_else_is_tried() {
    let fake = fake();
    let mut program = program(&fake, None);
    program.set("REGCTL_V_PASSWORD", "wrong-canary");
    let run = program.run(["tag", "list", "v//acme/app"]).exits(5);
    run.says("AuthFailure.SignatureFailure").hides("wrong-canary");
    assert!(!actions(&fake).contains(&"CreateInstanceToken".to_owned()));
}

#[test]
fn a_tag_alone_on_its_digest_goes_by_the_digest() {
    let fake = fake();
    put(fake.front.storage(), "acme/app", &["alone"], "one");
    put(fake.front.storage(), "acme/app", &["a", "b"], "two");
    program(&fake, None).run(["tag", "delete", "v//acme/app:alone", "--yes"]).succeeds();
    program(&fake, None).run(["tag", "delete", "v//acme/app:a", "--yes"]).exits(7).says("tccli tcr DeleteRepositoryTags").says("b");
    let left = fake.front.storage().tags(&"acme/app".parse().unwrap()).unwrap();
    assert_eq!(left.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn what_a_docker_login_can_not_do_is_said() {
    let fake = docker_login();
    put(fake.front.storage(), "acme/app", &["a", "b"], "one");
    program(&fake, None).run(["tag", "delete", "v//acme/app:a", "--yes"]).exits(7).says("tccli tcr DeleteRepositoryTags");
    // by its manifests, because only a key has the call
    program(&fake, None).run(["repo", "delete", "v//acme/app", "--yes"]).succeeds();
    assert!(fake.front.storage().tags(&"acme/app".parse().unwrap()).is_none_or(|tags| tags.is_empty()));
    assert_eq!(actions(&fake), [] as [String; 0], "the API takes keys only");
}

#[test]
fn who_may_not_is_told_the_permissions() {
    let behaviour = Behaviour { catalog: Catalog::Denied, ..Behaviour::default() };
    let auth = Auth::PublicToken(Account::new("100012345678", TOKEN));
    let fake = Fake::with(Kind::Tcr, SECRET_ID, Some("/tencent"), auth, behaviour, |call| {
        let answer = enterprise(call)?;
        match call.header("x-tc-action") {
            Some("DescribeRepositories") => Some(refused("UnauthorizedOperation.CamNoAuth", "not authorized")),
            _ => Some(answer),
        }
    });
    program(&fake, None).run(["repo", "list", "v"]).exits(5).says("tcr:DescribeRepositories");
}

/// The international site has another API, and an instance that this key doesn't see is no reason to take another.
#[test]
fn an_instance_of_somebody_else_is_not_taken() {
    let fake = Fake::start(Kind::Tcr, SECRET_ID, Some("/tencent"), Behaviour::default(), |call| {
        (call.path == "/tencent/").then(|| {
            said(json!({ "TotalCount": 1, "Registries": [{ "RegistryId": "tcr-other", "RegistryName": "other", "PublicDomain": "other.tencentcloudcr.com" }] }))
        })
    });
    program(&fake, None).run(["tag", "list", "v//acme/app"]).exits(5).says("sees no instance of TCR at 127.0.0.1");
}

/// Nobody here has the name of the personal edition, so a proxy answers for it.
#[test]
fn the_personal_edition_is_listed_with_a_key() {
    let proxy = Canned::start(|request| {
        if request.target != "http://api.example/" {
            return Answer::new(401, "application/json", "{}").header("WWW-Authenticate", "Basic realm=\"x\"");
        }
        let asked: Value = serde_json::from_str(&request.body).unwrap();
        let (begin, limit) = (asked["Offset"].as_u64().unwrap() as usize, PAGE);
        match request.headers["x-tc-action"].as_str() {
            "DescribeRepositoryOwnerPersonal" => {
                let names: Vec<Value> = (0..5).map(|number| json!({ "RepoName": format!("acme/r{number}") })).collect();
                let shown: Vec<&Value> = names.iter().skip(begin).take(limit).collect();
                said(json!({ "Data": { "TotalCount": 5, "RepoInfo": shown, "Server": "ccr.ccs.tencentyun.com" } }))
            }
            "DescribeImagePersonal" => {
                let tag = json!({ "TagName": "v1", "SizeByte": 134_217_728, "PushTime": "2019-10-24 14:20:11 +0800 CST" });
                let shown: Vec<Value> = std::iter::once(tag).skip(begin).collect();
                said(json!({ "Data": { "RepoName": asked["RepoName"], "TagCount": 1, "TagInfo": shown } }))
            }
            other => panic!("nobody should call {other}"),
        }
    });
    let mut program = Program::new();
    program.set("HTTP_PROXY", format!("http://{}", proxy.address()));
    program.set("REGCTL_USERNAME", SECRET_ID);
    program.set("REGCTL_PASSWORD", PASSWORD);
    let add = ["add", "p", "http://ccr.ccs.tencentyun.com", "--plain-http", "--api-address", "http://api.example", "--no-check"];
    program.run(add).succeeds().says("provider tcr");
    let listed = program.run(["repo", "list", "p", "-q"]).succeeds();
    assert_eq!(listed.stdout.lines().collect::<Vec<_>>(), ["p/acme/r0", "p/acme/r1", "p/acme/r2", "p/acme/r3", "p/acme/r4"]);
    program.run(["tag", "list", "p//acme/r0"]).succeeds().shows("v1");
    let refused = program.run(["tag", "delete", "p//acme/r0:v1", "--yes"]).exits(5);
    refused.says("makes no password for the personal edition").says("the account's number").hides(PASSWORD);
}

#[test]
fn who_is_nobody_reads_by_v2() {
    let fake = fake();
    put(fake.front.storage(), "acme/app", &["a"], "one");
    let registry = open_as(&fake, None, None);
    let tags = wait(registry.tags(&"acme/app".parse().unwrap()).try_collect::<Vec<_>>()).unwrap().concat();
    assert_eq!(tags.iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>(), ["a"]);
    let refused = wait(registry.delete_repository(&"acme/app".parse().unwrap())).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::CredentialMissing, "{refused}");
}
