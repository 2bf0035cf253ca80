//! Where secrets are kept.

use std::future::Future;

use super::error::PortError;

/// Where a secret is kept.
pub trait SecretSource: Send + Sync {
    /// Reads the secret as it is now.
    fn fetch(&self) -> impl Future<Output = Result<String, PortError>> + Send;
}
