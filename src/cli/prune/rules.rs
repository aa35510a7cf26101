//! Rules on the command line and in the catalogue, made into what the decision takes. Both have one form, so they mean the same.

use std::fs::File;
use std::io::Read;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use crate::catalogue::{Glob, Invalid, Pattern, RetentionRule};
use crate::cli::Refusal;
use crate::duration::Duration;
use crate::operations::prune::{Exclusions, Policy};

/// An exclusion file larger than this names no images: 100,000 references take 10 MB.
const LARGEST_EXCLUSIONS: u64 = 64 * 1024 * 1024;

/// What stays and what goes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rules")]
pub struct RuleArgs {
    /// Keep the newest N of all tags that match, whatever their age; the others go
    #[arg(long, value_name = "N")]
    keep_last: Option<NonZeroU32>,
    /// Keep what is younger than this, such as 30d; the others go
    #[arg(long, value_name = "DURATION")]
    keep_within: Option<Duration>,
    /// Keep the newest N versions of each MAJOR.MINOR; other versions go
    #[arg(long, value_name = "N")]
    keep_semver: Option<NonZeroU32>,
    /// Keep tags that fit this, whatever else is said; may be repeated
    #[arg(long, value_name = "GLOB")]
    keep: Vec<Glob>,
    /// Keep tags that fit this expression from end to end
    #[arg(long, value_name = "REGEX")]
    keep_regex: Option<Pattern>,
    /// Count --keep-last for each text that the expression captures: '(.+)-[0-9]+' keeps N a branch
    #[arg(long, value_name = "REGEX", requires = "keep_last")]
    group_by: Option<Pattern>,
    /// Look only at tags that fit this
    #[arg(long = "match", value_name = "GLOB")]
    matching: Option<Glob>,
    /// Delete only what was pushed or, where the server doesn't tell, built longer ago than this
    #[arg(long, value_name = "DURATION")]
    older_than: Option<Duration>,
    /// Delete only what was not pulled for this long, where the server tells
    #[arg(long, value_name = "DURATION")]
    not_pulled_for: Option<Duration>,
    /// Delete manifests that no tag leads to, where the vendor's own API lists them; /v2/ alone has no such list
    #[arg(long)]
    untagged: bool,
    /// Delete signatures and the like whose image is gone
    #[arg(long)]
    orphaned_referrers: bool,
    /// Keep what this file names, one reference or digest a line; `-` reads standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    exclude_file: Vec<PathBuf>,
}

impl RuleArgs {
    /// The rule that the flags make; `None` when no flag is one.
    ///
    /// # Errors
    /// When they say nothing that could delete something: a list of what stays is no order to delete the rest.
    pub fn rule(&self) -> anyhow::Result<Option<RetentionRule>> {
        let rule = RetentionRule {
            repositories: Glob::everything(),
            keep_last: self.keep_last,
            keep_within: self.keep_within,
            keep: self.keep.clone(),
            keep_regex: self.keep_regex.clone(),
            keep_semver: self.keep_semver,
            group_by: self.group_by.clone(),
            matching: self.matching.clone(),
            older_than: self.older_than,
            not_pulled_for: self.not_pulled_for,
            untagged: self.untagged,
            orphaned_referrers: self.orphaned_referrers,
        };
        let unsaid = rule.keep.is_empty() && rule.keep_regex.is_none() && rule.matching.is_none();
        if policy(&rule, &Arc::default()).deletes() {
            return Ok(Some(rule.checked()?));
        }
        if unsaid {
            return Ok(None);
        }
        Err(Refusal::usage("these rules only say what to look at and what stays; nothing would go")
            .hint("say what goes: --keep-last N, --keep-within 30d, --keep-semver N or --older-than 90d")
            .hint("to delete all tags that match: --older-than 0s")
            .into())
    }

    /// What is in use.
    ///
    /// # Errors
    /// When a file can't be read, names nothing, or has a line that can't be understood.
    pub fn exclusions(&self) -> anyhow::Result<Arc<Exclusions>> {
        let mut text = String::new();
        for path in &self.exclude_file {
            let more = read(path)?;
            // each is checked alone, so that the message has the right line and an empty one isn't hidden by another
            Exclusions::parse(&more).map_err(|error| {
                let refusal = Refusal::usage(format!("can't use {}: {error}", shown(path)));
                refusal.hint("nothing was deleted: what a line meant would have lost its protection")
            })?;
            text.push_str(&more);
            text.push('\n');
        }
        if self.exclude_file.is_empty() {
            return Ok(Arc::default());
        }
        Ok(Arc::new(Exclusions::parse(&text).map_err(|error| Invalid::new(error.to_string()))?))
    }
}

fn shown(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

fn read(path: &Path) -> anyhow::Result<String> {
    let unreadable = || format!("can't read {}", shown(path));
    let mut text = String::new();
    let read = match path == Path::new("-") {
        true => std::io::stdin().lock().take(LARGEST_EXCLUSIONS + 1).read_to_string(&mut text),
        false => File::open(path).with_context(unreadable)?.take(LARGEST_EXCLUSIONS + 1).read_to_string(&mut text),
    };
    match read {
        Ok(_) if text.len() as u64 > LARGEST_EXCLUSIONS => {
            Err(Refusal::usage(format!("{} is too large to be a list of images", shown(path))).into())
        }
        Ok(_) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(Refusal::usage(format!("{} is not UTF-8 text", shown(path))).into())
        }
        Err(error) => Err(error).with_context(unreadable),
    }
}

/// What the decision takes.
pub fn policy(rule: &RetentionRule, exclusions: &Arc<Exclusions>) -> Policy {
    Policy {
        keep_last: rule.keep_last,
        keep_within: rule.keep_within,
        keep: rule.keep.iter().map(Glob::matcher).collect(),
        keep_regex: rule.keep_regex.as_ref().map(Pattern::regex),
        keep_semver: rule.keep_semver,
        group_by: rule.group_by.as_ref().map(Pattern::regex),
        matching: rule.matching.as_ref().map(Glob::matcher),
        older_than: rule.older_than,
        not_pulled_for: rule.not_pulled_for,
        untagged: rule.untagged,
        orphaned_referrers: rule.orphaned_referrers,
        exclusions: Arc::clone(exclusions),
    }
}
