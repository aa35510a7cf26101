//! A plan as a person sees it before it is carried out.

use std::collections::BTreeSet;

use super::told::full;
use crate::cli::{Context, series};
use crate::oci::Digest;
use crate::operations::plan::{Otherwise, Plan, PlannedTag, RepositoryPlan, Step};
use crate::output::{self, View, units};

pub(super) fn question(plan: &Plan) -> String {
    let registries: BTreeSet<&str> = plan.repositories.iter().map(|part| part.registry.as_str()).collect();
    let registries = registries.into_iter().collect::<Vec<_>>().join(", ");
    let tags: usize = plan.repositories.iter().map(RepositoryPlan::tags).sum();
    let manifests: usize = plan.repositories.iter().map(RepositoryPlan::manifests).sum();
    let whole = plan.repositories.iter().flat_map(|part| &part.steps).any(|step| *step == Step::DeleteRepository);
    let what = match (whole, tags, manifests) {
        (true, ..) => "everything".to_owned(),
        (_, 0, manifests) => units::plural(manifests, "manifest"),
        (_, tags, 0) => units::plural(tags, "tag"),
        (_, tags, manifests) => format!("{} and {}", units::plural(tags, "tag"), units::plural(manifests, "manifest")),
    };
    format!("Delete {what} from {registries}?")
}

/// What was asked for and is not there is no failure.
pub(super) fn tell_gone(plan: &Plan, context: &Context) {
    for part in &plan.repositories {
        for gone in &part.gone {
            let name = if gone == part.repository.0.as_str() { part.name() } else { full(part, gone) };
            context.printer.note(format!("{name} is already gone"));
        }
    }
}

/// Shows a plan.
pub fn show(plan: &Plan, context: &Context) -> anyhow::Result<()> {
    if plan.is_empty()
        && plan.repositories.iter().all(|part| part.locked().next().is_none())
        && !context.globals.output.is_machine()
    {
        return Ok(());
    }
    let width = context.printer.width();
    context.printer.report(plan, || {
        View::Text(
            plan.repositories
                .iter()
                .map(|part| if series::is_by_rules(part) { series::text(part, width) } else { text(part, width) })
                .collect(),
        )
    })?;
    for warning in plan.repositories.iter().flat_map(|part| &part.warnings) {
        context.printer.warn(warning);
    }
    Ok(())
}

/// A plan as a person reads it, in lines of no more than so many columns.
fn text(plan: &RepositoryPlan, columns: Option<usize>) -> String {
    let goes = plan.steps.iter().map(|step| ('-', line(step)));
    let stays = plan.locked().map(|keep| ('=', (short(&keep.name), format!("stays: {}", keep.reason))));
    let lines: Vec<(char, (String, String))> = goes.chain(stays).collect();
    if lines.is_empty() {
        return String::new();
    }
    let width = lines.iter().map(|(_, (name, _))| name.len()).max().unwrap_or(0);
    let mut out = format!("{}\n", plan.name());
    for (sign, (name, what)) in lines {
        let line = format!("  {sign} {name:width$}  {what}");
        out.push_str(&output::text::truncate(&line, columns.unwrap_or(usize::MAX)));
        out.push('\n');
    }
    if plan.steps.is_empty() {
        out.push_str("Nothing goes.\n");
        return out;
    }
    let (tags, manifests) = (plan.tags(), plan.manifests());
    let goes = |count: usize, one: &str| match count {
        0 => format!("no {one} goes"),
        1 => format!("1 {one} goes"),
        _ => format!("{} go", units::plural(count, one)),
    };
    let last = plan.steps.iter().filter(|step| matches!(step, Step::Untag { otherwise: Otherwise::Digest, .. })).count();
    let rest = match (plan.steps.contains(&Step::DeleteRepository), manifests, last) {
        (true, ..) => "The whole repository goes".to_owned(),
        (_, 0, 0) => format!("{}, no manifest goes, nothing is freed", goes(tags, "tag")),
        (_, 0, last) => format!(
            "{}; {} its last tag",
            goes(tags, "tag"),
            if last == 1 { "1 manifest loses".into() } else { format!("{} lose", units::plural(last, "tag's manifest")) }
        ),
        _ => format!("{} and {}", goes(tags, "tag"), goes(manifests, "manifest")),
    };
    out.push_str(&format!("{rest}.\n"));
    out
}

/// A tag as it is, a digest as people see it.
fn short(name: &str) -> String {
    name.parse::<Digest>().map_or_else(|_| name.to_owned(), |digest| format!("{}:{}", digest.algorithm(), digest.short()))
}

fn line(step: &Step) -> (String, String) {
    let names = |tags: &[PlannedTag]| tags.iter().map(PlannedTag::to_string).collect::<Vec<_>>().join(", ");
    match step {
        Step::Untag { tag, digest, siblings, otherwise } => {
            let short = format!("{}:{}", digest.algorithm(), digest.short());
            let what = match (siblings.as_slice(), otherwise) {
                ([], Otherwise::Digest) => format!("last tag on {short}"),
                ([], Otherwise::Refuse { indexes }) => format!("tag only; the index {} keeps {short}", indexes.join(", ")),
                ([], Otherwise::Placeholder) => format!("tag only, by way of a placeholder if need be; an index keeps {short}"),
                (kept, otherwise) => {
                    let verb = if kept.len() == 1 { "keeps" } else { "keep" };
                    let way = if *otherwise == Otherwise::Placeholder { ", by way of a placeholder if need be" } else { "" };
                    format!("tag only{way}; {} {verb} {short}", names(kept))
                }
            };
            (tag.to_string(), what)
        }
        Step::DeleteManifest { digest, tags, .. } if tags.is_empty() => {
            (format!("{}:{}", digest.algorithm(), digest.short()), "manifest without a tag".to_owned())
        }
        Step::DeleteManifest { digest, tags, .. } => {
            (format!("{}:{}", digest.algorithm(), digest.short()), format!("manifest, with {}", names(tags)))
        }
        Step::Unlist { tag, referrers, .. } => {
            (tag.to_string(), format!("loses {}; a list of what is attached to an image", units::plural(referrers.len(), "entry")))
        }
        Step::DeleteRepository => ("everything".to_owned(), "all tags and manifests, by the server's own call".to_owned()),
    }
}
