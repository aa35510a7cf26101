//! The fields of a registry as options, shared by `add` and `update`.

use std::io::Read;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use jiff::Timestamp;

use super::{Context, Refusal};
use crate::catalogue::{
    Address, Ca, CaSummary, Changes, Days, Description, DisplayName, Invalid, LabelKey, LabelValue, Location, Pin, Proxy, Region,
    RetentionRule, Subnet, TimeOfDay, Username, label, namespace,
};
use crate::credentials::SourceKind;
use crate::oci::Repository;
use crate::registry::Kind;

/// Largest certificate file: a bundle of all public authorities takes a quarter of it.
const CERTIFICATE_MAX: u64 = 1 << 20;

/// The fields of a registry.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Fields")]
pub struct FieldArgs {
    /// Who built it: acr, tcr, swr, ecr, dockerhub, harbor, nexus, native, azure, ghcr, gar, quay, gitlab, gitea, artifactory, zot, ionos
    #[arg(long, value_name = "PROVIDER", value_parser = Kind::from_str)]
    provider: Option<Kind>,
    /// What people call it
    #[arg(long, value_name = "TEXT", value_parser = value::<DisplayName>)]
    display_name: Option<DisplayName>,
    /// What it is for
    #[arg(long, value_name = "TEXT", value_parser = value::<Description>)]
    description: Option<Description>,
    /// The provider's region, such as eu-west-1
    #[arg(long, value_name = "REGION", value_parser = value::<Region>)]
    region: Option<Region>,
    /// Where it stands, such as de/fra; can be set once
    #[arg(long, value_name = "COUNTRY/CITY", value_parser = value::<Location>)]
    location: Option<Location>,
    /// What every repository name begins with
    #[arg(long, value_name = "NAMESPACE", value_parser = namespace)]
    namespace: Option<Repository>,
    /// Set a label; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = |text: &str| told(label(text)))]
    label: Vec<(LabelKey, LabelValue)>,
    /// Who signs in
    #[arg(long, short, value_name = "USER", value_parser = value::<Username>)]
    pub username: Option<Username>,
    /// Where the secret is kept: keyring, env, command, docker, encrypted-file or none
    #[arg(long, value_name = "STORE", value_parser = SourceKind::from_str)]
    pub credential: Option<SourceKind>,
    /// The command that prints the secret, run without a shell; given once it is split at spaces, repeated each is one argument
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    credential_command: Vec<String>,
    /// When the secret stops working
    #[arg(long, value_name = "TIME")]
    credential_expires_at: Option<Timestamp>,
    /// Allow connections to these addresses only, of the registry, its token server and its storage; can be repeated
    #[arg(long, value_name = "SUBNET")]
    allow_subnet: Vec<String>,
    /// The vendor's own API, where it isn't in the usual place
    #[arg(long, value_name = "ADDRESS")]
    api_address: Option<String>,
    /// A token server on another host that may be given this credential
    #[arg(long, value_name = "ADDRESS")]
    realm: Option<String>,
    /// A proxy for this registry, or none
    #[arg(long, value_name = "URL|none")]
    proxy: Option<String>,
    /// Send no more requests than this in a second
    #[arg(long, value_name = "N")]
    requests_per_second: Option<NonZeroU32>,
    /// Send no more requests than this at once
    #[arg(long, value_name = "N")]
    concurrency: Option<NonZeroU32>,
    /// Show this repository where the server will not list; can be repeated
    #[arg(long, value_name = "REPOSITORY")]
    repository: Vec<Repository>,
    /// Verify the server's certificate, with --tls-cert; --enable-tls=false is --tls-skip-verify
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", conflicts_with = "tls_skip_verify")]
    enable_tls: Option<bool>,
    /// Trust the certificates in this file instead of the system's, - for standard input
    #[arg(long, value_name = "FILE|-", value_hint = clap::ValueHint::FilePath)]
    tls_cert: Option<PathBuf>,
    /// Trust exactly the certificate with this SHA-256 fingerprint; ask shows the server's
    #[arg(long, value_name = "SHA256|ask", conflicts_with = "tls_skip_verify")]
    tls_pin: Option<String>,
    /// Don't verify the server's certificate
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tls_skip_verify: Option<bool>,
    /// The client's own certificate, with --client-key
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    client_cert: Option<PathBuf>,
    /// The key to the client's certificate
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    client_key: Option<PathBuf>,
    /// Look for vulnerabilities; on unless switched off
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    vulnerability_scanning: Option<bool>,
    /// Days of the clean-up, such as Sat,Sun
    #[arg(long, value_name = "DAYS", value_parser = value::<Days>)]
    gc_days: Option<Days>,
    /// Time of the clean-up, such as 19:30 or 19:30+02:00
    #[arg(long, value_name = "TIME", value_parser = value::<TimeOfDay>)]
    gc_time: Option<TimeOfDay>,
    /// A rule of what to keep, such as 'repositories=team/** keep_last=10 keep=v*'; all of them, in order
    #[arg(long, value_name = "RULE", value_parser = value::<RetentionRule>)]
    retention: Vec<RetentionRule>,
    /// Allow plain http to a host that isn't this machine
    #[arg(long)]
    pub plain_http: bool,
}

/// Reads a value, and puts the hint into the message, because clap shows no other.
pub(super) fn value<T: FromStr<Err = Invalid>>(text: &str) -> Result<T, String> {
    told(text.parse())
}

