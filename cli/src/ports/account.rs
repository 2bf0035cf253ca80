//! What the account and the caller's policies allow.

use std::future::Future;

use super::Fault;

/// Quotas and permissions, as far as the commands ask for them.
pub trait Account: Send + Sync {
    /// How many executions of functions the account may have at once in this region, beside those that are reserved
    /// for single functions.
    fn unreserved_executions(&self) -> impl Future<Output = Result<u32, Fault>> + Send;

    /// Asks whether the caller may call a function, without calling it. Fails with [`Fault::Denied`] if not.
    fn may_invoke(&self, function: &str) -> impl Future<Output = Result<(), Fault>> + Send;
}
