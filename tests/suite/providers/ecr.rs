//! ECR: one address for everything, errors with 400, failures with 200, and an image that goes with its last tag.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::TryStreamExt;
use regctl::credentials::{Credential, Found, Secret, Source, Unavailable};
use regctl::oci::{Digest, Repository};
use regctl::providers::{self, Place};
use regctl::registry::{Kind, Scanned, Severity};
use regctl::serve::{Account, Auth, Behaviour, Catalog};
use regctl::transport::{Client, Settings};
use serde_json::{Value, json};

use super::fake::{Call, Fake, PAGE, PASSWORD, empty, error, fixture, size};
use super::open;
use super::program::put;
use crate::support::canned::{Answer, Canned};
use crate::support::content::Image;
use crate::support::http::wait;
use crate::support::moto::Moto;
use crate::support::program::Program;

/// The access key; its secret is the password of all fakes.
pub const USERNAME: &str = "AKIAIOSFODNN7EXAMPLE";
const TOKEN: &str = "token-of-twelve-hours";
const PUSHED: f64 = 1_772_359_200.25;

pub fn fake() -> Fake {
    let behaviour = Behaviour { catalog: Catalog::Absent, ..Behaviour::default() };
    Fake::with(Kind::Ecr, USERNAME, Some(""), Auth::Basic(Account::new("AWS", TOKEN)), behaviour, answer)
}

fn said(document: &Value) -> Answer {
    Answer::new(200, "application/x-amz-json-1.1", &document.to_string())
}

fn refused(name: &str, message: &str) -> Answer {
    let document = json!({ "__type": format!("com.amazonaws.ecr#{name}"), "message": message });
    Answer::new(400, "application/x-amz-json-1.1", &document.to_string())
}

/// One of Amazon's two APIs.
struct Api {
    /// Where it is.
    path: &'static str,
    /// What signatures are good for, after the day.
    scope: &'static str,
    /// What stands before the names of operations.
    prefix: &'static str,
    /// What the account is called in the public registry, before every name.
    alias: &'static str,
}

const PRIVATE: Api =
    Api { path: "/", scope: "/europe-west3/ecr/aws4_request", prefix: "AmazonEC2ContainerRegistry_V20150921.", alias: "" };
const PUBLIC: Api = Api {
    path: "http://api.example/",
    scope: "/us-east-1/ecr-public/aws4_request",
    prefix: "SpencerFrontendService.",
    alias: "acme/",
};

fn answer(call: &Call<'_>) -> Option<Answer> {
    answer_of(&PRIVATE, call)
}

