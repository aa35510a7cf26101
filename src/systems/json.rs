//! Reading JSON as those systems, and the pages that document them, print it: with a byte order mark and with trailing commas.

use serde_json::Value;
use zeroize::Zeroizing;

/// Largest document in bytes. A registry takes two kilobytes in the wordiest of these systems, so this is room for thousands of them,
/// and a wrong file (an image, a log) doesn't fill the memory.
pub const LARGEST: u64 = 16 * 1024 * 1024;

/// Why a text is no JSON. Never quotes it: there may be secrets in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Larger than [`LARGEST`].
    #[error("it is larger than 16 MiB")]
    TooLarge,
    /// Not text.
    #[error("it is not UTF-8 text")]
    NotText,
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// Nested deeper than any document of these systems.
    #[error("it is nested too deep")]
    TooDeep,
    /// Not JSON.
    #[error("it is not JSON: line {line}, column {column}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
}

/// Reads one document.
///
/// # Errors
/// When it is too large or no JSON, with the place and without the content.
pub fn parse(bytes: &[u8]) -> Result<Value, Broken> {
    if bytes.len() as u64 > LARGEST {
        return Err(Broken::TooLarge);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| Broken::NotText)?;
    if text.trim().is_empty() {
        return Err(Broken::Empty);
    }
    let strict = without_trailing_commas(text);
    serde_json::from_str(&strict).map_err(|error| match error.to_string().starts_with("recursion limit") {
        true => Broken::TooDeep,
        false => Broken::Syntax { line: error.line(), column: error.column() },
    })
}

/// Blanks every comma that is followed by the end of a list or object. The length stays, and with it the places in messages.
fn without_trailing_commas(text: &str) -> Zeroizing<String> {
    let mut strict = Zeroizing::new(String::with_capacity(text.len()));
    let mut in_string = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        let keep = match c {
            _ if in_string => {
                in_string = escaped || c != '"';
                escaped = !escaped && c == '\\';
                true
            }
            '"' => {
                in_string = true;
                true
            }
            ',' => !text[at + 1..].trim_start().starts_with([']', '}']),
            _ => true,
        };
        strict.push(if keep { c } else { ' ' });
    }
    strict
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_documentation_prints() {
        for (text, value) in [
            ("[1, 2,]", json!([1, 2])),
            ("\u{feff}{\"a\": [{},\n ],\n}", json!({"a": [{}]})),
            (r#"{"a": ",]", "b": "\",}", "c": "\\",}"#, json!({"a": ",]", "b": "\",}", "c": "\\"})),
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_not_repeated() {
        for (bytes, error) in [
            (&b""[..], Broken::Empty),
            (b" \n", Broken::Empty),
            (b"\xff\xfe", Broken::NotText),
            (b"[1,,2]", Broken::Syntax { line: 1, column: 4 }),
            (b"{\n  s3cr3t", Broken::Syntax { line: 2, column: 3 }),
        ] {
            assert_eq!(parse(bytes), Err(error.clone()), "{bytes:?}");
            assert!(!error.to_string().contains("s3cr3t"));
        }
        assert_eq!(parse("[".repeat(100_000).as_bytes()), Err(Broken::TooDeep));
        assert_eq!(parse(&vec![b' '; LARGEST as usize + 1]), Err(Broken::TooLarge));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn strict_json_is_not_changed(text in "[\\[\\]{},:\"\\\\ a1]{0,40}") {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                prop_assert_eq!(parse(text.as_bytes()), Ok(value));
            }
        }
    }
}
