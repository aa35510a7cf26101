//! The allow-list: no byte leaves for an address outside it, and no secret is looked up for one (SPEC §9).

use std::net::{SocketAddr, TcpListener};

use crate::support::canned::{Answer, Canned, Received};
use crate::support::program::Program;

/// A socket that listens and must never be connected to.
struct Silent(TcpListener);

impl Silent {
    fn at(address: &str) -> Option<Silent> {
        let listener = TcpListener::bind(address).ok()?;
        listener.set_nonblocking(true).expect("our own socket");
        Some(Silent(listener))
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("a bound socket has an address")
    }

    fn port(&self) -> u16 {
        self.address().port()
    }

    /// A connection would be waiting to be accepted.
    #[track_caller]
    fn saw_nothing(&self) {
        let accepted = self.0.accept();
        assert!(accepted.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "{accepted:?}");
    }
}

/// A registry with one entry, whose secret leaves a trace when it is looked up.
fn home(address: &str, subnets: &str, more: &str) -> Program {
    let program = Program::new();
    program.write_catalogue(&format!(
        "[registry.prod]\naddress = \"{address}\"\nallow_subnets = [{subnets}]\nusername = \"alice\"\n\
         credential_command = [\"/bin/sh\", \"-c\", \"echo asked >> asked; echo s3cr3t-canary\"]\ncredential = \"command\"\n{more}"
    ));
    program
}

fn secret_was_asked_for(program: &Program) -> bool {
    program.home().join("asked").exists()
}

fn registry(answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Canned {
    Canned::start(answer)
}

fn tags(_: &Received) -> Answer {
    Answer::new(200, "application/json", r#"{"name":"app","tags":["v1"],"repositories":["app"]}"#)
}

#[test]
fn outside_the_list_nothing_is_connected_and_no_secret_looked_up() {
    let v4 = Silent::at("127.0.0.1:0").unwrap();
    let port = v4.port();
    for host in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]"] {
        for (subnets, says) in [
            ("\"192.0.2.0/24\"", "outside the allow-list"),
            ("\"192.0.2.0/24\", \"2001:db8::/32\"", "outside the allow-list"),
            ("\"0.0.0.0/0\"", "denies every address"),
            ("\"127.0.0.1\", \"0.0.0.0/0\"", "denies every address"),
        ] {
            let program = home(&format!("http://{host}:{port}"), subnets, "");
            for line in ["tag list prod/app", "repo list prod", "manifest get prod/app:v1"] {
                program.run(line.split(' ')).fails(8).says(says);
            }
            program.run(["check", "prod"]).exits(8).says(says);
            v4.saw_nothing();
            assert!(!secret_was_asked_for(&program), "{host} {subnets}");
        }
    }
    if let Some(v6) = Silent::at("[::1]:0") {
        for subnets in ["\"0.0.0.0/0\"", "\"127.0.0.1\""] {
            home(&format!("http://[::1]:{}", v6.port()), subnets, "").run(["tag", "list", "prod/app"]).fails(8);
            v6.saw_nothing();
        }
    }
}

/// Without a keyring in the session, looking would end with 5.
#[test]
fn no_keyring_is_opened_for_an_address_outside() {
    let silent = Silent::at("127.0.0.1:0").unwrap();
    let program = Program::new();
    let entry = |subnet: &str| {
        let address = format!("address = \"http://{}\"\nusername = \"alice\"\n", silent.address());
        program.write_catalogue(&format!("[registry.prod]\n{address}allow_subnets = [\"{subnet}\"]\n"));
        program.run(["tag", "list", "prod/app"])
    };
    entry("192.0.2.0/24").fails(8);
    entry("127.0.0.1").fails(5);
    silent.saw_nothing();
}

#[test]
fn inside_the_list_all_is_as_ever() {
    let server = registry(tags);
    let port = server.address().port();
    // `localhost` may have an address of IPv6 too
    let other = Silent::at(&format!("[::1]:{port}"));
    for host in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]"] {
        for subnets in ["\"127.0.0.0/8\"", "\"127.0.0.1\"", "\"2001:db8::/32\", \"::ffff:127.0.0.1\""] {
            let program = home(&format!("http://{host}:{port}"), subnets, "");
            program.run(["tag", "list", "prod/app"]).succeeds().shows("v1");
            assert!(secret_was_asked_for(&program));
        }
    }
    if let Some(other) = other {
        other.saw_nothing();
    }
}

