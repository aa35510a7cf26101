//! What is known to be wrong with an image, from whoever knows: the registry's own scanner, a report that is attached to the image, or a
//! scanner that is installed here; asked in that order, because the first costs a request and the last minutes.
//!
//! Each format of a report has its file, which makes the one record of [`Vulnerability`] of it. They are told apart by what stands in them.

mod attached;
mod cyclonedx;
pub mod document;
mod field;
mod grype;
mod in_toto;
mod sarif;
mod select;
#[cfg(test)]
mod tests;
mod trivy;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;

use super::image::{DEEPEST_INDEX, WIDEST_INDEX};
use super::{Content, Ticker};
use crate::oci::{Descriptor, Digest, Platform, Selector, media_type};
use crate::registry::vulnerability::in_order;
use crate::registry::{Error, ErrorKind, Result, Scanned, Vulnerability, VulnerabilityReport};

pub use select::{Severities, Summary, UnknownSeverity, Wanted, severity};

/// Largest report that is read, wherever it comes from.
pub const REPORT_MAX: u64 = attached::REPORT_MAX;

/// Where a report comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The registry's own scanner.
    Registry,
    /// Something attached to the image.
    Attached,
    /// A scanner on this machine.
    Scanner,
}

/// A scanner on this machine.
#[async_trait]
pub trait Scanner: Send + Sync {
    /// Looks into an image; what it prints is its report.
    ///
    /// # Errors
    /// When it can't be run or fails.
    async fn scan(&self, digest: &Digest) -> Result<Vec<u8>>;
}

/// What to find out.
pub struct Query<'a> {
    /// Which image of an index.
    pub platform: Option<Platform>,
    /// Who is asked; nobody else then, and what goes wrong there is an error. `None` asks all in turn.
    pub source: Option<Source>,
    /// The scanner, or why there is none.
    pub scanner: std::result::Result<&'a dyn Scanner, String>,
}

/// A report that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The image or index that it is on.
    pub digest: Digest,
    /// What that runs on, for an image of an index.
    pub platform: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// Who looked.
    pub scanner: Option<String>,
    /// When.
    pub scanned_at: Option<Timestamp>,
    /// What holds it, when it is attached.
    pub attached: Option<Digest>,
}

/// An image without a report.
#[derive(Debug)]
pub struct Unknown {
    /// The image, as a full reference.
    pub reference: String,
    /// Why none of those who were asked has one.
    pub reasons: Vec<String>,
    /// What helps against them, where somebody knows.
    pub remedies: Vec<String>,
    /// What went wrong with a scanner, if one was asked.
    pub error: Option<Error>,
}

impl Unknown {
    /// Notes that one failed and the others are asked all the same.
    fn passed_over(&mut self, who: &str, error: &Error) {
        tracing::info!("{error}; asking others");
        self.reasons.push(format!("{who}: {error}"));
        self.remedies.extend(error.remedies().map(str::to_owned));
    }
}

/// What was found.
#[derive(Debug)]
pub struct Findings {
    /// The digest of the reference that was asked for.
    pub digest: Digest,
    /// The reports.
    pub reports: Vec<Answer>,
    /// What stands in them, each once, worst first.
    pub vulnerabilities: Vec<Vulnerability>,
    /// Images of which nothing is known.
    pub unknown: Vec<Unknown>,
}

/// An image to find a report on.
struct Image {
    digest: Digest,
    platform: Option<String>,
}

/// Finds the reports on an image, or on each image of an index.
pub async fn find(content: &Content<'_>, selector: &Selector, query: &Query<'_>, tick: Ticker<'_>) -> Result<Findings> {
    let head = content.registry.head(content.repository, selector).await?;
    let mut findings =
        Findings { digest: head.digest.clone(), reports: Vec::new(), vulnerabilities: Vec::new(), unknown: Vec::new() };
    let index = media_type::is_index(&head.media_type);
    let images = match index {
        true => images(content, &head.digest, query.platform.as_ref()).await?,
        false => vec![Image { digest: head.digest.clone(), platform: None }],
    };
    let mut found = Vec::new();
    if index && query.platform.is_none() {
        let whole = Image { digest: head.digest, platform: None };
        if let Ok((answer, report)) = ask(content, &whole, query, false).await? {
            findings.reports.push(answer);
            found.extend(report.vulnerabilities.into_iter().map(|of| of_image(of, &images)));
            findings.vulnerabilities = in_order(found);
            return Ok(findings);
        }
    }
    for (done, image) in images.iter().enumerate() {
        tick(done as u64, Some(images.len() as u64));
        match ask(content, image, query, true).await? {
            Ok((answer, report)) => {
                findings.reports.push(answer);
                found.extend(report.vulnerabilities.into_iter().map(|of| match index {
                    true => Vulnerability { digest: Some(image.digest.clone()), platform: image.platform.clone(), ..of },
                    false => of,
                }));
            }
            Err(unknown) => findings.unknown.push(unknown),
        }
    }
    findings.vulnerabilities = in_order(found);
    Ok(findings)
}

