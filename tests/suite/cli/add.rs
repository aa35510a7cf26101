//! `regctl add`: what becomes an entry, what does not, and what the server has to say about it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::support::certificates::Certificates;
use crate::support::docker_registry::{DockerRegistry, PASSWORD, Setup, USERNAME};
use crate::support::keyring::{Keyring, State};
use crate::support::program::{Finished, Program};

fn add(program: &Program, arguments: &[&str]) -> Finished {
    program.run([&["add"], arguments].concat())
}

fn add_blindly(program: &Program, arguments: &[&str]) -> Finished {
    add(program, &[arguments, &["--no-check"]].concat())
}

#[test]
fn what_it_says() {
    let program = Program::new();
    insta::assert_snapshot!(add_blindly(&program, &["prod", "https://harbor.example.com", "--namespace", "team-a"]), @"
    $ regctl add prod https://harbor.example.com --namespace team-a --no-check
    │ ✓ added prod, now the default
    │   try: regctl repo list prod
    ");
    insta::assert_snapshot!(add_blindly(&program, &["hub", "docker.io", "--username", "acme", "--default"]), @"
    $ regctl add hub docker.io --username acme --default --no-check
    │ no scheme given, taking https://docker.io
    │ provider dockerhub, because of Docker Hub
    │ ✓ added hub, now the default instead of prod
    │ there is no password for hub yet
    │   try: regctl login hub
    ");
    insta::assert_snapshot!(add_blindly(&program, &["two", "HARBOR.example.com", "--namespace", "team-a"]), @"
    $ regctl add two HARBOR.example.com --namespace team-a --no-check
    │ no scheme given, taking https://harbor.example.com
    │ error: prod is the same account in the same place
    │   hint: give another --namespace or --username, or --allow-duplicate to have both
    (exit 4)
    ");
}

#[test]
fn a_server_that_is_there() {
    let Some(registry) = DockerRegistry::start(Setup::Plain) else { return };
    let program = Program::new();
    add(&program, &["local", &registry.address()]).succeeds().says("reached 127.0.0.1").says("now the default");
    let entry = program.run(["get", "local", "-o", "json"]).succeeds().json();
    assert_eq!((&entry["state"], &entry["is_default"], &entry["last_check"]["ok"]), (&"active".into(), &true.into(), &true.into()));
    assert_eq!(entry["id"].as_str().map(str::len), Some(36));
    add(&program, &["off", &registry.address(), "--inactive", "--allow-duplicate"]).succeeds().says("inactive");
    assert_eq!(program.run(["get", "off", "-o", "json"]).json()["state"], "inactive");
}

#[test]
fn a_server_that_is_not_there_leaves_an_inactive_entry() {
    let program = Program::new();
    add_blindly(&program, &["prod", "https://harbor.example.com"]).succeeds();
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it is bound");
    add(&program, &["down", &format!("http://{nobody}"), "--default"]).fails(6).says("inactive").says("regctl activate down");
    let down = program.run(["get", "down", "-o", "json"]).succeeds().json();
    assert_eq!((&down["state"], &down["is_default"]), (&"inactive".into(), &false.into()));
    assert!(down["last_check"]["message"].as_str().is_some_and(|message| message.contains("refused")), "{down}");
    assert_eq!(program.run(["get", "prod", "-o", "json"]).json()["is_default"], true);
}

#[test]
fn what_is_no_registry_leaves_an_inactive_entry() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("it is bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            let page = "<html>hello</html>";
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}", page.len());
        }
    });
    let program = Program::new();
    add(&program, &["web", &address]).fails(6).says("not a registry").says("inactive");
    assert_eq!(program.run(["get", "web", "-o", "json"]).json()["state"], "inactive");
}

#[test]
fn the_secret_goes_to_the_keyring_and_nowhere_else() {
    let (Some(keyring), Some(registry)) = (Keyring::start(State::Unlocked), DockerRegistry::start(Setup::Password)) else { return };
    let program = Program::with_keyring(&keyring);
    let arguments = ["add", "prod", &registry.address(), "--username", USERNAME, "--password-stdin"];
    program
        .call(arguments)
        .stdin(format!("{PASSWORD}\n"))
        .run()
        .succeeds()
        .says("signed in as")
        .says("system keyring")
        .hides(PASSWORD);
    for (path, content) in program.files() {
        let secret = content.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
        assert!(!secret, "the password is in {}", path.display());
    }
    let wrong = ["add", "wrong", &registry.address(), "--username", "bob", "--password-stdin"];
    program.call(wrong).stdin("s3cr3t-canary").run().fails(5).says("inactive").says("regctl login wrong").hides("s3cr3t");
    program.run(["remove", "prod"]).succeeds();
    program.run(["purge", "prod"]).succeeds().says("purged prod");
    program.run(["get", "prod"]).fails(3);
}

#[test]
fn without_a_keyring_nothing_is_added() {
    let program = Program::new();
    let arguments = ["add", "prod", "https://a.example", "--username", "bob", "--password-stdin", "--no-check"];
    program.call(arguments).stdin("s3cr3t-canary").run().fails(5).says("keyring").says("encrypted-file").hides("s3cr3t");
    assert!(!program.catalogue().exists());
}

