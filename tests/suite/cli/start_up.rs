//! What commands touch that ask no registry: the catalogue and nothing else. No thread, no socket, no certificate, no keyring.

use crate::support::left_out::{executable, left_out};
use crate::support::program::Program;

/// Files that the C library and Rust's own start read, whatever the program is.
const OF_THE_SYSTEM: &[&str] = &["/etc/ld.so.cache", "/etc/ld.so.preload", "/proc/self/maps", "/lib", "/usr/lib", "/lib64"];

/// The system calls that matter, as the kernel saw them.
fn traced(program: &Program, line: &[&str]) -> Option<Vec<String>> {
    if executable("strace").is_none() {
        left_out("strace", "not installed");
        return None;
    }
    let log = program.home().join("trace");
    let calls = "trace=clone,clone3,fork,vfork,socket,connect,execve,open,openat";
    let arguments = ["-f", "-qq", "-e", calls, "-e", "signal=none", "-o", log.to_str().expect("our home is text")];
    let path = std::env::var_os("PATH").unwrap_or_default();
    program.call(line).env("PATH", path).inside("strace", arguments).run().succeeds();
    let text = std::fs::read_to_string(&log).expect("strace wrote it");
    // the first is the program itself
    Some(text.lines().skip(1).map(str::to_owned).collect())
}

#[test]
fn nothing_but_the_catalogue_is_touched() {
    let program = Program::new();
    program.write_catalogue(
        "[registry.prod]\naddress = \"https://registry.example.com\"\n[registry.lab]\naddress = \"http://127.0.0.1:5000\"\n",
    );
    let catalogue = program.catalogue().to_string_lossy().into_owned();
    for (line, reads) in [
        (&["--version"][..], false),
        (&["--help"], false),
        (&["tag", "list", "--help"], false),
        (&["completions", "bash"], false),
        (&["list"], true),
        (&["list", "-o", "json"], true),
        (&["get", "prod"], true),
    ] {
        let Some(calls) = traced(&program, line) else { return };
        let ours: Vec<&String> =
            calls.iter().filter(|call| !OF_THE_SYSTEM.iter().any(|file| call.contains(&format!("\"{file}")))).collect();
        let of_the_catalogue = ours.iter().filter(|call| call.contains(&catalogue)).count();
        assert_eq!(ours.len(), of_the_catalogue, "{line:?}: {ours:#?}");
        assert_eq!(of_the_catalogue > 0, reads, "{line:?}: {ours:#?}");
    }
}
