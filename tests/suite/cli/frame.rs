//! What holds for every command: help, version, wrong usage, colour, closed pipes.

use std::io::Read as _;
use std::process::Stdio;

use regex::Regex;

use crate::support::program::Program;
#[cfg(unix)]
use crate::support::terminal::Terminal;

/// The commands below `path`, as its help lists them.
fn subcommands(help: &str) -> Vec<String> {
    let Some((_, listing)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    let rows = listing.lines().take_while(|line| !line.is_empty());
    // A row begins with two spaces; what continues the row above is further in.
    let names = rows.filter_map(|row| row.strip_prefix("  ").filter(|row| !row.starts_with(' ')));
    names.filter_map(|row| row.split_whitespace().next()).map(str::to_owned).collect()
}

/// Every command that can be run, with its help.
pub fn commands(program: &Program) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let arguments: Vec<String> = path.iter().cloned().chain(["--help".to_owned()]).collect();
        let help = program.run(arguments).succeeds().stdout;
        let below = subcommands(&help);
        open.extend(below.iter().map(|name| path.iter().cloned().chain([name.clone()]).collect()));
        if below.is_empty() {
            found.push((path, help));
        }
    }
    found.sort();
    found
}

#[test]
fn version_says_which_regctl_this_is() {
    let version = Program::new().run(["--version"]).succeeds();
    assert_eq!(version.stdout, format!("regctl {} (registry catalogue and administration)\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(version.stderr, "");
}

#[test]
fn every_command_has_help_with_an_example() {
    let program = Program::new();
    let commands = commands(&program);
    assert!(commands.len() >= 2, "the commands were not found: {commands:?}");
    let without: Vec<&Vec<String>> = commands
        .iter()
        .filter(|(path, help)| {
            let examples = help.split_once("\nExample").map_or("", |(_, examples)| examples);
            !examples.contains(&format!("regctl {}", path.join(" ")))
        })
        .map(|(path, _)| path)
        .collect();
    assert!(without.is_empty(), "no example in the help of {without:?}");
}

#[test]
fn help_is_a_result_and_fits_the_terminal() {
    let help = Program::new().run(["--help"]).succeeds();
    assert_eq!(help.stderr, "");
    for line in help.stdout.lines() {
        assert!(line.chars().count() <= 100, "longer than the terminal is wide: {line}");
    }
}

#[test]
fn wrong_usage_is_exit_2_and_no_data() {
    let program = Program::new();
    program.run(["no-such-command"]).fails(2).says("no-such-command").says("--help");
    program.run(["completions", "--no-such-option", "bash"]).fails(2).says("--no-such-option");
    program.run([] as [&str; 0]).fails(2).says("Usage");
    program.run(["-o", "papyrus", "completions", "bash"]).fails(2).says("papyrus");
}

#[test]
fn wrong_usage_is_json_for_those_who_asked_for_json() {
    let program = Program::new();
    for finished in [
        program.run(["-o", "json", "no-such-command"]),
        program.run(["no-such-command", "--output=json"]),
        program.call(["no-such-command"]).env("REGCTL_OUTPUT", "json").run(),
    ] {
        let finished = finished.fails(2);
        let error: serde_json::Value = serde_json::from_str(&finished.stderr).expect("one JSON object");
        assert_eq!(error["error"]["code"], "usage");
        assert!(error["error"]["message"].as_str().expect("a text").contains("no-such-command"));
    }
}

/// An escape sequence that sets a colour.
#[cfg(unix)]
fn coloured(text: &str) -> bool {
    Regex::new(r"\x1b\[[0-9;]*m").expect("a valid pattern").is_match(text)
}

#[test]
#[cfg(unix)]
fn colour_is_for_terminals_that_want_it() {
    let program = Program::new();
    let on_a_terminal = |variable: Option<(&str, &str)>| {
        let call = program.call(["no-such-command"]);
        let call = if let Some((name, value)) = variable { call.env(name, value) } else { call };
        let (text, code) = Terminal::start(call).ends();
        assert_eq!(code, 2);
        text
    };
    assert!(coloured(&on_a_terminal(None)));
    assert!(!coloured(&on_a_terminal(Some(("NO_COLOR", "1")))));
    assert!(!coloured(&program.run(["no-such-command"]).stderr));
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let program = Program::new();
    let mut command = program.call(["completions", "bash"]).command();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut child = command.stdout(writer).stderr(Stdio::piped()).spawn().expect("the program starts");
    drop(command);
    let status = child.wait().expect("our own child");
    let mut stderr = String::new();
    child.stderr.take().expect("stderr is piped").read_to_string(&mut stderr).expect("UTF-8");
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_below_stdout_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let program = Program::new();
    let mut command = program.call(["completions", "bash"]).command();
    let output =
        command.stdout(full).stderr(Stdio::piped()).spawn().expect("the program starts").wait_with_output().expect("our own child");
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stderr.is_empty(), "nothing was said");
}
