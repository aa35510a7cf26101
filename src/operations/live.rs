//! What a server says of itself and of the registry, as programs see it. What is not known is `null`.

use serde::Serialize;

use crate::registry::{Fact, Facts, GarbageCollection, RateLimit, Registry, Result, Retention, Storage};

/// What a server says right now.
#[derive(Debug, Serialize)]
pub struct Live {
    /// Product and version.
    pub version: Option<String>,
    /// Whether the credential was accepted.
    pub signed_in: Option<bool>,
    /// How much is stored.
    pub storage: Option<Vec<Storage>>,
    /// The vendor's own rules for deleting images.
    pub retention: Option<Vec<Retention>>,
    /// When the vendor frees what nothing refers to.
    pub garbage_collection: Option<GarbageCollection>,
    /// How often it may be asked.
    pub rate_limit: Option<RateLimit>,
    /// What would be told, if it were asked otherwise.
    pub hidden: Vec<Hidden>,
    /// How many repositories were asked for their facts, when there are more than that.
    pub first_repositories: Option<usize>,
}

/// Something that would be told, if it were asked otherwise.
#[derive(Debug, Serialize)]
pub struct Hidden {
    /// Which field.
    pub fact: &'static str,
    /// What it takes: a role, a permission, a field of the entry.
    pub needs: String,
}

/// Asks a registry about itself, everything side by side.
///
/// # Errors
/// When it can't be reached, or doesn't take the credential.
pub async fn live(registry: &dyn Registry) -> Result<Live> {
    let (ping, facts) = futures_util::try_join!(registry.ping(), registry.facts())?;
    let Facts { storage, retention, garbage_collection, first_repositories } = facts;
    let hidden = [hidden("storage", &storage), hidden("retention", &retention), hidden("garbage_collection", &garbage_collection)];
    Ok(Live {
        version: ping.version,
        signed_in: ping.signed_in,
        storage: told(storage),
        retention: told(retention),
        garbage_collection: told(garbage_collection),
        rate_limit: ping.rate_limit,
        hidden: hidden.into_iter().flatten().collect(),
        first_repositories,
    })
}

fn told<T>(fact: Fact<T>) -> Option<T> {
    if let Fact::Told(value) = fact { Some(value) } else { None }
}

fn hidden<T>(name: &'static str, fact: &Fact<T>) -> Option<Hidden> {
    fact.hidden().map(|needs| Hidden { fact: name, needs: needs.to_owned() })
}
