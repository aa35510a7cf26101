//! A plan that rules made, as a person reads it: one row for each series of tags that a rule decided alike, `ci-2210 … ci-2201`.

use crate::operations::plan::{Plan, PlannedTag, RepositoryPlan, Step};
use crate::operations::prune::shape;
use crate::output::{text, units};

/// Fewer names than this of one shape stand each for themselves: a range of two would hide nothing but a name.
const SHORTEST_SERIES: usize = 3;
/// Columns between and before the parts of a row, and its word.
const MARGINS: usize = 2 + "DELETE".len() + 2 + 2 + 2;
/// So many names that are part of no series are written out.
const WRITTEN_OUT: usize = 3;

/// One row.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    word: &'static str,
    names: String,
    why: String,
    count: String,
}

/// Whether rules made this plan.
pub(super) fn is_by_rules(plan: &RepositoryPlan) -> bool {
    plan.steps.iter().any(|step| matches!(step, Step::DeleteManifest { reason: Some(_), .. }))
}

/// The plan for one repository, with its name above, in lines of no more than so many columns.
pub(super) fn text(plan: &RepositoryPlan, columns: Option<usize>) -> String {
    let rows = rows(plan);
    let widest = |part: fn(&Row) -> &str, of: &dyn Fn(&Row) -> bool| {
        rows.iter().filter(|row| of(row)).map(|row| text::width(part(row))).max().unwrap_or(0)
    };
    let mut names = widest(|row| &row.names, &|_| true);
    let counts = widest(|row| &row.count, &|_| true);
    let mut whys = widest(|row| &row.why, &|_| true);
    if let Some(columns) = columns {
        // the rule that decided is worth as much as the names
        let room = columns.saturating_sub(MARGINS + counts);
        names = names.min(room.saturating_sub(whys.min(room / 2)));
        whys = whys.min(room - names);
    }
    let cell = |content: &str, columns: usize| {
        let content = text::truncate(content, columns);
        let padding = columns.saturating_sub(text::width(&content));
        format!("{content}{:padding$}", "")
    };
    let aligned = widest(|row| &row.why, &|row| !row.count.is_empty()).min(whys);
    let mut out = format!("{}\n", plan.name());
    for Row { word, names: name, why, count } in &rows {
        let why = if count.is_empty() { text::truncate(why, whys).into_owned() } else { cell(why, aligned) };
        let line = format!("  {word:6}  {}  {why}  {count}", cell(name, names));
        out.push_str(line.trim_end());
        out.push('\n');
    }
    if !plan.steps.is_empty() {
        out.push_str(&sum(plan.tags(), plan.manifests(), plan.bytes));
        out.push('\n');
    }
    out
}

/// How much goes, in a few words.
pub(super) fn counts(plan: &Plan) -> String {
    words(plan.repositories.iter().map(RepositoryPlan::tags).sum(), plan.repositories.iter().map(RepositoryPlan::manifests).sum())
}

fn words(tags: usize, manifests: usize) -> String {
    let parts = [(tags, "tag"), (manifests, "manifest")].into_iter().filter(|(count, _)| *count > 0);
    parts.map(|(count, one)| units::plural(count, one)).collect::<Vec<_>>().join(" and ")
}

/// How much goes, in one sentence.
pub(super) fn sum(tags: usize, manifests: usize, bytes: Option<u64>) -> String {
    let goes = if tags + manifests == 1 { "goes" } else { "go" };
    let bytes = match bytes {
        Some(bytes) => format!("about {} are no longer referenced", units::size(bytes)),
        None => "how much that frees is not known".to_owned(),
    };
    format!("{} {goes}; {bytes}.", words(tags, manifests))
}

fn rows(plan: &RepositoryPlan) -> Vec<Row> {
    let keeps = plan.keeps.iter().map(|keep| (keep.name.as_str(), keep.reason.as_str())).collect::<Vec<_>>();
    let mut goes = Vec::new();
    for step in &plan.steps {
        let Step::DeleteManifest { digest, tags, reason, .. } = step else { continue };
        let reason = reason.as_deref().unwrap_or_default();
        let names: Vec<&PlannedTag> = tags.iter().filter(|tag| !tag.0.is_attachment()).collect();
        match names.as_slice() {
            [] => goes.push((digest.as_str(), reason)),
            names => goes.extend(names.iter().map(|tag| (tag.0.as_str(), reason))),
        }
    }
    let mut rows = collapse("KEEP", &keeps);
    rows.extend(collapse("DELETE", &goes));
    for step in &plan.steps {
        if let Step::Unlist { tag, referrers, .. } = step {
            let why = format!("loses {}; a list of what is attached to an image", units::plural(referrers.len(), "entry"));
            rows.push(Row { word: "CHANGE", names: tag.to_string(), why, count: String::new() });
        }
    }
    rows
}

