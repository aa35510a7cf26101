//! `regctl token`: a token that works, and nothing where there is none.

use crate::support::docker_registry::{DockerRegistry, PASSWORD, Setup, USERNAME};
use crate::support::http;
use crate::support::program::Program;
use crate::support::storage::fill;

/// A home with `registry` as `lab`, and its password in the environment.
fn home(registry: &DockerRegistry) -> Program {
    let mut program = Program::new();
    program.set("REGCTL_LAB_PASSWORD", PASSWORD);
    program.write_catalogue(&format!(
        "[registry.lab]\naddress = \"{}\"\nusername = \"{USERNAME}\"\ncredential = \"env\"\n",
        registry.address()
    ));
    program
}

/// What the registry answers to this request with this header.
fn status(url: String, header: &str) -> u16 {
    let (name, value) = header.split_once(": ").expect("a header");
    let request = http::client().get(url).header(name, value);
    http::wait(async { request.send().await.expect("an answer").status().as_u16() })
}

#[test]
fn a_token_opens_what_it_was_asked_for() {
    let Some(registry) = DockerRegistry::start(Setup::Token) else { return };
    fill(&registry.storage(), "app", ["v1"]);
    let program = home(&registry);
    let header = program.run(["token", "lab/app", "--header"]).succeeds().hides(PASSWORD);
    assert_eq!(header.stderr, "");
    let header = header.stdout.strip_suffix('\n').expect("one line");
    assert_eq!(status(format!("{}/v2/app/tags/list", registry.address()), header), 200);
    assert_eq!(status(format!("{}/v2/other/tags/list", registry.address()), header), 401);
    let token = program.run(["token", "lab/app"]).succeeds();
    assert_eq!(token.stdout.lines().count(), 1);
    assert_eq!(
        status(format!("{}/v2/app/tags/list", registry.address()), &format!("Authorization: Bearer {}", token.stdout.trim())),
        200
    );

    program.run(["token", "lab/app", "--action", "pull,delete"]).succeeds();
    let asked = registry.token_server().requests();
    assert_eq!(asked.last().expect("it was asked").scopes, ["repository:app:delete,pull"]);
    let json = program.run(["token", "lab/app", "-o", "json"]).succeeds().json();
    assert_eq!((json["username"].as_str(), json["actions"][0].as_str()), (Some(USERNAME), Some("pull")));
    // what is shown of requests is no token
    let shown = program.run(["token", "lab/app", "-vv"]).succeeds();
    assert!(!shown.stderr.contains(shown.stdout.trim()), "{shown}");
    program.run(["token", "lab/app", "--action", "burn"]).fails(2).says("burn");
    program.call(["token", "lab/app"]).env("REGCTL_LAB_PASSWORD", "wr0ng").run().fails(5).hides("wr0ng");
}

#[test]
fn where_there_is_no_credential_the_token_is_anyones() {
    let Some(registry) = DockerRegistry::start(Setup::Token) else { return };
    let host = registry.address().trim_start_matches("http://").to_owned();
    Program::new().run(["token", &format!("{host}/app")]).succeeds().says("anyone");
}

#[test]
fn a_password_is_no_token() {
    for (setup, says) in [(Setup::Password, "user name and password"), (Setup::Plain, "lets everyone in")] {
        let Some(registry) = DockerRegistry::start(setup) else { return };
        let program = home(&registry);
        for arguments in [&["token", "lab/app"][..], &["token", "lab/app", "--header"]] {
            program.run(arguments).fails(7).says(says).hides(PASSWORD);
        }
    }
}

#[test]
fn its_help_says_that_it_prints_a_secret() {
    Program::new().run(["token", "--help"]).succeeds().shows("PRINTS A SECRET");
}
