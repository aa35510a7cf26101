//! Whole commands side by side with the bare requests they stand on, and with other programs that do the same.
//!
//! ```text
//! cargo bench --bench compare                 the whole table; takes minutes
//! cargo bench --bench compare -- details      only rows whose name has this word
//! cargo test --bench compare -- --brief       every row once with few tags, to see that it still runs
//! ```
//!
//! Prints a table in Markdown; fails on no time. Times mean something only as ratios within a row: everything in a row ran in turn, on the
//! same server, in the same minutes. `REGCTL_BENCH_PROGRAM` names another build of the program. Docker-registry and other programs are left
//! out where they are not installed.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints")]
#![allow(clippy::disallowed_methods, reason = "it looks at the machine as it is")]

mod delay;
mod floor;
mod measured;
mod peers;
#[allow(dead_code, unused_imports, reason = "made for the tests, which use all of it")]
#[path = "../../tests/suite/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use delay::Way;
use measured::Measured;
use peers::Peer;
use regctl::serve::{Behaviour, Running, Settings, Storage, sample};
use support::docker_registry::{DockerRegistry, Setup};
use support::program::Program;

/// As many requests at once as the program allows itself; the load generator gets the same.
const WIDTH: usize = 32;
/// What the long way adds to each request.
const FAR: Duration = Duration::from_millis(50);
/// What a deletion takes: docker-registry, which looks at every tag for each, needs longer still with thousands of them.
const DELETION: Duration = Duration::from_millis(50);
/// Where the tags are.
const REPOSITORY: &str = "team/app";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|first| first == floor::ARGUMENT) {
        return floor::main(&arguments[1..]);
    }
    let brief = arguments.iter().any(|argument| argument == "--brief");
    let only = arguments.iter().find(|argument| !argument.starts_with('-')).cloned();
    println!("{}\n", machine());
    println!("| what | where | requests | regctl | compared with | ratio | more |\n| --- | --- | ---: | ---: | --- | ---: | --- |");
    Bench { brief, only, peers: Peer::found() }.all();
}

/// On what this was measured.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let version = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().ok()?;
        String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
    };
    let mut text = format!(
        "{cores} cores ({}), {}, Linux {}",
        value(&read("/proc/cpuinfo"), "model name"),
        value(&read("/proc/meminfo"), "MemTotal"),
        read("/proc/sys/kernel/osrelease").trim()
    );
    for found in [version("docker-registry", "--version"), version("skopeo", "--version")].into_iter().flatten() {
        let _ = write!(text, ", {found}");
    }
    text
}

struct Bench {
    brief: bool,
    only: Option<String>,
    peers: Vec<Peer>,
}

/// Something to compare with in a row.
struct Rival<'a> {
    name: String,
    call: Box<dyn Fn() -> (Command, Vec<u8>) + 'a>,
    /// How often it has to run to do the same work.
    times: usize,
}

impl Bench {
    fn wants(&self, row: &str) -> bool {
        self.only.as_ref().is_none_or(|only| row.contains(only.as_str()))
    }

    /// How often each is run; the one in the middle counts.
    fn rounds(&self, wanted: usize) -> usize {
        if self.brief { 1 } else { wanted }
    }

    fn tags(&self, wanted: usize) -> usize {
        if self.brief { wanted.min(20) } else { wanted }
    }

    fn all(&self) {
        self.start_up();
        let tags = self.tags(1000);
        let serve = embedded(tags);
        self.server("serve", serve.address(), tags);
        drop(serve);
        if let Some(registry) = DockerRegistry::start(Setup::Plain) {
            let names: Vec<String> = (0..tags).map(|number| format!("t{number:05}")).collect();
            support::storage::fill(&registry.storage(), REPOSITORY, names.iter().map(String::as_str));
            let address = registry.address().trim_start_matches("http://").parse().expect("an address with a port");
            self.server("docker-registry", address, tags);
        }
        for tags in if self.brief { &[20][..] } else { &[1_000, 10_000, 100_000] } {
            self.size(*tags);
        }
        for repositories in if self.brief { &[20][..] } else { &[1_000, 10_000] } {
            self.catalog(*repositories);
        }
        self.prune(self.tags(5000));
    }

