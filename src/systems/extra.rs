//! What a system says and an entry doesn't model: kept in `source.extra` as TOML, given back on export.
//!
//! Kept is only the difference between the document and what would be written for the entry alone; so nothing stands in the catalogue
//! twice, and a round trip gives the very document. TOML has no `null` and no number above 2^63; those are noted by their places.
//!
//! | key | holds |
//! | --- | --- |
//! | `$null` | places (JSON pointers) of `null` |
//! | `$number` | numbers that TOML can't hold, by place |
//! | `$absent` | fields of the system's usual form that this document doesn't have |
//! | `$page` | what stood around the registries, kept with the first of them |
//! | `$credentials` | Rancher's records of who signs in there, without secrets |
//! | `$place` | which of the registries of its document it was |
//!
//! A field of the system that begins with `$` gets another one.

use serde_json::Value;

use super::item::{Map, REDACTED};

const ABSENT: &str = "$absent";
const PAGE: &str = "$page";
const PLACE: &str = "$place";
const CREDENTIALS: &str = "$credentials";
const NULL: &str = "$null";
const NUMBER: &str = "$number";

/// Deepest value that is kept: deeper than any of these systems nests, and far from what TOML readers refuse.
const DEPTH_MAX: usize = 24;

/// Fields that hold secrets in any of these systems or in something like them, in lower case without separators. The catalogue is
/// meant to be shown around, so what is called like this is left out.
const SECRET_WORDS: &[&str] = &["auth", "authorization", "pass", "passwd", "passphrase", "privatekey", "clientkey"];
const SECRET_ENDS: &[&str] = &["password", "secret", "secretkey", "secretvalue", "accesskey", "apikey", "token"];

/// Leaves out what may be a secret or is nested without measure; gives the places of what was left out.
pub(super) fn clean(map: &mut Map) -> Vec<String> {
    let mut dropped = Vec::new();
    clean_at(map, "", 1, &mut dropped);
    dropped
}

fn clean_at(map: &mut Map, at: &str, depth: usize, dropped: &mut Vec<String>) {
    map.retain(|key, value| {
        // the place in a list is called a token too
        let secret = looks_secret(key, value) && !(key == "token" && at.ends_with("/pagination"));
        let keep = !secret && depth_of(value) + depth <= DEPTH_MAX;
        if !keep {
            dropped.push(key.clone());
        }
        keep
    });
    for (key, value) in map.iter_mut() {
        clean_value(value, &format!("{at}/{key}"), depth + 1, dropped);
    }
}

fn clean_value(value: &mut Value, at: &str, depth: usize, dropped: &mut Vec<String>) {
    match value {
        Value::Object(map) => clean_at(map, at, depth, dropped),
        Value::Array(list) => list.iter_mut().for_each(|value| clean_value(value, at, depth + 1, dropped)),
        _ => {}
    }
}

/// Whether a field of this name holds a secret.
fn names_secret(key: &str) -> bool {
    let word = key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    SECRET_WORDS.contains(&word.as_str()) || SECRET_ENDS.iter().any(|end| word.ends_with(end))
}

fn looks_secret(key: &str, value: &Value) -> bool {
    let Value::String(text) = value else { return false };
    if text.is_empty() || text == REDACTED {
        return false;
    }
    names_secret(key) || holds_secret(text)
}

/// Whether a text is a private key, or an address with a user in it.
pub(super) fn holds_secret(text: &str) -> bool {
    let authority = text.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    text.contains("PRIVATE KEY-----") || authority.contains('@')
}

fn depth_of(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth_of).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth_of).max().unwrap_or(0),
        _ => 0,
    }
}

/// What has to be done to one object to make it another.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Fields to set, nested as they are.
    pub set: Map,
    /// Places of fields to take away.
    pub absent: Vec<String>,
}

/// What makes `usual` into `original`.
pub(super) fn difference(original: &Map, usual: &Map) -> Difference {
    let mut difference = Difference::default();
    difference.set = differing(original, usual, "", &mut difference.absent);
    difference
}

