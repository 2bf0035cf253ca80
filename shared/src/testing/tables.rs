//! The contents of the simulated tables, and how DynamoDB serves them.
//!
//! Tables begin calm: the index is up to date, nothing expires by itself, no entry of a batch fails on
//! its own, and no partition is throttled. Each of these is a switch of [`TableHabits`] or a plan.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use super::{
    clock::TestClock,
    units::{Meter, Units},
};
use crate::{
    aws::size,
    base::time::{Clock, Time},
    dependency::{
        breaker::Breaker,
        limiter::Limiter,
        stats::{Bucket, BucketKey},
    },
    message::RejectedMessage,
    ports::{
        PortError, Seen, Written,
        maintenance::{DueJob, LEASE_SHARDS},
        notes::NoteKey,
    },
    record::{Record, lease::Lease},
};

/// Largest item, in bytes.
const MAX_ITEM_BYTES: usize = 400 * 1024;

/// How often expired items are looked for.
const EXPIRY_CHECK: Duration = Duration::from_mins(1);

/// What DynamoDB does that calm tables do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableHabits {
    /// How long the index `due` lags behind the table.
    pub index_lag: Duration,
    /// How long after its TTL an item is removed; `None` if it stays.
    pub removes_expired_after: Option<Duration>,
}

/// What becomes of one entry of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryOutcome {
    /// It is applied, if its condition holds.
    Applied,
    /// Its condition counts as false.
    Refused,
    /// It is throttled: not applied, and reported as an error.
    Throttled,
    /// It is applied if its condition holds, and reported as an error.
    InDoubt,
}

/// A change of the index that is not visible yet.
#[derive(Clone, Debug)]
struct IndexChange {
    at: Time,
    partition: String,
    entry: DueJob,
    is_added: bool,
}

#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) records: BTreeMap<String, Record>,
    /// The index `due` as queries see it, by partition.
    due: BTreeMap<String, BTreeSet<DueJob>>,
    lagging: VecDeque<IndexChange>,
    pub(super) rejected: BTreeMap<String, RejectedMessage>,
    pub(super) leases: BTreeMap<String, Lease>,
    pub(super) breakers: BTreeMap<String, Seen<Breaker>>,
    pub(super) limiters: BTreeMap<String, Seen<Limiter>>,
    pub(super) buckets: BTreeMap<BucketKey, Bucket>,
    pub(super) notes: BTreeMap<NoteKey, Seen<Option<String>>>,
    pub(super) note_ends: BTreeMap<NoteKey, Time>,
    /// Planned outcomes of entries, by the name of the call.
    pub(super) outcomes: BTreeMap<&'static str, VecDeque<EntryOutcome>>,
    pub(super) habits: TableHabits,
    pub(super) meter: Meter,
    pub(super) calls: usize,
    pub(super) reads: usize,
    pub(super) changed: Vec<String>,
    clock: TestClock,
    expired_until: Time,
}

/// The shard of a lease, computed from its owner as in the real table.
pub(super) fn shard(lease: &Lease) -> u8 {
    let sum: u64 = lease.owner.bytes().map(u64::from).sum();
    u8::try_from(sum % u64::from(LEASE_SHARDS)).unwrap_or_default()
}

/// A record's partition of the index `due` and its entry there.
fn entry(record: &Record) -> Option<(String, DueJob)> {
    let entry = record.due_entry()?;
    Some((entry.partition, DueJob { due_at: entry.due_at, key: record.key.clone() }))
}

/// The error of a call to a partition without free units.
pub(super) fn throttled() -> PortError {
    PortError::Unavailable("ThrottlingException: the partition's throughput is exceeded".into())
}

impl Tables {
    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Stores a record without counting units.
    pub(super) fn set(&mut self, record: Record) {
        let old = self.records.get(&record.key).and_then(entry);
        let new = entry(&record);
        if old != new {
            self.index(old, false);
            self.index(new, true);
        }
        self.records.insert(record.key.clone(), record);
    }

    pub(super) fn unset(&mut self, key: &str) -> bool {
        let old = self.records.remove(key);
        self.index(old.as_ref().and_then(entry), false);
        old.is_some()
    }

    fn index(&mut self, entry: Option<(String, DueJob)>, is_added: bool) {
        let Some((partition, entry)) = entry else { return };
        let change = IndexChange { at: self.now(), partition, entry, is_added };
        self.lagging.push_back(change);
        self.catch_up();
    }