    fn start_up(&self) {
        let program = Program::new();
        let entries: String =
            (0..100).map(|number| format!("[registry.r{number:03}]\naddress = \"https://r{number:03}.example.com\"\n")).collect();
        program.write_catalogue(&entries);
        let nothing = || Rival { name: "/bin/true".into(), call: Box::new(|| (Command::new("/bin/true"), Vec::new())), times: 1 };
        for line in [&["--version"][..], &["--help"], &["list"], &["get", "r050"], &["completions", "bash"]] {
            let call = || command(&program, line);
            self.row("start-up", &format!("`{}`", line.join(" ")), "0", call, vec![nothing()], 41, |_| String::new());
        }
    }

    /// Every row that a server of a thousand tags is for.
    fn server(&self, place: &str, address: SocketAddr, tags: usize) {
        let near = Way::to(address, Duration::ZERO);
        let far = Way::to(address, FAR);
        let program = Program::new();
        let forget = || {
            let _ = std::fs::remove_dir_all(program.home().join("cache"));
        };
        let url = |address: SocketAddr| format!("http://{address}");
        let list = |address: SocketAddr, more: &[&str]| {
            let address = url(address);
            let mut line = vec!["tag", "list", REPOSITORY, "-r", &address];
            line.extend(more);
            command(&program, &line)
        };
        // what the program asks for, which is then asked for barely
        let asked = |more: &[&str]| {
            measured::run(&mut list(near.address(), more), &[], false);
            near.take_requests()
        };
        let bare = |name: &str, address: SocketAddr, requests: Vec<String>| Rival {
            name: name.to_owned(),
            call: Box::new(move || floor::command(address, &requests, WIDTH)),
            times: 1,
        };

        let requests = asked(&["-q"]);
        let mut rivals = vec![bare("bare requests", address, requests.clone())];
        for peer in &self.peers {
            let call = move || (peer.names(&address.to_string(), REPOSITORY), Vec::new());
            measured::run(&mut peer.names(&near.address().to_string(), REPOSITORY), &[], false);
            let name = format!("{} ({} requests)", peer.name, near.take_requests().len());
            rivals.push(Rival { name, call: Box::new(call), times: 1 });
        }
        let what = format!("`tag list`, {tags} names");
        self.row(&what, place, &requests.len().to_string(), || list(address, &["-q"]), rivals, 11, |_| String::new());

        let reference = format!("{REPOSITORY}:t00001");
        let inspect = |address: SocketAddr| command(&program, &["inspect", &reference, "-r", &url(address)]);
        forget();
        measured::run(&mut inspect(near.address()), &[], false);
        let requests = near.take_requests();
        let mut rivals = vec![bare("bare requests", address, requests.clone())];
        for peer in &self.peers {
            let call = || (peer.inspect(&address.to_string(), &reference), Vec::new());
            measured::run(&mut peer.inspect(&near.address().to_string(), &reference), &[], false);
            let name = format!("{} ({} requests)", peer.name, near.take_requests().len());
            rivals.push(Rival { name, call: Box::new(call), times: 1 });
        }
        let cold = || {
            forget();
            inspect(address)
        };
        self.row("`inspect`, one tag", place, &requests.len().to_string(), cold, rivals, 11, |_| String::new());

        let details = ["--details", "-o", "json"];
        forget();
        let cold = asked(&details);
        let warm = asked(&details);
        for (state, requests) in [("cold", cold), ("warm", warm)] {
            for (way, server) in [("", address), (", 50 ms away", far.address())] {
                let what = format!("`tag list --details`, {tags} tags, {state}");
                let mut rivals = vec![bare("bare requests", server, requests.clone())];
                if state == "cold" && way.is_empty() && place != "serve" {
                    // one process a tag is the only way; a part is measured, the whole is said
                    rivals.extend(self.peers.iter().map(|peer| Rival {
                        name: format!("{}, one process a tag", peer.name),
                        call: Box::new(|| (peer.inspect(&address.to_string(), &reference), Vec::new())),
                        times: tags,
                    }));
                }
                let call = || {
                    if state == "cold" {
                        forget();
                    }
                    list(server, &details)
                };
                let ideal = FAR.mul_f64(requests.len() as f64 / WIDTH as f64);
                let more = |run: &Measured| match way {
                    "" => String::new(),
                    _ => format!("{:.2} × the ideal of {}", run.wall.as_secs_f64() / ideal.as_secs_f64(), time(ideal)),
                };
                self.row(&what, &format!("{place}{way}"), &requests.len().to_string(), call, rivals, 5, more);
            }
        }
    }

