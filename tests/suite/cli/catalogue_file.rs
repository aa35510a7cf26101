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

/// Kills `add` at fifty instants spread over the time it takes.
#[test]
fn killed_at_any_instant_it_is_the_old_or_the_new_one() {
    let program = Program::new();
    let add = |name: &str| program.call(["add", name, &format!("https://{name}.example"), "--no-check"]);
    let names = || program.run(["list", "-q"]).succeeds().stdout.lines().map(str::to_owned).collect::<Vec<_>>();
    add("first").run().succeeds();
    let started = std::time::Instant::now();
    add("second").run().succeeds();
    let whole = started.elapsed();
    let mut before = names();
    for number in 0..50_u32 {
        let name = format!("k{number}");
        let running = add(&name).spawn();
        std::thread::sleep(whole * number / 50);
        running.kill();
        let after = names();
        let mut grown = before.clone();
        grown.push(name);
        grown.sort();
        assert!(after == before || after == grown, "{before:?} became {after:?}");
        before = after;
    }
    add("last").run().succeeds();
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
        ("[registry.a]\naddress = 17\n", "line 3, column 11: invalid type: integer `17`, expected a string"),
        ("[registry.a]\nid = \"not an id\"\naddress = \"https://a.example\"\n", "line 3, column 6"),
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
    for (bytes, words) in [(&b"schema = 2\n[future]\nthing = true\n"[..], "newer regctl"), (b"\xff\xfe\x00", "catalogue.toml")] {
        std::fs::write(program.catalogue(), bytes).expect("the home is ours");
        let finished = program.run(["add", "b", "https://b.example", "--no-check"]).says(words);
        assert!(matches!(finished.code, Some(1 | 2)), "{finished}");
        assert_eq!(std::fs::read(program.catalogue()).expect("it is there"), bytes);
    }
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
fn order_is_kept_and_what_is_new_comes_last() {
    let program = Program::new();
    program.run(["add", "zebra", "https://z.example", "--no-check"]).succeeds();
    let text = std::fs::read_to_string(program.catalogue()).expect("it is there");
    std::fs::write(program.catalogue(), format!("# mine\n{text}")).expect("the home is ours");
    program.run(["add", "ant", "https://a.example", "--no-check"]).succeeds();
    let after = std::fs::read_to_string(program.catalogue()).expect("it is there");
    let (zebra, ant) = (after.find("[registry.zebra]"), after.find("[registry.ant]"));
    assert!(after.starts_with("# mine\n") && zebra.is_some() && zebra < ant, "{after}");
    program.run(["update", "ant", "--namespace", "a"]).succeeds();
    let before = program.files();
    program.run(["update", "ant", "--namespace", "a"]).succeeds().says("unchanged");
    assert_eq!(program.files(), before);
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
    // a limit on the size of files needs no privileges, and fails the write just as a full disk does
    let long = program.call(["add", "b", "https://b.example", "--no-check", "--description", &"long ".repeat(200)]);
    // without the trap the kernel ends the program, instead of telling it that the write failed
    long.inside("bash", ["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "bash"]).run().fails(1).says("catalogue");
    assert_eq!(std::fs::read(program.catalogue()).expect("it is there"), before);
    assert!(!program.files().keys().any(|path| path.to_string_lossy().ends_with(".new")));
}