fn differing(original: &Map, usual: &Map, at: &str, absent: &mut Vec<String>) -> Map {
    let mut set = Map::new();
    for (key, value) in original {
        match (usual.get(key), value) {
            (Some(known), value) if known == value => {}
            // secrets are kept elsewhere
            (_, value) if is_redacted(key, value) => {}
            (Some(known), _) if is_redacted(key, known) => {}
            (Some(Value::Object(known)), Value::Object(value)) => {
                let inner = differing(value, known, &place(at, key), absent);
                if !inner.is_empty() {
                    set.insert(key.clone(), inner.into());
                }
            }
            _ => drop(set.insert(key.clone(), value.clone())),
        }
    }
    let missing = usual.iter().filter(|(key, value)| !original.contains_key(*key) && !is_redacted(key, value));
    absent.extend(missing.map(|(key, _)| place(at, key)));
    set
}

fn is_redacted(key: &str, value: &Value) -> bool {
    value.as_str() == Some(REDACTED) && names_secret(key)
}

fn place(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn steps(place: &str) -> Vec<String> {
    place.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

/// One change of a [`Difference`].
#[derive(Debug, Clone)]
pub(super) struct Change {
    path: Vec<String>,
    /// `None` takes the field away.
    value: Option<Value>,
}

impl Difference {
    /// The changes that it makes to `usual`, each by itself.
    pub fn changes(&self, usual: &Map) -> Vec<Change> {
        let mut changes = Vec::new();
        collect(&self.set, usual, &mut Vec::new(), &mut changes);
        changes.extend(self.absent.iter().map(|place| Change { path: steps(place), value: None }));
        changes
    }
}

fn collect(set: &Map, usual: &Map, path: &mut Vec<String>, changes: &mut Vec<Change>) {
    for (key, value) in set {
        path.push(key.clone());
        match (value, usual.get(key)) {
            (Value::Object(inner), Some(Value::Object(known))) if !inner.is_empty() => collect(inner, known, path, changes),
            _ => changes.push(Change { path: path.clone(), value: Some(value.clone()) }),
        }
        path.pop();
    }
}

impl Change {
    /// Makes it. Nothing happens where an object on the way is missing.
    pub fn apply(&self, map: &mut Map) {
        let Some((last, way)) = self.path.split_last() else { return };
        let mut map = map;
        for step in way {
            let Some(Value::Object(inner)) = map.get_mut(step) else { return };
            map = inner;
        }
        match &self.value {
            Some(value) => drop(map.insert(last.clone(), value.clone())),
            None => drop(map.shift_remove(last)),
        }
    }
}

/// Where in its document a registry stood.
#[derive(Debug, Clone, Default)]
pub(super) struct Around {
    /// Which one it was.
    pub place: Option<u64>,
    /// What stood around all of them, with the first.
    pub page: Option<Map>,
    /// Records of who signs in, from a document of their own.
    pub credentials: Option<Map>,
}

/// A difference, and where the registry stood, as they are kept.
pub(super) fn to_toml(difference: Difference, around: Around) -> toml::Table {
    let mut kept = Map::new();
    for (key, value) in difference.set {
        let key = if key.starts_with('$') { format!("${key}") } else { key };
        kept.insert(key, value);
    }
    if !difference.absent.is_empty() {
        kept.insert(ABSENT.to_owned(), difference.absent.into());
    }
    if let Some(page) = around.page {
        kept.insert(PAGE.to_owned(), page.into());
    }
    if let Some(credentials) = around.credentials {
        kept.insert(CREDENTIALS.to_owned(), credentials.into());
    }
    if let Some(place) = around.place {
        kept.insert(PLACE.to_owned(), place.into());
    }
    let (mut nulls, mut numbers) = (Vec::new(), toml::Table::new());
    let mut table = toml::Table::new();
    for (key, value) in &kept {
        match encode(value, &place("", key), &mut nulls, &mut numbers) {
            Some(value) => drop(table.insert(key.clone(), value)),
            None => nulls.push(place("", key)),
        }
    }
    if !nulls.is_empty() {
        table.insert(NULL.to_owned(), nulls.into());
    }
    if !numbers.is_empty() {
        table.insert(NUMBER.to_owned(), numbers.into());
    }
    table
}

/// `None` is `null`.
fn encode(value: &Value, at: &str, nulls: &mut Vec<String>, numbers: &mut toml::Table) -> Option<toml::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => (*flag).into(),
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64().filter(|_| number.is_f64())) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            _ => {
                numbers.insert(at.to_owned(), number.to_string().into());
                0.into()
            }
        },
        Value::Array(list) => {
            let mut array = Vec::with_capacity(list.len());
            for (number, value) in list.iter().enumerate() {
                let at = place(at, &number.to_string());
                // something has to stand there, so that the others keep their places
                array.push(encode(value, &at, nulls, numbers).unwrap_or_else(|| {
                    nulls.push(at.clone());
                    "".into()
                }));
            }
            array.into()
        }
        Value::Object(map) => {
            let mut table = toml::Table::new();
            for (key, value) in map {
                let at = place(at, key);
                match encode(value, &at, nulls, numbers) {
                    Some(value) => drop(table.insert(key.clone(), value)),
                    None => nulls.push(at),
                }
            }
            table.into()
        }
    })
}

