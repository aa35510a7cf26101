//! How findings look.

use jiff::Timestamp;

use super::Report;
use crate::cli::Context;
use crate::operations::vulnerabilities::{Answer, Source};
use crate::output::{Cell, Column, Table, Tone, units};
use crate::registry::{Severity, Vulnerability};

pub(super) fn table(found: &[Vulnerability]) -> Table {
    let platforms = found.iter().any(|vulnerability| vulnerability.platform.is_some());
    let states = found.iter().any(|vulnerability| vulnerability.state.is_some());
    let mut columns =
        vec![Column::new("severity"), Column::new("id"), Column::new("package").shrinks(), Column::new("installed").shrinks()];
    columns.push(Column::new("fixed").shrinks());
    columns.extend(platforms.then(|| Column::new("platform").expendable(2)));
    columns.extend(states.then(|| Column::new("state").expendable(3)));
    columns.extend([
        Column::new("title").shrinks().expendable(1),
        Column::new("score").right().wide(),
        Column::new("target").wide(),
        Column::new("aliases").wide(),
        Column::new("link").wide(),
    ]);
    let mut table = Table::new(columns);
    let text = |text: &Option<String>| match text {
        Some(text) => Cell::from(text.clone()),
        None => Cell::with_value("–", ""),
    };
    for vulnerability in found {
        let Vulnerability {
            id,
            aliases,
            package,
            installed,
            fixed,
            fixable,
            severity,
            score,
            title,
            link,
            target,
            platform,
            state,
            ..
        } = vulnerability;
        let mut cells = vec![Cell::from(severity.word()).tone(tone(*severity)), id.as_str().into(), text(package), text(installed)];
        cells.push(match (fixed, fixable) {
            (None, Some(true)) => Cell::with_value("yes", ""),
            _ => text(fixed),
        });
        cells.extend(platforms.then(|| text(platform)));
        cells.extend(states.then(|| text(state)));
        cells.push(text(title));
        cells.push(score.map_or_else(|| Cell::with_value("–", ""), |score| Cell::with_value(format!("{score:.1}"), score)));
        cells.extend([text(target), Cell::from(aliases.join(" ")), text(link)]);
        table.row(id.clone(), cells);
    }
    table
}

fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Critical | Severity::High => Tone::Bad,
        Severity::Medium => Tone::Warn,
        Severity::Low | Severity::Unknown => Tone::Plain,
        Severity::Negligible => Tone::Dim,
    }
}

/// Who answered, in a line.
pub(super) fn answer(answer: &Answer, now: Timestamp) -> String {
    let mut line = match (&answer.source, &answer.attached) {
        (Source::Registry, _) => "from the registry's own scanner".to_owned(),
        (Source::Attached, Some(digest)) => {
            format!("from a report attached as {}:{}, its signature not verified", digest.algorithm(), digest.short())
        }
        (Source::Attached, None) => "from an attached report".to_owned(),
        (Source::Scanner, _) => "scanned on this machine".to_owned(),
    };
    if let Some(scanner) = &answer.scanner {
        line = format!("{line}, {scanner}");
    }
    if let (Some(date), true) = (answer.scanned_at, answer.source != Source::Scanner) {
        line = format!("{line}, {}", units::age(date, now));
    }
    match &answer.platform {
        Some(platform) => format!("{platform}: {line}"),
        None => line,
    }
}

/// How many of each severity, in a line.
pub(super) fn summary(report: &Report, all: bool, context: &Context) {
    let Report { list, summary, found, dismissed, .. } = report;
    let shown = list.items.len();
    let left_out = found - shown;
    let counts = Severity::ALL.iter().map(|severity| (summary.count(*severity), severity.word()));
    let mut parts = vec![
        counts
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{} {word}", units::count(count)))
            .collect::<Vec<_>>()
            .join(", "),
    ];
    if shown == 0 {
        match left_out {
            0 => return context.printer.done("no known vulnerabilities"),
            _ => parts = vec!["nothing fits".to_owned()],
        }
    } else {
        parts.push(format!("{} fixable", units::count(summary.fixable)));
    }
    if left_out > 0 {
        let known = if *dismissed > 0 && !all {
            format!(", {} said to be harmless (--all)", units::count(*dismissed))
        } else {
            String::new()
        };
        parts.push(format!("{} of {} shown{known}", units::count(shown), units::count(*found)));
    }
    context.printer.note(parts.join("; "));
}
