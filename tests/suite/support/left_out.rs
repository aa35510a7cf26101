//! What happens to a test whose real component is missing: it says so and passes, unless `REGCTL_TEST_REQUIRE` is set, when it fails.
//!
//! Every test left out is a line in `left-out.txt` in cargo's folder for test files; `tests/run` prints it at the end.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

/// Turns missing components into failures. `tests/run --require` and the build server set it.
const REQUIRE: &str = "REGCTL_TEST_REQUIRE";

/// Records that the running test can't do its work because `component` is missing.
///
/// # Panics
/// When missing components are failures.
pub fn left_out(component: &str, why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(std::env::var_os(REQUIRE).is_none(), "{test} needs {component}: {why}");
    let line = format!("left out: {test}: {component} ({why})\n");
    // Not `eprint!`, which the test harness swallows when a test passes.
    let _ = std::io::stderr().write_all(line.as_bytes());
    let record = OpenOptions::new().create(true).append(true).open(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("left-out.txt"));
    if let Ok(mut file) = record {
        let _ = file.write_all(line.as_bytes());
    }
}

/// Finds an executable on the `PATH`, or among those that `tests/run` unpacked or installed.
pub fn executable(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let python = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("python/bin");
    std::env::split_paths(&path).chain([unpacked("usr/bin"), python]).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The variables with which an unpacked program finds its own kind and its libraries; harmless where it is installed.
pub fn search_paths() -> [(&'static str, OsString); 2] {
    let join = |variable: &str, folders: &mut dyn Iterator<Item = PathBuf>| {
        let before = std::env::var_os(variable).unwrap_or_default();
        let before = std::env::split_paths(&before).filter(|folder| !folder.as_os_str().is_empty()).collect::<Vec<_>>();
        std::env::join_paths(before.into_iter().chain(folders)).expect("no folder of ours has a colon in its name")
    };
    // Debian keeps libraries in a folder per architecture, such as usr/lib/x86_64-linux-gnu.
    let architectures = std::fs::read_dir(unpacked("usr/lib")).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut libraries = architectures.filter(|folder| folder.to_string_lossy().contains("-linux-gnu"));
    [("PATH", join("PATH", &mut [unpacked("usr/bin")].into_iter())), ("LD_LIBRARY_PATH", join("LD_LIBRARY_PATH", &mut libraries))]
}

fn unpacked(below: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("unpacked").join(below)
}
