//! How many requests each command makes, with nothing remembered and with all that it can remember. A number here grows for a reason, which
//! is written beside it.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use regctl::serve::{Account, Auth, Running, Settings, Storage, sample};

use crate::support::program::Program;

const TAGS: usize = 5;
const FREE_PORT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Login {
    /// Nobody has to say who they are.
    Anonymous,
    /// User and password with each request.
    Basic,
    /// A token.
    Bearer,
}

/// A server with a repository of five tags.
fn server(login: Login, listen: SocketAddr) -> Running {
    let storage = Storage::memory();
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    sample::many_tags(&storage, &"team/app".parse().unwrap(), TAGS, now).unwrap();
    let account = Account::new("alice", "secret");
    let auth = match login {
        Login::Anonymous => Auth::Open,
        Login::Basic => Auth::Basic(account),
        Login::Bearer => Auth::Token(account),
    };
    Running::start(Settings { auth, listen, ..Settings::new(storage) }).expect("a free port")
}

/// A program that knows it as `lab`.
fn program(server: &Running, login: Login) -> Program {
    let mut program = Program::new();
    program.write_catalogue(&format!("[registry.lab]\naddress = \"{}\"\n", server.url()));
    if login != Login::Anonymous {
        program.set("REGCTL_USERNAME", "alice");
        program.set("REGCTL_PASSWORD", "secret");
    }
    program
}

/// What a run of the command asked for.
fn asked(server: &Running, program: &Program, line: &[&str]) -> Vec<String> {
    server.forget();
    program.run(line).succeeds();
    server.requests().iter().map(|request| format!("{} {} {}", request.method, request.path, request.status)).collect()
}

#[test]
fn no_command_asks_more_than_it_has_to() {
    // of an open server: with nothing remembered, and with everything
    let commands: &[(&[&str], usize, usize)] = &[
        (&["repo", "list", "-r", "lab"], 1, 1),
        (&["tag", "list", "lab/team/app"], 1, 1),
        (&["tag", "list", "lab/team/app", "-o", "jsonl"], 1, 1),
        (&["manifest", "get", "lab/team/app:t00001"], 1, 1),
        // the list; manifest and config of each tag, or its HEAD alone
        (&["tag", "list", "lab/team/app", "--details"], 1 + 2 * TAGS, 1 + TAGS),
        // manifest, config (when it is not remembered), referrers; for other tags on the digest the list and a HEAD each
        (&["inspect", "lab/team/app:t00001"], 3 + TAGS, 2 + TAGS),
        (&["inspect", "lab/team/app:t00001", "--no-tags"], 3, 2),
    ];
    // how it wants to be signed in to is asked once ever; a token is never kept on the disk, so each run asks for one
    let signing_in = [(Login::Anonymous, 0, 0), (Login::Basic, 1, 0), (Login::Bearer, 2, 1)];
    let mut wrong = Vec::new();
    for (login, at_first, always) in signing_in {
        let server = server(login, FREE_PORT);
        for (line, cold, warm) in commands {
            let program = program(&server, login);
            for (state, number) in [("cold", cold + at_first), ("warm", warm + always)] {
                let requests = asked(&server, &program, line);
                if requests.len() != number {
                    let list = requests.join("\n  ");
                    wrong.push(format!("{login:?}, {state}: {line:?}: {} instead of {number}:\n  {list}", requests.len()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A registry is set up anew at its address, and wants to be signed in to in another way than is remembered.
#[test]
fn what_no_longer_holds_is_asked_for_again() {
    let ways = [Login::Basic, Login::Bearer, Login::Basic, Login::Anonymous, Login::Bearer, Login::Anonymous];
    let mut old = server(Login::Anonymous, FREE_PORT);
    let address = old.address();
    let program = program(&old, Login::Basic);
    for login in ways {
        drop(old);
        old = server(login, address);
        let line = ["tag", "list", "lab/team/app", "-q"];
        for _ in 0..2 {
            let names = program.run(line).succeeds().stdout;
            assert_eq!(names.lines().count(), TAGS, "{login:?}");
        }
        // by then it is known
        let requests = asked(&old, &program, &line);
        assert_eq!(requests.len(), if login == Login::Bearer { 2 } else { 1 }, "{login:?}: {requests:?}");
    }
}

#[test]
fn what_is_kept_of_signing_in_is_no_secret_and_can_be_declined() {
    let server = server(Login::Bearer, FREE_PORT);
    let program = program(&server, Login::Bearer);
    let line = ["tag", "list", "lab/team/app", "-q"];
    for _ in 0..2 {
        let requests = asked(&server, &program, &[&line[..], &["--no-cache"]].concat());
        assert_eq!(requests.len(), 3, "{requests:?}");
    }
    assert!(!program.home().join("cache").exists());
    assert_eq!(asked(&server, &program, &line).len(), 3);
    let files = program.files();
    let kept: Vec<&[u8]> =
        files.iter().filter(|(path, _)| path.starts_with("cache/sign-in")).map(|(_, content)| content.as_slice()).collect();
    let [note] = kept[..] else { panic!("{:?}", files.keys()) };
    let note: serde_json::Value = serde_json::from_slice(note).unwrap();
    let expected = serde_json::json!({
        "registry": format!("{}/", server.url()), "scheme": "bearer", "realm": format!("{}/token", server.url()), "service": "regctl-serve",
    });
    assert_eq!(note, expected);
}
