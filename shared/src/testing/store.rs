//! The job table and the control table in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    base::time::Time,
    dependency::{
        breaker::Breaker,
        limiter::Limiter,
        stats::{Bucket, BucketKey},
    },
    message::RejectedMessage,
    ports::{
        Control, PortError, Seen, Store, Swapped, Written, maintenance::DueJob, notes::NoteKey,
    },
    record::{Guard, Record, lease::Lease},
};

/// [`Store`] and [`Control`] in memory; clones share the tables.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Tables>>);

#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) records: BTreeMap<String, Record>,
    /// The index `due`, by partition.
    pub(super) due: BTreeMap<String, BTreeSet<DueJob>>,
    pub(super) rejected: BTreeMap<String, RejectedMessage>,
    pub(super) leases: BTreeMap<String, Lease>,
    breakers: BTreeMap<String, Seen<Breaker>>,
    limiters: BTreeMap<String, Seen<Limiter>>,
    buckets: BTreeMap<BucketKey, Bucket>,
    pub(super) notes: BTreeMap<NoteKey, Seen<Option<String>>>,
    pub(super) note_ends: BTreeMap<NoteKey, Time>,
    calls: usize,
    pub(super) writes: usize,
    pub(super) reads: usize,
    changed: Vec<String>,
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn call(&self) -> MutexGuard<'_, Tables> {
        let mut tables = self.lock();
        tables.calls += 1;
        tables
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
        self.lock().leases.values().cloned().collect()
    }

    /// Every statistics bucket.
    #[must_use]
    pub fn all_buckets(&self) -> Vec<(BucketKey, Bucket)> {
        self.lock().buckets.iter().map(|(key, bucket)| (key.clone(), bucket.clone())).collect()
    }

    /// Number of items written so far, including leases. It equals the write units for items under
    /// 1 KB that have no entry on the index `due`.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.lock().writes
    }

    /// Every note of a kind: its name and its text.
    #[must_use]
    pub fn all_notes(&self, kind: &str) -> Vec<(String, String)> {
        let tables = self.lock();
        let notes = tables.notes.iter().filter(|(place, _)| place.kind == kind);
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

/// A record's partition of the index `due` and its entry there.
fn entry(record: &Record) -> Option<(String, DueJob)> {
    let entry = record.due_entry()?;
    Some((entry.partition, DueJob { due_at: entry.due_at, key: record.key.clone() }))
}

impl Tables {
    fn set(&mut self, record: Record) {
        self.unset(&record.key);
        if let Some((partition, due)) = entry(&record) {
            self.due.entry(partition).or_default().insert(due);
        }
        self.records.insert(record.key.clone(), record);
    }

    pub(super) fn unset(&mut self, key: &str) -> bool {
        let old = self.records.remove(key);
        if let Some((partition, due)) = old.as_ref().and_then(entry) {
            self.due.entry(partition).or_default().remove(&due);
        }
        old.is_some()
    }

    /// Writes `record` if `holds` is true for the record in the table.
    fn write(&mut self, record: &Record, holds: impl FnOnce(Option<&Record>) -> bool) -> Written {
        let current = self.records.get(&record.key);
        if !holds(current) {
            return Written::No(current.cloned().map(Box::new));
        }
        self.set(record.clone());
        self.changed.push(record.key.clone());
        self.writes += 1;
        Written::Yes
    }
}

pub(super) fn text_of(note: &Seen<Option<String>>) -> String {
    note.value.clone().unwrap_or_default()
}

fn guarded(current: Option<&Record>, guard: Option<&Guard>) -> bool {
    current.map(Record::guard).as_ref() == guard
}

impl Store for MemoryStore {
    async fn insert(&self, records: &[Record], lease: &Lease) -> Result<Vec<Written>, PortError> {
        let mut tables = self.call();
        let mut written: Vec<Written> = records
            .iter()
            // As in DynamoDB, a refused INSERT does not return the conflicting item.
            .map(|record| match tables.write(record, |current| current.is_none()) {
                Written::No(_) => Written::No(None),
                other => other,
            })
            .collect();
        let known = tables.leases.insert(lease.owner.clone(), lease.clone());
        tables.writes += 1;
        written.push(if known.is_none() { Written::Yes } else { Written::No(None) });
        Ok(written)
    }

    async fn enqueue(&self, records: &[Record]) -> Result<Vec<Written>, PortError> {
        let mut tables = self.call();
        let insert = |record: &Record| match tables.write(record, |current| current.is_none()) {
            Written::No(_) => Written::No(None),
            other => other,
        };
        Ok(records.iter().map(insert).collect())
    }

    async fn read(&self, key: &str) -> Result<Option<Record>, PortError> {
        Ok(self.call().records.get(key).cloned())
    }

    async fn replace(&self, record: &Record, guard: Option<&Guard>) -> Result<Written, PortError> {
        Ok(self.call().write(record, |current| guarded(current, guard)))
    }

    async fn settle(
        &self,
        records: &[Record],
        closing: Option<&Lease>,
    ) -> Result<Vec<Written>, PortError> {
        let mut tables = self.call();
        if let Some(lease) = closing {
            tables.leases.remove(&lease.owner);
            tables.writes += 1;
        }
        let running = |record: &Record| Guard { state: "running", fence: record.fence };
        Ok(records
            .iter()
            .map(|record| tables.write(record, |now| guarded(now, Some(&running(record)))))
            .collect())
    }

    async fn index_lease_expiry(&self, record: &Record) -> Result<Written, PortError> {
        let mut tables = self.call();
        let current = tables.records.get(&record.key).cloned();
        match current {
            Some(current) if current.guard() == record.guard() => {
                tables.set(current.with_lease_expiry_indexed());
                tables.changed.push(current.key);
                Ok(Written::Yes)
            }
            other => Ok(Written::No(other.map(Box::new))),
        }
    }

    async fn reject(&self, body: &RejectedMessage) -> Result<(), PortError> {
        let mut tables = self.call();
        let known = tables.rejected.get(&body.key);
        if known.is_none_or(|known| known.at < body.replaces_older_than()) {
            tables.rejected.insert(body.key.clone(), body.clone());
        }
        Ok(())
    }

    async fn lease(&self, lease: &Lease) -> Result<(), PortError> {
        self.call().leases.insert(lease.owner.clone(), lease.clone());
        Ok(())
    }

    async fn release(&self, lease: &Lease) -> Result<(), PortError> {
        self.call().leases.remove(&lease.owner);
        Ok(())
    }
}

/// Writes `next` if the current value still has this revision.
fn swap<T: Clone + Default>(
    values: &mut BTreeMap<String, Seen<T>>,
    name: &str,
    next: &T,
    revision: u64,
) -> Swapped<T> {
    let current = values.get(name).cloned().unwrap_or_default();
    if current.revision != revision {
        return Swapped::No(current);
    }
    values.insert(name.to_owned(), Seen { value: next.clone(), revision: revision + 1 });
    Swapped::Yes
}

impl Control for MemoryStore {
    async fn breaker(&self, dependency: &str) -> Result<Seen<Breaker>, PortError> {
        Ok(self.call().breakers.get(dependency).cloned().unwrap_or_default())
    }

    async fn swap_breaker(
        &self,
        dependency: &str,
        next: &Breaker,
        revision: u64,
    ) -> Result<Swapped<Breaker>, PortError> {
        let mut tables = self.call();
        tables.writes += 1;
        Ok(swap(&mut tables.breakers, dependency, next, revision))
    }

    async fn limiter(&self, dependency: &str) -> Result<Seen<Limiter>, PortError> {
        Ok(self.call().limiters.get(dependency).copied().unwrap_or_default())
    }

    async fn swap_limiter(
        &self,
        dependency: &str,
        next: &Limiter,
        revision: u64,
    ) -> Result<Swapped<Limiter>, PortError> {
        let mut tables = self.call();
        tables.writes += 1;
        Ok(swap(&mut tables.limiters, dependency, next, revision))
    }

    async fn add_to_bucket(
        &self,
        key: &BucketKey,
        added: &Bucket,
        _: Time,
    ) -> Result<Bucket, PortError> {
        let mut tables = self.call();
        tables.writes += 1;
        let bucket = tables.buckets.entry(key.clone()).or_default();
        bucket.add(added);
        Ok(bucket.clone())
    }

    async fn put_note(&self, place: &NoteKey, text: &str, until: Time) -> Result<(), PortError> {
        let mut tables = self.call();
        tables.writes += 1;
        tables.notes.insert(place.clone(), Seen { value: Some(text.to_owned()), revision: 0 });
        tables.note_ends.insert(place.clone(), until);
        Ok(())
    }

    async fn buckets(
        &self,
        subject: &str,
        shards: u8,
        from: Time,
    ) -> Result<Vec<(BucketKey, Bucket)>, PortError> {
        let asked =
            |key: &BucketKey| key.subject == subject && key.shard < shards && key.start >= from;
        let tables = self.call();
        let found = tables.buckets.iter().filter(|(key, _)| asked(key));
        Ok(found.map(|(key, bucket)| (key.clone(), bucket.clone())).collect())
    }
}
