//! What was found out about one registry, as programs see it. What is not known is `null`.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use super::place::Asked;
use crate::connect::{Connector, PeerCertificate, Way, suggested_provider};
use crate::operations::check::{self, Abilities};
use crate::registry::{Error, ErrorKind, Kind, RateLimit};

/// A certificate that ends sooner than this is warned about: time enough to get another one.
const ENDS_SOON_DAYS: i64 = 14;
/// A clock further off than this spoils tokens and dates; less is the time that an answer takes.
const CLOCK_TOLERANCE: i64 = 60;

/// The outcome of one check.
#[derive(Debug, Serialize)]
pub(super) struct Checked {
    pub name: String,
    pub address: Option<String>,
    /// Whether everything went well.
    pub ok: bool,
    pub checked_at: Timestamp,
    /// What its name resolves to.
    pub addresses: Option<Vec<IpAddr>>,
    /// From looking up its name to its first answer.
    pub reached_ms: Option<u64>,
    pub tls: Option<TlsChecked>,
    /// How it wants to be signed in to: `none`, `basic` or `bearer`.
    pub auth: Option<&'static str>,
    /// Whether it took the credential; `null` when there was none, or nobody asked for it.
    pub signed_in: Option<bool>,
    pub username: Option<String>,
    /// Where the credential was found.
    pub credential_from: Option<String>,
    /// The provider that the catalogue names.
    pub provider: Option<Kind>,
    /// The provider that its answers suggest.
    pub provider_seen: Option<Kind>,
    /// The provider that the catalogue should rather name.
    pub provider_suggested: Option<Kind>,
    /// What it says it is.
    pub product: Option<String>,
    pub version: Option<String>,
    pub abilities: Option<Abilities>,
    pub rate_limit: Option<RateLimit>,
    /// Its clock minus ours.
    pub clock_offset_seconds: Option<i64>,
    pub warnings: Vec<String>,
    pub error: Option<Failure>,
}

/// The certificate that it shows.
#[derive(Debug, Serialize)]
pub(super) struct TlsChecked {
    /// Whether certificates of this registry are verified.
    pub verify: bool,
    #[serde(flatten)]
    pub certificate: PeerCertificate,
    /// Whole days until it ends; negative when it has ended.
    pub days_left: Option<i64>,
}

/// Where the check ended.
#[derive(Debug, Serialize)]
pub(super) struct Failure {
    /// In one or two words.
    pub what: &'static str,
    pub message: String,
    pub status: Option<u16>,
}

impl Asked {
    /// Checks it. The error is the one that is also in what was found out.
    pub async fn check(&self, connector: &Connector, alone: bool, now: Timestamp) -> (Checked, Option<Error>) {
        let mut checked = Checked::nothing(self, now);
        let error = match self.way(connector, alone) {
            Ok(way) => checked.ask(self, &way, now).await.err(),
            Err(error) => Some(error),
        };
        checked.ok = error.is_none();
        checked.error =
            error.as_ref().map(|error| Failure { what: what(error.kind()), message: error.to_string(), status: error.status() });
        (checked, error)
    }
}

impl Checked {
    fn nothing(asked: &Asked, now: Timestamp) -> Checked {
        Checked {
            name: asked.name.clone(),
            address: asked.address.as_ref().map(ToString::to_string),
            ok: false,
            checked_at: now,
            addresses: None,
            reached_ms: None,
            tls: None,
            auth: None,
            signed_in: None,
            username: None,
            credential_from: None,
            provider: asked.provider(),
            provider_seen: None,
            provider_suggested: None,
            product: None,
            version: None,
            abilities: None,
            rate_limit: None,
            clock_offset_seconds: None,
            warnings: Vec::new(),
            error: None,
        }
    }

