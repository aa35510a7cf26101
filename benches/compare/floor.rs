//! The load generator: the same requests as the program made, bare. Nothing of the answers is parsed, kept, checked or printed. It runs as a
//! process of its own, as what it is compared with does, and is made with another library than the program, so that a fault in one of them
//! is not in both.

use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use futures_util::{StreamExt as _, stream};
use reqwest::Method;

/// The argument that makes the benchmark a load generator.
pub const ARGUMENT: &str = "--floor";

/// What registries are asked to answer manifests as.
const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// How one process replays these requests, so many at once; the first, on which all others depend, goes alone.
pub fn command(server: SocketAddr, requests: &[String], width: usize) -> (Command, Vec<u8>) {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.args([ARGUMENT, &server.to_string(), &width.to_string()]).stdin(Stdio::piped());
    (command, requests.join("\n").into_bytes())
}

/// The process itself.
pub fn main(arguments: &[String]) {
    let [server, width] = arguments else { panic!("{ARGUMENT} SERVER WIDTH") };
    let width: usize = width.parse().expect("a number");
    let requests: Vec<(Method, String)> = std::io::stdin()
        .lock()
        .lines()
        .map(|line| {
            let line = line.expect("text");
            let (method, path) = line.split_once(' ').expect("METHOD /path");
            (method.parse().expect("a method"), format!("http://{server}{path}"))
        })
        .collect();
    // a second call finds the first one's choice in place, which is the same
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).tcp_nodelay(true).build().expect("a client");
    let client = &client;
    let ask = |(method, url): (Method, String)| async move {
        let response = client.request(method, &url).header("accept", ACCEPT).send().await.expect("the server answers");
        // 404 is an answer too: nothing is attached to most images
        let status = response.status();
        assert!(status.is_success() || status == reqwest::StatusCode::NOT_FOUND, "{status} {url}");
        response.bytes().await.expect("a body").len()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bytes: usize = runtime.block_on(async {
        let mut requests = requests.into_iter();
        let first = match requests.next() {
            Some(first) => ask(first).await,
            None => 0,
        };
        first + stream::iter(requests).map(ask).buffer_unordered(width).fold(0, |sum, more| async move { sum + more }).await
    });
    let _ = writeln!(std::io::stdout(), "{bytes} bytes");
}
