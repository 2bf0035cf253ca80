//! The job table and the control table in memory.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    control_table::{ControlTable, Held},
    tables::{EntryOutcome, TableHabits, Tables},
    units::{PartitionLimits, Units},
};
use crate::{
    aws::size::{self, ControlItem},
    base::time::Time,
    dependency::{
        breaker::Breaker,
        limiter::Limiter,
        stats::{Bucket, BucketKey},
    },
    message::RejectedMessage,
    ports::{Control, PortError, Seen, Store, Swapped, Written, notes::NoteKey},
    record::{Guard, Record, lease::Lease},
};

/// [`Store`] and [`Control`] in memory; clones share the tables.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Tables>>);

impl MemoryStore {
    pub(super) fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn call(&self) -> MutexGuard<'_, Tables> {
        let mut tables = self.lock();
        tables.calls += 1;
        tables.expire();
        tables
    }

    /// Sets how the tables behave from now on.
    pub fn behave(&self, habits: TableHabits) {
        self.lock().habits = habits;
    }

    /// Limits what each partition serves in a second; `None` lifts the limit.
    pub fn limit(&self, limits: Option<PartitionLimits>) {
        self.lock().meter.limits = limits;
    }

    /// Plans the outcomes of the next entries of the call `insert`, `enqueue` or `settle`; entries
    /// after them are applied.
    pub fn plan_entries(
        &self,
        call: &'static str,
        outcomes: impl IntoIterator<Item = EntryOutcome>,
    ) {
        let outcomes: VecDeque<EntryOutcome> = outcomes.into_iter().collect();
        self.lock().outcomes.insert(call, outcomes);
    }

    /// The capacity units used so far, including those of the index `due`.
    #[must_use]
    pub fn units(&self) -> Units {
        self.lock().meter.total()
    }

    /// The same for each partition: `jobs/KEY`, `due/PARTITION` or `control/PARTITION`.
    #[must_use]
    pub fn units_by_partition(&self) -> BTreeMap<String, Units> {
        self.lock().meter.by_partition().clone()
    }

    /// Whether `holds` is true for every record.
    #[must_use]
    pub fn all(&self, holds: impl FnMut(&Record) -> bool) -> bool {
        self.lock().records.values().all(holds)
    }

    /// Every record, by key.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.lock().records.values().cloned().collect()
    }

    /// The record with this key.
    #[must_use]
    pub fn record(&self, key: &str) -> Option<Record> {
        self.lock().records.get(key).cloned()
    }

    /// Writes a record unconditionally.
    pub fn put(&self, record: &Record) {
        self.lock().set(record.clone());
    }

    /// Every rejected message, by key.
    #[must_use]
    pub fn rejected_messages(&self) -> Vec<RejectedMessage> {
        self.lock().rejected.values().cloned().collect()
    }

    /// Every lease that was not removed.
    #[must_use]
    pub fn leases(&self) -> Vec<Lease> {
        self.lock().control.leases.values().cloned().collect()
    }

    /// Every statistics bucket.
    #[must_use]
    pub fn all_buckets(&self) -> Vec<(BucketKey, Bucket)> {
        self.lock()
            .control
            .buckets
            .iter()
            .map(|(key, bucket)| (key.clone(), bucket.clone()))
            .collect()
    }

    /// Every note of a kind: its name and its text.
    #[must_use]
    pub fn all_notes(&self, kind: &str) -> Vec<(String, String)> {
        let tables = self.lock();
        let notes = tables.control.notes.iter().filter(|(place, _)| place.kind == kind);
        notes.map(|(place, note)| (place.name.clone(), text_of(note))).collect()
    }

    /// Keys of the records that were written or whose lease expiry was indexed, one entry per
    /// write.
    #[must_use]
    pub fn changed(&self) -> Vec<String> {
        self.lock().changed.clone()
    }

    /// Number of items read so far, including index entries.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.lock().reads
    }

    /// Removes a record without a trace.
    pub fn remove(&self, key: &str) {
        self.lock().unset(key);
    }

    /// Number of calls so far; each is a round trip.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.lock().calls
    }
}

pub(super) fn text_of(note: &Seen<Option<String>>) -> String {
    note.value.clone().unwrap_or_default()
}

fn guarded(current: Option<&Record>, guard: Option<&Guard>) -> bool {
    current.map(Record::guard).as_ref() == guard
}

