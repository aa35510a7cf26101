//! Parts of the program that touch neither network nor server, one after the other.
//!
//! ```text
//! cargo bench --bench parts              all; words after it choose
//! cargo test --bench parts               each once, to see that it still runs
//! ```

#![allow(clippy::disallowed_methods, reason = "it looks at the machine as it is")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::num::NonZeroU32;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use regctl::cache::Cache;
use regctl::oci::{Digest, ImageConfig, RawManifest, Reference, Repository, Tag, media_type};
use regctl::operations::filter::Filter;
use regctl::operations::image::Shape;
use regctl::operations::inventory::{Inventory, Node, Parts};
use regctl::operations::prune::{Policy, decide};
use regctl::operations::tags::ResolvedTag;
use regctl::output::{Cell, Column, Table};
use regctl::registry::Remembered as _;
use regctl::serve::{Storage, sample};
use regctl::transport::Challenge;

/// As many as a large repository has.
const MANY: u32 = 100_000;
/// A challenge as registries send it.
const CHALLENGE: &[u8] =
    br#"Bearer realm="https://auth.example.com/token",service="registry.example.com",scope="repository:team/web:pull,delete""#;

criterion_group!(parts, names, documents, cache, lists);
criterion_main!(parts);

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().expect("a time")
}

fn repository() -> Repository {
    "team/app".parse().expect("a repository")
}

fn names(criterion: &mut Criterion) {
    criterion.bench_function("reference, read", |bencher| {
        bencher.iter(|| black_box("team/web:v2.4.1").parse::<Reference>());
    });
    criterion.bench_function("tag, read", |bencher| bencher.iter(|| black_box("v2.4.1-alpine").parse::<Tag>()));
    let digest = Digest::sha256(b"content");
    criterion.bench_function("digest, read", |bencher| bencher.iter(|| black_box(digest.as_str()).parse::<Digest>()));
    criterion.bench_function("challenge, read", |bencher| bencher.iter(|| Challenge::read([black_box(CHALLENGE)])));
}

/// A manifest and its config, of a few hundred bytes each.
fn image() -> (RawManifest, Vec<u8>) {
    let storage = Storage::memory();
    sample::many_tags(&storage, &repository(), 1, now()).expect("memory can be written");
    let config = br#"{"created":"2026-11-01T00:00:00Z","architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin"],"Cmd":["sh"],
        "Labels":{"org.opencontainers.image.version":"2.4.1"}},"history":[{"created_by":"COPY . ."},{"created_by":"CMD","empty_layer":true}],
        "rootfs":{"type":"layers","diff_ids":["sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"]}}"#;
    (storage.manifests(&repository()).remove(0), config.to_vec())
}

fn documents(criterion: &mut Criterion) {
    let (manifest, config) = image();
    criterion.bench_function("manifest, read", |bencher| bencher.iter(|| black_box(&manifest).parse()));
    criterion.bench_function("manifest, verified", |bencher| {
        bencher.iter(|| manifest.digest.verifies(black_box(&manifest.bytes)));
    });
    criterion.bench_function("config, read", |bencher| {
        bencher.iter(|| serde_json::from_slice::<ImageConfig>(black_box(&config)));
    });
}

fn cache(criterion: &mut Criterion) {
    let (manifest, _) = image();
    let folder = tempfile::tempdir().expect("a temporary folder");
    Cache::new(folder.path()).keep_manifest(&manifest);
    let cache = Cache::new(folder.path());
    criterion.bench_function("manifest, taken from the cache", |bencher| {
        bencher.iter(|| cache.manifest(black_box(&manifest.digest)));
    });
}

fn lists(criterion: &mut Criterion) {
    let names: Vec<String> = (0..MANY).map(|number| format!("v{}.{}.{}", number / 1000, number / 10 % 100, number % 10)).collect();
    let mut group = criterion.benchmark_group("100,000 tags");
    group.throughput(Throughput::Elements(MANY.into())).sample_size(10);
    let glob = Filter::new(Some("v2.*"), None).expect("a glob");
    group.bench_function("held against a glob", |bencher| {
        bencher.iter(|| names.iter().filter(|name| glob.matches(name)).count());
    });
    group.bench_function("made lines of a table", |bencher| {
        bencher.iter(|| {
            let mut table = Table::new([Column::new("tag").shrinks(), Column::new("digest"), Column::new("size").right()]);
            for name in &names {
                table.row(name.clone(), [Cell::from(name.clone()), Cell::from("sha256:9f2c"), Cell::from("12.3 MB")]);
            }
            table
        });
    });
    let inventory = inventory(&names);
    let policy = Policy { keep_last: NonZeroU32::new(10), older_than: "30d".parse().ok(), untagged: true, ..Policy::default() };
    assert!(!decide(&inventory, &repository(), &policy, now()).deletes.is_empty(), "something is decided");
    group.bench_function("decided upon by prune", |bencher| {
        bencher.iter(|| decide(black_box(&inventory), &repository(), &policy, now()));
    });
}

/// A repository with an image a tag, an hour apart.
fn inventory(names: &[String]) -> Inventory {
    let mut nodes = BTreeMap::new();
    let mut tags = Vec::with_capacity(names.len());
    for (hours, name) in (0..).zip(names) {
        let digest = Digest::sha256(name.as_bytes());
        tags.push(ResolvedTag {
            tag: name.parse().expect("a tag"),
            digest: digest.clone(),
            media_type: media_type::OCI_MANIFEST.to_owned(),
            pushed_at: None,
            pulled_at: None,
            lock: None,
        });
        nodes.insert(
            digest,
            Node {
                media_type: media_type::OCI_MANIFEST.to_owned(),
                shape: Shape::Image,
                artifact_type: None,
                size: 500,
                children: Vec::new(),
                subject: None,
                blobs: Vec::new(),
                created_at: now().checked_sub(SignedDuration::from_hours(hours)).ok(),
            },
        );
    }
    Parts { tags, nodes, ..Parts::default() }.into()
}
