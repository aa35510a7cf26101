//! Credentials made of access keys: what the server sees, and that the keys stay what is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::support::canned::{Answer, Canned, Received};
use crate::support::keyring::{Keyring, State};
use crate::support::moto::Moto;
use crate::support::program::Program;

const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET_KEY: &str = "s3cr3t-canary-key";

fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{password}")))
}

/// A registry that takes any user name and password.
fn registry() -> Canned {
    Canned::start(|request| match request.headers.get("authorization") {
        None => Answer::new(401, "application/json", "{}").header("WWW-Authenticate", "Basic realm=\"x\""),
        Some(_) if request.target.contains("/manifests/") => {
            Answer::new(200, "application/vnd.oci.image.manifest.v1+json", r#"{"schemaVersion":2,"layers":[]}"#)
        }
        Some(_) => Answer::new(200, "application/json", r#"{"name":"app","tags":["v1"]}"#),
    })
}

/// What it was shown, each once and in order.
fn shown(registry: &Canned) -> Vec<String> {
    let mut all: Vec<String> =
        registry.received().into_iter().filter_map(|mut request| request.headers.remove("authorization")).collect();
    all.dedup();
    all
}

/// An API that gives tokens, or what else `answer` says. Counts how often it was asked.
fn api(answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> (Canned, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let api = Canned::start(move |request| {
        counted.fetch_add(1, Ordering::SeqCst);
        answer(request)
    });
    (api, asked)
}

fn token(password: &str) -> Answer {
    let token = BASE64_STANDARD.encode(format!("AWS:{password}"));
    let body = format!(r#"{{"authorizationData":[{{"authorizationToken":"{token}","expiresAt":4102444800.0}}]}}"#);
    Answer::new(200, "application/x-amz-json-1.1", &body)
}

/// An entry of ECR whose secret is in the environment.
fn ecr(registry: &Canned, api: &str, more: &str) -> Program {
    let mut program = Program::new();
    program.write_catalogue(&format!(
        "[registry.prod]\naddress = \"http://{}\"\nprovider = \"ecr\"\nregion = \"eu-west-1\"\napi_address = \"{api}\"\n{more}",
        registry.address()
    ));
    program.set("REGCTL_PASSWORD", SECRET_KEY);
    program.set("REGCTL_USERNAME", ACCESS_KEY);
    program
}

/// Zadig writes the derived login over the keys when an entry is changed; three runs here change nothing.
#[test]
fn swr_sees_the_login_and_the_keyring_keeps_the_keys() {
    const LOGIN: (&str, &str) =
        ("cn-north-4@FAKEAK0123456789ABCD", "c8eace1ce437b1110cbd90af1f678a9ee9cbbda0c8a33e6135eecae9ad4bcdfc");
    const KEYS: (&str, &str) = ("FAKEAK0123456789ABCD", "fakeSecretKeyForTestsOnly0000000000000000");
    let Some(keyring) = Keyring::start(State::Unlocked) else { return };
    let registry = registry();
    let program = Program::with_keyring(&keyring);
    program.write_catalogue(&format!(
        "[registry.prod]\naddress = \"http://{}\"\nprovider = \"swr\"\nregion = \"cn-north-4\"\n",
        registry.address()
    ));
    let login = program.call(["login", "prod", "--username", KEYS.0, "--password-stdin"]).stdin(KEYS.1).run();
    login.succeeds().says("signed in to prod").hides(KEYS.1);
    for _ in 0..3 {
        program.run(["tag", "list", "prod/app", "-vv"]).succeeds().shows("v1").hides(KEYS.1).hides(LOGIN.1);
    }
    assert_eq!(shown(&registry), [basic(LOGIN.0, LOGIN.1)]);
    // what is kept is shown to a registry that takes keys as they are
    program.run(["update", "prod", "--provider", "native"]).succeeds();
    program.run(["tag", "list", "prod/app"]).succeeds();
    assert_eq!(shown(&registry).last(), Some(&basic(KEYS.0, KEYS.1)));
}

#[test]
fn ecr_sees_a_token_that_was_asked_for_once() {
    let registry = registry();
    let (api, asked) = api(|request| {
        let signed = &request.headers["authorization"];
        let date = &request.headers["x-amz-date"];
        let scope = format!("Credential={ACCESS_KEY}/{}/eu-west-1/ecr/aws4_request", &date[..8]);
        let well_asked = signed.starts_with("AWS4-HMAC-SHA256 ")
            && signed.contains(&scope)
            && signed.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-target,")
            && request.headers["x-amz-target"] == "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
            && request.headers["content-type"] == "application/x-amz-json-1.1"
            && (request.method.as_str(), request.target.as_str(), request.body.as_str()) == ("POST", "/", "{}");
        if well_asked { token("t0ken-canary") } else { Answer::new(400, "application/json", "{}") }
    });
    let program = ecr(&registry, &format!("http://{}", api.address()), "");
    let run = program.run(["manifest", "get", "prod/app:v1", "-vv"]);
    run.succeeds().hides("canary");
    assert_eq!(shown(&registry), [basic("AWS", "t0ken-canary")]);
    assert!(registry.received().len() > 1, "several requests");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_refused_key_is_said_and_not_tried_again() {
    for (status, answer, says) in [
        (
            400,
            r#"{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"The security token is invalid"}"#,
            "refused the access key AKIAIOSFODNN7EXAMPLE (UnrecognizedClientException: The security token is invalid)",
        ),
        (
            400,
            r#"{"__type":"InvalidSignatureException","message":"Signature expired: 20260101T000000Z\nThe Canonical String"}"#,
            "(InvalidSignatureException: Signature expired: 20260101T000000Z)",
        ),
        (
            400,
            r#"{"__type":"AccessDeniedException","Message":"not authorized to perform: ecr:GetAuthorizationToken"}"#,
            "may not ask for a token",
        ),
    ] {
        let registry = registry();
        let (api, asked) = api(move |_| Answer::new(status, "application/x-amz-json-1.1", answer));
        let program = ecr(&registry, &format!("http://{}", api.address()), "");
        program.run(["manifest", "get", "prod/app:v1"]).fails(5).says(says).hides("canary");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{answer}");
        assert_eq!(shown(&registry), [] as [String; 0], "neither key nor token");
    }
    let registry = registry();
    let (broken, _) = api(|_| Answer::new(200, "text/html", "<html>"));
    let program = ecr(&registry, &format!("http://{}", broken.address()), "");
    program.run(["manifest", "get", "prod/app:v1"]).fails(1).says("answered without a token");
}

/// A path that somebody wrote into the file, and the way to put it right that is offered.
#[test]
fn the_path_of_a_hand_written_address_is_moved_by_an_update() {
    let registry = registry();
    let program = ecr(&registry, "http://127.0.0.1:1", "");
    let catalogue = std::fs::read_to_string(program.catalogue()).unwrap();
    let authority = registry.address().to_string();
    std::fs::write(program.catalogue(), catalogue.replace(&authority, &format!("{authority}/team/apps"))).unwrap();
    program.run(["tag", "list", "prod/app"]).fails(1).says("regctl update prod --namespace team/apps");
    program.run(["update", "prod", "--namespace", "team/apps"]).succeeds();
    let entry = program.run(["get", "prod", "-o", "json"]).succeeds().json();
    assert_eq!((&entry["address"], &entry["namespace"]), (&format!("http://{authority}").into(), &"team/apps".into()));
}

#[test]
fn what_is_a_token_already_is_sent_as_it_is() {
    let registry = registry();
    let (api, asked) = api(|_| token("other"));
    let address = format!("http://{}", api.address());
    let mut program = ecr(&registry, &address, "credential_command = [\"/bin/echo\", \"ready\"]\ncredential = \"command\"\n");
    program.set("REGCTL_USERNAME", "");
    program.set("REGCTL_PASSWORD", "");
    program.run(["tag", "list", "prod/app"]).succeeds();
    assert_eq!(shown(&registry), [basic("AWS", "ready")]);
    let mut program = ecr(&registry, &address, "");
    program.set("REGCTL_USERNAME", "ASIAIOSFODNN7EXAMPLE");
    program.run(["tag", "list", "prod/app"]).fails(5).says("temporary access key").says("get-login-password").hides("canary");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn the_api_is_inside_the_allow_list_or_not_asked() {
    let registry = registry();
    let silent = std::net::TcpListener::bind("127.0.0.2:0").unwrap();
    silent.set_nonblocking(true).unwrap();
    let program = ecr(&registry, &format!("http://{}", silent.local_addr().unwrap()), "allow_subnets = [\"127.0.0.1\"]\n");
    program.run(["tag", "list", "prod/app"]).fails(8).says("127.0.0.2 is outside the allow-list");
    assert!(silent.accept().is_err(), "somebody connected");
    assert_eq!(shown(&registry), [] as [String; 0]);
}

/// Amazon's public registry has another API, of which this key may ask for tokens only. Nobody here has its name, so a proxy answers for it.
#[test]
fn the_public_registry_has_its_own_api() {
    let proxy = Canned::start(|request| match request.target.as_str() {
        "http://api.example/" if request.headers["x-amz-target"] != "SpencerFrontendService.GetAuthorizationToken" => {
            Answer::new(400, "application/json", r#"{"__type":"AccessDeniedException"}"#)
        }
        "http://api.example/" => {
            let right = request.headers["authorization"].contains("/us-east-1/ecr-public/aws4_request");
            let body = format!(r#"{{"authorizationData":{{"authorizationToken":"{}"}}}}"#, BASE64_STANDARD.encode("AWS:public"));
            Answer::new(if right { 200 } else { 400 }, "application/json", &body)
        }
        target if target.starts_with("http://public.ecr.aws/token/") => {
            let right = request.headers["authorization"] == basic("AWS", "public");
            Answer::new(if right { 200 } else { 401 }, "application/json", r#"{"token":"bearer"}"#)
        }
        _ if request.headers.get("authorization").map(String::as_str) == Some("Bearer bearer") => {
            Answer::new(200, "application/json", r#"{"name":"app","tags":["v1"]}"#)
        }
        _ => {
            let challenge = "Bearer realm=\"http://public.ecr.aws/token/\",service=\"public.ecr.aws\",scope=\"aws\"";
            Answer::new(401, "application/json", "{}").header("WWW-Authenticate", challenge)
        }
    });
    let mut program = Program::new();
    program.set("HTTP_PROXY", format!("http://{}", proxy.address()));
    program.set("REGCTL_USERNAME", ACCESS_KEY);
    program.set("REGCTL_PASSWORD", SECRET_KEY);
    let add = ["add", "public", "http://public.ecr.aws/acme", "--plain-http", "--api-address", "http://api.example", "--no-check"];
    let added = program.run(add).succeeds();
    added.says("provider ecr").says("region us-east-1").says("namespace acme, because of the address");
    program.run(["tag", "list", "public/app"]).succeeds().shows("v1");
    let listed = "http://public.ecr.aws/v2/acme/app/tags/list";
    assert!(proxy.received().iter().any(|request| request.target.starts_with(listed)), "the namespace");
}

/// The real thing, as far as it can be had without Amazon: moto checks the signature.
#[test]
fn signatures_are_accepted_by_a_server_that_checks_them() {
    let Some(moto) = Moto::start() else { return };
    let key = moto.access_key();
    let registry = registry();
    let mut program = ecr(&registry, &moto.address(), "");
    program.set("REGCTL_USERNAME", &key.id);
    program.set("REGCTL_PASSWORD", &key.secret);
    // its tokens ended in 2015, which is no reason to ask for another one before each request
    program.run(["manifest", "get", "prod/app:v1"]).succeeds();
    let seen = shown(&registry);
    assert_eq!(seen.len(), 1);
    let pair = BASE64_STANDARD.decode(seen[0].strip_prefix("Basic ").unwrap()).unwrap();
    assert!(pair.starts_with(b"AWS:") && pair.len() > 4, "{pair:?}");
    program.set("REGCTL_PASSWORD", "wrong-canary");
    program.run(["manifest", "get", "prod/app:v1"]).fails(5).says("refused the access key").hides("canary");
    assert_eq!(shown(&registry).len(), 1, "nothing more was shown");
}
