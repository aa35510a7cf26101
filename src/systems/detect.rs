//! Which system a document comes from, told from its shape.

use serde_json::Value;

use super::System;

/// No single system fits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undetected {
    /// The shape is unknown.
    #[error("{document} looks like none of {}", list(&System::ALL, ", "))]
    None {
        /// What the document is called.
        document: String,
    },
    /// The shape is that of several.
    #[error("{document} could be of {}", list(.candidates, " or "))]
    Several {
        /// What the document is called.
        document: String,
        /// The systems it could be of.
        candidates: Vec<System>,
    },
    /// The shape is that of another than the one named.
    #[error("{document} is no document of {asked}'s; it looks like one of {}", list(.candidates, " or "))]
    Other {
        /// What the document is called.
        document: String,
        /// The one named.
        asked: System,
        /// The systems it could be of.
        candidates: Vec<System>,
    },
}

fn list(systems: &[System], between: &str) -> String {
    systems.iter().map(|system| system.word()).collect::<Vec<_>>().join(between)
}

/// The systems whose documents look like this.
pub(super) fn candidates(document: &Value) -> Vec<System> {
    System::ALL.into_iter().filter(|system| system.dialect().recognises(document)).collect()
}

/// The system of a document. One that was named is believed unless the document looks like another's.
pub(super) fn system_of(name: &str, document: &Value, asked: Option<System>) -> Result<System, Undetected> {
    let candidates = candidates(document);
    let name = || name.to_owned();
    match (asked, candidates.as_slice()) {
        (Some(asked), found) if found.is_empty() || found.contains(&asked) => Ok(asked),
        (Some(asked), _) => Err(Undetected::Other { document: name(), asked, candidates }),
        (None, [one]) => Ok(*one),
        (None, []) => Err(Undetected::None { document: name() }),
        (None, _) => Err(Undetected::Several { document: name(), candidates }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn by_shape() {
        use System::{Docker, Dockercloud, Ionos, Podman, Rancher, Regclient, Shipyard, Zadig};
        for (document, expected) in [
            (json!({"type": "collection", "resourceType": "registry", "data": []}), vec![Rancher]),
            (json!({"type": "collection", "resourceType": "registryCredential", "data": []}), vec![Rancher]),
            (json!({"type": "registry", "serverAddress": "a.example"}), vec![Rancher]),
            (json!({"type": "collection", "resourceType": "host", "data": []}), vec![]),
            (json!({"meta": {}, "objects": []}), vec![Dockercloud]),
            (json!({"meta": {}, "objects": [{"name": "library/x"}]}), vec![]),
            (json!({"host": "a.example", "is_ssl": true}), vec![Dockercloud]),
            (json!([{"registry_id": "1", "provider": "tcr"}]), vec![Zadig]),
            (json!({"provider": "tcr", "access_key": "x"}), vec![Zadig]),
            (json!({"items": [{"properties": {"location": "de/fra"}}]}), vec![Ionos]),
            (json!({"properties": {"location": "de/fra"}}), vec![Ionos]),
            (json!([{"id": "1", "name": "a", "addr": "x"}]), vec![Shipyard]),
            (json!({"auths": {"a.example": {}}, "credsStore": "pass"}), vec![Docker]),
            (json!({"credHelpers": {}, "currentContext": "x"}), vec![Docker]),
            (json!({"auths": {"a.example/team": {}}}), vec![Podman]),
            (json!({"auths": {"a.example": {}}}), vec![Docker, Podman]),
            (json!({"auths": {"https://index.docker.io/v1/": {}}}), vec![Docker, Podman]),
            (json!({"hosts": {"a.example": {"tls": "enabled"}}}), vec![Regclient]),
            (json!([]), vec![]),
            (json!({}), vec![]),
            (json!(null), vec![]),
            (json!([{"id": "1", "name": "a", "addr": "x", "registry_id": "1", "provider": "tcr"}]), vec![Zadig, Shipyard]),
        ] {
            assert_eq!(candidates(&document), expected, "{document}");
        }
    }

    #[test]
    fn the_candidates_are_named() {
        let both = json!({"auths": {"a.example": {}}});
        let said = |document: &Value, asked| system_of("x.json", document, asked).unwrap_err().to_string();
        assert_eq!(said(&both, None), "x.json could be of docker or podman");
        assert!(
            said(&json!([]), None).ends_with("none of rancher, dockercloud, zadig, ionos, shipyard, docker, podman, regclient")
        );
        assert!(said(&both, Some(System::Zadig)).contains("no document of zadig's; it looks like one of docker or podman"));
        assert_eq!(system_of("x.json", &json!([]), Some(System::Zadig)), Ok(System::Zadig));
        assert_eq!(system_of("x.json", &both, Some(System::Podman)), Ok(System::Podman));
    }

    proptest! {
        #[test]
        fn any_document_is_answered(document in super::super::extra::tests::any_json()) {
            let _ = candidates(&document);
        }
    }
}
