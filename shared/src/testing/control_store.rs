//! The control table in memory: the port.

use std::{borrow::Borrow, collections::BTreeMap};

use super::{
    MemoryStore,
    control_table::{ControlTable, Held},
    store::text_of,
    tables::Tables,
};
use crate::{
    aws::size::{self, ControlItem},
    base::time::Time,
    dependency::{
        breaker::Breaker,
        limiter::Limiter,
        quota::Usage,
        stats::{Bucket, BucketKey, ContainerCounts},
    },
    ports::{Control, LimiterSwap, PortError, Seen, Swapped, notes::NoteKey},
    record::lease::Lease,
};

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

    fn breaker(&mut self, dependency: &str) -> Result<Seen<Breaker>, PortError> {
        let seen = self.control.breakers.get(dependency).cloned().unwrap_or_default();
        if self.counts_units() {
            let item = size::breaker(dependency, &seen.value);
            self.read_control(format_args!("{}", item.key[0]), item.bytes)?;
        }
        Ok(seen)
    }

    fn limiter(&mut self, name: &str) -> Result<Seen<Limiter>, PortError> {
        let seen = self.control.limiters.get(name).cloned().unwrap_or_default();
        if self.counts_units() {
            let item = size::limiter(name, &seen.value);
            self.read_control(format_args!("{}", item.key[0]), item.bytes)?;
        }
        Ok(seen)
    }

    fn swap_limiter(
        &mut self,
        name: &str,
        next: &Limiter,
        revision: u64,
    ) -> Result<Swapped<Limiter>, PortError> {
        let (item, owned) = (size::limiter(name, next), name.to_owned());
        match next_of(&self.control.limiters, name, next, revision) {
            Ok(next) => self.put(item, Held::Limiter(owned.clone()), |control| {
                control.limiters.insert(owned, next);
            })?,
            Err(current) => {
                self.spend_control(&item)?;
                return Ok(Swapped::No(current));
            }
        }
        Ok(Swapped::Yes)
    }

    pub(super) fn put_lease(&mut self, lease: &Lease) -> Result<(), PortError> {
        let owner = lease.owner.clone();
        self.put(size::lease(lease), Held::Lease(owner.clone()), |control| {
            control.leases.insert(owner, lease.clone());
        })
    }

    /// Writes what a container has counted, whatever is there.
    pub(super) fn put_counts(&mut self, counts: &ContainerCounts) -> Result<(), PortError> {
        let ContainerCounts { key, bucket, expires_at, .. } = counts;
        let item = size::bucket(key, bucket, *expires_at);
        self.put(item, Held::Bucket(key.clone()), |control| {
            control.buckets.insert(key.clone(), bucket.clone());
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

/// The value to write if the current one still has this revision, or else the current one.
fn next_of<K, N, T>(
    values: &BTreeMap<K, Seen<T>>,
    name: &N,
    next: &T,
    revision: u64,
) -> Result<Seen<T>, Seen<T>>
where
    K: Borrow<N> + Ord,
    N: Ord + ?Sized,
    T: Clone + Default,
{
    let current = values.get(name).cloned().unwrap_or_default();
    if current.revision == revision {
        Ok(Seen { value: next.clone(), revision: revision + 1 })
    } else {
        Err(current)
    }
}

impl Control for MemoryStore {
    async fn breaker(&self, dependency: &str) -> Result<Seen<Breaker>, PortError> {
        self.call().breaker(dependency)
    }

    async fn breakers(
        &self,
        dependencies: &[String],
    ) -> Result<Vec<Result<Seen<Breaker>, PortError>>, PortError> {
        let mut tables = self.call();
        Ok(dependencies.iter().map(|dependency| tables.breaker(dependency)).collect())
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

    async fn limiter(&self, name: &str) -> Result<Seen<Limiter>, PortError> {
        self.call().limiter(name)
    }

    async fn limiters(
        &self,
        names: &[String],
    ) -> Result<Vec<Result<Seen<Limiter>, PortError>>, PortError> {
        let mut tables = self.call();
        Ok(names.iter().map(|name| tables.limiter(name)).collect())
    }

    async fn swap_limiter(
        &self,
        name: &str,
        next: &Limiter,
        revision: u64,
    ) -> Result<Swapped<Limiter>, PortError> {
        self.call().swap_limiter(name, next, revision)
    }

    async fn swap_limiters(
        &self,
        swaps: &[LimiterSwap],
    ) -> Result<Vec<Result<Swapped<Limiter>, PortError>>, PortError> {
        let mut tables = self.call();
        let swap = |swap: &LimiterSwap| tables.swap_limiter(&swap.name, &swap.next, swap.revision);
        Ok(swaps.iter().map(swap).collect())
    }

    async fn quota(&self, limiter: &str, what: &str) -> Result<Seen<Usage>, PortError> {
        let mut tables = self.call();
        let key = [limiter, what].map(str::to_owned);
        let seen = tables.control.quotas.get(&key).cloned().unwrap_or_default();
        let item = size::quota(limiter, what, &seen.value);
        tables.read_control(format_args!("{}", item.key[0]), item.bytes)?;
        Ok(seen)
    }

    async fn swap_quota(
        &self,
        limiter: &str,
        what: &str,
        next: &Usage,
        revision: u64,
    ) -> Result<Swapped<Usage>, PortError> {
        let mut tables = self.call();
        let (item, key) = (size::quota(limiter, what, next), [limiter, what].map(str::to_owned));
        match next_of(&tables.control.quotas, &key, next, revision) {
            Ok(next) => tables.put(item, Held::Quota(key.clone()), |control| {
                control.quotas.insert(key, next);
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

    async fn put_counts(&self, counts: &ContainerCounts) -> Result<(), PortError> {
        self.call().put_counts(counts)
    }

    async fn note(&self, place: &NoteKey) -> Result<Seen<Option<String>>, PortError> {
        let mut tables = self.call();
        tables.reads += 1;
        let note = tables.control.notes.get(place).cloned().unwrap_or_default();
        if tables.counts_units() {
            let item = size::note(place, &text_of(&note), Time::default());
            tables.read_control(format_args!("{}", item.key[0]), item.bytes)?;
        }
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
        // Keys sort by subject, then by start: a fleet's statistics are too many to look at each.
        let first = BucketKey { subject: subject.to_owned(), start: from, generation: 0, shard: 0 };
        let mut tables = self.call();
        let from_first = tables.control.buckets.range(first..);
        let of_subject = from_first.take_while(|(key, _)| key.subject == subject);
        let found = of_subject.filter(|(key, _)| key.shard < shards);
        let found: Vec<_> = found.map(|(key, bucket)| (key.clone(), bucket.clone())).collect();
        if !tables.counts_units() {
            return Ok(found);
        }
        for shard in 0..shards {
            let of_shard = found.iter().filter(|(key, _)| key.shard == shard);
            let bytes = of_shard.map(|(key, bucket)| size::bucket(key, bucket, from).bytes).sum();
            tables.read_control(format_args!("stats#{subject}#{shard}"), bytes)?;
        }
        Ok(found)
    }
}