/// What was kept. A person may have edited it, so whatever makes no sense is passed over.
pub(super) fn from_toml(table: &toml::Table) -> (Difference, Around) {
    let mut kept = Map::new();
    for (key, value) in table.iter().filter(|(key, _)| *key != NULL && *key != NUMBER) {
        kept.insert(key.clone(), decode(value));
    }
    for null in table.get(NULL).and_then(toml::Value::as_array).into_iter().flatten().filter_map(toml::Value::as_str) {
        put(&mut kept, &steps(null), Value::Null);
    }
    for (place, number) in table.get(NUMBER).and_then(toml::Value::as_table).into_iter().flatten() {
        if let Some(number) = number.as_str().and_then(|text| serde_json::from_str::<serde_json::Number>(text).ok()) {
            put(&mut kept, &steps(place), number.into());
        }
    }
    let page = kept.shift_remove(PAGE).and_then(|page| page.as_object().cloned());
    let credentials = kept.shift_remove(CREDENTIALS).and_then(|credentials| credentials.as_object().cloned());
    let place = kept.shift_remove(PLACE).and_then(|place| place.as_u64());
    let absent = kept.shift_remove(ABSENT);
    let absent = absent.as_ref().and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let absent = absent.map(str::to_owned).collect();
    let plain = |key: String| if key.starts_with("$$") { key[1..].to_owned() } else { key };
    let set = kept.into_iter().map(|(key, value)| (plain(key), value)).collect();
    (Difference { set, absent }, Around { place, page, credentials })
}

fn decode(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(flag) => (*flag).into(),
        toml::Value::Datetime(instant) => instant.to_string().into(),
        toml::Value::Array(list) => list.iter().map(decode).collect(),
        toml::Value::Table(table) => Value::Object(table.iter().map(|(key, value)| (key.clone(), decode(value))).collect()),
    }
}

fn put(map: &mut Map, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        map.insert(first.clone(), value);
        return;
    }
    let mut inner = map.get_mut(first);
    let Some((last, way)) = rest.split_last() else { return };
    for step in way {
        inner = inner.and_then(|inner| child(inner, step));
    }
    match inner {
        Some(Value::Object(map)) => drop(map.insert(last.clone(), value)),
        Some(Value::Array(list)) => {
            if let Some(slot) = last.parse::<usize>().ok().and_then(|at| list.get_mut(at)) {
                *slot = value;
            }
        }
        _ => {}
    }
}

