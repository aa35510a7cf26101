//! Credentials that are made of others: some registries don't take what people keep for them.

use async_trait::async_trait;

use crate::credentials::Credential;
use crate::registry::Result;

/// Makes what is sent of what is kept. What it gives lives in memory only and never takes the place of what is kept.
#[async_trait]
pub trait Exchange: Send + Sync {
    /// The credential to send. Asked before every request, so one that has to work for it remembers what it got.
    ///
    /// # Errors
    /// When nothing can be made of it: it is refused, or who would have to be asked can't be reached.
    async fn exchange(&self, kept: &Credential) -> Result<Credential>;
}
