//! Tokens from one run to the next, by the kernel of this machine. Left out where it keeps no keys for us, as in many containers.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use regctl::serve::{Account, Auth, Running, Settings, Storage, sample};

use crate::support::left_out::left_out;
use crate::support::program::Program;

const FREE_PORT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
const LIST: [&str; 3] = ["tag", "list", "lab/team/app"];

fn server(listen: SocketAddr, password: &str) -> Running {
    let storage = Storage::memory();
    sample::many_tags(&storage, &"team/app".parse().unwrap(), 3, "2026-11-20T12:00:00Z".parse().unwrap()).unwrap();
    let auth = Auth::Token(Account::new("alice", password));
    Running::start(Settings { auth, listen, ..Settings::new(storage) }).expect("a free port")
}

/// A program that keeps tokens and knows the server as `lab`.
fn program(server: &Running) -> Program {
    let mut program = Program::new();
    program.set("REGCTL_KEEP_TOKENS", "");
    program.write_catalogue(&format!("[registry.lab]\naddress = \"{}\"\n", server.url()));
    program.set("REGCTL_USERNAME", "alice");
    program.set("REGCTL_PASSWORD", "secret");
    program
}

/// What a run asks for, without parameters.
fn asks(server: &Running, program: &Program, line: &[&str]) -> Vec<String> {
    server.forget();
    program.run(line).succeeds();
    asked(server)
}

fn asked(server: &Running) -> Vec<String> {
    server.requests().iter().map(|request| format!("{} {}", request.path.split('?').next().unwrap(), request.status)).collect()
}

const LISTED: &str = "/v2/team/app/tags/list 200";
const TOKEN: &str = "/token 200";

#[cfg(target_os = "linux")]
fn kernel_keeps_keys() -> bool {
    use linux_keyutils::{KeyRing, KeyRingIdentifier};
    let keeps = || {
        let own = KeyRing::from_special_id(KeyRingIdentifier::Process, true).ok()?;
        own.link_keyring_id(KeyRingIdentifier::User).ok()?;
        let key = KeyRing::from_special_id(KeyRingIdentifier::User, true).ok()?.add_key("regctl:test", "content").ok()?;
        let kept = key.read_to_vec().ok()? == b"content";
        key.invalidate().ok()?;
        Some(kept)
    };
    let keeps = keeps() == Some(true);
    if !keeps {
        left_out("kernel keyring", "this kernel keeps no keys for us");
    }
    keeps
}

#[cfg(not(target_os = "linux"))]
fn kernel_keeps_keys() -> bool {
    left_out("kernel keyring", "Linux has it");
    false
}

#[test]
fn a_warm_run_is_one_round_trip() {
    if !kernel_keeps_keys() {
        return;
    }
    let server = server(FREE_PORT, "secret");
    let mut program = program(&server);
    assert_eq!(asks(&server, &program, &LIST), ["/v2/ 401", TOKEN, LISTED]);
    assert_eq!(asks(&server, &program, &LIST), [LISTED]);
    // what is kept is for this alone
    assert_eq!(asks(&server, &program, &["manifest", "head", "lab/team/app:t00001"]), ["/v2/team/app/manifests/t00001 200"]);
    assert_eq!(asks(&server, &program, &["repo", "list", "-r", "lab"])[0], TOKEN);
    // and can be declined
    let declined = [&LIST[..], &["--no-cache"]].concat();
    assert_eq!(asks(&server, &program, &declined), ["/v2/ 401", TOKEN, LISTED]);
    program.set("REGCTL_KEEP_TOKENS", "never");
    assert_eq!(asks(&server, &program, &LIST), [TOKEN, LISTED]);
}

#[test]
fn a_token_that_is_no_longer_taken_is_replaced_within_the_request() {
    if !kernel_keeps_keys() {
        return;
    }
    let old = server(FREE_PORT, "secret");
    let (program, address) = (program(&old), old.address());
    asks(&old, &program, &LIST);
    drop(old);
    // set up anew, it knows none of the tokens it gave
    let new = server(address, "secret");
    assert_eq!(asks(&new, &program, &LIST), ["/v2/team/app/tags/list 401", TOKEN, LISTED]);
    assert_eq!(asks(&new, &program, &LIST), [LISTED]);
}

#[test]
fn another_credential_gets_a_token_of_its_own() {
    if !kernel_keeps_keys() {
        return;
    }
    let server = server(FREE_PORT, "secret");
    let mut program = program(&server);
    asks(&server, &program, &LIST);
    program.set("REGCTL_PASSWORD", "another");
    server.forget();
    program.run(LIST).fails(5);
    assert_eq!(asked(&server)[0], "/token 401", "the token of the old password is not taken");
    program.set("REGCTL_PASSWORD", "secret");
    assert_eq!(asks(&server, &program, &LIST), [LISTED], "it was not thrown away either");
    // whoever looks whether the credential is good wants to know it of the server
    assert!(asks(&server, &program, &["check", "lab"]).contains(&TOKEN.to_owned()));
}

#[test]
fn nobody_reads_anything_of_it() {
    if !kernel_keeps_keys() {
        return;
    }
    let server = server(FREE_PORT, "secret-canary");
    let mut program = program(&server);
    program.set("REGCTL_PASSWORD", "secret-canary");
    asks(&server, &program, &LIST);
    let files = program.files();
    assert_eq!(files.keys().filter(|path| path.starts_with("cache")).count(), 1, "what is kept is on no disk: {:?}", files.keys());
    let keys = std::fs::read_to_string("/proc/keys").unwrap_or_default();
    for line in keys.lines().filter(|line| line.contains("regctl:token:")) {
        let rights = line.split_whitespace().find(|word| word.len() == 8 && word.starts_with("3f")).expect("rights");
        assert!(rights.ends_with("0000"), "neither group nor others: {line}");
        assert!(!line.contains("alice") && !line.contains("team/app"), "{line}");
    }
}
