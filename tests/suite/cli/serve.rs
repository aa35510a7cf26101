//! `regctl serve` and `regctl demo`: the registry inside the program, met from outside.

use crate::support::content::Pusher;
use crate::support::program::Program;
#[cfg(unix)]
use crate::support::terminal::Terminal;

/// The tour runs real commands: what they say is in its output, and the person's own catalogue is not touched.
#[test]
fn the_tour_shows_the_main_job() {
    let mut program = Program::new();
    program.write_catalogue("schema = 1\n");
    let before = program.files();
    // settings of the person's shell must not leak into the tour
    program.set("REGCTL_OUTPUT", "json");
    program.set("REGCTL_REGISTRY", "elsewhere");
    let tour = program.run(["demo"]).succeeds();
    for words in [
        "$ regctl add demo http://127.0.0.1:",
        "$ regctl inspect team/web:latest\ndemo/team/web:latest\n",
        "linux/arm64",
        "v2.4.1  tag only; latest keeps sha256:",
        "charts/redis",
    ] {
        assert!(tour.stdout.contains(words), "no {words:?} in\n{tour}");
    }
    let (_, after) = tour.stdout.split_once("$ regctl tag list team/web -q\n").unwrap();
    let names: Vec<&str> = after.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(names, ["demo/team/web:dev-513", "demo/team/web:latest", "demo/team/web:v2.4.0"], "v2.4.1 is gone and nothing else");
    assert_eq!(program.files(), before);
}

#[cfg(unix)]
#[test]
fn the_tour_can_be_gone_on_with() {
    let program = Program::new();
    let mut terminal = Terminal::start(program.call(["demo", "--keep"]));
    terminal.sees("export REGCTL_CATALOGUE=");
    let path = terminal.sees("regctl repo list").lines().next().unwrap().trim().to_owned();
    program.call(["repo", "list"]).env("REGCTL_CATALOGUE", &path).run().succeeds().shows("team/web");
    terminal.presses_control('c');
    assert_eq!(terminal.ends().1, 0, "Ctrl-C is how it is ended");
    assert!(!std::path::Path::new(&path).exists(), "the throw-away catalogue is thrown away");
}

#[cfg(unix)]
#[test]
fn what_is_pushed_is_in_the_folder_next_time() {
    let program = Program::new();
    let folder = program.home().join("registry");
    for pushed in [false, true] {
        let arguments = ["serve", folder.to_str().unwrap(), "--listen", "127.0.0.1:0"];
        let mut terminal = Terminal::start(program.call(arguments));
        terminal.sees("http://");
        let address = format!("http://{}", terminal.sees("\n").trim());
        if pushed {
            program.run(["tag", "list", "app", "-r", &address, "-q"]).succeeds().shows("v1\n");
        } else {
            Pusher::new(&address).image("app", &["v1"], "kept");
        }
        terminal.presses_control('c');
        assert_eq!(terminal.ends().1, 0);
    }
}

#[test]
fn it_listens_on_loopback_only() {
    let program = Program::new();
    program.run(["serve", "--listen", "0.0.0.0:0"]).fails(2).says("only loopback addresses");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    program.run(["serve", "--listen", &address]).fails(1).says("can't listen on").says("--listen 127.0.0.1:0");
    program.run(["serve", "--username", "dev"]).fails(2);
}
