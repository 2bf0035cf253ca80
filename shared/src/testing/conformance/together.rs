//! The cases of calls that read or write several records.

use super::{LEASE_UNTIL, insert, running, succeeded};
use crate::{
    ports::{Replacement, Store, Written},
    record::{Guard, Phase, Record},
};

/// Runs every case.
pub(super) async fn store<S: Store>(store: &S) {
    several_records_are_read_in_the_order_of_their_keys(store).await;
    each_of_several_replacements_is_written_or_refused_on_its_own(store).await;
    nothing_is_left_of_a_record_that_is_replaced_with_others(store).await;
}

async fn several_records_are_read_in_the_order_of_their_keys<S: Store>(store: &S) {
    let (one, mut other) = (running("case#d:read-2", "a"), running("case#d:read-1", "b"));
    insert(store, &one).await;
    insert(store, &other).await;
    let guard = other.guard();
    other.fence += 1;
    assert_eq!(store.replace(&other, Some(&guard)).await, Ok(Written::Yes));
    let keys = [&*one.key, "case#d:unknown", &*other.key].map(str::to_owned);
    let expected = Ok(vec![Ok(Some(one)), Ok(None), Ok(Some(other))]);
    assert_eq!(store.read_all(&keys).await, expected);
    assert_eq!(store.read_all(&[]).await, Ok(Vec::new()));
}

/// The write of a record over one with this guard.
fn replacement(record: &Record, guard: Option<Guard>) -> Replacement {
    Replacement { record: record.clone(), guard }
}

async fn each_of_several_replacements_is_written_or_refused_on_its_own<S: Store>(store: &S) {
    let key = |n: usize| format!("case#d:replaced-{n}");
    let stored = [0, 1, 2, 3].map(|n| running(&key(n), "a"));
    for record in &stored {
        insert(store, record).await;
    }
    let next = [0, 1, 2, 3, 4, 5].map(|n| Record { fence: 2, ..running(&key(n), "b") });
    let fits = stored[0].guard();
    let waiting = Guard { state: "waiting", fence: fits.fence };
    let later = Guard { state: "running", fence: fits.fence + 1 };
    let guards = [Some(fits.clone()), Some(waiting), Some(later), None, None, Some(fits)];
    let writes: Vec<Replacement> =
        next.iter().zip(guards).map(|(record, guard)| replacement(record, guard)).collect();
    let written = store.replace_all(&writes).await.unwrap_or_default();
    let current = |n: usize| Ok(Written::No(Some(Box::new(stored[n].clone()))));
    assert_eq!(written[..3], [Ok(Written::Yes), current(1), current(2)], "only one guard holds");
    // Whether a refused insert has the record in its answer is left open.
    assert!(matches!(written[3], Ok(Written::No(_))), "{written:?}");
    let absent = Ok(Written::No(None));
    assert_eq!(written[4..], [Ok(Written::Yes), absent], "an insert, and a guard of no record");
    let kept = [&next[0], &stored[1], &stored[2], &stored[3], &next[4]];
    let kept: Vec<_> = kept.into_iter().map(|record| Ok(Some(record.clone()))).collect();
    let keys: Vec<String> = (0..5).map(key).collect();
    assert_eq!(store.read_all(&keys).await, Ok(kept));
    assert_eq!(store.read(&key(5)).await, Ok(None));
}

async fn nothing_is_left_of_a_record_that_is_replaced_with_others<S: Store>(store: &S) {
    let runs = ["case#d:over-1", "case#d:over-2"].map(|key| running(key, "a"));
    for run in &runs {
        insert(store, run).await;
    }
    let why = "later".to_owned();
    let waits = Phase::Waiting { run_after: LEASE_UNTIL, due_at: LEASE_UNTIL, why };
    let waiting = Record { cursor: Some("7".into()), phase: waits, ..runs[0].clone() };
    let ended = [waiting, succeeded(&runs[1])];
    replace_both(store, &runs, &ended).await;
    let again = runs.map(|run| Record { fence: run.fence + 1, ..run });
    replace_both(store, &ended, &again).await;
}

/// Writes two records over two others, and reads them.
async fn replace_both<S: Store>(store: &S, before: &[Record; 2], after: &[Record; 2]) {
    let guards = before.iter().map(|record| Some(record.guard()));
    let writes: Vec<Replacement> =
        after.iter().zip(guards).map(|(record, guard)| replacement(record, guard)).collect();
    assert_eq!(store.replace_all(&writes).await, Ok(vec![Ok(Written::Yes); 2]));
    let keys = [after[0].key.clone(), after[1].key.clone()];
    let read: Vec<_> = after.iter().map(|record| Ok(Some(record.clone()))).collect();
    assert_eq!(store.read_all(&keys).await, Ok(read));
}
