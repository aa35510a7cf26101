//! What is read of each vendor's answers, as its documentation shows them (`tests/fixtures`).

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use futures_util::TryStreamExt;
use regctl::providers::{self, Place};
use regctl::registry::{Kind, Registry};
use regctl::transport::{Client, Settings};

use super::{Account, REGION};
use crate::support::canned::{Answer, Canned};
use crate::support::http::wait;

/// Ends of paths or names of calls, and the files that are given for them; with `/v2/`, the service that its challenge names.
type Files = &'static [(&'static str, &'static str)];

/// A server that gives these files to requests whose path ends so, and 404 to all else.
fn open(kind: Kind, username: &'static str, files: Files) -> Arc<dyn Registry> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind.word());
    let server = Canned::start(move |request| {
        let path = request.target.split('?').next().unwrap_or_default();
        let named = |name: &str| files.iter().find(|(end, _)| *end == name);
        if path == "/v2/" {
            return match named(path) {
                Some((_, service)) => Answer::new(401, "application/json", "{}").header(
                    "WWW-Authenticate",
                    &format!("Bearer realm=\"http://{}/token\",service=\"{service}\"", request.headers["host"]),
                ),
                None => Answer::new(200, "application/json", "{}"),
            };
        }
        let action = ["x-tc-action", "x-acs-action"].iter().find_map(|name| request.headers.get(*name));
        match action.and_then(|action| named(action)).or_else(|| files.iter().find(|(end, _)| path.ends_with(end))) {
            Some((_, file)) => {
                let text = std::fs::read_to_string(folder.join(file)).unwrap();
                Answer::new(200, "application/json", &text.replace("HOST", &request.headers["host"]))
            }
            None => Answer::new(404, "application/json", r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#),
        }
    });
    let address: url::Url = format!("http://{}", server.address()).parse().unwrap();
    let mut settings = Settings::new("fixture", address.clone());
    settings.credentials = Arc::new(Account(username));
    let place = Place {
        client: Client::new(settings),
        name: "fixture".into(),
        api_address: Some(address),
        namespace: Some("acme".into()),
        region: Some(REGION.into()),
    };
    providers::open(kind, place).unwrap()
}

fn tags(registry: &dyn Registry) -> String {
    let pages = wait(registry.tags(&"team/app".parse().unwrap()).try_collect::<Vec<_>>()).unwrap();
    let mut text = String::new();
    for tag in pages.concat() {
        let digest = tag.digest.map_or("-".into(), |digest| digest.short().to_owned());
        let kind = tag
            .media_type
            .as_deref()
            .and_then(|kind| kind.rsplit_once('.').map(|(front, _)| front.rsplit('.').next().unwrap_or(front)));
        let date = |date: Option<jiff::Timestamp>| date.map_or("-".into(), |date| date.strftime("%Y-%m-%dT%H:%M:%S").to_string());
        let size = tag.size.map_or("-".into(), |size| size.to_string());
        let platforms = tag.platforms.map_or("-".into(), |platforms| platforms.join(","));
        writeln!(
            text,
            "{} {digest} {} {size} pushed {} pulled {} {platforms}",
            tag.name,
            kind.unwrap_or("-"),
            date(tag.pushed_at),
            date(tag.pulled_at)
        )
        .unwrap();
    }
    text
}

#[test]
fn tags_as_documented() {
    let vendors: &[(Kind, &'static str, Files)] = &[
        (Kind::Harbor, "robot$ci", &[("/artifacts", "artifacts.json")]),
        (Kind::Dockerhub, "acme", &[("/v2/namespaces/team/repositories/app/tags", "tags.json"), ("/v2/auth/token", "token.json")]),
        (Kind::Ghcr, "acme", &[("/users/team", "owner.json"), ("/orgs/team/packages/container/app/versions", "versions.json")]),
        (Kind::Quay, "$oauthtoken", &[("/v1/repository/team/app/tag/", "tags.json")]),
        (Kind::Azure, "acme", &[("/acr/v1/team/app/_tags", "tags.json")]),
        (Kind::Gar, "oauth2accesstoken", &[("/v2/team/app/tags/list", "tags.json")]),
        (Kind::Ecr, "AKIAIOSFODNN7EXAMPLE", &[("/", "describe-images.json")]),
        (Kind::Nexus, "acme", &[("/v1/search", "search.json"), ("/v2/team/app/tags/list", "tags.json")]),
        (
            Kind::Ionos,
            "acme",
            &[("/registries", "api-registries.json"), ("/repositories/team%2Fapp/artifacts", "api-artifacts.json")],
        ),
        (
            Kind::Tcr,
            "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
            &[("DescribeInstances", "describe-instances.json"), ("DescribeImages", "describe-images.json")],
        ),
        (
            Kind::Acr,
            "LTAI5tExampleKey00000000",
            &[
                ("/v2/", "registry.aliyuncs.com:cn-hangzhou:cri-kmsiwlxxdcvaduwb"),
                ("GetRepository", "get-repository.json"),
                ("ListRepoTag", "list-repo-tag.json"),
            ],
        ),
        (
            Kind::Acr,
            "LTAI5tExampleKey00000000",
            &[("/v2/", "registry.aliyuncs.com:cn-hangzhou:26842"), ("/repos/team/app/tags", "tags.json")],
        ),
    ];
    let mut text = String::new();
    for (kind, username, files) in vendors {
        write!(text, "{kind}\n{}", tags(&*open(*kind, username, files))).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn repositories_as_documented() {
    let registry = open(Kind::Gitlab, "acme", &[("/v4/groups/acme/registry/repositories", "repositories.json")]);
    let names = wait(registry.repositories().try_collect::<Vec<_>>()).unwrap().concat();
    assert_eq!(names.iter().map(ToString::to_string).collect::<Vec<_>>(), ["acme/tools", "acme/tools/releases"]);
}