/// As in DynamoDB, a refused INSERT does not return the conflicting item.
fn inserted(written: Written) -> Written {
    match written {
        Written::No(_) => Written::No(None),
        other => other,
    }
}

fn is_absent(current: Option<&Record>) -> bool {
    current.is_none()
}

impl Tables {
    /// Writes a value of the control table with `write`, if its partition has units left.
    fn put(
        &mut self,
        item: ControlItem,
        held: Held,
        write: impl FnOnce(&mut ControlTable),
    ) -> Result<(), PortError> {
        self.spend_control(&item)?;
        write(&mut self.control);
        self.control.keep(item, held);
        Ok(())
    }

    fn put_lease(&mut self, lease: &Lease) -> Result<(), PortError> {
        let owner = lease.owner.clone();
        self.put(size::lease(lease), Held::Lease(owner.clone()), |control| {
            control.leases.insert(owner, lease.clone());
        })
    }

    /// Writes a note, whatever is there.
    pub(super) fn put_note(
        &mut self,
        place: &NoteKey,
        note: Seen<Option<String>>,
        until: Time,
    ) -> Result<(), PortError> {
        let item = size::note(place, note.value.as_deref().unwrap_or_default(), until);
        self.put(item, Held::Note(place.clone()), |control| {
            control.notes.insert(place.clone(), note);
        })
    }
}

impl Store for MemoryStore {
    async fn insert(&self, records: &[Record], lease: &Lease) -> Result<Vec<Written>, PortError> {
        let mut tables = self.call();
        let each = records.iter();
        let mut written: Vec<Written> =
            each.map(|record| inserted(tables.write_entry("insert", record, is_absent))).collect();
        let known = tables.control.leases.contains_key(&lease.owner);
        written.push(match tables.put_lease(lease) {
            Err(error) => Written::Unknown(error.to_string()),
            Ok(()) if known => Written::No(None),
            Ok(()) => Written::Yes,
        });
        Ok(written)
    }

    async fn enqueue(&self, records: &[Record]) -> Result<Vec<Written>, PortError> {
        let mut tables = self.call();
        let each = records.iter();
        Ok(each.map(|record| inserted(tables.write_entry("enqueue", record, is_absent))).collect())
    }

    async fn read(&self, key: &str) -> Result<Option<Record>, PortError> {
        let mut tables = self.call();
        let record = tables.records.get(key).cloned();
        let bytes = record.as_ref().map(size::record).unwrap_or_default();
        tables.spend(&format!("jobs/{key}"), Units::read(bytes))?;
        Ok(record)
    }

    async fn replace(&self, record: &Record, guard: Option<&Guard>) -> Result<Written, PortError> {
        self.call().write(record, |current| guarded(current, guard))
    }

    async fn settle(
        &self,
        records: &[Record],
        closing: Option<&Lease>,
    ) -> Result<Vec<Written>, PortError> {
        let mut tables = self.call();
        if let Some(lease) = closing {
            // A failure is harmless and is not reported.
            let _ = tables.remove_control(&size::lease(lease).key);
        }
        let running = |record: &Record| Guard { state: "running", fence: record.fence };
        let each = records.iter().map(|record| {
            let guard = running(record);
            tables.write_entry("settle", record, |now| guarded(now, Some(&guard)))
        });
        Ok(each.collect())
    }

    async fn index_lease_expiry(&self, record: &Record) -> Result<Written, PortError> {
        let mut tables = self.call();
        // If there is no record, the condition does not hold and nothing is written.
        let current = tables.records.get(&record.key).unwrap_or(record).clone();
        let indexed = current.with_lease_expiry_indexed();
        tables.write(&indexed, |current| guarded(current, Some(&record.guard())))
    }

    async fn reject(&self, body: &RejectedMessage) -> Result<(), PortError> {
        let mut tables = self.call();
        tables.spend(&format!("jobs/{}", body.key), Units::write(size::rejected(body)))?;
        let known = tables.rejected.get(&body.key);
        if known.is_none_or(|known| known.at < body.replaces_older_than()) {
            tables.rejected.insert(body.key.clone(), body.clone());
        }
        Ok(())
    }

    async fn lease(&self, lease: &Lease) -> Result<(), PortError> {
        self.call().put_lease(lease)
    }

    async fn release(&self, lease: &Lease) -> Result<(), PortError> {
        self.call().remove_control(&size::lease(lease).key).map(drop)
    }
}