#[test]
fn a_private_authority_has_to_be_named() {
    let Some(registry) = DockerRegistry::start(Setup::Tls) else { return };
    let program = Program::new();
    let authority = &registry.certificates().ca;
    add(&program, &["without", &registry.address()]).fails(6).says("--tls-cert");
    let path = authority.to_string_lossy();
    add(&program, &["with", &registry.address(), "--allow-duplicate", "--enable-tls", "--tls-cert", &path]).succeeds();
    let skipped = add(&program, &["skip", &registry.address(), "--allow-duplicate", "--tls-skip-verify"]);
    skipped.succeeds().says("not verified");
    let view = program.run(["get", "with", "-o", "json"]).json();
    assert!(view["tls"]["ca_subjects"][0].is_string() && view["tls"]["ca_not_after"].is_string(), "{view}");
}

#[test]
fn bad_input_changes_nothing() {
    let program = Program::new();
    add_blindly(&program, &["local", "https://reg.example"]).succeeds();
    let before = program.files();
    let key = program.home().join("config/key.pem");
    let marker = "-----BEGIN PRIVATE KEY-----\ns3cr3tcanary\n-----END PRIVATE KEY-----\n";
    std::fs::write(&key, marker).expect("the home is ours");
    let key = key.to_string_lossy();
    for (arguments, exit, words) in [
        (vec!["xyz", ""], 2, "empty"),
        (vec!["Two", "a.example"], 2, "two would do"),
        (vec!["local", "https://other.example"], 4, "already"),
        (vec!["two", "REG.EXAMPLE"], 4, "same account"),
        (vec!["two", "http://a.example"], 2, "--plain-http"),
        (vec!["two", "https://u:s3cr3tcanary@a.example"], 2, "user name or password"),
        (vec!["two", "ftp://a.example"], 2, "only http"),
        (vec!["two", "https://a.example", "--provider", "foo"], 2, "harbor"),
        (vec!["two", "https://a.example", "--provider", "ecr"], 2, "region is required for ecr"),
        (vec!["two", "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com", "--region", "us-east-1"], 2, "contradicts"),
        (vec!["two", "https://public.ecr.aws/acme", "--region", "eu-west-1"], 2, "which is in us-east-1"),
        (vec!["two", "https://a.example", "--provider", "swr"], 2, "region is required for swr"),
        (vec!["two", "https://a.example", "--provider", "swr", "--username", "AK"], 2, "region is required for swr"),
        (vec!["two", "https://swr.cn-north-4.myhuaweicloud.com/acme", "--namespace", "other"], 2, "contradicts the address"),
        (vec!["two", "https://a.example", "--location", "Frankfurt"], 2, "COUNTRY/CITY"),
        (vec!["two", "https://a.example", "--namespace", "Team"], 2, "upper-case"),
        (vec!["two", "https://a.example", "--label", "x"], 2, "KEY=VALUE"),
        (vec!["two", "https://a.example", "--gc-days", "Modnday", "--gc-time", "01:00"], 2, "Monday"),
        (vec!["two", "https://a.example", "--gc-days", "Mon"], 2, "needs a time"),
        (vec!["two", "https://a.example", "--allow-subnet", "::/0"], 2, "0.0.0.0/0"),
        (vec!["two", "https://a.example", "--allow-subnet", "example.com"], 2, "no IP address"),
        (vec!["two", "https://a.example", "--retention", "keep_lst=3"], 2, "keep_last"),
        (vec!["two", "https://a.example", "--description", "two\nlines"], 2, "control characters"),
        (vec!["two", "https://a.example", "--enable-tls"], 2, "--tls-cert"),
        (vec!["two", "https://a.example", "--tls-cert", &key], 2, "private key"),
        (vec!["two", "https://a.example", "--tls-cert", "missing.pem"], 2, "missing.pem"),
        (vec!["two", "https://a.example", "--tls-pin", "abc"], 2, "fingerprint"),
        (vec!["two", "https://a.example", "--proxy", "http://u:s3cr3tcanary@p.example"], 2, "password"),
        (vec!["two", "https://a.example", "--password-stdin"], 2, "--username"),
        (vec!["two", "https://a.example", "--password", "s3cr3t"], 2, "--password"),
        (vec!["two", "https://a.example", "--colour", "red"], 2, "--colour"),
    ] {
        add_blindly(&program, &arguments).fails(exit).says(words).hides("s3cr3tcanary");
    }
    let mut after = program.files();
    after.remove(std::path::Path::new("config/key.pem"));
    assert_eq!(after, before);
}

