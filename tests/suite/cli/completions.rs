//! The scripts in `completions/` are what the program prints, and the program answers the shells.

use std::path::Path;

use crate::support::program::Program;

/// Set, the files are written instead of compared.
const REWRITE: &str = "REGCTL_TEST_REWRITE";

/// Shells, and where each looks for its file.
const FILES: &[(&str, &str)] =
    &[("bash", "regctl.bash"), ("zsh", "_regctl"), ("fish", "regctl.fish"), ("powershell", "regctl.ps1")];

#[test]
fn the_files_are_current() {
    let program = Program::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    for (shell, name) in FILES {
        let printed = program.run(["completions", shell]).succeeds().stdout;
        let file = folder.join(name);
        if std::env::var_os(REWRITE).is_some() {
            std::fs::create_dir_all(&folder).expect("the project can be written");
            std::fs::write(&file, &printed).expect("the project can be written");
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(kept == printed, "{} is not what `regctl completions {shell}` prints; {REWRITE}=1 renews it", file.display());
    }
}

#[test]
fn bash_is_told_the_commands() {
    let program = Program::new();
    let answer =
        program.call(["--", "regctl", "compl"]).env("REGCTL_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "1").run().succeeds();
    assert_eq!(answer.stdout.trim(), "completions");
}
