//! The conformance suite of [`TableMaintenance`]. Each case needs tables that have none of the
//! case's keys, apart from what the other suites have left.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    base::time::Time,
    ports::{
        Seen, Swapped, Written,
        maintenance::{LEASE_SHARDS, Table, TableMaintenance},
        notes::{FINDING, NoteKey, WATCHED},
    },
    record::{
        Counters, Phase, Record, Work,
        due::{due_partition, due_partitions},
        lease::Lease,
    },
    testing,
};

const NOW: Time = Time::from_millis(1_800_000_000_000);
const EVER: Time = Time::from_millis(0);
const LATER: Time = Time::from_millis(1_800_000_060_000);
const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:maintenance";

/// Runs every case.
///
/// # Panics
/// If the tables do not conform.
pub async fn maintenance<S: TableMaintenance>(store: &S) {
    due_entries_are_sorted_and_limited_by_time_and_number(store).await;
    a_record_that_is_claimed_leaves_the_due_index(store).await;
    leases_are_sorted_by_expiry(store).await;
    many_records_are_read_in_one_call_and_missing_ones_are_reported(store).await;
    a_scan_returns_every_record_once(store).await;
    only_expired_items_are_removed(store).await;
    a_note_is_swapped_by_its_revision(store).await;
    notes_of_a_kind_are_sorted_by_name(store).await;
    a_note_is_removed_only_if_its_text_is_unchanged(store).await;
}

fn record(key: &str, phase: Phase) -> Record {
    Record {
        owner: "a".into(),
        message_id: "m".into(),
        counters: Counters { receives: 1, claims: 1, ..Counters::default() },
        work: Work {
            queue: QUEUE.into(),
            retention: Duration::from_secs(60),
            created_at: NOW,
            ..testing::work()
        },
        ..testing::record(key, phase)
    }
}

fn waiting(key: &str, due_at: Time) -> Record {
    record(key, Phase::Waiting { run_after: NOW, due_at, why: "later".into() })
}

async fn put<S: TableMaintenance>(store: &S, record: &Record) {
    assert_eq!(store.replace(record, None).await, Ok(Written::Yes));
}

async fn due_entries_are_sorted_and_limited_by_time_and_number<S: TableMaintenance>(store: &S) {
    let mut expected = Vec::new();
    for n in (0..40_u64).rev() {
        let key = format!("due#g:{n}");
        put(store, &waiting(&key, NOW + Duration::from_secs(n))).await;
    }
    for partition in due_partitions(format!("waiting#{QUEUE}")) {
        let due = store.due(&partition, [EVER, LATER], 100).await.unwrap_or_default();
        assert!(due.is_sorted(), "{due:?}");
        assert!(
            due.iter().all(|due| due_partition(&format!("waiting#{QUEUE}"), &due.key) == partition)
        );
        let first = store.due(&partition, [EVER, LATER], 2).await.unwrap_or_default();
        assert_eq!(first, due[..due.len().min(2)]);
        expected.extend(due);
    }
    assert_eq!(expected.len(), 40);
    let until = NOW + Duration::from_secs(9);
    let mut early = 0;
    for partition in due_partitions(format!("waiting#{QUEUE}")) {
        early += store.due(&partition, [EVER, until], 100).await.unwrap_or_default().len();
    }
    assert_eq!(early, 10, "the span includes its end");
    let mut within = 0;
    for partition in due_partitions(format!("waiting#{QUEUE}")) {
        let span = [NOW + Duration::from_secs(5), until];
        within += store.due(&partition, span, 100).await.unwrap_or_default().len();
    }
    assert_eq!(within, 5);
}

async fn a_record_that_is_claimed_leaves_the_due_index<S: TableMaintenance>(store: &S) {
    let key = "due#g:moves";
    let before = waiting(key, NOW);
    put(store, &before).await;
    let after = record(key, Phase::Running { lease_until: LATER, lease_expiry_indexed: false });
    assert_eq!(store.replace(&after, Some(&before.guard())).await, Ok(Written::Yes));
    let partition = due_partition(&format!("waiting#{QUEUE}"), key);
    let due = store.due(&partition, [EVER, LATER], 100).await.unwrap_or_default();
    assert!(due.iter().all(|due| due.key != key), "{due:?}");
}

async fn leases_are_sorted_by_expiry<S: TableMaintenance>(store: &S) {
    let lease = |n: u64| Lease {
        owner: format!("{n:032x}"),
        until: NOW + Duration::from_secs(100 - n),
        jobs: vec![format!("lease#g:{n}")],
    };
    for n in 0..20 {
        assert_eq!(store.lease(&lease(n)).await, Ok(()));
    }
    let mut seen = Vec::new();
    for shard in 0..LEASE_SHARDS {
        let leases = store.leases(shard, 100).await.unwrap_or_default();
        assert!(leases.is_sorted_by_key(|lease| lease.until), "{leases:?}");
        seen.extend(leases);
    }
    for n in 0..20 {
        assert!(seen.contains(&lease(n)), "{n}");
        assert_eq!(store.release(&lease(n)).await, Ok(()));
    }
}

