//! Text from servers and files made safe for a terminal.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Whether a character could move the cursor, change colours, or turn the reading direction around (CVE-2021-42574).
fn is_hostile(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Shows control and direction characters as escapes, so that a server can't write to the terminal with them.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().fold(String::with_capacity(text.len() + 8), |mut out, c| {
        if is_hostile(c) {
            out.extend(c.escape_unicode())
        } else {
            out.push(c)
        }
        out
    }))
}

/// The same, with line breaks and tabs left alone: for documents.
pub fn clean_lines(text: &str) -> Cow<'_, str> {
    let bad = |c: char| is_hostile(c) && !matches!(c, '\n' | '\t');
    if !text.chars().any(bad) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().fold(String::with_capacity(text.len() + 8), |mut out, c| {
        if bad(c) {
            out.extend(c.escape_unicode())
        } else {
            out.push(c)
        }
        out
    }))
}

/// Columns that the text takes on a terminal.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Cuts to `columns`, the last one an ellipsis if something was cut.
pub fn truncate(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut used = 0;
    let mut out = String::new();
    for c in text.chars() {
        // the selector makes the character before it a wide picture
        used += if c == '\u{fe0f}' { 1 } else { c.width().unwrap_or(0) };
        if used + 1 > columns {
            break;
        }
        out.push(c);
    }
    out.push('…');
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_become_words() {
        assert_eq!(clean("v1\u{1b}[2J\u{7}\u{9b}x"), "v1\\u{1b}[2J\\u{7}\\u{9b}x");
        assert_eq!(clean("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(clean("naïve ✓"), "naïve ✓");
        assert_eq!(clean_lines("a\n\tb\r"), "a\n\tb\\u{d}");
    }

    #[test]
    fn truncation_counts_columns() {
        assert_eq!(truncate("hello", 5), "hello");
        assert_eq!(truncate("hello!", 5), "hell…");
        assert_eq!(truncate("日本語", 4), "日…");
        assert_eq!(truncate("\u{1f56f}\u{fe0f}ab", 3), "\u{1f56f}\u{fe0f}…");
    }

    proptest! {
        #[test]
        fn nothing_hostile_survives(text in any::<String>()) {
            prop_assert!(!clean(&text).chars().any(is_hostile));
        }

        #[test]
        fn truncated_text_fits(text in "\\PC{0,40}", columns in 1usize..30) {
            prop_assert!(width(&truncate(&text, columns)) <= columns);
        }
    }
}
