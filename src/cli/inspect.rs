//! `regctl inspect`.

use clap::Args as ClapArgs;
use jiff::Timestamp;

use super::args::TargetArgs;
use super::{Context, Exit, Refusal};
use crate::oci::Platform;
use crate::operations::Content;
use crate::operations::inspect::{self, Inspection, Query};
use crate::output::{Document, units};

/// Show everything about an image or artifact
#[derive(Debug, ClapArgs)]
#[command(after_help = "Any media type can be inspected: images, indexes, charts, signatures, schema 1 and unknown ones.
Other tags on the same digest are looked for in repositories of up to 100 tags, or with --tags.

Examples:
  regctl inspect prod/web:v2.4.1
  regctl inspect web --platform linux/arm64
  regctl inspect web:latest --format '{{ digest }}'
  regctl inspect web:latest --raw")]
pub struct Args {
    /// The image, as REPOSITORY[:TAG][@DIGEST]; without both, the tag latest
    #[arg(value_name = "REF")]
    reference: String,
    #[command(flatten)]
    target: TargetArgs,
    /// Show the image for this platform of an index
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// Look for other tags on the digest, however many tags there are
    #[arg(long, overrides_with = "no_tags")]
    tags: bool,
    /// Don't look for other tags on the digest
    #[arg(long)]
    no_tags: bool,
    /// Print the manifest itself, byte for byte
    #[arg(long)]
    raw: bool,
}

/// Shows it.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let place = context.open_manifest_or_latest(&args.target, &args.reference)?;
    if args.raw {
        if args.platform.is_some() {
            return Err(Refusal::usage("--raw shows the manifest that the reference names; --platform needs it read")
                .hint(format!("regctl inspect {} --platform … shows the digest; then --raw of that", args.reference))
                .into());
        }
        let raw = context.block_on(async { Ok(place.registry.manifest(&place.repository, &place.selector).await?) })?;
        return super::manifest::get::print(&raw, context);
    }
    let other_tags = if args.tags { Some(true) } else { args.no_tags.then_some(false) };
    let query = Query { platform: args.platform.clone(), other_tags };
    let progress = context.printer.progress("looking for other tags");
    let tick = |done, total| progress.tick(done, total);
    let inspection = context.block_on(async {
        let content = Content::new(&*place.registry, &place.repository);
        Ok(inspect::inspect(&content, &place.selector, &query, &tick).await?)
    })?;
    drop(progress);
    context.printer.report(&inspection, || view(&inspection, context.now).into())?;
    if inspection.also_tagged.is_none() && !args.no_tags && !context.globals.output.is_machine() {
        context.printer.note("other tags were not looked at: there are many (--tags)");
    }
    if !inspection.missing.is_empty() {
        context
            .printer
            .warn(format!("{} that this index lists can't be pulled", units::plural(inspection.missing.len(), "manifest")));
    }
    Ok(Exit::Done)
}

fn view(inspection: &Inspection, now: Timestamp) -> Document {
    let mut document = Document::new(&inspection.reference);
    document.field("digest", inspection.digest.to_string());
    document.field("type", format!("{}  {}", inspection.kind.word(), inspection.media_type));
    document.maybe("artifact", inspection.artifact_type.clone());
    if let Some(tags) = inspection.also_tagged.as_deref().filter(|tags| !tags.is_empty()) {
        document.field("also tagged", tags.join(" "));
    }
    document.maybe("created", inspection.created_at.map(|date| format!("{} ({})", units::date(date), units::age(date, now))));
    document.maybe("size", inspection.size.map(units::size));
    let platforms = inspection.images.iter().map(|image| {
        vec![
            image.platform.clone().unwrap_or_else(|| "no platform".into()),
            shorten(&image.digest),
            units::size(image.size),
            units::plural(image.layers, "layer"),
        ]
    });
    document.lines("platforms", platforms.collect());
    document.lines("missing", inspection.missing.iter().map(|digest| vec![digest.to_string()]).collect());
    let layers = inspection.layers.iter().map(|layer| {
        let size = layer.size.map_or_else(|| "size unknown".into(), units::size);
        vec![shorten(&layer.digest), size, layer.title.clone().unwrap_or_else(|| layer.media_type.clone())]
    });
    document.lines("layers", layers.collect());
    if let Some(config) = &inspection.config {
        document.maybe("entrypoint", (!config.entrypoint.is_empty()).then(|| config.entrypoint.join(" ")));
        document.maybe("command", (!config.cmd.is_empty()).then(|| config.cmd.join(" ")));
        document.maybe("user", config.user.clone());
        document.maybe("directory", config.working_dir.clone());
        document.lines("environment", config.env.iter().map(|line| vec![line.clone()]).collect());
    }
    let pairs = |map: &std::collections::BTreeMap<String, String>| {
        map.iter().map(|(key, value)| vec![key.clone(), value.clone()]).collect()
    };
    document.lines("labels", pairs(&inspection.labels));
    document.lines("annotations", pairs(&inspection.annotations));
    document.maybe("attached to", inspection.subject.as_ref().map(ToString::to_string));
    let attached = inspection.referrers.iter().flatten().map(|referrer| {
        let kind = referrer.artifact_type.clone().filter(|kind| *kind != referrer.kind).unwrap_or_default();
        vec![referrer.kind.clone(), shorten(&referrer.digest), units::size(referrer.size), kind]
    });
    let mut attached: Vec<Vec<String>> = attached.collect();
    if !inspection.attestations.is_empty() {
        let count = units::plural(inspection.attestations.len(), "manifest");
        attached.push(vec!["attestation".into(), format!("{count} inside the index")]);
    }
    document.lines("attached", attached);
    if let Some(raw) = &inspection.document {
        let text = serde_json::to_string_pretty(raw).unwrap_or_default();
        document.lines("document", text.lines().map(|line| vec![line.to_owned()]).collect());
    }
    document
}

fn shorten(digest: &crate::oci::Digest) -> String {
    format!("{}:{}", digest.algorithm(), digest.short())
}