/// The value to write if the current one still has this revision, or else the current one.
fn next_of<T: Clone + Default>(
    values: &BTreeMap<String, Seen<T>>,
    name: &str,
    next: &T,
    revision: u64,
) -> Result<Seen<T>, Seen<T>> {
    let current = values.get(name).cloned().unwrap_or_default();
    if current.revision == revision {
        Ok(Seen { value: next.clone(), revision: revision + 1 })
    } else {
        Err(current)
    }
}

impl Control for MemoryStore {
    async fn breaker(&self, dependency: &str) -> Result<Seen<Breaker>, PortError> {
        let mut tables = self.call();
        let seen = tables.control.breakers.get(dependency).cloned().unwrap_or_default();
        let item = size::breaker(dependency, &seen.value);
        tables.read_control(&item.key[0], item.bytes)?;
        Ok(seen)
    }

    async fn swap_breaker(
        &self,
        dependency: &str,
        next: &Breaker,
        revision: u64,
    ) -> Result<Swapped<Breaker>, PortError> {
        let mut tables = self.call();
        let (item, name) = (size::breaker(dependency, next), dependency.to_owned());
        match next_of(&tables.control.breakers, dependency, next, revision) {
            Ok(next) => tables.put(item, Held::Breaker(name.clone()), |control| {
                control.breakers.insert(name, next);
            })?,
            Err(current) => {
                tables.spend_control(&item)?;
                return Ok(Swapped::No(current));
            }
        }
        Ok(Swapped::Yes)
    }

    async fn limiter(&self, dependency: &str) -> Result<Seen<Limiter>, PortError> {
        let mut tables = self.call();
        let seen = tables.control.limiters.get(dependency).cloned().unwrap_or_default();
        let item = size::limiter(dependency, &seen.value);
        tables.read_control(&item.key[0], item.bytes)?;
        Ok(seen)
    }

    async fn swap_limiter(
        &self,
        dependency: &str,
        next: &Limiter,
        revision: u64,
    ) -> Result<Swapped<Limiter>, PortError> {
        let mut tables = self.call();
        let (item, name) = (size::limiter(dependency, next), dependency.to_owned());
        match next_of(&tables.control.limiters, dependency, next, revision) {
            Ok(next) => tables.put(item, Held::Limiter(name.clone()), |control| {
                control.limiters.insert(name, next);
            })?,
            Err(current) => {
                tables.spend_control(&item)?;
                return Ok(Swapped::No(current));
            }
        }
        Ok(Swapped::Yes)
    }

    async fn add_to_bucket(
        &self,
        key: &BucketKey,
        added: &Bucket,
        expires_at: Time,
    ) -> Result<Bucket, PortError> {
        let mut tables = self.call();
        let mut bucket = tables.control.buckets.get(key).cloned().unwrap_or_default();
        bucket.add(added);
        let item = size::bucket(key, &bucket, expires_at);
        tables.put(item, Held::Bucket(key.clone()), |control| {
            control.buckets.insert(key.clone(), bucket.clone());
        })?;
        Ok(bucket)
    }

    async fn note(&self, place: &NoteKey) -> Result<Seen<Option<String>>, PortError> {
        let mut tables = self.call();
        tables.reads += 1;
        let note = tables.control.notes.get(place).cloned().unwrap_or_default();
        let item = size::note(place, &text_of(&note), Time::default());
        tables.read_control(&item.key[0], item.bytes)?;
        Ok(note)
    }

    async fn put_note(&self, place: &NoteKey, text: &str, until: Time) -> Result<(), PortError> {
        let note = Seen { value: Some(text.to_owned()), revision: 0 };
        self.call().put_note(place, note, until)
    }

    async fn buckets(
        &self,
        subject: &str,
        shards: u8,
        from: Time,
    ) -> Result<Vec<(BucketKey, Bucket)>, PortError> {
        let asked =
            |key: &BucketKey| key.subject == subject && key.shard < shards && key.start >= from;
        let mut tables = self.call();
        let found = tables.control.buckets.iter().filter(|(key, _)| asked(key));
        let found: Vec<_> = found.map(|(key, bucket)| (key.clone(), bucket.clone())).collect();
        for shard in 0..shards {
            let of_shard = found.iter().filter(|(key, _)| key.shard == shard);
            let bytes = of_shard.map(|(key, bucket)| size::bucket(key, bucket, from).bytes).sum();
            tables.read_control(&format!("stats#{subject}#{shard}"), bytes)?;
        }
        Ok(found)
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