#[test]
fn what_nobody_can_mean_is_refused_and_nothing_is_written() {
    let good = "https://registry.example.com";
    let program = Program::new();
    let long = "a".repeat(64);
    for name in ["", "A", "1a", "-a", "a-", "a_b", "a.b", "ä", "a/b", &long] {
        program.run(["add", "--no-check", "--", name, good]).fails(2);
    }
    for address in [
        "",
        "https://",
        "https://registry.example.com?x=1",
        "https://registry.example.com#x",
        "registry.example.com:99999",
        "https://regi stry.example.com",
    ] {
        program.run(["add", "--no-check", "--", "good", address]).fails(2);
    }
    assert!(program.files().is_empty(), "something was written: {:?}", program.files().keys());
    // what was refused differs from this in one word
    program.run(["add", "--no-check", "--", "good", good]).succeeds();
    // and this is the same place in other words
    add_blindly(&program, &["b", "https://Registry.Example.com:443/"]).fails(4).says("good");
    add_blindly(&program, &["b", "registry.example.com", "--allow-duplicate"]).succeeds();
}

#[test]
fn a_certificate_file_must_hold_certificates_and_no_key() {
    let program = Program::new();
    let good = Certificates::make(program.home()).ca;
    let file = program.home().join("bad.pem");
    let rubbish = "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";
    let key = "-----BEGIN PRIVATE KEY-----\nbm90IHJlYWxseSBhIGtleQ==\n-----END PRIVATE KEY-----\n";
    for content in ["", "hello", rubbish, key, &format!("{rubbish}{key}")] {
        std::fs::write(&file, content).expect("the home is ours");
        add_blindly(&program, &["lab", "https://registry.example.com", "--tls-cert", &file.to_string_lossy()])
            .fails(2)
            .hides("bm90");
        assert!(!program.catalogue().exists());
    }
    add_blindly(&program, &["lab", "https://registry.example.com", "--tls-cert", &good.to_string_lossy()]).succeeds();
}

#[test]
fn every_field_is_kept() {
    let mut program = Program::new();
    program.set("REGCTL_NOW", "2026-11-20T12:00:00Z");
    let arguments = [
        "prod",
        "https://harbor.example.com",
        "--provider",
        "harbor",
        "--display-name",
        "Production",
        "--description",
        "for the clusters",
        "--region",
        "eu-west-1",
        "--location",
        "de/fra",
        "--namespace",
        " team-a/ ",
        "--label",
        "env=prod",
        "--label",
        "team=x",
        "--credential-command",
        "pass show prod",
        "--credential-expires-at",
        "2027-01-01T00:00:00Z",
        "--allow-subnet",
        "10.1.2.3/8",
        "--allow-subnet",
        "2001:db8::1",
        "--api-address",
        "https://harbor.example.com/api",
        "--realm",
        "https://auth.example.com",
        "--proxy",
        "none",
        "--requests-per-second",
        "20",
        "--concurrency",
        "16",
        "--repository",
        "app",
        "--repository",
        "web",
        "--tls-skip-verify",
        "--vulnerability-scanning=false",
        "--gc-days",
        "Sat,sunday",
        "--gc-time",
        "19:30",
        "--retention",
        "repositories=team-a/** keep_last=10",
    ];
    add_blindly(&program, &arguments).succeeds().says("10.1.2.3/8 is taken as 10.0.0.0/8").says("not verified");
    insta::assert_snapshot!(program.run(["get", "prod"]), @"
    $ regctl get prod
    prod
      display name     Production
      description      for the clusters
      address          https://harbor.example.com
      state            active, the default
      provider         harbor (Harbor)
      region           eu-west-1
      location         de/fra
      namespace        team-a
      labels           env   prod
                       team  x
      credential       command
      command          pass show prod
      expires          2027-01-01 00:00 UTC (in 1 month)
      TLS              certificates are not verified
      allowed          10.0.0.0/8, 2001:db8::1
      API              https://harbor.example.com/api
      realm            https://auth.example.com
      proxy            none
      pace             20 requests a second
      concurrency      16
      repositories     app
                       web
      vulnerabilities  not looked for
      clean-up         Saturday, Sunday at 19:30:00+00:00
      retention        repositories=team-a/** keep_last=10
      created          2026-11-20 12:00 UTC (now)
      updated          2026-11-20 12:00 UTC (now)
      id               ID
    ");
    let text = std::fs::read_to_string(program.catalogue()).expect("it is there");
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("id =")).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    schema = 1
    default = "prod"

    [registry.prod]
    address = "https://harbor.example.com"
    provider = "harbor"
    display_name = "Production"
    description = "for the clusters"
    region = "eu-west-1"
    location = "de/fra"
    namespace = "team-a"
    labels = { env = "prod", team = "x" }
    state = "active"
    credential = "command"
    credential_command = ["pass", "show", "prod"]
    credential_expires_at = 2027-01-01T00:00:00Z
    allow_subnets = ["10.0.0.0/8", "2001:db8::1"]
    api_address = "https://harbor.example.com/api"
    realm = "https://auth.example.com"
    proxy = "none"
    requests_per_second = 20
    concurrency = 16
    repositories = ["app", "web"]
    created_at = 2026-11-20T12:00:00Z
    updated_at = 2026-11-20T12:00:00Z

    [registry.prod.tls]
    verify = false

    [registry.prod.features]
    vulnerability_scanning = false

    [registry.prod.garbage_collection_schedule]
    days = ["Saturday", "Sunday"]
    time = "19:30:00+00:00"

    [[registry.prod.retention]]
    repositories = "team-a/**"
    keep_last = 10
    "#);
}
