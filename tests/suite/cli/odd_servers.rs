//! Servers that are down, are something else, or mean no good. The program must say which, end, and print none of their control
//! characters.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::canned::{Answer, Canned, Received};
use crate::support::program::{Finished, PATIENCE, Program};
use crate::support::terminal::Terminal;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

fn json_answer(value: &serde_json::Value) -> Answer {
    Answer::new(200, "application/json", &value.to_string())
}

/// A registry that is open to everyone, whose other answers are up to the test.
fn registry(answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Canned {
    Canned::start(move |request| if request.target == "/v2/" { json_answer(&json!({})) } else { answer(request) })
}

/// `tag list` on a server that is in no catalogue.
fn tag_list(server: &Canned) -> Finished {
    Program::new().run(["tag", "list", &format!("{}/app", server.address())])
}

fn no_control_characters(finished: &Finished) {
    for text in [&finished.stdout, &finished.stderr] {
        let bad: Vec<char> = text.chars().filter(|c| c.is_control() && *c != '\n').collect();
        assert!(bad.is_empty(), "{bad:?} reached the terminal: {text:?}");
    }
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    drop(listener);
    Program::new().run(["tag", "list", &format!("{address}/app")]).fails(6).says("127.0.0.1");
}

#[test]
fn nobody_answers_to_that_name() {
    Program::new().run(["tag", "list", "no-such-host.invalid/app"]).fails(6).says("no-such-host.invalid");
}

#[test]
fn a_website_is_no_registry() {
    let server = Canned::start(|_| Answer::new(200, "text/html", "<!DOCTYPE html><title>Welcome</title>"));
    tag_list(&server).fails(1).hides("<title>");
}

#[test]
fn an_error_page_is_not_shown_as_it_is() {
    let server = Canned::start(|_| Answer::new(404, "text/html", "<html><script>alert(1)</script></html>"));
    tag_list(&server).hides("<script>").fails(3).says("web page");
}

#[test]
fn a_body_that_ends_early_is_no_list() {
    let server = registry(|_| json_answer(&json!({"name": "app", "tags": ["v1"]})).cut_short());
    tag_list(&server).fails(6);
}

#[test]
fn a_body_that_is_something_else_is_no_list() {
    for body in ["", "[]", "{\"tags\": 7}", "{\"tags\": [7]}", "\u{feff}nonsense", "{\"tags\": [\"v1\"]"] {
        let server = registry(move |_| Answer::new(200, "application/json", body));
        tag_list(&server).fails(1);
    }
}

#[test]
fn a_body_without_end_is_given_up() {
    let endless = format!("{{\"tags\": [\"{}\"]}}", "x".repeat(80 * 1024 * 1024));
    let server = registry(move |_| Answer::new(200, "application/json", &endless));
    tag_list(&server).fails(1);
}

#[test]
fn a_digest_that_does_not_fit_is_refused() {
    let wrong = format!("sha256:{}", "0".repeat(64));
    let manifest = json!({"schemaVersion": 2, "mediaType": IMAGE, "layers": [],
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": wrong, "size": 2}});
    let server = registry(move |_| Answer::new(200, IMAGE, &manifest.to_string()).header("Docker-Content-Digest", &wrong));
    let target = format!("{}/app:v1", server.address());
    for command in [["inspect", &target].as_slice(), &["manifest", "get", &target]] {
        Program::new().run(command).fails(1).says("digest");
    }
}

#[test]
fn pages_that_loop_end() {
    let server = registry(|_| {
        json_answer(&json!({"name": "app", "tags": ["v1", "v2"]})).header("Link", "</v2/app/tags/list?last=v2&n=2>; rel=\"next\"")
    });
    let finished = tag_list(&server);
    assert!(server.received().len() < 20, "{} requests", server.received().len());
    insta::assert_snapshot!(finished, @r"
    $ regctl tag list 127.0.0.1:PORT/app
    TAG
    v1
    v2
    ");
}

#[test]
fn the_next_page_is_never_fetched_from_another_host() {
    let other = Canned::start(|_| json_answer(&json!({"tags": ["stolen"]})));
    let elsewhere = format!("<http://{}/v2/app/tags/list?last=v1>; rel=\"next\"", other.address());
    let server = registry(move |request| {
        let tags = if request.target.contains("last=") { json!([]) } else { json!(["v1"]) };
        json_answer(&json!({"name": "app", "tags": tags})).header("Link", &elsewhere)
    });
    let finished = tag_list(&server);
    assert!(!server.received().is_empty() && other.received().is_empty(), "{finished}");
    assert!(!finished.stdout.contains("stolen"), "{finished}");
}

#[test]
fn terminal_escapes_in_names_stay_where_they_came_from() {
    let nasty = "v1\u{1b}[31m\u{7}\u{9b}31m\u{202e}\r\nfake";
    let server = registry(move |request| match request.target.as_str() {
        target if target.starts_with("/v2/_catalog") => json_answer(&json!({"repositories": ["app", nasty]})),
        _ => json_answer(&json!({"name": "app", "tags": ["good", nasty]})),
    });
    let finished = tag_list(&server);
    no_control_characters(&finished);
    assert!(finished.stdout.contains("good"), "{finished}");
    let listed = Program::new().run(["repo", "list", &server.address().to_string()]);
    no_control_characters(&listed);
    for format in ["wide", "name", "csv", "yaml"] {
        let finished = Program::new().run(["tag", "list", &format!("{}/app", server.address()), "-o", format]);
        assert!(!finished.stdout.contains('\u{1b}') && !finished.stdout.contains('\u{9b}'), "-o {format}: {:?}", finished.stdout);
    }
}

#[test]
fn terminal_escapes_in_errors_stay_where_they_came_from() {
    let errors = json!({"errors": [{"code": "DENIED", "message": "no\u{1b}]0;owned\u{7}", "detail": "\u{1b}[2J"}]});
    let server = registry(move |_| Answer::new(403, "application/json", &errors.to_string()));
    let finished = tag_list(&server).fails(5);
    no_control_characters(&finished);
}

#[test]
#[cfg(unix)]
fn control_c_ends_a_wait_with_130() {
    let server = registry(|_| {
        std::thread::sleep(PATIENCE);
        json_answer(&json!({"tags": []}))
    });
    let program = Program::new();
    let mut terminal = Terminal::start(program.call(["tag", "list", &format!("{}/app", server.address())]));
    let started = Instant::now();
    while !server.received().iter().any(|request| request.target.contains("tags")) {
        assert!(started.elapsed() < PATIENCE, "the server was never asked");
        std::thread::sleep(Duration::from_millis(5));
    }
    terminal.presses_control('c');
    let (_, code) = terminal.ends();
    assert_eq!(code, 130);
}

/// What was listed before the list broke is there, line by line, and the exit code says that it is not all (users' report: nexus-public#1011).
#[test]
fn what_came_before_a_list_breaks_is_streamed() {
    let server = registry(|request| match request.target.contains("last=") {
        true => Answer::new(400, "application/json", r#"{"errors":[{"code":"PAGINATION_NUMBER_INVALID","message":"no"}]}"#),
        false => {
            let pages = json!({ "repositories": ["a", "b"], "name": "app", "tags": ["v1", "v2"] });
            json_answer(&pages).header("Link", &format!("<{}?n=2&last=b>; rel=\"next\"", request.target.split('?').next().unwrap()))
        }
    });
    let program = Program::new();
    for line in [["repo", "list", "HOST"], ["tag", "list", "HOST/app"]] {
        let line = line.map(|word| word.replace("HOST", &server.address().to_string()));
        let streamed = program.run(line.iter().map(String::as_str).chain(["-o", "jsonl"]));
        assert_eq!((streamed.stdout.lines().count(), streamed.code.map(|code| code > 0)), (2, Some(true)), "{streamed}");
        let whole = program.run(line.iter().map(String::as_str).chain(["-o", "json"]));
        assert!(whole.stdout.is_empty(), "half a list is none: {whole}");
        // who wants no more than was there is not told of the rest
        program.run(line.iter().map(String::as_str).chain(["-o", "jsonl", "--limit", "2"])).succeeds();
    }
}
