//! `regctl referrers`.

use clap::Args as ClapArgs;

use super::args::TargetArgs;
use super::{Context, Exit};
use crate::operations::Content;
use crate::operations::attached::{self, Attached, Tree};
use crate::output::{View, units};

/// Show what is attached to an image: signatures, SBOMs, attestations
///
/// As a tree: what is attached to what is attached stands below it. Found by the server's referrers API or the fallback tag, by cosign's tags,
/// and in the index itself, where BuildKit keeps attestations. Of an index, the images that it lists are looked at too.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  regctl referrers prod/web:v2.4.1
  regctl referrers web@sha256:9f2c… -o json | jq '.referrers[].artifact_type'")]
pub struct Args {
    /// The image or artifact, as REPOSITORY[:TAG][@DIGEST]
    #[arg(value_name = "REF")]
    reference: String,
    #[command(flatten)]
    target: TargetArgs,
}

/// Shows them.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let place = context.open_manifest_or_latest(&args.target, &args.reference)?;
    let tree = context.block_on(async {
        let content = Content::new(&*place.registry, &place.repository);
        Ok(attached::tree(&content, &place.selector).await?)
    })?;
    context.printer.report(&tree, || View::Text(text(&tree)))?;
    if tree.is_empty() && !context.globals.output.is_machine() {
        context.printer.note("nothing is attached to it");
    }
    Ok(Exit::Done)
}

fn text(tree: &Tree) -> String {
    let mut rows = Vec::new();
    collect(&tree.referrers, 1, &mut rows);
    for image in &tree.images {
        let platform = image.platform.clone().unwrap_or_else(|| "image".into());
        rows.push((1, platform, shorten(&image.digest), String::new(), String::new()));
        collect(&image.referrers, 2, &mut rows);
    }
    let first = rows.iter().map(|(depth, kind, ..)| 2 * depth + kind.chars().count()).max().unwrap_or(0);
    let sizes = rows.iter().map(|(.., size, _)| size.chars().count()).max().unwrap_or(0);
    let mut out = format!("{}  {}\n", tree.reference, shorten(&tree.digest));
    for (depth, kind, digest, size, what) in rows {
        let indented = format!("{}{kind}", "  ".repeat(depth));
        out.push_str(format!("{indented:first$}  {digest}  {size:>sizes$}  {what}").trim_end());
        out.push('\n');
    }
    out
}

/// Depth, kind, digest, size, and what it is exactly.
type Row = (usize, String, String, String, String);

fn collect(attached: &[Attached], depth: usize, rows: &mut Vec<Row>) {
    for item in attached {
        let size = item.size.map_or_else(|| "gone".to_owned(), units::size);
        let exactly =
            if item.predicates.is_empty() { item.artifact_type.clone().unwrap_or_default() } else { item.predicates.join(" ") };
        let exactly = if exactly == item.kind { String::new() } else { exactly };
        rows.push((depth, item.kind.clone(), shorten(&item.digest), size, exactly));
        collect(&item.referrers, depth + 1, rows);
    }
}

fn shorten(digest: &crate::oci::Digest) -> String {
    format!("{}:{}", digest.algorithm(), digest.short())
}
