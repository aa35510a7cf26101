//! What holds for the output of every command: `-o json` is one document and nothing else, `-o jsonl` one a line, and no secret is
//! anywhere, however much is told.
//!
//! Every command of the help is here. A new one fails [`every_command_is_tried`] until it has a row.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::frame::commands;
use crate::support::content::{Image, Pusher, digest};
use crate::support::docker_registry::{DockerRegistry, PASSWORD, Setup, USERNAME};
use crate::support::program::{Finished, Program};

/// The passphrase of the encrypted file, which is a secret too.
const PASSPHRASE: &str = "canary-passphrase";

/// What a command's stdout is with `-o json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prints {
    /// One document.
    Json,
    /// Nothing: what it does is told on stderr.
    Nothing,
    /// Bytes as they are, whatever format is asked for.
    Raw,
}
use Prints::{Json, Nothing, Raw};

/// Commands that run until they are ended, or that print scripts and tours: tried elsewhere.
const NOT_HERE: &[&str] = &["serve", "demo", "completions", "man"];

/// The commands in an order in which each has something to do, with their exit code.
const COMMANDS: &[(&[&str], i32, Prints)] = &[
    (&["login", "vault", "--password-stdin", "--store", "encrypted-file"], 0, Nothing),
    (&["add", "other", "https://other.example", "--no-check"], 0, Json),
    (&["update", "other", "--description", "x"], 0, Json),
    (&["apply", "-f", "{catalogue}", "--dry-run"], 0, Json),
    (&["list"], 0, Json),
    (&["list", "--name", "nothing"], 0, Json),
    (&["get", "lab"], 0, Json),
    (&["get", "lab", "--live"], 0, Json),
    (&["set-default", "lab"], 0, Json),
    (&["deactivate", "other"], 0, Json),
    (&["activate", "other"], 0, Json),
    (&["remove", "other"], 0, Json),
    (&["restore", "other"], 0, Json),
    (&["remove", "other"], 0, Json),
    (&["purge", "other"], 0, Json),
    (&["import", "docker", "{docker}", "--dry-run"], 0, Json),
    (&["export", "docker", "lab"], 0, Raw),
    (&["schedule", "install", "lab", "--backend", "print"], 0, Json),
    (&["schedule", "status"], 0, Json),
    (&["schedule", "uninstall", "lab"], 0, Json),
    (&["check", "lab"], 0, Json),
    (&["doctor"], 0, Json),
    // this registry takes passwords and has no tokens
    (&["token", "app"], 7, Nothing),
    (&["repo", "list"], 0, Json),
    (&["repo", "list", "--filter", "nothing"], 0, Json),
    (&["repo", "get", "app"], 0, Json),
    (&["tag", "list", "app"], 0, Json),
    (&["tag", "list", "app", "--details"], 0, Json),
    (&["tag", "list", "app", "--filter", "nothing"], 0, Json),
    (&["tag", "list", "nowhere"], 3, Nothing),
    (&["tag", "get", "app:v1"], 0, Json),
    (&["inspect", "app:v1"], 0, Json),
    (&["inspect", "app:multi"], 0, Json),
    (&["search", "app", "-r", "lab"], 0, Json),
    (&["manifest", "head", "app:v1"], 0, Json),
    (&["manifest", "get", "app:v1"], 0, Raw),
    (&["manifest", "put", "app:v3", "{manifest}"], 0, Json),
    (&["blob", "head", "app@{layer}"], 0, Json),
    (&["blob", "get", "app@{layer}"], 0, Raw),
    (&["history"], 0, Json),
    (&["referrers", "app:v1"], 0, Json),
    (&["verify", "app", "--blobs"], 0, Json),
    (&["usage", "lab"], 0, Json),
    (&["usage", "app", "--top", "1"], 0, Json),
    (&["vulnerabilities", "app:v1"], 0, Json),
    (&["vulnerabilities", "app:v1", "--severity", "critical", "--fail-on", "critical"], 10, Json),
    (&["vulnerabilities", "app:v2"], 7, Nothing),
    (&["prune", "app", "--keep-last", "1", "--dry-run"], 0, Json),
    (&["tag", "delete", "app:v2", "--dry-run"], 0, Json),
    (&["tag", "delete", "app:v2", "--plan", "{plan}"], 0, Json),
    (&["apply-plan", "{plan}", "--yes"], 0, Json),
    (&["apply-plan", "{plan}", "--yes"], 0, Json),
    (&["history"], 0, Json),
    (&["undo"], 0, Json),
    (&["tag", "delete", "app:v2", "--yes"], 0, Json),
    (&["manifest", "delete", "app@{manifest-digest}", "--yes", "--with-siblings"], 0, Json),
    (&["repo", "delete", "app"], 8, Nothing),
    (&["repo", "delete", "app", "--yes"], 0, Json),
    (&["repo", "list", "vault"], 0, Json),
    (&["logout", "vault"], 0, Nothing),
    (&["repo", "list", "vault"], 5, Nothing),
];

