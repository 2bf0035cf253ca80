//! What the sweeper and operators need of the tables, the queues and the event source mappings,
//! beyond what the functions do. No function has these rights.

use std::future::Future;

use crate::{
    base::time::Time,
    message::ReceivedMessage,
    ports::{Control, PortError, Queue, Seen, Store, Swapped, notes::NoteKey},
    record::{Record, due::DueEntry, lease::Lease},
};

/// Shards of the leases.
pub const LEASE_SHARDS: u8 = 8;

/// Most records of one [`TableMaintenance::read_all`].
pub const READ_AT_ONCE: usize = 100;

/// An entry of the index on which somebody looks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueJob {
    /// When somebody should look.
    pub due_at: Time,
    /// The record's key.
    pub key: String,
}

/// A table to walk through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Job records and quarantined bodies.
    Jobs,
    /// Breakers, limiters, pulses, leases, notes.
    Control,
    /// A further table of the deployment's job types, whose items have a TTL.
    Auxiliary,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Jobs, Self::Control, Self::Auxiliary];
}

/// An item that a walk came across.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its key: one part, or two.
    pub key: Vec<String>,
    /// When it may be removed, as it says.
    pub expires_at: Option<Time>,
    /// Its entry on the index, as it says.
    pub due_entry: Option<DueEntry>,
    /// What it says as a job's record, or why it cannot be read; `None` if it is none.
    pub record: Option<Result<Record, String>>,
}

/// A page of a walk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What is on it.
    pub items: Vec<Found>,
    /// Where the next one begins; `None` after the last.
    pub next: Option<Vec<String>>,
}

/// Records as they were read, each with its key: `None` if there is none, a sentence if it cannot be
/// read.
pub type ReadAll = Vec<(String, Option<Result<Record, String>>)>;

/// The tables, for who looks after all of them.
pub trait TableMaintenance: Store + Control {
    /// Entries of one partition of the index that are due within `span`, both ends among it, the
    /// earliest first; it may lag behind the records by a moment.
    ///
    /// At most `most`, and at most 1,000.
    fn due(
        &self,
        partition: &str,
        span: [Time; 2],
        most: usize,
    ) -> impl Future<Output = Result<Vec<DueJob>, PortError>> + Send;

    /// The leases of one shard, that which ends first before the others; at most `most`.
    fn leases(
        &self,
        shard: u8,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Lease>, PortError>> + Send;

    /// These records, as of every write before the call: at most [`READ_AT_ONCE`], no key twice.
    fn read_all(&self, keys: &[String]) -> impl Future<Output = Result<ReadAll, PortError>> + Send;

    /// A page of a walk through a table, after the item `from`, of at most `most` items.
    fn page(
        &self,
        table: Table,
        from: Option<&[String]>,
        most: usize,
    ) -> impl Future<Output = Result<Page, PortError>> + Send;

    /// Removes an item if it has expired at `now`; whether it was.
    fn remove_expired(
        &self,
        table: Table,
        key: &[String],
        now: Time,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// A note, as of every write before the call.
    fn note(
        &self,
        place: &NoteKey,
    ) -> impl Future<Output = Result<Seen<Option<String>>, PortError>> + Send;

    /// Writes a note if its revision is still `revision`.
    fn swap_note(
        &self,
        place: &NoteKey,
        text: &str,
        revision: u64,
        expires_at: Time,
    ) -> impl Future<Output = Result<Swapped<Option<String>>, PortError>> + Send;

    /// Names and texts of the notes of a kind, from the name `from` on, in order; at most `most`, and
    /// at most 1,000.
    fn notes(
        &self,
        kind: &'static str,
        from: &str,
        most: usize,
    ) -> impl Future<Output = Result<Vec<(String, String)>, PortError>> + Send;

    /// Removes a note if it still says this; harmless when repeated.
    fn remove_note(
        &self,
        place: &NoteKey,
        text: &str,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// How many messages a queue has, about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// To be received.
    pub visible: u64,
    /// Received, and neither acknowledged nor visible again.
    pub in_flight: u64,
    /// Not visible yet.
    pub delayed: u64,
}

/// The queues, for who looks after all of them.
pub trait QueueMaintenance: Queue {
    /// How many messages the queue with this ARN has.
    fn depth(&self, queue: &str) -> impl Future<Output = Result<Depth, PortError>> + Send;

    /// Receives messages, at most ten, hiding them for `hidden`; waits a second at most for the first.
    fn receive(
        &self,
        queue: &str,
        hidden: std::time::Duration,
    ) -> impl Future<Output = Result<Vec<ReceivedMessage>, PortError>> + Send;

    /// Deletes received messages by their receipts, at most ten; harmless when repeated.
    fn delete(
        &self,
        queue: &str,
        receipts: &[String],
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The event source mappings, which bring the queues' messages to the functions.
pub trait MappingMaintenance: Send + Sync {
    /// The `MaximumConcurrency` of the mapping with this id; `None` while it is changing or if it has
    /// none.
    fn concurrency(
        &self,
        mapping: &str,
    ) -> impl Future<Output = Result<Option<u32>, PortError>> + Send;

    /// Sets it.
    fn set_concurrency(
        &self,
        mapping: &str,
        slots: u32,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}
