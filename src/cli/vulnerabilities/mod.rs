//! `regctl vulnerabilities`.

mod local;
mod view;

use std::collections::BTreeSet;

use clap::{Args as ClapArgs, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use super::args::TargetArgs;
use super::open::OpenedImage;
use super::{Context, Exit, Refusal, hints};
use crate::oci::{Digest, Platform};
use crate::operations::Content;
use crate::operations::vulnerabilities::{self, Answer, Findings, Query, Severities, Source, Summary, Unknown, Wanted};
use crate::output::{Failed, List};
use crate::registry::{Severity, Vulnerability};

use local::Local;

/// Show what is known to be wrong with an image
///
/// Asks those who know, in this order: the registry's own scanner (Harbor, Quay, ECR, Artifact Registry, IONOS), the newest report that is
/// attached to the image (SARIF, CycloneDX, Trivy, Grype, or one of these in an attestation, whose signature is not verified), and Trivy or
/// Grype if one of them is installed on this machine. Of an index, the images are looked at one by one where nobody knows the whole.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Who answered is said on stderr. Ends with exit code 10 when --fail-on finds something, and 7 when nobody has a report.
What somebody looked into and found harmless (VEX) is left out unless --all.

Examples:
  regctl vulnerabilities prod/web:v2.4.1
  regctl vulnerabilities web --severity high --fixable
  regctl vulnerabilities web --severity low,unknown -o csv
  regctl vulnerabilities web --platform linux/arm64 --source scanner
  regctl vulnerabilities web:v2.4.1 --fail-on critical -o json > report.json"
)]
pub struct Args {
    /// The image, as REPOSITORY[:TAG][@DIGEST]; without both, the tag latest
    #[arg(value_name = "REF")]
    reference: String,
    #[command(flatten)]
    target: TargetArgs,
    /// Only the image for this platform of an index
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// Only of this severity and worse; several, with commas, mean just these: critical, high, medium, low, negligible, unknown
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<Severities>,
    /// Only what an update fixes
    #[arg(long)]
    fixable: bool,
    /// End with exit code 10 if something of this severity or worse is shown
    #[arg(long, value_name = "SEVERITY", value_parser = vulnerabilities::severity)]
    fail_on: Option<Severity>,
    /// Also what a report says doesn't affect the image
    #[arg(long, short)]
    all: bool,
    /// Whom to ask: registry, attached, scanner, or auto for one after the other
    #[arg(long, value_name = "SOURCE", value_enum, default_value = "auto", hide_possible_values = true)]
    source: From,
}

/// Whom to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    Auto,
    Registry,
    Attached,
    Scanner,
}

/// What programs see.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    list: List<Vulnerability>,
    reference: String,
    digest: Digest,
    /// Where the reports come from; `null` when those of the images of an index come from several places.
    source: Option<Source>,
    scanner: Option<String>,
    /// When the oldest of them was made; `null` when that is not known of one.
    scanned_at: Option<Timestamp>,
    reports: Vec<Answer>,
    /// Of what is shown.
    summary: Summary,
    /// How many were found in all.
    found: usize,
    /// How many of these somebody looked into and found harmless.
    dismissed: usize,
}

