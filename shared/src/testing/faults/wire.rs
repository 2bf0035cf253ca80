//! Calls that are on their way when their process no longer waits for them: a request that a time-out has given up, or
//! that its process did not live to see answered, may still arrive.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::{
    dependency::stats::ContainerCounts,
    message::OutgoingMessage,
    ports::{Queue, Replacement, Store},
    record::{Guard, Record, item::TableItem, lease::Lease},
};

/// A call that is made by the world, and whose answer reaches nobody.
pub(super) type Effect = BoxFuture<'static, ()>;

/// Lets a call take effect after this time, whatever else happens until then.
pub(super) fn later(span: Duration, effect: Option<Effect>) {
    if let Some(effect) = effect {
        tokio::spawn(async move {
            tokio::time::sleep(span).await;
            effect.await;
        });
    }
}

/// The writes of a store and a queue, as calls that own what they write.
pub(super) fn insert<S>(store: &S, records: &[Record], lease: &Lease) -> Effect
where
    S: Store + Clone + 'static,
{
    let (store, records, lease) = (store.clone(), records.to_vec(), lease.clone());
    Box::pin(async move {
        let _ = store.insert(&records, &lease).await;
    })
}

pub(super) fn replace<S>(store: &S, record: &Record, guard: Option<&Guard>) -> Effect
where
    S: Store + Clone + 'static,
{
    let (store, record, guard) = (store.clone(), record.clone(), guard.cloned());
    Box::pin(async move {
        let _ = store.replace(&record, guard.as_ref()).await;
    })
}

pub(super) fn replace_all<S>(store: &S, writes: &[Replacement]) -> Effect
where
    S: Store + Clone + 'static,
{
    let (store, writes) = (store.clone(), writes.to_vec());
    Box::pin(async move {
        let _ = store.replace_all(&writes).await;
    })
}

pub(super) fn settle<S>(
    store: &S,
    records: &[Record],
    items: &[&TableItem],
    closing: Option<&Lease>,
    counts: Option<&ContainerCounts>,
) -> Effect
where
    S: Store + Clone + 'static,
{
    let (store, records) = (store.clone(), records.to_vec());
    let items: Vec<TableItem> = items.iter().map(|item| (*item).clone()).collect();
    let (closing, counts) = (closing.cloned(), counts.cloned());
    Box::pin(async move {
        let items: Vec<&TableItem> = items.iter().collect();
        let _ = store.settle(&records, &items, closing.as_ref(), counts.as_ref()).await;
    })
}

pub(super) fn index_lease_expiry<S>(store: &S, record: &Record) -> Effect
where
    S: Store + Clone + 'static,
{
    let (store, record) = (store.clone(), record.clone());
    Box::pin(async move {
        let _ = store.index_lease_expiry(&record).await;
    })
}

pub(super) fn lease<S>(store: &S, lease: &Lease) -> Effect
where
    S: Store + Clone + 'static,
{
    let (store, lease) = (store.clone(), lease.clone());
    Box::pin(async move {
        let _ = store.lease(&lease).await;
    })
}

pub(super) fn release<S>(store: &S, lease: &Lease) -> Effect
where
    S: Store + Clone + 'static,
{
    let (store, lease) = (store.clone(), lease.clone());
    Box::pin(async move {
        let _ = store.release(&lease).await;
    })
}

pub(super) fn send<Q>(queue: &Q, name: &str, messages: &[OutgoingMessage]) -> Effect
where
    Q: Queue + Clone + 'static,
{
    let (queue, name, messages) = (queue.clone(), name.to_owned(), messages.to_vec());
    Box::pin(async move {
        let _ = queue.send(&name, &messages).await;
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{BEGINNING, Fault, Faults, MemoryStore};

    const SPAN: Duration = Duration::from_secs(5);

    fn lease_of(owner: &str) -> Lease {
        Lease { owner: owner.into(), until: BEGINNING, jobs: vec!["a".into()] }
    }

    /// How often the tables were called, at once and after the span.
    async fn calls(fault: Fault) -> [usize; 2] {
        let (tables, faults) = (MemoryStore::default(), Faults::default().process());
        faults.on("lease", fault);
        let store = faults.wrap(tables.clone());
        let lease = lease_of("a batch");
        tokio::select! {
            biased;
            _ = store.lease(&lease) => {}
            () = faults.death() => {}
        }
        let at_once = tables.calls();
        tokio::time::sleep(SPAN + Duration::from_secs(1)).await;
        [at_once, tables.calls()]
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_takes_effect_after_its_caller_has_given_up_or_died_or_once_more() {
        assert_eq!(calls(Fault::Before).await, [0, 0]);
        assert_eq!(calls(Fault::Delayed(SPAN)).await, [0, 1]);
        assert_eq!(calls(Fault::Outlives(SPAN)).await, [0, 1]);
        assert_eq!(calls(Fault::Twice(SPAN)).await, [1, 2]);
    }
}
