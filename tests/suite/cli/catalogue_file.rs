//! The catalogue's file: what is promised about it whatever happens (SPEC §2).

use std::os::unix::fs::PermissionsExt as _;

use crate::support::program::Program;

#[test]
fn two_hundred_processes_lose_nothing() {
    let program = Program::new();
    program.write_catalogue("# ours\n[registry.hand] # written by hand\naddress = \"https://hand.example\"\nx-owner = \"me\"\n");
    let adding: Vec<_> = (0..200)
        .map(|number| {
            let (name, address) = (format!("r{number}"), format!("https://h{number}.example"));
            program.call(["add", &name, &address, "--no-check"]).spawn()
        })
        .collect();
    adding.into_iter().for_each(|adding| {
        adding.wait().succeeds();
    });
    assert_eq!(program.run(["list", "-q"]).succeeds().stdout.lines().count(), 201);
    let text = std::fs::read_to_string(program.catalogue()).expect("it is there");
    for kept in ["# ours", "[registry.hand] # written by hand", "x-owner = \"me\""] {
        assert!(text.contains(kept), "{kept} is gone");
    }
    let mode = std::fs::metadata(program.catalogue()).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!program.files().keys().any(|path| path.to_string_lossy().ends_with(".new")), "nothing is left lying about");
}

#[test]
fn killed_at_any_instant_it_is_the_old_or_the_new_one() {
    let program = Program::new();
    program.run(["add", "a", "https://a.example", "--no-check"]).succeeds();
    for number in 0..30 {
        let running = program.call(["update", "a", "--description", &format!("d{number}")]).spawn();
        std::thread::sleep(std::time::Duration::from_micros(number * 300));
        running.kill();
        program.run(["list", "-q"]).succeeds().shows("a");
    }
    program.run(["update", "a", "--description", "last"]).succeeds();
    assert_eq!(program.run(["get", "a", "--format", "{{ description }}"]).stdout, "last\n");
}

#[test]
fn broken_and_newer_files_are_refused_untouched() {
    for (text, words) in [
        ("[registry.a\n", "line 2, column 12"),
        ("[registry.a]\naddress = https://a.example\n", "line 3, column 11"),
        ("[registry.a]\nadress = \"https://a.example\"\n", "unknown field `adress`"),
        ("[registry.a.tls]\ntrust_all = true\n", "unknown field `trust_all`"),
        ("[registry.a]\npassword = \"s3cr3t-canary\"\n", "regctl login"),
        ("[registry.A]\naddress = \"https://a.example\"\n", "registry name"),
        ("[registry.a]\naddress = \"a.example\"\n", "only http"),
    ] {
        let program = Program::new();
        program.write_catalogue(text);
        let before = std::fs::read(program.catalogue()).expect("it is there");
        for arguments in [&["list"][..], &["get", "a"], &["add", "b", "https://b.example", "--no-check"], &["remove", "a"]] {
            program.run(arguments).fails(2).says(words).hides("s3cr3t-canary");
        }
        assert_eq!(std::fs::read(program.catalogue()).expect("it is there"), before);
    }
    let program = Program::new();
    program.write_catalogue("");
    std::fs::write(program.catalogue(), "schema = 2\n").expect("the home is ours");
    program.run(["add", "b", "https://b.example", "--no-check"]).fails(2).says("schema 2").says("newer regctl");
    assert_eq!(std::fs::read(program.catalogue()).expect("it is there"), b"schema = 2\n");
}

#[test]
fn a_key_of_somebody_elses_is_told_and_kept() {
    let program = Program::new();
    program.write_catalogue("[registry.a]\naddress = \"https://a.example\"\ncolour = \"red\" # why not\n");
    program.run(["list"]).succeeds().says("line 4, column 1").says("colour");
    program.run(["update", "a", "--description", "d"]).succeeds();
    let text = std::fs::read_to_string(program.catalogue()).expect("it is there");
    assert!(text.contains("colour = \"red\" # why not"), "{text}");
}

#[test]
fn reading_needs_no_home_that_can_be_written() {
    let mut program = Program::new();
    let file = program.home().join("shared.toml");
    std::fs::write(&file, "[registry.a]\naddress = \"https://a.example\"\n").expect("the home is ours");
    for variable in ["HOME", "XDG_CONFIG_HOME", "REGCTL_STATE_DIR", "REGCTL_CACHE_DIR", "XDG_RUNTIME_DIR", "XDG_DATA_HOME"] {
        program.set(variable, "/proc/nowhere");
    }
    let before = program.files();
    program.run(["list"]).succeeds();
    program.call(["list", "-q"]).env("REGCTL_CATALOGUE", &file).run().succeeds().shows("a");
    let file = file.to_string_lossy();
    program.run(["get", "a", "--catalogue", &file]).succeeds();
    assert_eq!(program.files(), before, "reading creates nothing");
    program.run(["add", "a", "https://a.example", "--no-check"]).fails(1).says("/proc/nowhere");
}

#[test]
fn what_is_no_file_is_not_replaced() {
    let program = Program::new();
    program.run(["add", "a", "https://a.example", "--no-check", "--catalogue", "/dev/null"]).fails(1).says("regular file");
    program.run(["list", "--catalogue", "/"]).fails(1);
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    let program = Program::new();
    program.run(["add", "a", "https://a.example", "--no-check"]).succeeds();
    let before = std::fs::read(program.catalogue()).expect("it is there");
    // the shell limits how large a file may grow, which fails the write just as a full disk does
    let full = program.call(["add", "b", "https://b.example", "--no-check", "--description", &"long ".repeat(200)]).command();
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg("trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"").arg(full.get_program()).args(full.get_args());
    shell.env_clear().envs(full.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = shell.output().expect("sh is there");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read(program.catalogue()).expect("it is there"), before);
    assert!(!program.files().keys().any(|path| path.to_string_lossy().ends_with(".new")));
}
