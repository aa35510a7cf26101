//! What is read of each vendor's answers, as its documentation shows them (`tests/fixtures`).

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use futures_util::TryStreamExt;
use regctl::oci::Digest;
use regctl::providers::{self, Place};
use regctl::registry::{Facts, Kind, Registry, Scanned};
use regctl::transport::{Client, Settings};

use super::{Account, REGION};
use crate::support::canned::{Answer, Canned};
use crate::support::http::wait;

/// Names of calls, ends of paths, or after a question mark a part of the query, and the files that are given for them; with `/v2/`, the
/// service that its challenge names.
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
        let fits = |end: &str| path.ends_with(end) || (end.starts_with('?') && request.target.contains(&end[1..]));
        match action.and_then(|action| named(action)).or_else(|| files.iter().find(|(end, _)| fits(end))) {
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
fn reports_as_documented() {
    let image = format!("sha256:{}", "0a".repeat(32)).parse::<Digest>().unwrap();
    let vendors: &[(Kind, &'static str, Files)] = &[
        (Kind::Harbor, "robot$ci", &[("/additions/vulnerabilities", "vulnerabilities.json")]),
        (Kind::Quay, "$oauthtoken", &[("/security", "security.json")]),
        (Kind::Ecr, "AKIAIOSFODNN7EXAMPLE", &[("/", "basic-findings.json")]),
        (Kind::Ecr, "AKIAIOSFODNN7EXAMPLE", &[("/", "enhanced-findings.json")]),
        (
            Kind::Ionos,
            "acme",
            &[
                ("/registries", "api-registries.json"),
                ("/vulnerabilities", "api-vulnerabilities.json"),
                ("?/artifacts/sha256:", "api-artifact.json"),
            ],
        ),
        (Kind::Gar, "oauth2accesstoken", &[("?DISCOVERY", "discovery.json"), ("?VULNERABILITY", "occurrences.json")]),
    ];
    let mut text = String::new();
    for (kind, username, files) in vendors {
        let registry = open(*kind, username, files);
        let Scanned::Report(report) = wait(registry.vulnerabilities(&"team/app".parse().unwrap(), &image)).unwrap() else {
            panic!("{kind} gives no report");
        };
        let scanned_at = report.scanned_at.map_or("-".into(), |date| date.strftime("%Y-%m-%dT%H:%M:%S").to_string());
        writeln!(text, "{kind} by {} at {scanned_at}", report.scanner.as_deref().unwrap_or("-")).unwrap();
        for found in report.vulnerabilities {
            let of = |text: &Option<String>| text.clone().unwrap_or("-".into());
            let (package, installed, fixed) = (of(&found.package), of(&found.installed), of(&found.fixed));
            let score = found.score.map_or("-".into(), |score| score.to_string());
            let fixable = found.fixable.map_or("-".into(), |fixable| fixable.to_string());
            writeln!(
                text,
                "  {} {} {package} {installed} fixed {fixed} {fixable} score {score} state {} | {} | {} | {} | {}",
                found.severity.word(),
                found.id,
                of(&found.state),
                of(&found.title),
                of(&found.link),
                of(&found.target),
                found.aliases.join(" ")
            )
            .unwrap();
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn repositories_as_documented() {
    let registry = open(Kind::Gitlab, "acme", &[("/v4/groups/acme/registry/repositories", "repositories.json")]);
    let names = wait(registry.repositories().try_collect::<Vec<_>>()).unwrap().concat();
    assert_eq!(names.iter().map(ToString::to_string).collect::<Vec<_>>(), ["acme/tools", "acme/tools/releases"]);
}

fn facts(registry: &dyn Registry) -> String {
    let Facts { storage, retention, garbage_collection, .. } = wait(registry.facts()).unwrap();
    let mut text = String::new();
    for part in storage.told().into_iter().flatten() {
        let number = |number: Option<u64>| number.map_or("-".into(), |number| number.to_string());
        let date = part.updated_at.map_or(String::new(), |date| format!(" at {date}"));
        writeln!(text, "storage of {}: {} of {} {:?}{date}", part.of, number(part.used), number(part.quota), part.unlimited)
            .unwrap();
    }
    for part in retention.told().into_iter().flatten() {
        writeln!(text, "retention of {}: {} ({:?})", part.of, part.rules.join("; "), part.schedule).unwrap();
    }
    if let Some(collection) = garbage_collection.told() {
        writeln!(text, "garbage collection: {:?}", collection.schedule).unwrap();
    }
    for needs in [storage.hidden(), retention.hidden(), garbage_collection.hidden()].into_iter().flatten() {
        writeln!(text, "hidden: {needs}").unwrap();
    }
    text
}

#[test]
fn facts_as_documented() {
    let vendors: &[(Kind, &'static str, Files)] = &[
        (
            Kind::Harbor,
            "robot$ci",
            &[
                ("/projects/acme/summary", "summary.json"),
                ("/projects/acme", "project.json"),
                ("/retentions/7", "retention.json"),
                ("/system/gc/schedule", "gc-schedule.json"),
            ],
        ),
        (Kind::Dockerhub, "acme", &[("/v2/namespaces/acme/repositories", "repositories.json"), ("/v2/auth/token", "token.json")]),
        (Kind::Quay, "$oauthtoken", &[("/organization/acme", "organization.json"), ("/autoprunepolicy/", "autoprune.json")]),
        (
            Kind::Gitlab,
            "acme",
            &[
                ("/v4/groups/acme/registry/repositories", "repositories.json"),
                ("/v4/registry/repositories/1", "repository.json"),
                ("/v4/registry/repositories/2", "repository.json"),
                ("/v4/projects/9", "project.json"),
            ],
        ),
        (Kind::Gar, "oauth2accesstoken", &[("/v1/projects/acme/locations/europe-west3/repositories", "repositories.json")]),
        (
            Kind::Ionos,
            "acme",
            &[("/registries", "api-registries.json"), ("/b8a6d4ff-0000-4000-8000-000000000001", "api-registry.json")],
        ),
        (Kind::Azure, "acme", &[]),
    ];
    let mut text = String::new();
    for (kind, username, files) in vendors {
        write!(text, "{kind}\n{}", facts(&*open(*kind, username, files))).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn locks_as_documented() {
    let files: Files = &[("/acr/v1/team/app/_manifests", "manifests.json"), ("/acr/v1/team/app", "repository.json")];
    let locks = wait(open(Kind::Azure, "acme", files).locks(&"team/app".parse().unwrap(), true)).unwrap();
    let why = |lock: Option<regctl::registry::Lock>| lock.and_then(regctl::registry::Lock::why);
    assert_eq!(why(locks.repository), Some("locked in Azure: deleteEnabled is false"));
    assert_eq!(locks.contents, None, "what is in it may go");
    let manifest = locks.manifests.into_values().next();
    assert_eq!(why(manifest), Some("locked in Azure: writeEnabled is false"));
}
