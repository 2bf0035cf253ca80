//! The maintenance ports in memory: tables and event source mappings.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{MemoryStore, store::text_of, tables::Tables, units::Units};
use crate::{
    aws::size,
    base::time::Time,
    message::RejectedMessage,
    ports::{
        PortError, Seen, Swapped,
        maintenance::{
            DueJob, MappingMaintenance, MappingSlots, Page, ScannedItem, Table, TableMaintenance,
        },
        notes::NoteKey,
    },
    record::{Record, due::due_partition, lease::Lease},
};

impl MemoryStore {
    /// Deletes the breaker of a dependency, as an operator may.
    pub fn remove_breaker(&self, dependency: &str) {
        self.lock().control.breakers.remove(dependency);
    }
}

impl TableMaintenance for MemoryStore {
    async fn due(
        &self,
        partition: &str,
        [from, until]: [Time; 2],
        most: usize,
    ) -> Result<Vec<DueJob>, PortError> {
        let mut tables = self.call();
        // Rejected messages are listed with the dead jobs of their type.
        let is_of_dead = partition.starts_with("dead#");
        let of_body = |body: &RejectedMessage| {
            is_of_dead && due_partition(&format!("dead#{}", body.kind), &body.key) == partition
        };
        let bodies = tables.rejected.values().filter(|body| of_body(body));
        let bodies = bodies.map(|body| DueJob { due_at: body.at, key: body.key.clone() });
        let bodies = bodies.filter(|body| (from..=until).contains(&body.due_at));
        let bodies: Vec<DueJob> = bodies.collect();
        let mut due: Vec<DueJob> =
            tables.due(partition, [from, until]).take(most).cloned().chain(bodies).collect();
        due.sort();
        due.truncate(most);
        tables.reads += due.len();
        if tables.counts_units() {
            let read = due.iter().filter_map(|entry| tables.records.get(&entry.key));
            let bytes = read.map(size::due_entry).sum();
            tables.spend(format_args!("due/{partition}"), Units::read_eventually(bytes))?;
        }
        Ok(due)
    }

    async fn leases(&self, of: u8, most: usize) -> Result<Vec<Lease>, PortError> {
        let mut tables = self.call();
        let here = |lease: &&Lease| size::lease_shard(lease) == u64::from(of);
        let mut leases: Vec<Lease> = tables.control.leases.values().filter(here).cloned().collect();
        leases.sort_by_key(|lease| lease.until);
        leases.truncate(most);
        tables.reads += leases.len();
        if tables.counts_units() {
            let bytes = leases.iter().map(|lease| size::lease(lease).bytes).sum();
            tables.read_control(format_args!("lease#{of}"), bytes)?;
        }
        Ok(leases)
    }

    async fn rejected(&self, key: &str) -> Result<Option<RejectedMessage>, PortError> {
        let mut tables = self.call();
        let found = tables.rejected.get(key).cloned();
        let bytes = found.as_ref().map(size::rejected).unwrap_or_default();
        tables.spend(format_args!("jobs/{key}"), Units::read(bytes))?;
        Ok(found)
    }

    async fn mark_released(&self, message: &RejectedMessage) -> Result<bool, PortError> {
        let mut tables = self.call();
        tables
            .spend(format_args!("jobs/{}", message.key), Units::write(size::rejected(message)))?;
        let found = tables.rejected.get_mut(&message.key);
        let found = found.filter(|found| found.at == message.at);
        Ok(found.map(|found| found.at = Time::default()).is_some())
    }

    async fn remove_released(&self, key: &str) -> Result<(), PortError> {
        let mut tables = self.call();
        let found = tables.rejected.get(key).filter(|found| found.at == Time::default());
        let Some(bytes) = found.map(size::rejected) else { return Ok(()) };
        tables.spend(format_args!("jobs/{key}"), Units::write(bytes))?;
        tables.rejected.remove(key);
        Ok(())
    }

    async fn page(
        &self,
        table: Table,
        from: Option<&[String]>,
        most: usize,
    ) -> Result<Page, PortError> {
        let mut tables = self.call();
        let after =
            |key: &String| from.is_none_or(|from| from.first().is_none_or(|from| key > from));
        let mut items: Vec<ScannedItem> = match table {
            Table::Jobs => {
                let jobs = tables.records.values().filter(|record| after(&record.key));
                let jobs = jobs.take(most + 1).map(|record| ScannedItem {
                    key: vec![record.key.clone()],
                    expires_at: record.expires_at(),
                    due_entry: record.due_entry(),
                    record: Some(Ok(record.clone())),
                });
                let bodies = tables.rejected.values().filter(|body| after(&body.key));
                let bodies = bodies.take(most + 1).map(|body| ScannedItem {
                    key: vec![body.key.clone()],
                    expires_at: Some(body.expires_at),
                    due_entry: None,
                    record: None,
                });
                jobs.chain(bodies).collect()
            }
            Table::Control => {
                let items = tables.control.after(from).take(most + 1);
                let items = items.map(|(key, kept)| ScannedItem {
                    key: key.to_vec(),
                    expires_at: Some(kept.expires_at),
                    due_entry: None,
                    record: None,
                });
                items.collect()
            }
            Table::Auxiliary => Vec::new(),
        };
        items.sort_by(|one, other| one.key.cmp(&other.key));
        let more = items.len() > most;
        items.truncate(most);
        tables.reads += items.len();
        if tables.counts_units() {
            let bytes = items.iter().map(|item| tables.bytes_of(item)).sum();
            tables.spend(format_args!("scan/{table:?}"), Units::read_eventually(bytes))?;
        }
        let next = items.last().filter(|_| more).map(|item| item.key.clone());
        Ok(Page { items, next })
    }

