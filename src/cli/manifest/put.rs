//! `regctl manifest put`.

use std::fs::File;
use std::io::{self, Read};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use serde::Serialize;

use crate::cli::args::TargetArgs;
use crate::cli::{Context, Exit, Refusal};
use crate::oci::{Digest, Manifest, RawManifest, media_type};
use crate::operations::Content;
use crate::output::Document;

/// Servers take no larger manifest (distribution-spec 1.1, "Pushing Manifests").
const LARGEST: u64 = 4 * 1024 * 1024;

/// Store a manifest under a tag or its digest
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "The blobs that it names have to be in the repository already. Putting a manifest that exists under another tag is how a tag is \
made to point somewhere else.

Examples:
  regctl manifest get web:v2.4.1 | regctl manifest put web:stable -
  regctl manifest put web:v3 manifest.json --media-type application/vnd.oci.image.manifest.v1+json"
)]
pub struct Args {
    /// Where to, as REPOSITORY:TAG or REPOSITORY@DIGEST
    #[arg(value_name = "REF")]
    reference: String,
    /// The manifest; `-` is standard input
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: String,
    #[command(flatten)]
    target: TargetArgs,
    /// Its media type, when the document itself doesn't say
    #[arg(long, value_name = "TYPE")]
    media_type: Option<String>,
}

#[derive(Serialize)]
struct Report {
    reference: String,
    digest: Digest,
}

/// Stores it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let place = context.open_manifest(&args.target, &args.reference)?;
    let manifest = read(args)?;
    if let Some(named) = place.digest.as_ref().filter(|named| !named.verifies(&manifest.bytes)) {
        return Err(Refusal::usage(format!("the document's digest is {}, not {named}", manifest.digest)).into());
    }
    let digest =
        context.block_on(async { Ok(place.registry.put_manifest(&place.repository, &place.selector, &manifest).await?) })?;
    let report = Report { reference: Content::new(&*place.registry, &place.repository).reference(&place.selector), digest };
    context.printer.report(&report, || {
        let mut document = Document::new(&report.reference);
        document.field("digest", report.digest.as_str());
        document.into()
    })?;
    Ok(Exit::Done)
}

fn read(args: &Args) -> anyhow::Result<RawManifest> {
    let mut bytes = Vec::new();
    let unreadable = || format!("can't read {}", args.file);
    if args.file == "-" {
        if args.target.password_stdin {
            return Err(Refusal::usage("standard input can't be both the password and the manifest").into());
        }
        io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes).with_context(unreadable)?;
    } else {
        File::open(&args.file).with_context(unreadable)?.take(LARGEST + 1).read_to_end(&mut bytes).with_context(unreadable)?;
    }
    if bytes.len() as u64 > LARGEST {
        return Err(Refusal::usage(format!("{} is larger than 4 MiB, and no server takes such a manifest", args.file)).into());
    }
    let invalid = |message: String| Refusal::usage(format!("{} is not a manifest: {message}", args.file));
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
    let stated = value.get("mediaType").and_then(serde_json::Value::as_str).map(str::to_owned);
    let kind = match (&args.media_type, stated) {
        (Some(asked), _) => asked.clone(),
        (None, Some(stated)) => stated,
        (None, None) => match Manifest::parse("", &bytes).map_err(|error| invalid(error.to_string()))? {
            Manifest::Image(_) => media_type::OCI_MANIFEST.to_owned(),
            Manifest::Index(_) => media_type::OCI_INDEX.to_owned(),
            Manifest::Schema1(_) => media_type::DOCKER_SCHEMA1_SIGNED.to_owned(),
            Manifest::Unknown(_) => {
                return Err(Refusal::usage(format!("{} doesn't say its media type", args.file))
                    .hint("say it with --media-type")
                    .into());
            }
        },
    };
    Manifest::parse(&kind, &bytes).map_err(|error| invalid(error.to_string()))?;
    Ok(RawManifest::new(kind, bytes))
}
