//! What people's fingers know from the other program called regctl.

use crate::support::docker_registry::{DockerRegistry, Setup};
use crate::support::program::Program;
use crate::support::storage::fill;

#[test]
fn verbs_that_mean_the_same_work() {
    let Some(registry) = DockerRegistry::start(Setup::Plain) else { return };
    fill(&registry.storage(), "app", ["v1"]);
    let program = Program::new();
    program.run(["add", "lab", &registry.address()]).succeeds();
    for (theirs, ours) in [
        (&["repo", "ls"][..], &["repo", "list"][..]),
        (&["repos", "ls"], &["repo", "list"]),
        (&["tag", "ls", "app"], &["tag", "list", "app"]),
        (&["tags", "list", "app"], &["tag", "list", "app"]),
        (&["image", "inspect", "app:v1"], &["inspect", "app:v1"]),
        (&["manifest", "head", "app:v1"], &["manifest", "head", "app:v1"]),
        (&["tag", "del", "app:v1", "--dry-run"], &["tag", "delete", "app:v1", "--dry-run"]),
        (&["tag", "rm", "app:v1", "--dry-run"], &["tag", "delete", "app:v1", "--dry-run"]),
    ] {
        let (theirs, ours) = (program.run(theirs).succeeds(), program.run(ours).succeeds());
        assert_eq!((theirs.stdout, theirs.stderr), (ours.stdout, ours.stderr));
    }
}

#[test]
fn verbs_that_mean_something_else_answer_with_ours() {
    let program = Program::new();
    for (theirs, ours) in [
        (&["registry", "set", "--tls=disabled", "localhost:5000"][..], "regctl add NAME ADDRESS"),
        (&["registry", "login", "-u", "me", "-p", "s3cr3t-canary", "ghcr.io"], "regctl login NAME"),
        (&["registry", "logout", "ghcr.io"], "regctl logout NAME"),
        (&["registry", "config"], "regctl get NAME"),
        (&["registry", "whoami", "ghcr.io"], "regctl check NAME"),
        (&["config", "set", "--blob-limit", "1"], "regctl doctor"),
        (&["artifact", "tree", "prod/app:v1"], "regctl inspect REF"),
        (&["image", "digest", "prod/app:v1"], "regctl manifest head REF"),
        (&["image", "delete", "prod/app:v1"], "regctl tag delete REF"),
        (&["image", "s3cr3t-canary"], "regctl --help"),
        (&["registry"], "regctl --help"),
        (&["registry", "--help"], "regctl --help"),
    ] {
        program.run(theirs).fails(2).says(ours).hides("s3cr3t-canary");
    }
    assert!(program.files().is_empty(), "something was written: {:?}", program.files().keys());
}

#[test]
fn no_help_lists_them() {
    let program = Program::new();
    let help = program.run(["--help"]).succeeds().stdout;
    for word in ["  image", "  artifact", "  config", "  registry"] {
        assert!(!help.contains(&format!("\n{word} ")), "{word} in\n{help}");
    }
}
