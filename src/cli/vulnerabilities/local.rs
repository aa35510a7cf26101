//! The scanner on this machine, with what it has to know of the registry. The credential is looked up when the scanner is run and not before.

use async_trait::async_trait;

use crate::catalogue::{Address, Entry};
use crate::cli::Context;
use crate::cli::open::OpenedImage;
use crate::oci::Digest;
use crate::operations::vulnerabilities::Scanner;
use crate::registry::Result;
use crate::scanner::{Installed, LocalScanner, Origin, installed};

/// A scanner that was found.
pub(super) struct Local<'a> {
    place: &'a OpenedImage,
    installed: Installed,
}

impl<'a> Local<'a> {
    /// Finds one that can look into images of this registry. The error says why there is none.
    pub fn find(place: &'a OpenedImage, context: &Context) -> std::result::Result<Local<'a>, String> {
        if let Some(why) = out_of_reach(&place.address, place.entry.as_ref().map(|(_, entry)| entry)) {
            return Err(why.to_owned());
        }
        let installed = installed(&context.environment.var("PATH").unwrap_or_default());
        let installed = installed.ok_or("neither trivy nor grype is installed")?;
        Ok(Local { place, installed })
    }

    async fn origin(&self) -> Result<Origin> {
        let OpenedImage { way, address, entry, repository, .. } = self.place;
        let tls = entry.as_ref().map(|(_, entry)| &entry.tls);
        Ok(Origin {
            name: way.registry().name().to_owned(),
            authority: address.endpoint().authority(),
            repository: repository.clone(),
            credential: way.credential(repository).await?,
            is_tls: address.is_ssl(),
            verify: tls.is_none_or(|tls| tls.verify),
            ca_file: tls.and_then(|tls| tls.ca_file.as_ref()).map(|file| file.as_path().to_owned()),
        })
    }
}

#[async_trait]
impl Scanner for Local<'_> {
    async fn scan(&self, digest: &Digest) -> Result<Vec<u8>> {
        LocalScanner::new(self.installed.clone(), self.origin().await?).scan(digest).await
    }
}

/// Why no scanner can, or may, go to this registry: it is another program, and keeps to no rule of the entry's.
fn out_of_reach(address: &Address, entry: Option<&Entry>) -> Option<&'static str> {
    if !address.path().is_empty() {
        return Some("scanners can't reach a registry whose address has a path");
    }
    let entry = entry?;
    if entry.allow_subnets.networks().is_some() {
        return Some("a scanner would not keep to the entry's allow_subnets");
    }
    if entry.tls.pin_sha256.is_some() {
        return Some("a scanner can't be told which certificate the entry trusts");
    }
    None
}