fn answer_of(api: &Api, call: &Call<'_>) -> Option<Answer> {
    if call.deleted_manifest().is_some() {
        return Some(error(405, "UNSUPPORTED", "The operation is unsupported."));
    }
    if call.method != "POST" || call.path != api.path {
        return None;
    }
    let sent = call.header("authorization").unwrap_or_default();
    let scope = format!("AWS4-HMAC-SHA256 Credential={USERNAME}/");
    if !sent.starts_with(&scope) || !sent.contains(api.scope) || call.header("x-amz-date").is_none() {
        return Some(refused("UnrecognizedClientException", "The security token included in the request is invalid."));
    }
    let target = call.header("x-amz-target")?.strip_prefix(api.prefix)?;
    let asked: Value = serde_json::from_str(&call.request.body).ok()?;
    if target == "GetAuthorizationToken" {
        let token = BASE64_STANDARD.encode(format!("AWS:{TOKEN}"));
        return Some(said(&json!({ "authorizationData": [{ "authorizationToken": token, "expiresAt": 4102444800.0 }] })));
    }
    let begin: usize = asked["nextToken"].as_str().map_or(0, |text| text.trim_start_matches("next-").parse().unwrap_or(0));
    let page = |name: &str, entries: Vec<Value>| {
        let shown: Vec<&Value> = entries.iter().skip(begin).take(PAGE).collect();
        let next = (begin + PAGE < entries.len()).then(|| format!("next-{}", begin + PAGE));
        said(&json!({ name: shown, "nextToken": next }))
    };
    if target == "DescribeRepositories" {
        let asked = asked["repositoryNames"].as_array();
        let wanted = |name: &&str| asked.is_none_or(|names| names.iter().any(|wanted| wanted == name));
        let names = call.repositories(None);
        let own = names.iter().filter_map(|name| name.as_str().strip_prefix(api.alias));
        let described: Vec<Value> = own.filter(wanted).map(|own| describe(api, own)).collect();
        return Some(match described.is_empty() && asked.is_some() {
            true => refused("RepositoryNotFoundException", "The repository does not exist in the registry"),
            false => page("repositories", described),
        });
    }
    if target == "DescribeRegistries" {
        // somebody else has the second
        let aliases = json!([{ "name": "acme", "status": "ACTIVE" }, { "name": "other", "status": "REJECTED" }]);
        return Some(said(&json!({ "registries": [{ "registryId": "123456789012", "aliases": aliases }] })));
    }
    let name = &format!("{}{}", api.alias, asked["repositoryName"].as_str()?);
    let Some(versions) = call.versions(name) else {
        return Some(refused(
            "RepositoryNotFoundException",
            &format!("The repository with name '{name}' does not exist in the registry"),
        ));
    };
    let repository: Repository = name.parse().ok()?;
    let delete = |digest: &Digest| call.storage.delete_manifest(&repository, digest).expect("it is in memory");
    Some(match target {
        "GetLifecyclePolicy" if name.ends_with("web") => {
            let rule = json!({
                "rulePriority": 1, "selection": { "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14 },
                "action": { "type": "expire" },
            });
            let text = json!({ "rules": [rule] }).to_string();
            said(
                &json!({ "registryId": "012345678910", "repositoryName": name, "lifecyclePolicyText": text, "lastEvaluatedAt": PUSHED }),
            )
        }
        "GetLifecyclePolicy" => refused("LifecyclePolicyNotFoundException", "Lifecycle policy does not exist"),
        "DescribeImages" => page(
            "imageDetails",
            versions
                .iter()
                .filter(|(_, tags)| !tags.is_empty() || asked["filter"]["tagStatus"] != "TAGGED")
                .map(|(manifest, tags)| {
                    json!({
                        "imageDigest": manifest.digest, "imageTags": tags, "imageSizeInBytes": size(manifest),
                        "imagePushedAt": PUSHED, "lastRecordedPullTime": PUSHED, "imageManifestMediaType": manifest.media_type,
                    })
                })
                .collect(),
        ),
        "BatchDeleteImage" => {
            let id = &asked["imageIds"][0];
            let found = versions.iter().find(|(manifest, tags)| {
                id["imageDigest"] == manifest.digest.as_str() || tags.iter().any(|tag| id["imageTag"] == tag.as_str())
            });
            let failure = |code: &str, reason: &str| json!({ "imageIds": [], "failures": [{ "imageId": id, "failureCode": code, "failureReason": reason }] });
            let Some((manifest, tags)) = found else {
                return Some(said(&failure("ImageNotFound", "Requested image not found")));
            };
            let last = id["imageTag"].is_null() || tags.len() == 1;
            if last && call.storage.is_child(&repository, &manifest.digest) {
                return Some(said(&failure("ImageReferencedByManifestList", "Requested image referenced by manifest list")));
            }
            match id["imageTag"].as_str().filter(|_| !last) {
                Some(tag) => call.untag(name, tag),
                None => delete(&manifest.digest),
            };
            said(&json!({ "imageIds": [id], "failures": [] }))
        }
        "DescribeImageScanFindings" => {
            let digest = asked["imageId"]["imageDigest"].as_str()?;
            if !call.is_scanned(name, digest) {
                let message =
                    format!("Image scan does not exist for the image with '{{imageDigest:'{digest}'}}' in the repository");
                return Some(refused("ScanNotFoundException", &message));
            }
            // a finding a page
            let mut page = fixture("ecr/enhanced-findings.json");
            let found = page["imageScanFindings"]["enhancedFindings"].as_array().cloned().unwrap_or_default();
            page["imageScanFindings"]["enhancedFindings"] = json!([found[begin]]);
            if begin + 1 < found.len() {
                page["nextToken"] = json!(format!("next-{}", begin + 1));
            }
            said(&page)
        }
        "DeleteRepository" if asked["force"] != true && !versions.is_empty() => {
            refused("RepositoryNotEmptyException", "The repository is not empty")
        }
        "DeleteRepository" => {
            call.remove(name);
            said(&json!({ "repository": { "repositoryName": name } }))
        }
        _ => empty(400),
    })
}

fn describe(api: &Api, own: &str) -> Value {
    let mutability = if own.ends_with("frozen") { "IMMUTABLE" } else { "MUTABLE" };
    match api.alias {
        "" => json!({ "repositoryName": own, "imageTagMutability": mutability }),
        alias => json!({ "repositoryName": own, "repositoryUri": format!("public.ecr.aws/{alias}{own}") }),
    }
}

/// The same API as somebody else understood it, with signatures that are checked.
#[test]
fn moto_agrees() {
    let Some(moto) = Moto::start() else { return };
    for name in ["acme/app", "acme/other"] {
        moto.ecr("CreateRepository", &json!({ "repositoryName": name }).to_string());
    }
    let image = |marker: &str| String::from_utf8(Image::new(marker, "amd64").manifest).unwrap();
    let push = |tag: &str, marker: &str| {
        let document = json!({ "repositoryName": "acme/app", "imageManifest": image(marker), "imageTag": tag });
        moto.ecr("PutImage", &document.to_string());
    };
    for number in 0..4 {
        push(&format!("v{number}"), "one");
    }
    push("other", "two");
    moto.ecr("StartImageScan", &json!({ "repositoryName": "acme/app", "imageId": { "imageTag": "v0" } }).to_string());
    let key = moto.access_key();
    let v2 = Canned::start(|_| Answer::new(404, "application/json", "{}"));
    let mut settings = Settings::new("moto", format!("http://{}", v2.address()).parse().unwrap());
    settings.credentials = Arc::new(AccessKey(key.id, key.secret));
    let place = Place {
        client: Client::new(settings),
        name: "moto".into(),
        api_address: Some(moto.address().parse().unwrap()),
        namespace: None,
        region: Some("us-east-1".into()),
    };
    let registry = providers::open(Kind::Ecr, place).unwrap();
    let app: Repository = "acme/app".parse().unwrap();
    let tags = || {
        let mut tags = wait(registry.tags(&app).try_collect::<Vec<_>>()).unwrap().concat();
        tags.sort_by(|a, b| a.name.cmp(&b.name));
        tags
    };
    let names = wait(registry.repositories().try_collect::<Vec<_>>()).unwrap().concat();
    assert_eq!(names.iter().map(ToString::to_string).collect::<Vec<_>>(), ["acme/app", "acme/other"]);
    let before = tags();
    assert_eq!(before.iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>(), ["other", "v0", "v1", "v2", "v3"]);
    assert_eq!(before[1].digest, before[2].digest);
    assert!(before.iter().all(|tag| tag.pushed_at.is_some() && tag.digest.is_some()));
    let report = |tag: usize| wait(registry.vulnerabilities(&app, before[tag].digest.as_ref().unwrap())).unwrap();
    let Scanned::Report(findings) = report(1) else { panic!("{:?}", report(1)) };
    let first = &findings.vulnerabilities[0];
    assert_eq!((first.id.as_str(), first.severity, first.package.as_deref()), ("CVE-9999-9999", Severity::High, Some("moto_fake")));
    assert_eq!(report(0), Scanned::Nothing("ECR has not scanned it".into()));
    assert!(wait(registry.untag(&app, &"v0".parse().unwrap())).unwrap());
    assert_eq!(tags().len(), 4, "one tag, and no other");
    assert!(wait(registry.delete_manifest(&app, before[0].digest.as_ref().unwrap())).unwrap());
    assert!(!wait(registry.delete_manifest(&app, before[0].digest.as_ref().unwrap())).unwrap(), "already gone");
    assert_eq!(tags().iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>(), ["v1", "v2", "v3"]);
    assert!(wait(registry.delete_repository(&app)).unwrap());
    assert!(!wait(registry.delete_repository(&app)).unwrap(), "already gone");
}

struct AccessKey(String, String);

#[async_trait]
impl Source for AccessKey {
    async fn credential(&self) -> Result<Option<Found>, Unavailable> {
        let credential = Credential::Basic { username: self.0.clone(), password: Secret::new(self.1.clone()) };
        Ok(Some(Found { credential, origin: "the test".into() }))
    }
}

/// 200 is no success where it comes with failures.
#[test]
fn an_image_of_an_index_is_kept() {
    let fake = fake();
    let child = put(fake.front.storage(), "acme/app", &["child"], "one");
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": child, "size": 1 }],
    });
    let index = regctl::oci::RawManifest::new("application/vnd.oci.image.index.v1+json", index.to_string());
    let app: Repository = "acme/app".parse().unwrap();
    fake.front.storage().put_manifest(&app, index, Some(&"v1".parse().unwrap())).unwrap();
    let refused = wait(open(&fake, "acme").delete_manifest(&app, &child)).unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (regctl::registry::ErrorKind::Conflict, Some("ImageReferencedByManifestList")));
    assert!(refused.remedies().is_some_and(|remedy| remedy.contains("index")));
}

