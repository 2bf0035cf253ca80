//! The port to the job table and the leases.

use std::future::Future;

use super::error::PortError;
use crate::{
    dependency::stats::ContainerCounts,
    message::RejectedMessage,
    record::item::TableItem,
    record::{Guard, Record, lease::Lease},
};

/// Maximum number of records per [`Store::read_all`] (DynamoDB's limit for a batch of reads).
pub const READ_AT_ONCE: usize = 100;

/// A write of a whole record, as one of several in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The record as it is to be.
    pub record: Record,
    /// What the record in the table must still match. With `None`, its key must not exist.
    pub guard: Option<Guard>,
}

/// The result of one conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// The write took effect.
    Yes,
    /// The condition did not hold. Holds the conflicting record, if the response contained it.
    No(Option<Box<Record>>),
    /// The write was throttled or failed; it may or may not have taken effect.
    Unknown(String),
}

/// The job table, and the leases, which are items of the control table.
pub trait Store: Send + Sync {
    /// Inserts records with new keys, and the lease, in one call. Each entry succeeds or fails on
    /// its own. Returns the results in the order of `records`, the lease's last.
    ///
    /// At most [`crate::policy::BATCH_SIZE`] records, with distinct keys.
    fn insert(
        &self,
        records: &[Record],
        lease: &Lease,
    ) -> impl Future<Output = Result<Vec<Written>, PortError>> + Send;

    /// Inserts records of jobs whose messages are not sent yet, in one call. A record whose key
    /// exists is refused; the others are not affected. Returns the results in the order of
    /// `records`.
    ///
    /// At most 25 records, with distinct keys.
    fn enqueue(
        &self,
        records: &[Record],
    ) -> impl Future<Output = Result<Vec<Written>, PortError>> + Send;

    /// Reads the record with this key (strongly consistent), whether it has expired or not.
    fn read(&self, key: &str) -> impl Future<Output = Result<Option<Record>, PortError>> + Send;

    /// Reads the records with these keys in one call (strongly consistent), whether they have expired or not. Returns
    /// the answers in the order of `keys`: a record that is unreadable or was not read is an error of its own.
    ///
    /// At most [`READ_AT_ONCE`] keys, without duplicates.
    fn read_all(
        &self,
        keys: &[String],
    ) -> impl Future<Output = Result<Vec<Result<Option<Record>, PortError>>, PortError>> + Send;

    /// Writes the whole record if the one in the table still matches `guard`. With `None`, writes
    /// it only if the key does not exist.
    fn replace(
        &self,
        record: &Record,
        guard: Option<&Guard>,
    ) -> impl Future<Output = Result<Written, PortError>> + Send;

    /// Writes several records in one call, each as [`Store::replace`] does. Returns the results in the order of
    /// `writes`. [`PortError::Invalid`] as the result of one, or of the call, does not tell for sure whose record the
    /// table refuses, nor that it would refuse it alone: write it alone to learn that.
    ///
    /// At most [`crate::policy::BATCH_SIZE`] records, with distinct keys.
    fn replace_all(
        &self,
        writes: &[Replacement],
    ) -> impl Future<Output = Result<Vec<Result<Written, PortError>>, PortError>> + Send;

    /// Writes the ends of runs in one call: phase, counters and history. Each is written only while
    /// the record is `running` with the run's fence. Returns the results in the order of `records`, then those of
    /// `items`.
    ///
    /// The same call writes `items` of job types, at most one a record and with distinct places: AWS does not say
    /// what becomes of a batch that names an item twice, nor in which order it executes its statements. One that finds
    /// another item than [`TableItem::expected`] says is [`Written::No`] here; [`Store::put_item`] may still write it.
    ///
    /// The same call removes the lease `closing`, even if a record is refused: if an end is not
    /// confirmed, the caller must write the lease again. A failure to remove the lease is harmless
    /// and is not reported.
    ///
    /// The same call also writes `counts`. If there are some, the last result is theirs: [`Written::No`] if the item
    /// exists although `exists` is false, or the reverse.
    ///
    /// At most [`crate::policy::BATCH_SIZE`] records, with distinct keys.
    fn settle(
        &self,
        records: &[Record],
        items: &[&TableItem],
        closing: Option<&Lease>,
        counts: Option<&ContainerCounts>,
    ) -> impl Future<Output = Result<Vec<Written>, PortError>> + Send;

    /// Writes one item of a job type, if its condition holds.
    fn put_item(&self, item: &TableItem)
    -> impl Future<Output = Result<Written, PortError>> + Send;

    /// Puts a running record on the index `due` at the end of its lease, if the record in the table
    /// still has the same state and fence.
    fn index_lease_expiry(
        &self,
        record: &Record,
    ) -> impl Future<Output = Result<Written, PortError>> + Send;

    /// Keeps a rejected message for operators. A repetition within a day changes nothing. A later
    /// one replaces the item, so that the item does not expire while the message keeps arriving.
    fn reject(&self, body: &RejectedMessage) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Writes a lease. Idempotent.
    fn lease(&self, lease: &Lease) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Removes a lease. Idempotent.
    fn release(&self, lease: &Lease) -> impl Future<Output = Result<(), PortError>> + Send;
}
