//! The job table and the leases in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    ports::{PortError, Quarantined, Store, Written},
    record::{Guard, Lease, Record},
};

/// [`Store`] in memory; clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Tables>>);

#[derive(Debug, Default)]
struct Tables {
    records: BTreeMap<String, Record>,
    quarantined: BTreeMap<String, Quarantined>,
    leases: BTreeMap<String, Lease>,
    calls: usize,
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self) -> MutexGuard<'_, Tables> {
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

    /// Every quarantined body, by key.
    #[must_use]
    pub fn quarantined(&self) -> Vec<Quarantined> {
        self.lock().quarantined.values().cloned().collect()
    }

    /// Every lease that was not removed.
    #[must_use]
    pub fn leases(&self) -> Vec<Lease> {
        self.lock().leases.values().cloned().collect()
    }

    /// Calls so far: each is a round trip.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.lock().calls
    }
}

impl Tables {
    /// Writes `record` if `holds` of the one in its place.
    fn write(&mut self, record: &Record, holds: impl FnOnce(Option<&Record>) -> bool) -> Written {
        let current = self.records.get(&record.key);
        if !holds(current) {
            return Written::No(current.cloned().map(Box::new));
        }
        self.records.insert(record.key.clone(), record.clone());
        Written::Yes
    }
}

fn guarded(current: Option<&Record>, guard: Option<&Guard>) -> bool {
    current.map(Record::guard).as_ref() == guard
}

impl Store for MemoryStore {
    async fn insert(&self, records: &[Record], lease: &Lease) -> Result<Vec<Written>, PortError> {
        let mut tables = self.call();
        let mut written: Vec<Written> = records
            .iter()
            // As DynamoDB: a refused INSERT does not show what is in its way.
            .map(|record| match tables.write(record, |current| current.is_none()) {
                Written::No(_) => Written::No(None),
                other => other,
            })
            .collect();
        let known = tables.leases.insert(lease.owner.clone(), lease.clone());
        written.push(if known.is_none() { Written::Yes } else { Written::No(None) });
        Ok(written)
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
        }
        let running = |record: &Record| Guard { state: "running", fence: record.fence };
        Ok(records
            .iter()
            .map(|record| tables.write(record, |now| guarded(now, Some(&running(record)))))
            .collect())
    }

    async fn arm(&self, record: &Record) -> Result<Written, PortError> {
        let mut tables = self.call();
        match tables.records.get_mut(&record.key) {
            Some(current) if current.guard() == record.guard() => {
                *current = current.armed();
                Ok(Written::Yes)
            }
            other => Ok(Written::No(other.cloned().map(Box::new))),
        }
    }

    async fn quarantine(&self, body: &Quarantined) -> Result<(), PortError> {
        let mut tables = self.call();
        let known = tables.quarantined.get(&body.key);
        if known.is_none_or(|known| known.at < body.renewed_after()) {
            tables.quarantined.insert(body.key.clone(), body.clone());
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