/// Nobody here has its name, so the fake is a proxy.
fn public() -> (Fake, Program) {
    let behaviour = Behaviour { catalog: Catalog::Absent, ..Behaviour::default() };
    let auth = Auth::PublicToken(Account::new("AWS", TOKEN));
    let fake = Fake::with(Kind::Ecr, USERNAME, None, auth, behaviour, |call| answer_of(&PUBLIC, call));
    let mut program = Program::new();
    program.set("HTTP_PROXY", fake.front.url());
    program.set("REGCTL_USERNAME", USERNAME);
    program.set("REGCTL_PASSWORD", PASSWORD);
    let add = ["add", "v", "http://public.ecr.aws", "--plain-http", "--api-address", "http://api.example", "--no-check"];
    program.run(add).succeeds().says("provider ecr");
    (fake, program)
}

#[test]
fn the_public_registry_is_listed_and_emptied() {
    let (fake, program) = public();
    let storage = fake.front.storage();
    let digest = put(storage, "acme/tools/web", &["a", "b"], "one");
    put(storage, "acme/app", &["v1"], "two");
    put(storage, "other/app", &["v1"], "two");
    let listed = program.run(["repo", "list", "v", "-q"]).succeeds().hides(PASSWORD);
    assert_eq!(listed.stdout.lines().collect::<Vec<_>>(), ["v/acme/app", "v/acme/tools/web"]);
    let tags = program.run(["tag", "list", "v//acme/tools/web", "--details", "-o", "json"]).succeeds().json();
    assert_eq!((&tags["items"][0]["digest"], tags["items"][0]["pushed_at"].is_null()), (&json!(digest), false), "{tags}");
    program.run(["tag", "delete", "v//acme/tools/web:a", "--yes"]).succeeds();
    let web: Repository = "acme/tools/web".parse().unwrap();
    assert_eq!(storage.tags(&web).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>(), ["b"]);
    program.run(["repo", "delete", "v//acme/tools/web", "--yes"]).succeeds();
    assert!(!storage.has(&web));
}