/// Says what the image of a finding runs on, when the report on an index says which image it is.
fn of_image(of: Vulnerability, images: &[Image]) -> Vulnerability {
    let image = of.digest.as_ref().and_then(|digest| images.iter().find(|image| image.digest == *digest));
    Vulnerability { platform: image.and_then(|image| image.platform.clone()), ..of }
}

/// The images of an index, or those for one platform.
async fn images(content: &Content<'_>, digest: &Digest, wanted: Option<&Platform>) -> Result<Vec<Image>> {
    let mut found: Vec<Descriptor> = Vec::new();
    let mut level = vec![digest.clone()];
    for _ in 0..DEEPEST_INDEX {
        let mut next = Vec::new();
        for index in level {
            for child in content.parsed(&index).await?.children().iter().filter(|child| !child.is_attestation()) {
                match media_type::is_index(&child.media_type) {
                    true => next.push(child.digest.clone()),
                    false => found.push(child.clone()),
                }
            }
        }
        next.truncate(WIDEST_INDEX);
        level = next;
    }
    found.truncate(WIDEST_INDEX);
    let of = |image: &Descriptor| image.platform.as_ref().filter(|platform| platform.is_known()).map(ToString::to_string);
    let fits = |image: &&Descriptor| {
        wanted.is_none_or(|wanted| image.platform.as_ref().is_some_and(|platform| platform.satisfies(wanted)))
    };
    let chosen: Vec<Image> =
        found.iter().filter(fits).map(|image| Image { digest: image.digest.clone(), platform: of(image) }).collect();
    if let (Some(wanted), true) = (wanted, chosen.is_empty()) {
        let there: Vec<String> = found.iter().filter_map(of).collect();
        let there = if there.is_empty() { "none with a platform".to_owned() } else { there.join(", ") };
        let reference = content.reference(&digest.clone().into());
        return Err(Error::new(ErrorKind::NotFound, "find", format!("an image for {wanted} in {reference}"))
            .because(format!("it has {there}")));
    }
    Ok(chosen)
}

/// Asks those who may know, until one does. Scanners look at images only, not at indexes.
async fn ask(
    content: &Content<'_>,
    image: &Image,
    query: &Query<'_>,
    scannable: bool,
) -> Result<std::result::Result<(Answer, VulnerabilityReport), Unknown>> {
    let wants = |source: Source| query.source.is_none_or(|only| only == source);
    let mut unknown = Unknown {
        reference: content.reference(&image.digest.clone().into()),
        reasons: Vec::new(),
        remedies: Vec::new(),
        error: None,
    };
    let answer = |source, report: &VulnerabilityReport, attached| Answer {
        digest: image.digest.clone(),
        platform: image.platform.clone(),
        source,
        scanner: report.scanner.clone(),
        scanned_at: report.scanned_at,
        attached,
    };
    if wants(Source::Registry) {
        match content.registry.vulnerabilities(content.repository, &image.digest).await {
            Ok(Scanned::Report(report)) => return Ok(Ok((answer(Source::Registry, &report, None), report))),
            Ok(Scanned::Nothing(why)) => unknown.reasons.push(format!("registry: {why}")),
            Err(error) if query.source.is_none() && others_may_know(error.kind()) => {
                unknown.passed_over("registry", &error);
            }
            Err(error) => return Err(error),
        }
    }
    if wants(Source::Attached) {
        match attached::newest(content, &image.digest).await {
            Ok(Some(found)) => {
                return Ok(Ok((answer(Source::Attached, &found.report, Some(found.digest)), found.report)));
            }
            Ok(None) => unknown.reasons.push("attached: no report among what is attached".into()),
            Err(error) if query.source.is_none() && others_may_know(error.kind()) => {
                unknown.passed_over("attached", &error);
            }
            Err(error) => return Err(error),
        }
    }
    if scannable && wants(Source::Scanner) {
        match &query.scanner {
            Err(why) => unknown.reasons.push(format!("scanner: {why}")),
            Ok(scanner) => match scan(content, *scanner, image).await {
                Ok(report) => return Ok(Ok((answer(Source::Scanner, &report, None), report))),
                Err(error) => {
                    unknown.reasons.push(format!("scanner: {error}"));
                    unknown.error = Some(error);
                }
            },
        }
    }
    Ok(Err(unknown))
}

async fn scan(content: &Content<'_>, scanner: &dyn Scanner, image: &Image) -> Result<VulnerabilityReport> {
    let printed = scanner.scan(&image.digest).await?;
    document::read(&printed, &image.digest).ok_or_else(|| {
        Error::new(ErrorKind::Local, "scan", content.reference(&image.digest.clone().into()))
            .because("what the scanner printed is no report")
    })
}

/// Whether somebody else may have an answer, after one failed so. When the network or the credential is broken, they will fail as well.
fn others_may_know(kind: ErrorKind) -> bool {
    use ErrorKind::*;
    !matches!(kind, Unreachable | Tls | Refused | CredentialUnavailable | Local)
}
