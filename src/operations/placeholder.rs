//! Freeing one tag from a digest that it shares, on servers that delete by digest only: the tag is moved to a manifest of its own,
//! and that is deleted (users' reports: regclient#127; what can go wrong: regclient#819).

use serde_json::Value;

use super::content::reference;
use crate::oci::{Digest, Manifest, RawManifest, Repository, Selector, Tag};
use crate::registry::{Error, ErrorKind, Registry, Result, Support};

/// Marks the placeholder, so that one left behind explains itself.
const MARK: &str = "io.regctl.placeholder";

/// Makes a placeholder for a tag that points at `original`, once it is certain that the server would delete it again. Changes nothing.
pub(super) async fn make(
    registry: &dyn Registry,
    repository: &Repository,
    tag: &Tag,
    original: &RawManifest,
) -> Result<RawManifest> {
    let subject = reference(registry, repository, &tag.clone().into());
    match registry.probe_delete(repository).await? {
        Support::Native | Support::Api => {}
        _ => {
            return Err(Error::new(ErrorKind::Unsupported, "delete", subject)
                .because("deleting by digest is switched off on this server, so the placeholder would stay"));
        }
    }
    placeholder(original).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "delete", subject).because("its manifest has a format that can't carry a placeholder")
    })
}

/// Takes one tag away by way of a placeholder. If any step after the push fails, the tag is put back.
pub(super) async fn untag(
    registry: &dyn Registry,
    repository: &Repository,
    tag: &Tag,
    original: &RawManifest,
    placeholder: &RawManifest,
) -> Result<()> {
    let selector = Selector::Tag(tag.clone());
    let step = async {
        let confirmed = registry.put_manifest(repository, &selector, placeholder).await?;
        let now = registry.head(repository, &selector).await?;
        if now.digest != confirmed || confirmed == original.digest {
            return Err(Error::new(ErrorKind::Conflict, "delete", reference(registry, repository, &selector))
                .because("the tag moved while it was being freed"));
        }
        registry.delete_manifest(repository, &confirmed).await
    };
    match step.await {
        Ok(_) => Ok(()),
        // the answer to the push may have been lost after the server did it
        Err(error) => Err(put_back(registry, repository, &selector, original, &placeholder.digest, error).await),
    }
}

/// Puts the original under the tag again, unless someone else has moved it meanwhile, and gives back the error that made it necessary.
async fn put_back(
    registry: &dyn Registry,
    repository: &Repository,
    selector: &Selector,
    original: &RawManifest,
    placeholder: &Digest,
    error: Error,
) -> Error {
    match registry.head(repository, selector).await {
        // somebody else's push is none of ours to take back
        Ok(now) if now.digest != *placeholder => return error,
        _ => {}
    }
    match registry.put_manifest(repository, selector, original).await {
        Ok(_) => {
            // nothing points at it any more; a server that keeps it keeps a few hundred bytes
            let _ = registry.delete_manifest(repository, placeholder).await;
            error
        }
        Err(second) => Error::new(ErrorKind::Conflict, "put back", reference(registry, repository, selector))
            .because(format!("it should point at {} again; freeing it had failed: {error}", original.digest))
            .caused_by(second),
    }
}

/// Whether a manifest is a placeholder that was left behind.
pub(super) fn is_placeholder(manifest: &RawManifest) -> bool {
    manifest.parse().is_ok_and(|manifest| manifest.annotations().contains_key(MARK))
}

/// The original with a mark and a random number: refers to the same blobs, so nothing has to be uploaded, and has a digest of its own.
fn placeholder(original: &RawManifest) -> Option<RawManifest> {
    // schema 1 is signed; an unknown format may have other rules
    if !matches!(original.parse().ok()?, Manifest::Image(_) | Manifest::Index(_)) {
        return None;
    }
    let mut document: Value = serde_json::from_slice(&original.bytes).ok()?;
    let fields = document.as_object_mut()?;
    if fields.get("annotations").is_none_or(Value::is_null) {
        fields.insert("annotations".into(), Value::Object(serde_json::Map::new()));
    }
    fields.remove("subject");
    let unique = uuid::Uuid::now_v7().to_string();
    fields.get_mut("annotations")?.as_object_mut()?.insert(MARK.into(), Value::String(unique));
    Some(RawManifest::new(original.media_type.clone(), serde_json::to_vec(&document).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::media_type;

    #[test]
    fn a_placeholder_is_never_the_original_and_never_the_same() {
        let document = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"{}","digest":"{}","size":2}},"layers":[],"annotations":null}}"#,
            media_type::OCI_CONFIG,
            Digest::sha256(b"{}")
        );
        let original = RawManifest::new(media_type::OCI_MANIFEST, document.into_bytes());
        let (one, two) = (placeholder(&original).unwrap(), placeholder(&original).unwrap());
        assert!(one.digest != original.digest && one.digest != two.digest);
        assert!(matches!(one.parse().unwrap(), Manifest::Image(_)));
        assert!(is_placeholder(&one) && !is_placeholder(&original));
        assert!(placeholder(&RawManifest::new(media_type::DOCKER_SCHEMA1_SIGNED, "{}")).is_none());
    }
}
