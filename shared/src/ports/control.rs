//! What the fleet knows together.

use std::future::Future;

use super::{error::PortError, notes::NoteKey};
use crate::{
    base::time::Time,
    dependency::{
        breaker::Breaker,
        limiter::Limiter,
        stats::{Bucket, BucketKey},
    },
};

/// A shared value as it was read, with the revision that a write of it must still find. What was
/// never written has revision 0 and its default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen<T> {
    /// The value.
    pub value: T,
    /// Raised by every write.
    pub revision: u64,
}

/// What became of one write on the condition that nobody had written since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped<T> {
    /// It is in the table, with the next revision.
    Yes,
    /// Somebody was faster; what is there now. It may be this very write, whose answer was lost.
    No(Seen<T>),
}

/// What the fleet knows together: breakers, limiters, pulses, notes. Each item has a TTL, for garbage only:
/// the values hold their own times, and nothing depends on when an item is removed.
pub trait Control: Send + Sync {
    /// The breaker of a dependency, as of every write before the call.
    fn breaker(
        &self,
        dependency: &str,
    ) -> impl Future<Output = Result<Seen<Breaker>, PortError>> + Send;

    /// Writes a breaker if its revision is still `revision`.
    fn swap_breaker(
        &self,
        dependency: &str,
        next: &Breaker,
        revision: u64,
    ) -> impl Future<Output = Result<Swapped<Breaker>, PortError>> + Send;

    /// The limiter of an account, as of every write before the call.
    fn limiter(
        &self,
        dependency: &str,
    ) -> impl Future<Output = Result<Seen<Limiter>, PortError>> + Send;

    /// Writes a limiter if its revision is still `revision`.
    fn swap_limiter(
        &self,
        dependency: &str,
        next: &Limiter,
        revision: u64,
    ) -> impl Future<Output = Result<Swapped<Limiter>, PortError>> + Send;

    /// Adds to a bucket of a pulse, and answers with what it holds then. Repeated, it counts twice.
    fn add_to_bucket(
        &self,
        key: &BucketKey,
        bucket: &Bucket,
        expires_at: Time,
    ) -> impl Future<Output = Result<Bucket, PortError>> + Send;

    /// Keeps a note until `expires_at`, over what was noted there; harmless when repeated.
    fn put_note(
        &self,
        place: &NoteKey,
        text: &str,
        expires_at: Time,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// The buckets of a pulse that began at `from` or later, in its first `shards` shards, as of
    /// every write before the call.
    fn buckets(
        &self,
        subject: &str,
        shards: u8,
        from: Time,
    ) -> impl Future<Output = Result<Vec<(BucketKey, Bucket)>, PortError>> + Send;
}
