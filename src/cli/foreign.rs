//! Verbs of the other program called regctl (SPEC §6, "Aliases"): those that mean the same are run, the others answer with our command.
//! No help lists them.

use std::ffi::OsString;

use clap::{Args as ClapArgs, Subcommand};

use super::{Context, Exit, Refusal, inspect};

/// What to use instead, by group and verb. The arguments are never repeated: with `registry login` they may hold a password.
const ANSWERS: &[(&str, &str, &[&str])] = &[
    ("artifact", "get", &["regctl inspect REF shows its layers; regctl blob get REPOSITORY@DIGEST fetches one"]),
    ("artifact", "list", &["regctl inspect REF shows what is attached"]),
    ("artifact", "tree", &["regctl inspect REF shows what is attached"]),
    ("config", "get", &["regctl doctor shows which files and variables count; regctl list shows the registries"]),
    (
        "config",
        "set",
        &["every option has a variable, see regctl --help; the rest is in the catalogue, whose path regctl doctor shows"],
    ),
    ("image", "delete", &["one tag: regctl tag delete REF", "the manifest with all its tags: regctl manifest delete REF"]),
    ("image", "digest", &["regctl manifest head REF --format '{{ digest }}'"]),
    ("image", "manifest", &["regctl manifest get REF"]),
    ("image", "ratelimit", &["regctl check NAME --columns registry,rate_limit"]),
    ("registry", "config", &["regctl get NAME, or regctl list for all"]),
    ("registry", "login", &["regctl login NAME", "not in the catalogue yet? regctl add NAME ADDRESS --username USER"]),
    ("registry", "logout", &["regctl logout NAME"]),
    (
        "registry",
        "set",
        &["a new registry: regctl add NAME ADDRESS", "one of the catalogue: regctl update NAME, with the same options"],
    ),
    ("registry", "whoami", &["regctl check NAME --columns registry,signed_in"]),
];

/// Look at images in the words of another regctl
#[derive(Debug, Subcommand)]
pub enum Image {
    Inspect(inspect::Args),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

impl Image {
    /// Runs it, or says what to run.
    pub fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Image::Inspect(args) => inspect::run(args, context),
            Image::Other(words) => Err(answer("image", words).into()),
        }
    }
}

/// The words after a group of which no verb means the same here
#[derive(Debug, ClapArgs)]
#[command(disable_help_flag = true)]
pub struct Words {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    words: Vec<OsString>,
}

impl Words {
    /// Says what to run.
    pub fn run(&self, group: &str) -> anyhow::Result<Exit> {
        Err(answer(group, &self.words).into())
    }
}

fn answer(group: &str, words: &[OsString]) -> Refusal {
    let verb = words.first().and_then(|word| word.to_str()).unwrap_or_default();
    let known = |(of, name, _): &&(&str, &str, &[&str])| (*of, *name) == (group, verb);
    match ANSWERS.iter().find(known) {
        Some((_, _, hints)) => {
            let refusal = Refusal::usage(format!("`{group} {verb}` is a command of another program called regctl"));
            hints.iter().fold(refusal, |refusal, hint| refusal.hint(*hint))
        }
        None => {
            let verbs: Vec<&str> = ANSWERS.iter().filter(|(of, ..)| *of == group).map(|(_, name, _)| *name).collect();
            let refusal = Refusal::usage(format!("there is no such command of `{group}`")).hint("regctl --help shows all");
            refusal.hint(format!("of another regctl's commands these have an answer: {group} {}", verbs.join("|")))
        }
    }
}
