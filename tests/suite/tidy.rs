//! The shape of the source, which no compiler checks: who may import whom, what files are called, what must not be left lying about.
//!
//! When a test here objects, first ask whether the code is in the right place. When the thought behind a table has changed, change
//! the table.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Which modules of the crate each top-level module may import. Imports point down: a row may only name rows above it.
const IMPORTS: &[(&str, &[&str])] = &[
    // The words of the specifications depend on nothing, so that everything can use them.
    ("oci", &[]),
    // The grammar of lengths of time.
    ("duration", &[]),
    // What a mistyped word probably meant.
    ("near_miss", &[]),
    // Where files live and how they are replaced.
    ("files", &[]),
    // How things look; what it shows are plain values, so it knows no registry.
    ("output", &["oci"]),
    // The embedded registry shares only the words with the client: it is the client's test double and must not share its mistakes.
    ("serve", &["oci"]),
    // What can be asked of any registry. The floor that everything else stands on, so it knows no way of asking.
    ("registry", &["oci"]),
    // What was read by digest before.
    ("cache", &["oci", "files", "registry"]),
    // Secrets and where they come from.
    ("credentials", &["files"]),
    // HTTP: whom to trust, how to sign in, what to repeat. Knows failures by the registry's kinds, but no endpoint.
    ("transport", &["oci", "files", "registry", "credentials"]),
    // The endpoints of `/v2/`.
    ("distribution", &["oci", "registry", "credentials", "transport"]),
    // What vendors do differently.
    ("providers", &["oci", "registry", "credentials", "transport", "distribution"]),
    // A folder as a registry.
    ("layout", &["oci", "files", "registry"]),
    // The list of registries. It describes connections and opens none.
    ("catalogue", &["oci", "duration", "near_miss", "files", "registry", "credentials"]),
    // The machine's own timers, which start the program at the times that the catalogue names.
    ("scheduler", &["catalogue"]),
    // Documents of other programs, read into entries and written from them: pure, so neither files nor the network.
    ("systems", &["oci", "registry", "credentials", "catalogue"]),
    // The one place that assembles the parts.
    (
        "connect",
        &["oci", "files", "registry", "credentials", "transport", "distribution", "providers", "layout", "cache", "catalogue"],
    ),
    // What was removed, as bytes and names.
    ("journal", &["oci", "files", "registry"]),
    // What commands do, to anything that is a registry: no HTTP, no vendor, no catalogue, so that they also run on a folder.
    ("operations", &["oci", "duration", "registry", "journal"]),
    // Scanners that are installed here, as programs.
    ("scanner", &["oci", "registry", "credentials", "operations"]),
    // A terminal to look around in.
    ("browse", &["oci", "output", "registry", "catalogue", "connect", "operations"]),
    // Commands put words to operations; the network is behind `connect`.
    (
        "cli",
        &[
            "oci",
            "duration",
            "near_miss",
            "files",
            "output",
            "serve",
            "registry",
            "credentials",
            "cache",
            "catalogue",
            "scheduler",
            "systems",
            "connect",
            "journal",
            "operations",
            "scanner",
            "browse",
        ],
    ),
    ("main", &["cli"]),
];

