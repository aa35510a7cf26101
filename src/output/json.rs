//! JSON for programs, which may still end on a terminal.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

/// JSON with the control characters that `serde_json` leaves alone (DEL and C1, which terminals obey) escaped as well. They can only
/// stand inside strings, so the document means the same.
pub fn to_string<T: Serialize + ?Sized>(value: &T, pretty: bool) -> serde_json::Result<String> {
    if !pretty {
        return serde_json::to_string(value).map(escaped);
    }
    let mut text = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut text, Indented::default()))?;
    Ok(escaped(String::from_utf8(text).expect("JSON is text")))
}

/// The form that `serde_json` itself gives a document for people, with the beginning of a line written at once and not level by level: a long
/// list is mostly such beginnings.
struct Indented {
    /// A comma, a line's end, and two spaces a level.
    line: Vec<u8>,
    /// Whether the array or object that ended last, or the one under way, has anything in it.
    is_filled: bool,
}

impl Default for Indented {
    fn default() -> Indented {
        Indented { line: b",\n".to_vec(), is_filled: false }
    }
}

impl Indented {
    fn line(&self, to: &mut (impl Write + ?Sized), comma: bool) -> io::Result<()> {
        to.write_all(&self.line[usize::from(!comma)..])
    }

    fn begin(&mut self, to: &mut (impl Write + ?Sized), bracket: &[u8]) -> io::Result<()> {
        self.line.extend_from_slice(b"  ");
        self.is_filled = false;
        to.write_all(bracket)
    }

    fn end(&mut self, to: &mut (impl Write + ?Sized), bracket: &[u8]) -> io::Result<()> {
        self.line.truncate(self.line.len() - 2);
        if self.is_filled {
            self.line(to, false)?;
        }
        to.write_all(bracket)
    }
}

impl Formatter for Indented {
    fn begin_array<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.begin(to, b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.end(to, b"]")
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.line(to, !first)
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_filled = true;
        Ok(())
    }

    fn begin_object<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.begin(to, b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.end(to, b"}")
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.line(to, !first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b": ")
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_filled = true;
        Ok(())
    }
}

/// The same of many values, each on a line of its own.
pub fn lines<T: Serialize>(values: &[T]) -> serde_json::Result<String> {
    let mut lines = Vec::new();
    for value in values {
        serde_json::to_writer(&mut lines, value)?;
        lines.push(b'\n');
    }
    Ok(escaped(String::from_utf8(lines).expect("JSON is text")))
}

fn escaped(text: String) -> String {
    // what they begin with, which is looked for first because it is fast: most text has none
    let suspicious = memchr::memchr2(0x7f, 0xc2, text.as_bytes()).is_some();
    if !suspicious || !text.chars().any(|c| matches!(c, '\u{7f}'..='\u{9f}')) {
        return text;
    }
    text.chars().fold(String::with_capacity(text.len() + 16), |mut out, c| {
        match c {
            '\u{7f}'..='\u{9f}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// Any document, deeper than any that is ever printed.
    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[ -~]{0,9}".prop_map(Value::from)
        ];
        leaf.prop_recursive(6, 60, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-z]{0,4}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn documents_look_as_the_library_makes_them(mut value in document(), depth in 0..60) {
            for level in 0..depth {
                value = if level % 2 == 0 { json!([value]) } else { json!({ "in": value }) };
            }
            prop_assert_eq!(super::to_string(&value, true).unwrap(), serde_json::to_string_pretty(&value).unwrap());
        }
    }

    #[test]
    fn terminal_controls_are_escaped_and_mean_the_same() {
        let hostile = "a\u{1b}[2J\u{9b}2J\u{7f}";
        let text = super::to_string(hostile, false).unwrap();
        assert!(!text.chars().any(char::is_control));
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
        assert_eq!(super::lines(&["é\u{9b}", "b"]).unwrap(), "\"é\\u009b\"\n\"b\"\n");
    }
}
