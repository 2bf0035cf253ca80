//! Fault injection at the ports of a function.

use super::{Faulty, wire};
use crate::{
    base::time::Time,
    dependency::{
        breaker::Breaker,
        limiter::Limiter,
        quota::Usage,
        stats::{Bucket, BucketKey, ContainerCounts},
    },
    message::{OutgoingMessage, RejectedMessage},
    ports::{
        Control, ExtendVisibility, LimiterSwap, PortError, Queue, Replacement, SecretSource, Seen,
        Store, Swapped, Written, notes::NoteKey,
    },
    record::item::TableItem,
    record::{Guard, Record, lease::Lease},
};

/// The keys of records, for a trace.
fn keys(records: &[Record]) -> String {
    let keys: Vec<&str> = records.iter().map(|record| record.key.as_str()).collect();
    keys.join(" ")
}

/// The result of a call whose entries are all throttled.
fn throttled(entries: usize) -> Vec<Written> {
    vec![Written::Unknown("ThrottlingError".into()); entries]
}

impl<T: Store + Clone + 'static> Store for Faulty<T> {
    async fn insert(&self, records: &[Record], lease: &Lease) -> Result<Vec<Written>, PortError> {
        let throttled = throttled(records.len() + 1);
        let (work, later) =
            (self.port.insert(records, lease), || Some(wire::insert(&self.port, records, lease)));
        self.faults.call_or_later("insert", keys(records), work, Some(throttled), later).await
    }

    async fn enqueue(&self, records: &[Record]) -> Result<Vec<Written>, PortError> {
        let throttled = throttled(records.len());
        self.faults
            .call("enqueue", keys(records), self.port.enqueue(records), Some(throttled))
            .await
    }

    async fn read(&self, key: &str) -> Result<Option<Record>, PortError> {
        self.faults.call("read", key.to_owned(), self.port.read(key), None).await
    }

    async fn read_all(
        &self,
        keys: &[String],
    ) -> Result<Vec<Result<Option<Record>, PortError>>, PortError> {
        let throttled = PortError::Unavailable("ThrottlingError".into());
        let throttled = keys.iter().map(|_| Err(throttled.clone())).collect();
        let read = self.port.read_all(keys);
        self.faults.call("read_all", keys.join(" "), read, Some(throttled)).await
    }

    async fn replace(&self, record: &Record, guard: Option<&Guard>) -> Result<Written, PortError> {
        let (work, later) =
            (self.port.replace(record, guard), || Some(wire::replace(&self.port, record, guard)));
        self.faults.call_or_later("replace", record.key.clone(), work, None, later).await
    }

    async fn replace_all(
        &self,
        writes: &[Replacement],
    ) -> Result<Vec<Result<Written, PortError>>, PortError> {
        let keys: Vec<&str> = writes.iter().map(|write| write.record.key.as_str()).collect();
        let throttled = throttled(writes.len()).into_iter().map(Ok).collect();
        let (work, later) =
            (self.port.replace_all(writes), || Some(wire::replace_all(&self.port, writes)));
        self.faults.call_or_later("replace_all", keys.join(" "), work, Some(throttled), later).await
    }

    async fn settle(
        &self,
        records: &[Record],
        items: &[&TableItem],
        closing: Option<&Lease>,
        counts: Option<&ContainerCounts>,
    ) -> Result<Vec<Written>, PortError> {
        let throttled = throttled(records.len() + items.len() + usize::from(counts.is_some()));
        let work = self.port.settle(records, items, closing, counts);
        let later = || Some(wire::settle(&self.port, records, items, closing, counts));
        self.faults.call_or_later("settle", keys(records), work, Some(throttled), later).await
    }

    async fn put_item(&self, item: &TableItem) -> Result<Written, PortError> {
        let [_, (_, name)] = &item.key;
        self.faults.call("put_item", name.clone(), self.port.put_item(item), None).await
    }

    async fn index_lease_expiry(&self, record: &Record) -> Result<Written, PortError> {
        let (work, later) = (self.port.index_lease_expiry(record), || {
            Some(wire::index_lease_expiry(&self.port, record))
        });
        let about = record.key.clone();
        self.faults.call_or_later("index_lease_expiry", about, work, None, later).await
    }

    async fn reject(&self, body: &RejectedMessage) -> Result<(), PortError> {
        self.faults.call("reject", body.key.clone(), self.port.reject(body), None).await
    }

    async fn lease(&self, lease: &Lease) -> Result<(), PortError> {
        let (work, later) = (self.port.lease(lease), || Some(wire::lease(&self.port, lease)));
        self.faults.call_or_later("lease", lease.owner.clone(), work, None, later).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), PortError> {
        let (work, later) = (self.port.release(lease), || Some(wire::release(&self.port, lease)));
        self.faults.call_or_later("release", lease.owner.clone(), work, None, later).await
    }
}

