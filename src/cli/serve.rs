//! `regctl serve`: the embedded registry, to try things on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use serde::Serialize;

use super::{Context, Exit, Refusal, prompt};
use crate::output::Document;
use crate::serve::{Account, Auth, Behaviour, Catalog, Running, Settings, Storage, TagDelete, TooMany, sample};

/// Run a registry on this machine, in memory or on a folder
///
/// An OCI registry (distribution-spec 1.1) for trying things out and for tests: push, pull, lists in pages, deletion by tag and by digest,
/// referrers. It holds its content in memory, or in a folder of OCI image layouts, one folder a repository. It listens on loopback addresses
/// only and ends with Ctrl-C. Switches make it behave like other servers.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl serve --sample
  regctl serve ./registry --listen 127.0.0.1:0
  regctl serve --username dev --password-stdin --auth token < password.txt
  regctl serve --sample --like distribution-2.8 --latency 50")]
pub struct Args {
    /// A folder of OCI image layouts; made if it is not there
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    folder: Option<PathBuf>,
    /// Listen here; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
    /// Begin with sample images
    #[arg(long)]
    sample: bool,
    /// Let only this user in, with --password-stdin
    #[arg(long, value_name = "USER", requires = "password_stdin")]
    username: Option<String>,
    /// Read the user's password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// How the user signs in: basic or token
    #[arg(long, value_enum, value_name = "WAY", default_value_t = Way::Basic, requires = "username", hide_possible_values = true)]
    auth: Way,
    /// Behave like another server: distribution-2.8 deletes no single tag, knows no referrers and sends all tags at once
    #[arg(long, value_enum, value_name = "SERVER")]
    like: Option<Like>,
    /// Leave these abilities out
    #[arg(long, value_enum, value_name = "ABILITY", value_delimiter = ',')]
    without: Vec<Ability>,
    /// Give no more than this many names in a page
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    page_size: Option<u16>,
    /// Answer no sooner than after this many milliseconds
    #[arg(long, value_name = "MS")]
    latency: Option<u32>,
    /// Answer every Nth request with 429
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    too_many: Option<u64>,
    /// End the bodies of manifests and blobs in the middle
    #[arg(long)]
    cut_bodies: bool,
}

/// How the user signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    /// User and password with each request
    Basic,
    /// A token from the registry's own token server
    Token,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Like {
    #[value(name = "distribution-2.8")]
    Distribution28,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ability {
    /// Deleting anything
    Delete,
    /// Deleting one tag
    TagDelete,
    /// Listing repositories
    Catalog,
    /// The referrers API
    Referrers,
    /// Docker-Content-Digest headers
    DigestHeader,
}

#[derive(Serialize)]
struct Report {
    address: String,
    folder: Option<PathBuf>,
    username: Option<String>,
}

/// Serves until it is interrupted.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    if !args.listen.ip().is_loopback() {
        return Err(Refusal::usage(format!(
            "can't serve on {}: only loopback addresses such as 127.0.0.1 are allowed",
            args.listen
        ))
        .hint("the embedded registry is for trying things out and has no TLS")
        .into());
    }
    let storage = match &args.folder {
        None => Storage::memory(),
        Some(folder) => Storage::folder(folder).map_err(|error| cannot(format!("can't open {}", folder.display()), error))?,
    };
    if args.sample {
        sample::fill(&storage, context.now).map_err(|error| cannot("can't write the sample images".into(), error))?;
    }
    let auth = match &args.username {
        None => Auth::Open,
        Some(username) => {
            let password = prompt::password_from_stdin()?;
            let account = Account::new(username, password.expose());
            if args.auth == Way::Token { Auth::Token(account) } else { Auth::Basic(account) }
        }
    };
    let settings = Settings { listen: args.listen, storage, auth, behaviour: behaviour(args) };
    let running = Running::start(settings).map_err(|error| {
        let refusal = cannot(format!("can't listen on {}", args.listen), error);
        refusal.hint("--listen 127.0.0.1:0 takes a free port")
    })?;
    let report = Report { address: running.url(), folder: args.folder.clone(), username: args.username.clone() };
    context.printer.report(&report, || view(&report).into())?;
    context.printer.note(format!("try: regctl repo list {}", running.address()));
    context.printer.note("Ctrl-C ends it");
    context.until_interrupted()?;
    Ok(Exit::Done)
}

fn cannot(what: String, error: std::io::Error) -> Refusal {
    Refusal::new(Exit::Failure, what).caused_by(error)
}

fn behaviour(args: &Args) -> Behaviour {
    let mut behaviour = match args.like {
        None => Behaviour::default(),
        Some(Like::Distribution28) => Behaviour::distribution_2_8(),
    };
    for ability in &args.without {
        match ability {
            Ability::Delete => behaviour.delete = false,
            Ability::TagDelete => behaviour.tag_delete = TagDelete::NotAllowed,
            Ability::Catalog => behaviour.catalog = Catalog::Absent,
            Ability::Referrers => behaviour.referrers = false,
            Ability::DigestHeader => behaviour.digest_header = false,
        }
    }
    behaviour.page_size = args.page_size.map(usize::from);
    behaviour.latency = Duration::from_millis(args.latency.unwrap_or(0).into());
    behaviour.too_many = args.too_many.map(TooMany::Every);
    behaviour.cut_bodies = args.cut_bodies;
    behaviour
}

fn view(report: &Report) -> Document {
    let mut document = Document::new(&report.address);
    document.maybe("folder", report.folder.as_ref().map(|folder| folder.display().to_string()));
    document.maybe("user", report.username.clone());
    document
}