async fn many_records_are_read_in_one_call_and_missing_ones_are_reported<S: TableMaintenance>(
    store: &S,
) {
    let keys: Vec<String> = (0..100_u64).map(|n| format!("due#g:{n}")).collect();
    let read = store.read_all(&keys).await.unwrap_or_default();
    let found = read.into_iter().map(|record| record.map(|record| record.map(|found| found.key)));
    let expected = keys.iter().enumerate().map(|(n, key)| Ok((n < 40).then(|| key.clone())));
    assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    assert_eq!(store.read_all(&[]).await, Ok(Vec::new()));
}

async fn a_scan_returns_every_record_once<S: TableMaintenance>(store: &S) {
    let (mut from, mut seen, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = store.page(Table::Jobs, from.as_deref(), 7).await.unwrap_or_default();
        assert!(page.items.len() <= 7);
        seen.extend(page.items.into_iter().filter_map(|found| found.record?.ok()));
        pages += 1;
        from = page.next;
        if from.is_none() || pages > 1_000 {
            break;
        }
    }
    let ours = seen.iter().filter(|record| record.key.starts_with("due#g:"));
    let keys: Vec<&str> = ours.map(|record| record.key.as_str()).collect();
    let each: BTreeSet<&str> = keys.iter().copied().collect();
    assert_eq!((keys.len(), each.len()), (41, 41));
}

async fn only_expired_items_are_removed<S: TableMaintenance>(store: &S) {
    let ended = record("expired#g:1", Phase::Succeeded { at: NOW, result: "{}".into() });
    put(store, &ended).await;
    put(store, &waiting("expired#g:2", NOW)).await;
    let remove = async |key: &str, now: Time| {
        store.remove_expired(Table::Jobs, &[key.to_owned()], now).await
    };
    let end = NOW + Duration::from_secs(60);
    assert_eq!(remove("expired#g:1", NOW + Duration::from_secs(59)).await, Ok(false));
    assert_eq!(remove("expired#g:2", end).await, Ok(false), "it never expires");
    assert_eq!(remove("expired#g:1", end).await, Ok(true));
    assert_eq!(store.read("expired#g:1").await, Ok(None));
    assert_eq!(remove("expired#g:1", end).await, Ok(false), "idempotent");
    // The same for a note that a scan found.
    let place = NoteKey::new("case", "expires");
    assert_eq!(store.put_note(&place, "old", NOW).await, Ok(()));
    let page = store.page(Table::Control, None, 1_000).await.unwrap_or_default();
    let is_it = |part: &String| part == "expires";
    let found = page.items.into_iter().find(|found| found.key.last().is_some_and(is_it));
    let key = found.map(|found| found.key).unwrap_or_default();
    let early =
        store.remove_expired(Table::Control, &key, NOW.before(Duration::from_secs(1))).await;
    assert_eq!(early, Ok(false));
    assert_eq!(store.remove_expired(Table::Control, &key, NOW).await, Ok(true));
    assert_eq!(store.note(&place).await, Ok(Seen::default()));
}

async fn a_note_is_swapped_by_its_revision<S: TableMaintenance>(store: &S) {
    let place = NoteKey::new("case", "swapped");
    assert_eq!(store.note(&place).await, Ok(Seen::default()));
    assert_eq!(store.swap_note(&place, "one", 0, LATER).await, Ok(Swapped::Yes));
    let one = Seen { value: Some("one".to_owned()), revision: 1 };
    assert_eq!(store.swap_note(&place, "other", 0, LATER).await, Ok(Swapped::No(one.clone())));
    assert_eq!(store.note(&place).await, Ok(one));
    assert_eq!(store.swap_note(&place, "two", 1, LATER).await, Ok(Swapped::Yes));
    let two = Seen { value: Some("two".to_owned()), revision: 2 };
    assert_eq!(store.note(&place).await, Ok(two));
}

async fn notes_of_a_kind_are_sorted_by_name<S: TableMaintenance>(store: &S) {
    for name in ["c", "a", "b"] {
        let place = NoteKey::new(WATCHED[3], name);
        assert_eq!(store.put_note(&place, &format!("note {name}"), LATER).await, Ok(()));
    }
    assert_eq!(store.put_note(&NoteKey::new(FINDING, "b"), "another kind", LATER).await, Ok(()));
    let names = async |from: &str, most: usize| {
        let notes = store.notes(WATCHED[3], from, most).await.unwrap_or_default();
        notes.into_iter().map(|(name, text)| format!("{name}: {text}")).collect::<Vec<_>>()
    };
    assert_eq!(names("", 10).await, ["a: note a", "b: note b", "c: note c"]);
    assert_eq!(names("b", 10).await, ["b: note b", "c: note c"]);
    assert_eq!(names("", 1).await, ["a: note a"]);
}

async fn a_note_is_removed_only_if_its_text_is_unchanged<S: TableMaintenance>(store: &S) {
    let place = NoteKey::new(WATCHED[3], "a");
    assert_eq!(store.remove_note(&place, "an older text").await, Ok(()));
    assert_eq!(store.note(&place).await.map(|note| note.value), Ok(Some("note a".to_owned())));
    assert_eq!(store.remove_note(&place, "note a").await, Ok(()));
    assert_eq!(store.remove_note(&place, "note a").await, Ok(()), "idempotent");
    assert_eq!(store.note(&place).await, Ok(Seen::default()));
}
