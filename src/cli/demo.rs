//! `regctl demo`: a tour of the program on a registry of its own.

use std::path::Path;
use std::process::Command;

use clap::Args as ClapArgs;

use super::{Context, Exit, Refusal};
use crate::serve::{Running, Settings, Storage, sample};

/// Tour the program on a sample registry
///
/// Starts a registry in memory, fills it with sample images, and runs regctl on it with a throw-away catalogue, printing each command and
/// what it says. Nothing of yours is read or changed, and nothing leaves this machine.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl demo
  regctl demo --keep")]
pub struct Args {
    /// Leave the registry running, to go on by yourself
    #[arg(long)]
    keep: bool,
}

/// The commands of the tour after the first, each with what it shows.
const TOUR: &[(&str, &[&str])] = &[
    ("The catalogue knows your registries; the first one is the default.", &["list"]),
    ("What does the registry hold?", &["repo", "list"]),
    ("Tags with what they point at, newest first.", &["tag", "list", "team/web", "--details", "--sort", "-created"]),
    ("One of them in full: platforms, layers, what is attached.", &["inspect", "team/web:latest"]),
    (
        "Rules say what may go, and what anything needs stays.",
        &["prune", "team/api", "--match", "ci-*", "--keep-last", "12", "--older-than", "30d", "--dry-run"],
    ),
    ("A single tag goes by a plan too.", &["tag", "delete", "team/web:v2.4.1", "--dry-run"]),
    ("A tag is only a tag: latest stays, and so does the image.", &["tag", "delete", "team/web:v2.4.1", "--yes"]),
    ("For a script: names only, or -o json for everything.", &["tag", "list", "team/web", "-q"]),
    ("The wrong one? What goes is kept for a while, and can be put back.", &["undo"]),
];

/// Runs the tour.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let storage = Storage::memory();
    sample::fill(&storage, context.now)?;
    let running = Running::start(Settings::new(storage))
        .map_err(|error| Refusal::new(Exit::Failure, "can't start a registry on 127.0.0.1").caused_by(error))?;
    let home = tempfile::Builder::new().prefix("regctl-demo-").tempdir()?;
    let address = running.url();
    let first = ("Add a registry to the catalogue.", ["add", "demo", &address]);
    let tour = std::iter::once((first.0, &first.1[..])).chain(TOUR.iter().copied());
    for (number, (what, words)) in tour.enumerate() {
        let gap = if number == 0 { "" } else { "\n" };
        let typed: Vec<String> =
            words.iter().map(|word| if word.contains('*') { format!("'{word}'") } else { (*word).to_owned() }).collect();
        context.printer.write(format!("{gap}# {what}\n$ regctl {}\n", typed.join(" ")).as_bytes())?;
        let ended = child(home.path())?.args(words).status()?;
        if !ended.success() {
            let command = words.join(" ");
            return Err(Refusal::new(Exit::Failure, format!("the tour ended early: `regctl {command}` failed ({ended})")).into());
        }
    }
    if !args.keep {
        context.printer.write(b"\nThat registry is gone now. Go on with your own: regctl add NAME ADDRESS\n")?;
        context.printer.write(b"Or with this one: regctl demo --keep\n")?;
        return Ok(Exit::Done);
    }
    let catalogue = home.path().join("catalogue.toml");
    let text = format!(
        "\nThe registry goes on at {address}. In another terminal:\n  export REGCTL_CATALOGUE={}\n  regctl repo list\nCtrl-C here ends it.\n",
        catalogue.display()
    );
    context.printer.write(text.as_bytes())?;
    context.until_interrupted()?;
    Ok(Exit::Done)
}

/// This program again, with a home of its own and nothing of the person's settings.
fn child(home: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(|name| name.starts_with("REGCTL_"))) {
        command.env_remove(name);
    }
    command.env("REGCTL_CATALOGUE", home.join("catalogue.toml"));
    command.env("REGCTL_STATE_DIR", home.join("state"));
    command.env("REGCTL_CACHE_DIR", home.join("cache"));
    // a proxy is not asked for what is on this machine
    command.env("NO_PROXY", "127.0.0.1");
    Ok(command)
}
