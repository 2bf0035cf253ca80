//! The contents of the simulated tables, and how DynamoDB serves them.
//!
//! Tables begin calm: the index is up to date, nothing expires by itself, no entry of a batch fails on
//! its own, and no partition is throttled. Each of these is a switch of [`TableHabits`] or a plan.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    time::Duration,
};

use super::{
    applied::{AppliedWrite, Observer},
    clock::TestClock,
    control_table::{ControlKey, ControlTable},
    units::{Meter, Units},
};
use crate::{
    aws::size::{self, ControlItem},
    base::time::{Clock, Time},
    message::RejectedMessage,
    ports::{PortError, Written, maintenance::DueJob},
    record::Record,
    record::item::{Condition, TableItem, Value},
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
    /// The state in which records are refused as invalid.
    pub refuses: Option<&'static str>,
    /// The key of a record that a newer version has written: it cannot be read.
    pub unreadable: Option<&'static str>,
    /// A bug that is planted to test what looks for bugs: the end of a run is written whatever the record's fence is.
    pub ignores_fences: bool,
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

/// The attributes of an item of a job type, without its keys.
pub type ItemAttributes = Vec<(&'static str, Value)>;

pub(super) fn item_key(table: &str, [partition, sort]: [&str; 2]) -> [String; 3] {
    [table.to_owned(), partition.to_owned(), sort.to_owned()]
}

#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) records: BTreeMap<String, Record>,
    /// The keys of the records of jobs that have not ended.
    pub(super) open: BTreeSet<String>,
    /// The index `due` as queries see it, by partition.
    due: BTreeMap<String, BTreeSet<DueJob>>,
    lagging: VecDeque<IndexChange>,
    pub(super) rejected: BTreeMap<String, RejectedMessage>,
    /// Items of job types, by table and keys.
    pub(super) items: BTreeMap<[String; 3], ItemAttributes>,
    pub(super) control: ControlTable,
    /// Planned outcomes of entries, by the name of the call.
    pub(super) outcomes: BTreeMap<&'static str, VecDeque<EntryOutcome>>,
    pub(super) habits: TableHabits,
    pub(super) meter: Meter,
    pub(super) calls: usize,
    pub(super) reads: usize,
    pub(super) changed: Vec<String>,
    pub(super) observer: Observer,
    clock: TestClock,
    expired_until: Time,
}

/// A record's partition of the index `due` and its entry there.
fn entry(record: &Record) -> Option<(String, DueJob)> {
    let entry = record.due_entry()?;
    Some((entry.partition, DueJob { due_at: entry.due_at, key: record.key.clone() }))
}

/// Whether the index shows other attributes of a record than before.
fn is_shown_otherwise(before: &Record, after: &Record) -> bool {
    size::due_projection(before) != size::due_projection(after)
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
        if record.phase.ended_at().is_none() {
            self.open.insert(record.key.clone());
        } else {
            self.open.remove(&record.key);
        }
        self.records.insert(record.key.clone(), record);
    }

    pub(super) fn unset(&mut self, key: &str) -> bool {
        let old = self.records.remove(key);
        self.open.remove(key);
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

    /// The entries of a partition of the index that are due in a span of time, as a query sees them now.
    pub(super) fn due(
        &mut self,
        partition: &str,
        [from, until]: [Time; 2],
    ) -> impl Iterator<Item = &DueJob> {
        self.catch_up();
        let first = DueJob { due_at: from, key: String::new() };
        let entries = self.due.get(partition).map(|entries| entries.range(first..));
        entries.into_iter().flatten().take_while(move |entry| entry.due_at <= until)
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
        for key in self.control.expired(now.before(late)) {
            self.control.remove(&key);
        }
    }

    /// Whether units are counted. If not, no item needs its size measured.
    pub(super) fn counts_units(&self) -> bool {
        self.meter.counts()
    }

    /// Uses units of a partition, if they are counted. Fails if it is throttled.
    pub(super) fn spend(
        &mut self,
        partition: fmt::Arguments<'_>,
        units: Units,
    ) -> Result<(), PortError> {
        if !self.counts_units() {
            return Ok(());
        }
        let now = self.now();
        let is_served = self.meter.spend(&partition.to_string(), units, now);
        if is_served { Ok(()) } else { Err(throttled()) }
    }

    /// Uses the units of writing an item to the control table.
    pub(super) fn spend_control(&mut self, item: &ControlItem) -> Result<(), PortError> {
        let larger = self.control.bytes(&item.key).max(item.bytes);
        self.spend(format_args!("control/{}", item.key[0]), Units::write(larger))
    }

    /// Uses the units of reading this many bytes of a partition of the control table, consistently.
    pub(super) fn read_control(
        &mut self,
        partition: fmt::Arguments<'_>,
        bytes: usize,
    ) -> Result<(), PortError> {
        self.spend(format_args!("control/{partition}"), Units::read(bytes))
    }

    /// Removes an item of the control table and uses the units of that.
    pub(super) fn remove_control(&mut self, key: &ControlKey) -> Result<bool, PortError> {
        let bytes = self.control.bytes(key);
        self.spend(format_args!("control/{}", key[0]), Units::write(bytes))?;
        Ok(self.control.remove(key))
    }

    /// Removes a record and uses the units of that, in the table and in the index.
    pub(super) fn remove_record(&mut self, key: &str) -> Result<bool, PortError> {
        let Some(record) = self.records.get(key).cloned() else { return Ok(false) };
        self.spend(format_args!("jobs/{key}"), Units::write(size::record(&record)))?;
        self.spend_entry(&record)?;
        Ok(self.unset(key))
    }

    /// Uses the units of writing or removing a record's entry on the index.
    fn spend_entry(&mut self, record: &Record) -> Result<(), PortError> {
        if !self.counts_units() {
            return Ok(());
        }
        let Some((partition, _)) = entry(record) else { return Ok(()) };
        self.spend(format_args!("due/{partition}"), Units::write(size::due_entry(record)))
    }

    /// Uses the units of writing `after` over `before`, in the table and in the index.
    fn spend_record(&mut self, before: Option<&Record>, after: &Record) -> Result<(), PortError> {
        let size = size::record(after);
        if size > MAX_ITEM_BYTES {
            return Err(PortError::Invalid(format!(
                "ValidationException: an item of {size} bytes"
            )));
        }
        if self.habits.refuses == Some(after.phase.name()) {
            return Err(PortError::Invalid("ValidationException: as asked".into()));
        }
        if !self.counts_units() {
            return Ok(());
        }
        let larger = before.map(size::record).unwrap_or_default().max(size);
        self.spend(format_args!("jobs/{}", after.key), Units::write(larger))?;
        let old = before.and_then(entry);
        if old == entry(after) {
            // The entry keeps its place. It is written only if an attribute of it has changed.
            let before = before.filter(|before| old.is_some() && is_shown_otherwise(before, after));
            return before.map_or(Ok(()), |_| self.spend_entry(after));
        }
        if let Some(before) = before {
            self.spend_entry(before)?;
        }
        self.spend_entry(after)
    }

    /// Writes `record` if `holds` is true for the record in the table. A refused write costs the units of
    /// writing the existing item, at least one.
    pub(super) fn write(
        &mut self,
        call: &'static str,
        record: &Record,
        holds: impl FnOnce(Option<&Record>) -> bool,
    ) -> Result<Written, PortError> {
        let current = self.records.get(&record.key).cloned();
        if !holds(current.as_ref()) {
            if self.counts_units() {
                let bytes = current.as_ref().map(size::record).unwrap_or_default();
                self.spend(format_args!("jobs/{}", record.key), Units::write(bytes))?;
            }
            return Ok(Written::No(current.map(Box::new)));
        }
        self.spend_record(current.as_ref(), record)?;
        self.set(record.clone());
        self.changed.push(record.key.clone());
        let at = self.now();
        if let Some(told) = &mut self.observer.0 {
            told(&AppliedWrite { call, at, before: current.as_ref(), after: record });
        }
        Ok(Written::Yes)
    }

    /// Writes an item of a job type, if its condition holds. `is_alone`: whether by a call of its own, which can
    /// compare more than the one that ends a run.
    pub(super) fn write_item(
        &mut self,
        item: &TableItem,
        is_alone: bool,
    ) -> Result<Written, PortError> {
        let [(_, partition), (_, sort)] = &item.key;
        let key = item_key(&item.table, [partition, sort]);
        self.spend(format_args!("{}/{partition}", item.table), Units::write(item.bytes()))?;
        let stored = self.items.get(&key).map(Vec::as_slice);
        let holds = if is_alone { item.may_replace(stored) } else { item.is_as_expected(stored) };
        if !holds {
            return Ok(Written::No(None));
        }
        let attributes = self.items.entry(key).or_default();
        if item.condition == Condition::Always {
            attributes.clear();
        }
        for (name, value) in &item.attributes {
            attributes.retain(|(known, _)| known != name);
            attributes.push((name, value.clone()));
        }
        Ok(Written::Yes)
    }

    /// Reads a record and uses the units of that.
    pub(super) fn read_record(&mut self, key: &str) -> Result<Option<Record>, PortError> {
        let record = self.records.get(key).cloned();
        if self.counts_units() {
            let bytes = record.as_ref().map(size::record).unwrap_or_default();
            self.spend(format_args!("jobs/{key}"), Units::read(bytes))?;
        }
        if self.habits.unreadable == Some(key) {
            return Err(PortError::Unreadable("format: 2, expected at most 1".into()));
        }
        Ok(record)
    }

    /// Writes an entry of a batch: `call` names the batch's call. Every error counts as one of the moment.
    pub(super) fn write_entry(
        &mut self,
        call: &'static str,
        record: &Record,
        holds: impl FnOnce(Option<&Record>) -> bool,
    ) -> Written {
        let written = self.write_planned(call, record, holds);
        written.unwrap_or_else(|error| Written::Unknown(error.to_string()))
    }

    /// The same with the error as it is.
    pub(super) fn write_planned(
        &mut self,
        call: &'static str,
        record: &Record,
        holds: impl FnOnce(Option<&Record>) -> bool,
    ) -> Result<Written, PortError> {
        let planned = self.outcomes.get_mut(call).and_then(VecDeque::pop_front);
        match planned.unwrap_or(EntryOutcome::Applied) {
            EntryOutcome::Applied => self.write(call, record, holds),
            EntryOutcome::Refused => {
                Ok(Written::No(self.records.get(&record.key).cloned().map(Box::new)))
            }
            EntryOutcome::Throttled => Err(throttled()),
            EntryOutcome::InDoubt => {
                let _ = self.write(call, record, holds);
                Ok(Written::Unknown("InternalServerError: the outcome is unknown".into()))
            }
        }
    }
}