impl<T: Control> Control for Faulty<T> {
    async fn breaker(&self, dependency: &str) -> Result<Seen<Breaker>, PortError> {
        self.faults
            .call("breaker", dependency.to_owned(), self.port.breaker(dependency), None)
            .await
    }

    async fn breakers(
        &self,
        dependencies: &[String],
    ) -> Result<Vec<Result<Seen<Breaker>, PortError>>, PortError> {
        let read = self.port.breakers(dependencies);
        self.faults.call("breakers", dependencies.join(" "), read, None).await
    }

    async fn swap_breaker(
        &self,
        dependency: &str,
        next: &Breaker,
        revision: u64,
    ) -> Result<Swapped<Breaker>, PortError> {
        let swap = self.port.swap_breaker(dependency, next, revision);
        self.faults.call("swap_breaker", dependency.to_owned(), swap, None).await
    }

    async fn limiter(&self, dependency: &str) -> Result<Seen<Limiter>, PortError> {
        self.faults
            .call("limiter", dependency.to_owned(), self.port.limiter(dependency), None)
            .await
    }

    async fn limiters(
        &self,
        names: &[String],
    ) -> Result<Vec<Result<Seen<Limiter>, PortError>>, PortError> {
        self.faults.call("limiters", names.join(" "), self.port.limiters(names), None).await
    }

    async fn swap_limiters(
        &self,
        swaps: &[LimiterSwap],
    ) -> Result<Vec<Result<Swapped<Limiter>, PortError>>, PortError> {
        let names: Vec<&str> = swaps.iter().map(|swap| swap.name.as_str()).collect();
        let throttled = PortError::Unavailable("ThrottlingError".into());
        let throttled = vec![Err(throttled); swaps.len()];
        let swap = self.port.swap_limiters(swaps);
        self.faults.call("swap_limiters", names.join(" "), swap, Some(throttled)).await
    }

    async fn swap_limiter(
        &self,
        dependency: &str,
        next: &Limiter,
        revision: u64,
    ) -> Result<Swapped<Limiter>, PortError> {
        let swap = self.port.swap_limiter(dependency, next, revision);
        self.faults.call("swap_limiter", dependency.to_owned(), swap, None).await
    }

    async fn quota(&self, limiter: &str, what: &str) -> Result<Seen<Usage>, PortError> {
        self.faults.call("quota", what.to_owned(), self.port.quota(limiter, what), None).await
    }

    async fn swap_quota(
        &self,
        limiter: &str,
        what: &str,
        next: &Usage,
        revision: u64,
    ) -> Result<Swapped<Usage>, PortError> {
        let swap = self.port.swap_quota(limiter, what, next, revision);
        self.faults.call("swap_quota", what.to_owned(), swap, None).await
    }

    async fn add_to_bucket(
        &self,
        key: &BucketKey,
        bucket: &Bucket,
        expires_at: Time,
    ) -> Result<Bucket, PortError> {
        self.faults
            .call(
                "add_to_bucket",
                key.subject.clone(),
                self.port.add_to_bucket(key, bucket, expires_at),
                None,
            )
            .await
    }

    async fn put_counts(&self, counts: &ContainerCounts) -> Result<(), PortError> {
        let put = self.port.put_counts(counts);
        self.faults.call("put_counts", counts.key.subject.clone(), put, None).await
    }

    async fn note(&self, place: &NoteKey) -> Result<Seen<Option<String>>, PortError> {
        self.faults.call("note", place.name.clone(), self.port.note(place), None).await
    }

    async fn put_note(&self, place: &NoteKey, text: &str, until: Time) -> Result<(), PortError> {
        self.faults
            .call("put_note", place.name.clone(), self.port.put_note(place, text, until), None)
            .await
    }

    async fn buckets(
        &self,
        subject: &str,
        shards: u8,
        from: Time,
    ) -> Result<Vec<(BucketKey, Bucket)>, PortError> {
        let read = self.port.buckets(subject, shards, from);
        self.faults.call("buckets", format!("{subject} from {from}"), read, None).await
    }
}

impl<T: Queue + Clone + 'static> Queue for Faulty<T> {
    async fn send(
        &self,
        queue: &str,
        messages: &[OutgoingMessage],
    ) -> Result<Vec<bool>, PortError> {
        let refused = vec![false; messages.len()];
        let (work, later) =
            (self.port.send(queue, messages), || Some(wire::send(&self.port, queue, messages)));
        self.faults.call_or_later("send", queue.to_owned(), work, Some(refused), later).await
    }

    async fn extend_visibility(
        &self,
        queue: &str,
        messages: &[ExtendVisibility],
    ) -> Result<(), PortError> {
        self.faults
            .call(
                "extend_visibility",
                queue.to_owned(),
                self.port.extend_visibility(queue, messages),
                None,
            )
            .await
    }
}

impl<T: SecretSource> SecretSource for Faulty<T> {
    async fn fetch(&self) -> Result<String, PortError> {
        self.faults.call("fetch", String::new(), self.port.fetch(), None).await
    }
}
