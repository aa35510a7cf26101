//! What was found out, as a person sees it.

use super::checked::Checked;
use crate::operations::check::Abilities;
use crate::output::{Cell, Column, Table, Tone, units};
use crate::registry::Support;

/// One row for each registry.
pub(super) fn table(items: &[Checked]) -> Table {
    let mut table = Table::new([
        Column::new("registry"),
        Column::new("reached"),
        Column::new("signed_in").shrinks(),
        Column::new("version").shrinks(),
        Column::new("list").expendable(3),
        Column::new("untag").expendable(2),
        Column::new("delete").expendable(1),
        Column::new("referrers").expendable(4),
        Column::new("address").wide(),
        Column::new("resolves_to").wide(),
        Column::new("tls_until").wide(),
        Column::new("clock").wide(),
        Column::new("rate_limit").wide(),
        Column::new("credential_from").wide(),
    ]);
    for checked in items {
        let ability = |of: fn(&Abilities) -> Support| checked.abilities.as_ref().map(of).map_or_else(unknown, ability);
        let until = checked.tls.as_ref().and_then(|tls| tls.certificate.not_after);
        let clock = checked.clock_offset_seconds.map(|offset| Cell::with_value(format!("{offset:+} s"), offset));
        table.row(
            checked.name.clone(),
            [
                checked.name.as_str().into(),
                reached(checked),
                signed_in(checked),
                version(checked),
                ability(|abilities| abilities.list),
                ability(|abilities| abilities.untag),
                ability(|abilities| abilities.delete),
                ability(|abilities| abilities.referrers),
                checked.address.clone().unwrap_or_default().into(),
                checked.addresses.iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join(" ").into(),
                until.map_or_else(unknown, |until| Cell::with_value(units::date(until), until)),
                clock.unwrap_or_else(unknown),
                rate_limit(checked),
                checked.credential_from.clone().unwrap_or_default().into(),
            ],
        );
    }
    table
}

fn unknown() -> Cell {
    Cell::with_value("–", "")
}

fn ability(support: Support) -> Cell {
    let tone = match support {
        Support::Native | Support::Api => Tone::Good,
        Support::Emulated | Support::Unknown => Tone::Plain,
        Support::Unsupported => Tone::Dim,
    };
    match support {
        // only referrers are: tags stand in for the API
        Support::Emulated => Cell::with_value("tags", "emulated"),
        support => Cell::from(support.word()).tone(tone),
    }
}

fn reached(checked: &Checked) -> Cell {
    match checked.reached_ms {
        Some(ms) => Cell::with_value(format!("{ms} ms"), ms),
        None => Cell::with_value("✗ no", "").tone(Tone::Bad),
    }
}

fn signed_in(checked: &Checked) -> Cell {
    match (checked.signed_in, &checked.username, checked.ok) {
        (Some(true), Some(username), _) => username.as_str().into(),
        (Some(true), None, _) => "yes".into(),
        (None, _, true) => Cell::from("anonymous").tone(Tone::Dim),
        (Some(false), ..) => Cell::from("✗ no").tone(Tone::Bad),
        (None, _, false) => unknown(),
    }
}

/// Product and version; for a failure, where it ended.
fn version(checked: &Checked) -> Cell {
    if let Some(failure) = &checked.error {
        return Cell::from(failure.what).tone(Tone::Bad);
    }
    match (&checked.product, &checked.version) {
        (Some(product), Some(version)) => format!("{product} {version}").into(),
        (Some(product), None) => product.as_str().into(),
        (None, _) => "v2 registry".into(),
    }
}

fn rate_limit(checked: &Checked) -> Cell {
    let Some(limit) = &checked.rate_limit else { return unknown() };
    let number = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let window = limit.window_seconds.map(|seconds| format!(" in {seconds} s")).unwrap_or_default();
    format!("{} of {}{window}", number(limit.remaining), number(limit.limit)).into()
}
