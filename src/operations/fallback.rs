//! The list behind a fallback tag (distribution-spec 1.1 "Referrers Tag Schema"): without what is about to be deleted, and with what
//! comes back.

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

/// The list that is there by now, with what only the older one has; the same when nothing is missing, `None` when one of them is no list.
pub(super) fn with(now: &RawManifest, older: &RawManifest) -> Option<RawManifest> {
    let mut document: Value = serde_json::from_slice(&now.bytes).ok()?;
    let older: Value = serde_json::from_slice(&older.bytes).ok()?;
    let items = document.get_mut("manifests")?.as_array_mut()?;
    let before = items.len();
    for item in older.get("manifests")?.as_array()? {
        if !items.iter().any(|known| known.get("digest") == item.get("digest")) {
            items.push(item.clone());
        }
    }
    if items.len() == before {
        return Some(now.clone());
    }
    let bytes = serde_json::to_vec(&document).expect("what was read as JSON can be written as JSON");
    Some(RawManifest::new(now.media_type.clone(), bytes))
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
        assert!(without(&shorter.list, std::slice::from_ref(&one)).is_none());
        let again = with(&shorter.list, &list).unwrap();
        assert!(without(&again, &[one]).is_some_and(|again| again.list == shorter.list));
        assert_eq!(with(&list, &list).unwrap(), list);
        assert!(without(&RawManifest::new("", "no list"), &[]).is_none());
    }
}
