//! What vendors' own scanners report, made into the one record of a vulnerability. Pure: which call gives such an answer is with the vendor.

pub(super) mod ecr;
pub(super) mod gar;
pub(super) mod harbor;
pub(super) mod ionos;
pub(super) mod quay;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Reads each entry of a list for itself: one that is not as documented must not hide the others.
fn each<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let entries = Option::<Vec<Value>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;
    use proptest::prelude::*;

    /// Answers as documented; `tests/fixtures/README.md` says where.
    const ANSWERS: [&str; 6] = [
        include_str!("../../../tests/fixtures/harbor/vulnerabilities.json"),
        include_str!("../../../tests/fixtures/quay/security.json"),
        include_str!("../../../tests/fixtures/ecr/basic-findings.json"),
        include_str!("../../../tests/fixtures/ecr/enhanced-findings.json"),
        include_str!("../../../tests/fixtures/ionos/api-vulnerabilities.json"),
        include_str!("../../../tests/fixtures/gar/occurrences.json"),
    ];

    /// Reads text as each vendor's answer.
    fn read_all(text: &str) {
        let digest = Digest::sha256(b"image");
        if let Ok(reports) = serde_json::from_str::<harbor::Reports>(text) {
            let _ = harbor::read(reports, &digest);
        }
        if let Ok(answer) = serde_json::from_str::<quay::Security>(text) {
            let _ = quay::read(answer);
        }
        if let Ok(page) = serde_json::from_str::<ecr::Page>(text) {
            let _ = ecr::read(vec![page]);
        }
        if let Ok(page) = serde_json::from_str::<ionos::Vulnerabilities>(text) {
            page.items.into_iter().for_each(|found| drop(ionos::findings(found)));
        }
        if let Ok(page) = serde_json::from_str::<gar::Occurrences>(text) {
            page.occurrences.into_iter().for_each(|found| drop(gar::findings(found)));
        }
    }

    /// All values in a document, so that one of them can be another.
    fn places(value: &mut Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter_mut().map(places).sum(),
            Value::Object(fields) => fields.iter_mut().map(|(_, field)| places(field)).sum::<usize>(),
            _ => 0,
        }
    }

    fn replace(value: &mut Value, at: usize, with: &Value) {
        if at == 0 {
            *value = with.clone();
            return;
        }
        let mut at = at - 1;
        let children: Vec<&mut Value> = match value {
            Value::Array(items) => items.iter_mut().collect(),
            Value::Object(fields) => fields.iter_mut().map(|(_, field)| field).collect(),
            _ => return,
        };
        for child in children {
            let size = places(child);
            if at < size {
                return replace(child, at, with);
            }
            at -= size;
        }
    }

    proptest! {
        #[test]
        fn another_value_anywhere_is_no_panic(file in 0..ANSWERS.len(), at: usize, kind in 0usize..7) {
            let with = [Value::Null, true.into(), (-1).into(), 1e300.into(), "".into(), "\u{1b}é\n".into(), Value::Array(vec![Value::Null])];
            let mut answer: Value = serde_json::from_str(ANSWERS[file]).unwrap();
            let places = places(&mut answer);
            replace(&mut answer, at % places, &with[kind]);
            read_all(&answer.to_string());
        }
    }
}
