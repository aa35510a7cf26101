//! `regctl doctor`.

use crate::support::program::Program;

/// No keyring is a note as long as nothing needs one.
#[test]
fn a_new_home() {
    let program = Program::new();
    let finished = program.run(["doctor"]).succeeds();
    insta::with_settings!({filters => vec![(r"regctl \d\S* on .*", "regctl VERSION on SYSTEM")]}, {
        insta::assert_snapshot!(finished.to_string(), @r#"
        $ regctl doctor
        CHECK           STATE  DETAIL
        version         ok     regctl VERSION on SYSTEM
        catalogue       ok     ~/config/regctl/catalogue.toml (not there yet; made by the first `regctl add`)
        state           ok     ~/state (not there yet; made when needed)
        cache           ok     ~/cache (not there yet; made when needed)
        keyring         note   Secret Service: there is no system keyring here (zbus error: Failed to connect to address `unix:path=~/run/bus`: No such file or directory (os error 2))
        encrypted file  ok     not used
        docker logins   ok     none
        proxy           ok     none in the environment
        │ keyring: start a keyring: gnome-keyring, KWallet or KeePassXC offer the Secret Service
        │ keyring: or give the secret in REGCTL_USERNAME and REGCTL_PASSWORD, or with --username and --password-stdin
        │ keyring: or keep it in an encrypted file: credential = "encrypted-file" (`regctl login --store encrypted-file`)
        │ ✓ nothing needs attention
        "#);
    });
    assert!(program.files().is_empty(), "looking made files: {:?}", program.files().keys());
}

#[test]
fn what_needs_attention() {
    let mut program = Program::new();
    program.write_catalogue(
        "[registry.one]
address = \"https://one.example\"
username = \"me\"

[registry.two]
address = \"https://two.example\"
credential = \"env\"

[registry.three]
address = \"https://three.example\"

[registry.gone]
address = \"https://gone.example\"
username = \"me\"
state = \"removed\"
",
    );
    program.set("HTTPS_PROXY", "http://user:s3cr3t@proxy.example:3128");
    program.set("SSL_CERT_FILE", "/nonexistent/ca.pem");
    let finished = program.run(["doctor", "-o", "json"]).exits(10).hides("s3cr3t");
    let report = finished.json();
    let state = |check: &str| {
        report["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|item| item["check"] == check)
            .map(|item| item["state"].as_str().unwrap().to_owned())
    };
    for (check, expected) in [
        ("catalogue", Some("note")),
        ("keyring", Some("problem")),
        ("secret of one", Some("problem")),
        ("secret of two", Some("problem")),
        ("secret of three", None),
        ("secret of gone", None),
        ("HTTPS_PROXY", Some("ok")),
        ("SSL_CERT_FILE", Some("problem")),
    ] {
        assert_eq!(state(check).as_deref(), expected, "{check} in\n{finished}");
    }
}

#[test]
fn a_broken_catalogue_is_a_finding_and_the_rest_is_looked_at() {
    let program = Program::new();
    program.write_catalogue("[registry.prod\n");
    program.run(["doctor"]).exits(10).shows("line 2").shows("keyring");
}

#[cfg(unix)]
#[test]
fn an_encrypted_file_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let mut program = Program::new();
    program.set("REGCTL_PASSPHRASE", "p");
    program.write_catalogue("[registry.prod]\naddress = \"https://registry.example.com\"\n");
    let login = ["login", "prod", "--username", "me", "--password-stdin", "--no-check", "--store", "encrypted-file"];
    program.call(login).stdin("pw").run().succeeds();
    program.run(["doctor"]).succeeds();
    let file = program.home().join("state/secrets.vault");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    program.run(["doctor"]).exits(10).says("chmod 600");
}
