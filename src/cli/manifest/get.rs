//! `regctl manifest get`.

use clap::Args as ClapArgs;

use crate::cli::args::TargetArgs;
use crate::cli::{Context, Exit};
use crate::oci::RawManifest;
use crate::output::text;

/// Print a manifest, byte for byte
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl manifest get prod/web:v2.4.1
  regctl manifest get prod/web:v2.4.1 | sha256sum")]
pub struct Args {
    /// The manifest, as REPOSITORY[:TAG][@DIGEST]
    #[arg(value_name = "REF")]
    reference: String,
    #[command(flatten)]
    target: TargetArgs,
}

/// Prints it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let place = context.open_manifest_or_latest(&args.target, &args.reference)?;
    let raw = context.block_on(async { Ok(place.registry.manifest(&place.repository, &place.selector).await?) })?;
    print(&raw, context)
}

/// The bytes as they are, so that their digest fits; on a terminal without what could harm it.
pub(in crate::cli) fn print(raw: &RawManifest, context: &Context) -> anyhow::Result<Exit> {
    if context.printer.stdout_is_terminal() {
        let document = String::from_utf8_lossy(&raw.bytes);
        context.printer.write(format!("{}\n", text::clean_lines(&document)).as_bytes())?;
    } else {
        context.printer.write(&raw.bytes)?;
    }
    Ok(Exit::Done)
}
