//! The port to the control table, whose state all containers share.

use std::future::Future;

use super::{error::PortError, notes::NoteKey};
use crate::{
    base::time::Time,
    dependency::{
        breaker::Breaker,
        limiter::Limiter,
        quota::Usage,
        stats::{Bucket, BucketKey, ContainerCounts},
    },
};

/// A shared value as it was read, with its revision. A conditional write succeeds only if the table
/// still has that revision. A value that was never written reads as its default with revision 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Seen<T> {
    pub value: T,
    /// Increases by one with each conditional write.
    pub revision: u64,
}

/// The result of a conditional write, which takes effect only if the value has not changed since it
/// was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped<T> {
    /// The new value is in the table, with the next revision.
    Yes,
    /// Another write came first; this is the current value. It may be the caller's own write, if
    /// the response to that write was lost.
    No(Seen<T>),
}

/// A conditional write of a limiter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct LimiterSwap {
    pub name: String,
    pub next: Limiter,
    /// The revision that the limiter must still have.
    pub revision: u64,
}

/// The control table: breakers, limiters, quotas, call statistics and notes, shared by all containers.
///
/// Each item has a TTL, which only removes garbage. The values carry their own times, so
/// correctness does not depend on when an item is removed.
pub trait Control: Send + Sync {
    /// Reads the breaker of a dependency (strongly consistent).
    fn breaker(
        &self,
        dependency: &str,
    ) -> impl Future<Output = Result<Seen<Breaker>, PortError>> + Send;

    /// The same of several dependencies, in one call and in their order, each with a result of its own. At most 100.
    fn breakers(
        &self,
        dependencies: &[String],
    ) -> impl Future<Output = Result<Vec<Result<Seen<Breaker>, PortError>>, PortError>> + Send;

    /// Writes a breaker if its revision is still `revision`.
    fn swap_breaker(
        &self,
        dependency: &str,
        next: &Breaker,
        revision: u64,
    ) -> impl Future<Output = Result<Swapped<Breaker>, PortError>> + Send;

    /// Reads the limiter of a dependency's account (strongly consistent).
    fn limiter(
        &self,
        dependency: &str,
    ) -> impl Future<Output = Result<Seen<Limiter>, PortError>> + Send;

    /// The same of several accounts, in one call and in their order, each with a result of its own. At most 100.
    fn limiters(
        &self,
        names: &[String],
    ) -> impl Future<Output = Result<Vec<Result<Seen<Limiter>, PortError>>, PortError>> + Send;

    /// Writes a limiter if its revision is still `revision`.
    fn swap_limiter(
        &self,
        dependency: &str,
        next: &Limiter,
        revision: u64,
    ) -> impl Future<Output = Result<Swapped<Limiter>, PortError>> + Send;

    /// The same for several limiters with different names, in one call and in their order. Each write takes effect on its
    /// own. At most 25.
    fn swap_limiters(
        &self,
        swaps: &[LimiterSwap],
    ) -> impl Future<Output = Result<Vec<Result<Swapped<Limiter>, PortError>>, PortError>> + Send;

    /// Reads how much of a quota of `what` is used, which a limiter's account has (strongly consistent).
    fn quota(
        &self,
        limiter: &str,
        what: &str,
    ) -> impl Future<Output = Result<Seen<Usage>, PortError>> + Send;

    /// Writes the usage of a quota if its revision is still `revision`. The call is made once: [`Swapped::No`] says for
    /// certain that it has written nothing, so that a unit is never given back twice.
    fn swap_quota(
        &self,
        limiter: &str,
        what: &str,
        next: &Usage,
        revision: u64,
    ) -> impl Future<Output = Result<Swapped<Usage>, PortError>> + Send;

    /// Adds counts to a statistics bucket and returns its new totals. Not idempotent: a repeated
    /// call counts twice.
    fn add_to_bucket(
        &self,
        key: &BucketKey,
        bucket: &Bucket,
        expires_at: Time,
    ) -> impl Future<Output = Result<Bucket, PortError>> + Send;

    /// Writes what a container has counted, whatever is there. Idempotent.
    fn put_counts(
        &self,
        counts: &ContainerCounts,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Reads a note (strongly consistent).
    fn note(
        &self,
        place: &NoteKey,
    ) -> impl Future<Output = Result<Seen<Option<String>>, PortError>> + Send;

    /// Writes a note that expires at `expires_at`, replacing any note with the same key.
    /// Idempotent.
    fn put_note(
        &self,
        place: &NoteKey,
        text: &str,
        expires_at: Time,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Reads the statistics buckets of `subject` that begin at `from` or later, from its first
    /// `shards` shards (strongly consistent).
    fn buckets(
        &self,
        subject: &str,
        shards: u8,
        from: Time,
    ) -> impl Future<Output = Result<Vec<(BucketKey, Bucket)>, PortError>> + Send;
}