    async fn remove_expired(
        &self,
        table: Table,
        key: &[String],
        now: Time,
    ) -> Result<bool, PortError> {
        let mut tables = self.call();
        let expired = |at: Option<Time>| at.is_some_and(|at| at <= now);
        match (table, key) {
            (Table::Jobs, [key]) => {
                if expired(tables.records.get(key).and_then(Record::expires_at)) {
                    return tables.remove_record(key);
                }
                if expired(tables.rejected.get(key).map(|body| body.expires_at)) {
                    let bytes = tables.rejected.get(key).map(size::rejected).unwrap_or_default();
                    tables.spend(format_args!("jobs/{key}"), Units::write(bytes))?;
                    return Ok(tables.rejected.remove(key).is_some());
                }
                Ok(false)
            }
            (Table::Control, [partition, sort]) => {
                let key = [partition.clone(), sort.clone()];
                if expired(tables.control.expires_at(&key)) {
                    return tables.remove_control(&key);
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    async fn swap_note(
        &self,
        place: &NoteKey,
        text: &str,
        revision: u64,
        expires_at: Time,
    ) -> Result<Swapped<Option<String>>, PortError> {
        let mut tables = self.call();
        let current = tables.control.notes.get(place).cloned().unwrap_or_default();
        if current.revision != revision {
            tables.spend_control(&size::note(place, text, expires_at))?;
            return Ok(Swapped::No(current));
        }
        let next = Seen { value: Some(text.to_owned()), revision: revision + 1 };
        tables.put_note(place, next, expires_at)?;
        Ok(Swapped::Yes)
    }

    async fn notes(
        &self,
        kind: &'static str,
        from: &str,
        most: usize,
    ) -> Result<Vec<(String, String)>, PortError> {
        let mut tables = self.call();
        let notes = tables.control.notes_of(kind, from);
        let notes: Vec<_> =
            notes.take(most).map(|(place, note)| (place.name.clone(), text_of(note))).collect();
        tables.reads += notes.len();
        if tables.counts_units() {
            let bytes = |(name, text): &(String, String)| {
                size::note(&NoteKey::new(kind, name.as_str()), text, Time::default()).bytes
            };
            let bytes = notes.iter().map(bytes).sum();
            tables.read_control(format_args!("note#{kind}"), bytes)?;
        }
        Ok(notes)
    }

    async fn remove_note(&self, place: &NoteKey, text: &str) -> Result<(), PortError> {
        let mut tables = self.call();
        let item = size::note(place, text, Time::default());
        let note = tables.control.notes.get(place);
        if note.is_some_and(|note| note.value.as_deref() == Some(text)) {
            tables.remove_control(&item.key)?;
        } else {
            tables.spend_control(&item)?;
        }
        Ok(())
    }
}

impl Tables {
    /// Size of an item that a scan returned, in bytes.
    fn bytes_of(&self, item: &ScannedItem) -> usize {
        match (&item.record, item.key.as_slice()) {
            (Some(Ok(record)), _) => size::record(record),
            (_, [key]) => self.rejected.get(key).map(size::rejected).unwrap_or_default(),
            (_, [partition, sort]) => self.control.bytes(&[partition.clone(), sort.clone()]),
            _ => 0,
        }
    }
}

/// [`MappingMaintenance`] in memory; clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryMappings(Arc<Mutex<Known>>);

/// What is set of the mappings, by their ids.
#[derive(Debug, Default)]
struct Known {
    slots: BTreeMap<String, u32>,
    changing: BTreeSet<String>,
    paused: BTreeSet<String>,
}

impl MemoryMappings {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether a mapping is being changed.
    pub fn change(&self, mapping: &str, is_changing: bool) {
        let changing = &mut self.lock().changing;
        if is_changing {
            changing.insert(mapping.to_owned());
        } else {
            changing.remove(mapping);
        }
    }

    /// Sets the concurrency of a mapping, as a deployment does.
    pub fn put(&self, mapping: &str, slots: u32) {
        self.lock().slots.insert(mapping.to_owned(), slots);
    }

    /// The concurrency of a mapping; `None` if it is not known.
    #[must_use]
    pub fn slots(&self, mapping: &str) -> Option<u32> {
        self.lock().slots.get(mapping).copied()
    }

    /// The concurrency of every mapping, by its id.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, u32> {
        self.lock().slots.clone()
    }

    /// Lets a mapping deliver, or pauses it, as somebody does by hand.
    pub fn enable(&self, mapping: &str, enabled: bool) {
        let paused = &mut self.lock().paused;
        if enabled {
            paused.remove(mapping);
        } else {
            paused.insert(mapping.to_owned());
        }
    }

    /// Whether a mapping is paused.
    #[must_use]
    pub fn is_paused(&self, mapping: &str) -> bool {
        self.lock().paused.contains(mapping)
    }
}

impl MappingMaintenance for MemoryMappings {
    async fn concurrency(&self, mapping: &str) -> Result<Option<MappingSlots>, PortError> {
        let known = self.lock();
        if known.paused.contains(mapping) {
            return Ok(None);
        }
        let is_changing = known.changing.contains(mapping);
        Ok(known.slots.get(mapping).map(|slots| MappingSlots { slots: *slots, is_changing }))
    }

    async fn set_concurrency(&self, mapping: &str, slots: u32) -> Result<(), PortError> {
        self.put(mapping, slots);
        Ok(())
    }

    async fn set_enabled(&self, mapping: &str, enabled: bool) -> Result<(), PortError> {
        self.enable(mapping, enabled);
        Ok(())
    }
}