/// Packages that have one door: only these modules may use them, so that the reasons for how they are used are in one place.
const DOORS: &[(&str, &[&str])] = &[
    // Whom to trust and what to send whom is decided once.
    ("hyper", &["transport"]),
    ("hyper_util", &["transport"]),
    ("h2", &["transport"]),
    ("rustls", &["transport"]),
    // The embedded registry is the only server.
    ("axum", &["serve"]),
    // Every call needs a deadline.
    ("keyring", &["credentials"]),
    // Only one module edits the catalogue's text.
    ("toml_edit", &["catalogue"]),
    // Arguments are the command line's business; a format is the value of one.
    ("clap", &["cli", "output"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("rpassword", &["cli"]),
    // How things look is decided once.
    ("comfy_table", &["output"]),
    ("indicatif", &["output"]),
    ("minijinja", &["output"]),
];

/// Files that may be called so, because the word is a noun there: Docker calls a program that keeps secrets a credential helper.
const NOUN_AFTER_ALL: &[&str] = &["src/credentials/helper.rs"];

/// File names that say that the file has not found its noun.
const NOT_A_NOUN: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "manager"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the project: what a clone holds and nothing that was built.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the project can be read").flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() && name != "target" && name != ".git" {
                folders.push(path);
            } else if path.is_file() && name != ".git" {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A source file: the modules that lead to it, and its text.
struct Source {
    name: String,
    path: Vec<String>,
    text: String,
}

impl Source {
    /// The first module, which is what the tables speak of.
    fn top(&self) -> &str {
        self.path.first().map_or("lib", String::as_str)
    }

    /// The text without comments and without unit tests, which may import whatever they test against.
    fn code(&self) -> String {
        let text = self.text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        // `//` after a colon is an address in a string.
        Regex::new(r"(?m)(^|[^:])//.*$").expect("a valid pattern").replace_all(text, "$1").into_owned()
    }

    /// The top-level modules of this crate that the code names.
    fn imports(&self) -> BTreeSet<String> {
        let code = self.code();
        let mut found = BTreeSet::new();
        for start in Regex::new(r"\b(crate|regctl)::").expect("a valid pattern").find_iter(&code) {
            found.extend(first_names(&code[start.end()..]));
        }
        for start in Regex::new(r"\b(super::)+").expect("a valid pattern").find_iter(&code) {
            let up = start.as_str().len() / "super::".len();
            if up >= self.path.len() {
                found.extend(first_names(&code[start.end()..]));
            }
        }
        found
    }
}

/// `a::b` is `a`; `{a::b, c}` is `a` and `c`.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| -> String { text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let mut names = vec![name(group)];
    let mut depth = 1;
    for (position, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(name(&group[position + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let sources: Vec<Source> = files()
        .into_iter()
        .filter(|file| file.starts_with(&src) && file.extension().is_some_and(|extension| extension == "rs"))
        .map(|file| {
            let name = file.strip_prefix(&src).expect("it is below src").to_string_lossy().replace('\\', "/");
            let modules = name.trim_end_matches(".rs").split('/').map(str::to_owned);
            let path = modules.filter(|module| module != "mod" && module != "lib").collect();
            Source { text: std::fs::read_to_string(&file).expect("source is UTF-8"), name, path }
        })
        .collect();
    assert!(sources.len() > 10, "the source was not found");
    sources
}

#[test]
fn the_table_of_imports_points_down() {
    for (position, (module, imports)) in IMPORTS.iter().enumerate() {
        for import in *imports {
            let above = IMPORTS[..position].iter().any(|(name, _)| name == import);
            assert!(above, "{module} may import {import}, which is no row above it");
        }
    }
}

#[test]
fn imports_follow_the_table() {
    let sources = sources();
    let modules: BTreeSet<&str> = sources.iter().map(Source::top).collect();
    let mut wrong = Vec::new();
    for source in &sources {
        if source.top() == "lib" {
            continue;
        }
        let Some((_, allowed)) = IMPORTS.iter().find(|(module, _)| *module == source.top()) else {
            wrong.push(format!("src/{}: {} has no row in the table", source.name, source.top()));
            continue;
        };
        for import in source.imports() {
            if modules.contains(import.as_str()) && import != source.top() && !allowed.contains(&import.as_str()) {
                wrong.push(format!("src/{}: {} must not import {import}", source.name, source.top()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn packages_are_used_through_their_door() {
    let mut wrong = Vec::new();
    for source in sources() {
        let code = source.code();
        for (package, doors) in DOORS {
            let used = Regex::new(&format!(r"\b{package}::")).expect("a valid pattern").is_match(&code);
            // Our own modules may be called like a package; those are reached through a path.
            let own =
                Regex::new(&format!(r"(crate|self|super)::{package}::|mod {package};")).expect("a valid pattern").is_match(&code);
            if used && !own && !doors.contains(&source.top()) {
                wrong.push(format!("src/{}: {package} belongs to {}", source.name, doors.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_source_file_says_what_it_is() {
    let silent: Vec<String> =
        sources().into_iter().filter(|source| !source.text.starts_with("//!")).map(|source| source.name).collect();
    assert!(silent.is_empty(), "no module documentation: {silent:?}");
}

#[test]
fn files_have_nouns() {
    let vague = |file: &PathBuf| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        name.split(['_', '-', '.']).any(|word| NOT_A_NOUN.contains(&word))
    };
    let allowed = |file: &PathBuf| NOUN_AFTER_ALL.iter().any(|name| *file == root().join(name));
    let vague: Vec<PathBuf> = files().into_iter().filter(|file| vague(file) && !allowed(file)).collect();
    assert!(vague.is_empty(), "not a noun: {vague:?}");
}

#[test]
fn nothing_is_left_lying_about() {
    // Written in two halves, so that this file doesn't hold them.
    let words = [
        ["#[ign", "ore"],
        ["todo", "!("],
        ["unimplemented", "!("],
        ["dbg", "!("],
        ["TO", "DO"],
        ["FIX", "ME"],
        ["/wo", "rk/"],
        ["../sha", "red"],
        [".lib", "rary"],
        ["crates", ".io"],
        ["pypi", ".org"],
        ["npmjs", ".org"],
        ["proxy.golang", ".org"],
    ]
    .map(|halves| halves.concat());
    let mut found = Vec::new();
    // The lock file names where packages came from, which is its purpose.
    for file in files().iter().filter(|file| !file.ends_with("Cargo.lock")) {
        let text = String::from_utf8_lossy(&std::fs::read(file).expect("the project can be read")).into_owned();
        for (number, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(word.as_str())) {
                found.push(format!("{}:{}: {word}", file.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn paths_are_read_as_rust_reads_them() {
    let source = |path: &[&str], text: &str| Source {
        name: String::new(),
        path: path.iter().map(|module| (*module).to_owned()).collect(),
        text: text.to_owned(),
    };
    let imports = |path: &[&str], text: &str| source(path, text).imports().into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(imports(&["cli", "add"], "use crate::{oci::{Tag, Digest}, files};\nuse crate::output::Table;"), "files oci output");
    assert_eq!(imports(&["cli", "add"], "use super::super::oci::Tag;\nuse super::context::Context;"), "oci");
    assert_eq!(imports(&["cli"], "use super::oci;"), "oci");
    assert_eq!(imports(&["cli"], "//! crate::transport\nlet url = \"http://crate::oci\"; // crate::serve"), "oci");
    assert_eq!(imports(&["cli"], "use crate::oci;\n#[cfg(test)]\nmod tests {\n    use crate::serve;\n}"), "oci");
}
