//! The list behind a fallback tag (distribution-spec 1.1 "Referrers Tag Schema"), without what is about to be deleted.

use serde_json::Value;

use crate::oci::{Digest, RawManifest};

/// A list that became shorter.
pub(super) struct Shorter {
    /// The list.
    pub list: RawManifest,
    /// Whether nothing is left on it.
    pub is_empty: bool,
}

/// The list without these; `None` when none of them is on it, or when it is no list. Fields that this program doesn't know stay.
pub(super) fn without(list: &RawManifest, referrers: &[Digest]) -> Option<Shorter> {
    let mut document: Value = serde_json::from_slice(&list.bytes).ok()?;
    let items = document.get_mut("manifests")?.as_array_mut()?;
    let before = items.len();
    let goes = |item: &Value| {
        let digest = item.get("digest").and_then(Value::as_str);
        digest.is_some_and(|digest| referrers.iter().any(|referrer| referrer.as_str() == digest))
    };
    items.retain(|item| !goes(item));
    let is_empty = items.is_empty();
    if items.len() == before {
        return None;
    }
    let bytes = serde_json::to_vec(&document).expect("what was read as JSON can be written as JSON");
    Some(Shorter { list: RawManifest::new(list.media_type.clone(), bytes), is_empty })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::media_type;

    #[test]
    fn what_is_not_meant_stays_as_it_is() {
        let [one, two] = [b"1", b"2"].map(|content| Digest::sha256(content));
        let text =
            format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{one}","x":1}},{{"digest":"{two}","y":[2]}}],"new":null}}"#);
        let list = RawManifest::new(media_type::OCI_INDEX, text);
        let shorter = without(&list, std::slice::from_ref(&one)).unwrap();
        let expected = format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{two}","y":[2]}}],"new":null}}"#);
        assert_eq!((std::str::from_utf8(&shorter.list.bytes).unwrap(), shorter.is_empty), (expected.as_str(), false));
        assert!(without(&list, &[one.clone(), two]).unwrap().is_empty);
        assert!(without(&shorter.list, &[one]).is_none());
        assert!(without(&RawManifest::new("", "no list"), &[]).is_none());
    }
}
