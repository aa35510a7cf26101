//! Which names are meant: a glob or a regular expression, anchored at both ends.

use globset::{Glob, GlobMatcher};
use regex::Regex;

/// Chooses names.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    glob: Option<GlobMatcher>,
    regex: Option<Regex>,
}

/// A pattern that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is not a valid {kind}: {message}")]
pub struct InvalidPattern {
    pattern: String,
    kind: &'static str,
    message: String,
}

impl Filter {
    /// A filter; both have to match when both are given, and everything does when none is.
    ///
    /// # Errors
    /// When a pattern can't be read.
    pub fn new(glob: Option<&str>, regex: Option<&str>) -> Result<Filter, InvalidPattern> {
        let invalid =
            |pattern: &str, kind, message: String| InvalidPattern { pattern: pattern.escape_debug().to_string(), kind, message };
        let compile_glob = |glob: &str| {
            let compiled = Glob::new(glob).map_err(|error| invalid(glob, "glob", error.kind().to_string()))?;
            Ok(compiled.compile_matcher())
        };
        let compile_regex = |regex: &str| {
            Regex::new(&format!("^(?:{regex})$")).map_err(|error| invalid(regex, "regular expression", error.to_string()))
        };
        Ok(Filter { glob: glob.map(compile_glob).transpose()?, regex: regex.map(compile_regex).transpose()? })
    }

    /// Whether every name is meant.
    pub fn is_empty(&self) -> bool {
        self.glob.is_none() && self.regex.is_none()
    }

    /// Whether this name is meant.
    pub fn matches(&self, name: &str) -> bool {
        self.glob.as_ref().is_none_or(|glob| glob.is_match(name)) && self.regex.as_ref().is_none_or(|regex| regex.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_anchored() {
        let glob = Filter::new(Some("v1.*"), None).unwrap();
        assert!(glob.matches("v1.2") && !glob.matches("xv1.2") && !glob.matches("v1"));
        let regex = Filter::new(None, Some("v1|v2")).unwrap();
        assert!(regex.matches("v1") && regex.matches("v2") && !regex.matches("v10") && !regex.matches("xv2"));
        assert!(Filter::default().matches("anything") && Filter::default().is_empty());
        assert!(Filter::new(Some("a["), None).is_err());
        assert!(Filter::new(None, Some("(")).is_err());
    }
}
