//! The job table and the control table in memory.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    applied::{AppliedWrite, Observer},
    tables::{EntryOutcome, ItemAttributes, TableHabits, Tables, item_key},
    units::{PartitionLimits, Throttles, Units},
};
use crate::{
    aws::size,
    base::mutants::{Mutant, is_on},
    dependency::{
        breaker::Breaker,
        stats::{Bucket, BucketKey, ContainerCounts},
    },
    message::RejectedMessage,
    ports::{PortError, Replacement, Seen, Store, Written},
    record::item::TableItem,
    record::{Guard, Record, item::Value, lease::Lease},
};

/// [`Store`] and [`Control`](crate::ports::Control) in memory; clones share the tables.
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

    /// Tells `observer` of each write of a record that takes effect from now on. It must not use the tables.
    pub fn observe(&self, observer: impl FnMut(&AppliedWrite<'_>) + Send + 'static) {
        self.lock().observer = Observer(Some(Box::new(observer)));
    }

    /// Whether a lease that was not removed names the job with this key.
    #[must_use]
    pub fn is_leased(&self, key: &str) -> bool {
        self.lock().control.leases.values().any(|lease| lease.jobs.iter().any(|job| job == key))
    }

    /// Whether capacity units are counted, which they are at first. Without that, most calls are much cheaper. While
    /// partitions are limited, they are counted all the same.
    pub fn count_units(&self, counts: bool) {
        self.lock().meter.is_idle = !counts;
    }

    /// Limits what each partition serves in a second; `None` lifts the limit.
    pub fn limit(&self, limits: Option<PartitionLimits>) {
        let meter = &mut self.lock().meter;
        (meter.limits, meter.limited) = (limits, None);
    }

    /// Limits the partitions of one table or index alone: `jobs`, `due` or `control`.
    pub fn limit_table(&self, table: &str, limits: Option<PartitionLimits>) {
        let meter = &mut self.lock().meter;
        (meter.limits, meter.limited) = (limits, Some(table.to_owned()));
    }

    /// The requests that each table and index has refused so far because of these limits, by the names above.
    #[must_use]
    pub fn throttles(&self) -> BTreeMap<String, Throttles> {
        self.lock().meter.throttles()
    }

    /// Plans the outcomes of the next entries of the call `insert`, `enqueue`, `replace_all` or `settle`; entries
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
        self.lock().meter.by_partition()
    }

    /// The most writes, and the most reads, that each partition served in one second.
    #[must_use]
    pub fn peaks(&self) -> BTreeMap<String, Units> {
        self.lock().meter.peaks()
    }

    /// The largest item of the control table so far: its partition, and its size in bytes.
    #[must_use]
    pub fn largest_control_item(&self) -> (String, usize) {
        self.lock().control.largest.clone()
    }

    /// Whether `holds` is true for every record.
    #[must_use]
    pub fn all(&self, holds: impl FnMut(&Record) -> bool) -> bool {
        self.lock().records.values().all(holds)
    }

    /// Whether this holds of any job that has not ended.
    #[must_use]
    pub fn any_open(&self, holds: impl FnMut(&Record) -> bool) -> bool {
        let tables = self.lock();
        tables.open.iter().filter_map(|key| tables.records.get(key)).any(holds)
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

    /// Every breaker, by its dependency. Uses no units.
    #[must_use]
    pub fn all_breakers(&self) -> Vec<(String, Breaker)> {
        let tables = self.lock();
        let breakers = tables.control.breakers.iter();
        breakers.map(|(dependency, seen)| (dependency.clone(), seen.value.clone())).collect()
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

    /// The attributes of an item of a job type: of this table, with these values of its keys.
    #[must_use]
    pub fn item(&self, table: &str, key: [&str; 2]) -> Option<ItemAttributes> {
        self.lock().items.get(&item_key(table, key)).cloned()
    }

    /// Sets all attributes of an item of a job type without a trace.
    pub fn set_item(&self, table: &str, key: [&str; 2], attributes: ItemAttributes) {
        self.lock().items.insert(item_key(table, key), attributes);
    }

    /// Removes an item of a job type without a trace.
    pub fn remove_item(&self, table: &str, key: [&str; 2]) {
        self.lock().items.remove(&item_key(table, key));
    }

    /// The same, as a consistent read that uses units.
    pub fn read_item(
        &self,
        table: &str,
        [partition, sort]: [&str; 2],
    ) -> Result<Option<ItemAttributes>, PortError> {
        let item = self.item(table, [partition, sort]);
        let length = |value: &Value| match value {
            Value::Text(text) => text.len(),
            Value::Number(_) => 8,
        };
        let bytes = item.iter().flatten().map(|(name, value)| name.len() + length(value)).sum();
        self.lock().spend(format_args!("{table}/{partition}"), Units::read(bytes))?;
        Ok(item)
    }

    /// The items of a job type of this partition: their sort keys and their attributes, in order.
    #[must_use]
    pub fn items(&self, table: &str, partition: &str) -> Vec<(String, ItemAttributes)> {
        let tables = self.lock();
        let of = tables.items.iter().filter(|([of, pk, _], _)| of == table && pk == partition);
        of.map(|([_, _, sort], attributes)| (sort.clone(), attributes.clone())).collect()
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

/// The error of a call that names an item twice, which AWS documents for `BatchWriteItem` only.
fn named_twice(items: &[&TableItem]) -> Result<(), PortError> {
    let places: BTreeSet<_> = items.iter().map(|item| item.place()).collect();
    if places.len() == items.len() {
        return Ok(());
    }
    Err(PortError::Invalid("ValidationException: the call names an item twice".into()))
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
        self.call().read_record(key)
    }

    async fn read_all(
        &self,
        keys: &[String],
    ) -> Result<Vec<Result<Option<Record>, PortError>>, PortError> {
        let mut tables = self.call();
        tables.reads += keys.len();
        Ok(keys.iter().map(|key| tables.read_record(key)).collect())
    }

    async fn replace(&self, record: &Record, guard: Option<&Guard>) -> Result<Written, PortError> {
        self.call().write("replace", record, |current| guarded(current, guard))
    }

    async fn replace_all(
        &self,
        writes: &[Replacement],
    ) -> Result<Vec<Result<Written, PortError>>, PortError> {
        let mut tables = self.call();
        let each = writes.iter().map(|Replacement { record, guard }| {
            let written = tables
                .write_planned("replace_all", record, |current| guarded(current, guard.as_ref()));
            if guard.is_some() { written } else { written.map(inserted) }
        });
        Ok(each.collect())
    }

    async fn settle(
        &self,
        records: &[Record],
        items: &[&TableItem],
        closing: Option<&Lease>,
        counts: Option<&ContainerCounts>,
    ) -> Result<Vec<Written>, PortError> {
        let mut tables = self.call();
        named_twice(items)?;
        if let Some(lease) = closing {
            // A failure is harmless and is not reported.
            let _ = tables.remove_control(&size::lease(lease).key);
        }
        let running = |record: &Record| Guard { state: "running", fence: record.fence };
        let ignores = tables.habits.ignores_fences || is_on(Mutant::SettledWithoutFence);
        let each = records.iter().map(|record| {
            let guard = running(record);
            tables.write_entry("settle", record, |now| ignores || guarded(now, Some(&guard)))
        });
        let mut written: Vec<Written> = each.collect();
        // As in DynamoDB, an INSERT cannot replace an item.
        let unknown = |error: PortError| Written::Unknown(error.to_string());
        let each = items.iter();
        written.extend(each.map(|item| tables.write_item(item, false).unwrap_or_else(unknown)));
        written.extend(counts.map(|counts| {
            if tables.control.buckets.contains_key(&counts.key) != counts.exists {
                return Written::No(None);
            }
            match tables.put_counts(counts) {
                Ok(()) => Written::Yes,
                Err(error) => Written::Unknown(error.to_string()),
            }
        }));
        Ok(written)
    }

    async fn put_item(&self, item: &TableItem) -> Result<Written, PortError> {
        self.call().write_item(item, true)
    }

    async fn index_lease_expiry(&self, record: &Record) -> Result<Written, PortError> {
        let mut tables = self.call();
        // If there is no record, the condition does not hold and nothing is written.
        let current = tables.records.get(&record.key).unwrap_or(record).clone();
        let indexed = current.with_lease_expiry_indexed();
        let guard = record.guard();
        tables.write("index_lease_expiry", &indexed, |current| guarded(current, Some(&guard)))
    }

    async fn reject(&self, body: &RejectedMessage) -> Result<(), PortError> {
        let mut tables = self.call();
        tables.spend(format_args!("jobs/{}", body.key), Units::write(size::rejected(body)))?;
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

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
