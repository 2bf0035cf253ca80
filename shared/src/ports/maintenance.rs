//! The ports that only the sweeper and operators use: access to all tables, queues and event source
//! mappings. The functions of job types have no permissions for them.

use std::future::Future;

use crate::{
    base::time::Time,
    message::{ReceivedMessage, RejectedMessage},
    ports::{Control, PortError, Queue, Store, Swapped, notes::NoteKey},
    record::{Record, due::DueEntry, lease::Lease},
};

/// Number of partitions over which leases are spread.
pub const LEASE_SHARDS: u8 = 8;

/// An entry of the index `due`: from `due_at` on, the sweeper must handle the record with this key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub struct DueJob {
    pub due_at: Time,
    pub key: String,
}

/// A table that the sweeper can scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Job records and rejected messages.
    Jobs,
    /// Breakers, limiters, call statistics, leases and notes.
    Control,
    /// A table that a job type adds to the deployment; its items have a TTL.
    Auxiliary,
}

impl Table {
    /// Every table, in the order in which the sweeper scans them.
    pub const ALL: [Self; 3] = [Self::Jobs, Self::Control, Self::Auxiliary];
}

/// An item that a scan returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScannedItem {
    /// The parts of its primary key: the partition key, then the sort key if the table has one.
    pub key: Vec<String>,
    /// When the item may be removed, from its TTL attribute.
    pub expires_at: Option<Time>,
    /// The item's entry on the index `due`, from its attributes.
    pub due_entry: Option<DueEntry>,
    /// The item decoded as a job record, or why decoding failed; `None` if the item is not a job
    /// record.
    pub record: Option<Result<Record, String>>,
}

/// One page of a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Page {
    pub items: Vec<ScannedItem>,
    /// The key after which the next page begins; `None` after the last page.
    pub next: Option<Vec<String>>,
}

/// Maintenance access to the job table and the control table.
pub trait TableMaintenance: Store + Control {
    /// Reads the entries of one partition of the index `due` that lie within `span`, both ends
    /// inclusive, earliest first. The index is eventually consistent: it may lag behind the
    /// records.
    ///
    /// Returns at most `most` entries, and never more than 1,000.
    fn due(
        &self,
        partition: &str,
        span: [Time; 2],
        most: usize,
    ) -> impl Future<Output = Result<Vec<DueJob>, PortError>> + Send;

    /// Reads the leases of one shard in order of expiry, at most `most` (strongly consistent).
    fn leases(
        &self,
        shard: u8,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Lease>, PortError>> + Send;

    /// Reads a rejected message; `None` if there is none with this key.
    fn rejected(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Option<RejectedMessage>, PortError>> + Send;

    /// Marks a rejected message as released, if it is still as it was read; whether it is. A function that rejects
    /// the same body again replaces it.
    fn mark_released(
        &self,
        message: &RejectedMessage,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// Removes a rejected message that is still marked as released. Idempotent.
    fn remove_released(&self, key: &str) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Reads a page of at most `most` items of a scan, starting after the item with the key `from`.
    fn page(
        &self,
        table: Table,
        from: Option<&[String]>,
        most: usize,
    ) -> impl Future<Output = Result<Page, PortError>> + Send;

    /// Removes an item if it has expired at `now`. Returns whether it was removed.
    fn remove_expired(
        &self,
        table: Table,
        key: &[String],
        now: Time,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// Writes a note if its revision is still `revision`.
    fn swap_note(
        &self,
        place: &NoteKey,
        text: &str,
        revision: u64,
        expires_at: Time,
    ) -> impl Future<Output = Result<Swapped<Option<String>>, PortError>> + Send;

    /// Reads the names and texts of the notes of a kind in order of name, beginning with the name
    /// `from`: at most `most` notes, and never more than 1,000.
    fn notes(
        &self,
        kind: &'static str,
        from: &str,
        most: usize,
    ) -> impl Future<Output = Result<Vec<(String, String)>, PortError>> + Send;

    /// Removes a note if its text is still `text`. Idempotent.
    fn remove_note(
        &self,
        place: &NoteKey,
        text: &str,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Approximate numbers of messages in a queue, as SQS reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Ready to be received.
    pub visible: u64,
    /// Received, and neither deleted nor visible again.
    pub in_flight: u64,
    /// Sent with a delay that has not passed.
    pub delayed: u64,
}

/// Maintenance access to the queues.
pub trait QueueMaintenance: Queue {
    /// Reads the depth of the queue with this ARN.
    fn depth(&self, queue: &str) -> impl Future<Output = Result<Depth, PortError>> + Send;

    /// Receives up to ten messages and hides them for `hidden`. Waits at most one second for the
    /// first message.
    fn receive(
        &self,
        queue: &str,
        hidden: std::time::Duration,
    ) -> impl Future<Output = Result<Vec<ReceivedMessage>, PortError>> + Send;

    /// Deletes received messages by their receipt handles, at most ten. Idempotent.
    fn delete(
        &self,
        queue: &str,
        receipts: &[String],
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The `MaximumConcurrency` of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct MappingSlots {
    pub slots: u32,
    /// Whether the mapping is being changed, so that it accepts no other change.
    pub is_changing: bool,
}

/// Access to the event source mappings, which deliver the queues' messages to the functions.
pub trait MappingMaintenance: Send + Sync {
    /// Reads the `MaximumConcurrency` of the mapping with this id. `None` if it has none, or if the mapping is
    /// paused.
    fn concurrency(
        &self,
        mapping: &str,
    ) -> impl Future<Output = Result<Option<MappingSlots>, PortError>> + Send;

    /// Sets the `MaximumConcurrency` of the mapping with this id.
    fn set_concurrency(
        &self,
        mapping: &str,
        slots: u32,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Lets the mapping with this id deliver messages, or pauses it. Batches under way end as usual.
    fn set_enabled(
        &self,
        mapping: &str,
        enabled: bool,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}