    /// Applies the changes of the index that its lag no longer holds back.
    fn catch_up(&mut self) {
        let now = self.now();
        let lag = self.habits.index_lag;
        while self.lagging.front().is_some_and(|change| change.at + lag <= now) {
            let Some(IndexChange { partition, entry, is_added, .. }) = self.lagging.pop_front()
            else {
                return;
            };
            let entries = self.due.entry(partition).or_default();
            if is_added {
                entries.insert(entry)
            } else {
                entries.remove(&entry)
            };
        }
    }

    /// The entries of a partition of the index, as a query sees them now.
    pub(super) fn due(&mut self, partition: &str) -> impl Iterator<Item = &DueJob> {
        self.catch_up();
        self.due.get(partition).into_iter().flatten()
    }

    /// Removes the items whose TTL is over for long enough.
    pub(super) fn expire(&mut self) {
        let now = self.now();
        let Some(late) = self.habits.removes_expired_after else { return };
        if self.expired_until + EXPIRY_CHECK > now {
            return;
        }
        self.expired_until = now;
        let is_over = |at: Option<Time>| at.is_some_and(|at| at + late <= now);
        let records = self.records.values().filter(|record| is_over(record.expires_at()));
        let keys: Vec<String> = records.map(|record| record.key.clone()).collect();
        for key in keys {
            self.unset(&key);
        }
        self.rejected.retain(|_, message| !is_over(Some(message.expires_at)));
        let notes = self.note_ends.iter().filter(|(_, end)| is_over(Some(**end)));
        let notes: Vec<NoteKey> = notes.map(|(key, _)| key.clone()).collect();
        for key in notes {
            self.notes.remove(&key);
            self.note_ends.remove(&key);
        }
    }

    /// Uses units of a partition. Fails if it is throttled.
    pub(super) fn spend(&mut self, partition: &str, units: Units) -> Result<(), PortError> {
        let now = self.now();
        if self.meter.spend(partition, units, now) { Ok(()) } else { Err(throttled()) }
    }

    /// Uses the units of a write to the control table.
    pub(super) fn spend_control(&mut self, partition: &str, bytes: usize) -> Result<(), PortError> {
        self.spend(&format!("control/{partition}"), Units::write(bytes))
    }

    /// Uses the units of writing `after` over `before`, in the table and in the index.
    fn spend_record(&mut self, before: Option<&Record>, after: &Record) -> Result<(), PortError> {
        let size = size::record(after);
        if size > MAX_ITEM_BYTES {
            return Err(PortError::Broken(format!("ValidationException: an item of {size} bytes")));
        }
        let larger = before.map(size::record).unwrap_or_default().max(size);
        self.spend(&format!("jobs/{}", after.key), Units::write(larger))?;
        let old = before.and_then(entry);
        let new = entry(after);
        if old == new {
            // An update of projected attributes writes the entry, a put of the same values does not.
            return Ok(());
        }
        let entries = [(old, before), (new, Some(after))];
        for (entry, record) in entries {
            if let (Some((partition, _)), Some(record)) = (entry, record) {
                let bytes = size::due_entry(record);
                self.spend(&format!("due/{partition}"), Units::write(bytes))?;
            }
        }
        Ok(())
    }

    /// Writes `record` if `holds` is true for the record in the table. A refused write costs as much
    /// as reading the item would in write units.
    pub(super) fn write(
        &mut self,
        record: &Record,
        holds: impl FnOnce(Option<&Record>) -> bool,
    ) -> Result<Written, PortError> {
        let current = self.records.get(&record.key).cloned();
        if !holds(current.as_ref()) {
            let bytes = current.as_ref().map(size::record).unwrap_or_default();
            self.spend(&format!("jobs/{}", record.key), Units::write(bytes))?;
            return Ok(Written::No(current.map(Box::new)));
        }
        self.spend_record(current.as_ref(), record)?;
        self.set(record.clone());
        self.changed.push(record.key.clone());
        Ok(Written::Yes)
    }

    /// Writes an entry of a batch: `call` names the batch's call.
    pub(super) fn write_entry(
        &mut self,
        call: &'static str,
        record: &Record,
        holds: impl FnOnce(Option<&Record>) -> bool,
    ) -> Written {
        let planned = self.outcomes.get_mut(call).and_then(VecDeque::pop_front);
        let unknown = |error: PortError| Written::Unknown(error.to_string());
        match planned.unwrap_or(EntryOutcome::Applied) {
            EntryOutcome::Applied => self.write(record, holds).unwrap_or_else(unknown),
            EntryOutcome::Refused => {
                Written::No(self.records.get(&record.key).cloned().map(Box::new))
            }
            EntryOutcome::Throttled => unknown(throttled()),
            EntryOutcome::InDoubt => {
                let _ = self.write(record, holds);
                Written::Unknown("InternalServerError: the outcome is unknown".into())
            }
        }
    }
}