    /// Asks step by step, and keeps what is known when a step fails.
    async fn ask(&mut self, asked: &Asked, way: &Way, now: Timestamp) -> Result<(), Error> {
        // side by side, because a name that can't be looked up or a certificate that is refused is what people want to see
        let (addresses, certificate, met) = futures_util::join!(way.addresses(), way.certificate(), way.meet());
        self.addresses = addresses;
        self.tls = certificate.map(|certificate| {
            let days_left = certificate.not_after.map(|end| (end.as_second() - now.as_second()).div_euclid(86_400));
            TlsChecked { verify: asked.verifies(), certificate, days_left }
        });
        self.warn_of_certificate();
        let met = met?;
        self.reached_ms = u64::try_from(met.took.as_millis()).ok();
        let host = asked.address.as_ref().map(|address| address.host()).unwrap_or_default();
        self.provider_suggested = suggested_provider(host, asked.provider(), met.seen.as_ref());
        self.provider_seen = met.seen.as_ref().map(|seen| seen.kind);
        let kind = self.provider.filter(|kind| *kind != Kind::Native).or(self.provider_seen);
        self.product = kind.map(|kind| kind.product().to_owned());
        self.version = met.seen.and_then(|seen| seen.version);
        self.auth = way.auth_scheme();
        let report = check::check(&**way.registry()).await;
        let account = way.account();
        self.username = account.as_ref().and_then(|account| account.username.clone());
        self.credential_from = account.map(|account| account.origin);
        self.auth = way.auth_scheme();
        let report = report.inspect_err(|error| {
            if matches!(error.kind(), ErrorKind::CredentialRefused) {
                self.signed_in = Some(false);
            }
        })?;
        self.signed_in = report.ping.signed_in;
        // `Product 1.2`, from the vendor's API or the header `Server`, which may be that of something else
        let said = report.ping.version.as_deref().and_then(|said| said.split_once(' '));
        if let Some((product, version)) = said.filter(|(product, _)| self.product.as_deref().is_none_or(|known| known == *product))
        {
            self.product = Some(product.to_owned());
            self.version.get_or_insert_with(|| version.to_owned());
        }
        self.abilities = Some(report.abilities);
        self.clock_offset_seconds = report.ping.clock_offset;
        self.rate_limit = report.ping.rate_limit;
        if self.rate_limit.is_none()
            && let Some(kind) = kind
        {
            self.rate_limit = way.rate_limit(kind).await;
        }
        self.warn_of_the_rest();
        Ok(())
    }

    fn warn_of_certificate(&mut self) {
        let Some(tls) = &self.tls else { return };
        if !tls.verify {
            self.warnings.push("its certificate is not verified".to_owned());
        }
        match tls.days_left {
            Some(days) if days < 0 => self.warnings.push("its certificate has ended".to_owned()),
            Some(0) => self.warnings.push("its certificate ends today".to_owned()),
            Some(1) => self.warnings.push("its certificate ends tomorrow".to_owned()),
            Some(days) if days < ENDS_SOON_DAYS => self.warnings.push(format!("its certificate ends in {days} days")),
            _ => {}
        }
    }

    fn warn_of_the_rest(&mut self) {
        if let Some(offset) = self.clock_offset_seconds.filter(|offset| offset.abs() > CLOCK_TOLERANCE) {
            let way = if offset > 0 { "ahead of" } else { "behind" };
            self.warnings.push(format!("its clock is {} seconds {way} this machine's", offset.abs()));
        }
        if self.rate_limit.as_ref().is_some_and(|limit| limit.remaining == Some(0)) {
            self.warnings.push("it takes no more requests for now: its rate limit is used up".to_owned());
        }
    }
}

/// A failure in one or two words, for a table.
fn what(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unreachable => "unreachable",
        ErrorKind::Tls => "bad certificate",
        ErrorKind::CredentialRefused => "login refused",
        ErrorKind::CredentialMissing => "login wanted",
        ErrorKind::CredentialUnavailable => "secret missing",
        ErrorKind::Denied => "not allowed",
        ErrorKind::RateLimited => "rate limited",
        ErrorKind::Refused => "held back",
        ErrorKind::Protocol | ErrorKind::NotFound | ErrorKind::Unsupported | ErrorKind::Invalid | ErrorKind::Corrupt => {
            "no registry"
        }
        ErrorKind::Conflict | ErrorKind::Local => "failed",
    }
}
