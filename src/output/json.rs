//! JSON for programs, which may still end on a terminal.

use serde::Serialize;

/// JSON with the control characters that `serde_json` leaves alone (DEL and C1, which terminals obey) escaped as well. They can only
/// stand inside strings, so the document means the same.
pub fn to_string<T: Serialize + ?Sized>(value: &T, pretty: bool) -> serde_json::Result<String> {
    let text = if pretty { serde_json::to_string_pretty(value)? } else { serde_json::to_string(value)? };
    Ok(escaped(text))
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
    #[test]
    fn terminal_controls_are_escaped_and_mean_the_same() {
        let hostile = "a\u{1b}[2J\u{9b}2J\u{7f}";
        let text = super::to_string(hostile, false).unwrap();
        assert!(!text.chars().any(char::is_control));
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
        assert_eq!(super::lines(&["é\u{9b}", "b"]).unwrap(), "\"é\\u009b\"\n\"b\"\n");
    }
}
