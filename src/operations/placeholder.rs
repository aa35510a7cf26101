//! Freeing one tag from a digest that it shares, on servers that delete by digest only: the tag is moved to a manifest of its own,
//! and that is deleted (users' reports: regclient#127; what can go wrong: regclient#819).

use serde_json::Value;

use super::content::reference;
use crate::oci::{Digest, Manifest, RawManifest, Repository, Selector, Tag};
use crate::registry::{Error, ErrorKind, Registry, Result, Support};

/// Marks the placeholder, so that one left behind explains itself.
const MARK: &str = "io.regctl.placeholder";

/// Takes one tag away by way of a placeholder. The tag has to be on `digest` still. If any step after the push fails, the tag is put
/// back.
pub(super) async fn untag(registry: &dyn Registry, repository: &Repository, tag: &Tag, digest: &Digest) -> Result<()> {
    let selector = Selector::Tag(tag.clone());
    let subject = || reference(registry, repository, &selector);
    match registry.probe_delete(repository).await? {
        Support::Native | Support::Api => {}
        _ => {
            return Err(Error::new(ErrorKind::Unsupported, "delete", subject())
                .because("deleting by digest is switched off on this server, so the placeholder would stay"));
        }
    }
    let original = registry.manifest(repository, &selector).await?;
    if original.digest != *digest {
        return Err(Error::new(ErrorKind::Conflict, "delete", subject()).because("the tag has moved since the plan was made"));
    }
    let placeholder = placeholder(&original).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "delete", subject()).because("its manifest has a format that can't carry a placeholder")
    })?;
    let confirmed = match registry.put_manifest(repository, &selector, &placeholder).await {
        Ok(confirmed) => confirmed,
        // the answer may have been lost after the server did it
        Err(error) => return Err(put_back(registry, repository, &selector, &original, error).await),
    };
    let step = async {
        let now = registry.head(repository, &selector).await?;
        if now.digest != confirmed || confirmed == *digest {
            return Err(Error::new(ErrorKind::Conflict, "delete", subject()).because("the tag moved while it was being freed"));
        }
        registry.delete_manifest(repository, &confirmed).await?;
        Ok(())
    };
    match step.await {
        Ok(()) => Ok(()),
        Err(error) => Err(put_back(registry, repository, &selector, &original, error).await),
    }
}

/// Puts the original under the tag again, unless someone else has moved it meanwhile, and gives back the error that made it necessary.
async fn put_back(
    registry: &dyn Registry,
    repository: &Repository,
    selector: &Selector,
    original: &RawManifest,
    error: Error,
) -> Error {
    match registry.put_manifest(repository, selector, original).await {
        Ok(_) => error,
        Err(second) => Error::new(ErrorKind::Conflict, "put back", reference(registry, repository, selector))
            .because(format!("it should point at {} again; freeing it had failed: {error}", original.digest))
            .caused_by(second),
    }
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
        assert!(placeholder(&RawManifest::new(media_type::DOCKER_SCHEMA1_SIGNED, "{}")).is_none());
    }
}
