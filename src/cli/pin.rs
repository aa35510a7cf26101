//! `--tls-pin ask`: shows the certificate that a server has now, and asks whether to trust exactly that one.

use super::{Context, Exit, Refusal, prompt};
use crate::catalogue::{Entry, Name, Pin};
use crate::output::units;

/// The fingerprint that the person accepted.
///
/// # Errors
/// When the server can't be reached, the person says no, or nobody can be asked.
pub(super) fn ask(context: &Context, name: &Name, entry: &Entry) -> anyhow::Result<Pin> {
    if entry.address.as_ref().is_some_and(|address| !address.is_ssl()) {
        return Err(Refusal::usage(format!("{name} is plain http, which has no certificate")).into());
    }
    // it is only looked at, and nothing but the greeting is sent before the person has agreed
    let mut looked_at = entry.clone();
    looked_at.tls.pin_sha256 = None;
    let client = context.connector(None).client(name, &looked_at, true)?;
    let certificate = context.block_on(async { Ok(client.peer_certificate().await?) })?;
    let known = |field: Option<String>| field.unwrap_or_else(|| "unknown".to_owned());
    context.printer.note(format!("{} shows this certificate:", client.base().host_str().unwrap_or(name.as_str())));
    context.printer.note(format!("  subject  {}", known(certificate.subject)));
    context.printer.note(format!("  issuer   {}", known(certificate.issuer)));
    context.printer.note(format!("  until    {}", known(certificate.not_after.map(units::date))));
    context.printer.note(format!("  sha256   {}", certificate.sha256));
    if !prompt::is_interactive() {
        return Err(Refusal::new(Exit::Refused, "not confirmed: nobody can be asked whether this is the right certificate")
            .hint(format!("compare the fingerprint with the server's, then give it: --tls-pin {}", certificate.sha256))
            .into());
    }
    if !prompt::confirm("Trust exactly this certificate?")? {
        return Err(Refusal::new(Exit::Refused, "the certificate was not accepted; nothing was changed").into());
    }
    Ok(certificate.sha256.parse()?)
}