    /// How cost grows with the number of tags.
    fn size(&self, tags: usize) {
        let what = format!("`tag list -o jsonl`, {tags} tags");
        if !self.wants(&what) {
            return;
        }
        let server = embedded(tags);
        let (program, url) = (Program::new(), server.url());
        let list = || command(&program, &["tag", "list", REPOSITORY, "-r", &url, "-o", "jsonl"]);
        // of a run of its own, because looking costs the one who is looked at
        let seen = measured::run(&mut list(), &[], true);
        assert_eq!(seen.lines, tags, "a line a tag");
        let requests: Vec<String> = server.requests().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect();
        let call = || floor::command(server.address(), &requests, 1);
        let rivals = vec![Rival { name: "bare requests".into(), call: Box::new(call), times: 1 }];
        self.row(&what, "serve", &requests.len().to_string(), list, rivals, 5, |run| {
            let first = run.first_line.map_or_else(String::new, |first| format!("first line after {}", time(first)));
            let peak = seen.peak.map_or_else(String::new, |peak| format!(", {:.1} MiB at most", peak as f64 / 1_048_576.0));
            first + &peak
        });
    }

    /// How cost grows with the number of repositories.
    fn catalog(&self, repositories: usize) {
        let what = format!("`repo list`, {repositories} repositories");
        if !self.wants(&what) {
            return;
        }
        let storage = Storage::memory();
        for number in 0..repositories {
            fill(&storage, &format!("team/app{number:05}"), 1);
        }
        let server = Running::start(Settings::new(storage)).expect("a free port");
        let (program, url) = (Program::new(), server.url());
        let list = || command(&program, &["repo", "list", "-r", &url, "-o", "jsonl"]);
        let seen = measured::run(&mut list(), &[], true);
        assert_eq!(seen.lines, repositories, "a line a repository");
        let requests: Vec<String> = server.requests().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect();
        let call = || floor::command(server.address(), &requests, 1);
        let rivals = vec![Rival { name: "bare requests".into(), call: Box::new(call), times: 1 }];
        self.row(&what, "serve", &requests.len().to_string(), list, rivals, 5, |_| {
            seen.peak.map_or_else(String::new, |peak| format!("{:.1} MiB at most", peak as f64 / 1_048_576.0))
        });
    }

