//! One thing with its properties: a title, then a line a property, with sub-tables where a property has several parts.

use super::{Layout, text};

/// One thing, shown.
#[derive(Debug, Clone, Default)]
pub struct Document {
    title: String,
    fields: Vec<(String, Vec<Vec<String>>)>,
}

impl Document {
    /// A thing with this title, which is also what `-q` prints.
    pub fn new(title: impl Into<String>) -> Document {
        Document { title: title.into(), fields: Vec::new() }
    }

    /// Adds a property of one line.
    pub fn field(&mut self, label: impl Into<String>, value: impl Into<String>) {
        self.fields.push((label.into(), vec![vec![value.into()]]));
    }

    /// Adds a property if it is known.
    pub fn maybe(&mut self, label: impl Into<String>, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.field(label, value);
        }
    }

    /// Adds a property of several lines, each of aligned parts; nothing if there are none.
    pub fn lines(&mut self, label: impl Into<String>, lines: Vec<Vec<String>>) {
        if !lines.is_empty() {
            self.fields.push((label.into(), lines));
        }
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// `field,value` pairs for CSV.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, String)> {
        self.fields.iter().flat_map(|(label, lines)| lines.iter().map(move |line| (label.as_str(), line.join(" "))))
    }

    pub(super) fn render(&self, layout: Layout) -> String {
        let label_width = self.fields.iter().map(|(label, _)| text::width(label)).max().unwrap_or(0);
        let mut out = format!("{}\n", text::clean(&self.title));
        for (label, lines) in &self.fields {
            let parts = lines.iter().map(Vec::len).max().unwrap_or(0);
            let widths: Vec<usize> = (0..parts)
                .map(|at| {
                    lines.iter().filter_map(|line| line.get(at)).map(|part| text::width(&text::clean(part))).max().unwrap_or(0)
                })
                .collect();
            for (number, line) in lines.iter().enumerate() {
                let shown = if number == 0 { label.as_str() } else { "" };
                let mut text_line = format!("  {shown}{}  ", " ".repeat(label_width - text::width(shown)));
                for (at, part) in line.iter().enumerate() {
                    let part = text::clean(part);
                    text_line.push_str(&part);
                    if at + 1 < line.len() {
                        text_line.push_str(&" ".repeat(widths[at] - text::width(&part) + 2));
                    }
                }
                let text_line = text_line.trim_end();
                // a value that stands alone may be a digest that somebody wants to copy: the terminal wraps it
                match layout.width.filter(|_| line.len() > 1) {
                    Some(width) => out.push_str(&text::truncate(text_line, width)),
                    None => out.push_str(text_line),
                }
                out.push('\n');
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_alone_is_never_cut() {
        let mut document = Document::new("prod/web:v1");
        document.field("digest", "sha256:0123456789abcdef");
        document.lines("layers", vec![vec!["sha256:0123".into(), "9 B of something".into()]]);
        let layout = Layout { width: Some(24), headers: true, colour: false };
        assert_eq!(document.render(layout), "prod/web:v1\n  digest  sha256:0123456789abcdef\n  layers  sha256:0123  …\n");
    }

    #[test]
    fn properties_line_up() {
        let mut document = Document::new("prod/web:v1");
        document.field("digest", "sha256:aa");
        document.lines("platforms", vec![vec!["linux/amd64".into(), "71.2 MB".into()], vec!["linux/arm".into(), "9 B".into()]]);
        document.lines("labels", vec![]);
        let layout = Layout { width: None, headers: true, colour: false };
        assert_eq!(
            document.render(layout),
            "prod/web:v1\n  digest     sha256:aa\n  platforms  linux/amd64  71.2 MB\n             linux/arm    9 B\n"
        );
    }
}