fn told<T>(result: Result<T, Invalid>) -> Result<T, String> {
    result.map_err(|error| match &error.hint {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })
}

impl FieldArgs {
    /// Whether the pin has to be looked up at the server and shown to the person.
    pub fn asks_for_pin(&self) -> bool {
        self.tls_pin.as_deref() == Some("ask")
    }

    /// The changes that these options mean. What was assumed is told as notes; files are read and looked at.
    ///
    /// # Errors
    /// When a value is not allowed or a file can't be used.
    pub fn changes(&self, context: &Context) -> anyhow::Result<Changes> {
        if self.enable_tls == Some(true) && self.tls_cert.is_none() {
            return Err(Refusal::usage("--enable-tls needs a certificate")
                .hint("add --tls-cert FILE; without an own authority leave --enable-tls out, as certificates are verified anyway")
                .into());
        }
        let pin = match self.tls_pin.as_deref() {
            None | Some("ask") => None,
            Some(text) => Some(text.parse::<Pin>()?),
        };
        Ok(Changes {
            address: None,
            provider: self.provider,
            display_name: self.display_name.clone(),
            description: self.description.clone(),
            region: self.region.clone(),
            location: self.location.clone(),
            namespace: self.namespace.clone(),
            labels: self.label.clone(),
            remove_labels: Vec::new(),
            username: self.username.clone(),
            credential: self.credential,
            credential_command: self.command(),
            credential_expires_at: self.credential_expires_at,
            allow_subnets: subnets(&self.allow_subnet, context)?,
            remove_allow_subnets: Vec::new(),
            api_address: self.api_address.as_deref().map(|text| self.address(text, context)).transpose()?,
            realm: self.realm.as_deref().map(|text| self.address(text, context)).transpose()?,
            proxy: self.proxy.as_deref().map(Proxy::read).transpose()?,
            requests_per_second: self.requests_per_second,
            concurrency: self.concurrency,
            repositories: self.repository.clone(),
            tls_verify: self.tls_skip_verify.map(|skip| !skip).or(self.enable_tls),
            tls_ca: self.tls_cert.as_deref().map(authority).transpose()?,
            tls_pin: pin,
            tls_client_cert: self.client_cert.as_deref().map(client_certificate).transpose()?,
            tls_client_key: self.client_key.as_deref().map(client_key).transpose()?,
            vulnerability_scanning: self.vulnerability_scanning,
            gc_days: self.gc_days.clone(),
            gc_time: self.gc_time,
            retention: (!self.retention.is_empty()).then(|| self.retention.clone()),
            unset: Vec::new(),
        })
    }

    /// Reads an address by the rules of this command. It is no parser of clap's, which would repeat a password in its error.
    pub fn address(&self, text: &str, context: &Context) -> anyhow::Result<Address> {
        let (address, notes) = Address::read(text, self.plain_http)?;
        notes.iter().for_each(|note| context.printer.note(note));
        Ok(address)
    }

    fn command(&self) -> Option<Vec<String>> {
        match self.credential_command.as_slice() {
            [] => None,
            [line] => Some(line.split_whitespace().map(str::to_owned).collect()),
            arguments => Some(arguments.to_vec()),
        }
    }
}

/// Reads subnets, and tells what was changed about them.
pub(super) fn subnets(texts: &[String], context: &Context) -> anyhow::Result<Vec<Subnet>> {
    let mut subnets = Vec::new();
    for text in texts {
        let (subnet, note) = Subnet::read(text)?;
        note.iter().for_each(|note| context.printer.note(note));
        subnets.push(subnet);
    }
    Ok(subnets)
}

/// The authority in a file, which stays where it is, or from standard input, which goes into the catalogue.
fn authority(path: &Path) -> anyhow::Result<Ca> {
    if path == Path::new("-") {
        let pem = read_all(std::io::stdin().lock(), path)?;
        let pem = String::from_utf8(pem).map_err(|_| Refusal::usage("what stands on standard input is not PEM text"))?;
        return Ok(Ca::Pem(pem.parse()?));
    }
    CaSummary::of(&read_file(path)?)?;
    Ok(Ca::File(std::path::absolute(path)?))
}

fn client_certificate(path: &Path) -> anyhow::Result<PathBuf> {
    match contains(&read_file(path)?, "-----BEGIN CERTIFICATE-----") {
        true => Ok(std::path::absolute(path)?),
        false => Err(Refusal::usage(format!("there is no PEM certificate in {}", path.display())).into()),
    }
}

fn client_key(path: &Path) -> anyhow::Result<PathBuf> {
    match contains(&read_file(path)?, "PRIVATE KEY-----") {
        true => Ok(std::path::absolute(path)?),
        false => Err(Refusal::usage(format!("there is no PEM private key in {}", path.display())).into()),
    }
}

fn contains(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len()).any(|window| window == words.as_bytes())
}

fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = std::fs::File::open(path);
    let file = file.map_err(|error| Refusal::usage(format!("can't read {}", path.display())).caused_by(error))?;
    read_all(file, path)
}

fn read_all(source: impl Read, path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = source.take(CERTIFICATE_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| Refusal::usage(format!("can't read {}", path.display())).caused_by(error))?;
    if bytes.len() as u64 > CERTIFICATE_MAX {
        return Err(Refusal::usage(format!("{} is too large for a certificate", path.display())).into());
    }
    Ok(bytes)
}