/// The account has a repository of the same name, and calls leave the alias out.
#[test]
fn a_repository_of_another_alias_is_not_taken_for_ones_own() {
    let (fake, program) = public();
    let storage = fake.front.storage();
    put(storage, "acme/app", &["v1", "v2"], "one");
    put(storage, "other/app", &["v1", "v2"], "two");
    program.run(["tag", "list", "v//other/app", "-q"]).succeeds().shows("v2");
    program.run(["tag", "delete", "v//other/app:v1", "--yes"]).exits(5).says("other is no alias of the account");
    program.run(["repo", "delete", "v//other/app", "--yes"]).exits(5);
    for name in ["acme/app", "other/app"] {
        assert_eq!(storage.tags(&name.parse().unwrap()).unwrap().len(), 2, "{name}");
    }
}

#[test]
fn nobody_reads_the_public_registry_without_its_api() {
    let (fake, mut program) = public();
    put(fake.front.storage(), "other/app", &["v1"], "one");
    program.set("REGCTL_USERNAME", "");
    program.set("REGCTL_PASSWORD", "");
    program.run(["tag", "list", "v//other/app", "-q"]).succeeds().shows("v1");
    assert!(fake.front.requests().iter().all(|request| !request.contains("api.example")), "{:?}", fake.front.requests());
}
