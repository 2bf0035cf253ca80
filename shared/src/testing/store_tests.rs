use std::time::Duration;

use super::*;
use crate::{
    base::time::Time,
    dependency::{breaker::Breaker, limiter::Limiter},
    ports::{
        Control, Swapped,
        maintenance::{DueJob, Table, TableMaintenance},
        notes::NoteKey,
    },
    record::{LastFailure, Phase},
    testing::{self, BEGINNING},
};

fn record(name: &str, phase: Phase) -> Record {
    testing::record(&format!("errand#g:{name}"), phase)
}

fn running(name: &str) -> Record {
    record(name, Phase::Running { lease_until: BEGINNING, lease_expiry_indexed: false })
}

fn waiting(name: &str) -> Record {
    record(name, Phase::Waiting { run_after: BEGINNING, due_at: BEGINNING, why: "later".into() })
}

fn lease() -> Lease {
    Lease { owner: "batch".into(), until: BEGINNING, jobs: Vec::new() }
}

async fn due(store: &MemoryStore, record: &Record) -> Vec<DueJob> {
    let partition = record.due_entry().unwrap().partition;
    let ever = [Time::default(), BEGINNING + Duration::from_hours(1)];
    store.due(&partition, ever, 10).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_index_lags_behind_the_table() {
    let store = MemoryStore::default();
    store.behave(TableHabits { index_lag: Duration::from_secs(2), ..TableHabits::default() });
    let waiting = waiting("a");
    store.put(&waiting);
    assert_eq!(due(&store, &waiting).await, []);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(due(&store, &waiting).await.len(), 1);
    store.put(&running("a"));
    assert_eq!(due(&store, &waiting).await.len(), 1, "the entry is still seen");
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(due(&store, &waiting).await, []);
}

#[tokio::test(start_paused = true)]
async fn an_expired_item_is_removed_late_or_never() {
    let store = MemoryStore::default();
    let ended = record("a", Phase::Succeeded { at: BEGINNING, result: "1".into() });
    store.put(&ended);
    store.put_note(&NoteKey::new("kind", "name"), "text", BEGINNING).await.unwrap();
    tokio::time::advance(Duration::from_hours(25)).await;
    assert!(store.read(&ended.key).await.unwrap().is_some(), "calm tables remove nothing");
    let late = Some(Duration::from_hours(48));
    store.behave(TableHabits { removes_expired_after: late, ..TableHabits::default() });
    assert!(store.read(&ended.key).await.unwrap().is_some());
    assert_eq!(store.all_notes("kind").len(), 1);
    tokio::time::advance(Duration::from_hours(48)).await;
    assert_eq!(store.read(&ended.key).await, Ok(None));
    assert!(store.all_notes("kind").is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_entry_of_a_batch_has_its_planned_outcome() {
    use EntryOutcome::{Applied, InDoubt, Refused, Throttled};
    let store = MemoryStore::default();
    store.plan_entries("insert", [Applied, Refused, Throttled, InDoubt]);
    let records = ["a", "b", "c", "d", "e"].map(running);
    let written = store.insert(&records, &lease()).await.unwrap();
    let [
        Written::Yes,
        Written::No(None),
        Written::Unknown(_),
        Written::Unknown(_),
        Written::Yes,
        _,
    ] = &written[..]
    else {
        panic!("{written:?}")
    };
    let applied: Vec<bool> =
        records.iter().map(|record| store.record(&record.key).is_some()).collect();
    assert_eq!(applied, [true, false, false, true, true]);
}

#[tokio::test(start_paused = true)]
async fn units_follow_the_sizes_of_items_and_entries() {
    let store = MemoryStore::default();
    let spent = |before: Units| Units {
        writes: store.units().writes - before.writes,
        half_reads: store.units().half_reads - before.half_reads,
    };
    let mut long = running("long");
    long.work.payload = "x".repeat(2_500);
    let before = store.units();
    store.insert(std::slice::from_ref(&long), &lease()).await.unwrap();
    assert_eq!(spent(before).writes, 3 + 1, "2.5 KB and the lease");

    let before = store.units();
    let again = waiting("long");
    let again = Record { work: long.work.clone(), ..again };
    assert_eq!(store.replace(&again, Some(&long.guard())).await, Ok(Written::Yes));
    assert_eq!(spent(before).writes, 3 + 1, "the record and its new entry on the index");

    let before = store.units();
    let refused = store.replace(&again, Some(&long.guard())).await;
    assert!(matches!(refused, Ok(Written::No(_))));
    assert_eq!(spent(before).writes, 3, "a refused write costs as much");

    let before = store.units();
    store.read(&again.key).await.unwrap();
    store.read("errand#g:none").await.unwrap();
    assert_eq!(spent(before), Units { writes: 0, half_reads: 4 });
    assert!(store.units_by_partition().contains_key("jobs/errand#g:long"));
}

/// The units that `call` uses.
async fn used<T>(store: &MemoryStore, call: impl Future<Output = T>) -> Units {
    let before = store.units();
    call.await;
    let after = store.units();
    Units { writes: after.writes - before.writes, half_reads: after.half_reads - before.half_reads }
}

#[tokio::test(start_paused = true)]
async fn maintenance_costs_units_too() {
    let store = MemoryStore::default();
    let mut dead = record("a", Phase::Dead { at: BEGINNING, why: "x".into() });
    dead.work.payload = "x".repeat(1_500);
    store.put(&dead);
    let later = BEGINNING + Duration::from_hours(100 * 24);
    let prune = store.remove_expired(Table::Jobs, std::slice::from_ref(&dead.key), later);
    assert_eq!(used(&store, prune).await.writes, 2 + 1, "the record and its entry on the index");

    let text = "x".repeat(3_000);
    for name in ["a", "b"] {
        store.put_note(&NoteKey::new("kind", name), &text, later).await.unwrap();
    }
    let notes = store.notes("kind", "", 10);
    assert_eq!(used(&store, notes).await.half_reads, 4, "6 KB, read consistently");
    let key = NoteKey::new("kind", "a");
    let refused = store.swap_note(&key, &text, 7, later);
    assert_eq!(used(&store, refused).await.writes, 3, "a refused write costs as much");
    let scan = store.page(Table::Control, None, 10);
    assert_eq!(used(&store, scan).await.half_reads, 2, "6 KB, read eventually");
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_keeps_its_place_is_written_only_if_it_shows_something_else() {
    let store = MemoryStore::default();
    let first = waiting("a");
    store.put(&first);
    let same = Record { fence: 2, ..first.clone() };
    let write = async { store.replace(&same, Some(&first.guard())).await };
    assert_eq!(used(&store, write).await.writes, 1);
    let at = Time::from_millis(1);
    let class = Some(LastFailure { class: "transient".into(), fingerprint: "f".into(), at });
    let failed = Record { fence: 3, last_failure: class, ..first.clone() };
    let write = async { store.replace(&failed, Some(&same.guard())).await };
    assert_eq!(used(&store, write).await.writes, 1 + 1);
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_control_item_expires() {
    let store = MemoryStore::default();
    let key = BucketKey { subject: "elsewhere".into(), start: BEGINNING, generation: 0, shard: 0 };
    store.lease(&lease()).await.unwrap();
    store.swap_breaker("elsewhere", &Breaker::default(), 0).await.unwrap();
    store.swap_limiter("elsewhere", &Limiter::default(), 0).await.unwrap();
    store.add_to_bucket(&key, &Bucket::default(), BEGINNING).await.unwrap();
    store.put_note(&NoteKey::new("kind", "name"), "text", BEGINNING).await.unwrap();
    assert_eq!(store.page(Table::Control, None, 10).await.unwrap().items.len(), 5);
    let at_once = Some(Duration::ZERO);
    store.behave(TableHabits { removes_expired_after: at_once, ..TableHabits::default() });
    tokio::time::advance(Duration::from_hours(30 * 24)).await;
    assert_eq!(store.page(Table::Control, None, 10).await.unwrap().items, []);
    assert_eq!((store.leases(), store.all_buckets()), (Vec::new(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_hot_partition_is_throttled_and_the_next_second_serves_again() {
    let store = MemoryStore::default();
    store.limit(Some(PartitionLimits { writes: 2, reads: 2 }));
    let breaker = Breaker::default();
    for revision in 0..2 {
        store.swap_breaker("hot", &breaker, revision).await.unwrap();
    }
    let error = store.swap_breaker("hot", &breaker, 2).await.unwrap_err();
    assert!(matches!(error, PortError::Unavailable(_)), "{error}");
    assert_eq!(store.breaker("hot").await.unwrap().revision, 2, "a throttled write is not applied");
    store.swap_breaker("cool", &breaker, 0).await.unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(store.swap_breaker("hot", &breaker, 2).await, Ok(Swapped::Yes));
}

#[tokio::test(start_paused = true)]
async fn an_item_over_the_limit_is_refused() {
    let store = MemoryStore::default();
    let mut huge = running("huge");
    huge.work.payload = "x".repeat(400 * 1024);
    let error = store.replace(&huge, None).await.unwrap_err();
    assert!(matches!(error, PortError::Invalid(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_settle_that_names_an_item_twice_is_refused_as_a_whole() {
    use crate::record::item::Condition;
    let store = MemoryStore::default();
    let records = ["one", "other"].map(running);
    for record in &records {
        store.put(record);
    }
    let item = |sort: &str| TableItem {
        table: "table".into(),
        key: [("pk", "a".to_owned()), ("sk", sort.to_owned())],
        attributes: vec![("count", Value::Number(1))],
        condition: Condition::Always,
    };
    let ends = ["one", "other"].map(waiting);
    let twice = store.settle(&ends, &[&item("b"), &item("b")], None, None).await;
    assert!(matches!(twice, Err(PortError::Invalid(_))), "{twice:?}");
    assert_eq!(store.records(), records, "nothing was written");
    assert_eq!(store.item("table", ["a", "b"]), None);
    let once = store.settle(&ends, &[&item("b"), &item("c")], None, None).await;
    assert_eq!(once, Ok(vec![Written::Yes; 4]));
}
