//! A value that a field can't have.

/// Why a value was refused, and what to write instead where that is known. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Invalid {
    /// A refusal, in one clause.
    pub fn new(message: impl Into<String>) -> Invalid {
        Invalid { message: message.into(), hint: None }
    }

    /// `` `input` is not a <what>: <reason>``, with control characters escaped and without end cut.
    pub fn value(input: &str, what: &str, reason: &str) -> Invalid {
        Invalid::new(format!("`{}` is not {what}: {reason}", shown(input)))
    }

    /// Adds what to write instead.
    pub fn hint(mut self, hint: impl Into<String>) -> Invalid {
        self.hint = Some(hint.into());
        self
    }
}

/// Longest piece of a wrong value that an error repeats.
const SHOWN_MAX: usize = 200;

/// Text from outside as it may be shown.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// Reading and writing as text, for types that have `FromStr` and `Display`.
macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

pub(super) use as_text;