/// Finds and shows them.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let place = context.open_image(&args.target, &args.reference)?;
    refuse_if_off(&place)?;
    let registry = place.way.registry();
    let local = Local::find(&place, context);
    let source = match args.source {
        From::Auto => None,
        From::Registry => Some(Source::Registry),
        From::Attached => Some(Source::Attached),
        From::Scanner => Some(Source::Scanner),
    };
    let scanner = local.as_ref().map(|local| local as &dyn vulnerabilities::Scanner).map_err(Clone::clone);
    let query = Query { platform: args.platform.clone(), source, scanner };
    let progress = context.printer.progress("looking for reports");
    let tick = |done, total| progress.tick(done, total);
    let (reference, findings) = context.block_on(async {
        let content = Content::new(&**registry, &place.repository);
        let reference = content.reference(&place.selector);
        Ok((reference, vulnerabilities::find(&content, &place.selector, &query, &tick).await?))
    })?;
    drop(progress);
    if findings.reports.is_empty() {
        return Err(nobody_knows(&reference, findings.unknown));
    }
    let wanted = Wanted { severities: args.severity.clone(), fixable: args.fixable, dismissed: args.all };
    let report = report(reference, findings, &wanted);
    context.printer.report_items(&report.list.items, &report, || view::table(&report.list.items))?;
    for answer in &report.reports {
        context.printer.note(view::answer(answer, context.now));
    }
    for failed in &report.list.failed {
        context.printer.failed(format!("{}: {}", failed.name, failed.message));
    }
    view::summary(&report, args.all, context);
    let too_bad = args.fail_on.map_or(0, |severity| report.summary.at_least(severity));
    if let (Some(severity), 1..) = (args.fail_on, too_bad) {
        context.printer.failed(format!("{too_bad} of severity {} or worse (--fail-on)", severity.word()));
    }
    Ok(match (report.list.failed.is_empty(), too_bad) {
        (false, _) => Exit::Partial,
        (true, 1..) => Exit::Findings,
        (true, 0) => Exit::Done,
    })
}

/// Who switched it off for an entry doesn't want it asked.
fn refuse_if_off(place: &OpenedImage) -> anyhow::Result<()> {
    match &place.entry {
        Some((name, entry)) if !entry.vulnerability_scanning() => {
            Err(Refusal::new(Exit::Unsupported, format!("vulnerability scanning is switched off for {name}"))
                .hint(format!("switch it on: regctl update {name} --vulnerability-scanning"))
                .into())
        }
        _ => Ok(()),
    }
}

fn nobody_knows(reference: &str, unknown: Vec<Unknown>) -> anyhow::Error {
    let (mut reasons, mut remedies): (Vec<String>, Vec<String>) = Default::default();
    for image in unknown {
        if let Some(error) = image.error {
            return error.into();
        }
        reasons.extend(image.reasons);
        remedies.extend(image.remedies);
    }
    // those of the images of an index are mostly the same
    for texts in [&mut reasons, &mut remedies] {
        let mut seen = BTreeSet::new();
        texts.retain(|text| seen.insert(text.clone()));
    }
    let reasons = if reasons.is_empty() { "it has no images".to_owned() } else { reasons.join("; ") };
    let refusal = Refusal::new(Exit::Unsupported, format!("there is no vulnerability report on {reference}"))
        .caused_by(anyhow::anyhow!(reasons));
    let ways = hints::for_an_unscanned_image().map(str::to_owned);
    remedies.into_iter().chain(ways).fold(refusal, Refusal::hint).into()
}

fn report(reference: String, findings: Findings, wanted: &Wanted) -> Report {
    let Findings { digest, reports, vulnerabilities, unknown } = findings;
    let (found, dismissed) = (vulnerabilities.len(), vulnerabilities.iter().filter(|found| found.is_dismissed()).count());
    let items: Vec<Vulnerability> = vulnerabilities.into_iter().filter(|found| wanted.is(found)).collect();
    let failed = unknown.into_iter().map(|image| Failed { name: image.reference, message: image.reasons.join("; ") }).collect();
    let scanned: Option<Vec<Timestamp>> = reports.iter().map(|answer| answer.scanned_at).collect();
    Report {
        reference,
        digest,
        source: the_same(reports.iter().map(|answer| Some(answer.source))),
        scanner: the_same(reports.iter().map(|answer| answer.scanner.clone())),
        scanned_at: scanned.and_then(|all| all.into_iter().min()),
        reports,
        summary: Summary::of(&items),
        found,
        dismissed,
        list: List { items, failed, next_page: None },
    }
}

/// What all of them are.
fn the_same<T: PartialEq>(mut all: impl Iterator<Item = Option<T>>) -> Option<T> {
    let first = all.next()??;
    all.all(|other| other.as_ref() == Some(&first)).then_some(first)
}
