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
/// As quick as a registry gets: docker-registry on the same machine works for half of it on each request.
const QUICK: Duration = Duration::from_millis(1);
/// Where the tags are.
const REPOSITORY: &str = "team/app";
/// One of them.
const REFERENCE: &str = "team/app:t00001";

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

/// The same requests, bare.
fn bare<'a>(name: &str, address: SocketAddr, requests: &[String]) -> Rival<'a> {
    let requests = requests.to_vec();
    Rival { name: name.to_owned(), call: Box::new(move || floor::command(address, &requests, WIDTH)), times: 1 }
}

#[derive(Clone, Copy)]
enum Distance {
    Near,
    Far,
}

/// A server with a repository of many tags, the ways to it, and the program that lists them.
struct Place<'a> {
    name: &'a str,
    /// Whether it is a registry that people run.
    is_real: bool,
    address: SocketAddr,
    near: Way,
    far: Way,
    program: Program,
    tags: usize,
}

impl<'a> Place<'a> {
    fn new(name: &'a str, address: SocketAddr, tags: usize) -> Place<'a> {
        let (near, far) = (Way::to(address, Duration::ZERO), Way::to(address, FAR));
        Place { name, is_real: false, address, near, far, program: Program::new(), tags }
    }

    /// A command line against this server at one of its addresses.
    fn call(&self, address: SocketAddr, line: &[&str]) -> Command {
        command(&self.program, &[line, &["-r", &format!("http://{address}")]].concat())
    }

    fn list(&self, more: &'static [&'static str]) -> impl Fn(SocketAddr) -> Command {
        move |address| self.call(address, &[&["tag", "list", REPOSITORY], more].concat())
    }

    /// What a command asks for, which is then asked for barely.
    fn asked(&self, call: &dyn Fn(SocketAddr) -> Command) -> Vec<String> {
        measured::run(&mut call(self.near.address()), &[], false);
        self.near.take_requests()
    }

    /// Makes the next run a cold one.
    fn forget(&self) {
        let _ = std::fs::remove_dir_all(self.program.home().join("cache"));
    }
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
        let serve = embedded(tags, Duration::ZERO);
        self.place(&Place::new("serve", serve.address(), tags));
        let serve = embedded(tags, QUICK);
        self.details(&Place::new("serve, 1 ms an answer", serve.address(), tags), &[Distance::Near]);
        if let Some(registry) = DockerRegistry::start(Setup::Plain) {
            let names: Vec<String> = (0..tags).map(|number| format!("t{number:05}")).collect();
            support::storage::fill(&registry.storage(), REPOSITORY, names.iter().map(String::as_str));
            let address = registry.address().trim_start_matches("http://").parse().expect("an address with a port");
            self.place(&Place { is_real: true, ..Place::new("docker-registry", address, tags) });
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
    fn place(&self, place: &Place) {
        self.names(place);
        self.inspect(place);
        self.details(place, &[Distance::Near, Distance::Far]);
    }

    /// The names of all tags.
    fn names(&self, place: &Place) {
        let requests = place.asked(&place.list(&["-q"]));
        let mut rivals = vec![bare("bare requests", place.address, &requests)];
        for peer in &self.peers {
            let call = |address: SocketAddr| peer.names(&address.to_string(), REPOSITORY);
            let name = format!("{} ({} requests)", peer.name, place.asked(&call).len());
            rivals.push(Rival { name, call: Box::new(move || (call(place.address), Vec::new())), times: 1 });
        }
        let what = format!("`tag list`, {} names", place.tags);
        let list = place.list(&["-q"]);
        self.row(&what, place.name, &requests.len().to_string(), || list(place.address), rivals, 11, |_| String::new());
    }

    /// One image.
    fn inspect(&self, place: &Place) {
        let inspect = |address: SocketAddr| place.call(address, &["inspect", REFERENCE]);
        place.forget();
        let requests = place.asked(&inspect);
        let mut rivals = vec![bare("bare requests", place.address, &requests)];
        for peer in &self.peers {
            let call = |address: SocketAddr| peer.inspect(&address.to_string(), REFERENCE);
            let name = format!("{} ({} requests)", peer.name, place.asked(&call).len());
            rivals.push(Rival { name, call: Box::new(move || (call(place.address), Vec::new())), times: 1 });
        }
        let cold = || {
            place.forget();
            inspect(place.address)
        };
        self.row("`inspect`, one tag", place.name, &requests.len().to_string(), cold, rivals, 11, |_| String::new());
    }

    /// All tags with what they point at, the first time and again.
    fn details(&self, place: &Place, distances: &[Distance]) {
        let list = place.list(&["--details", "-o", "json"]);
        place.forget();
        let (cold, warm) = (place.asked(&list), place.asked(&list));
        for (state, requests) in [("cold", cold), ("warm", warm)] {
            for distance in distances {
                let (server, way) = match distance {
                    Distance::Near => (place.address, ""),
                    Distance::Far => (place.far.address(), ", 50 ms away"),
                };
                let what = format!("`tag list --details`, {} tags, {state}", place.tags);
                let mut rivals = vec![bare("bare requests", server, &requests)];
                if state == "cold" && matches!(distance, Distance::Near) && place.is_real {
                    // one process a tag is the only way; a part is measured, the whole is said
                    rivals.extend(self.peers.iter().map(|peer| Rival {
                        name: format!("{}, one process a tag", peer.name),
                        call: Box::new(|| (peer.inspect(&place.address.to_string(), REFERENCE), Vec::new())),
                        times: place.tags,
                    }));
                }
                let call = || {
                    if state == "cold" {
                        place.forget();
                    }
                    list(server)
                };
                let ideal = FAR.mul_f64(requests.len() as f64 / WIDTH as f64);
                let more = |run: &Measured| match distance {
                    Distance::Near => String::new(),
                    Distance::Far => format!("{:.2} × the ideal of {}", run.wall.as_secs_f64() / ideal.as_secs_f64(), time(ideal)),
                };
                // what takes milliseconds differs most from one time to the next, and costs least to be done again
                let rounds = if matches!(distance, Distance::Near) && !place.is_real { 21 } else { 5 };
                self.row(&what, &format!("{}{way}", place.name), &requests.len().to_string(), call, rivals, rounds, more);
            }
        }
    }

    /// How cost grows with the number of tags.
    fn size(&self, tags: usize) {
        let what = format!("`tag list -o jsonl`, {tags} tags");
        if !self.wants(&what) {
            return;
        }
        let server = embedded(tags, Duration::ZERO);
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

/// The embedded registry with so many tags, which takes this long for an answer.
fn embedded(tags: usize, latency: Duration) -> Running {
    let storage = Storage::memory();
    fill(&storage, REPOSITORY, tags);
    let behaviour = Behaviour { latency, ..Behaviour::default() };
    Running::start(Settings { behaviour, ..Settings::new(storage) }).expect("a free port")
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