#[test]
fn add_and_login_ask_no_server_outside_and_send_no_password() {
    let silent = Silent::at("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.address());
    let program = Program::new();
    let added = program
        .call(["add", "prod", &address, "--allow-subnet", "192.0.2.0/24", "--username", "me"])
        .run()
        .fails(8)
        .says("added prod, but it is inactive")
        .says("127.0.0.1 is outside the allow-list");
    assert!(!added.stderr.contains("s3cr3t"));
    let pinned =
        program.run(["add", "pinned", &address.replace("http", "https"), "--allow-subnet", "192.0.2.0/24", "--tls-pin", "ask"]);
    pinned.fails(8).says("127.0.0.1 is outside the allow-list");
    let login = program.call(["login", "prod", "--username", "me", "--password-stdin"]).stdin("s3cr3t").run();
    login.fails(8).says("nothing was stored").hides("s3cr3t");
    silent.saw_nothing();
}

#[cfg(target_os = "linux")]
#[test]
fn a_token_realm_outside_the_list_is_told_nothing() {
    let realm = Silent::at("127.0.0.2:0").unwrap();
    let address = format!("http://{}", realm.address());
    let challenge = format!("Bearer realm=\"{address}/token\",service=\"x\"");
    let server = registry(move |_| Answer::new(401, "application/json", "{}").header("WWW-Authenticate", &challenge));
    let program = home(&format!("http://{}", server.address()), "\"127.0.0.1\"", &format!("realm = \"{address}\"\n"));
    let run = program.run(["tag", "list", "prod/app"]).fails(8);
    run.says("127.0.0.2 is outside the allow-list").hides("s3cr3t-canary");
    realm.saw_nothing();
    assert!(server.received().iter().all(|request| !request.headers.contains_key("authorization")));
}

#[cfg(target_os = "linux")]
#[test]
fn a_redirect_does_not_lead_outside_the_list() {
    let storage = Silent::at("127.0.0.2:0").unwrap();
    let target = format!("http://{}/bucket", storage.address());
    let server = registry(move |request| {
        if request.target == "/v2/" { tags(request) } else { Answer::new(307, "text/plain", "").header("Location", &target) }
    });
    let program = home(&format!("http://{}", server.address()), "\"127.0.0.1\"", "");
    let digest = format!("prod/app@sha256:{}", "0".repeat(64));
    program.run(["blob", "get", &digest]).fails(8).says("127.0.0.2 is outside the allow-list");
    storage.saw_nothing();
    let unlisted = home(&format!("http://{}", server.address()), "\"127.0.0.0/8\"", "");
    drop(storage);
    unlisted.run(["blob", "get", &digest]).fails(6);
}

#[test]
fn a_proxy_is_not_used_where_the_list_can_not_be_held_against_it() {
    let silent = Silent::at("127.0.0.1:0").unwrap();
    let proxy = format!("http://user:pr0xy-canary@{}", silent.address());
    for (variable, address) in [
        ("HTTP_PROXY", "http://registry.invalid"),
        ("http_proxy", "http://registry.invalid"),
        ("HTTPS_PROXY", "https://registry.invalid"),
        ("ALL_PROXY", "https://registry.invalid"),
    ] {
        let mut program = home(address, "\"192.0.2.0/24\"", "");
        program.set(variable, &proxy);
        let run = program.run(["tag", "list", "prod/app"]).fails(8);
        run.says("through the proxy 127.0.0.1").says("--allow-proxy").hides("pr0xy-canary");
        for covered in ["registry.invalid", ".invalid", "*"] {
            program.call(["tag", "list", "prod/app"]).env("NO_PROXY", covered).run().fails(6).says("its name has no address");
        }
        silent.saw_nothing();
        assert!(!secret_was_asked_for(&program));
    }
    let own = format!("proxy = \"http://{}\"\n", silent.address());
    home("http://registry.invalid", "\"192.0.2.0/24\"", &own).run(["tag", "list", "prod/app"]).fails(8).says("the proxy");
    silent.saw_nothing();
}

#[test]
fn unless_it_is_allowed() {
    let proxy = registry(tags);
    let mut program = home("http://registry.invalid", "\"192.0.2.0/24\"", "");
    program.set("HTTP_PROXY", format!("http://{}", proxy.address()));
    program.run(["tag", "list", "prod/app", "--allow-proxy"]).succeeds().shows("v1");
    program.call(["tag", "list", "prod/app"]).env("REGCTL_ALLOW_PROXY", "true").run().succeeds();
    assert!(proxy.received().iter().all(|request| request.target.starts_with("http://registry.invalid/v2/")));
    // where no proxy leads, the list holds all the same
    let covered = program.call(["tag", "list", "prod/app", "--allow-proxy"]).env("NO_PROXY", "registry.invalid");
    covered.run().fails(6);
}

/// What the vendor's API can do better is not worth leaving the list for.
#[cfg(target_os = "linux")]
#[test]
fn a_vendors_api_outside_the_list_is_not_asked() {
    let api = Silent::at("127.0.0.2:0").unwrap();
    let server = registry(tags);
    for provider in ["harbor", "quay", "gitlab", "dockerhub", "azure"] {
        let more = format!("provider = \"{provider}\"\napi_address = \"http://{}\"\n", api.address());
        let program = home(&format!("http://{}", server.address()), "\"127.0.0.1\"", &more);
        let run = program.run(["repo", "list", "prod"]);
        api.saw_nothing();
        // some are listed by `/v2/` too
        if run.code != Some(0) {
            run.fails(8).says("127.0.0.2 is outside the allow-list");
        }
    }
}
