//! `--format`: a template over the same values that JSON shows.

use minijinja::value::ValueKind;
use minijinja::{Environment, ErrorKind, Output, State, UndefinedBehavior, Value};
use serde::Serialize;

use super::units;

/// A template that compiled.
pub struct Template {
    environment: Environment<'static>,
}

/// The one template of a run.
const NAME: &str = "--format";

impl Template {
    /// Compiles a template (minijinja's language: `{{ name }}`, `{% for %}`; filters `size` and `short` are ours).
    ///
    /// # Errors
    /// What is wrong with the template, with the line.
    pub fn compile(source: &str) -> Result<Template, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_formatter(as_json_has_it);
        environment.add_filter("size", |bytes: u64| units::size(bytes));
        environment.add_filter("short", |digest: String| match digest.parse::<crate::oci::Digest>() {
            Ok(digest) => digest.short().to_owned(),
            Err(_) => digest,
        });
        let source = source.replace("\\n", "\n").replace("\\t", "\t");
        environment.add_template_owned(NAME, source).map_err(|error| explain(&error))?;
        Ok(Template { environment })
    }

    /// Fills the template with one value.
    pub(super) fn render<T: Serialize>(&self, value: &T) -> Result<String, String> {
        let template = self.environment.get_template(NAME).map_err(|error| explain(&error))?;
        template.render(Value::from(minijinja::value::Serde(value))).map_err(|error| explain(&error))
    }
}

/// Writes booleans as JSON has them, and nothing for what is unknown: the words of another language help no script.
fn as_json_has_it(out: &mut Output, state: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    match value.kind() {
        ValueKind::Bool => write!(out, "{}", value.is_true()).map_err(minijinja::Error::from),
        ValueKind::None => Ok(()),
        _ => minijinja::escape_formatter(out, state, value),
    }
}

fn explain(error: &minijinja::Error) -> String {
    match error.kind() {
        ErrorKind::UndefinedError => "the template names a field that isn't there; -o json shows the fields".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_filters_and_errors() {
        let value = serde_json::json!({"name": "v1", "size": 71_200_000u64, "digest": crate::oci::Digest::sha256(b""), "is_default": true, "region": null});
        let render = |source: &str| Template::compile(source).and_then(|template| template.render(&value));
        assert_eq!(render("{{ name }}\\t{{ size | size }} {{ digest | short }}").unwrap(), "v1\t71.2 MB e3b0c44298fc");
        assert_eq!(render("{{ is_default }}|{{ region }}|{% if is_default %}yes{% endif %}").unwrap(), "true||yes");
        assert!(render("{{ nope }}").unwrap_err().contains("-o json"));
        assert!(Template::compile("{{ name").is_err());
    }
}
