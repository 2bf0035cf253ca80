//! The job table and the leases beside it.

use std::future::Future;

use super::error::PortError;
use crate::{
    message::RejectedMessage,
    record::{Guard, Record, lease::Lease},
};

/// What became of one conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is in the table.
    Yes,
    /// Its condition did not hold; the record in its way, where the answer told.
    No(Option<Box<Record>>),
    /// It was throttled or failed; whether it is in the table is not known.
    Unknown(String),
}

/// The job table, and the leases beside it.
pub trait Store: Send + Sync {
    /// Inserts records whose keys must be new, and the lease, in one call; each entry succeeds or
    /// fails alone. The answers are in the order of `records`, the lease's last.
    ///
    /// At most [`crate::policy::BATCH_SIZE`] records, no key twice.
    fn insert(
        &self,
        records: &[Record],
        lease: &Lease,
    ) -> impl Future<Output = Result<Vec<Written>, PortError>> + Send;

    /// Inserts records of jobs whose messages are not sent yet, in one call; each whose key exists is
    /// refused alone. The answers are in the order of `records`.
    ///
    /// At most 25 records, no key twice.
    fn enqueue(
        &self,
        records: &[Record],
    ) -> impl Future<Output = Result<Vec<Written>, PortError>> + Send;

    /// The record with this key, as of every write before the call. Expired ones count.
    fn read(&self, key: &str) -> impl Future<Output = Result<Option<Record>, PortError>> + Send;

    /// Writes the whole record if the one in the table still has this guard, or if there is none
    /// and `guard` is `None`.
    fn replace(
        &self,
        record: &Record,
        guard: Option<&Guard>,
    ) -> impl Future<Output = Result<Written, PortError>> + Send;

    /// Writes the ends of runs in one call: phase, counters and history, each only while the table
    /// has the run's fence and `running`. The answers are in the order of `records`.
    ///
    /// `closing` is removed in the same call, whatever becomes of the records: a caller to whom one
    /// is not confirmed writes it again. That a lease is not removed is harmless and not reported.
    ///
    /// At most [`crate::policy::BATCH_SIZE`] records, no key twice.
    fn settle(
        &self,
        records: &[Record],
        closing: Option<&Lease>,
    ) -> impl Future<Output = Result<Vec<Written>, PortError>> + Send;

    /// Gives a running record a look at its lease's end, if it still has its guard.
    fn index_lease_expiry(
        &self,
        record: &Record,
    ) -> impl Future<Output = Result<Written, PortError>> + Send;

    /// Keeps a body for operators. Done again, the first stays for a day; then the repetition takes its
    /// place, so that what still comes in does not expire.
    fn reject(&self, body: &RejectedMessage) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Writes a lease; harmless when repeated.
    fn lease(&self, lease: &Lease) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Removes a lease; harmless when repeated.
    fn release(&self, lease: &Lease) -> impl Future<Output = Result<(), PortError>> + Send;
}