/// No secret as it is, and not as it travels.
fn tells_no_secret(finished: Finished) -> Finished {
    let basic = BASE64_STANDARD.encode(format!("{USERNAME}:{PASSWORD}"));
    finished.hides(PASSWORD).hides(&basic).hides(BASE64_STANDARD.encode(PASSWORD).trim_end_matches('=')).hides(PASSPHRASE)
}

/// Runs them all in this format; `check` looks at those that print data.
fn all(format: &str, check: impl Fn(&Finished)) {
    let Some(registry) = DockerRegistry::start(Setup::Password) else { return };
    let pusher = Pusher::with_login(registry.address(), USERNAME, PASSWORD);
    for tag in ["v1", "v2"] {
        pusher.image("app", &[tag], tag);
    }
    pusher.index("app", "multi", &["amd64", "arm64"]);
    let image = Image::new("v1", "amd64");
    let report = br#"{"SchemaVersion":2,"ArtifactName":"app","Results":[{"Vulnerabilities":[{"VulnerabilityID":"CVE-2026-1001","Severity":"CRITICAL"}]}]}"#;
    pusher.attest("app", &digest(&image.manifest), "application/json", report);
    let mut program = Program::new();
    program.set("REGCTL_PASSPHRASE", PASSPHRASE);
    program.set("REGCTL_LAB_PASSWORD", PASSWORD);
    let entry = |name: &str, credential: &str| {
        format!(
            "[registry.{name}]\naddress = \"{}\"\nusername = \"{USERNAME}\"\ncredential = \"{credential}\"\n",
            registry.address()
        )
    };
    let clean_up = "[registry.lab.garbage_collection_schedule]\ndays = [\"Monday\"]\ntime = \"19:30:00+00:00\"\n\
                    [[registry.lab.retention]]\nrepositories = \"**\"\nkeep_last = 10\n";
    program.write_catalogue(&format!("default = \"lab\"\n{}{clean_up}{}", entry("lab", "env"), entry("vault", "none")));
    let manifest = program.home().join("manifest.json");
    std::fs::write(&manifest, &image.manifest).expect("the home is ours");
    let docker = program.home().join("docker.json");
    let auth = BASE64_STANDARD.encode(format!("{USERNAME}:{PASSWORD}"));
    std::fs::write(&docker, format!("{{\"auths\": {{\"docker.example\": {{\"auth\": \"{auth}\"}}}}}}")).expect("the home is ours");
    let fill = |word: &str| {
        word.replace("{catalogue}", &program.catalogue().to_string_lossy())
            .replace("{plan}", &program.home().join("plan.json").to_string_lossy())
            .replace("{docker}", &docker.to_string_lossy())
            .replace("{manifest}", &manifest.to_string_lossy())
            .replace("{manifest-digest}", &digest(&image.manifest))
            .replace("{layer}", &digest(&image.layer))
    };
    // opening the encrypted file is slow by design, and slower where nothing is optimised: once is enough
    let chosen = COMMANDS.iter().filter(|(arguments, ..)| format == "json" || !arguments.contains(&"vault"));
    for (arguments, exit, prints) in chosen {
        let arguments = arguments.iter().map(|word| fill(word)).chain(["-o".into(), format.into(), "-vv".into(), "--stats".into()]);
        let finished = program.call(arguments).stdin(format!("{PASSWORD}\n")).run().exits(*exit);
        let finished = tells_no_secret(finished);
        match prints {
            Json => check(&finished),
            Nothing if format == "table" => {}
            Nothing => assert_eq!(finished.stdout, "", "data of\n{finished}"),
            Raw => {}
        }
    }
}

#[test]
fn json_is_one_document_and_nothing_else() {
    all("json", |finished| {
        let document: Value = finished.json();
        assert!(document.is_object(), "{finished}");
        if let Some(items) = document.get("items") {
            let parts = (items.is_array(), document["failed"].is_array(), document.get("next_page").is_some());
            assert_eq!(parts, (true, true, true), "{finished}");
        }
        assert!(finished.stdout.ends_with("}\n"), "{finished}");
    });
}

#[test]
fn jsonl_is_one_document_a_line() {
    all("jsonl", |finished| {
        for line in finished.stdout.lines() {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?} of\n{finished}"));
            assert!(value.is_object(), "{finished}");
        }
        assert!(finished.stdout.is_empty() || finished.stdout.ends_with('\n'), "{finished}");
    });
}

#[test]
fn a_person_is_told_no_secret_either() {
    all("table", |_| ());
}

#[test]
fn every_command_is_tried() {
    let tried = |path: &[String]| {
        COMMANDS.iter().any(|(arguments, ..)| arguments.iter().zip(path).filter(|(a, b)| **a == *b).count() == path.len())
    };
    let missing: Vec<Vec<String>> = commands(&Program::new())
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| !tried(path) && !NOT_HERE.contains(&path.join(" ").as_str()))
        .collect();
    assert!(missing.is_empty(), "add a row for {missing:?}");
}
