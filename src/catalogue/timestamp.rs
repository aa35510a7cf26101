//! Instants as TOML writes them: whole seconds in UTC, without quotes.

use jiff::Timestamp;

/// Cuts an instant to the seconds that the catalogue keeps.
pub(super) fn whole(instant: Timestamp) -> Timestamp {
    Timestamp::from_second(instant.as_second()).expect("a whole second before a valid instant is valid")
}

/// For `Option<Timestamp>` fields.
pub(super) mod option {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
    use toml_edit::Datetime;

    /// Writes a TOML date-time.
    pub fn serialize<S: Serializer>(instant: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(instant) = instant else { return serializer.serialize_none() };
        let text = super::whole(*instant).to_string();
        text.parse::<Datetime>().map_err(ser::Error::custom)?.serialize(serializer)
    }

    /// Reads a TOML date-time with an offset.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let written = Datetime::deserialize(deserializer)?;
        let instant: Timestamp = written.to_string().parse().map_err(|_| {
            de::Error::custom(format!("{written} is not an instant; write it with an offset, as in 2027-01-01T00:00:00Z"))
        })?;
        Ok(Some(super::whole(instant)))
    }
}