/// Rows of names that share a reason, in the order in which the reasons come first.
fn collapse(word: &'static str, items: &[(&str, &str)]) -> Vec<Row> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (name, reason) in items {
        let place = *places.entry(*reason).or_insert_with(|| {
            reasons.push((reason, Vec::new()));
            reasons.len() - 1
        });
        reasons[place].1.push(name);
    }
    reasons.into_iter().flat_map(|(reason, names)| of_reason(word, reason, &names)).collect()
}

fn of_reason(word: &'static str, reason: &str, names: &[&str]) -> Vec<Row> {
    let row = |names: String, why: String, count: String| Row { word, names, why, count };
    let (digests, tags): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| name.contains(':'));
    let mut series: Vec<(String, Vec<&str>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for tag in tags {
        let shape = shape(tag);
        let place = *places.entry(shape.clone()).or_insert_with(|| {
            series.push((shape, Vec::new()));
            series.len() - 1
        });
        series[place].1.push(tag);
    }
    let mut rows = Vec::new();
    let mut single = Vec::new();
    for (_, names) in series {
        match names.as_slice() {
            [first, .., last] if names.len() >= SHORTEST_SERIES => {
                rows.push(row(format!("{first} … {last}"), reason.to_owned(), format!("({})", units::plural(names.len(), "tag"))));
            }
            few => single.extend_from_slice(few),
        }
    }
    match single.as_slice() {
        many if many.len() > WRITTEN_OUT => {
            let names = format!("{} and {} more", many[..WRITTEN_OUT].join(", "), units::count(many.len() - WRITTEN_OUT));
            rows.push(row(names, reason.to_owned(), format!("({})", units::plural(many.len(), "tag"))));
        }
        few => rows.extend(few.iter().map(|name| row((*name).to_owned(), reason.to_owned(), String::new()))),
    }
    match digests.as_slice() {
        [] => {}
        [one] => rows.push(row(one.chars().take("sha256:".len() + 12).collect(), reason.to_owned(), String::new())),
        many => rows.push(row("sha256:…".to_owned(), reason.to_owned(), format!("({})", units::plural(many.len(), "manifest")))),
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;
    use crate::operations::plan::{Keep, PlannedRepository};

    #[test]
    fn what_a_rule_decided_alike_is_one_row() {
        let keep = |name: &str, reason: &str| Keep::new(name, reason);
        let delete = |number: u32, tags: &[&str], reason: &str| Step::DeleteManifest {
            digest: Digest::sha256(&number.to_be_bytes()),
            tags: tags.iter().map(|tag| PlannedTag(tag.parse().unwrap())).collect(),
            stage: 0,
            reason: Some(reason.into()),
        };
        let mut steps: Vec<Step> =
            (42..1200).rev().map(|number| delete(number, &[&format!("ci-{number}")], "older than 30d")).collect();
        for (number, tags) in [(1, &["a1b2c3", "old"][..]), (2, &["nightly"]), (3, &["fe12"]), (4, &["fe13"])] {
            steps.push(delete(number, tags, "older than 30d"));
        }
        let signature = format!("sha256-{}.sig", "a".repeat(64));
        steps.push(delete(5, &[], "listed by what goes, and nothing else uses it"));
        steps.push(delete(6, &[], "listed by what goes, and nothing else uses it"));
        steps.push(delete(7, &[&signature], "attached to what goes"));
        let plan = RepositoryPlan {
            registry: "prod".into(),
            address: "https://r".into(),
            repository: PlannedRepository("team/api".parse().unwrap()),
            steps,
            keeps: vec![
                keep("ci-1202", "newest 3 that match"),
                keep("ci-1201", "newest 3 that match"),
                keep("ci-1200", "newest 3 that match"),
                keep("ci-7", "same digest as v1, which is kept"),
            ],
            gone: vec![],
            warnings: vec![],
            bytes: Some(41_300_000_000),
        };
        assert!(is_by_rules(&plan));
        insta::assert_snapshot!(text(&plan, None), @r"
        prod/team/api
          KEEP    ci-1202 … ci-1200                newest 3 that match                            (3 tags)
          KEEP    ci-7                             same digest as v1, which is kept
          DELETE  ci-1199 … ci-42                  older than 30d                                 (1,158 tags)
          DELETE  a1b2c3, old, nightly and 2 more  older than 30d                                 (5 tags)
          DELETE  sha256:…                         listed by what goes, and nothing else uses it  (2 manifests)
          DELETE  sha256:1561ade0621c              attached to what goes
        1,164 tags and 1,165 manifests go; about 41.3 GB are no longer referenced.
        ");
        for columns in [80, 60, 40] {
            let cut = text(&plan, Some(columns));
            assert!(cut.lines().all(|line| text::width(line) <= columns || !line.starts_with("  ")), "{cut}");
            assert!(cut.lines().filter(|line| line.starts_with("  ")).all(|line| line.split_whitespace().count() > 2), "{cut}");
        }
    }
}
