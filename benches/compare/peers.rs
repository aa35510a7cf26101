//! Other programs that do the same: skopeo from the `PATH`, and whatever the environment names.

use std::path::PathBuf;
use std::process::Command;

/// Another program.
pub struct Peer {
    /// As its makers call it.
    pub name: &'static str,
    path: PathBuf,
    words: &'static Words,
}

/// How it is told what to do. `{}` is the repository or reference, `{registry}` the server.
struct Words {
    name: &'static str,
    /// The variable that says where it is.
    variable: &'static str,
    /// What it is called on the `PATH`; none where that could be another program.
    on_path: Option<&'static str>,
    names: &'static [&'static str],
    inspect: &'static [&'static str],
}

const ALL: &[Words] = &[
    Words {
        name: "skopeo",
        variable: "BENCH_SKOPEO",
        on_path: Some("skopeo"),
        names: &["list-tags", "--tls-verify=false", "docker://{}"],
        inspect: &["inspect", "--tls-verify=false", "--no-tags", "docker://{}"],
    },
    Words {
        name: "crane",
        variable: "BENCH_CRANE",
        on_path: Some("crane"),
        names: &["ls", "--insecure", "{}"],
        inspect: &["config", "--insecure", "{}"],
    },
    Words {
        name: "oras",
        variable: "BENCH_ORAS",
        on_path: Some("oras"),
        names: &["repo", "tags", "--plain-http", "{}"],
        inspect: &["manifest", "fetch-config", "--plain-http", "{}"],
    },
    Words {
        name: "regclient",
        variable: "BENCH_REGCLIENT",
        on_path: None,
        names: &["--host", "reg={registry},tls=disabled", "tag", "ls", "{}"],
        inspect: &["--host", "reg={registry},tls=disabled", "image", "inspect", "{}"],
    },
];

impl Peer {
    /// Those that are here.
    pub fn found() -> Vec<Peer> {
        let on_path = |name: &str| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
        };
        let find = |words: &'static Words| {
            let named = std::env::var_os(words.variable).map(PathBuf::from);
            let path = named.or_else(|| words.on_path.and_then(on_path))?;
            Some(Peer { name: words.name, path, words })
        };
        ALL.iter().filter_map(find).collect()
    }

    /// Lists the names of a repository's tags.
    pub fn names(&self, registry: &str, repository: &str) -> Command {
        self.command(self.words.names, registry, &format!("{registry}/{repository}"))
    }

    /// Shows one image, with what its config says.
    pub fn inspect(&self, registry: &str, reference: &str) -> Command {
        self.command(self.words.inspect, registry, &format!("{registry}/{reference}"))
    }

    fn command(&self, words: &[&str], registry: &str, subject: &str) -> Command {
        let mut command = Command::new(&self.path);
        command.args(words.iter().map(|word| word.replace("{registry}", registry).replace("{}", subject)));
        command
    }
}
