//! `regctl blob get`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args as ClapArgs;
use futures_util::TryStreamExt;

use crate::cli::args::TargetArgs;
use crate::cli::{Context, Exit, Refusal};

/// Print a blob, verified while it is read
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl blob get prod/web@sha256:77aa… > layer.tar.gz
  regctl blob get prod/web@sha256:80bc… --to config.json")]
pub struct Args {
    /// The blob, as REPOSITORY@DIGEST
    #[arg(value_name = "REF")]
    reference: String,
    #[command(flatten)]
    target: TargetArgs,
    /// Write it to this file, which appears only when the whole blob is there and has the right digest
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    to: Option<PathBuf>,
}

/// Prints it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let (place, digest) = context.open_blob(&args.target, &args.reference)?;
    if args.to.is_none() && context.printer.stdout_is_terminal() {
        return Err(Refusal::usage("a blob is bytes, and standard output is a terminal")
            .hint("write it to a file: --to FILE")
            .into());
    }
    let progress = context.printer.progress("reading bytes");
    context.block_on(async {
        let mut blob = place.registry.blob(&place.repository, &digest).await?;
        let mut file = match &args.to {
            None => None,
            Some(path) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
                Some(tempfile::NamedTempFile::new_in(folder).with_context(|| format!("can't write {}", path.display()))?)
            }
        };
        let mut done = 0;
        while let Some(piece) = blob.content.try_next().await? {
            match &mut file {
                Some(file) => file.write_all(&piece).context("can't write the blob")?,
                None => context.printer.write(&piece)?,
            }
            done += piece.len() as u64;
            progress.tick(done, blob.size);
        }
        if let (Some(file), Some(path)) = (file, &args.to) {
            file.persist(path).with_context(|| format!("can't write {}", path.display()))?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}
