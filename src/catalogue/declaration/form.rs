//! TOML, JSON and YAML, read into the same values.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use toml_edit::{Document, Item};

use super::node::{Key, Misread, Node, Place, Table, Value};
use crate::catalogue::format::position;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As the catalogue itself.
    Toml,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

impl Form {
    /// By the extension of the file's name, else by what its first line looks like.
    pub fn of(path: Option<&Path>, text: &str) -> Form {
        let extension = path.and_then(Path::extension).map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("toml") => Form::Toml,
            Some("json") => Form::Json,
            Some("yaml" | "yml") => Form::Yaml,
            _ => Form::looks(text),
        }
    }

    fn looks(text: &str) -> Form {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let line = lines.next().unwrap_or_default();
        if line.starts_with('{') {
            return Form::Json;
        }
        if let Some(rest) = line.strip_prefix('[') {
            // a header has its name in the same line, a list its first item
            return if rest.is_empty() || rest.starts_with(['{', '"', ']', ' ']) { Form::Json } else { Form::Toml };
        }
        let sign = line.find(['=', ':']).map(|at| line.as_bytes()[at]);
        if sign == Some(b'=') { Form::Toml } else { Form::Yaml }
    }

    pub(super) fn read(self, text: &str) -> Result<Node, Misread> {
        match self {
            Form::Toml => toml(text),
            Form::Json => {
                // JSON is YAML; the stricter reader comes first, so that what is no JSON is called so
                serde_json::from_str::<IgnoredAny>(text).map_err(|error| Misread {
                    place: Some(Place { line: error.line(), column: error.column() }),
                    message: without_place(&error.to_string()),
                })?;
                yaml(text)
            }
            Form::Yaml => yaml(text),
        }
    }
}

/// serde_json writes the place at the end of its message too.
fn without_place(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(message, _)| message).to_owned()
}

fn toml(text: &str) -> Result<Node, Misread> {
    let place = |span: Option<std::ops::Range<usize>>| {
        let (line, column) = position(text, span.map_or(0, |span| span.start));
        Place { line, column }
    };
    let document = Document::parse(text)
        .map_err(|error| Misread { place: Some(place(error.span())), message: error.message().trim().replace('\n', ", ") })?;
    Ok(Node { place: Place::START, value: toml_table(document.as_table(), &place) })
}

type Places<'a> = &'a dyn Fn(Option<std::ops::Range<usize>>) -> Place;

fn toml_table(table: &dyn toml_edit::TableLike, place: Places<'_>) -> Value {
    let pairs = table.iter().map(|(name, item)| {
        let span = table.key(name).and_then(toml_edit::Key::span).or_else(|| item.span());
        (Key { place: place(span), name: name.to_owned() }, toml_item(item, place))
    });
    Value::Table(Table(pairs.collect()))
}

fn toml_item(item: &Item, place: Places<'_>) -> Node {
    let value = match item {
        Item::None => Value::Null,
        Item::Value(value) => return toml_value(value, place),
        Item::Table(table) => toml_table(table, place),
        Item::ArrayOfTables(tables) => {
            Value::List(tables.iter().map(|table| Node { place: place(table.span()), value: toml_table(table, place) }).collect())
        }
    };
    Node { place: place(item.span()), value }
}

fn toml_value(value: &toml_edit::Value, place: Places<'_>) -> Node {
    let span = value.span();
    let value = match value {
        toml_edit::Value::String(text) => Value::Text(text.value().clone()),
        toml_edit::Value::Integer(number) => Value::Integer(*number.value()),
        toml_edit::Value::Float(number) => Value::Float(*number.value()),
        toml_edit::Value::Boolean(value) => Value::Bool(*value.value()),
        toml_edit::Value::Datetime(instant) => Value::Text(instant.value().to_string()),
        toml_edit::Value::Array(array) => Value::List(array.iter().map(|value| toml_value(value, place)).collect()),
        toml_edit::Value::InlineTable(table) => toml_table(table, place),
    };
    Node { place: place(span), value }
}

fn yaml(text: &str) -> Result<Node, Misread> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    let read = serde_saphyr::from_str_with_options::<Spanned<AnyValue>>(text, options);
    read.map(node).map_err(|error| {
        let place = error.location().map(place);
        let mut message = error.to_string();
        // the place is told once, and in the same words for all formats
        if let Some(place) = place {
            message = message.replace(&format!(" at line {}, column {}", place.line, place.column), "");
            message = message.replace(&format!("line {} column {}: ", place.line, place.column), "");
        }
        Misread { place, message: message.trim().replace('\n', ", ") }
    })
}

fn place(location: Location) -> Place {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(1);
    Place { line: number(location.line()), column: number(location.column()) }
}

fn node(read: Spanned<AnyValue>) -> Node {
    Node { place: place(read.referenced), value: read.value.0 }
}

/// Reads whatever stands there.
struct AnyValue(Value);

impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AnyValue, D::Error> {
        deserializer.deserialize_any(AnyVisitor).map(AnyValue)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        // no field takes a number as large as that
        Ok(Value::Integer(i64::try_from(value).unwrap_or(i64::MAX)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<AnyValue>>()? {
            list.push(node(item));
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        let mut table = Vec::new();
        while let Some(key) = pairs.next_key::<Spanned<String>>()? {
            let value = pairs.next_value::<Spanned<AnyValue>>()?;
            table.push((Key { place: place(key.referenced), name: key.value }, node(value)));
        }
        Ok(Value::Table(Table(table)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_by_name_and_by_look() {
        for (name, text, form) in [
            (Some("a.toml"), "{}", Form::Toml),
            (Some("a.JSON"), "", Form::Json),
            (Some("a.yml"), "", Form::Yaml),
            (Some("a.conf"), "# x\n\ndefault = \"a:b\"", Form::Toml),
            (None, "[registry.a]\n", Form::Toml),
            (None, "[[registry.a.retention]]\n", Form::Toml),
            (None, "{\"registry\": {}}", Form::Json),
            (None, "[\n{\"name\": \"a\"}]", Form::Json),
            (None, "[{\"name\": \"a\"}]", Form::Json),
            (None, "registry:\n  a:\n    description: x = y", Form::Yaml),
            (None, "- name: a", Form::Yaml),
            (None, "", Form::Yaml),
        ] {
            assert_eq!(Form::of(name.map(Path::new), text), form, "{text}");
        }
    }

    /// Every leaf with its place, as `path@line:column=value`.
    fn flat(node: &Node, path: &str, out: &mut Vec<String>) {
        let Place { line, column } = node.place;
        match &node.value {
            Value::Table(table) => {
                table.0.iter().for_each(|(key, node)| flat(node, &format!("{path}.{}", key.name), out));
            }
            Value::List(nodes) => nodes.iter().enumerate().for_each(|(at, node)| flat(node, &format!("{path}.{at}"), out)),
            value => out.push(format!("{path}@{line}:{column}={value:?}")),
        }
    }

    #[test]
    fn the_three_say_the_same() {
        let read = |form: Form, text: &str| {
            let mut out = Vec::new();
            flat(&form.read(text).unwrap(), "", &mut out);
            out
        };
        let toml = read(Form::Toml, "a = \"é\"\nb = [1, true]\n[c]\nd = 2027-01-01T00:00:00Z\n");
        assert_eq!(
            toml,
            [".a@1:5=Text(\"é\")", ".b.0@2:6=Integer(1)", ".b.1@2:9=Bool(true)", ".c.d@4:5=Text(\"2027-01-01T00:00:00Z\")"]
        );
        let yaml = read(Form::Yaml, "a: é\nb: [1, true]\nc:\n  d: 2027-01-01T00:00:00Z\n");
        assert_eq!(
            yaml,
            [".a@1:4=Text(\"é\")", ".b.0@2:5=Integer(1)", ".b.1@2:8=Bool(true)", ".c.d@4:6=Text(\"2027-01-01T00:00:00Z\")"]
        );
        let json = read(
            Form::Json,
            "{\"a\": \"\\u00e9\\ud83d\\ude00\\/\",\n\t\"b\": [1, true],\n\"n\": null,\n\t\"c\": {\"d\": \"19:30\"}}",
        );
        assert_eq!(
            json,
            [".a@1:7=Text(\"é😀/\")", ".b.0@2:8=Integer(1)", ".b.1@2:11=Bool(true)", ".n@3:6=Null", ".c.d@4:13=Text(\"19:30\")"]
        );
        // what other readers of YAML take for numbers and truths
        let odd = read(Form::Yaml, "a: 19:30\nb: yes\nc: \"1\"\n");
        assert_eq!(odd, [".a@1:4=Text(\"19:30\")", ".b@2:4=Text(\"yes\")", ".c@3:4=Text(\"1\")"]);
    }

    #[test]
    fn what_is_broken_has_a_place() {
        for (form, text, line) in [
            (Form::Toml, "a = 1\nb = x\n", 2),
            (Form::Json, "{\"a\": 1,\n\"b\": }", 2),
            (Form::Json, "{\"a\": 1,\n}", 2),
            (Form::Yaml, "a: 1\nb: [1\n", 2),
            (Form::Yaml, "a: 1\na: 2\n", 2),
            (Form::Json, "{\"a\": 1,\n\"a\": 2}", 2),
        ] {
            let error = form.read(text).unwrap_err();
            assert!(error.place.is_some_and(|place| place.line >= line), "{text}: {error:?}");
            assert!(!error.message.contains("line "), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[a-z\\[\\]{}=:.,\"' \n0-9&*-]{0,60}|.{0,60}") {
            for form in [Form::Toml, Form::Json, Form::Yaml] {
                let _ = form.read(&text);
            }
        }

        #[test]
        fn any_json_is_read(text in "[ -~é😀日\n\t]{0,30}", number in -1000i64..1000) {
            let json = serde_json::json!({ "t": text, "n": number, "l": [text, null, {}] }).to_string();
            let read = Form::Json.read(&json).unwrap();
            prop_assert_eq!(read.table().unwrap().get("t").unwrap().text(), Some(text.as_str()));
        }
    }
}
