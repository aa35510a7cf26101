//! The server's own warnings (distribution-spec 1.1 "Warnings"): shown once each, never acted on.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use hyper::header::{HeaderMap, WARNING};

/// How many bytes of warnings are shown in all: a server could send new ones for ever.
const SHOWN: usize = 4096;

/// What was shown already.
#[derive(Default)]
pub(super) struct Warnings(Mutex<HashSet<String>>);

impl Warnings {
    /// Shows what is new.
    pub fn show(&self, name: &str, headers: &HeaderMap) {
        for value in headers.get_all(WARNING) {
            let Some(text) = text_of(&String::from_utf8_lossy(value.as_bytes())) else { continue };
            let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let so_far: usize = shown.iter().map(String::len).sum();
            if so_far + text.len() <= SHOWN && shown.insert(text.clone()) {
                tracing::warn!("{name} says: {text}");
            }
        }
    }
}

/// The words of `299 - "words"`; the only form that registries may send.
fn text_of(header: &str) -> Option<String> {
    let quoted = header.trim().strip_prefix("299 ")?.split_once('"')?.1;
    let mut text = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => break,
            '\\' => text.extend(chars.next()),
            c => text.push(c),
        }
    }
    let harmless: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Some(harmless.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_form_of_the_specification_is_read() {
        for (header, expected) in [
            (r#"299 - "this tag goes away""#, Some("this tag goes away")),
            (r#"299 registry.example.com "say \"hi\"""#, Some("say \"hi\"")),
            ("299 - \"a\u{1b}[2Jb\"", Some("a [2Jb")),
            (r#"299 - """#, None),
            (r#"299 - "no end"#, None),
            (r#"110 - "stale""#, None),
            ("", None),
        ] {
            assert_eq!(text_of(header).as_deref(), expected, "{header}");
        }
    }

    #[test]
    fn each_once_and_not_without_end() {
        let warnings = Warnings::default();
        let show =
            |text: String| warnings.show("prod", &HeaderMap::from_iter([(WARNING, format!("299 - \"{text}\"").parse().unwrap())]));
        show("one".into());
        show("one".into());
        assert_eq!(warnings.0.lock().unwrap().len(), 1);
        for number in 0..100 {
            show(format!("{number:0100}"));
        }
        assert_eq!(warnings.0.lock().unwrap().len(), 41);
    }
}