    /// Deleting all there is, on a server that needs as long for a deletion as docker-registry does for a few tags.
    fn prune(&self, tags: usize) {
        let what = format!("`prune --yes`, {tags} tags, {} a deletion", time(DELETION));
        if !self.wants(&what) {
            return;
        }
        let storage = Storage::memory();
        fill(&storage, REPOSITORY, tags);
        let behaviour = Behaviour { delete_latency: DELETION, ..Behaviour::default() };
        let server = Running::start(Settings { behaviour, ..Settings::new(storage) }).expect("a free port");
        let (program, url) = (Program::new(), server.url());
        let line = ["prune", REPOSITORY, "-r", &url, "--older-than", "0s", "--force-large", "--yes", "-o", "json"];
        let refill = || fill(server.storage(), REPOSITORY, tags);
        let prune = || {
            refill();
            let _ = std::fs::remove_dir_all(program.home().join("cache"));
            command(&program, &line)
        };
        let repository = REPOSITORY.parse().expect("a repository");
        let manifests = server.storage().manifests(&repository);
        let deletes: Vec<String> =
            manifests.iter().map(|manifest| format!("DELETE /v2/{REPOSITORY}/manifests/{}", manifest.digest)).collect();
        let seen = measured::run(&mut prune(), &[], true);
        assert!(server.storage().manifests(&repository).is_empty(), "all of it goes");
        let asked = server.counters().requests;
        let call = || {
            refill();
            floor::command(server.address(), &deletes, WIDTH)
        };
        let rivals = vec![Rival { name: format!("bare DELETEs ({})", deletes.len()), call: Box::new(call), times: 1 }];
        self.row(&what, "serve", &asked.to_string(), prune, rivals, 3, |_| {
            seen.peak.map_or_else(String::new, |peak| format!("{:.1} MiB at most", peak as f64 / 1_048_576.0))
        });
    }

    /// Runs all in turn and prints a line for each rival.
    #[expect(clippy::too_many_arguments, reason = "a row has as many columns")]
    fn row(
        &self,
        what: &str,
        place: &str,
        requests: &str,
        call: impl Fn() -> Command,
        rivals: Vec<Rival<'_>>,
        rounds: usize,
        more: impl Fn(&Measured) -> String,
    ) {
        if !self.wants(what) && !self.wants(place) {
            return;
        }
        let mut own = Vec::new();
        let mut others: Vec<Vec<Measured>> = rivals.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.rounds(rounds) {
            own.push(measured::run(&mut call(), &[], false));
            for (rival, runs) in rivals.iter().zip(&mut others) {
                let (mut command, input) = (rival.call)();
                runs.push(measured::run(&mut command, &input, false));
            }
        }
        let own = measured::median(own);
        let (mut more, mut what, mut shown, mut requests) = (more(&own), what, time(own.wall), requests);
        for (rival, runs) in rivals.iter().zip(others) {
            let other = measured::median(runs).wall * u32::try_from(rival.times).expect("a number of tags");
            let about = if rival.times > 1 { format!(", {} × one", rival.times) } else { String::new() };
            let ratio = own.wall.as_secs_f64() / other.as_secs_f64();
            println!("| {what} | {place} | {requests} | {shown} | {}{about}: {} | {ratio:.2} | {more} |", rival.name, time(other));
            // the row's own part is said once
            (more, what, shown, requests) = (String::new(), "", String::new(), "");
        }
    }
}

/// The embedded registry with so many tags.
fn embedded(tags: usize) -> Running {
    let storage = Storage::memory();
    fill(&storage, REPOSITORY, tags);
    Running::start(Settings::new(storage)).expect("a free port")
}

/// So many tags in a repository.
fn fill(storage: &Storage, repository: &str, tags: usize) {
    let now = "2026-11-20T12:00:00Z".parse().expect("a time");
    sample::many_tags(storage, &repository.parse().expect("a repository"), tags, now).expect("memory can be written");
}

/// A command line of the program, in a home of its own.
fn command(program: &Program, line: &[&str]) -> Command {
    let built = program.call(line).command();
    let Some(other) = std::env::var_os("REGCTL_BENCH_PROGRAM") else { return built };
    let mut command = Command::new(other);
    command.args(built.get_args()).env_clear().current_dir(program.home());
    command.envs(built.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

fn time(time: Duration) -> String {
    match time.as_secs_f64() * 1000.0 {
        milliseconds if milliseconds < 10.0 => format!("{milliseconds:.2} ms"),
        milliseconds if milliseconds < 100.0 => format!("{milliseconds:.1} ms"),
        milliseconds => format!("{milliseconds:.0} ms"),
    }
}
