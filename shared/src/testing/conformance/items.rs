//! The cases of items of job types, which are written with the ends of runs.

use super::{AUXILIARY, insert, running, succeeded};
use crate::{
    ports::{PortError, Store, Written},
    record::item::{Condition, TableItem, Value},
};

/// Runs every case.
pub(super) async fn store<S: Store>(store: &S) {
    a_settle_writes_items_of_job_types(store).await;
    the_latest_item_stays_whoever_comes_first(store).await;
}

/// An item of a job type.
fn item(name: &str, count: u64, condition: Condition) -> TableItem {
    let key = [("dealer", "item".to_owned()), ("vin", name.to_owned())];
    let attributes = vec![("count", Value::Number(count)), ("text", Value::Text("x".into()))];
    TableItem { table: AUXILIARY.into(), key, attributes, condition }
}

async fn a_settle_writes_items_of_job_types<S: Store>(store: &S) {
    let (one, two) = (running("case#d:items-1", "a"), running("case#d:items-2", "a"));
    insert(store, &one).await;
    insert(store, &two).await;
    let ends = [succeeded(&one), succeeded(&two)];
    let [absent, always] = [Condition::Absent, Condition::Always];
    let first = [&item("a", 1, absent.clone()), &item("b", 1, always.clone())];
    let all = Ok(vec![Written::Yes; 4]);
    assert_eq!(store.settle(&ends, &first, None, None).await, all);
    // The ends are refused by now, and what replaces an item takes a call of its own.
    let again = store.settle(&ends, &first, None, None).await.unwrap_or_default();
    assert!(again.len() == 4 && again.iter().all(|w| matches!(w, Written::No(_))), "{again:?}");
    assert_eq!(store.put_item(&item("b", 2, always.clone())).await, Ok(Written::Yes));
    assert_eq!(store.put_item(&item("c", 2, always)).await, Ok(Written::Yes));
    let is = |count| Condition::Unchanged(vec![("count", Value::Number(count))]);
    for (name, count, condition, expected) in [
        ("a", 3, absent, false),
        ("a", 3, is(2), false),
        ("a", 3, is(1), true),
        ("b", 4, is(2), true),
        ("d", 5, is(0), false),
    ] {
        let written = store.put_item(&item(name, count, condition)).await;
        assert_eq!(written == Ok(Written::Yes), expected, "{name} {count}: {written:?}");
        assert_eq!(matches!(written, Ok(Written::No(_))), !expected, "{name} {count}");
    }
}

/// Ends a run of its own with this item.
async fn ended_with<S: Store>(store: &S, key: &str, item: &TableItem) -> Option<Written> {
    let record = running(key, "a");
    insert(store, &record).await;
    let settled = store.settle(&[succeeded(&record)], &[item], None, None).await;
    let [end, item] = <[Written; 2]>::try_from(settled.unwrap_or_default()).ok()?;
    assert_eq!(
        end,
        Written::Yes,
        "{key}: an item that is refused does not keep a run from its end"
    );
    Some(item)
}

async fn the_latest_item_stays_whoever_comes_first<S: Store>(store: &S) {
    let latest = |count, seen| item("latest", count, Condition::Latest { by: "count", seen });
    let (yes, no) = (Some(Written::Yes), Some(Written::No(None)));
    for (number, count, seen, expected) in [
        (1, 5, None, &yes),
        // There is one by now, and it is not as it was read.
        (2, 6, None, &no),
        (3, 6, Some(4), &no),
        (4, 6, Some(5), &yes),
        // What was read is later than what is to be written.
        (5, 5, Some(6), &no),
    ] {
        let key = format!("case#d:latest-{number}");
        let written = ended_with(store, &key, &latest(count, seen)).await;
        let written = written.map(|written| match written {
            Written::No(_) => Written::No(None),
            other => other,
        });
        assert_eq!(&written, expected, "{key}");
    }
    for (count, seen, is_written) in [
        (5, None, false),
        (5, Some(6), false),
        (6, None, true),
        (8, Some(1), true),
        (7, None, false),
    ] {
        let written: Result<Written, PortError> = store.put_item(&latest(count, seen)).await;
        let expected = if is_written { Written::Yes } else { Written::No(None) };
        assert_eq!(written, Ok(expected), "{count} {seen:?}");
    }
}
