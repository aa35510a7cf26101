//! `regctl schedule`: timers of systemd and lines of cron, made from the catalogue.

use std::path::PathBuf;
use std::process::Command;

use crate::support::left_out::{executable, left_out};
use crate::support::program::{Finished, Program};
use crate::support::schedulers::Schedulers;

const CATALOGUE: &str = r#"
[registry.prod]
address = "https://a.example"
garbage_collection_schedule = { days = ["Saturday", "Sunday"], time = "19:30:00+00:00" }
retention = [{ keep_last = 10 }]
[registry.dev]
address = "https://b.example"
garbage_collection_schedule = { days = ["Monday"], time = "01:00:00+02:00" }
retention = [{ keep_last = 3 }]
[registry.bare]
address = "https://c.example"
"#;

fn home() -> (Program, Schedulers) {
    let mut program = Program::new();
    program.set("REGCTL_NOW", "2026-11-20T12:00:00Z");
    program.write_catalogue(CATALOGUE);
    let schedulers = Schedulers::for_program(&mut program);
    (program, schedulers)
}

fn schedule(program: &Program, arguments: &[&str]) -> Finished {
    program.run([&["schedule"], arguments].concat())
}

fn unit(program: &Program, name: &str) -> PathBuf {
    program.home().join("config/systemd/user").join(name)
}

/// Everything below the home that a scheduler or the catalogue keeps.
fn kept(program: &Program) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = program.files().into_iter().filter(|(path, _)| !path.ends_with("systemctl.log")).collect();
    files.sort();
    files
}

fn shown(finished: &Finished) -> String {
    finished.to_string().replace(env!("CARGO_BIN_EXE_regctl"), "REGCTL")
}

