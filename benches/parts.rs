//! Parts of the program that touch neither network nor disk, one after the other: how long one call takes, by the fastest of some rounds.
//!
//! ```text
//! cargo bench --bench parts                    all
//! cargo test --bench parts -- --brief          each once, to see that it still runs
//! ```
//!
//! Prints a table in Markdown; fails on no time.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]
#![allow(clippy::disallowed_methods, reason = "it looks at the machine as it is")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use regctl::cache::Cache;
use regctl::oci::{Digest, RawManifest, Reference, Repository, Tag};
use regctl::operations::filter::Filter;
use regctl::output::{Cell, Column, Table};
use regctl::registry::Remembered as _;
use regctl::serve::{Storage, sample};

/// How long a part is repeated before its time is believed.
const ENOUGH: Duration = Duration::from_millis(200);
/// How many rounds, of which the fastest counts: others on the machine make things slower and never faster.
const ROUNDS: usize = 5;

/// What is measured against.
struct Harness {
    brief: bool,
}

impl Harness {
    /// Prints what a call of `work` takes, which does `items` things.
    fn part<T>(&self, name: &str, items: u32, mut work: impl FnMut() -> T) {
        let started = Instant::now();
        black_box(work());
        let once = started.elapsed().max(Duration::from_nanos(1));
        if self.brief {
            println!("| {name} | |");
            return;
        }
        let calls = u32::try_from(ENOUGH.as_nanos() / once.as_nanos() / ROUNDS as u128).unwrap_or(u32::MAX).max(1);
        let round = || {
            let started = Instant::now();
            for _ in 0..calls {
                black_box(work());
            }
            started.elapsed() / calls
        };
        let best = std::iter::repeat_with(round).take(ROUNDS).min().expect("there is a round");
        println!("| {name} | {:.3} µs |", best.as_secs_f64() * 1e6 / f64::from(items));
    }
}

fn main() {
    let harness = Harness { brief: std::env::args().any(|argument| argument == "--brief") };
    let many: u32 = if harness.brief { 100 } else { 100_000 };
    println!("| part | each |\n| --- | ---: |");

    harness.part("reference, read", 1, || "team/web:v2.4.1".parse::<Reference>());
    let digest = Digest::sha256(b"content");
    harness.part("digest, read", 1, || digest.to_string().parse::<Digest>());
    harness.part("tag, read", 1, || "v2.4.1-alpine".parse::<Tag>());

    let (storage, repository) = (Storage::memory(), "team/app".parse::<Repository>().expect("a repository"));
    sample::many_tags(&storage, &repository, 1, "2026-11-20T12:00:00Z".parse().expect("a time")).expect("memory can be written");
    let manifest: RawManifest = storage.manifests(&repository).remove(0);
    harness.part("manifest, read", 1, || manifest.parse().is_ok());
    harness.part("manifest, verified", 1, || Digest::sha256(&manifest.bytes) == manifest.digest);

    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = Cache::new(folder.path());
    harness.part("manifest, put into the cache", 1, || cache.keep_manifest(&manifest));
    harness.part("manifest, taken from the cache", 1, || cache.manifest(&manifest.digest));

    let names: Vec<String> = (0..many).map(|number| format!("v{}.{}.{}", number / 1000, number / 10 % 100, number % 10)).collect();
    let glob = Filter::new(Some("v2.*"), None).expect("a glob");
    harness.part("tag, held against a glob", many, || names.iter().filter(|name| glob.matches(name)).count());
    harness.part("line of a table", many.min(1000), || {
        let mut table = Table::new([Column::new("tag").shrinks(), Column::new("digest"), Column::new("size").right()]);
        for name in names.iter().take(1000) {
            table.row(name.clone(), [Cell::from(name.clone()), Cell::from("sha256:9f2c"), Cell::from("12.3 MB")]);
        }
        table
    });
}
