//! The port to the source of a secret.

use std::future::Future;

use super::error::PortError;

/// A source of one secret.
pub trait SecretSource: Send + Sync {
    /// Reads the current value of the secret.
    fn fetch(&self) -> impl Future<Output = Result<String, PortError>> + Send;
}