#[test]
fn printed() {
    let (program, _schedulers) = home();
    let before = kept(&program);
    insta::assert_snapshot!(shown(&schedule(&program, &["install", "prod", "--backend", "print"])), @"
    $ regctl schedule install prod --backend print
    # ~/config/systemd/user/regctl-prune-prod.service
    # Made by regctl. Changes are lost when `regctl schedule install prod` writes it again.
    [Unit]
    Description=Clean up the registry prod

    [Service]
    Type=oneshot
    ExecStart=REGCTL --catalogue ~/config/regctl/catalogue.toml prune --scheduled prod
    Environment=REGCTL_STATE_DIR=~/state
    Environment=REGCTL_CACHE_DIR=~/cache
    UMask=0077
    NoNewPrivileges=yes
    LockPersonality=yes
    RestrictNamespaces=yes
    RestrictRealtime=yes
    RestrictSUIDSGID=yes
    RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
    SystemCallArchitectures=native
    SystemCallFilter=@system-service
    SystemCallErrorNumber=EPERM

    # ~/config/systemd/user/regctl-prune-prod.timer
    # Made by regctl. Changes are lost when `regctl schedule install prod` writes it again.
    [Unit]
    Description=When to clean up the registry prod

    [Timer]
    OnCalendar=Sat,Sun *-*-* 19:30:00 UTC
    Persistent=yes

    [Install]
    WantedBy=timers.target

    # for cron, where the clock is UTC
    30 19 * * 6,0 REGCTL_STATE_DIR=~/state REGCTL_CACHE_DIR=~/cache REGCTL --catalogue ~/config/regctl/catalogue.toml prune --scheduled prod # regctl schedule prod
    ");
    let all = schedule(&program, &["install", "--backend", "print", "-o", "json"]).succeeds().json();
    let fields = |name: &str| all["items"].as_array().expect("a list").iter().find(|item| item["name"] == name).cloned();
    let dev = fields("dev").expect("it has a schedule");
    assert_eq!(dev["on_calendar"], "Sun *-*-* 23:00:00 UTC");
    assert!(dev["cron"].as_str().is_some_and(|line| line.starts_with("0 23 * * 0 ")), "{dev}");
    assert!(fields("bare").is_none());
    assert_eq!(kept(&program), before, "printing writes nothing");
}

#[test]
fn with_systemd() {
    let (program, schedulers) = home();
    insta::assert_snapshot!(schedule(&program, &["status"]), @"
    $ regctl schedule status
    NAME  SCHEDULE                    BACKEND  STATE          NEXT
    dev   Sun *-*-* 23:00:00 UTC               not installed
    prod  Sat,Sun *-*-* 19:30:00 UTC           not installed
    │   try: regctl schedule install dev
    │   try: regctl schedule install prod
    ");
    insta::assert_snapshot!(schedule(&program, &["install", "prod"]), @"
    $ regctl schedule install prod
    │ ✓ installed prod: Sat,Sun *-*-* 19:30:00 UTC, next 2026-11-21 19:30 UTC
    │ timers run while you are signed in; to have them run always:
    │   try: loginctl enable-linger
    ");
    let timer = "regctl-prune-prod.timer";
    assert_eq!(
        schedulers.systemctl_was_told(),
        [
            "--user show --property=Version",
            "--user daemon-reload",
            "--user enable regctl-prune-prod.timer",
            "--user restart regctl-prune-prod.timer"
        ]
    );
    let before = kept(&program);
    schedule(&program, &["install", "prod"]).succeeds().says("prod is unchanged");
    assert_eq!(kept(&program), before);
    assert_eq!(schedulers.systemctl_was_told().last().map(String::as_str), Some("--user is-enabled regctl-prune-prod.timer"));
    insta::assert_snapshot!(schedule(&program, &["status"]), @"
    $ regctl schedule status
    NAME  SCHEDULE                    BACKEND  STATE          NEXT
    dev   Sun *-*-* 23:00:00 UTC               not installed
    prod  Sat,Sun *-*-* 19:30:00 UTC  systemd  installed      2026-11-21 19:30 UTC
    │   try: regctl schedule install dev
    ");
    // changed by hand, then in the catalogue
    let text = std::fs::read_to_string(unit(&program, timer)).expect("it was written");
    std::fs::write(unit(&program, timer), text.replace("Sat,Sun", "Wed")).expect("the home is ours");
    insta::assert_snapshot!(schedule(&program, &["status", "prod"]), @"
    $ regctl schedule status prod
    NAME  SCHEDULE                    BACKEND  STATE    NEXT
    prod  Sat,Sun *-*-* 19:30:00 UTC  systemd  drifted  2026-11-21 19:30 UTC
    │ prod: `OnCalendar=Wed *-*-* 19:30:00 UTC` should be `OnCalendar=Sat,Sun *-*-* 19:30:00 UTC`
    │   try: regctl schedule install prod
    (exit 10)
    ");
    schedule(&program, &["install", "prod"]).succeeds().says("installed prod");
    assert_eq!(kept(&program), before);
    program.run(["update", "prod", "--gc-days", "Mon"]).succeeds();
    schedule(&program, &["status", "prod"]).exits(10).says("should be `OnCalendar=Mon");
    schedule(&program, &["install"]).succeeds().says("installed prod: Mon *-*-* 19:30:00 UTC").says("installed dev");
    schedule(&program, &["status"]).succeeds();
    // what is no longer to be cleaned up
    program.run(["deactivate", "prod"]).succeeds();
    program.run(["update", "dev", "--unset", "garbage_collection_schedule"]).succeeds();
    insta::assert_snapshot!(schedule(&program, &["status"]), @"
    $ regctl schedule status
    NAME  SCHEDULE                BACKEND  STATE     NEXT
    dev                           systemd  orphaned
    prod  Mon *-*-* 19:30:00 UTC  systemd  orphaned  2026-11-23 19:30 UTC
    │ dev: it has no schedule any more
    │   try: regctl schedule uninstall dev
    │ prod: it is inactive
    │   try: regctl schedule uninstall prod
    (exit 10)
    ");
    insta::assert_snapshot!(schedule(&program, &["uninstall", "prod"]), @"
    $ regctl schedule uninstall prod
    │ ✓ prod is no longer cleaned up by schedule
    ");
    schedule(&program, &["uninstall", "prod"]).succeeds().says("nothing is installed for prod");
    program.run(["remove", "dev"]).succeeds();
    program.run(["purge", "dev"]).succeeds();
    schedule(&program, &["status"]).exits(10).says("not in the catalogue");
    schedule(&program, &["uninstall", "dev"]).succeeds();
    assert_eq!(std::fs::read_dir(unit(&program, "")).expect("the folder stays").count(), 0);
    schedule(&program, &["uninstall"]).succeeds().says("nothing is installed");
}

#[test]
fn with_cron() {
    let (program, schedulers) = home();
    let foreign = "MAILTO=me@example.com\n# regctl schedule prod\n@daily backup --to 50\\% # nightly\n";
    schedulers.write_table(foreign);
    schedule(&program, &["install", "--backend", "cron"]).succeeds().says("installed prod").says("installed dev");
    let table = schedulers.table().expect("it is there");
    let table = table.replace(env!("CARGO_BIN_EXE_regctl"), "REGCTL").replace(&*program.home().to_string_lossy(), "~");
    insta::assert_snapshot!(table, @r"
    MAILTO=me@example.com
    # regctl schedule prod
    @daily backup --to 50\% # nightly
    0 23 * * 0 REGCTL_STATE_DIR=~/state REGCTL_CACHE_DIR=~/cache REGCTL --catalogue ~/config/regctl/catalogue.toml prune --scheduled dev # regctl schedule dev
    30 19 * * 6,0 REGCTL_STATE_DIR=~/state REGCTL_CACHE_DIR=~/cache REGCTL --catalogue ~/config/regctl/catalogue.toml prune --scheduled prod # regctl schedule prod
    ");
    assert_eq!(schedulers.tables_written(), 2);
    schedule(&program, &["install", "--backend", "cron"]).succeeds().says("prod is unchanged");
    assert_eq!(schedulers.tables_written(), 0);
    schedule(&program, &["status"]).succeeds().shows("cron");
    program.run(["update", "prod", "--gc-time", "20:00"]).succeeds();
    schedule(&program, &["status"]).exits(10).says("it should be `0 20 * * 6,0");
    schedule(&program, &["install", "prod", "--backend", "cron"]).succeeds();
    schedule(&program, &["install", "prod"]).succeeds();
    schedule(&program, &["status"]).exits(10).says("so it runs twice");
    schedule(&program, &["uninstall", "--backend", "systemd"]).succeeds();
    schedule(&program, &["status"]).succeeds();
    schedule(&program, &["uninstall"]).succeeds();
    assert_eq!(schedulers.table().as_deref(), Some(foreign));
}

/// cron goes by the clock of the machine, not by UTC.
#[test]
fn cron_elsewhere() {
    let (program, schedulers) = home();
    if !std::path::Path::new("/usr/share/zoneinfo/Europe/Berlin").exists() {
        left_out("tzdata", "no /usr/share/zoneinfo");
        return;
    }
    let at = |time: &str, arguments: &[&str]| {
        program.call([&["schedule"], arguments].concat()).env("TZ", "Europe/Berlin").env("REGCTL_NOW", time).run()
    };
    at("2026-11-20T12:00:00Z", &["install", "dev", "--backend", "cron"]).succeeds().says("summer time");
    assert!(schedulers.table().is_some_and(|table| table.starts_with("0 0 * * 1 ")), "{:?}", schedulers.table());
    at("2026-11-20T12:00:00Z", &["status"]).succeeds();
    at("2027-06-20T12:00:00Z", &["status"]).exits(10).says("it should be `0 1 * * 1");
}

#[test]
fn what_can_not_be_installed_writes_nothing() {
    let (program, schedulers) = home();
    program.write_catalogue(&format!(
        "{CATALOGUE}[registry.eager]\naddress = \"https://d.example\"\n\
         garbage_collection_schedule = {{ days = [\"Monday\"], time = \"01:00\" }}\n"
    ));
    let before = kept(&program);
    for backend in ["systemd", "cron", "print"] {
        let install = |name: &[&str]| schedule(&program, &[&["install", "--backend", backend], name].concat());
        install(&["eager"]).fails(2).says("no retention rules").says("regctl update eager --retention");
        install(&[]).fails(2).says("eager has no retention rules");
        install(&["bare"]).fails(2).says("no schedule").says("--gc-days");
        install(&["nobody"]).fails(3);
    }
    schedule(&program, &["install", "--backend", "launchd"]).fails(2);
    schedule(&program, &["status", "--backend", "print"]).fails(2);
    assert_eq!(kept(&program), before);
    for name in ["systemctl", "crontab"] {
        schedulers.take_down(name);
    }
    let before = kept(&program);
    let finished = schedule(&program, &["install", "prod"]).fails(1);
    finished.says("No medium found").says("--backend cron").says("--backend print");
    schedule(&program, &["install", "prod", "--backend", "cron"]).fails(1).says("not allowed").says("--backend print");
    schedule(&program, &["uninstall", "--backend", "cron"]).fails(1).says("not allowed");
    assert_eq!(kept(&program), before);
    program.run(["deactivate", "prod"]).succeeds();
    schedule(&program, &["install", "prod"]).fails(4).says("regctl activate prod");
}

#[test]
fn where_there_is_neither() {
    let (mut program, _schedulers) = home();
    program.set("PATH", program.home().join("nothing"));
    schedule(&program, &["install", "prod"]).fails(1).says("`systemctl` is not installed").says("--backend cron");
    schedule(&program, &["install", "prod", "--backend", "cron"]).fails(1).says("`crontab` is not installed");
    schedule(&program, &["install", "prod", "--backend", "print"]).succeeds().shows("OnCalendar");
    schedule(&program, &["status"]).succeeds().shows("not installed");
    schedule(&program, &["uninstall"]).succeeds().says("nothing is installed");
}

/// Files that are gone start nothing, whether systemd hears of it or not.
#[test]
fn uninstalling_works_without_systemd() {
    let (program, schedulers) = home();
    schedule(&program, &["install", "prod"]).succeeds();
    schedulers.take_down("systemctl");
    schedule(&program, &["uninstall", "prod"]).succeeds().says("systemd was not told").says("no longer cleaned up");
    assert!(!unit(&program, "regctl-prune-prod.timer").exists());
}

#[test]
fn a_strangers_unit_is_left_alone() {
    let (program, _schedulers) = home();
    let path = unit(&program, "regctl-prune-prod.service");
    std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("the home is ours");
    std::fs::write(&path, "[Service]\nExecStart=/bin/true\n").expect("the home is ours");
    schedule(&program, &["install", "prod"]).fails(4).says("was not made by regctl");
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "[Service]\nExecStart=/bin/true\n");
}

#[test]
fn what_a_scheduled_run_would_miss() {
    let (mut program, _schedulers) = home();
    program.set("HTTPS_PROXY", "http://u:s3cr3tcanary@proxy.example:3128");
    program.set("REGCTL_PASSPHRASE_FILE", "/run/passphrase");
    program.run(["update", "dev", "--credential", "env"]).succeeds();
    let finished = schedule(&program, &["install"]).succeeds().hides("s3cr3tcanary");
    finished.says("HTTPS_PROXY is set here").says("the secret of dev comes from the environment");
    let service = std::fs::read_to_string(unit(&program, "regctl-prune-dev.service")).expect("it was written");
    assert!(service.contains("REGCTL_PASSPHRASE_FILE=/run/passphrase") && !service.contains("canary"), "{service}");
}

#[test]
fn systemd_takes_the_units() {
    if executable("systemd-analyze").is_none() {
        left_out("systemd", "no systemd-analyze");
        return;
    }
    let (program, _schedulers) = home();
    let catalogue = program.home().join("100% $mine \"it's\".toml");
    std::fs::copy(program.catalogue(), &catalogue).expect("the home is ours");
    program.call(["schedule", "install"]).env("REGCTL_CATALOGUE", &catalogue).run().succeeds();
    for name in ["prod", "dev"] {
        let mut command = Command::new("systemd-analyze");
        command.args(["--user", "verify"]).env("XDG_RUNTIME_DIR", program.home().join("run")).env("HOME", program.home());
        command.args(["service", "timer"].map(|kind| unit(&program, &format!("regctl-prune-{name}.{kind}"))));
        let output = command.output().expect("it is there");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
    for calendar in ["Sat,Sun *-*-* 19:30:00 UTC", "Sun *-*-* 23:00:00 UTC"] {
        let output = Command::new("systemd-analyze").args(["calendar", calendar]).output().expect("it is there");
        let said = String::from_utf8_lossy(&output.stdout);
        // it writes the same, so that what is installed is what is meant
        assert!(
            said.contains(&format!("Normalized form: {calendar}")) || said.contains(&format!("Original form: {calendar}")),
            "{said}"
        );
        assert!(output.status.success(), "{calendar}");
    }
}
