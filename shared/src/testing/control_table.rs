//! The items of the simulated control table: each kind by its own key, and all of them by the keys
//! that they have in DynamoDB.

use std::{collections::BTreeMap, ops::Bound};

use crate::{
    aws::size::ControlItem,
    base::time::Time,
    dependency::{
        breaker::Breaker,
        limiter::Limiter,
        quota::Usage,
        stats::{Bucket, BucketKey},
    },
    ports::{Seen, notes::NoteKey},
    record::lease::Lease,
};

/// The partition key and the sort key of an item.
pub(super) type ControlKey = [String; 2];

/// What an item holds.
#[derive(Clone, Debug)]
pub(super) enum Held {
    /// By its owner.
    Lease(String),
    /// By its dependency.
    Breaker(String),
    /// By its dependency.
    Limiter(String),
    /// By its limiter and what it counts.
    Quota([String; 2]),
    Bucket(BucketKey),
    Note(NoteKey),
}

/// An item as the table keeps it.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    held: Held,
    pub(super) expires_at: Time,
    pub(super) bytes: usize,
}

#[derive(Debug, Default)]
pub(super) struct ControlTable {
    pub(super) leases: BTreeMap<String, Lease>,
    pub(super) breakers: BTreeMap<String, Seen<Breaker>>,
    pub(super) limiters: BTreeMap<String, Seen<Limiter>>,
    pub(super) quotas: BTreeMap<[String; 2], Seen<Usage>>,
    pub(super) buckets: BTreeMap<BucketKey, Bucket>,
    pub(super) notes: BTreeMap<NoteKey, Seen<Option<String>>>,
    items: BTreeMap<ControlKey, Kept>,
    /// The largest item so far: its partition and its size.
    pub(super) largest: (String, usize),
}

impl ControlTable {
    /// Registers an item whose value was written.
    pub(super) fn keep(&mut self, item: ControlItem, held: Held) {
        let ControlItem { key, expires_at, bytes } = item;
        if bytes > self.largest.1 {
            self.largest = (key[0].clone(), bytes);
        }
        self.items.insert(key, Kept { held, expires_at, bytes });
    }

    /// Size of the item with this key, in bytes; 0 if there is none.
    pub(super) fn bytes(&self, key: &ControlKey) -> usize {
        self.items.get(key).map_or(0, |kept| kept.bytes)
    }

    /// When the item with this key expires.
    pub(super) fn expires_at(&self, key: &ControlKey) -> Option<Time> {
        self.items.get(key).map(|kept| kept.expires_at)
    }

    /// Removes an item; whether there was one.
    pub(super) fn remove(&mut self, key: &ControlKey) -> bool {
        let Some(kept) = self.items.remove(key) else { return false };
        match kept.held {
            Held::Lease(owner) => drop(self.leases.remove(&owner)),
            Held::Breaker(dependency) => drop(self.breakers.remove(&dependency)),
            Held::Limiter(dependency) => drop(self.limiters.remove(&dependency)),
            Held::Quota(quota) => drop(self.quotas.remove(&quota)),
            Held::Bucket(bucket) => drop(self.buckets.remove(&bucket)),
            Held::Note(place) => drop(self.notes.remove(&place)),
        }
        true
    }

    /// The notes of a kind in the order of their names, from the name `from` on.
    pub(super) fn notes_of(
        &self,
        kind: &'static str,
        from: &str,
    ) -> impl Iterator<Item = (&NoteKey, &Seen<Option<String>>)> {
        let notes = self.notes.range(NoteKey::new(kind, from)..);
        notes.take_while(move |(place, _)| place.kind == kind)
    }

    /// The keys of the items that have expired at `now`.
    pub(super) fn expired(&self, now: Time) -> Vec<ControlKey> {
        let expired = self.items.iter().filter(|(_, kept)| kept.expires_at <= now);
        expired.map(|(key, _)| key.clone()).collect()
    }

    /// The items after the key `from`, in the order of their keys.
    pub(super) fn after(
        &self,
        from: Option<&[String]>,
    ) -> impl Iterator<Item = (&ControlKey, &Kept)> {
        let first = from.map_or(Bound::Unbounded, Bound::Excluded);
        self.items.range::<[String], _>((first, Bound::Unbounded))
    }
}