fn child<'a>(value: &'a mut Value, step: &str) -> Option<&'a mut Value> {
    match value {
        Value::Object(map) => map.get_mut(step),
        Value::Array(list) => list.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    pub(in crate::systems) fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            // few digits: serde_json's reader is exact for those
            any::<i16>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
            ".{0,6}".prop_map(Value::from),
            Just(json!("a ***")),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                any_map(inner).prop_map(Value::Object),
            ]
        })
    }

    fn any_map(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map> {
        proptest::collection::vec(("[a-c$~/]{0,3}", inner), 0..4).prop_map(|pairs| pairs.into_iter().collect())
    }

    #[test]
    fn only_what_differs_is_kept() {
        let original = json!({"a": 1, "b": {"c": null, "d": [null, 18446744073709551615u64]}, "$x": true, "n": null});
        let usual = json!({"a": 1, "b": {"c": 2}, "gone": 3, "n": {"e": 1}});
        let difference = difference(original.as_object().unwrap(), usual.as_object().unwrap());
        let page = json!({"next": null}).as_object().cloned();
        let kept = to_toml(difference, Around { place: Some(3), page, credentials: None });
        insta::assert_snapshot!(toml::to_string(&kept).unwrap(), @r#"
        "$$x" = true
        "$absent" = ["/gone"]
        "$null" = ["/b/c", "/b/d/0", "/n", "/$page/next"]
        "$place" = 3

        ["$number"]
        "/b/d/1" = "18446744073709551615"

        ["$page"]

        [b]
        d = ["", 0]
        "#);
    }

    #[test]
    fn what_may_be_a_secret_is_left_out() {
        let mut map = json!({
            "name": "x", "password": "s3cr3t", "secret_key": "", "Secret-Value": null, "identityToken": "s3cr3t",
            "data": {"fields": [{"accessKey": "s3cr3t", "host": "h"}]},
            "pem": "-----BEGIN RSA PRIVATE KEY-----\ns3cr3t", "proxy": "http://bob:s3cr3t@proxy.example/",
            "link": "http://example/a@b", "pagination": {"token": "next"},
        });
        let dropped = clean(map.as_object_mut().unwrap());
        assert_eq!(dropped, ["password", "identityToken", "pem", "proxy", "accessKey"]);
        assert!(!map.to_string().contains("s3cr3t"), "{map}");
        assert_eq!(map["pagination"]["token"], "next");
    }

    #[test]
    fn what_is_nested_without_measure_is_left_out() {
        let mut value = json!(1);
        for _ in 0..40 {
            value = json!([value]);
        }
        let mut map = json!({"deep": value, "flat": 1});
        assert_eq!(clean(map.as_object_mut().unwrap()), ["deep"]);
    }

    proptest! {
        #[test]
        fn every_difference_survives_toml(original in any_map(any_json()), usual in any_map(any_json())) {
            let kept = to_toml(difference(&original, &usual), Around::default());
            let text = toml::to_string(&kept).unwrap();
            let (difference, _) = from_toml(&toml::from_str(&text).unwrap());
            let mut made = usual.clone();
            for change in difference.changes(&usual) {
                change.apply(&mut made);
            }
            prop_assert_eq!(made, original);
        }

        #[test]
        fn whatever_stands_there_is_answered(value in any_json()) {
            let mut map = json!({"$null": value, "$number": value, "$absent": value, "$page": value, "$place": value, "$credentials": value, "a": [1]});
            clean(map.as_object_mut().unwrap());
            let around = Around { page: map.as_object().cloned(), ..Around::default() };
            let table = to_toml(Difference { set: Map::new(), absent: vec![] }, around);
            let _ = from_toml(&table);
            if let Ok(table) = toml::Table::try_from(&map) {
                let (difference, _) = from_toml(&table);
                let mut made = Map::new();
                difference.changes(&Map::new()).iter().for_each(|change| change.apply(&mut made));
            }
        }
    }
}
